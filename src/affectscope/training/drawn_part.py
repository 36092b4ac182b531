"""What a step learns from: a batch, what is drawn for it, and the memory where a GPU fetches it.

Made on the processor, in threads ahead of the step (``io.read_ahead.made_ahead``).

Legend: R runs, M rows of a run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from affectscope.datasets.runs import RunBatch
from affectscope.records import BoolArray, Modality
from affectscope.training.objective import Part, as_part


def drawn_part(
    batch: RunBatch,
    modalities: Sequence[Modality],
    *,
    decoded_every: int,
    modality_dropout: float,
    random: np.random.Generator,
) -> Part:
    """The batch, the columns of its runs that are reconstructed, and what is hidden of its rows.

    Args:
        modalities: of the network.
        decoded_every, modality_dropout: see ``loop.StageSettings``.
    """
    longest = batch.rows.shape[1]
    every = min(decoded_every, longest)
    columns = np.arange(int(random.integers(every)), longest, every)
    hidden = _hidden(batch.present, modalities, probability=modality_dropout, random=random)
    return as_part(batch, columns, hidden, torch.device("cpu"))


def pinned(part: Part) -> Part:
    """In memory that a GPU reads by itself, while the processor goes on."""
    return apply_to_collection(part, Tensor, Tensor.pin_memory)  # type: ignore[no-any-return]


def _hidden(
    present: dict[Modality, BoolArray],
    modalities: Sequence[Modality],
    *,
    probability: float,
    random: np.random.Generator,
) -> dict[Modality, BoolArray]:
    """Which modalities the estimate may not see; a row that would lose all keeps all."""
    if probability <= 0:
        return {}
    there = np.stack([present[name] for name in modalities])
    hidden = there & (random.random(there.shape) < probability)
    hidden &= (there & ~hidden).any(axis=0)
    return dict(zip(modalities, hidden, strict=True))
