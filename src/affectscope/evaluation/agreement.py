"""Whether two changes go together over people: rank correlation, and Bland and Altman's limits.

Sources: C. Spearman (1904); its interval after D. G. Bonett and T. A. Wright, Psychometrika 65:23
(2000). J. M. Bland and D. G. Altman, Lancet 327:307 (1986) and Stat. Methods Med. Res. 8:135
(1999); exact intervals of the limits after A. Carkeet, Optom. Vis. Sci. 92:e71 (2015).

Where the sources are silent, and what we do:
1. Fewer than five people give no p and no interval, and no limits of agreement.
2. Ranks that agree wholly (|r| = 1) have no Fisher z. The interval then runs from the bound that
   the next smaller correlation without ties would have up to 1, and the other way round for -1.
3. Values that differ by less than a billionth of the largest are tied.

Legend: P people, R draws.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from affectscope.evaluation.group_changes import all_same, mean_over_people
from affectscope.evaluation.statistics import Estimate
from affectscope.records import FloatArray

FEWEST_PEOPLE = 5
MOST_EXACT_ORDERS = 7
"""People up to whom all P! orders are counted."""
ORDERS = 20_000
NORMAL_LIMIT = 1.959964
"""Standard deviations within which 95 % of normal differences lie."""
_DIGITS = 9


@dataclass(frozen=True)
class BlandAltman:
    """Differences of two measures of one thing: their mean and the limits of 95 % of them.

    Each has its own 95 % interval. ``on_scale`` says in which unit and of what.
    """

    bias: Estimate
    low: Estimate
    high: Estimate
    on_scale: str


def rank_correlation(first: FloatArray, second: FloatArray) -> Estimate | None:
    """Spearman's rank correlation over P people with a 95 % interval.

    The interval is tanh(atanh r -+ 1.96 sqrt((1 + r^2 / 2) / (P - 3))), from five people on.

    Args:
        first, second: (P,) finite, one row a person.

    Returns:
        None for fewer than three people, and where one of the two is the same for everybody.
    """
    count = len(first)
    if count < 3 or all_same(first) or all_same(second):
        return None
    found = float(np.clip(_standard_ranks(first) @ _standard_ranks(second), -1.0, 1.0))
    if count < FEWEST_PEOPLE:
        return Estimate(found, None, None, count)
    most = 1 - 12 / (count * (count * count - 1))
    whole = abs(found) > 1 - 1e-12
    held = math.copysign(most, found) if whole else found
    half = NORMAL_LIMIT * math.sqrt((1 + held * held / 2) / (count - 3))
    low, high = math.tanh(math.atanh(held) - half), math.tanh(math.atanh(held) + half)
    if whole:
        low, high = (low, 1.0) if found > 0 else (-1.0, high)
    return Estimate(found, low, high, count)


def rank_correlation_p(first: FloatArray, second: FloatArray, *, seed: int = 0) -> float | None:
    """Two-sided permutation p of Spearman's rank correlation over P people.

    Counted over all P! orders up to 7 people; beyond, over 20,000 drawn ones, the observed among
    them: p = (1 + at least as far from zero) / (1 + 20,000).

    Returns:
        None for fewer than five people, and where one of the two is the same for everybody.
    """
    count = len(first)
    if count < FEWEST_PEOPLE or all_same(first) or all_same(second):
        return None
    x, y = _standard_ranks(first), _standard_ranks(second)
    observed = abs(float(x @ y)) - 1e-9
    if count <= MOST_EXACT_ORDERS:
        orders = np.array(list(itertools.permutations(range(count))))
        return float((np.abs(x[orders] @ y) >= observed).mean())
    random = np.random.default_rng([seed])
    drawn = random.permuted(np.broadcast_to(x, (ORDERS, count)), axis=1)
    further = (np.abs(drawn @ y) >= observed).sum()
    return float((1 + further) / (1 + ORDERS))


def bland_altman(first: FloatArray, second: FloatArray, *, on_scale: str) -> BlandAltman | None:
    """Mean of ``first`` minus ``second``, (P,) each on one scale, and mean -+ 1.96 deviations.

    The bias has Student's t interval, the limits Carkeet's exact one; both take the differences for
    normal. No intervals where all differences are the same.

    Returns:
        None for fewer than five people.
    """
    from scipy.stats import nct

    count = len(first)
    if count < FEWEST_PEOPLE:
        return None
    differences = first - second
    bias = mean_over_people(differences)
    if bias.low is None:
        same = Estimate(bias.mean, None, None, count)
        return BlandAltman(bias, same, same, on_scale)
    spread = float(differences.std(ddof=1))
    shift = NORMAL_LIMIT * math.sqrt(count)
    near, far = nct.ppf([0.025, 0.975], count - 1, shift) * spread / math.sqrt(count)
    reach, mean = NORMAL_LIMIT * spread, bias.mean
    return BlandAltman(
        bias,
        Estimate(mean - reach, mean - float(far), mean - float(near), count),
        Estimate(mean + reach, mean + float(near), mean + float(far), count),
        on_scale,
    )


def _standard_ranks(values: FloatArray) -> FloatArray:
    """(P,) ranks, ties sharing theirs, with mean 0 and length 1."""
    from scipy.stats import rankdata

    size = float(np.abs(values).max())
    ranks = rankdata(np.round(values / size, _DIGITS))
    centred: FloatArray = ranks - ranks.mean()
    return centred / np.linalg.norm(centred)
