"""The one predictor: batches of windows -> ten targets. Every journey uses it.

Legend: N rows, R of them taken, M modalities of the network, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.datasets.alignment import aligned
from affectscope.datasets.window_dataset import (
    StreamSettings,
    WindowBatch,
    WindowStream,
    analyse_body,
)
from affectscope.errors import ModelError
from affectscope.inference.person_photo import photo_check
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN
from affectscope.models.checkpoint import Checkpoint
from affectscope.models.checkpoint import load_checkpoint as read_checkpoint
from affectscope.records import (
    MODALITIES,
    TARGETS,
    BoolArray,
    FloatArray,
    Prediction,
    Recording,
)

_RATINGS = 3
"""valence, arousal and liking lie in [-1, 1]; the seven emotions in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A checkpoint ready to score."""

    model: BMMN
    checkpoint: Checkpoint
    checkpoint_id: str

    def check_population(self, recording: Recording) -> None:
        """Weights fitted on people score anybody; those of simulated people only their like.

        Raises:
            ModelError: E_POPULATION, says whom the weights were fitted on.
        """
        population = self.checkpoint.population
        if population == "people" or (population == "simulated people" and recording.simulated):
            return
        whom = "nobody" if population == "untrained" else population
        raise ModelError(
            "E_POPULATION",
            f"the checkpoint was fitted on {whom} and says nothing about this person.",
            "Give a checkpoint that was fitted on recordings of people.",
        )

    def score(self, batch: WindowBatch) -> FloatArray:
        """(N, T) estimates within their ranges; NaN in rows without any usable modality, and in
        targets that the network does not have."""
        used = self.model.config.modalities
        inputs = {
            name: torch.from_numpy(value) for name, value in batch.inputs.items() if name in used
        }
        present = {name: torch.from_numpy(batch.present[name]) for name in inputs}
        seen = np.zeros(len(batch.keys), dtype=np.bool_)
        for name in inputs:
            seen |= batch.present[name]
        if not seen.any():
            return np.full((len(batch.keys), len(TARGETS)), np.nan)
        with torch.inference_mode():
            estimate = self.model.estimate(inputs, present).double().numpy()
        return self._within_ranges(estimate, seen)

    def score_leaving_out(self, batch: WindowBatch, rows: NDArray[np.int64]) -> FloatArray:
        """(1 + M, R, T) of some rows of a batch: ``score``, then ``score`` of the same rows without
        each of the network's M modalities in turn. What the rows hold is encoded once."""
        used = self.model.config.modalities
        inputs = {
            name: torch.from_numpy(value[rows])
            for name, value in batch.inputs.items()
            if name in used
        }
        where = {name: batch.present[name][rows] for name in inputs}
        nowhere = np.zeros(len(rows), dtype=np.bool_)
        patterns = [where, *(where | {name: nowhere} for name in used)]
        seen = np.array([np.any([nowhere, *each.values()], axis=0) for each in patterns])
        if not seen.any():
            return np.full((*seen.shape, len(TARGETS)), np.nan)
        present = {name: torch.from_numpy(values) for name, values in where.items()}
        with torch.inference_mode():
            estimates = self.model.estimate_leaving_out(inputs, present).double().numpy()
        return self._within_ranges(estimates, seen)

    def _within_ranges(self, estimate: FloatArray, seen: BoolArray) -> FloatArray:
        """(..., T) of the network's own targets (..., n), clipped; NaN where nothing was seen."""
        targets = np.full((*seen.shape, len(TARGETS)), np.nan)
        targets[..., [TARGETS.index(name) for name in self.model.config.targets]] = estimate
        lower = np.where(np.arange(len(TARGETS)) < _RATINGS, -1.0, 0.0)
        return np.where(seen[..., None], np.clip(targets, lower, 1.0), np.nan)

    def predict(
        self,
        session: Session,
        *,
        rate: float | None = None,
        force: bool = False,
        on_time: Callable[[float], None] = lambda _time: None,
    ) -> Prediction:
        """Estimates over time for a session.

        Args:
            rate: analysed times per second; None takes every video frame, at most 30 per second.
            force: score although the weights were not fitted on such people.
            on_time: called with the time reached, for progress.

        Raises:
            ModelError: E_POPULATION, unless forced.
        """
        session = aligned(session, on_time)
        recording = session.recording
        if not force:
            self.check_population(recording)
        stream = WindowStream(
            recording=recording,
            body=analyse_body(recording, session.excluded),
            preprocessing=self.checkpoint.preprocessing,
            face_model=face_model,
            settings=StreamSettings(rate=rate, person=session.person, excluded=session.excluded),
            photo_check=photo_check,
            on_time=on_time,
        )
        batches, values = [], []
        for batch in stream:
            values.append(self.score(batch))
            batches.append(batch.without_inputs())
        return joined(batches, values, self, recording)


def joined(
    batches: Sequence[WindowBatch],
    values: Sequence[FloatArray],
    predictor: Predictor,
    recording: Recording,
) -> Prediction:
    """One Prediction from scored batches in time order."""
    return Prediction(
        keys=tuple(key for batch in batches for key in batch.keys),
        values=np.concatenate([np.empty((0, len(TARGETS))), *values]),
        present=np.concatenate(
            [np.empty((0, len(MODALITIES)), dtype=np.bool_), *(b.present_matrix for b in batches)]
        ),
        population=predictor.checkpoint.population,
        checkpoint_id=predictor.checkpoint_id,
        simulated_person=recording.simulated,
    )


def load_checkpoint(folder: Path | str) -> Predictor:
    """Open a checkpoint folder, ready to score.

    Raises:
        ModelError: E_CHECKPOINT or E_CHECKPOINT_PICKLE.
    """
    model, checkpoint, checkpoint_id = read_checkpoint(Path(folder))
    return Predictor(model, checkpoint, checkpoint_id)
