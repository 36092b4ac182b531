"""Probabilities from scores, how far they can be trusted, and intervals that do not assume.

Legend: K trials, T targets, N items of one target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from affectscope.evaluation.samples import StringArray
from affectscope.records import FloatArray

BINS = 15
COVERAGE = 0.9
CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1, so that one miss does not cost everything."""


@dataclass(frozen=True, eq=False)
class Platt:
    """Probability = sigmoid(slope * score + intercept), slope >= 0, for each of T targets."""

    slope: FloatArray
    intercept: FloatArray

    def probability(self, scores: FloatArray) -> FloatArray:
        """(m, T) scores -> (m, T) probabilities."""
        probability: FloatArray = np.clip(
            expit(scores * self.slope + self.intercept), CLIP, 1 - CLIP
        )
        return probability


def fit_platt(scores: FloatArray, labels: FloatArray, base_rate: FloatArray) -> Platt:
    """Platt's scaling (Platt 1999) of trial scores (K, T) to labels (K, T) of 0, 1 and NaN.

    Platt's smoothed labels keep a perfect separation finite. Where the labels have one class
    only, the scores are constant, or higher scores go with fewer positives, the probability is
    ``base_rate`` (T,), inside (0, 1), for every score: calibration never turns a ranking round.
    """
    slope, intercept = np.zeros(len(base_rate)), logit(base_rate)
    for target, (score, label) in enumerate(zip(scores.T, labels.T, strict=True)):
        rated = np.isfinite(label)
        fitted = _fit_one(score[rated], label[rated])
        if fitted is not None:
            slope[target], intercept[target] = fitted
    return Platt(slope, intercept)


def _fit_one(score: FloatArray, label: FloatArray) -> tuple[float, float] | None:
    """Slope and intercept by Newton's method, None where there is nothing to fit."""
    positives, negatives = label.sum(), (1 - label).sum()
    if positives == 0 or negatives == 0 or score.std() < 1e-9:
        return None
    centre, spread = score.mean(), score.std()
    wanted = np.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([(score - centre) / spread, np.ones(len(score))])
    weights = np.array([0.0, logit(wanted.mean())])
    for _ in range(100):
        probability = expit(design @ weights)
        gradient = design.T @ (wanted - probability)
        curvature = design.T @ (design * (probability * (1 - probability))[:, None])
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        length = float(np.linalg.norm(step))
        weights = weights + step * min(1.0, 2.0 / max(length, 1e-300))
        if length < 1e-9:
            break
    if weights[0] <= 0:
        return None
    return float(weights[0] / spread), float(weights[1] - weights[0] * centre / spread)


def conformal_half_width(
    residual: FloatArray, person: StringArray, *, coverage: float = COVERAGE
) -> FloatArray:
    """(T,) half-widths of split-conformal intervals from the validation people's residuals.

    The split is by participant: ``residual`` (K, T), absolute, NaN where not rated, is of people
    who were not trained on, ``person`` (K,). Every person weighs the same, and one more trial
    counts as infinitely far off, as split conformal prediction asks (Vovk 2005). The coverage
    holds for trials of people like these; with few validation people it is approximate. Infinite
    where there are too few trials for it.
    """
    widths = np.full(residual.shape[1], math.inf)
    for target, values in enumerate(residual.T):
        rated = np.isfinite(values)
        count = int(rated.sum())
        if count == 0:
            continue
        _, own, sizes = np.unique(person[rated], return_inverse=True, return_counts=True)
        weight = 1 / (sizes[own] * len(sizes)) * count / (count + 1)
        order = np.argsort(values[rated], kind="stable")
        enough = np.flatnonzero(np.cumsum(weight[order]) >= coverage - 1e-12)
        if len(enough):
            widths[target] = values[rated][order[enough[0]]]
    return widths


def people_needed(coverage: float) -> int:
    """The fewest people whose windows give ``conformal_over_people`` a finite width."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def equal_weights(person: StringArray) -> FloatArray:
    """(N,) weights of windows, which sum to 1 and with which every person weighs the same."""
    _, own, sizes = np.unique(person, return_inverse=True, return_counts=True)
    return np.asarray(1 / (sizes[own] * len(sizes)))


def conformal_over_people(
    residual: FloatArray, person: StringArray, *, coverage: float = COVERAGE
) -> float:
    """Half-width that holds for a window of one more person, from (N,) residuals >= 0.

    Every one of P people weighs the same, 1 / (P + 1), shared among the person's windows; the
    rest, one unseen person, counts as infinitely far off. Where people are exchangeable, a window
    of a new person lies within the width with at least ``coverage``, on average over people; a
    person's own share may be lower or higher. Infinite with fewer people than ``people_needed``.

    Source: hierarchical conformal prediction, Y. Lee, R. F. Barber, R. Willett,
    Distribution-free inference with hierarchical data, 2023.
    """
    people = len(np.unique(person))
    order = np.argsort(residual, kind="stable")
    reached = np.cumsum(equal_weights(person)[order]) * people / (people + 1)
    enough = np.flatnonzero(reached >= coverage - 1e-12)
    return float(residual[order][enough[0]]) if len(enough) else math.inf


def brier(label: FloatArray, probability: FloatArray) -> float:
    """Mean squared error of (N,) probabilities, 0 to 1; a constant 0.5 gives 0.25."""
    return float(np.mean((probability - label) ** 2))


def negative_log_likelihood(label: FloatArray, probability: FloatArray) -> float:
    """Mean of -ln p(label), >= 0; a constant 0.5 gives ln 2. A label between 0 and 1 counts as so
    many of 1 and the rest of 0."""
    p = np.clip(probability, CLIP, 1 - CLIP)
    return float(-np.mean(label * np.log(p) + (1 - label) * np.log1p(-p)))


def expected_calibration_error(
    label: FloatArray, probability: FloatArray, *, bins: int = BINS
) -> float:
    """Mean distance between probability and observed rate over bins of equal mass, 0 to 1.

    Equal probabilities always share a bin, so a constant probability has one bin.
    """
    place = (rankdata(probability) - 0.5) / len(probability)
    owner = np.minimum((place * bins).astype(np.int64), bins - 1)
    gap = np.bincount(owner, probability - label, minlength=bins)
    return float(np.abs(gap).sum() / len(label))


def risk_coverage(
    wrong: FloatArray, confidence: FloatArray, weight: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Coverage (N,) and error rate (N,) when only the most confident items are answered.

    ``wrong`` (N,) is 1 for an error, or an error's size; ``weight`` (N,) is what each item counts
    for, the same for all by itself. Among equally confident items the order is unknown: each
    counts with their common error rate.
    """
    counts = np.ones(len(wrong)) if weight is None else weight
    _, tie = np.unique(-confidence, return_inverse=True)
    rate = (np.bincount(tie, wrong * counts) / np.bincount(tie, counts))[tie]
    order = np.argsort(tie, kind="stable")
    reached = np.cumsum(counts[order])
    return reached / reached[-1], np.cumsum((rate * counts)[order]) / reached


def risk_coverage_area(
    wrong: FloatArray, confidence: FloatArray, weight: FloatArray | None = None
) -> float:
    """Mean error rate over all coverages, 0 to 1; lower is better."""
    coverage, rate = risk_coverage(wrong, confidence, weight)
    return float((np.diff(coverage, prepend=0.0) * rate).sum())
