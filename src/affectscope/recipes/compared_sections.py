"""What Table V's report says beyond the other tables: printed numbers, needs, costs, the choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from affectscope.baselines.compared import COMPARED_TARGETS, Published, Source
from affectscope.evaluation.crossval import Sees
from affectscope.evaluation.fold_store import FoldCost
from affectscope.recipes.experiment_report import ExperimentReport
from affectscope.recipes.report_blocks import NOTHING, Cell, Row, Section, Table
from affectscope.recipes.report_numbers import METRIC_NAMES, Numbers

SOURCE_NAMES: Mapping[Source, str] = {"face": "face", "ecg": "ECG", "eda": "EDA", "eeg": "EEG"}
CHOSEN_FROM: tuple[Source, ...] = ("face", "ecg", "eda")
"""What a user may lack; a camera and two sensors."""
_NEAREST = (
    ("recall", "balanced_accuracy"),
    ("balanced", "balanced_accuracy"),
    ("f1", "macro_f1"),
    ("accuracy", "accuracy"),
    ("precision", "precision_macro"),
)
"""A word in a paper's measure, and ours that is nearest to it; the first that fits."""


@dataclass(frozen=True)
class Contender:
    """A network or a compared system, as the report presents it.

    Attributes:
        uses: what it takes where it is there; ``needs``: without which it cannot work, of which
            none means that any one of ``uses`` will do.
        used: of ``uses``, what the corpus has.
    """

    name: str
    citation: str
    uses: tuple[Source, ...]
    needs: tuple[Source, ...]
    used: tuple[Source, ...]
    published: Published | None
    sees: Sees = "training people"


def sources_said(sources: Sequence[Source]) -> str:
    """ "face, ECG, EDA"."""
    return ", ".join(SOURCE_NAMES[name] for name in sources) or NOTHING


def nearest_metric(published: Published) -> str:
    """Our measure that stands beside a paper's."""
    words = published.metric.casefold()
    return next((metric for word, metric in _NEAREST if word in words), "macro_f1")


# --- which system to choose


def which_system(report: ExperimentReport, contenders: Sequence[Contender]) -> Section:
    """The best-ranked system for each set of modalities, and whether it beats the baselines."""
    numbers, ranks = Numbers(report.summary), report.ranks[0].mean_ranks
    there = {name for one in contenders for name in one.used}
    rows = []
    for have in _subsets([name for name in CHOSEN_FROM if name in there]):
        fitting = [one for one in contenders if one.used and set(one.used) <= set(have)]
        rows.append(_choice(report, numbers, have, fitting))
    if not rows:
        return Section("Which system when a modality is missing")
    baseline = min(report.baselines, key=lambda name: _rank(ranks, name))
    sentences = [
        "For each set of modalities, the system with the best mean rank (below) among those that "
        "use no more than these: each was measured with all that it uses and the corpus has, not "
        "with a part of it. Macro F1 per trial with 95 % intervals; marked where the whole "
        "interval lies above every baseline's value. The choice was made on the same people as the "
        "numbers, so that they flatter it.",
        f"The best-ranked baseline, which needs no modality: {baseline} "
        f"({_rank_said(_rank(ranks, baseline))}).",
    ]
    if with_eeg := [one.name for one in contenders if "eeg" in one.used]:
        sentences.append(f"In no row, since they also used EEG: {'; '.join(with_eeg)}.")
    header = ("at hand", "system", "mean rank", *COMPARED_TARGETS, "above the baselines")
    return Section(
        "Which system when a modality is missing",
        tuple(sentences),
        (Table("", header, tuple(rows)),),
    )


def _subsets(there: Sequence[Source]) -> list[tuple[Source, ...]]:
    """The non-empty ones, largest first."""
    return [some for size in range(len(there), 0, -1) for some in combinations(there, size)]


def _choice(
    report: ExperimentReport,
    numbers: Numbers,
    have: tuple[Source, ...],
    fitting: Sequence[Contender],
) -> Row:
    ranks = report.ranks[0].mean_ranks
    if not fitting:
        return Row(sources_said(have), (Cell("none was run"), *[Cell(NOTHING)] * 5))
    best = min(fitting, key=lambda one: _rank(ranks, one.name)).name

    def above(name: str) -> list[str]:
        return [
            target
            for target in COMPARED_TARGETS
            if numbers.above(name, report.baselines, target=target, metric="macro_f1")
        ]

    cells = [
        numbers.cell(best, target, "trial", "macro_f1", percent=False)
        for target in COMPARED_TARGETS
    ]
    marked = [
        Cell(cell.text, cell.detail, "above" if target in above(best) else "")
        for cell, target in zip(cells, COMPARED_TARGETS, strict=True)
    ]
    if any(above(one.name) for one in fitting):
        others = [one.name for one in fitting if above(one.name) and one.name != best]
        said = ", ".join(above(best)) or "not this one"
        more = f"{len(others)} others are" if len(others) > 1 else f"another is: {''.join(others)}"
        verdict = Cell(said, more if others else "")
    else:
        verdict = Cell("none is above the baselines", f"of {len(fitting)}")
    return Row(
        sources_said(have),
        (Cell(best), Cell(_rank_said(_rank(ranks, best))), *marked, verdict),
    )


