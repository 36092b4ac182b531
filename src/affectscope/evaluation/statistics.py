"""Intervals for numbers that follow one another in time. NumPy only.

Legend: N times, R bootstrap draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from affectscope.records import FloatArray

SHORTEST_BLOCK, LONGEST_BLOCK = 10.0, 60.0
"""Seconds of a bootstrap block."""
FEWEST_BLOCKS = 5
LEAST_FINITE = 0.5
"""Share of a course that must be measured for an interval."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; ``low`` and ``high`` are None where none can be given."""

    mean: float
    low: float | None
    high: float | None
    count: int


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
    blocks_per_draw = -(-count // block)
    chosen = random.integers(0, len(sums), size=(draws, blocks_per_draw))
    total = counts[chosen].sum(axis=1)
    means = np.full(draws, np.nan)
    np.divide(sums[chosen].sum(axis=1), total, out=means, where=total > 0)
    return means


def _block_sums(values: FloatArray, block: int) -> FloatArray:
    cumulative: FloatArray = np.concatenate([[0.0], np.cumsum(values)])
    sums: FloatArray = cumulative[block:] - cumulative[:-block]
    return sums


def block_duration(duration: float) -> float:
    """Seconds of a block for a course of ``duration`` seconds: a fifth of it, 10 to 60 s.

    60 s outlasts a spell of one expression and a skin-conductance response; five blocks are the
    fewest that can show their own spread.
    """
    return min(LONGEST_BLOCK, max(SHORTEST_BLOCK, duration / FEWEST_BLOCKS))


def mean_over_time(values: FloatArray, step: float, *, seed: int = 0) -> Estimate | None:
    """Mean of a course with a 95 % moving-block bootstrap interval.

    The interval is the mean +- t(0.975, blocks - 1) times the resamples' standard deviation,
    widened by sqrt(blocks / (blocks - 1)): plain quantiles are too narrow for few blocks.

    Args:
        values: (N,) in time order, NaN where nothing was measured.
        step: seconds between neighbours.

    Returns:
        None where nothing is finite; no interval where five blocks do not fit or half is missing.
    """
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return None
    mean = float(finite.mean())
    half = _half_width(values, step, seed)
    if half is None:
        return Estimate(mean, None, None, len(finite))
    return Estimate(mean, mean - half, mean + half, len(finite))


def difference(before: Estimate, after: Estimate) -> Estimate:
    """``after`` minus ``before``, two independent estimates; their half-widths add in squares."""
    change, count = after.mean - before.mean, min(before.count, after.count)
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Estimate(change, None, None, count)
    half = math.hypot(before.high - before.low, after.high - after.low) / 2
    return Estimate(change, change - half, change + half, count)


def correlation_over_time(
    estimate: FloatArray, truth: FloatArray, step: float, *, seed: int = 0
) -> Estimate:
    """Pearson's r of two finite courses (N,), its interval by moving blocks on Fisher's z.

    The blocks keep each pair, and each pair's neighbours, together.
    """
    r = float(np.corrcoef(estimate, truth)[0, 1])
    count = len(estimate)
    block = _block(count, step)
    if block is None or abs(r) >= 1:
        return Estimate(r, None, None, count)
    # Five moments give r, so resampling sums of blocks is enough.
    parts = (estimate, truth, estimate**2, truth**2, estimate * truth)
    x, y, xx, yy, xy = (moving_block_means(part, block, seed=seed) for part in parts)
    draws = (xy - x * y) / np.sqrt((xx - x**2) * (yy - y**2))
    spread = np.arctanh(np.clip(draws, -1 + 1e-12, 1 - 1e-12)).std()
    z, half = math.atanh(r), spread * _widening(count / block)
    return Estimate(r, math.tanh(z - half), math.tanh(z + half), count)


def _block(count: int, step: float) -> int | None:
    """Rows of a block, None where five of them do not fit."""
    block = max(1, int(block_duration(count * step) / step + 1e-9))
    return block if count >= FEWEST_BLOCKS * block else None


def _half_width(values: FloatArray, step: float, seed: int) -> float | None:
    block = _block(len(values), step)
    if block is None or np.isfinite(values).mean() < LEAST_FINITE:
        return None
    spread = np.nanstd(moving_block_means(values, block, seed=seed))
    return float(spread * _widening(len(values) / block))


def _widening(blocks: float) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, blocks - 1) * math.sqrt(blocks / (blocks - 1)))
