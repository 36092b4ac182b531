"""Quality of an ECG and an EDA second by second: what explains the masks that are applied.

Every factor lies in [0, 1] and has its limit at 0.5. A second is used, that is more than half of
its samples are valid, exactly where all its factors are 0.5 or more. Above the limit a factor tells
how far the second is from being masked for it; below, it is what the second is masked for. The
masks decide (``ecg_quality``, ``eda``), so no factor can contradict them:

==============  ==================================================================================
factor          from 0 to 1 within its half
==============  ==================================================================================
ecg_template    likeness of the beats to the record's others, 0.6 to 0.95 (``beat_template``)
ecg_flat        share of the second that is not flat and moves as a heart does
ecg_saturation  share that is not clipped
ecg_noise       over 11 s, the lower of: power of the ECG over that of what cleaning removed
                (wander, hum, muscle), -10 to 8 dB; contrast of the beats, 4 to 60
eda_range       share within the plausible range and below saturation
eda_slope       fastest change, from 10 uS/s down to 2
eda_flat        longest run without any change, from 15 s down to 4.25
eda_motion      largest fall within a second, from half of the level down to a tenth
                (``eda_contact``)
==============  ==================================================================================

A second of which less than half was recorded has no factors (NaN), nor has one that is not used
because the user left it out. Between two faults less than 1 s apart nothing is used: such a piece
is explained by the fault next to it.

Legend: N seconds of the course, S samples, B beats. Row k covers ``seconds[k]`` to one later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import uniform_filter1d

from affectscope.preprocessing.beat_template import BeatQuality, IntArray
from affectscope.preprocessing.eda_contact import LARGEST_FALL, relative_fall
from affectscope.preprocessing.signal_quality import EXCLUDED, MISSING, Fault, runs
from affectscope.records import BoolArray, FloatArray, Signal

LIMIT = 0.5
"""Of every factor: below it a second is not used."""

_LIKENESS = (0.6, 0.95)
_DECIBELS = (-10.0, 8.0)
_CONTRAST = (4.0, 60.0)
_SLOPE = (2.0, 10.0)  # uS/s
_STILL = (4.25, 15.0)  # seconds
_AROUND = 11  # seconds over which noise is measured
_MASKED = 0.98  # a masked second's factor stays this much of the limit or less


@dataclass(frozen=True, eq=False)
class QualityCourse:
    """One row per second.

    Attributes:
        seconds: (N,) start of each, whole seconds on the session's axis.
        recorded: (N,) bool, at least half of it was measured.
        used: (N,) bool, more than half of it is valid.
        excluded: (N,) bool, recorded, and not used because the user left it out.
        factors: (N,) per name, 1 is good, NaN where it was not recorded or cannot be known.
    """

    seconds: FloatArray = field(default_factory=lambda: np.empty(0))
    recorded: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))
    used: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))
    factors: Mapping[str, FloatArray] = field(default_factory=dict)
    excluded: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))


@dataclass(frozen=True, eq=False)
class Masked:
    """What an analysis decided: ``valid`` (S,), and per factor the faults (S,) it explains.

    ``missing`` (S,) True where nothing was measured, ``excluded`` where the user left it out.
    """

    signal: Signal
    valid: BoolArray
    missing: BoolArray
    excluded: BoolArray
    faults: Mapping[str, Sequence[BoolArray]]


def masked_by(
    signal: Signal,
    valid: BoolArray,
    *,
    faults: Mapping[Fault, BoolArray],
    names: Mapping[str, Sequence[Fault]],
) -> Masked:
    """What an analysis decided, with the masks of the faults that each of ``names`` explains."""
    groups = {name: [faults[fault] for fault in group] for name, group in names.items()}
    excluded = faults.get(EXCLUDED, np.zeros(len(valid), dtype=bool))
    return Masked(signal, valid, faults[MISSING], excluded, groups)


def ecg_course(
    masked: Masked, cleaned: FloatArray, repaired: FloatArray, beats: BeatQuality
) -> QualityCourse:
    """The course of an ECG.

    Args:
        masked: its faults under "ecg_flat", "ecg_saturation" and "ecg_noise"; the last is told as
            "ecg_template" where that factor is the lower one.
        cleaned, repaired: (S,) mV, after and before cleaning, of the same polarity.
        beats: every beat that was sought and found.
    """
    seconds = _Seconds(masked.signal)
    likeness, contrast = (
        seconds.at_beats(beats.seconds, values)
        for values in (beats.likeness, np.log(beats.contrast))
    )
    raw = {
        "ecg_template": np.interp(likeness, _LIKENESS, (0, 1)),
        "ecg_flat": 1 - seconds.share(masked.faults["ecg_flat"]),
        "ecg_saturation": 1 - seconds.share(masked.faults["ecg_saturation"]),
        "ecg_noise": np.minimum(
            np.interp(seconds.decibels(cleaned, repaired - cleaned), _DECIBELS, (0, 1)),
            np.interp(seconds.around(contrast), np.log(_CONTRAST), (0, 1)),
        ),
    }
    noise = seconds.share(masked.faults["ecg_noise"])
    unlike = raw["ecg_template"] < raw["ecg_noise"]
    blame = {
        "ecg_flat": 1 - raw["ecg_flat"],
        "ecg_saturation": 1 - raw["ecg_saturation"],
        "ecg_template": np.where(unlike, noise, 0.0),
        "ecg_noise": np.where(unlike, 0.0, noise),
    }
    return _course(seconds, masked, raw, blame)


def eda_course(masked: Masked, cleaned: FloatArray, repaired: FloatArray) -> QualityCourse:
    """The course of an EDA: its faults under "eda_range", "eda_slope", "eda_flat", "eda_motion"."""
    seconds, rate = _Seconds(masked.signal), masked.signal.sampling_rate
    slope = seconds.largest(np.abs(np.diff(cleaned, prepend=cleaned[:1]))) * rate
    still = seconds.largest(_unchanged(repaired)) / rate
    fall = seconds.largest(relative_fall(cleaned, ~masked.missing, rate))
    blame = {name: seconds.share(masks) for name, masks in masked.faults.items()}
    raw = {
        "eda_range": 1 - blame["eda_range"],
        "eda_slope": np.interp(slope, _SLOPE, (1, 0)),
        "eda_flat": np.interp(still, _STILL, (1, 0)),
        "eda_motion": np.interp(fall, (0.1, LARGEST_FALL), (1, 0)),
    }
    return _course(seconds, masked, raw, blame)


def _unchanged(values: FloatArray) -> FloatArray:
    """(S,) how many samples the run of equal values has that each belongs to; 0 for one alone."""
    length = np.zeros(len(values))
    for start, stop in runs(np.diff(values, prepend=np.nan) == 0.0):
        length[start - 1 : stop] = stop - start + 1
    return length


def _course(
    seconds: _Seconds,
    masked: Masked,
    raw: Mapping[str, FloatArray],
    blame: Mapping[str, FloatArray],
) -> QualityCourse:
    """Each raw factor (N,) in [0, 1] put into the half that the masks give it."""
    recorded = seconds.enough & (seconds.share([masked.missing]) <= 0.5)
    used = recorded & (seconds.share([masked.valid]) > 0.5)
    left_out = seconds.share([masked.excluded])
    guilt = np.array([*(blame[name] for name in raw), left_out])  # (factors + 1, N)
    guilty = _nearest_fault(guilt)
    excluded = recorded & ~used & (guilty == len(raw))
    factors = {}
    for row, (name, value) in enumerate(raw.items()):
        masks_it = ~used & ((guilty == row) | (guilt[row] >= 0.5))
        below = LIMIT * _MASKED * np.minimum(np.nan_to_num(value), 1 - guilt[row])
        half = np.where(masks_it, below, LIMIT + LIMIT * value)
        factors[name] = np.where(recorded & ~excluded, half, np.nan)
    return QualityCourse(seconds.starts, recorded, used, factors, excluded)


def _nearest_fault(guilt: FloatArray) -> FloatArray:
    """(N,) row of the fault that covers most of each second, or of the nearest one with any."""
    guilty = guilt.argmax(axis=0)
    faulty = np.flatnonzero(guilt.max(axis=0) > 0)
    return np.asarray(guilty[_nearest(faulty, len(guilty))] if len(faulty) else guilty)


def _nearest(known: IntArray, count: int) -> IntArray:
    """(count,) for each index from 0 on the nearest of ``known``, which rise."""
    index = np.arange(count)
    after = np.clip(np.searchsorted(known, index), 0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    nearer = abs(known[before] - index) < abs(known[after] - index)
    return np.asarray(known[np.where(nearer, before, after)])


class _Seconds:
    """A signal's samples by whole seconds of the session."""

    def __init__(self, signal: Signal) -> None:
        self._rate = signal.sampling_rate
        count, start = len(signal.values), signal.start_time
        first = int(np.floor(start))
        end = max(first + 1, int(np.ceil(signal.end_time)))
        self.starts: FloatArray = np.arange(first, end, dtype=np.float64)
        edges = np.rint((np.append(self.starts, float(end)) - start) * self._rate).astype(np.int64)
        self._edges = np.clip(edges, 0, count)
        self._counts = np.diff(self._edges)
        self._offset = start - first
        self.enough: BoolArray = self._counts >= 0.5 * max(1.0, self._rate)

    def _reduced(self, values: FloatArray | BoolArray, how: np.ufunc) -> FloatArray:
        """(N,) each second's samples reduced to one number; 0.0 for a second without any."""
        result = np.zeros(len(self._counts))
        some = self._counts > 0
        if some.any():
            result[some] = how.reduceat(values, self._edges[:-1][some], dtype=np.float64)
        return result

    def share(self, masks: Sequence[BoolArray]) -> FloatArray:
        """(N,) share of the samples that one of the masks, which exclude each other, has."""
        total = sum((self._reduced(mask, np.add) for mask in masks), np.zeros(len(self._counts)))
        return np.asarray(np.minimum(total / np.maximum(self._counts, 1), 1.0))

    def largest(self, values: FloatArray) -> FloatArray:
        """(N,) maximum."""
        return self._reduced(values, np.maximum)

    def around(self, values: FloatArray) -> FloatArray:
        """(N,) mean over the seconds around each."""
        return np.asarray(uniform_filter1d(values, min(_AROUND, len(values)), mode="nearest"))

    def decibels(self, signal: FloatArray, noise: FloatArray) -> FloatArray:
        """(N,) variance of one over that of the other, around each second."""
        one, other = (self._variance(values) for values in (signal, noise))
        return np.asarray(10 * np.log10((one + 1e-12) / (other + 1e-12)))

    def _variance(self, values: FloatArray) -> FloatArray:
        """(N,) around each second; second by second, since a whole session's squares are large."""
        bounds = zip(self._edges[:-1], self._edges[1:], strict=True)
        offset = float(values[0]) if len(values) else 0.0
        pieces = (values[low:high] - offset for low, high in bounds)
        sums = np.array([[len(piece), piece.sum(), piece @ piece] for piece in pieces])
        count, mean, square = (self.around(column) for column in sums.T)
        count = np.maximum(count, 1e-9)
        return np.asarray(np.maximum(square / count - (mean / count) ** 2, 0.0))

    def at_beats(self, times: FloatArray, values: FloatArray) -> FloatArray:
        """(N,) mean over the beats in each second, else of the nearest; NaN without any beat."""
        if len(times) == 0:
            return np.full(len(self.starts), np.nan)
        place = np.floor(times + self._offset).astype(np.int64)
        place = np.clip(place, 0, len(self.starts) - 1)
        counts = np.bincount(place, minlength=len(self.starts))
        sums = np.bincount(place, weights=values, minlength=len(self.starts))
        nearest = _nearest(np.flatnonzero(counts), len(self.starts))
        return np.asarray(sums[nearest] / counts[nearest])
