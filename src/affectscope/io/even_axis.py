"""Samples of a clock that bends or breaks, on an axis with one rate.

A recording keeps its samples as they are wherever an even axis lies within 1 ms of its clock, and
is interpolated elsewhere: a steady drift only changes the rate, a drift that changes, or a stretch
that starts between two samples of the axis, moves samples.

Interpolation: a polynomial through the six nearest samples. On a real ECG (NeuroKit2, 3000 Hz,
thinned to 250 Hz) its largest error is 0.20 % of the signal's range; through four samples 0.48 %,
straight lines 2.4 % (``benchmarks/clock_drift.py --interpolation``).

Breaks. A step forward is lost samples, NaN on the axis: stamps alone cannot tell them from a clock
that was set. A step back, or one of less than half a sample, is a clock that was set: the samples
follow directly, and the axis goes on by the clock as it was before.

Legend: S samples in the file, L on the axis, N positions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from affectscope.io.channels import MAXIMUM_SAMPLES, ClockFit, Gap
from affectscope.io.clock_breaks import BLOCK, LEAST_STEP
from affectscope.io.clock_fit import FittedClock, Stretch
from affectscope.records import FloatArray

TOLERANCE = 0.001
"""Seconds that a sample may lie off its clock's time without being interpolated. It holds for slow
channels too: a tenth of a sample would be 25 ms at 4 Hz."""

_DAY = 86_400.0
_RATE_TOLERANCE = 0.01
_ERRORS = 3.0  # standard errors that a stretch may lie off the axis
_NEIGHBOURS = np.arange(-2, 4)
_DENOMINATORS = np.array([-120.0, 24.0, -12.0, 12.0, -24.0, 120.0])  # product of (own - other)


@dataclass(frozen=True)
class Jump:
    """A clock was set by ``seconds`` before a sample."""

    sample: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Run:
    """Samples in a row on the axis.

    Attributes:
        start, end: samples of the file.
        first, last: where they lie on the axis, ``last`` behind the last one.
        knots, times: (K,) samples and seconds on the axis; straight between them.
        kept: whether the samples are taken as they are.
    """

    start: int
    end: int
    first: int
    last: int
    knots: FloatArray
    times: FloatArray
    kept: bool


@dataclass(frozen=True, eq=False)
class EvenAxis:
    """Attributes: sampling_rate: Hz. first_time: s, of the first sample on the axis.
    measured_rate: Hz by the stamps alone. drift_range: the lowest and the highest rate, Hz.
    residual: ms, root mean square of the stamps against the fitted clock.
    """

    sampling_rate: float
    first_time: float
    measured_rate: float
    drift_range: tuple[float, float]
    residual: float
    runs: tuple[Run, ...]
    jumps: tuple[Jump, ...]

    @property
    def resampled(self) -> bool:
        return not all(run.kept for run in self.runs)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Lost samples, as indices on the axis."""
        return tuple(
            Gap(before.last, run.first - before.last)
            for before, run in zip(self.runs, self.runs[1:], strict=False)
            if run.first > before.last
        )

    def seconds_at(self, sample: int) -> float:
        """Seconds from the axis' start to a sample of the file."""
        run = next((run for run in self.runs if sample < run.end), self.runs[-1])
        return float(np.interp(sample, run.knots, run.times)) - self.first_time

    def place(self, values: FloatArray) -> FloatArray:
        """(S,) -> (L,): the values on the axis, NaN where samples were lost."""
        if len(self.runs) == 1 and self.runs[0].kept:
            return values
        placed = np.full(self.runs[-1].last, np.nan)
        for run in self.runs:
            if run.kept:
                placed[run.first : run.last] = values[run.start : run.end]
            else:
                self._interpolate(run, values, placed)
        return placed

    def fit(self, stated_rate: float | None, resets: tuple[Jump, ...] = ()) -> ClockFit:
        """What to tell of the clock; ``stated_rate`` in Hz, by file or user. ``resets`` of another
        clock, which were mended before, count as steps."""
        against = stated_rate or self.measured_rate
        low, high = ((rate / against - 1) * 1e6 for rate in self.drift_range)
        return ClockFit(
            stated_rate,
            self.measured_rate,
            (self.measured_rate / stated_rate - 1) * 1e6 if stated_rate else None,
            (low, high),
            self.residual,
            tuple(
                (self.seconds_at(jump.sample), jump.seconds)
                for jump in sorted((*self.jumps, *resets), key=lambda jump: jump.sample)
            ),
            len(self.gaps),
            self.resampled,
        )

    def _interpolate(self, run: Run, values: FloatArray, placed: FloatArray) -> None:
        own = values[run.start : run.end]
        for first in range(run.first, run.last, BLOCK):
            last = min(first + BLOCK, run.last)
            times = self.first_time + np.arange(first, last) / self.sampling_rate
            placed[first:last] = between(own, np.interp(times, run.times, run.knots) - run.start)


