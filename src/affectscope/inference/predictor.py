"""The one predictor: batches of windows -> ten targets. Every journey uses it.

Legend: N rows, T = 10 targets, O outputs of the first layer of the network's head.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.datasets.alignment import aligned
from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowBatch, WindowStream
from affectscope.errors import ModelError
from affectscope.inference.calibration import Calibration, read_calibration
from affectscope.inference.engine import AUTOMATIC, EngineAsked, FaceEngine, TorchEngine
from affectscope.inference.engine_choice import EngineChoice, choose_engine
from affectscope.inference.person_photo import photo_check
from affectscope.io.model_files import face_model
from affectscope.io.read_ahead import made_ahead, read_ahead
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN
from affectscope.models.checkpoint import Checkpoint, open_checkpoint
from affectscope.models.face_encoder import FaceEncoder
from affectscope.models.shares import SignalShares, window_shares
from affectscope.preprocessing.windows import NetworkSignal, Windows
from affectscope.records import (
    MODALITIES,
    TARGETS,
    BoolArray,
    FloatArray,
    Modality,
    Prediction,
    Recording,
)

_RATINGS = 3
"""valence, arousal and liking lie in [-1, 1]; the seven emotions in [0, 1]."""

BATCHES_AHEAD = 2
"""Batches whose faces are cut and that wait for the network: 10 MB each."""

Shares: TypeAlias = dict[Modality, NDArray[np.float32]]
"""(N, O) by the network's modalities."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A checkpoint ready to score.

    Attributes:
        engine: what encodes the faces; where it is not given, PyTorch as the reference. None where
            the network reads no face.
        choice: why this engine, where ``load_checkpoint`` chose it.
        calibration: what people whom the network did not learn from taught about its estimates;
            None where the checkpoint has none.
    """

    model: BMMN
    checkpoint: Checkpoint
    checkpoint_id: str
    engine: FaceEngine | None = None
    choice: EngineChoice | None = None
    calibration: Calibration | None = None
    _signals: WeakKeyDictionary[NetworkSignal, SignalShares] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.engine is None and self.model.face is not None:
            object.__setattr__(self, "engine", TorchEngine(self.model.face))

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

    @property
    def parallel(self) -> int:
        """How many calls of ``shares`` at a time keep the machine busy."""
        return 1 if self.engine is None else self.engine.parallel

    def score(self, batch: WindowBatch) -> FloatArray:
        """(N, T) estimates within their ranges; NaN in rows without any usable modality, and in
        targets that the network does not have."""
        return self.values(self.shares(batch), batch.present)

    def shares(self, batch: WindowBatch) -> Shares:
        """(N, O) what each of the network's modalities adds to the first layer of its head; zeros
        where it is absent. All that costs time is here; several threads may call it.

        Where the calibration says so, those of bad quality count for less.

        Windows of a whole signal are computed together, see ``models.shares``; windows that are
        given as values one by one.
        """
        shares = {name: self._shares(batch, name) for name in self.model.config.modalities}
        if self.calibration is None:
            return shares
        return self.calibration.weighed(shares, batch.quality)

    def values(self, shares: Shares, present: Mapping[Modality, BoolArray]) -> FloatArray:
        """(N, T) as ``score``, of the modalities that are there; an absent key is an absent one."""
        total = np.zeros(next(iter(shares.values())).shape)
        seen = np.zeros(len(total), dtype=np.bool_)
        for name, share in shares.items():
            if name in present:
                total += np.where(present[name][:, None], share, 0.0)
                seen |= present[name]
        with torch.inference_mode():
            estimate = self.model.finished(torch.from_numpy(total).float()).double().numpy()
        targets = self._within_ranges(estimate, seen)
        return targets if self.calibration is None else self.calibration.tempered(targets)

    def half_widths(
        self, batches: Sequence[WindowBatch], recording: Recording
    ) -> FloatArray | None:
        """(N, T) half-widths of the intervals of each row's estimates, NaN where there is none;
        None where no calibration says anything about such a person."""
        if self.calibration is None or not self.calibration.stands_for(recording.simulated):
            return None
        widths = [self.calibration.half_widths(b.present_matrix, b.quality) for b in batches]
        return np.concatenate([np.empty((0, len(TARGETS))), *widths])

    def _shares(self, batch: WindowBatch, name: Modality) -> NDArray[np.float32]:
        shares = np.zeros((len(batch.keys), self.model.head_inputs), np.float32)
        given, there = batch.inputs.get(name), batch.present.get(name)
        if given is None or there is None or not there.any():
            return shares
        if isinstance(given, Windows):
            shares[there] = self._signal_shares(name, given.signal).at(given.first[there])
        elif name == "face":
            assert self.engine is not None
            features = self.engine.features(_taken(np.asarray(given, np.uint8), there))
            shares[there] = features @ self._face_weights.T
        else:
            windows = np.asarray(given[there], np.float32)
            shares[there] = window_shares(self.model, name, windows)
        return shares

    @property
    def _face_weights(self) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = self.model.head_weights("face").detach().numpy()
        return weights

    def _signal_shares(self, name: Modality, signal: NetworkSignal) -> SignalShares:
        with self._lock:
            if signal not in self._signals:
                self._signals[signal] = SignalShares(self.model, name, signal.values)
            return self._signals[signal]

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
        for batch, shares in self.scored(stream):
            values.append(self.values(shares, batch.present))
            batches.append(batch.without_inputs())
        return joined(batches, values, self, recording)

    def scored(self, stream: WindowStream) -> Generator[tuple[WindowBatch, Shares]]:
        """The stream's batches in their order with their ``shares``, stage beside stage.

        Three things go on at once: pictures are decoded (a process of their own), faces are found
        and cut (a thread), and the network runs (as many threads as keep the machine busy). With
        ``stream.settings.overlapped`` False one thing comes after the other, with the same result.
        """

        def with_shares(batch: WindowBatch) -> tuple[WindowBatch, Shares]:
            return batch, self.shares(batch)

        if not stream.settings.overlapped:
            yield from map(with_shares, stream)
            return
        with closing(read_ahead(stream, BATCHES_AHEAD)) as batches:
            yield from made_ahead(with_shares, batches, self.parallel)


def _taken(pictures: NDArray[np.uint8], rows: BoolArray) -> NDArray[np.uint8]:
    """Some of (N, 3, H, H), laid out in memory as they are."""
    if rows.all():
        return pictures
    return pictures.transpose(0, 2, 3, 1)[rows].transpose(0, 3, 1, 2)


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
        half_width=predictor.half_widths(batches, recording),
    )


def load_checkpoint(
    folder: Path | str, *, asked: EngineAsked = AUTOMATIC, calibrated: bool = True
) -> Predictor:
    """Open a checkpoint folder, ready to score.

    Args:
        asked: which engine encodes the faces; by itself the fastest that is known to be close
            enough to PyTorch (``engine_choice``).
        calibrated: with the calibration in the folder, if any; else as the network gives it.

    Raises:
        ModelError: E_CHECKPOINT, also where the calibration is damaged or of other weights;
            E_CHECKPOINT_PICKLE; E_ENGINE where the engine that was asked for cannot be used.
        MissingExtraError: E_EXTRA where it needs a part that is not installed.
    """
    opened = open_checkpoint(Path(folder))
    checkpoint, checkpoint_id = opened.checkpoint, opened.checkpoint_id
    calibration = read_calibration(Path(folder), checkpoint_id) if calibrated else None
    if "face" not in checkpoint.config.modalities:
        return Predictor(opened.network(), checkpoint, checkpoint_id, calibration=calibration)
    whole = cache(opened.network)

    def encoder() -> FaceEncoder:
        face = whole().face
        assert face is not None
        return face

    choice = choose_engine(Path(folder), encoder, checkpoint_id, asked)
    # An engine holds the encoder's weights, and the package that builds it is not needed then.
    model = whole() if choice.contract is None else opened.network(face=False)
    return Predictor(model, checkpoint, checkpoint_id, choice.engine, choice, calibration)
