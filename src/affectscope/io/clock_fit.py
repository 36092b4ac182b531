"""A clock from time stamps: a line between breaks that bends where the stamps bend.

Stamps jitter; the clock under them does not. So stamps are averaged over blocks, as long as needed
for a noise of 0.15 ms, and a stretch between two breaks is fitted with as few straight pieces as
leave no block off by more than 0.6 ms, or by more than noise explains (``bent_line``).

A block's lateness is the mean of its middle half, which stands late and bad stamps. Where exact
stamps need a bend every 64 samples, there is no clock under them, and each counts as it is.

Legend: S samples, B blocks of a stretch, n samples of a block, K knots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from affectscope.io.bent_line import ACCEPTED, bent_line, extended
from affectscope.io.clock_breaks import BLOCK, find_breaks, is_even, period_doubt, usual_period
from affectscope.records import BoolArray, FloatArray

_WANTED_NOISE = 0.00015  # s, of a block's lateness
_MOST_BLOCKS = 1 << 17
_LONGEST_BLOCK = 60.0  # s; a drift that changes moves less than 1 ms in it
_LEAST_BLOCKS = 8
_SAMPLES_PER_BEND = 64
_QUANTILE = (0.95, 1.96)  # of |second differences|, and the normal distribution's
_SLOPE_POINTS = 1500


@dataclass(frozen=True, eq=False)
class Stretch:
    """A run of samples without a break.

    Attributes:
        start, end: first sample, and the one behind the last.
        knots: (K,) samples, from ``start`` to ``end`` - 1; one knot for a single sample.
        times: (K,) seconds at the knots; straight between them.
        uncertainty: s, standard error of the stretch's mean time.
    """

    start: int
    end: int
    knots: FloatArray
    times: FloatArray
    uncertainty: float

    def at(self, samples: FloatArray) -> FloatArray:
        """Seconds at samples, which may be fractions."""
        return np.interp(samples, self.knots, self.times)


@dataclass(frozen=True, eq=False)
class FittedClock:
    """When samples were taken.

    Attributes:
        period: seconds per sample, a robust mean.
        stretches: in order, without a sample between them.
        residual: ms, root mean square of stamps against the fit; late deliveries left out.
    """

    period: float
    stretches: tuple[Stretch, ...]
    residual: float

    def mean_rate(self) -> float:
        """Hz over all stretches."""
        seconds = sum(float(stretch.times[-1] - stretch.times[0]) for stretch in self.stretches)
        samples = sum(stretch.end - 1 - stretch.start for stretch in self.stretches)
        return samples / seconds if seconds > 0 else 1.0 / self.period

    def rates(self, seconds: float = 300.0) -> FloatArray:
        """Hz over pieces of about this length (shorter where stretches are), for the drift."""
        found: list[float] = []
        for stretch in self.stretches:
            span = float(stretch.times[-1] - stretch.times[0])
            if span <= 0:
                continue
            at = np.linspace(stretch.start, stretch.end - 1, max(1, round(span / seconds)) + 1)
            if span >= seconds / 2:
                found += (np.diff(at) / np.diff(stretch.at(at))).tolist()
        return np.array(found or [1.0 / self.period])


def fit_clock(
    stamps: FloatArray, nominal_rate: float | None, *, only_even: bool = False
) -> FittedClock | None:
    """The clock under finite stamps (S,), seconds, S >= 2. Single bad stamps are mended in place.

    Args:
        nominal_rate: Hz that the file states, None where it states none.
        only_even: whether stamps without a nominal rate must be evenly spaced.

    Returns:
        None where no stamp moves on, or stamps are uneven that must not be.
    """
    if only_even and nominal_rate is None and not is_even(stamps):
        return None
    period = usual_period(stamps, nominal_rate)
    if period is None:
        return None
    starts = find_breaks(stamps, period, doubt=period_doubt(stamps, period)).starts
    period += _slope(stamps, starts, period=period)
    breaks = find_breaks(stamps, period)  # with a good period, shorter breaks stand out
    period += _slope(stamps, breaks.starts, period=period)
    usable = _usable(len(stamps), breaks.stalls)
    stretches = tuple(
        _fitted(stamps, start, end=end, period=period, usable=usable)
        for start, end in pairwise([0, *breaks.starts, len(stamps)])
    )
    bends = sum(max(0, len(stretch.knots) - 2) for stretch in stretches)
    if len(stamps) <= _MOST_BLOCKS and bends * _SAMPLES_PER_BEND > len(stamps):
        stretches = tuple(_as_stamped(stamps, stretch, usable) for stretch in stretches)
    return FittedClock(period, stretches, _residual(stamps, stretches, usable))


def _as_stamped(stamps: FloatArray, stretch: Stretch, usable: BoolArray | None) -> Stretch:
    """Every usable sample a knot."""
    knots = np.arange(stretch.start, stretch.end)
    if usable is not None:
        held = usable[knots]
        held[[0, -1]] = True
        knots = knots[held]
    return replace(stretch, knots=knots.astype(np.float64), times=stamps[knots], uncertainty=0.0)


def _usable(samples: int, stalls: tuple[tuple[int, int], ...]) -> BoolArray | None:
    if not stalls:
        return None
    usable = np.ones(samples, dtype=bool)
    for start, end in stalls:
        usable[start:end] = False
    return usable


def _slope(stamps: FloatArray, starts: tuple[int, ...], *, period: float) -> float:
    """What to add to the period: the median slope of pairs in a stretch, the longer the heavier."""
    slopes: list[FloatArray] = [np.zeros(0)]
    weights: list[FloatArray] = [np.zeros(0)]
    for start, end in pairwise([0, *starts, len(stamps)]):
        share = _SLOPE_POINTS * (end - start) // (10 * len(stamps))
        pieces = max(1, min((end - start) // 4, max(8, share)))
        size = min((end - start) // pieces, 1 << 14)
        firsts = start + np.arange(pieces) * ((end - start) // pieces)
        late = np.array([
            np.median(stamps[first : first + size] - (first + np.arange(size)) * period)
            for first in firsts.tolist()
        ])  # fmt: skip
        first, second = np.triu_indices(pieces, 1)
        apart = (firsts[second] - firsts[first]).astype(np.float64)
        slopes.append((late[second] - late[first]) / apart)
        weights.append(apart)
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    if len(slope) == 0:
        return 0.0
    order = np.argsort(slope)
    middle = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    return float(slope[order][min(int(middle), len(order) - 1)])


def _fitted(
    stamps: FloatArray, start: int, *, end: int, period: float, usable: BoolArray | None
) -> Stretch:
    """The clock of one stretch."""
    size = max(1, -(-(end - start) // _MOST_BLOCKS))
    late, held = _block_lateness(
        stamps[start:end], period, size=size, usable=None if usable is None else usable[start:end]
    )
    if size == 1:
        late = _without_spikes(late, held)
    group, noise = _grouping(late, size * period)
    late, held = _grouped(late, held, group)
    size *= group
    centres = np.arange(len(late), dtype=np.float64) * size + (size - 1) / 2.0
    centres, late = centres[held], late[held]
    at, levels = bent_line(centres, late, noise)
    ends = np.array([0.0, end - start - 1.0]) if end - start > 1 else np.zeros(1)
    knots = np.unique(np.concatenate([ends, at[(at > 0) & (at < end - start - 1)]]))
    found = extended(knots, at, levels)
    uncertainty = noise / np.sqrt(max(1, len(late)))
    return Stretch(
        start, end, start + knots, float(stamps[start]) + knots * period + found, uncertainty
    )


def _block_lateness(
    stamps: FloatArray, period: float, *, size: int, usable: BoolArray | None
) -> tuple[FloatArray, BoolArray]:
    """Lateness of blocks against the first stamp, and whether most of a block is usable."""
    blocks = max(1, len(stamps) // size)
    size = min(size, len(stamps))
    late, held = np.empty(blocks), np.ones(blocks, dtype=bool)
    step = max(1, BLOCK // size)
    for first in range(0, blocks, step):
        last = min(first + step, blocks)
        rows = slice(first * size, last * size)
        part = stamps[rows] - stamps[0] - np.arange(rows.start, rows.stop) * period
        late[first:last] = _middle_mean(part.reshape(-1, size))
        if usable is not None:
            held[first:last] = usable[rows].reshape(-1, size).mean(axis=1) > 0.5
    if not held.any():
        held[:] = True
    return late, held


def _middle_mean(rows: FloatArray) -> FloatArray:
    """(B, n) -> (B,): the mean of the middle half of each row."""
    size = rows.shape[1]
    if size < 4:
        return np.asarray(rows.mean(axis=1))
    cut = size // 4
    return np.asarray(np.sort(rows, axis=1)[:, cut : size - cut].mean(axis=1))


def _without_spikes(late: FloatArray, held: BoolArray) -> FloatArray:
    """A lone stamp off both its neighbours is replaced by the median of the three."""
    if len(late) < 3:
        return late
    middle = np.median([late[:-2], late[1:-1], late[2:]], axis=0)
    found = late.copy()
    lone = (np.abs(late[1:-1] - middle) > ACCEPTED) & held[1:-1]
    found[1:-1][lone] = middle[lone]
    return found


def _grouping(late: FloatArray, seconds: float) -> tuple[int, float]:
    """How many blocks of that many seconds to join, and the noise (s) that is then left."""
    best, least, group = 1, _noise(late), 1
    while least > _WANTED_NOISE:
        group *= 2
        joined = len(late) // group
        if joined < _LEAST_BLOCKS or group * seconds > _LONGEST_BLOCK:
            break
        noise = _noise(_middle_mean(late[: joined * group].reshape(joined, group)))
        if noise < least:
            best, least = group, noise
    return best, least


def _noise(late: FloatArray) -> float:
    """Standard deviation of white noise, from second differences, which no drift reaches."""
    if len(late) < 3:
        return 0.0
    quantile, normal = _QUANTILE
    return float(np.quantile(np.abs(np.diff(late, 2)), quantile) / (normal * np.sqrt(6.0)))


def _grouped(late: FloatArray, held: BoolArray, group: int) -> tuple[FloatArray, BoolArray]:
    if group == 1:
        return late, held
    joined = len(late) // group
    rows = slice(0, joined * group)
    found = held[rows].reshape(joined, group).mean(axis=1) > 0.5
    if not found.any():
        found[:] = True
    return _middle_mean(late[rows].reshape(joined, group)), found


def _residual(
    stamps: FloatArray, stretches: tuple[Stretch, ...], usable: BoolArray | None
) -> float:
    squares, count = 0.0, 0
    for stretch in stretches:
        for start in range(stretch.start, stretch.end, BLOCK):
            end = min(start + BLOCK, stretch.end)
            off = stamps[start:end] - stretch.at(np.arange(start, end, dtype=np.float64))
            if usable is not None:
                off = off[usable[start:end]]
            squares, count = squares + float(off @ off), count + len(off)
    return 1000.0 * float(np.sqrt(squares / max(1, count)))
