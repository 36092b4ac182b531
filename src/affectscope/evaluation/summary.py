"""Tables of an experiment: every metric with its interval, comparisons, ranks, calibration.

Legend: P people, K models, R draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from affectscope.errors import EvaluationError
from affectscope.evaluation.calibration import (
    brier,
    expected_calibration_error,
    negative_log_likelihood,
    risk_coverage_area,
)
from affectscope.evaluation.cluster_bootstrap import (
    DRAWS,
    draw_people,
    estimates,
    interval,
    rated_people,
    resampled,
)
from affectscope.evaluation.comparison import (
    PERMUTATIONS,
    Within,
    average_ranks,
    critical_difference,
    friedman_p,
    holm,
    permutation_p,
    wilcoxon_p,
)
from affectscope.evaluation.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    PersonSums,
    person_sums,
    person_values,
    prevalence,
    within_subject_people,
)
from affectscope.evaluation.scores import Level, Panel, Scores, check_metric, read_panel
from affectscope.records import FloatArray


def summarise(predictions: pd.DataFrame, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Every metric of every model and target, at frame and trial level, with its 95 % interval.

    Args:
        predictions: ``cross_validate``'s tables of one protocol, joined.
        draws: resamples of participants (``cluster_bootstrap``).

    Returns:
        Columns model, target, level, metric, value, low, high, prevalence, subjects, trials, seeds.
        ``subjects`` is the number of people with a rated trial; for ccc_within, of those whose
        truth varies.

    Raises:
        EvaluationError: E_EVALUATION.
    """
    rows: list[dict[str, object]] = []
    for level in get_args(Level):
        panel = read_panel(predictions, level)
        drawn = draw_people(len(panel.people), draws=draws, seed=seed)
        for model in panel.models:
            for target in panel.targets:
                runs = panel.of(model, target)
                if not runs:
                    continue
                sums = [person_sums(run.items) for run in runs]
                value = estimates(sums, METRICS)
                spread = resampled(sums, drawn, METRICS)
                shared = {"model": model, "target": target, "level": level}
                facts = _facts(runs, sums)
                for metric in METRICS:
                    low, high = interval(spread[metric], rated_people(sums))
                    numbers = {"metric": metric, "value": value[metric], "low": low, "high": high}
                    rows.append({**shared, **numbers, **facts[metric == "ccc_within"]})
    return pd.DataFrame(rows)


def _facts(runs: Sequence[Scores], sums: Sequence[PersonSums]) -> tuple[dict[str, object], ...]:
    """What stands beside the numbers; the second entry is for ccc_within."""
    facts: dict[str, object] = {
        "prevalence": prevalence(sums[0]),
        "subjects": rated_people(sums),
        "trials": runs[0].trials,
        "seeds": len(runs),
    }
    return facts, {**facts, "subjects": within_subject_people(sums[0])}


def compare(
    predictions: pd.DataFrame, metric: str, level: Level, reference: str, *, draws: int = DRAWS
) -> pd.DataFrame:
    """Every model against ``reference``: paired differences with intervals, and tests.

    ``difference`` is model_a less model_b (the reference), with its interval from shared draws of
    participants. ``p`` is Wilcoxon's signed-rank test over people's own values of the metric
    (means over seeds; people for whom it is undefined are left out). ``p_holm`` corrects for all
    tests of the table.

    Returns:
        Columns target, metric, level, model_a, model_b, difference, low, high, p, p_holm.

    Raises:
        EvaluationError: E_EVALUATION, also for an unknown metric or reference.
    """
    check_metric(metric)
    panel = read_panel(predictions, level)
    _check_model(panel, reference)
    drawn = draw_people(len(panel.people), draws=draws)
    rows = []
    for target in panel.targets:
        sums = _sums_by_model(panel, target)
        if reference not in sums:
            continue
        base = resampled(sums[reference], drawn, [metric])[metric]
        for model in (name for name in sums if name != reference):
            change = resampled(sums[model], drawn, [metric])[metric] - base
            low, high = interval(change, rated_people(sums[reference]))
            rows.append({
                "target": target, "metric": metric, "level": level, "model_a": model,
                "model_b": reference,
                "difference": estimates(sums[model], [metric])[metric]
                - estimates(sums[reference], [metric])[metric],
                "low": low, "high": high,
                "p": wilcoxon_p(_own(sums[model], metric) - _own(sums[reference], metric)),
            })  # fmt: skip
    table = pd.DataFrame(rows, columns=["target", "metric", "level", "model_a", "model_b",
                                        "difference", "low", "high", "p"])  # fmt: skip
    return table.assign(p_holm=holm(table["p"].to_list()))


