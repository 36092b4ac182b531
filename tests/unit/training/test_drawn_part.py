from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from affectscope.datasets.runs import RunBatch
from affectscope.training.drawn_part import drawn_part, pinned
from affectscope.training.objective import Part

ROWS = 6


def batch() -> RunBatch:
    """One run of six rows."""
    everywhere = np.ones(ROWS, dtype=np.bool_)
    return RunBatch(
        rows=np.arange(ROWS)[None],
        signals={name: np.zeros((1, 1, 40), np.float32) for name in ("ecg", "eda")},
        starts={name: np.arange(ROWS)[None] for name in ("ecg", "eda")},
        face=np.zeros((ROWS, 4), np.float32),
        present=dict.fromkeys(("face", "ecg", "eda"), everywhere),
        targets=np.zeros((ROWS, 10), np.float32),
    )


def drawn(seed: int, *, dropout: float = 0.0, every: int = 1) -> Part:
    return drawn_part(
        batch(),
        ("face", "ecg"),
        decoded_every=every,
        modality_dropout=dropout,
        random=np.random.default_rng(seed),
    )


def test_every_row_is_reconstructed_in_some_batch() -> None:
    columns = [tuple(drawn(seed, every=3).columns.tolist()) for seed in range(20)]
    assert set(columns) == {(0, 3), (1, 4), (2, 5)}


def test_runs_shorter_than_the_step_still_have_one_column() -> None:
    assert all(len(drawn(seed, every=50).columns) == 1 for seed in range(20))


def test_the_estimate_is_not_shown_what_is_hidden_and_the_rest_is_as_it_was() -> None:
    part = drawn(0, dropout=0.6)
    shown = part.runs.present
    assert not shown["face"].all()
    assert (shown["face"] | shown["ecg"]).all()
    assert shown["eda"].all()  # the network does not use it
    assert all(there.all() for there in part.there.values())


def test_every_tensor_of_a_part_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only a GPU's driver can pin; that each tensor is handed to it can be seen without one.
    handed: list[int] = []

    def pin(tensor: Tensor) -> Tensor:
        handed.append(tensor.data_ptr())
        return tensor + tensor if tensor.dtype == torch.float32 else tensor.clone()

    monkeypatch.setattr(Tensor, "pin_memory", pin)
    part = drawn(0)
    moved = pinned(part)
    runs = part.runs
    tensors = [*runs.signals.values(), *runs.starts.values(), *runs.present.values(), runs.face]
    assert {each.data_ptr() for each in tensors if each is not None} <= set(handed)
    assert {part.targets.data_ptr(), part.columns.data_ptr()} <= set(handed)
    assert type(moved) is Part
    assert moved.targets.data_ptr() != part.targets.data_ptr()
