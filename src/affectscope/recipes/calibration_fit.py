"""From scored windows of people to what ``calibration.json`` says of a network.

Whatever is chosen, a weight, a width's dependence on quality or a temperature, is judged on people
who had no part in the choice (``FOLDS`` of people), and kept only where it helps for sure: where
the 95 % interval over people of what it changes lies below 0. Every person weighs the same.

1. Fusion, one modality after the other: the quality ``good`` below which its share is drawn to its
   mean, of ``GOOD``, by the mean absolute error of the ratings.
2. Intervals: for every set of modalities, each window scored as if only those were there. Scale of
   a residual: exp(sum of widening_m (1 - quality_m)), widening_m >= 0, by the likelihood of a
   Laplace distribution. Half-width at full quality: ``conformal_over_people`` of residual / scale,
   each by the scale that others taught.
3. Temperature of the emotions: one, by the likelihood of emotions in [0, 1].

Legend: N rows, T = 10 targets, M = 3 modalities, P people.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from affectscope.evaluation.calibration import (
    conformal_over_people,
    equal_weights,
    people_needed,
    risk_coverage,
    risk_coverage_area,
)
from affectscope.evaluation.cluster_bootstrap import draw_people, interval
from affectscope.evaluation.samples import StringArray
from affectscope.inference.calibration import (
    RATINGS,
    Change,
    FusionRule,
    IntervalRule,
    RiskCoverage,
    Temperature,
    rows_of,
    tempered,
    weighed,
    widened,
)
from affectscope.inference.predictor import Predictor, Shares
from affectscope.records import (
    EMOTIONS,
    MODALITIES,
    TARGETS,
    BoolArray,
    FloatArray,
    Modality,
)

FOLDS = 5
GOOD = (0.25, 0.5, 0.75, 1.0)
"""Qualities tried as the one from which on a modality counts whole."""
STEEPEST = 3.0
"""Largest widening: no quality makes an interval more than 20 times as wide."""
SHARES_SHOWN = 20
_EMOTIONS = [TARGETS.index(name) for name in EMOTIONS]


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Windows of people whom the network has not learnt from.

    person (N,); shares (N, O) by modality, as the network gives them; present (N, M) bool and
    quality (N, M) in the order of ``MODALITIES``; truth (N, T), NaN where not rated.
    """

    person: StringArray
    shares: Shares
    present: BoolArray
    quality: FloatArray
    truth: FloatArray

    def estimates(self, predictor: Predictor, shares: Shares, name: str = "") -> FloatArray:
        """(N, T) of given shares; ``name``: as if only those modalities, "face+eda", were there."""
        kept = name.split("+") if name else list(self.shares)
        present = {m: self.present[:, MODALITIES.index(m)] for m in self.shares if m in kept}
        return predictor.values(shares, present)


@dataclass(frozen=True)
class Fitted:
    """What was learnt, as the fields of ``Calibration`` of the same names."""

    fusion: Mapping[str, FusionRule]
    intervals: Mapping[str, Mapping[str, IntervalRule]]
    temperature: Temperature
    risk: Mapping[str, RiskCoverage]


def fit_calibration(predictor: Predictor, rows: ScoredRows, *, coverage: float) -> Fitted:
    """All of it for a predictor without a calibration."""
    assert predictor.calibration is None
    fusion = fit_fusion(predictor, rows)
    shares: Shares = {
        name: weighed(share, fusion[name], _quality(rows, name))
        for name, share in rows.shares.items()
    }
    intervals, risk = _intervals(predictor, rows, shares, coverage)
    values = rows.estimates(predictor, shares)[:, _EMOTIONS]
    return Fitted(
        fusion, intervals, fit_temperature(values, rows.truth[:, _EMOTIONS], rows.person), risk
    )


def held_out(person: StringArray) -> Iterator[tuple[BoolArray, BoolArray]]:
    """(N,) rows that teach and rows of other people to judge by, for each fold of people."""
    _, number = np.unique(person, return_inverse=True)
    for fold in range(min(FOLDS, number.max() + 1)):
        judged = number % FOLDS == fold
        yield ~judged, judged


def by_person(values: FloatArray, person: StringArray) -> FloatArray:
    """(P,) each person's mean of (N,) values, over those that are there."""
    there = np.isfinite(values)
    _, own = np.unique(person[there], return_inverse=True)
    return np.asarray(np.bincount(own, values[there]) / np.bincount(own))


