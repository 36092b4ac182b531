"""What the comparison of protocol A with protocol D says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affectscope.baselines.compared import COMPARED_TARGETS
from affectscope.datasets.corpus import Exclusion
from affectscope.recipes.compared_sections import Contender, citations, nearest_metric, not_run
from affectscope.recipes.experiment_report import RunExtent
from affectscope.recipes.report_blocks import (
    NOTHING,
    Cell,
    Drawing,
    Mark,
    Page,
    Row,
    Section,
    Table,
    hundredths,
    percents,
    signed,
)
from affectscope.recipes.report_facts import (
    configuration,
    left_out,
    notices,
    quick_look,
    said,
)
from affectscope.recipes.report_numbers import METRIC_NAMES, Level
from affectscope.records import Notice

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("macro_f1", "balanced_accuracy")
WARNING = (
    "Protocol D leaks on purpose: windows of one and the same trial are trained and tested on. Its "
    "numbers show how far that inflates, and are no result of any system."
)
_PRINTED_TARGETS = ("valence", "arousal")


@dataclass(frozen=True, eq=False)
class LeakageReport:
    """Everything that the page says.

    Attributes:
        effects: of ``evaluation.split_effect.split_effect``, at trial and at frame level.
        contenders: networks and compared systems; ``baselines``: names, oracles last.
        absent: who could not be run -> why.
        extents: of protocols A and D.
        drawing: the figure.
    """

    corpus: str
    simulated: bool
    effects: pd.DataFrame
    contenders: tuple[Contender, ...]
    baselines: tuple[str, ...]
    absent: Mapping[str, str]
    extents: Mapping[str, RunExtent]
    drawing: Drawing
    intervals: str
    exclusions: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]
    configuration: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: float = 0.0

    def effect(self, model: str, target: str, level: Level, metric: str) -> Effect | None:
        """One row of ``effects``; None where there is none."""
        frame = self.effects
        found = frame[
            (frame["model"] == model)
            & (frame["target"] == target)
            & (frame["level"] == level)
            & (frame["metric"] == metric)
        ]
        if found.empty:
            return None
        row = found.iloc[0]
        parts = [
            tuple(float(row[name]) for name in names)
            for names in (
                ("honest", "honest_low", "honest_high"),
                ("leaky", "leaky_low", "leaky_high"),
                ("difference", "low", "high"),
            )
        ]
        return Effect(*parts)


@dataclass(frozen=True)
class Effect:
    """(value, low, high) under A, under D, and of D less A; shares."""

    honest: tuple[float, ...]
    leaky: tuple[float, ...]
    difference: tuple[float, ...]

    def explained(self, printed: float) -> float:
        """(D - A) / (printed - A); NaN where A is not below what was printed."""
        gap = printed - self.honest[0]
        return self.difference[0] / gap if gap > 0 else math.nan


def printed_shares(contenders: tuple[Contender, ...]) -> dict[tuple[str, str], float]:
    """(system, target) -> what its paper printed, as a share."""
    found: dict[tuple[str, str], float] = {}
    for one in contenders:
        if one.published is not None:
            pairs = (("valence", one.published.valence), ("arousal", one.published.arousal))
            found |= {(one.name, name): value / 100 for name, value in pairs if value is not None}
    return found


def leakage_page(report: LeakageReport) -> Page:
    """The page, in its order."""
    who = "simulated people" if report.simulated else "people"
    subjects = int(report.effects["subjects"].iloc[0])
    runs = "; ".join(f"{letter}: {said(extent)}" for letter, extent in report.extents.items())
    quick = [extent for extent in report.extents.values() if extent.quick]
    status = [
        "A: each person is tested by systems of other people only. D: windows are dealt at random, "
        "so that nearly the same window was learnt from.",
        f"{subjects} {who} tested under both ({report.corpus}). {runs}.",
        *([quick_look(quick[0])] if quick else []),
    ]
    sections = (
        _explained(report),
        _both_splits(report, "trial"),
        _both_splits(report, "frame"),
        not_run(report.absent),
        citations(report.contenders),
        left_out(report.exclusions),
        notices(report.notices),
        configuration(report.configuration, report.versions, report.seconds),
    )
    return Page(
        title=f"What the split explains: {report.corpus}",
        about="Protocol A beside protocol D, for every system of the paper's Table V.",
        simulated=report.simulated,
        quick=bool(quick),
        status=tuple(status),
        sections=tuple(section for section in sections if not section.empty),
        warning=WARNING,
    )


def _explained(report: LeakageReport) -> Section:
    """The figure, and for each printed number the share that the split explains."""
    printed = printed_shares(report.contenders)
    rows = []
    for one in report.contenders:
        if one.published is None or not any((one.name, t) in printed for t in _PRINTED_TARGETS):
            continue
        metric = nearest_metric(one.published)
        cells = [Cell(METRIC_NAMES[metric].split(" (")[0])]
        for target in _PRINTED_TARGETS:
            effect = report.effect(one.name, target, "trial", metric)
            cells += _explained_cells(effect, printed.get((one.name, target)))
        rows.append(Row(one.name, tuple(cells)))
    note = (
        "Explained: what D adds to A, as a share of what the paper printed above A. Per cent, per "
        "trial, our measure nearest to the paper's; point estimates, read beside the interval of "
        "D − A. The rest is another corpus size, another implementation, luck, or their data."
    )
    if report.simulated:
        note += " Printed for real people and set beside simulated ones: it means nothing."
    columns = ("A", "D − A", "printed", "explained")
    table = Table(
        "",
        ("system", "measure", *columns, *columns),
        tuple(rows),
        groups=(("", 1), ("", 1), ("valence", 4), ("arousal", 4)),
    )
    return Section(
        "How much of the printed numbers the split explains",
        (note,),
        (table,) if rows else (),
        drawing=report.drawing,
    )


def _explained_cells(effect: Effect | None, printed: float | None) -> list[Cell]:
    if effect is None or printed is None:
        return [Cell(NOTHING)] * 4
    share = effect.explained(printed)
    if share != share:
        words = "A is not below it" if effect.honest[0] >= printed else NOTHING
    else:
        words = "none of it" if share <= 0 else f"{100 * share:.0f} %" if share < 1 else "all of it"
    return [
        Cell(percents(effect.honest[0]), _range(effect.honest, percents)),
        Cell(_points(effect.difference[0]), _range(effect.difference, _points)),
        Cell(f"{100 * printed:.2f}"),
        Cell(words),
    ]  # fmt: skip


def _both_splits(report: LeakageReport, level: Level) -> Section:
    tables = []
    for metric in SHOWN:
        rows = []
        for kind, names in (
            ("model", [one.name for one in report.contenders]),
            ("baseline", report.baselines),
        ):
            for name in names:
                cells = [
                    cell
                    for target in COMPARED_TARGETS
                    for cell in _cells(report.effect(name, target, level, metric))
                ]
                rows.append(Row(name, tuple(cells), kind))
        caption = METRIC_NAMES[metric]
        groups = (("", 1), *((target, 3) for target in COMPARED_TARGETS))
        header = ("system", *(("A", "D", "D − A") * len(COMPARED_TARGETS)))
        title = f"{caption[:1].upper()}{caption[1:]}"
        tables.append(Table(title, header, tuple(rows), groups=groups))
    note = (
        f"{report.intervals} D − A is paired: each draw takes the same people for both. Marked: "
        "its interval leaves out 0."
    )
    return Section(f"Both splits, per {level}", (note,), tuple(tables), folded=level == "frame")


def _cells(effect: Effect | None) -> list[Cell]:
    if effect is None:
        return [Cell(NOTHING)] * 3
    value, low, high = effect.difference
    mark: Mark = "above" if low > 0 else "below" if high < 0 else ""
    return [
        Cell(hundredths(effect.honest[0]), _range(effect.honest, hundredths)),
        Cell(hundredths(effect.leaky[0]), _range(effect.leaky, hundredths)),
        Cell(signed(value), _range(effect.difference, signed), mark),
    ]


def _points(difference: float) -> str:
    """A difference of shares in per cent, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def _range(part: tuple[float, ...], write: Callable[[float], str]) -> str:
    _, low, high = part
    return "" if low != low or high != high else f"{write(low)} to {write(high)}"


def leakage_lines(report: LeakageReport) -> list[str]:
    """Macro F1 per trial under A and D of every system, a line each."""
    who = "SIMULATED people" if report.simulated else "people"
    lines = [
        WARNING,
        f"Macro F1 per trial of {who}, protocol A -> D, and D - A with its 95 % interval:",
    ]
    for name in (*(one.name for one in report.contenders), *report.baselines):
        cells = []
        for target in COMPARED_TARGETS:
            effect = report.effect(name, target, "trial", "macro_f1")
            if effect is not None:
                value, low, high = effect.difference
                cells.append(
                    f"{target} {effect.honest[0]:.2f} -> {effect.leaky[0]:.2f}, "
                    f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
                )
        lines.append(f"  {name}: {'; '.join(cells)}")
    return lines
