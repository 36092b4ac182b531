"""Features of a frozen face encoder: computed once per trial and encoder, and kept.

Legend: N rows of a trial, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectscope.datasets.prepared import PreparedCorpus, PreparedTrial, person_folder
from affectscope.io.sealed_folder import (
    FileHashes,
    ensure_sealed,
    private_folder,
)
from affectscope.records import JsonObject


class PictureEncoder(Protocol):
    """What is asked of an encoder; every ``models.face_encoder.FaceEncoder`` is one."""

    width: int
    training: bool

    def __call__(self, pictures: Tensor, /) -> Tensor:
        """(N, 3, C, C) uint8 -> (N, ``width``)."""

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def train(self, mode: bool = True) -> Any: ...


def face_features(
    prepared: PreparedCorpus,
    encoder: PictureEncoder,
    encoder_id: str,
    cache: Path,
    *,
    batch: int,
    progress: Callable[[float, str], None],
) -> dict[str, NDArray[np.float32]]:
    """The encoder's features of every trial, by the trial's key: (N, F), mapped from a file.

    Rows without a face are zeros; a trial without a face is zeros and has no file. A run that was
    stopped goes on; a damaged file is computed again. ``forget`` of the cache removes these too.

    Args:
        encoder: used in evaluation mode, where its weights are.
        encoder_id: sha256 of what decides its features: its weights, or its file and what is
            stated of it.
        cache: the folder that ``prepare`` was given.
        batch: faces per step.

    Raises:
        OutputError: E_OUTPUT.
    """
    training = encoder.training
    encoder.train(False)
    features: dict[str, NDArray[np.float32]] = {}
    try:
        for number, trial in enumerate(prepared.trials):
            text = f"Face features of {trial.subject_id}, {trial.trial_id}"
            progress(number / len(prepared.trials), text)
            features[trial.key] = _of_trial(trial, encoder, encoder_id, cache, batch=batch)
    finally:
        encoder.train(training)
    progress(1.0, "Face features are ready")
    return features


def _of_trial(
    trial: PreparedTrial, encoder: PictureEncoder, encoder_id: str, cache: Path, *, batch: int
) -> NDArray[np.float32]:
    if trial.faces is None:
        return np.zeros((len(trial.times), encoder.width), dtype=np.float32)
    person = person_folder(cache, trial.subject_id)
    private_folder(person)
    folder = person / f"features-{encoder_id[:32]}-{trial.key}"
    hashes = FileHashes(person / "hashes.json")

    def fill(temporary: Path) -> JsonObject:
        np.save(temporary / "features.npy", _encoded(trial, encoder, batch))
        return {"encoder": encoder_id, "trial": trial.key}

    ensure_sealed(folder, hashes, fill)
    hashes.save()
    mapped: NDArray[np.float32] = np.load(folder / "features.npy", mmap_mode="r")
    return mapped


def _encoded(trial: PreparedTrial, encoder: PictureEncoder, batch: int) -> NDArray[np.float32]:
    """(N, F)."""
    assert trial.faces is not None
    # What runs outside torch has no parameters, and takes its pictures from memory.
    device = next(encoder.parameters(), torch.empty(0)).device
    features = np.zeros((len(trial.times), encoder.width), dtype=np.float32)
    seen = np.flatnonzero(trial.face_present)
    with torch.inference_mode():
        for start in range(0, len(seen), batch):
            rows = seen[start : start + batch]
            pictures = torch.from_numpy(np.asarray(trial.faces[rows])).to(device)
            features[rows] = encoder(pictures).float().cpu().numpy()
    return features
