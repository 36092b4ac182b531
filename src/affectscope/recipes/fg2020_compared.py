"""Table V of FG 2020 run instead of copied: every compared system behind the same protocol.

The paper's Table V sets numbers of other papers, with other protocols, beside its own. Here each of
these systems learns and predicts on the same folds; the number that its paper printed stands beside
ours with its measure and its split.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.baselines.compared import COMPARED_TARGETS
from affectscope.baselines.yildirim import YILDIRIM, Reconstruction, yildirim_reconstruction
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.fold_store import FoldCost, FoldKey, FoldStore, content_hash
from affectscope.io.files import prepare_folder, write_text
from affectscope.recipes.compared_sections import (
    citations,
    needs_and_costs,
    not_run,
    printed_numbers,
    which_system,
)
from affectscope.recipes.experiment_report import ExperimentReport, RunExtent
from affectscope.recipes.fg2020 import (
    MAIN_METRIC,
    Progress,
    Roles,
    configuration,
    experiment_report,
    roles_of_baselines,
    write_report,
)
from affectscope.recipes.fg2020_competition import (
    ComparedExperiment,
    Competition,
    competition_lineup,
    open_competition,
)
from affectscope.recipes.fold_runs import run_lineup
from affectscope.recipes.report_blocks import Cell, Row, Section, Table

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_NETWORK = "BMMN-BAE-2"
_YILDIRIM_PRINTED = (32.25, 2.73)
"""Compression ratio and PRD in per cent, on MIT-BIH (METHOD.md section 7)."""


def reproduce_compared(
    asked: ComparedExperiment,
    out: Path,
    *,
    progress: Progress = lambda _share, _text: None,
) -> ExperimentReport:
    """Run Table V; writes table5-predictions.parquet, table5.md and table5.html.

    Raises:
        LeakError: the data cannot be split without a leak.
        EvaluationError: too few people, nothing usable, or no chosen system can be run.
        OutputError: E_OUTPUT.
    """
    started = time.monotonic()
    prepare_folder(out)
    competition = open_competition(asked, lambda share, text: progress(0.25 * share, text))
    ran = run_lineup(
        competition.lineup(),
        partial(competition_lineup, asked),
        processes=asked.experiment.processes,
        progress=lambda share, text: progress(0.25 + 0.65 * share, text),
    )
    progress(0.9, "statistics")
    competition = replace(competition, refused=ran.refused)
    report = table5(competition, ran.predictions, ran.costs)
    report = replace(report, seconds=time.monotonic() - started)
    write_report(report, ran.predictions, out, name="table5")
    return report


def table5(
    competition: Competition, frame: pd.DataFrame, costs: Sequence[FoldCost]
) -> ExperimentReport:
    """The report on everybody's predictions."""
    opened, contenders = competition.opened, competition.contenders
    names = tuple(one.name for one in contenders)
    roles = replace(roles_of_baselines(), models=names)
    references = [best_baseline(frame, roles)]
    if REFERENCE_NETWORK in names:
        references.insert(0, REFERENCE_NETWORK)
    report = experiment_report(opened, frame, roles, references)
    more = (
        which_system(report, contenders),
        printed_numbers(report, contenders),
        needs_and_costs(contenders, costs),
        not_run(competition.absent),
        _reconstruction_section(competition),
        citations(contenders),
    )
    return replace(
        report,
        title=f"Systems behind one protocol: {report.corpus}",
        table="Table V",
        extent=extent_of(report.extent, competition.asked),
        configuration=compared_configuration(competition),
        main_metrics=("macro_f1", "balanced_accuracy", "auroc"),
        more=more,
        open_questions=(
            *report.open_questions,
            f"In the differences, the baseline ({references[-1]}) is the one with the highest "
            "macro F1 on these people, mean over the targets: a hard reference, chosen after the "
            "fact.",
        ),
    )


def best_baseline(frame: pd.DataFrame, roles: Roles) -> str:
    """The baseline with the highest macro F1 per trial, mean over targets; oracles aside."""
    from affectscope.evaluation.summary import summarise

    found = summarise(frame[frame["model"].isin(roles.baselines)], draws=1)
    found = found[(found["metric"] == MAIN_METRIC) & (found["level"] == "trial")]
    means = found.groupby("model", sort=False)["value"].mean()
    return str(means.idxmax()) if means.notna().any() else roles.baselines[0]


def extent_of(extent: RunExtent, asked: ComparedExperiment) -> RunExtent:
    """With what was left out of the systems."""
    if not asked.chosen:
        return extent
    only = f"only these systems: {'; '.join(asked.chosen)}"
    return replace(extent, limit="; ".join(filter(None, (extent.limit, only))))


def compared_configuration(competition: Competition) -> dict[str, Any]:
    """The resolved configuration, plain JSON, without a path of this machine."""
    return {
        **configuration(competition.opened),
        "compared systems": asdict(competition.data.settings),
        "targets": COMPARED_TARGETS,
        "people with personality traits": len(competition.data.personality),
    }


def _reconstruction_section(competition: Competition) -> Section:
    """What Yildirim's auto-encoder gives back of people that it has never seen."""
    title = "What Yildirim's auto-encoder gives back of the ECG"
    if YILDIRIM.name not in [one.name for one in competition.contenders]:
        return Section(title)
    fold, found = reconstruction(competition)
    cells = [
        Cell(f"{middle:.1f}", f"{low:.1f} to {high:.1f}")
        for low, middle, high in (found.prd, found.prdn)
    ]
    ratio, prd = _YILDIRIM_PRINTED
    rows = (
        Row("here, people never seen", (Cell(f"{found.compression_ratio:.2f}"), *cells,
                                        Cell(f"{found.windows}"))),
        Row("as printed, MIT-BIH", (Cell(f"{ratio:.2f}"), Cell(f"{prd:.2f}"), Cell("–"),
                                    Cell("4800"))),
    )  # fmt: skip
    sentence = (
        f"Fold {fold}, first seed: trained on its training people, given back of its test people. "
        "Median over windows of 5.56 s, quartiles below. PRD falls with the signal's offset, PRDN "
        "does not: 100 % is what a window's own mean would reach."
    )
    header = ("", "compression ratio", "PRD, %", "PRDN, %", "windows")
    return Section(title, (sentence,), (Table("", header, rows),))


def reconstruction(competition: Competition) -> tuple[str, Reconstruction]:
    """The first fold's name, and what came back there: computed once, then read."""
    opened = competition.opened
    samples, fold = opened.samples, opened.folds(0)[0]
    store = FoldStore(
        opened.experiment.work / "reconstruction", content_hash(samples, competition.fingerprint)
    )
    path = store.path(FoldKey(fold, YILDIRIM.name, opened.protocol.letter, 0)).with_suffix(".json")
    if (kept := _read(path)) is not None:
        return fold.name, kept
    unlabelled = samples.hidden(np.zeros(len(samples), dtype=np.bool_))
    found = yildirim_reconstruction(competition.data, Task(unlabelled, fold, 0))
    write_text(path, json.dumps(asdict(found)))
    return fold.name, found


def _read(path: Path) -> Reconstruction | None:
    """None where it is not there or not whole: then it is computed again."""
    try:
        stored: dict[str, Any] = json.loads(path.read_bytes())
        low, middle, high = stored["prd"]
        return Reconstruction(
            stored["windows"],
            stored["compression_ratio"],
            (low, middle, high),
            tuple(stored["prdn"]),
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return None
