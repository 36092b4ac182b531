"""What heart, skin and brain did in every second of a corpus, and each row's sequence of seconds.

Heart: rate in bpm, and the log of the cleaned ECG's deviation, which is a Gaussian's differential
entropy but for a constant. Skin: log of the level in uS, its slope in uS a second, mean phasic
signal in uS. Brain: log power of each channel and band (``preprocessing.eeg``).

A row's sequence holds the 30 s around the row, moved inside the labelled part, so that all are
equally long; where a trial is shorter its last second repeats.

Legend: M rows, m some of them, P seconds of all trials, p of one trial, S = 30 seconds of a
sequence, F and G numbers a second of the first and the second modality.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from affectscope.baselines.compared import ComparedData
from affectscope.datasets.body_features import body_of, spans_around
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.trial_body import TrialBody
from affectscope.evaluation.samples import Rows
from affectscope.preprocessing.ecg import EcgAnalysis, heart_rate_at
from affectscope.preprocessing.eda import EdaAnalysis
from affectscope.preprocessing.eeg import BANDS, EegPower
from affectscope.records import BoolArray, FloatArray, Signal

SECONDS = 30
LARGEST = 5.0  # deviations from the mean beyond which a number is held
HEART = ("heart rate", "ECG entropy")
SKIN = ("skin level", "skin slope", "phasic skin")


class Bimodal(NamedTuple):
    """Sequences of rows.

    Attributes:
        first, second: (m, S, F) and (m, S, G) standardised, 0 where not measured.
        measured: of each the same shape, 1 or 0.
    """

    first: Tensor
    second: Tensor
    measured: tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Sequences:
    """What happened in each second of all trials, and where each row's sequence lies.

    Attributes:
        first, second: (P, F) and (P, G); NaN where not measured. ``names``: of all F + G numbers.
        start, last: (M,) place of the first second of a row's sequence, and of its trial's last.
    """

    first: FloatArray
    second: FloatArray
    names: tuple[str, ...]
    start: Rows
    last: Rows

    def places(self, rows: Rows) -> Rows:
        """(m, S)."""
        places: Rows = self.start[rows, None] + np.arange(SECONDS)
        return np.minimum(places, self.last[rows, None])

    def _sums(self, values: FloatArray | BoolArray) -> FloatArray:
        """(M, F) sums of (P, F) over every row's sequence."""
        total = np.zeros((len(self.start), values.shape[1]))
        for second in range(SECONDS):
            total += values[np.minimum(self.start + second, self.last)]
        return total

    def means(self) -> FloatArray:
        """(M, F + G) of every row's sequence, over what was measured; NaN where nothing was."""
        values = np.concatenate([self.first, self.second], axis=1)
        measured = np.isfinite(values)
        total, count = self._sums(np.where(measured, values, 0.0)), self._sums(measured)
        mean = np.full(total.shape, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean

    @property
    def known(self) -> BoolArray:
        """(M,) rows of which a modality has some number in a third of the seconds."""
        whole = [np.isfinite(values).any(axis=1) for values in (self.first, self.second)]
        seconds = self._sums(np.column_stack(whole))
        return np.asarray((3 * seconds >= SECONDS).any(axis=1))

    def of(self, rows: Rows) -> Bimodal:
        """Sequences of rows (m,); the numbers are standardised already."""
        places = self.places(rows)
        pairs = []
        for values in (self.first, self.second):
            own = torch.from_numpy(values[places]).float()
            pairs.append((torch.nan_to_num(own), torch.isfinite(own).float()))
        (first, known_first), (second, known_second) = pairs
        return Bimodal(first, second, (known_first, known_second))

    def standardised(self, train: Rows) -> Sequences:
        """By mean and deviation of the seconds of training rows; NaN where they have none."""
        seconds = np.unique(self.places(train))
        first, second = (
            _standardised(values, values[seconds]) for values in (self.first, self.second)
        )
        return replace(self, first=first, second=second)


def _standardised(values: FloatArray, learned: FloatArray) -> FloatArray:
    known = np.isfinite(learned)
    count = known.sum(axis=0)
    mean = np.full(values.shape[1], np.nan)
    np.divide(np.where(known, learned, 0).sum(axis=0), count, out=mean, where=count > 0)
    square = np.where(known, np.square(learned - mean), 0).sum(axis=0)
    deviation = np.sqrt(square / np.maximum(count, 1))
    scaled: FloatArray = (values - mean) / np.maximum(deviation, 1e-6)
    return np.clip(scaled, -LARGEST, LARGEST)


def sequences_of(data: ComparedData) -> Sequences:
    """The seconds of every trial, from its labelled start on."""
    tables, starts, lasts, count = [], [], [], 0
    for trial in data.prepared.trials:
        table = _trial_seconds(trial, body_of(data.cache, trial))
        length = len(table.heart)
        begun = np.rint(spans_around(trial, float(SECONDS))[:, 0] - trial.times[0])
        starts.append(count + np.minimum(begun.astype(np.int64), max(0, length - SECONDS)))
        count += length
        lasts.append(np.full(len(trial.times), count - 1))
        tables.append(table)
    channels = next((table.channels for table in tables if table.channels), ())
    heart = np.concatenate([table.heart for table in tables])
    skin = np.concatenate([table.skin for table in tables])
    start, last = np.concatenate(starts), np.concatenate(lasts)
    if not channels:
        return Sequences(heart, skin, (*HEART, *SKIN), start, last)
    bands = tuple(f"{channel} {band}" for channel in channels for band in BANDS)
    brain = np.concatenate([table.brain(channels) for table in tables])
    body = np.concatenate([heart, skin], axis=1)
    return Sequences(brain, body, (*bands, *HEART, *SKIN), start, last)


@dataclass(frozen=True, eq=False)
class _Seconds:
    """A trial's p seconds: heart (p, 2), skin (p, 3), EEG (p, channels x bands) or None."""

    heart: FloatArray
    skin: FloatArray
    eeg: FloatArray | None
    channels: tuple[str, ...]

    def brain(self, channels: tuple[str, ...]) -> FloatArray:
        """(p, channels x bands), NaN where the trial has no such EEG."""
        if self.eeg is not None and self.channels == channels:
            return self.eeg
        return np.full((len(self.heart), len(channels) * len(BANDS)), np.nan)


def _trial_seconds(trial: PreparedTrial, body: TrialBody) -> _Seconds:
    begins = trial.times[0] + np.arange(max(1, int(trial.duration)))
    heart = np.full((len(begins), len(HEART)), np.nan)
    skin = np.full((len(begins), len(SKIN)), np.nan)
    if body.ecg is not None:
        heart = _heart(body.ecg, begins)
    if body.eda is not None:
        skin = _skin(body.eda, begins)
    if body.eeg is None or len(body.eeg.density) == 0:
        return _Seconds(heart, skin, None, ())
    return _Seconds(heart, skin, _brain(body.eeg, begins), body.eeg.channels)


def _heart(ecg: EcgAnalysis, begins: FloatArray) -> FloatArray:
    """(p, 2) as ``HEART``."""
    _, deviation = _moments(ecg.cleaned.values, ecg.valid, ecg.cleaned, begins)
    entropy = np.log(np.maximum(deviation, 1e-6))
    return np.column_stack([heart_rate_at(ecg, begins + 0.5), entropy])


def _skin(eda: EdaAnalysis, begins: FloatArray) -> FloatArray:
    """(p, 3) as ``SKIN``."""
    level, _ = _moments(eda.tonic, eda.valid, eda.cleaned, begins)
    phasic, _ = _moments(eda.phasic, eda.valid, eda.cleaned, begins)
    slope = np.gradient(level) if len(level) > 1 else np.zeros_like(level)
    return np.column_stack([np.log(np.maximum(level, 1e-3)), slope, phasic])


def _brain(power: EegPower, begins: FloatArray) -> FloatArray:
    """(p, channels x bands) of the spectrum nearest to each second's middle."""
    # Two places are often equally near: always the later, where rounding would skip every other.
    place = np.floor(begins + 1.0 - power.start_time).astype(np.int64)
    inside = (place >= 0) & (place < len(power.density))
    density = power.density[np.clip(place, 0, len(power.density) - 1)].astype(np.float64)
    return np.where(inside[:, None], density.reshape(len(begins), -1), np.nan)


def _moments(
    values: FloatArray, valid: BoolArray, signal: Signal, begins: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation (p,) over the second from each time on; NaN where half is not valid."""
    used = np.where(valid, values, 0.0)
    sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in (valid, used, np.square(used))]
    first = np.rint((begins - signal.start_time) * signal.sampling_rate)
    low, high = (
        np.clip(edge, 0, len(values)).astype(np.int64)
        for edge in (first, first + round(signal.sampling_rate))
    )
    count, total, square = (part[high] - part[low] for part in sums)
    enough = count >= max(1.0, signal.sampling_rate / 2)
    mean, mean_square = (
        np.divide(part, count, out=np.full(len(begins), np.nan), where=enough)
        for part in (total, square)
    )
    return mean, np.sqrt(np.maximum(mean_square - np.square(mean), 0.0))