def between(values: FloatArray, positions: FloatArray) -> FloatArray:
    """Values (S,) at positions (N,) in [0, S - 1]: sixth-order Lagrange, straight beside the ends
    and missing samples, NaN where a neighbour is missing.
    """
    before = np.clip(np.floor(positions).astype(np.int64), 0, max(0, len(values) - 2))
    share = positions - before
    behind = np.minimum(before + 1, len(values) - 1)
    straight = np.where(share < 1e-9, values[before], values[before] * (1 - share))
    straight = np.where(share < 1e-9, straight, straight + values[behind] * share)
    inside = (before >= 2) & (before < len(values) - 3)
    centre = before[inside]
    away = share[inside]
    total = np.zeros(len(centre))
    for k, neighbour in enumerate(_NEIGHBOURS.tolist()):
        weight = np.full(len(centre), 1 / _DENOMINATORS[k])
        for other in _NEIGHBOURS.tolist():
            if other != neighbour:
                weight *= away - other
        total += weight * values[centre + neighbour]
    finite = np.isfinite(total)
    straight[np.flatnonzero(inside)[finite]] = total[finite]
    return straight


def even_axis(clock: FittedClock, stated_rate: float | None = None) -> EvenAxis:
    """The even axis of a clock: at the stated rate (Hz) where that places every sample within 1 ms,
    else at the measured one.
    """
    joined, jumps = _joined(clock)
    period, start = _line(joined)
    rate = 1 / period
    if stated_rate and abs(stated_rate / rate - 1) < _RATE_TOLERANCE:
        stated = _line(joined, period=1 / stated_rate)
        if all(_lies(run, stated) for run in joined):
            (period, start), rate = stated, stated_rate
    runs = _in_order([_placed(run, (period, start)) for run in joined])
    base = runs[0].first
    rates = clock.rates()
    return EvenAxis(
        rate,
        start + base * period,
        clock.mean_rate(),
        (float(rates.min()), float(rates.max())),
        clock.residual,
        tuple(replace(run, first=run.first - base, last=run.last - base) for run in runs),
        tuple(jumps),
    )


def _in_order(runs: list[Run]) -> list[Run]:
    """Runs that do not lie over each other; one that must give way is interpolated."""
    placed = [runs[0]]
    for run in runs[1:]:
        first = max(run.first, placed[-1].last)
        moved = run.kept and first > run.first
        last = max(first, run.last)
        placed.append(replace(run, first=first, last=last, kept=run.kept and not moved))
    return placed


@dataclass(frozen=True, eq=False)
class _Joined:
    """Stretches without a sample lost between them; ``filled``: samples lost before them."""

    knots: FloatArray
    times: FloatArray
    filled: int
    uncertainty: float


def _joined(clock: FittedClock) -> tuple[list[_Joined], list[Jump]]:
    period, size = clock.period, clock.stretches[-1].end
    runs: list[list[Stretch]] = [[clock.stretches[0]]]
    filled = [0]
    jumps: list[Jump] = []
    shift, end = 0.0, float(clock.stretches[0].times[-1])
    for stretch in clock.stretches[1:]:
        seconds = float(stretch.times[0]) - shift - end - period
        missing = round(seconds / period)
        if missing > 0 and seconds < _DAY and size + filled[-1] + missing <= MAXIMUM_SAMPLES:
            filled.append(filled[-1] + missing)
            runs.append([])
        elif abs(seconds) >= LEAST_STEP / 2:
            jumps.append(Jump(stretch.start, seconds))
            shift += seconds
        runs[-1].append(replace(stretch, times=stretch.times - shift))
        end = float(stretch.times[-1]) - shift
    return [_concatenated(run, lost) for run, lost in zip(runs, filled, strict=True)], jumps


def _concatenated(run: list[Stretch], filled: int) -> _Joined:
    return _Joined(
        np.concatenate([stretch.knots for stretch in run]),
        np.maximum.accumulate(np.concatenate([stretch.times for stretch in run])),
        filled,
        max(stretch.uncertainty for stretch in run),
    )


def _line(runs: list[_Joined], *, period: float | None = None) -> tuple[float, float]:
    """Period and time of index 0 of the even axis nearest to all samples (least squares)."""
    at: list[FloatArray] = []
    times: list[FloatArray] = []
    weights: list[FloatArray] = []
    for run in runs:
        points = np.linspace(run.knots[0], run.knots[-1], 200)
        at.append(points + run.filled)
        times.append(np.interp(points, run.knots, run.times))
        weights.append(np.full(200, run.knots[-1] - run.knots[0] + 1))
    x, y, w = np.concatenate(at), np.concatenate(times), np.concatenate(weights)
    w /= w.sum()
    middle, level = float(w @ x), float(w @ y)
    if period is None:
        spread = float(w @ (x - middle) ** 2)
        period = float(w @ ((x - middle) * (y - level))) / spread
    return period, level - period * middle


def _lies(run: _Joined, axis: tuple[float, float]) -> bool:
    """Whether a run's samples, in place on the axis, lie where their clock says."""
    period, start = axis
    off = run.times - start - (run.knots + run.filled) * period
    return float(np.abs(off).max()) <= max(TOLERANCE, _ERRORS * run.uncertainty)


def _placed(run: _Joined, axis: tuple[float, float]) -> Run:
    period, start = axis
    begin, end = int(run.knots[0]), int(run.knots[-1]) + 1
    if _lies(run, axis):
        return Run(
            begin, end, begin + run.filled, end + run.filled, run.knots, run.times, kept=True
        )
    first = int(np.ceil((run.times[0] - start) / period - 1e-6))
    last = int(np.floor((run.times[-1] - start) / period + 1e-6)) + 1
    return Run(begin, end, first, last, run.knots, run.times, kept=False)
