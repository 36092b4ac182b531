"""What an experiment's report says, section by section."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from affectscope.recipes.experiment_report import ExperimentReport, Ranks
from affectscope.recipes.paper_numbers import DOI, LEFT_OPEN, METRIC
from affectscope.recipes.report_blocks import (
    NOTHING,
    Cell,
    Mark,
    Page,
    Row,
    Section,
    Table,
    hundredths,
    percents,
    probability,
    signed,
)
from affectscope.recipes.report_facts import (
    configuration,
    left_out,
    notices,
    quick_look,
    said,
)
from affectscope.recipes.report_numbers import (
    AS_NUMBERS,
    METRIC_NAMES,
    OTHERS,
    PRECISIONS,
    Level,
    Numbers,
)
from affectscope.records import TARGETS

if TYPE_CHECKING:
    import pandas as pd


def experiment_page(report: ExperimentReport) -> Page:
    """All that there is to say, in its order; sections without content are left out."""
    return Page(
        title=report.title,
        about=f"The paper's {report.table}, on {report.corpus}.",
        simulated=report.simulated,
        quick=report.extent.quick,
        status=tuple(_status_sentences(report)),
        sections=tuple(section for section in _sections(report) if not section.empty),
        warning=report.warning,
    )


def _sections(report: ExperimentReport) -> list[Section]:
    numbers = Numbers(report.summary)
    return [
        _main(report, numbers),
        *report.more,
        *_precisions(report, numbers),
        _compared(report),
        _comparisons(report),
        _other_metrics(report, numbers),
        _permutations(report),
        _calibration(report),
        _left_open(report),
        left_out(report.exclusions),
        notices(report.notices),
        configuration(report.configuration, report.versions, report.seconds),
    ]


def _status_sentences(report: ExperimentReport) -> list[str]:
    """What must be read before any number."""
    extent = report.extent
    who = "simulated people" if report.simulated else "people"
    ran = f"{report.trials} trials of {report.subjects} {who} ({report.corpus}); {said(extent)}."
    lines = [f"Protocol: {report.protocol}", ran]
    return [*lines, quick_look(extent)] if extent.quick else lines


# --- the main table


def _main(report: ExperimentReport, numbers: Numbers) -> Section:
    shown = [metric for metric in report.main_metrics if metric in numbers.metrics]
    tables = [_by_target(report, numbers, metric) for metric in shown]
    note = (
        f"Every trial weighs the same. Below each number, its 95 % interval. {report.intervals} "
        "A marked number: its whole interval lies above every baseline's value (oracles aside). "
        "Oracles have seen what no system may see, and are a ceiling."
    )
    return Section("Against the baselines, per trial", (note,), tuple(tables))


def _by_target(report: ExperimentReport, numbers: Numbers, metric: str) -> Table:
    """Systems by targets, at trial level, and the mean over the targets."""
    kinds = (("model", report.models), ("baseline", report.baselines), ("oracle", report.oracles))
    everybody = [name for _, names in kinds for name in names]
    targets = [
        target
        for target in numbers.targets
        if any(numbers.known(name, target, "trial", metric) for name in everybody)
    ]
    rows = []
    for kind, names in kinds:
        for name in names:
            cells = [
                replace(
                    numbers.cell(name, target, "trial", metric, percent=False),
                    mark="above"
                    if kind == "model"
                    and numbers.above(name, report.baselines, target=target, metric=metric)
                    else "",
                )
                for target in targets
            ]
            mean = _mean([numbers.value(name, target, "trial", metric) for target in targets])
            rows.append(Row(name, (*cells, Cell(hundredths(mean))), kind))
    name = METRIC_NAMES[metric]
    return Table(f"{name[:1].upper()}{name[1:]}", ("system", *targets, "mean"), tuple(rows))


def _mean(values: Sequence[float]) -> float:
    """NaN where any is missing: a mean over fewer targets is another quantity."""
    return sum(values) / len(values) if values else math.nan


# --- the paper's precision


def _precisions(report: ExperimentReport, numbers: Numbers) -> list[Section]:
    tables = tuple(_precision(report, numbers, model) for model in report.paper)
    if not tables or not numbers.metrics.intersection(PRECISIONS):
        return []
    note = (
        f"The paper reports “{METRIC}” and does not define it (doi {DOI}). Here are the four "
        "numbers that it can be, of frames and of trials, in per cent with 95 % intervals. A "
        "precision is read beside the prevalence: naming everybody positive reaches it."
    )
    if report.simulated:
        note += " The paper's people were real and these are simulated: agreement means nothing."
    return [Section("“Precision”, beside the paper's", (note,), tables)]


_SHORT = {
    "precision_positive": "positive",
    "precision_macro": "macro",
    "precision_weighted": "weighted",
    "accuracy": "accuracy",
}


def _precision(report: ExperimentReport, numbers: Numbers, model: str) -> Table:
    column = report.paper[model]
    levels: tuple[Level, ...] = ("frame", "trial")
    rows = []
    for target in numbers.targets:
        cells = [Cell(f"{column.values[target]:.2f}" if target in column.values else NOTHING)]
        for level in levels:
            cells.append(Cell(percents(numbers.prevalence(target, level))))
            cells += [
                numbers.cell(model, target, level, metric, percent=True) for metric in PRECISIONS
            ]
        rows.append(Row(target, tuple(cells)))
    means = [Cell(f"{column.printed_average:.2f}", f"computed {column.average:.2f}")]
    for level in levels:
        means.append(Cell(""))
        means += [
            Cell(percents(_mean([numbers.value(model, t, level, m) for t in numbers.targets])))
            for m in PRECISIONS
        ]
    rows.append(Row("average", tuple(means), "total"))
    header = ("target", "printed", *(("prevalence", *_SHORT.values()) * 2))
    return Table(
        f"{model}, beside the paper's “{column.name}”",
        header,
        tuple(rows),
        groups=(("", 1), ("paper", 1), ("frames", 5), ("trials", 5)),
    )


def _compared(report: ExperimentReport) -> Section:
    if not report.compared:
        return Section("Compared systems")
    rows = tuple(
        Row(
            system.name,
            (
                Cell(", ".join(system.inputs)),
                *(
                    Cell(NOTHING if value is None else f"{value:.2f}")
                    for value in (system.valence, system.arousal)
                ),
                Cell(system.note),
            ),
        )
        for system in report.compared
    )
    note = (
        "Per cent, as the paper prints them. They come from other protocols than ours and than "
        "each other's, so that they do not rank these systems."
    )
    header = ("system", "inputs", "valence", "arousal", "note")
    return Section("Other groups' systems, in the paper", (note,), (Table("", header, rows),))


# --- differences


def _comparisons(report: ExperimentReport) -> Section:
    frame = report.comparisons
    sentences: list[str] = []
    tables: list[Table] = []
    for metric in dict.fromkeys(frame["metric"]):
        for level in dict.fromkeys(frame["level"]):
            some = frame[(frame["metric"] == metric) & (frame["level"] == level)]
            if len(some):
                caption = f"{METRIC_NAMES.get(metric, metric)}, per {level}"
                tables.append(_differences(some, f"{caption[:1].upper()}{caption[1:]}"))
    if tables:
        sentences.append(
            "First system minus second, on the same people. p is corrected after Holm over all "
            "comparisons of a family. Where the interval includes 0, the data do not tell the two "
            "apart; a marked difference leaves it out and has a corrected p below .05."
        )
    ranks = tuple(_ranks(rank) for rank in report.ranks)
    return Section("Differences", tuple(sentences), (*tables, *ranks))


def _differences(some: pd.DataFrame, caption: str) -> Table:
    rows = []
    for row in some.to_dict("records"):
        difference, low, high = (float(row[name]) for name in ("difference", "low", "high"))
        mark: Mark = ""
        if float(row["p_holm"]) < 0.05 and (low > 0 or high < 0):
            mark = "above" if low > 0 else "below"
        cells = (
            Cell(str(row["model_a"])),
            Cell(str(row["model_b"])),
            Cell(signed(difference), mark=mark),
            Cell(f"{signed(low)} to {signed(high)}" if low == low else NOTHING),
            Cell(probability(float(row["p"]))),
            Cell(probability(float(row["p_holm"]))),
        )
        rows.append(Row(str(row["target"]), cells))
    header = ("target", "first", "second", "difference", "95 % interval", "p", "p after Holm")
    return Table(caption, header, tuple(rows))


def _ranks(ranks: Ranks) -> Table:
    ordered = sorted(ranks.mean_ranks.items(), key=lambda item: item[1])
    best = ordered[0][1] if ordered else math.nan
    rows = tuple(
        Row(name, (Cell(NOTHING if rank != rank else f"{rank:.2f}"),
                   Cell(NOTHING if rank != rank else f"{rank - best:.2f}")))
        for name, rank in ordered
    )  # fmt: skip
    note = (
        f"{ranks.subjects} people. Friedman's test: p {_equals(ranks.p)}. Two systems differ where "
        f"their mean ranks lie more than {ranks.critical_difference:.2f} apart (Nemenyi)."
    )
    return Table(
        f"Mean ranks: {ranks.measured}", ("system", "mean rank", "behind the first"), rows, note
    )


def _equals(p: float) -> str:
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


# --- the rest


def _other_metrics(report: ExperimentReport, numbers: Numbers) -> Section:
    others = [metric for metric in (*OTHERS, *AS_NUMBERS) if metric not in report.main_metrics]
    there = [metric for metric in others if metric in numbers.metrics]
    if not there:
        return Section("Other measures")
    note = "Per trial, with 95 % intervals. Of errors, less is better: there, nothing is marked."
    tables = tuple(_by_target(report, numbers, metric) for metric in there)
    return Section("Other measures", (note,), tables, folded=True)


def _permutations(report: ExperimentReport) -> Section:
    """How often permuted labels do as well; rows are models, columns targets."""
    frame = report.permutations
    if frame is None or frame.empty:
        return Section("Against permuted labels")
    note = (
        "Share of permutations whose labels the system fits as well as the real ones, macro F1 per "
        "trial. Within people: does it tell one person's trials apart? Within clips: does it tell "
        "people apart who saw the same? Not corrected for the number of tests."
    )
    tables = []
    for within, caption in (("participant", "Within people"), ("clip", "Within clips")):
        some = frame[frame["within"] == within].set_index(["model", "target"])["p"]
        targets = [target for target in TARGETS if target in set(frame["target"])]
        rows = [
            Row(
                name,
                tuple(Cell(probability(float(some.get((name, t), math.nan)))) for t in targets),
            )
            for name in report.models
        ]
        tables.append(Table(caption, ("system", *targets), tuple(rows)))
    return Section("Against permuted labels", (note,), tuple(tables))


def _calibration(report: ExperimentReport) -> Section:
    frame = report.calibration
    if frame is None or len(frame) == 0:
        return Section("Calibration")
    names = [str(name).replace("_", " ") for name in frame.columns]
    rows = tuple(
        Row(_plain(first), tuple(Cell(_plain(value)) for value in rest))
        for first, *rest in frame.itertuples(index=False, name=None)
    )
    return Section("Calibration", (), (Table("", tuple(names), rows),), folded=True)


def _plain(value: object) -> str:
    if isinstance(value, float):
        return NOTHING if value != value else f"{value:.3g}"
    return str(value)


def _left_open(report: ExperimentReport) -> Section:
    return Section("What the paper left open", points=(*LEFT_OPEN, *report.open_questions))
