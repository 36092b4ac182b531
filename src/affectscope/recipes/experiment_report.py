"""What an experiment hands to its report: numbers, where they come from, and what they are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from affectscope.datasets.corpus import Exclusion
from affectscope.recipes.paper_numbers import ComparedSystem, PaperColumn
from affectscope.recipes.report_blocks import Section
from affectscope.recipes.report_numbers import MAIN
from affectscope.records import Notice

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_COLUMNS = (
    "model", "target", "level", "metric", "value", "low", "high", "prevalence", "subjects",
    "trials", "seeds",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "target", "metric", "level", "model_a", "model_b", "difference", "low", "high", "p", "p_holm",
)  # fmt: skip


@dataclass(frozen=True)
class RunExtent:
    """How much of the protocol was run.

    ``limit``: in words, what else was cut ("trials to 20 per person"); "" where nothing was.
    """

    folds: int
    all_folds: int
    seeds: int
    all_seeds: int
    limit: str = ""

    @property
    def quick(self) -> bool:
        """True where anything was left out for a quick look."""
        return self.folds < self.all_folds or self.seeds < self.all_seeds or bool(self.limit)


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of systems over people, 1 the best; Friedman's test, Nemenyi's difference.

    ``measured``: what was ranked ("macro F1 of valence, per person").
    """

    measured: str
    mean_ranks: Mapping[str, float]
    p: float
    critical_difference: float
    subjects: int


@dataclass(frozen=True, eq=False)
class ExperimentReport:
    """Everything that the tables of one experiment say.

    Attributes:
        title: of the page; ``table``: which of the paper's it answers, "Table III".
        simulated: True marks every page as simulated.
        protocol: one sentence; it names the split and what was fitted where.
        models, baselines, oracles: names in the order to show; an oracle has seen what no system
            may see, and is a ceiling.
        summary: of ``evaluation.summary.summarise``, columns ``SUMMARY_COLUMNS``: shares, not per
            cent; ``level`` is "frame" or "trial".
        comparisons: of ``evaluation.summary.compare``, columns ``COMPARISON_COLUMNS``: paired
            differences a - b.
        permutations: columns of ``evaluation.summary.permutation_table``.
        calibration: any columns, shown as they are.
        paper: one of our models -> the paper's column beside it.
        compared: other groups' numbers as the paper prints them.
        intervals: how the intervals were computed, one sentence.
        configuration: the resolved configuration, plain JSON values.
        open_questions: beside those of the paper.
        main_metrics: what the main tables show, in order.
        more: sections of this experiment alone, behind the main tables.
        warning: what nobody may overlook; "" for nothing.
    """

    title: str
    table: str
    corpus: str
    simulated: bool
    protocol: str
    extent: RunExtent
    subjects: int
    trials: int
    models: tuple[str, ...]
    baselines: tuple[str, ...]
    oracles: tuple[str, ...]
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    intervals: str
    configuration: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: float
    ranks: tuple[Ranks, ...] = ()
    permutations: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    exclusions: tuple[Exclusion, ...] = ()
    notices: tuple[Notice, ...] = ()
    paper: Mapping[str, PaperColumn] = field(default_factory=dict)
    compared: tuple[ComparedSystem, ...] = ()
    open_questions: tuple[str, ...] = ()
    main_metrics: tuple[str, ...] = MAIN
    more: tuple[Section, ...] = ()
    warning: str = ""
