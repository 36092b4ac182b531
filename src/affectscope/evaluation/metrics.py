"""Metrics from sums, so that one pass over the rows serves every metric and every resample.

Undefined values are NaN or the stated convention, never a warning:

- truth of one class only: macro F1, balanced accuracy, MCC and AUROC are NaN;
- precision of a class that was never predicted is 0 (as scikit-learn's ``zero_division=0``);
- MCC of a constant prediction is 0, its AUROC 0.5, its Pearson correlation NaN, its CCC 0;
- truth that does not vary: Pearson and CCC are NaN.

Legend: N items (rows or trials) of one target, T targets, P people, B score bins, ... any
leading shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.records import EMOTIONS, BoolArray, FloatArray

IntArray = NDArray[np.int64]

FROM_COUNTS = (
    "precision_positive", "precision_macro", "precision_weighted", "accuracy", "macro_f1",
    "balanced_accuracy", "mcc",
)  # fmt: skip
FROM_MOMENTS = ("ccc", "pearson", "mae", "rmse")
METRICS = (*FROM_COUNTS, "auroc", *FROM_MOMENTS, "ccc_within")
LOWER_IS_BETTER = frozenset({"mae", "rmse"})

SCORE_BINS = 4096
"""AUROC is exact up to so many different scores; beyond, scores within 1/4096 of the mass tie."""
_NO_SPREAD = 1e-12


def midpoints(targets: Sequence[str]) -> FloatArray:
    """(T,) thresholds: ratings above 5 on 1-9, that is above 0; emotions from 0.5 on."""
    return np.array([0.5 if name in EMOTIONS else 0.0 for name in targets])


def positive(values: FloatArray, targets: Sequence[str]) -> FloatArray:
    """1.0 where high or present, else 0.0, NaN where unknown; values (..., T) or, for one, (N, 1).

    A rating must exceed its threshold, an emotion reach it (METHOD.md section 4).
    """
    reached = np.where(
        [name in EMOTIONS for name in targets],
        values >= midpoints(targets),
        values > midpoints(targets),
    )
    return np.where(np.isnan(values), np.nan, reached)


@dataclass(frozen=True, eq=False)
class Items:
    """N items of one target: truth and score on its scale, their classes, weight, person.

    ``person`` (N,) holds numbers below ``people``.
    """

    truth: FloatArray
    score: FloatArray
    high: BoolArray
    called_high: BoolArray
    weight: FloatArray
    person: IntArray
    people: int


@dataclass(frozen=True, eq=False)
class PersonSums:
    """All that the metrics need, person by person.

    Attributes:
        counts: (P, 4) weights of true positives, false positives, false negatives, true negatives.
        moments: (P, 8) sums of w, x, y, xx, yy, xy, \\|x - y\\|, (x - y)^2; x score, y truth, both
            less one constant.
        concordance: (P, P) weight of positives of one person that score above negatives of
            another; ties count half.
    """

    counts: FloatArray
    moments: FloatArray
    concordance: FloatArray

    @property
    def weight(self) -> FloatArray:
        """(P,) total weight of each person."""
        weight: FloatArray = self.moments[:, 0]
        return weight


def person_sums(items: Items) -> PersonSums:
    """The sums of one target's items."""

    def total(values: FloatArray) -> FloatArray:
        summed: FloatArray = np.bincount(
            items.person, items.weight * values, minlength=items.people
        ).astype(np.float64)
        return summed

    high, called = items.high.astype(np.float64), items.called_high.astype(np.float64)
    counts = (high * called, (1 - high) * called, high * (1 - called), (1 - high) * (1 - called))
    centre = float(items.truth.mean()) if len(items.truth) else 0.0
    x, y = items.score - centre, items.truth - centre
    moments = (np.ones(len(x)), x, y, x * x, y * y, x * y, np.abs(x - y), (x - y) ** 2)
    return PersonSums(
        np.column_stack([total(values) for values in counts]),
        np.column_stack([total(values) for values in moments]),
        _concordance(items),
    )


def _concordance(items: Items) -> FloatArray:
    """(P, P) from histograms of scores, N log N instead of N squared."""
    values, place = np.unique(items.score, return_inverse=True)
    bins = len(values)
    if bins > SCORE_BINS:
        mass = np.cumsum(np.bincount(place, items.weight))
        step = np.minimum(mass / mass[-1] * SCORE_BINS, SCORE_BINS - 1).astype(np.int64)
        place, bins = step[place], SCORE_BINS
    cell, size = items.person * bins + place, items.people * bins

    def histogram(weight: FloatArray) -> FloatArray:
        counted = np.bincount(cell, weight, minlength=size).astype(np.float64)
        return counted.reshape(items.people, bins)

    above, below = histogram(items.weight * items.high), histogram(items.weight * ~items.high)
    beaten = np.cumsum(below, axis=1) - below / 2
    concordance: FloatArray = above @ beaten.T
    return concordance