def _rank(ranks: Mapping[str, float], name: str) -> float:
    """Infinite where the system has none, so that it is chosen last."""
    rank = ranks.get(name, math.nan)
    return math.inf if rank != rank else rank


def _rank_said(rank: float) -> str:
    return NOTHING if math.isinf(rank) else f"{rank:.2f}"


# --- the papers' numbers


def printed_numbers(report: ExperimentReport, contenders: Sequence[Contender]) -> Section:
    """What each paper printed, under which protocol, beside our nearest measure."""
    numbers = Numbers(report.summary)
    rows, silent = [], []
    notes: dict[str, list[str]] = {}
    for one in contenders:
        if one.published is None:
            silent.append(one.name)
            continue
        rows.append(_printed(numbers, one.name, one.published))
        if one.published.note:
            notes.setdefault(one.published.note, []).append(one.name)
    sentences = [
        "Per cent, per trial, with 95 % intervals for ours. The papers' protocols differ from ours "
        "and from each other's, so that the printed numbers do not rank the systems. [?]: from "
        "memory or not stated; no source at hand confirmed it."
    ]
    if report.simulated:
        sentences.append(
            "The papers' people were real and these are simulated: agreement means nothing."
        )
    if silent:
        sentences.append(f"Without a printed number of its own: {'; '.join(silent)}.")
    header = ("system", "its measure", "ours beside it", "printed", "here", "printed", "here",
              "its split")  # fmt: skip
    groups = (("", 1), ("", 2), ("valence", 2), ("arousal", 2), ("", 1))
    table = Table("", header, tuple(rows), groups=groups)
    return Section(
        "Beside the number that each paper printed",
        tuple(sentences),
        (table,) if rows else (),
        tuple(f"{'; '.join(names)}: {note}" for note, names in notes.items()),
    )


def _printed(numbers: Numbers, name: str, published: Published) -> Row:
    metric = nearest_metric(published)
    cells = []
    for target, printed in (("valence", published.valence), ("arousal", published.arousal)):
        cells.append(Cell(NOTHING if printed is None else f"{printed:.2f}"))
        cells.append(numbers.cell(name, target, "trial", metric, percent=True))
    return Row(
        name,
        (
            Cell(published.metric),
            Cell(METRIC_NAMES[metric].split(" (")[0]),
            *cells,
            Cell(published.protocol),
        ),
    )


# --- needs and costs


def needs_and_costs(contenders: Sequence[Contender], costs: Sequence[FoldCost]) -> Section:
    """Modalities that each system needs and used, what it sees, and how long it took."""
    rows = []
    for one in contenders:
        own = [cost for cost in costs if cost.model == one.name]
        needs = sources_said(one.needs) if one.needs else "one of what it uses"
        rows.append(
            Row(
                one.name,
                (
                    Cell(sources_said(one.uses)),
                    Cell(needs),
                    Cell(sources_said(one.used)),
                    Cell(one.sees),
                    *_seconds(own),
                ),
            )
        )
    header = ("system", "can use", "needs", "used here", "sees", "per fold", "per 1000 rows",
              "per fold", "per 1000 rows")  # fmt: skip
    groups = (("", 1), ("modalities", 3), ("", 1), ("training, s", 2), ("prediction, s", 2))
    note = (
        "Seconds of the clock when the fold was first run, means over folds and seeds, one thread "
        "for each fold, several folds at a time. What systems of a fold share is paid for by the "
        "first that runs, in the order of this table: the faces' and the body's first stage, the "
        "auto-encoders, the features of the fold's face encoder. Cropping faces, cleaning signals "
        "and the hand-crafted features come before all folds and are not counted. Baselines look "
        "at no signal and cost next to nothing."
    )
    table = Table("", header, tuple(rows), groups=groups)
    return Section("What each system needs, sees and costs", (note,), (table,))


def _seconds(costs: Sequence[FoldCost]) -> list[Cell]:
    """Four cells: training per fold and per 1000 rows, prediction likewise."""
    if not costs:
        return [Cell(NOTHING)] * 4
    cells = []
    for seconds, rows in (
        (sum(cost.fit_seconds for cost in costs), sum(cost.train_rows for cost in costs)),
        (sum(cost.predict_seconds for cost in costs), sum(cost.test_rows for cost in costs)),
    ):
        cells += [Cell(duration(seconds / len(costs))), Cell(duration(1000 * seconds / rows))]
    return cells


def duration(seconds: float) -> str:
    """Seconds with as many places as they mean something."""
    if seconds < 0.01:
        return "< 0.01"
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}" if seconds < 100 else (
        f"{seconds:,.0f}"
    )  # fmt: skip


# --- the rest


def not_run(absent: Mapping[str, str]) -> Section:
    """Systems that could not be run, and why."""
    if not absent:
        return Section("Systems that were not run")
    rows = tuple(Row(name, (Cell(reason),)) for name, reason in absent.items())
    return Section("Systems that were not run", (), (Table("", ("system", "reason"), rows),))


def citations(contenders: Sequence[Contender]) -> Section:
    """The papers, each once."""
    names: dict[str, list[str]] = {}
    for one in contenders:
        names.setdefault(one.citation, []).append(one.name)
    points = tuple(f"{'; '.join(names)}: {citation}" for citation, names in names.items())
    return Section("The papers", points=points, folded=len(points) > 12)
