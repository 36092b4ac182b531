"""Intervals for numbers that follow one another in time. NumPy, and SciPy for Student's t.

Neighbouring moments resemble each other, so a phase holds far fewer independent values than rows.
The moving-block bootstrap keeps neighbours together. How long its blocks are, and how much their
spread still misses, follows from the course's own memory:

1. Memory: rows are averaged to bins of a second, which are doubled until neighbours correlate at
   most 0.6. Their correlation gives the memory tau of a process whose correlation falls as
   exp(-lag / tau); what the removal of the mean takes away is allowed for.
2. Block: four memories, between a twentieth and a fifth of the course.
3. Width: Student's t times the resamples' standard deviation, times the known ratio, for that
   memory, between the true standard error of the mean and what such blocks show of it.

Sources:
    H. R. Kuensch, The jackknife and the bootstrap for general stationary observations, Annals of
    Statistics 17(3), 1989.
    G. V. Bayley and J. M. Hammersley, The "effective" number of independent observations in an
    autocorrelated time series, Supplement to the Journal of the Royal Statistical Society 8(2),
    1946.
    F. E. Satterthwaite, Biometrics Bulletin 2(6), 1946, and B. L. Welch, Biometrika 34(1-2), 1947.

Where they are silent, and what we do (constants chosen on simulated courses,
docs/decisions/0004-session-status-and-intervals.md):
    1. Memory estimated from few memories comes out too short more often than too long; it is raised
       by half its own relative error, sqrt(2 tau / duration).
    2. Degrees of freedom: 1.2 times the effective number of blocks, which lie a block and two
       memories apart, less 1. (With a known memory it would be 1.5.)
    3. No interval where a course is shorter than two memories: it cannot have shown its range. From
       two to about seven, the fewest degrees of freedom (1.5) make intervals very wide.

Legend: N times, R bootstrap draws, K courses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affectscope.records import FloatArray

LEAST_FINITE = 0.5
"""Share of a course that must be measured for an interval."""
FEWEST_ROWS = 8
"""Fewest rows, or seconds where rows are denser, that show a memory."""
FEWEST_MEMORIES = 2.0
"""Shortest course with an interval, in memories."""

_BIN = 1.0
"""Seconds to which denser rows are averaged before their memory is estimated."""
_HIGHEST_CORRELATION = 0.6
_MEMORIES_PER_BLOCK = 4.0
_FEWEST_BLOCKS, _MOST_BLOCKS = 5, 20
_DEGREES_PER_BLOCK = 1.2
_FEWEST_DEGREES = 1.5


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; ``low`` and ``high`` are None where none can be given.

    ``degrees`` are the interval's degrees of freedom, where it is mean +- t times standard error.
    """

    mean: float
    low: float | None
    high: float | None
    count: int
    degrees: float | None = None


@dataclass(frozen=True)
class _Spread:
    """How sure the mean of a course is; ``block`` in rows."""

    standard_error: float
    degrees: float
    block: int


def moving_block_means(
    values: FloatArray, block: int, *, draws: int = 1000, seed: int = 0
) -> FloatArray:
    """(R,) means of moving-block resamples (Kuensch 1989), which keep neighbours together.

    ``values`` (N,) may hold NaN: blocks are drawn from the sequence as recorded, and a resample's
    mean is taken over what it holds that is finite; resamples without any are NaN.
    """
    count = len(values)
    block = max(1, min(block, count))
    finite = np.isfinite(values)
    sums = _block_sums(np.where(finite, values, 0.0), block)
    counts = _block_sums(finite.astype(np.float64), block)
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(sums), size=(draws, _blocks_per_draw(count, block)))
    total = counts[chosen].sum(axis=1)
    means = np.full(draws, np.nan)
    np.divide(sums[chosen].sum(axis=1), total, out=means, where=total > 0)
    return means