def change(before: FloatArray, after: FloatArray, person: StringArray) -> Change:
    """Means over two people or more of (N,) values, NaN in the same rows, and the interval."""
    old, new = by_person(before, person), by_person(after, person)
    drawn = draw_people(len(old)).people @ (new - old) / len(old)
    low, high = interval(drawn, len(old))
    return Change(float(old.mean()), float(new.mean()), low, high)


def fit_fusion(predictor: Predictor, rows: ScoredRows) -> dict[str, FusionRule]:
    """By modality: from which quality on it counts whole."""
    weights = equal_weights(rows.person)
    shares: Shares = dict(rows.shares)
    rules: dict[str, FusionRule] = {}
    for name in rows.shares:
        there = rows.present[:, MODALITIES.index(name)]
        kept = weights * there
        mean = kept @ rows.shares[name] / max(kept.sum(), 1e-12)
        reference = tuple(float(value) for value in mean)

        def error(
            good: float, name: Modality = name, reference: tuple[float, ...] = reference
        ) -> FloatArray:
            rule = FusionRule(good, reference, Change(0, 0, 0, 0))
            drawn = weighed(rows.shares[name], rule, _quality(rows, name))
            return _error(rows.estimates(predictor, {**shares, name: drawn}), rows.truth)

        errors = {good: error(good) for good in (0.0, *GOOD)}
        judged = _chosen_by_others(errors, rows.person)
        found = change(errors[0.0], judged, rows.person)
        good = _best(errors, weights) if found.lower else 0.0
        rules[name] = FusionRule(good, reference, found)
        shares[name] = weighed(rows.shares[name], rules[name], _quality(rows, name))
    return rules


def _chosen_by_others(errors: Mapping[float, FloatArray], person: StringArray) -> FloatArray:
    """(N,) each row's error with what other people chose."""
    judged = np.full(len(person), np.nan)
    for taught, others in held_out(person):
        weights = np.where(taught, _weights_within(person, taught), 0.0)
        judged[others] = errors[_best(errors, weights)][others]
    return judged


def _best(errors: Mapping[float, FloatArray], weights: FloatArray) -> float:
    return min(errors, key=lambda good: float(np.nansum(weights * errors[good])))


def _error(values: FloatArray, truth: FloatArray) -> FloatArray:
    """(N,) mean absolute error over the ratings that are both estimated and known; else NaN."""
    columns = [TARGETS.index(name) for name in RATINGS]
    apart = np.abs(values - truth)[:, columns]
    known = np.isfinite(apart)
    total = np.where(known, apart, 0.0).sum(axis=1)
    nothing = np.full(len(apart), np.nan)
    return np.asarray(np.divide(total, known.sum(axis=1), out=nothing, where=known.any(axis=1)))


def _quality(rows: ScoredRows, name: Modality) -> FloatArray:
    return rows.quality[:, MODALITIES.index(name)]


def _weights_within(person: StringArray, rows: BoolArray) -> FloatArray:
    """(N,) equal weights of the people of some rows, 0 elsewhere."""
    weights = np.zeros(len(person))
    if rows.any():
        weights[rows] = equal_weights(person[rows])
    return weights


def _intervals(
    predictor: Predictor, rows: ScoredRows, shares: Shares, coverage: float
) -> tuple[dict[str, dict[str, IntervalRule]], dict[str, RiskCoverage]]:
    """By target and set of modalities; the risk of each target over the windows as they are."""
    modalities = predictor.model.config.modalities
    rules: dict[str, dict[str, IntervalRule]] = {}
    residuals = np.full((len(rows.person), len(RATINGS)), np.nan)
    widths = np.full((len(rows.person), len(RATINGS)), np.nan)
    for name in sets_of(modalities):
        there = rows.present[:, [MODALITIES.index(m) for m in name.split("+")]].all(axis=1)
        as_is = rows_of(name, modalities, rows.present)
        apart = np.abs(rows.estimates(predictor, shares, name) - rows.truth)
        for column, target in enumerate(RATINGS):
            residual = np.where(there, apart[:, TARGETS.index(target)], np.nan)
            rule, scale = fit_interval(residual, rows, name, coverage=coverage)
            if rule is not None:
                rules.setdefault(target, {})[name] = rule
                residuals[as_is, column] = residual[as_is]
                widths[as_is, column] = rule.half_width * scale[as_is]
    risk = {
        target: _risk(residuals[:, column], widths[:, column], rows.person)
        for column, target in enumerate(RATINGS)
        if target in rules and np.isfinite(residuals[:, column]).any()
    }
    return rules, risk


