"""What a leaky split adds to a system's numbers, on the same people.

Legend: R draws, P people.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectscope.errors import EvaluationError
from affectscope.evaluation.cluster_bootstrap import (
    DRAWS,
    Draws,
    draw_people,
    estimates,
    interval,
    resampled,
)
from affectscope.evaluation.metrics import PersonSums, person_sums
from affectscope.evaluation.scores import Level, Panel, check_metric, read_panel
from affectscope.records import FloatArray

COLUMNS = (
    "model", "target", "level", "metric", "honest", "honest_low", "honest_high", "leaky",
    "leaky_low", "leaky_high", "difference", "low", "high", "subjects",
)  # fmt: skip


def split_effect(
    honest: pd.DataFrame,
    leaky: pd.DataFrame,
    metrics: Sequence[str],
    *,
    level: Level = "trial",
    draws: int = DRAWS,
) -> pd.DataFrame:
    """Each metric under both splits, and leaky less honest, each with its 95 % interval.

    Both are scored on the people whom both have tested and who rated something, and each draw
    takes the same participants (and seeds) for both, so that the difference is paired.

    Args:
        honest, leaky: ``cross_validate``'s tables of one protocol each.

    Returns:
        ``COLUMNS``, a row for each model and target of both tables, and each metric.

    Raises:
        EvaluationError: E_EVALUATION, also for an unknown metric or where no person is in both.
    """
    for metric in metrics:
        check_metric(metric)
    people = _rated_people(honest) & _rated_people(leaky)
    if not people:
        raise EvaluationError(
            "E_EVALUATION", "Nobody was tested under both splits.", "Run more folds of each."
        )
    panels = [read_panel(table[table["subject"].isin(people)], level) for table in (honest, leaky)]
    drawn = draw_people(len(people), draws=draws)
    rows = []
    for model in panels[0].models:
        for target in panels[0].targets:
            if panels[1].of(model, target):
                rows += _effects(panels, drawn, model, target, metrics)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(level=level, subjects=len(people))


def _rated_people(predictions: pd.DataFrame) -> set[str]:
    rated = predictions.loc[np.isfinite(predictions["truth"].to_numpy()), "subject"]
    return {str(name) for name in rated.unique()}


def _effects(
    panels: Sequence[Panel], drawn: Draws, model: str, target: str, metrics: Sequence[str]
) -> list[dict[str, object]]:
    values: list[dict[str, float]] = []
    spreads: list[dict[str, FloatArray]] = []
    rated = len(drawn.people[0])
    for panel in panels:
        sums: list[PersonSums] = [person_sums(run.items) for run in panel.of(model, target)]
        values.append(estimates(sums, metrics))
        spreads.append(resampled(sums, drawn, metrics))
    rows = []
    for metric in metrics:
        row: dict[str, object] = {"model": model, "target": target, "metric": metric}
        for name, value, spread in zip(("honest", "leaky"), values, spreads, strict=True):
            row[name] = value[metric]
            row[f"{name}_low"], row[f"{name}_high"] = interval(spread[metric], rated)
        row["difference"] = values[1][metric] - values[0][metric]
        row["low"], row["high"] = interval(spreads[1][metric] - spreads[0][metric], rated)
        rows.append(row)
    return rows