def mean_over_time(values: FloatArray, step: float, *, seed: int = 0) -> Estimate | None:
    """Mean of a course with a 95 % moving-block bootstrap interval (module docstring).

    Args:
        values: (N,) in time order, NaN where nothing was measured.
        step: seconds between neighbours.

    Returns:
        None where nothing is finite; no interval where the course is constant, shorter than two of
        its memories, eight rows or eight seconds of denser rows, or half missing.
    """
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return None
    return _estimate(float(finite.mean()), _spread(values, step, seed=seed), len(finite))


def difference(before: Estimate, after: Estimate) -> Estimate:
    """``after`` minus ``before``, two independent estimates.

    Standard errors add in squares, with Welch's degrees of freedom; where an estimate carries none
    (its interval is not mean +- t times standard error), the half-widths add in squares, which is a
    little wider.
    """
    change, count = after.mean - before.mean, min(before.count, after.count)
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Estimate(change, None, None, count)
    if before.degrees is None or after.degrees is None:
        half = math.hypot(before.high - before.low, after.high - after.low) / 2
        return Estimate(change, change - half, change + half, count)
    # From the upper half: a lower bound may have been cut at 0.
    first = (before.high - before.mean) / _student(before.degrees)
    second = (after.high - after.mean) / _student(after.degrees)
    error = math.hypot(first, second)
    if error == 0:
        return Estimate(change, change, change, count)
    share = (first / error) ** 2
    degrees = 1 / (share**2 / before.degrees + (1 - share) ** 2 / after.degrees)
    return _estimate(change, _Spread(error, degrees, 0), count)


def correlation_over_time(
    estimate: FloatArray, truth: FloatArray, step: float, *, seed: int = 0
) -> Estimate:
    """Pearson's r of two finite courses (N,), its interval formed on Fisher's z.

    To first order z is a mean over time of how far each moment moves it, so its standard error is
    that of a mean (``mean_over_time``). Those moves forget faster than the courses whose means and
    variances r is measured against, so the slowest memory of the three counts.
    """
    r = float(np.corrcoef(estimate, truth)[0, 1])
    count = len(estimate)
    if abs(r) >= 1:
        return Estimate(r, None, None, count)
    x, y = ((part - part.mean()) / part.std() for part in (estimate, truth))
    moves = (x * y - r * (x**2 + y**2) / 2) / (1 - r**2)
    spread = _spread(moves, step, seed=seed, beside=(x, y))
    if spread is None:
        return Estimate(r, None, None, count)
    z, half = math.atanh(r), _student(spread.degrees) * spread.standard_error
    return Estimate(r, math.tanh(z - half), math.tanh(z + half), count)


def effective_size(values: FloatArray, step: float, *, seed: int = 0) -> float | None:
    """How many independent values would give the mean of this course (N,) its standard error.

    Variance of the course over variance of its mean (Bayley and Hammersley 1946); the course's
    mean follows the course, so the former is the variance about that mean plus the latter. Above 1.
    None where ``mean_over_time`` gives no interval.
    """
    spread = _spread(values, step, seed=seed)
    if spread is None:
        return None
    return 1 + float(np.nanvar(values)) / spread.standard_error**2


def joint_mean_draws(
    courses: FloatArray, step: float, *, draws: int = 2000, seed: int = 0
) -> FloatArray | None:
    """(R, K) draws of the means of K courses (N, K), all by the same moving blocks.

    The longest of the courses' blocks serves all. Each column is widened about its mean, so that
    its middle 95 % is as wide as the interval of ``mean_over_time``. None where one has none.
    """
    spreads = [_spread(course, step, seed=seed) for course in courses.T]
    known = [spread for spread in spreads if spread is not None]
    if len(known) < len(spreads):
        return None
    block = max(spread.block for spread in known)
    columns = []
    for course, spread in zip(courses.T, known, strict=True):
        drawn = moving_block_means(course, block, draws=draws, seed=seed)
        drawn -= np.nanmean(drawn)
        half = _student(spread.degrees) * spread.standard_error
        columns.append(np.nanmean(course) + drawn * half / (1.96 * np.nanstd(drawn)))
    return np.stack(columns, axis=1)


def _estimate(mean: float, spread: _Spread | None, count: int) -> Estimate:
    if spread is None:
        return Estimate(mean, None, None, count)
    half = _student(spread.degrees) * spread.standard_error
    return Estimate(mean, mean - half, mean + half, count, spread.degrees)


