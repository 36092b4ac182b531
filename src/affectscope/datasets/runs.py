"""Prepared trials as training batches: runs of neighbouring rows, whose windows overlap.

A batch holds R runs of up to M rows each, every run out of one trial. The encoders go once over a
run's signal instead of once over each of its windows (``models.dense``). With runs of one row a
batch is an ordinary sample of rows.

Legend: N rows of a set, R runs of a batch, M rows of a run, S samples of a run's signal, W window
samples, C crop size, F face features, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.io.read_ahead import made_ahead
from affectscope.preprocessing.windows import Preprocessing, usable_windows
from affectscope.records import MODALITIES, TARGETS, BoolArray, FloatArray, Modality

Rows = NDArray[np.int64]
"""Row numbers into a ``RunSet``, ascending."""

SIGNALS: tuple[Modality, ...] = ("ecg", "eda")


@dataclass(frozen=True, eq=False)
class RunBatch:
    """R runs of up to M rows; what a shorter run lacks repeats its last row as absent.

    Attributes:
        rows: (R, M) row numbers, -1 where a run has ended.
        signals: "ecg", "eda": (R, 1, S) float32, each run from its first window's first sample on.
        starts: the same keys: (R, M) int64, first sample of each window in its run.
        face: (R M, 3, C, C) uint8 pictures or (R M, F) float32 features; None without faces.
        present: (R M,) bool per modality.
        targets: (R M, T) float32; NaN where not rated, and where a run has ended.
    """

    rows: Rows
    signals: dict[Modality, NDArray[np.float32]]
    starts: dict[Modality, Rows]
    face: NDArray[np.uint8] | NDArray[np.float32] | None
    present: dict[Modality, BoolArray]
    targets: NDArray[np.float32]


class RunSet:
    """All rows of some trials behind one index, in trial and time order.

    Args:
        features: of a frozen face encoder by the trial's key, each (rows of the trial, F); given,
            they take the place of the pictures.
        features_id: tells which encoder they came from.
        inputs_from: (N,) the row whose signals and face each row is given in place of its own,
            ascending within a trial; None: its own. Targets stay.
        modalities: what is given of the rows; the others are absent.

    Attributes:
        times: (N,) each row's time on its trial's axis.
    """

    def __init__(
        self,
        trials: Sequence[PreparedTrial],
        preprocessing: Preprocessing,
        features: Mapping[str, NDArray[np.float32]] | None = None,
        features_id: str = "",
        *,
        inputs_from: Rows | None = None,
        modalities: Collection[Modality] = MODALITIES,
    ) -> None:
        self.trials = tuple(trials)
        self.preprocessing = preprocessing
        self.features = features
        self.features_id = features_id
        self.inputs_from = inputs_from
        self.modalities = tuple(modalities)
        counts = [len(trial.times) for trial in trials]
        self.trial_of_row = np.repeat(np.arange(len(counts)), counts)
        self.row_in_trial = np.concatenate([[0], *(np.arange(count) for count in counts)])[1:]
        self.times: FloatArray = np.concatenate([[0.0], *(trial.times for trial in trials)])[1:]
        self._clocks = {name: _clocks(trials, name) for name in SIGNALS}
        self.targets = np.concatenate(
            [np.empty((0, len(TARGETS)), np.float32), *(trial.targets for trial in trials)]
        )
        self.present = {
            name: np.concatenate([np.empty(0, np.bool_), *(self._usable(t, name) for t in trials)])
            for name in ("face", *SIGNALS)
        }

    def __len__(self) -> int:
        return len(self.trial_of_row)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in the set, once, in order."""
        return tuple(dict.fromkeys(trial.subject_id for trial in self.trials))

    def runs(self, rows: Rows, length: int, *, seed: Sequence[int]) -> list[Rows]:
        """The rows cut into runs of ``length`` within trials, in an order that ``seed`` decides.

        Every row is in exactly one run. Where a trial's first cut falls is drawn too. Rows that are
        given in part are taken as neighbours in their order.
        """
        random = np.random.default_rng(list(seed))
        runs: list[Rows] = []
        for own in self._by_trial(rows):
            first = int(random.integers(1, length + 1))
            runs.extend(part for part in np.split(own, range(first, len(own), length)) if len(part))
        return [runs[index] for index in random.permutation(len(runs))]

    def runs_in_order(self, rows: Rows, length: int) -> list[Rows]:
        """The rows cut into runs of at most ``length`` within trials, in their own order."""
        return [
            part
            for own in self._by_trial(rows)
            for part in np.split(own, range(length, len(own), length))
        ]

    def batch(self, runs: Sequence[Rows]) -> RunBatch:
        """The runs' signals, faces and targets."""
        rows = np.full((len(runs), max(len(run) for run in runs)), -1)
        inputs = rows.copy()  # after a run's end its last row stands in
        for number, run in enumerate(runs):
            rows[number, : len(run)] = run
            inputs[number] = run[-1]
            inputs[number, : len(run)] = run
        flat = rows.ravel()
        real = flat >= 0
        targets = np.where(real[:, None], self.targets[flat], np.float32(np.nan))
        if self.inputs_from is not None:
            inputs = self.inputs_from[inputs]
        given = inputs.ravel()
        present = {name: real & there[given] for name, there in self.present.items()}
        signals: dict[Modality, NDArray[np.float32]] = {}
        starts: dict[Modality, Rows] = {}
        for name in SIGNALS:
            signals[name], starts[name] = self._stretches(inputs, name)
        faces = self._faces(np.where(real, given, -1))
        return RunBatch(rows, signals, starts, faces, present, targets)

    def batches(self, batches: Sequence[Sequence[Rows]], workers: int = 0) -> Iterator[RunBatch]:
        """The batches in their order, made ahead by ``workers`` threads."""
        return made_ahead(self.batch, batches, workers)

    def _by_trial(self, rows: Rows) -> list[Rows]:
        return np.split(rows, np.flatnonzero(np.diff(self.trial_of_row[rows])) + 1)

    def _usable(self, trial: PreparedTrial, name: Modality) -> BoolArray:
        if name == "face" and name in self.modalities:
            return trial.face_present
        if name not in trial.signals or name not in self.modalities:
            return np.zeros(len(trial.times), dtype=np.bool_)
        return usable_windows(trial.signals[name], trial.times, self.preprocessing)

    def _faces(self, flat: Rows) -> NDArray[np.uint8] | NDArray[np.float32] | None:
        """Pictures or features of the rows; zeros where there is none."""
        faces: NDArray[np.uint8] | NDArray[np.float32] | None = None
        if "face" not in self.modalities:
            return None
        trials = np.where(flat >= 0, self.trial_of_row[flat], -1)
        for index in np.unique(trials[trials >= 0]):
            trial = self.trials[index]
            source = trial.faces if self.features is None else self.features[trial.key]
            if source is None:
                continue
            if faces is None:
                faces = np.zeros((len(flat), *source.shape[1:]), dtype=source.dtype)
            here = np.flatnonzero(trials == index)
            faces[here] = source[self.row_in_trial[flat[here]]]
        return faces

    def _stretches(self, rows: Rows, name: Modality) -> tuple[NDArray[np.float32], Rows]:
        """Rows (R, M) -> each run's signal (R, 1, S), and the windows' places in it (R, M)."""
        width = self.preprocessing.window_samples
        trials = self.trial_of_row[rows[:, 0]]
        start_time, sampling_rate = self._clocks[name][:, trials, None]
        centre = np.rint((self.times[rows] - start_time) * sampling_rate)
        places = centre.astype(np.int64) - width // 2
        starts = places - places[:, :1]
        stretch = np.zeros((len(rows), 1, int(starts.max(initial=0)) + width), dtype=np.float32)
        for into, first, trial in zip(stretch[:, 0], places[:, 0], trials, strict=True):
            signal = self.trials[trial].signals.get(name)
            if signal is not None:
                _fill(into, signal.values, int(first))
        return stretch, starts


def _clocks(trials: Sequence[PreparedTrial], name: Modality) -> FloatArray:
    """(2, trials): a signal's start time and sampling rate, 0 where a trial lacks it."""
    signals = [trial.signals.get(name) for trial in trials]
    pairs = [(0.0, 0.0) if each is None else (each.start_time, each.sampling_rate)
             for each in signals]  # fmt: skip
    return np.array(pairs, dtype=np.float64).reshape(-1, 2).T


def _fill(into: NDArray[np.float32], values: NDArray[np.float32], first: int) -> None:
    """The values from place ``first`` on; past either end the last value there."""
    if first >= 0 and first + len(into) <= len(values):
        into[:] = values[first : first + len(into)]
    else:
        into[:] = values[np.clip(np.arange(first, first + len(into)), 0, len(values) - 1)]


def grouped(runs: Sequence[Rows], run_length: int, batch_size: int) -> list[Sequence[Rows]]:
    """Runs -> batches of about ``batch_size`` rows: as many whole runs as fit, at least one."""
    per_batch = max(1, batch_size // run_length)
    return [runs[first : first + per_batch] for first in range(0, len(runs), per_batch)]
