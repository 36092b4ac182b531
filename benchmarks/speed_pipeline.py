"""The walk through a session with its stages side by side, against one after the other.

Without starting, statistics and report. The estimates of both must be the same.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.model_files import face_model
from affectscope.io.session import open_session
from affectscope.records import FloatArray


def pipeline_figures(checkpoint: Path, session: Path) -> dict[str, Any]:
    """Scored frames per second of both, their ratio, and the largest difference of an estimate."""
    predictor = load_checkpoint(checkpoint)
    assert predictor.engine is not None
    values, rates = [], []
    for overlapped in (False, True):
        began = time.perf_counter()
        values.append(_walked(predictor, session, overlapped=overlapped))
        rates.append(len(values[-1]) / (time.perf_counter() - began))
    difference = float(np.nanmax(np.abs(values[1] - values[0])))
    return {
        "engine": f"{predictor.engine.name} {predictor.engine.precision}",
        "one_after_the_other_per_second": round(rates[0], 1),
        "side_by_side_per_second": round(rates[1], 1),
        "times_faster": round(rates[1] / rates[0], 2),
        "largest_difference": difference,
    }


def _walked(predictor: Predictor, session: Path, *, overlapped: bool) -> FloatArray:
    """(N, T) estimates."""
    opened = open_session(session)
    stream = WindowStream(
        recording=opened.recording,
        body=analyse_body(opened.recording),
        preprocessing=predictor.checkpoint.preprocessing,
        face_model=face_model,
        settings=StreamSettings(overlapped=overlapped),
    )
    return np.concatenate(
        [predictor.values(shares, batch.present) for batch, shares in predictor.scored(stream)]
    )