def sets_of(modalities: tuple[Modality, ...]) -> list[str]:
    """Every set of a network's modalities that is not empty: "face+ecg+eda" first."""
    return [
        "+".join(taken)
        for count in range(len(modalities), 0, -1)
        for taken in itertools.combinations(modalities, count)
    ]


def fit_interval(
    residual: FloatArray, rows: ScoredRows, name: str, *, coverage: float
) -> tuple[IntervalRule | None, FloatArray]:
    """The rule for (N,) residuals, NaN where there is none, and each row's scale as others taught
    it; None where there are too few people."""
    known = np.isfinite(residual)
    scale = np.full(len(residual), np.nan)
    people = len(np.unique(rows.person[known]))
    if people < people_needed(coverage):
        return None, scale
    quality, person, found = rows.quality[known], rows.person[known], residual[known]
    scales = np.ones(len(found))
    for taught, others in held_out(person):
        learnt = _widening(found[taught], quality[taught], person[taught], name)
        scales[others] = widened(learnt, quality[others])
    width = conformal_over_people(found / scales, person, coverage=coverage)
    scale[known] = scales
    widening = _widening(found, quality, person, name)
    return IntervalRule(width, widening, people, int(known.sum())), scale


def _widening(
    residual: FloatArray, quality: FloatArray, person: StringArray, name: str
) -> dict[str, float]:
    """By modality how fast the residuals grow where its quality falls; never negative."""
    names = name.split("+")
    lacking = 1 - quality[:, [MODALITIES.index(m) for m in names]]  # (N, M)
    design = np.column_stack([np.ones(len(residual)), lacking])
    weights = equal_weights(person)

    def cost(slopes: FloatArray) -> tuple[float, FloatArray]:
        exponent = design @ slopes
        relative = residual * np.exp(-exponent)
        value = float(weights @ (relative + exponent))
        return value, design.T @ (weights * (1 - relative))

    start = np.zeros(design.shape[1])
    start[0] = math.log(max(float(weights @ residual), 1e-6))
    bounds = [(None, None), *[(0.0, STEEPEST)] * len(names)]
    found = minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return {m: float(slope) for m, slope in zip(names, found.x[1:], strict=True)}


def _risk(residual: FloatArray, width: FloatArray, person: StringArray) -> RiskCoverage:
    known = np.isfinite(residual)
    error, narrow, weights = residual[known], -width[known], equal_weights(person[known])
    reached, risk = risk_coverage(error, narrow, weights)
    shares = np.arange(1, SHARES_SHOWN + 1) / SHARES_SHOWN
    at = np.minimum(np.searchsorted(reached, shares - 1e-9), len(risk) - 1)
    return RiskCoverage(
        tuple(float(share) for share in shares),
        tuple(float(value) for value in risk[at]),
        risk_coverage_area(error, narrow, weights),
    )


def fit_temperature(emotions: FloatArray, truth: FloatArray, person: StringArray) -> Temperature:
    """One temperature for (N, E) estimates of emotions; 1 where none is better for sure."""
    known = np.isfinite(emotions) & np.isfinite(truth)
    rated = known.any(axis=1)
    emotions, truth, known, person = emotions[rated], truth[rated], known[rated], person[rated]
    if not len(person):
        return Temperature(1.0, 0, Change(0.0, 0.0, 0.0, 0.0))

    def loss(temperature: float) -> FloatArray:
        probability = tempered(np.where(known, emotions, 0.5), temperature)
        wanted = np.where(known, truth, 0.0)
        each = -(wanted * np.log(probability) + (1 - wanted) * np.log1p(-probability))
        return np.asarray(np.where(known, each, 0.0).sum(axis=1) / known.sum(axis=1))

    before, after = loss(1.0), np.empty(len(person))
    for taught, others in held_out(person):
        after[others] = loss(_coolest(loss, _weights_within(person, taught)))[others]
    found = change(before, after, person)
    value = _coolest(loss, equal_weights(person)) if found.lower else 1.0
    return Temperature(value, len(np.unique(person)), found)


def _coolest(loss: Callable[[float], FloatArray], weights: FloatArray) -> float:
    """The temperature with the lowest weighted loss, from 1/8 to 8."""
    found = minimize_scalar(
        lambda power: float(weights @ loss(math.exp(power))),
        bounds=(-math.log(8), math.log(8)),
        method="bounded",
    )
    return float(math.exp(found.x))
