"""How large a change between two phases of one person is, beside its mean. NumPy only.

``hedges_g_av`` says it in standard deviations of the course, ``nonoverlap`` in pairs of moments,
``reliable_change`` against the error of the instrument.

Sources:
    D. Lakens, Calculating and reporting effect sizes to facilitate cumulative science, Frontiers in
    Psychology 4:863, 2013, equation 10 and its Hedges correction; G. Cumming, Understanding the New
    Statistics, 2012, chapter 11.
    R. I. Parker and K. J. Vannest, An improved effect size for single-case research: nonoverlap of
    all pairs, Behavior Therapy 40(4), 2009.
    E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Comparing the areas under two or more
    correlated receiver operating characteristic curves, Biometrics 44(3), 1988 (placements).
    N. S. Jacobson and P. Truax, Clinical significance, Journal of Consulting and Clinical
    Psychology 59(1), 1991.

Where they are silent, and what we do:
    1. They count independent values; moments of one course are not. Every count is an effective
       size (``statistics.effective_size``), every interval ``mean_over_time``'s: an effect size is
       to first order a mean, over the moments of both phases, of how far each moment moves it.
    2. A standard deviation of a slow course is too small, since its mean follows the course: the
       variance of the mean is added to it.

Legend: N moments before, M moments after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from affectscope.evaluation.statistics import (
    Estimate,
    difference,
    effective_size,
    mean_over_time,
)
from affectscope.records import FloatArray

RELIABLE = 1.96
"""A reliable change is one that error alone exceeds in 5 % of unchanged people."""


FEWEST_DEGREES = 2.0
"""Effective values of both phases, less 2, below which a standard deviation says nothing."""


@dataclass(frozen=True)
class ReliableChange:
    """A change in standard errors of a difference, and whether it exceeds ``RELIABLE``."""

    index: float
    reliable: bool


def hedges_g_av(
    before: FloatArray, after: FloatArray, step: float, *, seed: int = 0
) -> Estimate | None:
    """Change of the mean in standard deviations of the course, with its 95 % interval.

    g_av = J (mean after - mean before) / s_av, where s_av is the plain (arithmetic) mean of both
    phases' standard deviations, as Lakens writes it; Cumming takes the root of the mean variance.
    J = 1 - 3 / (4 (n before + n after) - 9) with effective sizes n.

    Args:
        before: (N,) in time order, NaN where nothing was measured; ``after`` (M,) likewise.
        step: seconds between neighbours.

    Returns:
        None where a phase has no interval: its standard deviation is not known then either.
    """
    first, second = effective_size(before, step), effective_size(after, step)
    if first is None or second is None or first + second - 2 < FEWEST_DEGREES:
        return None
    spreads = [_standard_deviation(before, first), _standard_deviation(after, second)]
    average = (spreads[0] + spreads[1]) / 2
    correction = 1 - 3 / (4 * (first + second) - 9)
    means = [float(np.nanmean(before)), float(np.nanmean(after))]
    g = (means[1] - means[0]) / average
    # How far each moment moves g: through its phase's mean, and through its standard deviation.
    moves = [
        sign * (course - mean) / average
        - g * ((course - mean) ** 2 - spread**2) / (4 * spread * average)
        for sign, course, mean, spread in zip((-1, 1), (before, after), means, spreads, strict=True)
    ]
    half = _half_width(moves[0], moves[1], step, seed)
    count = int(min(np.isfinite(before).sum(), np.isfinite(after).sum()))
    if half is None:
        return Estimate(correction * g, None, None, count)
    return Estimate(correction * g, correction * (g - half), correction * (g + half), count)


def nonoverlap(
    before: FloatArray, after: FloatArray, step: float, *, seed: int = 0
) -> Estimate | None:
    """NAP: the share of pairs (a moment before, one after) where the later is higher; ties half.

    0.5 is no effect, 1 complete separation upwards, 0 downwards. The interval is formed on the
    logit, so it stays between 0 and 1.

    Args:
        before: (N,) in time order, NaN where nothing was measured; ``after`` (M,) likewise.
        step: seconds between neighbours.

    Returns:
        None where a phase holds nothing finite; no interval where a phase has none or where the
        phases do not overlap at all, since then nothing shows how sure that is.
    """
    if not (np.isfinite(before).any() and np.isfinite(after).any()):
        return None
    # Placements: where each moment stands among those of the other phase. Both average to NAP.
    below = _share_below(after, before)
    above = 1 - _share_below(before, after)
    nap = float(np.nanmean(below))
    count = int(min(np.isfinite(above).sum(), np.isfinite(below).sum()))
    half = _half_width(above, below, step, seed)
    if half is None or not 0 < nap < 1:
        return Estimate(nap, None, None, count)
    logit, half = math.log(nap / (1 - nap)), half / (nap * (1 - nap))
    return Estimate(nap, _from_logit(logit - half), _from_logit(logit + half), count)


def reliable_change(
    before: float, after: float, *, standard_deviation: float, reliability: float
) -> ReliableChange:
    """Jacobson and Truax's index: the change over the standard error of a difference,
    s sqrt(2 (1 - r)).

    Args:
        standard_deviation: s, of the people the instrument was tried on; above 0.
        reliability: r, its retest reliability; 0 <= r < 1.

    Raises:
        ValueError: one of them is out of its range.
    """
    if not (standard_deviation > 0 and 0 <= reliability < 1):
        raise ValueError(
            f"a standard deviation of {standard_deviation} and a reliability of {reliability} give"
            " no standard error; allowed are s > 0 and 0 <= r < 1"
        )
    index = (after - before) / (standard_deviation * math.sqrt(2 * (1 - reliability)))
    return ReliableChange(index, abs(index) > RELIABLE)


def _share_below(values: FloatArray, others: FloatArray) -> FloatArray:
    """For each value, the share of the other phase below it, ties half; NaN stays NaN."""
    ranked = np.sort(others[np.isfinite(others)])
    at_least = np.searchsorted(ranked, values, side="left")
    at_most = np.searchsorted(ranked, values, side="right")
    share: FloatArray = np.where(
        np.isfinite(values), (at_least + at_most) / (2 * len(ranked)), np.nan
    )
    return share


def _half_width(before: FloatArray, after: FloatArray, step: float, seed: int) -> float | None:
    """Half the interval of the sum of two courses' means; the phases are independent."""
    parts = mean_over_time(before, step, seed=seed), mean_over_time(after, step, seed=seed + 1)
    if parts[0] is None or parts[1] is None:
        return None
    together = difference(parts[0], parts[1])
    if together.low is None or together.high is None:
        return None
    return (together.high - together.low) / 2


def _standard_deviation(course: FloatArray, size: float) -> float:
    """Of a course of ``size`` effective values, about the mean it would have in the long run."""
    return float(np.nanstd(course)) * math.sqrt(size / (size - 1))


def _from_logit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
