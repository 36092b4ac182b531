"""A stream's clock against the recorder's, from the clock offsets that the recorder measured.

Every few seconds the recorder notes (time on the stream's clock, what to add to get its own time).
Offsets are fitted by epochs, from one reset of the stream's clock to the next: a line (Theil-Sen),
and on it the medians of each minute, joined linearly, which follow a drift that changes. A lone
offset that fits neither neighbour is dropped (pylsl issue 67: a garbage last offset).

Legend: P offsets, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from affectscope.io.clock_breaks import BLOCK
from affectscope.records import BoolArray, FloatArray

_STEP = (0.02, 0.05)  # s; a larger step between neighbours is a reset or garbage
_NOISES_PER_STEP = 8.0
_DRIFT = 5e-4  # share; clocks of computers and sensors drift less
_DAY = 86_400.0  # s; a recorder does not fall silent for so long
_KNOT = 60.0  # s
_LINE_POINTS = 300
LARGEST_TIME = 1e11
"""Seconds; no clock counts so far."""


@dataclass(frozen=True, eq=False)
class ClockOffsets:
    """What the recorder measured: (P,) stream times, offsets, and samples stored before each."""

    times: FloatArray
    values: FloatArray
    samples: FloatArray

    def __len__(self) -> int:
        return len(self.times)

    def only(self, chosen: slice | BoolArray) -> ClockOffsets:
        return ClockOffsets(self.times[chosen], self.values[chosen], self.samples[chosen])


@dataclass(frozen=True, eq=False)
class OffsetFit:
    """Offset at time t: ``slope`` (t - ``centre``) + interpolation of (knots, levels)."""

    slope: float
    centre: float
    knots: FloatArray
    levels: FloatArray

    def correct(self, stamps: FloatArray) -> None:
        """Stream times -> recorder times, in place."""
        for start in range(0, len(stamps), BLOCK):
            part = stamps[start : start + BLOCK]
            levels = np.interp(part, self.knots, self.levels)
            part += levels + self.slope * (part - self.centre)


@dataclass(frozen=True)
class ClockResult:
    """How stamps were put on the recorder's clock.

    Attributes:
        fitted: whether there was any usable offset.
        dropped: offsets that fit no neighbour.
        resets: samples before which the stream's clock was reset.
        steps: by how many seconds, at each of them.
    """

    fitted: bool
    dropped: int
    resets: tuple[int, ...]
    steps: tuple[float, ...] = ()


def to_recorder_clock(stamps: FloatArray, offsets: ClockOffsets) -> ClockResult:
    """Put stamps (S,) on the recorder's clock, in place."""
    plausible = np.abs(offsets.times) < LARGEST_TIME
    plausible &= np.abs(offsets.values) < LARGEST_TIME  # also drops NaN
    finite = offsets.only(plausible)
    epochs = _epochs(finite)
    kept = sum(len(epoch) for epoch in epochs)
    if not epochs:
        return ClockResult(False, len(offsets), ())
    resets: list[int] = []
    for before, after in pairwise(epochs):
        begin = resets[-1] if resets else 0
        resets.append(_reset_between(stamps, before, after=after, begin=begin))
    bounds = [0, *resets, len(stamps)]
    for epoch, (start, end) in zip(epochs, pairwise(bounds), strict=True):
        _fit(epoch).correct(stamps[start:end])
    inside = [
        (reset, float(before.values[-1] - after.values[0]))
        for reset, (before, after) in zip(resets, pairwise(epochs), strict=True)
        if 0 < reset < len(stamps)
    ]
    return ClockResult(
        True,
        len(offsets) - kept,
        tuple(reset for reset, _ in inside),
        tuple(step for _, step in inside),
    )


def _epochs(offsets: ClockOffsets) -> list[ClockOffsets]:
    """Offsets between resets, without those that fit no neighbour."""
    if len(offsets) == 0:
        return []
    groups = _split(offsets)
    lasting = [group for group in groups if len(group) > 1] or groups[:1]
    joined = ClockOffsets(
        np.concatenate([group.times for group in lasting]),
        np.concatenate([group.values for group in lasting]),
        np.concatenate([group.samples for group in lasting]),
    )
    return _split(joined)


def _split(offsets: ClockOffsets) -> list[ClockOffsets]:
    elapsed = np.diff(offsets.times)
    change = np.abs(np.diff(offsets.values))
    noise = float(np.median(change)) if len(change) else 0.0
    least = float(np.clip(_NOISES_PER_STEP * noise, *_STEP))
    away = change > least + _DRIFT * np.abs(elapsed)
    cuts = np.flatnonzero((elapsed < 0) | (elapsed > _DAY) | away) + 1
    bounds = [0, *cuts.tolist(), len(offsets)]
    return [offsets.only(slice(start, end)) for start, end in pairwise(bounds)]


def _reset_between(
    stamps: FloatArray, before: ClockOffsets, *, after: ClockOffsets, begin: int
) -> int:
    """The first sample on the new clock: near the change, where stamps step as the offsets do.

    Chunks are written with some delay, so the search reaches one offset further on both sides.
    """
    first = max(begin, int(before.samples[-2 if len(before) > 1 else -1]))
    last = int(after.samples[1 if len(after) > 1 else 0])
    steps = np.diff(stamps[max(first - 1, 0) : last + 1])
    if len(steps) == 0:
        return min(max(begin, int(after.samples[0])), len(stamps))
    left = np.abs(steps - (before.values[-1] - after.values[0]))
    return max(begin, max(first - 1, 0) + int(np.argmin(left)) + 1)


def _fit(offsets: ClockOffsets) -> OffsetFit:
    centre = float(np.median(offsets.times))
    slope = _theil_sen(offsets)
    residuals = offsets.values - slope * (offsets.times - centre)
    pieces = int((offsets.times[-1] - offsets.times[0]) / _KNOT)
    parts = np.array_split(np.arange(len(offsets)), min(max(1, pieces), len(offsets)))
    return OffsetFit(
        slope,
        centre,
        np.array([np.median(offsets.times[part]) for part in parts]),
        np.array([np.median(residuals[part]) for part in parts]),
    )


def _theil_sen(offsets: ClockOffsets) -> float:
    """Median slope of all pairs of up to 300 offsets; no more than a clock can drift."""
    chosen = np.linspace(0, len(offsets) - 1, min(len(offsets), _LINE_POINTS)).astype(np.intp)
    times, values = offsets.times[chosen], offsets.values[chosen]
    first, second = np.triu_indices(len(chosen), 1)
    elapsed = times[second] - times[first]
    apart = elapsed > 0
    if not apart.any() or times[-1] - times[0] < 10.0:  # too short to tell drift from jitter
        return 0.0
    slope = float(np.median((values[second] - values[first])[apart] / elapsed[apart]))
    return float(np.clip(slope, -_DRIFT, _DRIFT))