def _ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float) -> FloatArray:
    result = np.full(np.broadcast(numerator, denominator).shape, otherwise)
    np.divide(numerator, denominator, out=result, where=np.abs(denominator) > _NO_SPREAD)
    return result


def from_counts(counts: FloatArray) -> dict[str, FloatArray]:
    """The metrics of ``FROM_COUNTS``, each (...), from counts (..., 4)."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    high, low, total = tp + fn, fp + tn, tp + fp + fn + tn
    one_class = (high <= _NO_SPREAD) | (low <= _NO_SPREAD)
    precision, precision_low = _ratio(tp, tp + fp, 0.0), _ratio(tn, tn + fn, 0.0)
    f1, f1_low = _ratio(2 * tp, 2 * tp + fp + fn, 0.0), _ratio(2 * tn, 2 * tn + fp + fn, 0.0)
    recalls = _ratio(tp, high, np.nan) + _ratio(tn, low, np.nan)
    spread = np.sqrt((tp + fp) * high * low * (tn + fn))
    return {
        "precision_positive": np.where(total > 0, precision, np.nan),
        "precision_macro": np.where(total > 0, (precision + precision_low) / 2, np.nan),
        "precision_weighted": _ratio(precision * high + precision_low * low, total, np.nan),
        "accuracy": _ratio(tp + tn, total, np.nan),
        "macro_f1": np.where(one_class, np.nan, (f1 + f1_low) / 2),
        "balanced_accuracy": recalls / 2,
        "mcc": np.where(one_class, np.nan, _ratio(tp * tn - fp * fn, spread, 0.0)),
    }


def from_moments(moments: FloatArray) -> dict[str, FloatArray]:
    """The metrics of ``FROM_MOMENTS``, each (...), from moments (..., 8).

    CCC is Lin's (1989), with the variances of the whole sample (divided by N).
    """
    weight, *sums = np.moveaxis(moments, -1, 0)
    x, y, xx, yy, xy, absolute, squared = (_ratio(part, weight, np.nan) for part in sums)
    # NaN (no weight) compares false and stays NaN below.
    variance_x, variance_y, covariance = xx - x * x, yy - y * y, xy - x * y
    flat_x, flat_y = variance_x <= _NO_SPREAD, variance_y <= _NO_SPREAD
    covariance = np.where(flat_x | flat_y, 0.0, covariance)
    together = np.where(flat_x, 0.0, variance_x) + variance_y + (x - y) ** 2
    spread = np.sqrt(np.maximum(variance_x, 0) * np.maximum(variance_y, 0))
    return {
        "ccc": np.where(flat_y, np.nan, _ratio(2 * covariance, together, np.nan)),
        "pearson": np.where(flat_x | flat_y, np.nan, _ratio(covariance, spread, np.nan)),
        "mae": absolute,
        "rmse": np.sqrt(squared),
    }


def values(sums: PersonSums, draws: FloatArray, metrics: Sequence[str]) -> dict[str, FloatArray]:
    """Each metric (R,) when person p is taken ``draws[r, p]`` times (R, P)."""
    found: dict[str, FloatArray] = {}
    if any(name in FROM_COUNTS for name in metrics):
        found |= from_counts(draws @ sums.counts)
    if any(name in FROM_MOMENTS for name in metrics):
        found |= from_moments(draws @ sums.moments)
    if "auroc" in metrics:
        above = np.sum((draws @ sums.concordance) * draws, axis=-1)
        high, low = sums.counts[:, [0, 2]].sum(axis=1), sums.counts[:, [1, 3]].sum(axis=1)
        found["auroc"] = _ratio(above, (draws @ high) * (draws @ low), np.nan)
    if "ccc_within" in metrics:
        own = from_moments(sums.moments)["ccc"]
        known = np.isfinite(own)
        found["ccc_within"] = _ratio(
            draws @ np.where(known, own, 0.0), draws @ known.astype(np.float64), np.nan
        )
    return {name: found[name] for name in metrics}


def person_values(sums: PersonSums, metric: str) -> FloatArray:
    """(P,) the metric on each person's own items; ``ccc_within`` is the person's CCC."""
    return values(sums, np.eye(len(sums.weight)), [metric])[metric]


def within_subject_people(sums: PersonSums) -> int:
    """Number of people whose own truth varies, over whom ``ccc_within`` is the mean."""
    return int(np.isfinite(from_moments(sums.moments)["ccc"]).sum())


def overall(sums: PersonSums, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Each metric over everybody."""
    everybody = np.ones((1, len(sums.weight)))
    return {name: float(value[0]) for name, value in values(sums, everybody, metrics).items()}


def prevalence(sums: PersonSums) -> float:
    """Weighted share of positive truth."""
    total = sums.counts.sum()
    return float(sums.counts[:, [0, 2]].sum() / total) if total > 0 else float("nan")
