"""What each idea of the fused network is worth, and what it costs to lose a modality.

Every number is a mean over valence, arousal and liking of a metric per trial; differences are
paired over the same people, with 95 % intervals by the bootstrap of participants.

Legend: R draws of participants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affectscope.baselines.compared import COMPARED_TARGETS
from affectscope.evaluation.cluster_bootstrap import (
    Draws,
    draw_people,
    estimates,
    interval,
    resampled,
)
from affectscope.evaluation.metrics import person_sums
from affectscope.evaluation.scores import Panel, read_panel
from affectscope.models.shipped import ResultTable
from affectscope.recipes.beyond_systems import FUSED, IDEAS, NO_DROPOUT, ablation, taken_away
from affectscope.recipes.report_blocks import Cell, Row, Section, Table, hundredths, signed
from affectscope.records import MODALITIES, FloatArray

if TYPE_CHECKING:
    import pandas as pd

METRICS = {"ccc": "CCC", "macro_f1": "macro F1"}
"""The first decides whether an idea earns its place."""
COST_TITLE = "Cost of a missing modality"
_NAMES = {"face": "face", "ecg": "ECG", "eda": "EDA"}


@dataclass(frozen=True)
class Difference:
    """A paired difference, its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    @property
    def cell(self) -> Cell:
        """As a report shows it."""
        return Cell(signed(self.value), f"[{signed(self.low)}, {signed(self.high)}]")

    @property
    def text(self) -> str:
        """As a model's card shows it."""
        return f"{self.cell.text} {self.cell.detail}"


class Trials:
    """Everybody's predictions per trial, with draws of participants that all systems share."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.panel: Panel = read_panel(frame, "trial")
        self._draws: Draws = draw_people(len(self.panel.people))
        self._known: dict[tuple[str, str], tuple[float, FloatArray]] = {}

    def value(self, model: str, metric: str) -> float:
        """The mean over the rated targets."""
        return self._mean(model, metric)[0]

    def difference(self, ours: str, other: str, metric: str) -> Difference:
        """Ours less the other's."""
        (own, spread), (others, others_spread) = (
            self._mean(name, metric) for name in (ours, other)
        )
        low, high = interval(spread - others_spread, len(self.panel.people))
        return Difference(own - others, low, high)

    def cost(self, name: str, away: Sequence[str], metric: str) -> Difference:
        """What ``name`` loses without a modality at test, the mean over those ``away``."""
        own, spread = self._mean(name, metric)
        lesser = [self._mean(taken_away(name, each), metric) for each in MODALITIES
                  if each in away]  # fmt: skip
        lost = spread - sum(drawn for _, drawn in lesser) / len(lesser)
        low, high = interval(lost, len(self.panel.people))
        return Difference(own - math.fsum(value for value, _ in lesser) / len(lesser), low, high)

    def _mean(self, model: str, metric: str) -> tuple[float, FloatArray]:
        """Over the rated targets, and over them in each draw (R,)."""
        if (model, metric) not in self._known:
            values, spreads = [], []
            for target in COMPARED_TARGETS:
                sums = [person_sums(run.items) for run in self.panel.of(model, target)]
                if sums:
                    values.append(estimates(sums, [metric])[metric])
                    spreads.append(resampled(sums, self._draws, [metric])[metric])
            mean: FloatArray = sum(spreads[1:], spreads[0]) / len(spreads)
            self._known[model, metric] = math.fsum(values) / len(values), mean
        return self._known[model, metric]


def ideas_section(trials: Trials) -> Section:
    """What the fused network gains by each idea, and whether it earns its place."""
    rows = []
    for idea, words in IDEAS.items():
        name, ideas = ablation(idea)
        used = not getattr(ideas, idea)
        gains = [_gain(trials, name, used=used, metric=metric) for metric in METRICS]
        verdict = f"{'in' if used else 'out of'} the default"
        rows.append(Row(words, (*(gain.cell for gain in gains), Cell(verdict))))
    return Section(
        "What each idea is worth",
        (
            "Each row: the fused network with the idea less the same network without it, all else "
            "as in the default; the mean over valence, arousal and liking per trial. CCC decides; "
            "modality dropout is judged by what a missing modality costs.",
        ),
        (Table("Gain by each idea", ("Idea", *METRICS.values(), "Now"), tuple(rows)),),
    )


def _gain(trials: Trials, name: str, *, used: bool, metric: str) -> Difference:
    ours, other = (FUSED, name) if used else (name, FUSED)
    return trials.difference(ours, other, metric)


def cost_rows(trials: Trials) -> tuple[tuple[str, tuple[Difference, ...]], ...]:
    """By what is taken away: the loss of the fused network, and without modality dropout."""
    found = []
    for label, away in (*((f"no {_NAMES[each]}", (each,)) for each in MODALITIES),
                        ("mean of the three", MODALITIES)):  # fmt: skip
        lost = tuple(
            trials.cost(name, away, metric) for metric in METRICS for name in dropout_pair()
        )
        found.append((label, lost))
    return tuple(found)


def dropout_pair() -> tuple[str, str]:
    """The names of the network that learnt with modality dropout, and of the one without."""
    with_it = not ablation("modality_dropout")[1].modality_dropout
    return (FUSED, NO_DROPOUT) if with_it else (NO_DROPOUT, FUSED)


def cost_columns() -> tuple[str, ...]:
    """Of ``cost_rows``."""
    return tuple(
        f"{name} lost, {how} modality dropout"
        for name in METRICS.values()
        for how in ("with", "without")
    )


def cost_section(trials: Trials) -> Section:
    """What it costs to lose a modality at test."""
    rows = tuple(Row(label, tuple(each.cell for each in lost)) for label, lost in cost_rows(trials))
    sentence = (
        "The same fitted networks, tested once with all that there is and once as though a "
        "modality had not been recorded; positive: worse without it."
    )
    return Section(
        COST_TITLE, (sentence,), (Table(COST_TITLE, ("At test", *cost_columns()), rows),)
    )


def result_tables(trials: Trials, who: str, command: str) -> tuple[ResultTable, ...]:
    """What a fused model's contract says of it; ``who`` was measured: people and protocol."""
    cost = ResultTable(
        f"{COST_TITLE} ({who}): mean over valence, arousal and liking per trial",
        ("At test", *cost_columns()),
        tuple((label, *(each.text for each in lost)) for label, lost in cost_rows(trials)),
        command,
    )
    systems = [name for name in trials.panel.models if "at test" not in name]
    rows = tuple(
        (name, *(hundredths(trials.value(name, metric)) for metric in METRICS)) for name in systems
    )
    everybody = ResultTable(
        f"Fused network, its ablations and what stands beside them ({who}): mean over valence, "
        "arousal and liking per trial",
        ("System", *METRICS.values()),
        rows,
        command,
    )
    return cost, everybody