def _student(degrees: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))


def _spread(
    values: FloatArray, step: float, *, seed: int, beside: Sequence[FloatArray] = ()
) -> _Spread | None:
    """Standard error of the mean of a course, None where it cannot be known.

    It remembers as long as the slowest of itself and the courses ``beside`` it.
    """
    count = len(values)
    finite = values[np.isfinite(values)]
    if count == 0 or len(finite) < LEAST_FINITE * count or np.ptp(finite) == 0:
        return None
    memory = max(_memory(course, step) for course in (values, *beside))
    if count < FEWEST_MEMORIES * memory:
        return None
    block = _block(count, memory)
    shown = float(np.nanstd(moving_block_means(values - finite.mean(), block, seed=seed)))
    if shown == 0:
        return None
    of_block, of_mean = _mean_variance(block, memory), _mean_variance(count, memory)
    missed = of_mean / ((of_block - of_mean) / _blocks_per_draw(count, block))
    degrees = _DEGREES_PER_BLOCK * count / (block + 2 * memory) - 1
    return _Spread(shown * math.sqrt(missed), max(degrees, _FEWEST_DEGREES), block)


def _block(count: int, memory: float) -> int:
    block = max(_MEMORIES_PER_BLOCK * memory, count / _MOST_BLOCKS, 1)
    return int(min(block, count / _FEWEST_BLOCKS))


def _blocks_per_draw(count: int, block: int) -> int:
    return -(-count // block)


def _block_sums(values: FloatArray, block: int) -> FloatArray:
    cumulative: FloatArray = np.concatenate([[0.0], np.cumsum(values)])
    sums: FloatArray = cumulative[block:] - cumulative[:-block]
    return sums


def _memory(values: FloatArray, step: float) -> float:
    """tau of the course in rows, raised by half its relative error; infinite where a course of this
    length cannot show it."""
    width = max(1, int(_BIN / step + 1e-9))
    if len(values) < FEWEST_ROWS * width:
        return math.inf
    centred = values - np.nanmean(values)
    correlation = _neighbour_correlation(centred, width)
    while correlation > _HIGHEST_CORRELATION and 2 * FEWEST_ROWS * width <= len(centred):
        width *= 2
        correlation = _neighbour_correlation(centred, width)
    memories = width * np.geomspace(0.05, 1000, 120)
    once, twice, whole = (
        _mean_variance(length, memories) for length in (width, 2 * width, len(centred))
    )
    # Two neighbours' mean has half a bin's variance and half their covariance.
    expected = (2 * twice - once - whole) / (once - whole)
    slowest = int(np.argmax(expected))
    if correlation >= expected[slowest]:
        return math.inf
    memory = float(np.interp(correlation, expected[: slowest + 1], memories[: slowest + 1]))
    return memory * (1 + 0.5 * math.sqrt(2 * memory / len(centred)))


def _neighbour_correlation(centred: FloatArray, width: int) -> float:
    """Correlation of neighbouring bins of ``width`` rows; half-missing bins do not count."""
    whole = len(centred) // width * width
    rows = centred[:whole].reshape(-1, width)
    finite = np.isfinite(rows)
    counts = finite.sum(axis=1)
    sums = np.where(finite, rows, 0.0).sum(axis=1)
    bins = np.where(counts >= LEAST_FINITE * width, sums / np.maximum(counts, 1), np.nan)
    products = bins[1:] * bins[:-1]
    variance = float(np.nanmean(bins**2)) if np.isfinite(bins).any() else 0.0
    if variance == 0 or not np.isfinite(products).any():
        return 0.0
    return float(np.nanmean(products)) / variance


def _mean_variance(length: float, memory: float | FloatArray) -> FloatArray:
    """Variance of a mean over ``length`` rows of a process with variance 1 whose correlation falls
    as exp(-lag / ``memory``)."""
    ratio = length / np.asarray(memory)
    variance: FloatArray = 2 / ratio**2 * (ratio - 1 + np.exp(-ratio))
    return variance
