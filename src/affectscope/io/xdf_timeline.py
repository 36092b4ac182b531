"""An even time axis for a stream whose samples carry jittered stamps.

Network and USB deliver samples late, in bursts, and never early. So a step between stamps is a gap
only where everything after it stays late; a delay that is caught up with lost nothing. Between gaps
stamps are replaced by a straight line, one rate for the whole stream, and each stretch starts where
its own stamps say.

Legend: S samples, W samples of a window on one side of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from affectscope.io.channels import MAXIMUM_SAMPLES, Gap
from affectscope.io.timeline import IntArray
from affectscope.io.xdf_clock import BLOCK
from affectscope.records import FloatArray

_LEAST_GAP = 0.05  # s
_CERTAIN_GAP = 0.5  # s; jitter never hides a longer gap
_JITTERS_PER_GAP = 10.0
_PERIODS_PER_GAP = 3.0
_WINDOW = 10.0  # s
_WINDOW_SAMPLES = (64, 100_000)
_DAY = 86_400.0
_POINTS = 100  # medians that the rate is fitted to
_PIECE = 1 << 14  # samples that a median is taken of
_CHOSEN = 200_000  # steps that jitter is measured on
_STEPS = 100_000  # steps that are looked at one by one
_NEAR_NOMINAL = 0.02
_EVEN_SHARE = 0.9
_WANDER_QUANTILE = 0.98  # leaves out single bad stamps


@dataclass(frozen=True)
class Jump:
    """The clock went by ``seconds`` before a sample, which was placed directly after the last."""

    sample: int
    seconds: float


@dataclass(frozen=True)
class EvenTimeline:
    """Attributes: sampling_rate: Hz by the stamps. first_time: s at the first sample.
    gaps: as indices after filling. wander: s, how far stamps (medians) lie off the even axis.
    """

    sampling_rate: float
    first_time: float
    gaps: tuple[Gap, ...]
    jumps: tuple[Jump, ...]
    wander: float


def even_timeline(stamps: FloatArray, nominal_rate: float | None) -> EvenTimeline | None:
    """The even axis of finite stamps (S,), S >= 2.

    Args:
        nominal_rate: Hz that the stream states, None where it calls itself irregular.

    Returns:
        None where an irregular stream is not evenly sampled, or no stamp moves on.
    """
    period = _period(stamps, nominal_rate)
    if period is None:
        return None
    stretches, medians = _stretches(stamps, period, least=_CERTAIN_GAP)
    period += _slope(medians)  # with it, shorter gaps can be told from a wrong rate
    stretches, medians = _stretches(stamps, period, least=_least_gap(stamps, period))
    drift = _slope(medians)
    late = [lateness - drift * samples for samples, lateness in medians]
    return _placed(late, stretches, period=period + drift)


def _stretches(
    stamps: FloatArray, period: float, *, least: float
) -> tuple[list[tuple[int, int]], list[tuple[FloatArray, FloatArray]]]:
    """First and end sample of the stretches between breaks, and their medians."""
    breaks = _breaks(stamps, period, least=max(least, _PERIODS_PER_GAP * period))
    stretches = list(pairwise([0, *breaks, len(stamps)]))
    return stretches, [_medians(stamps, stretch, period=period) for stretch in stretches]


def _least_gap(stamps: FloatArray, period: float) -> float:
    """Seconds: the shortest gap that stands out from the jitter."""
    jitter = float(np.median(np.abs(_some_steps(stamps) - period)))
    return min(_CERTAIN_GAP, max(_LEAST_GAP, _JITTERS_PER_GAP * jitter))


def _period(stamps: FloatArray, nominal_rate: float | None) -> float | None:
    """Seconds per sample where nothing is lost; robust against gaps, bursts and bad stamps."""
    stride = min(256, max(1, len(stamps) // 8))
    periods = np.diff(stamps[::stride]) / stride
    if nominal_rate is not None:
        near = periods[np.abs(periods * nominal_rate - 1) < _NEAR_NOMINAL]
        period = float(np.median(near if len(near) >= len(periods) / 10 else periods))
        return period if period > 0 else None
    steps = _some_steps(stamps)
    usual = float(np.median(steps))
    even = np.mean(np.abs(steps - usual) < usual / 2)
    return usual if usual > 0 and even >= _EVEN_SHARE else None


def _some_steps(stamps: FloatArray) -> FloatArray:
    chosen = np.arange(0, len(stamps) - 1, max(1, len(stamps) // _CHOSEN))
    return stamps[chosen + 1] - stamps[chosen]


def _breaks(stamps: FloatArray, period: float, *, least: float) -> list[int]:
    """Samples before which the clock went on by another time than one period, for good."""
    steps = _large_steps(stamps, period, least=least)
    while len(steps) > _STEPS:
        least *= 2
        steps = _large_steps(stamps, period, least=least)
    window = int(np.clip(_WINDOW / period, *_WINDOW_SAMPLES))
    found: list[int] = []
    sizes: list[float] = []
    for sample in steps.tolist():
        begin = max(found[-1] if found else 0, sample - window)
        size = _level(stamps, begin, sample, at=sample, period=period)
        size = _level(stamps, sample, sample + window, at=sample, period=period) - size
        if abs(size) < least / 2:
            continue
        if found and abs(sizes[-1] + size) < least and sample - found[-1] < window:
            _mend(stamps, found.pop(), sample)  # there and back: bad stamps, no reset
            sizes.pop()
            continue
        found.append(sample)
        sizes.append(size)
    return found


def _large_steps(stamps: FloatArray, period: float, *, least: float) -> IntArray:
    found: list[IntArray] = []
    for start in range(0, len(stamps) - 1, BLOCK):
        steps = np.diff(stamps[start : start + BLOCK + 1])
        found.append(start + 1 + np.flatnonzero(np.abs(steps - period) > least))
    return np.concatenate(found)


def _level(stamps: FloatArray, start: int, end: int, *, at: int, period: float) -> float:
    """The least late stamp of a window, moved to sample ``at``."""
    part = stamps[start:end]
    return float(np.min(part - (np.arange(start, start + len(part)) - at) * period))


def _mend(stamps: FloatArray, start: int, end: int) -> None:
    stamps[start:end] = np.interp(
        np.arange(start, end), [start - 1, end], [stamps[start - 1], stamps[end]]
    )


def _medians(
    stamps: FloatArray, stretch: tuple[int, int], *, period: float
) -> tuple[FloatArray, FloatArray]:
    """(sample, lateness) of pieces of a stretch, lateness against ``period`` from sample 0."""
    start, end = stretch
    length = end - start
    pieces = max(1, min(length // 4, max(8, _POINTS * length // len(stamps))))
    size = min(length // pieces, _PIECE)
    firsts: IntArray = start + np.arange(pieces, dtype=np.int64) * (length // pieces)
    samples = firsts[:, np.newaxis] + np.arange(size)
    late: FloatArray = np.median(stamps[samples] - samples * period, axis=1)
    return firsts.astype(np.float64) + (size - 1) / 2.0, late


def _slope(medians: list[tuple[FloatArray, FloatArray]]) -> float:
    """What to add to the period: the median slope of pairs in a stretch, the longer the heavier."""
    slopes: list[FloatArray] = [np.zeros(0)]
    weights: list[FloatArray] = [np.zeros(0)]
    for samples, late in medians:
        first, second = np.triu_indices(len(samples), 1)
        apart = samples[second] - samples[first]
        slopes.append((late[second] - late[first]) / apart)
        weights.append(apart)
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    if len(slope) == 0:
        return 0.0
    order = np.argsort(slope)
    middle = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    return float(slope[order][min(int(middle), len(order) - 1)])


def _placed(
    late: list[FloatArray], stretches: list[tuple[int, int]], *, period: float
) -> EvenTimeline:
    """Stretches on the even axis: each where its stamps say, or after a jump directly behind."""
    levels = [float(np.median(lateness)) for lateness in late]
    gaps: list[Gap] = []
    jumps: list[Jump] = []
    filled = 0
    axis = levels[0]  # time of sample 0 on the axis; a jump moves it
    wander = [np.abs(late[0] - axis)]
    size = stretches[-1][1]
    for (start, _), level, lateness in zip(stretches[1:], levels[1:], late[1:], strict=True):
        seconds = level - axis - filled * period
        missing = round(seconds / period)
        fillable = missing >= 0 and seconds < _DAY
        if not fillable or size + filled + missing > MAXIMUM_SAMPLES:
            jumps.append(Jump(start, seconds))
            axis += seconds
        elif missing:
            gaps.append(Gap(start + filled, missing))
            filled += missing
        wander.append(np.abs(lateness - axis - filled * period))
    off = float(np.quantile(np.concatenate(wander), _WANDER_QUANTILE))
    return EvenTimeline(1.0 / period, levels[0], tuple(gaps), tuple(jumps), off)
