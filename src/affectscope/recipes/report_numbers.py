"""An experiment's summary, asked by model, target, level and metric, and the names of metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from affectscope.evaluation.metrics import LOWER_IS_BETTER
from affectscope.recipes.report_blocks import Cell, hundredths, percents
from affectscope.records import TARGETS

if TYPE_CHECKING:
    import pandas as pd

Level = Literal["frame", "trial"]

METRIC_NAMES = {
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy (= unweighted average recall, UAR)",
    "mcc": "Matthews correlation",
    "auroc": "area under the ROC curve",
    "precision_positive": "precision, positive class",
    "precision_macro": "precision, macro",
    "precision_weighted": "precision, weighted",
    "accuracy": "accuracy",
    "ccc": "concordance (CCC)",
    "pearson": "Pearson correlation",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "ccc_within": "concordance within people",
}
MAIN = ("macro_f1", "balanced_accuracy")
PRECISIONS = ("precision_positive", "precision_macro", "precision_weighted", "accuracy")
AS_NUMBERS = ("ccc", "pearson", "mae", "rmse", "ccc_within")
OTHERS = ("auroc", "mcc")


class Numbers:
    """The summary, asked by (model, target, level, metric)."""

    def __init__(self, summary: pd.DataFrame) -> None:
        keys = zip(
            summary["model"], summary["target"], summary["level"], summary["metric"], strict=True
        )
        values = zip(summary["value"], summary["low"], summary["high"], strict=True)
        self._values = {
            key: (float(value), float(low), float(high))
            for key, (value, low, high) in zip(keys, values, strict=True)
        }
        prevalences = zip(summary["target"], summary["level"], summary["prevalence"], strict=True)
        self._prevalence = {
            (target, level): float(share) for target, level, share in prevalences if share == share
        }
        there = set(summary["target"])
        self.targets = tuple(target for target in TARGETS if target in there)
        self.metrics = set(summary["metric"])

    def known(self, model: str, target: str, level: Level, metric: str) -> bool:
        """Whether there is such a value."""
        value = self.value(model, target, level, metric)
        return value == value

    def value(self, model: str, target: str, level: Level, metric: str) -> float:
        return self._values.get((model, target, level, metric), (math.nan,) * 3)[0]

    def low(self, model: str, target: str, level: Level, metric: str) -> float:
        return self._values.get((model, target, level, metric), (math.nan,) * 3)[1]

    def cell(self, model: str, target: str, level: Level, metric: str, *, percent: bool) -> Cell:
        """The value, and its interval as detail."""
        value, low, high = self._values.get((model, target, level, metric), (math.nan,) * 3)
        write = percents if percent else hundredths
        detail = "" if low != low or high != high else f"{write(low)} to {write(high)}"
        return Cell(write(value), detail)

    def above(self, model: str, others: Sequence[str], *, target: str, metric: str) -> bool:
        """Whether the model's whole interval lies above the value of each of ``others``, per trial.

        False where none of them has a value, and for errors.
        """
        if metric in LOWER_IS_BETTER:
            return False
        values = [
            self.value(name, target, "trial", metric)
            for name in others
            if self.known(name, target, "trial", metric)
        ]
        return bool(values) and self.low(model, target, "trial", metric) > max(values)

    def prevalence(self, target: str, level: Level) -> float:
        return self._prevalence.get((target, level), math.nan)
