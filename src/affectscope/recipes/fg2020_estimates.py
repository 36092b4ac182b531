"""A trained network's estimates for rows of a corpus.

Legend: M rows, T targets.
"""

from __future__ import annotations

import numpy as np
import torch

from affectscope.datasets.runs import RunSet, grouped
from affectscope.evaluation.samples import Rows
from affectscope.models.bmmn import BMMN
from affectscope.models.dense import estimate_runs
from affectscope.records import EMOTIONS, TARGETS, FloatArray
from affectscope.training.objective import as_part

_PREDICTED_RUN = 64


def predicted(network: BMMN, windows: RunSet, rows: Rows) -> FloatArray:
    """(M, T) estimates within the targets' ranges; NaN in rows without any usable modality."""
    network.eval()
    device = next(network.parameters()).device
    used, columns = network.config.modalities, [TARGETS.index(t) for t in network.config.targets]
    place = np.full(len(windows), -1)
    place[rows] = np.arange(len(rows))
    estimates = np.full((len(rows), len(TARGETS)), np.nan)
    runs = windows.runs_in_order(rows, _PREDICTED_RUN)
    with torch.inference_mode():
        for batch in windows.batches(grouped(runs, _PREDICTED_RUN, 4 * _PREDICTED_RUN)):
            part = as_part(batch, np.empty(0, np.int64), {}, device)
            found, _ = estimate_runs(network, part.runs)
            seen = np.any([batch.present[name] for name in used], axis=0)
            flat = batch.rows.ravel()
            kept = (flat >= 0) & seen
            estimates[place[flat[kept]][:, None], columns] = found.double().cpu().numpy()[kept]
    lowest = np.array([0.0 if name in EMOTIONS else -1.0 for name in TARGETS])
    clipped: FloatArray = np.clip(estimates, lowest, 1.0)
    return clipped