@dataclass(frozen=True)
class Ranks:
    """Models ranked against each other over people.

    Attributes:
        average_rank: model -> mean rank, 1 = best.
        friedman_p: that all rank alike; NaN with fewer than three models.
        critical_difference: Nemenyi at 5 %: mean ranks that lie closer are not told apart.
        people: how many people were ranked over: those for whom every model has a value.
    """

    average_rank: Mapping[str, float]
    friedman_p: float
    critical_difference: float
    people: int


def ranks(predictions: pd.DataFrame, metric: str, level: Level = "trial") -> Ranks:
    """Friedman's test and Nemenyi's critical difference, with people as blocks.

    A person's value is the mean over targets of the metric on the person's own items.

    Raises:
        EvaluationError: E_EVALUATION, also for an unknown metric or models that were not run on
            the same targets.
    """
    check_metric(metric)
    panel = read_panel(predictions, level)
    total, known = np.zeros((2, len(panel.people), len(panel.models)))
    for target in panel.targets:
        sums = _sums_by_model(panel, target)
        if len(sums) < len(panel.models):
            raise EvaluationError(
                "E_EVALUATION",
                f"Not every model was run on {target}.",
                "Rank models that were run on the same targets.",
            )
        own = np.column_stack([_own(sums[model], metric) for model in panel.models])
        everybody = np.isfinite(own).all(axis=1)
        total[everybody] += own[everybody]
        known[everybody] += 1
    counted = known[:, 0] > 0
    values = total[counted] / known[counted]
    # Equal values must tie in spite of the order of summation.
    values = np.round(-values if metric in LOWER_IS_BETTER else values, 12)
    mean = average_ranks(values) if counted.any() else np.full(len(panel.models), np.nan)
    return Ranks(
        {model: float(rank) for model, rank in zip(panel.models, mean, strict=True)},
        friedman_p(values),
        critical_difference(len(panel.models), int(counted.sum())),
        int(counted.sum()),
    )


def permutation_table(
    predictions: pd.DataFrame, metric: str, *, within: Within, draws: int = PERMUTATIONS,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Each model and target at trial level against labels permuted within person or clip.

    Returns:
        Columns model, target, metric, within, value, p (``comparison.permutation_p``).

    Raises:
        EvaluationError: E_EVALUATION.
    """
    check_metric(metric)
    panel = read_panel(predictions, "trial")
    rows = []
    for model in panel.models:
        for target in panel.targets:
            if runs := panel.of(model, target):
                value, p = permutation_p(runs, metric, within=within, draws=draws, seed=seed)
                rows.append({"model": model, "target": target, "metric": metric,
                             "within": within, "value": value, "p": p})  # fmt: skip
    return pd.DataFrame(rows)


def calibration_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """How far each model's probabilities and intervals can be trusted, at trial level.

    Returns:
        Columns model, target, brier, nll, ece, risk_coverage_area, interval_coverage (share of
        trials inside their 90 % conformal interval) and interval_half_width (its mean, infinite
        where a fold had too few validation trials); means over seeds.

    Raises:
        EvaluationError: E_EVALUATION.
    """
    panel = read_panel(predictions, "trial")
    rows = []
    for model in panel.models:
        for target in panel.targets:
            if runs := panel.of(model, target):
                found = pd.DataFrame([_calibration(run) for run in runs]).mean()
                rows.append({"model": model, "target": target, **found.to_dict()})
    return pd.DataFrame(rows)


def _calibration(run: Scores) -> dict[str, float]:
    label, probability = run.items.high.astype(np.float64), run.probability
    wrong = (run.items.high != (probability >= 0.5)).astype(np.float64)
    inside = np.abs(run.items.score - run.items.truth) <= run.half_width + 1e-6
    return {
        "brier": brier(label, probability),
        "nll": negative_log_likelihood(label, probability),
        "ece": expected_calibration_error(label, probability),
        "risk_coverage_area": risk_coverage_area(wrong, np.abs(probability - 0.5)),
        "interval_coverage": float(inside.mean()),
        "interval_half_width": float(run.half_width.mean()),
    }


def _sums_by_model(panel: Panel, target: str) -> dict[str, list[PersonSums]]:
    found = {model: panel.of(model, target) for model in panel.models}
    return {
        model: [person_sums(run.items) for run in runs] for model, runs in found.items() if runs
    }


def _own(runs: Sequence[PersonSums], metric: str) -> FloatArray:
    """(P,) each person's own value, the mean over seeds."""
    mean: FloatArray = np.mean([person_values(sums, metric) for sums in runs], axis=0)
    return mean


def _check_model(panel: Panel, model: str) -> None:
    if model not in panel.models:
        raise EvaluationError(
            "E_EVALUATION",
            f"There is no model '{model}' in the table.",
            f"Choose one of {', '.join(panel.models)}.",
        )
