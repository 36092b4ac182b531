"""Where a clock leaves its pace: samples that were lost, and clocks that were set.

Network and USB deliver samples late, in bursts, and never early. So a step between stamps is a
break only where everything after it stays off; a delay that is caught up with lost nothing, and
its stamps are left out of the fit. A step that jitter hides is found by medians of blocks. Where
stamps are exact, a single lost sample is found.

Legend: S samples, W samples of a window on one side of a step. Lateness of sample i against a
period p: stamp - i p.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affectscope.records import FloatArray

IntArray = NDArray[np.int64]

BLOCK = 1 << 20
"""Samples that are worked on at once, so that a long recording needs no second copy."""

LEAST_STEP = 0.04
"""Seconds; every step of 50 ms or more is looked for, smaller ones where stamps are exact."""

_CERTAIN_STEP = 0.5  # s; jitter never hides a longer one
_JITTERS_PER_STEP = 10.0
_PERIODS_PER_STEP = 3.0
_JITTER_QUANTILE = 0.98  # of steps; most of them are exact where only chunks are stamped
_LOST_SAMPLE = 0.75  # periods
_WINDOW = 10.0  # s
_WINDOW_SAMPLES = (64, 100_000)
_PARTS = 5  # of a window; the median of their least lateness stands a bad stamp
_CHOSEN = 200_000  # steps that jitter is measured on
_STEPS = 20_000  # steps that are looked at one by one
_NEAR = 0.02  # share
_EVEN_SHARE = 0.9
_MOST_STALLED = 0.2  # share of samples; more is how this stream is always delivered
_MEDIAN_NOISE = 0.004  # s; what blocks must be long enough for
_NOISES_PER_STEP = 8.0


@dataclass(frozen=True)
class Breaks:
    """Attributes: starts: samples before which the clock left its pace for good.
    stalls: (first, end) samples that were delivered late and caught up with, or badly stamped.
    """

    starts: tuple[int, ...]
    stalls: tuple[tuple[int, int], ...] = ()


def usual_period(stamps: FloatArray, nominal_rate: float | None) -> float | None:
    """Seconds per sample where nothing is lost; robust against gaps, bursts and bad stamps.

    None where the stamps (S,), S >= 2, do not move on.
    """
    stride = min(256, max(1, len(stamps) // 8))
    periods = np.diff(stamps[::stride]) / stride
    usual = float(np.median(_some_steps(stamps)))
    flowing = _flowing_period(stamps, usual) if usual > 0 else None
    for expected in (1.0 / nominal_rate if nominal_rate else None, flowing, usual):
        if expected:
            near = periods[np.abs(periods / expected - 1) < _NEAR]
            if len(near) >= len(periods) / 10:
                return float(np.median(near))
    period = flowing or float(np.median(periods))
    return period if period > 0 else None


def period_doubt(stamps: FloatArray, period: float) -> float:
    """Share by which the usual period may be wrong: four standard errors of a median."""
    stride = min(256, max(1, len(stamps) // 8))
    periods = np.diff(stamps[::stride]) / stride
    spread = 1.48 * float(np.median(np.abs(periods - np.median(periods))))
    return float(4 * 1.25 * spread / np.sqrt(len(periods)) / period)


def is_even(stamps: FloatArray) -> bool:
    """Whether nine steps of ten are as long as the usual one, give or take a half."""
    steps = _some_steps(stamps)
    usual = float(np.median(steps))
    return usual > 0 and float(np.mean(np.abs(steps - usual) < usual / 2)) >= _EVEN_SHARE


def find_breaks(stamps: FloatArray, period: float, *, doubt: float | None = None) -> Breaks:
    """Breaks of stamps (S,) against a period in seconds. Bad stamps may be mended in place.

    ``doubt``: share by which the period may be wrong; then only breaks are found that such an error
    cannot feign.
    """
    off = np.abs(_some_steps(stamps) - period)
    jitter, most = float(np.median(off)), float(np.quantile(off, _JITTER_QUANTILE))
    least = min(_CERTAIN_STEP, max(LEAST_STEP, _JITTERS_PER_STEP * jitter))
    least = min(least, max(_LOST_SAMPLE * period, _JITTERS_PER_STEP * most))
    if doubt is not None:
        certain = max(_CERTAIN_STEP, _PERIODS_PER_STEP * period)
        least = min(certain, max(least, 2 * doubt * _WINDOW))
    search = _Search(stamps, period, least)
    search.run(_large_steps(stamps, period, least=least))
    hidden = [] if doubt is not None or least <= LEAST_STEP else _hidden_steps(search, jitter)
    stalled = sum(end - first for first, end in search.stalls)
    stalls = search.stalls if stalled < _MOST_STALLED * len(stamps) else []
    return Breaks(tuple(sorted({*search.found, *hidden})), tuple(stalls))


class _Search:
    """Goes through large steps one by one: breaks in ``found``, late deliveries in ``stalls``."""

    def __init__(self, stamps: FloatArray, period: float, least: float) -> None:
        self.stamps, self.period, self.least = stamps, period, least
        self.window = int(np.clip(_WINDOW / period, *_WINDOW_SAMPLES))
        self.found: list[int] = []
        self.sizes: list[float] = []
        self.stalls: list[tuple[int, int]] = []

    def run(self, steps: IntArray) -> None:
        for sample in steps.tolist():
            if not self.stalls or sample >= self.stalls[-1][1]:
                self._look(sample)
        self._look_again()

    def _look_again(self) -> None:
        """Each break once more, now that the next one is known, which bounds its window."""
        bounds = [*self.found, len(self.stamps)]
        self.found, self.sizes = [], []
        for sample, end in pairwise(bounds):
            begin = self.found[-1] if self.found else 0
            size = self._size(sample, begin=begin, end=end)
            if abs(size) < self.least / 2:
                continue
            if self._is_back(sample, size):
                self.stalls.append((self.found.pop(), sample))
                self.sizes.pop()
            else:
                self.found.append(sample)
                self.sizes.append(size)

    def _look(self, sample: int) -> None:
        size = self._size(sample, begin=self.found[-1] if self.found else 0)
        if abs(size) < self.least / 2:
            self._stalled(sample)
        elif abs(size) < LEAST_STEP / 2 and not self._is_whole(size):  # wander
            return
        elif self._is_back(sample, size):  # there and back: bad stamps, no reset
            _mend(self.stamps, self.found.pop(), sample)
            self.sizes.pop()
        else:
            self.found.append(sample)
            self.sizes.append(size)

    def _size(self, sample: int, *, begin: int, end: int | None = None) -> float:
        """Seconds by which everything behind a sample is later than before it."""
        before = self._level(max(begin, sample - self.window), sample, at=sample)
        last = sample + self.window if end is None else min(end, sample + self.window)
        return self._level(sample, last, at=sample) - before

    def _is_whole(self, size: float) -> bool:
        """Whether a small step is that of lost samples."""
        samples = size / self.period
        return samples > 0.5 and abs(samples - round(samples)) < 0.25

    def _is_back(self, sample: int, size: float) -> bool:
        near = bool(self.found) and sample - self.found[-1] < self.window
        return near and abs(self.sizes[-1] + size) < self.least

    def _level(self, start: int, end: int, *, at: int) -> float:
        """The least lateness of a window, moved to sample ``at``: median over its parts."""
        part = self.stamps[start:end]
        late = part - (np.arange(start, start + len(part)) - at) * self.period
        parts = np.array_split(late, min(_PARTS, max(1, len(late) // 16)))
        return float(np.median([each.min() for each in parts]))

    def _stalled(self, sample: int) -> None:
        """Late (or bad) stamps from a sample on, until they are back where they were."""
        before = self._level(max(0, sample - self.window), sample, at=sample)
        part = self.stamps[sample : sample + self.window]
        off = np.abs(part - np.arange(len(part)) * self.period - before)
        back = np.flatnonzero(off < self.least / 5)
        if off[0] > self.least / 2 and len(back):
            self.stalls.append((sample, sample + int(back[0])))


def _flowing_period(stamps: FloatArray, usual: float) -> float | None:
    """Mean step without pauses."""
    longest = max(_JITTERS_PER_STEP * usual, _CERTAIN_STEP)
    seconds, count = 0.0, 0
    for start in range(0, len(stamps) - 1, BLOCK):
        steps = np.diff(stamps[start : start + BLOCK + 1])
        flowing = steps[np.abs(steps) <= longest]
        seconds, count = seconds + float(flowing.sum()), count + len(flowing)
    return seconds / count if seconds > 0 else None


def _some_steps(stamps: FloatArray) -> FloatArray:
    chosen = np.arange(0, len(stamps) - 1, max(1, len(stamps) // _CHOSEN))
    return stamps[chosen + 1] - stamps[chosen]


def _large_steps(stamps: FloatArray, period: float, *, least: float) -> IntArray:
    while True:
        found = [np.zeros(0, np.int64)]
        for start in range(0, len(stamps) - 1, BLOCK):
            steps = np.diff(stamps[start : start + BLOCK + 1])
            found.append(start + 1 + np.flatnonzero(np.abs(steps - period) > least))
        if sum(map(len, found)) <= _STEPS:
            return np.concatenate(found)
        least *= 2


def _mend(stamps: FloatArray, start: int, end: int) -> None:
    stamps[start:end] = np.interp(
        np.arange(start, end), [start - 1, end], [stamps[start - 1], stamps[end]]
    )


def _hidden_steps(search: _Search, jitter: float) -> list[int]:
    """Steps of 50 ms or more that single stamps do not show."""
    stamps, period = search.stamps, search.period
    size = max(16, int((1.5 * jitter / _MEDIAN_NOISE) ** 2))
    found: list[int] = []
    for start, end in pairwise([0, *search.found, len(stamps)]):
        levels = _medians(stamps, start, end=end, size=size, period=period)
        across = levels[2:] - levels[:-2]  # from the block before a step to the one behind it
        noise = float(np.median(np.abs(across))) if len(across) else 0.0
        least = max(LEAST_STEP / 2, _NOISES_PER_STEP * noise)
        peaks = [
            k for k in np.flatnonzero(np.abs(across) > least).tolist()
            if abs(across[k]) >= np.abs(across[max(0, k - 2) : k + 3]).max()
        ]  # fmt: skip
        for k in peaks:
            later = levels[k + 2 : k + 2 + 8]
            if abs(float(np.median(later) - np.median(levels[max(0, k - 7) : k + 1]))) > least:
                first = start + k * size
                found.append(first + _split(stamps[first : min(end, first + 3 * size)], period))
    return found


def _medians(stamps: FloatArray, start: int, *, end: int, size: int, period: float) -> FloatArray:
    """Median lateness of whole blocks of a stretch."""
    held = max(1, BLOCK // size) * size
    found = [np.zeros(0)]
    for first in range(start, end, held):
        count = (min(first + held, end) - first) // size
        part = stamps[first : first + count * size]
        late = part - np.arange(first - start, first - start + len(part)) * period
        found.append(np.median(late.reshape(count, size), axis=1))
    return np.concatenate(found)


def _split(stamps: FloatArray, period: float) -> int:
    """Where two levels fit the lateness best (least squares)."""
    late = stamps - np.arange(len(stamps)) * period
    late = late - late.mean()
    before = np.cumsum(late)[:-1]
    count = np.arange(1, len(late))
    return 1 + int(np.argmax(before**2 / (count * (len(late) - count))))
