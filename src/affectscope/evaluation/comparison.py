"""Tests between models, and of one model against permuted labels.

Legend: K models, P people, N trials, R permutations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range, wilcoxon

from affectscope.evaluation.metrics import (
    FROM_COUNTS,
    FROM_MOMENTS,
    LOWER_IS_BETTER,
    IntArray,
    Items,
    from_counts,
    from_moments,
)
from affectscope.evaluation.scores import Scores
from affectscope.records import FloatArray

Within = Literal["participant", "clip"]

PERMUTATIONS = 2000
MOST_EXACT = 50
_SAME = 1e-12
_CHUNK = 500


def wilcoxon_p(difference: FloatArray) -> float:
    """Two-sided signed-rank p (Wilcoxon 1945) over people's differences (P,), NaN left out.

    Zeros are left out, ties share their mean rank, and the distribution is exact given the ties up
    to 50 people, normal beyond. 1.0 where all are zero; NaN where nobody is left.
    """
    known = difference[np.isfinite(difference)]
    if len(known) == 0:
        return math.nan
    moved = known[np.abs(known) > _SAME]
    if len(moved) == 0:
        return 1.0
    # Sums of floats differ in their last digit: equal differences must tie.
    moved = np.round(moved, 12)
    if len(moved) > MOST_EXACT:
        return float(wilcoxon(moved, method="asymptotic").pvalue)
    return _exact_signed_rank_p(moved)


def _exact_signed_rank_p(moved: FloatArray) -> float:
    """Over all 2^P signs, by adding one person's rank after the other (ranks doubled: integers)."""
    ranks = np.round(2 * rankdata(np.abs(moved))).astype(np.int64)
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks:
        ways[rank:] = ways[rank:] + ways[: len(ways) - rank]
    found = int(ranks[moved > 0].sum())
    tail = min(ways[: found + 1].sum(), ways[found:].sum()) / ways.sum()
    return float(min(1.0, 2 * tail))


def holm(p: Sequence[float]) -> FloatArray:
    """p-values corrected by Holm's step-down (1979); NaN stays NaN and is no test."""
    given = np.asarray(p, dtype=np.float64)
    corrected = np.full(len(given), np.nan)
    tested = np.flatnonzero(np.isfinite(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    stepped = given[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected


def average_ranks(values: FloatArray) -> FloatArray:
    """(K,) mean rank over people of (P, K) values, 1 = highest value; ties share their rank."""
    means: FloatArray = rankdata(-values, axis=1).mean(axis=0)
    return means


def friedman_p(values: FloatArray) -> float:
    """Friedman's test that all K >= 3 models of (P, K) rank alike; NaN where it cannot be made."""
    people, models = values.shape
    if models < 3 or people < 2:
        return math.nan
    if (values == values[:, :1]).all():
        return 1.0
    return float(friedmanchisquare(*values.T).pvalue)


def critical_difference(models: int, people: int) -> float:
    """Nemenyi's critical difference of mean ranks at 5 % (Demsar 2006)."""
    if models < 2 or people < 1:
        return math.nan
    q = float(studentized_range.ppf(0.95, models, np.inf)) / math.sqrt(2)
    return q * math.sqrt(models * (models + 1) / (6 * people))


def permutation_p(
    runs: Sequence[Scores], metric: str, *, within: Within, draws: int = PERMUTATIONS, seed: int = 0
) -> tuple[float, float]:
    """One-sided p of a model's trial-level metric against labels permuted within person or clip.

    Within participant: does it tell a person's trials apart, beyond knowing the person? Within
    clip: does it tell people apart, beyond knowing the clip? ``runs`` holds one entry for each
    seed, at trial level; each permutation is applied to all of them and the metric averaged.

    Returns:
        The metric and p = (1 + permutations at least as good) / (1 + permutations).
    """
    first = runs[0]
    block = first.items.person if within == "participant" else first.clip
    for run in runs:
        assert (run.items.person == first.items.person).all()
        assert (run.clip == first.clip).all()
    random = np.random.default_rng([seed])
    observed = _metric(runs, np.arange(len(block))[None, :], metric)[0]
    found = [
        _metric(runs, _permutations(block, min(_CHUNK, draws - done), random), metric)
        for done in range(0, draws, _CHUNK)
    ]
    permuted = np.concatenate(found)
    permuted = permuted[np.isfinite(permuted)]
    if not math.isfinite(observed) or len(permuted) == 0:
        return float(observed), math.nan
    better = permuted <= observed + 1e-12 if metric in LOWER_IS_BETTER else (
        permuted >= observed - 1e-12
    )  # fmt: skip
    return float(observed), float((1 + better.sum()) / (1 + len(permuted)))


def _permutations(block: IntArray, count: int, random: np.random.Generator) -> IntArray:
    """(R, N) orders that move items only inside their block."""
    home = np.argsort(block, kind="stable")
    keys = random.random((count, len(block)))
    # Sorting by block, then by a random key, shuffles each block onto its own places.
    shuffled = np.argsort(keys + block, axis=1)
    orders = np.empty_like(shuffled)
    orders[:, home] = shuffled
    return orders


def _metric(runs: Sequence[Scores], order: IntArray, metric: str) -> FloatArray:
    """(R,) the metric, averaged over seeds, when item i gets the label of item order[r, i]."""
    found = [_one_metric(run.items, order, metric) for run in runs]
    averaged: FloatArray = np.mean(found, axis=0)
    return averaged


def _one_metric(items: Items, order: IntArray, metric: str) -> FloatArray:
    if metric in FROM_COUNTS:
        high, called = items.high[order], items.called_high
        tp, fp = (high & called).sum(axis=1), (~high & called).sum(axis=1)
        fn, tn = (high & ~called).sum(axis=1), (~high & ~called).sum(axis=1)
        return from_counts(np.stack([tp, fp, fn, tn], axis=-1).astype(np.float64))[metric]
    if metric == "auroc":
        return _auroc(items, order)
    moments = _moments(items, order)
    if metric in FROM_MOMENTS:
        return from_moments(moments.sum(axis=1))[metric]
    own = np.stack(
        [moments[:, items.person == p].sum(axis=1) for p in np.unique(items.person)], axis=1
    )
    ccc = from_moments(own)["ccc"]
    known = np.isfinite(ccc)
    mean = np.full(len(ccc), np.nan)
    np.divide(np.where(known, ccc, 0).sum(axis=1), known.sum(axis=1), out=mean,
              where=known.any(axis=1))  # fmt: skip
    return mean


def _moments(items: Items, order: IntArray) -> FloatArray:
    """(R, N, 8) each item's share of the moments."""
    centre = items.truth.mean()
    y = items.truth[order] - centre
    x = np.broadcast_to(items.score - centre, y.shape)
    parts = [np.ones_like(y), x, y, x * x, y * y, x * y, np.abs(x - y), (x - y) ** 2]
    return np.stack(parts, axis=-1)


def _auroc(items: Items, order: IntArray) -> FloatArray:
    """From the sum of the positives' ranks (Mann and Whitney 1947)."""
    high = items.high[order]
    positives = high.sum(axis=1)
    negatives = high.shape[1] - positives
    above = high @ rankdata(items.score) - positives * (positives + 1) / 2
    area = np.full(len(high), np.nan)
    pairs = positives * negatives
    np.divide(above, pairs, out=area, where=pairs > 0)
    return area
