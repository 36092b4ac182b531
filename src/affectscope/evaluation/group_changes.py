"""What a group's changes show when the person is the unit: mean, size and tests over people.

Everything here takes one number per person: a person's sessions are averaged before. NumPy only;
the signed-rank test and Holm's correction are in ``comparison``.

Sources: Student's t interval. Sign flips: R. A. Fisher, The Design of Experiments (1935), section
21; drawn flips are counted after B. Phipson and G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9:39
(2010). Hedges' g with the average standard deviation: D. Lakens, Front. Psychol. 4:863 (2013),
equation 10, its interval after J. Algina and H. J. Keselman, Educ. Psychol. Meas. 63:537 (2003).

Where the sources are silent, and what we do:
1. Sums of flipped changes that differ by less than a billionth of the changes' size are equal:
   floats differ in their last digits.
2. Where everybody changed by the same amount there is no spread, and so no interval: a width of
   zero would claim certainty.
3. g's interval is that of the effect in the population, so it is not multiplied by the correction
   for small samples, which only takes g's own bias away. Algina and Keselman divide by the root of
   the mean variance, Lakens by the mean deviation: the interval takes the second, as g does.

Legend: P people, R draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from affectscope.evaluation.statistics import Estimate
from affectscope.records import FloatArray

LEVEL = 0.05
"""Below it a p is called small, after correction where several are looked at."""
MOST_EXACT_FLIPS = 16
"""People up to whom all 2^P sign flips are counted."""
FLIPS = 20_000
_SAME = 1e-9
_LARGEST_T = 1000.0
"""Beyond it the non-central t distribution cannot be inverted in double precision."""


def all_same(values: FloatArray) -> bool:
    """Whether (P,) finite values differ by nothing but rounding."""
    return float(np.ptp(values)) <= _SAME * float(np.abs(values).max())


def mean_over_people(values: FloatArray) -> Estimate:
    """Mean of (P,) finite values, P >= 1, with the 95 % interval of Student's t over people.

    No interval for one person, nor where all values are the same.
    """
    from scipy.stats import t

    count = len(values)
    assert count > 0, "a mean needs a person"
    mean = float(values.mean())
    if count < 2 or all_same(values):
        return Estimate(mean, None, None, count)
    half = float(t.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count))
    return Estimate(mean, mean - half, mean + half, count, count - 1)


def sign_flip_p(changes: FloatArray, *, seed: int = 0) -> float:
    """Two-sided p that (P,) finite changes, P >= 1, are as likely to fall as to rise.

    The paired permutation test: swapping a person's before and after flips the sign of the change.
    Counted over all 2^P flips up to 16 people; beyond, over 20,000 drawn ones, the observed among
    them: p = (1 + at least as far from zero) / (1 + 20,000). Assumes changes that lie evenly about
    zero where nothing happens.
    """
    observed = abs(float(changes.sum())) - _SAME * float(np.abs(changes).sum())
    if len(changes) <= MOST_EXACT_FLIPS:
        sums = np.zeros(1)
        for change in changes:
            sums = np.concatenate([sums + change, sums - change])
        return float((np.abs(sums) >= observed).mean())
    random = np.random.default_rng([seed])
    flips = random.integers(0, 2, size=(FLIPS, len(changes)), dtype=np.int8) * 2 - 1
    further = (np.abs(flips @ changes) >= observed).sum()
    return float((1 + further) / (1 + FLIPS))


def smallest_sign_flip_p(changes: FloatArray) -> float:
    """The smallest p that these people could give: 2 / 2^P, those without any change left out."""
    moved = int((changes != 0).sum())
    return 2.0 ** (1 - moved) if moved else 1.0


def holm_of_tested(p: Sequence[float | None]) -> list[float | None]:
    """Holm's correction over the tests that could be made; None stays None and is no test."""
    from affectscope.evaluation.comparison import holm

    corrected = holm([math.nan if one is None else one for one in p])
    return [None if math.isnan(one) else float(one) for one in corrected]


def hedges_g_av_over_people(before: FloatArray, after: FloatArray) -> Estimate | None:
    """Mean change of P people in units of their average standard deviation, with a 95 % interval.

    g_av = J(P - 1) (mean after - mean before) / ((sd before + sd after) / 2), J the exact
    correction for small samples. The interval turns that of the paired t's non-centrality into the
    effect's unit; it has none where the changes do not differ, or hardly do.

    Args:
        before, after: (P,) finite, one row a person.

    Returns:
        None for fewer than three people, whom the correction for small samples leaves nothing, and
        where neither before nor after differs between people.
    """
    count = len(before)
    if count < 3 or (all_same(before) and all_same(after)):
        return None
    changes = after - before
    average = float(before.std(ddof=1) + after.std(ddof=1)) / 2
    effect = float(changes.mean()) / average
    corrected = _small_sample_correction(count - 1) * effect
    if all_same(changes):
        return Estimate(corrected, None, None, count)
    error = float(changes.std(ddof=1)) / math.sqrt(count)
    low, high = _noncentrality_interval(float(changes.mean()) / error, count - 1)
    if low is None or high is None:
        return Estimate(corrected, None, None, count)
    return Estimate(corrected, low * error / average, high * error / average, count)


def _small_sample_correction(degrees: int) -> float:
    """Hedges' J(m) = gamma(m / 2) / (sqrt(m / 2) gamma((m - 1) / 2)), m >= 2."""
    logarithm = math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)
    return math.exp(logarithm) / math.sqrt(degrees / 2)


def _noncentrality_interval(found: float, degrees: int) -> tuple[float | None, float | None]:
    """95 % interval of the non-centrality whose t was found (Algina and Keselman 2003)."""
    from scipy.special import nctdtrinc

    if abs(found) > _LARGEST_T:
        return None, None
    low, high = nctdtrinc(degrees, 0.975, found), nctdtrinc(degrees, 0.025, found)
    if not (math.isfinite(low) and math.isfinite(high)):
        return None, None
    return float(low), float(high)
