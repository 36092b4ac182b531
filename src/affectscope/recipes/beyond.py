"""A fused network beside the paper's, after METHOD.md section 8, for those who hold a corpus.

``beyond_table`` runs it with its ablations, one idea changed in each, next to BMMN-BAE-2, the
modern floor and the baselines on the same folds; then it trains one network on everybody and writes
it as a model's folder, whose contract says what a missing modality costs. What each idea gave, and
which did not earn their place: docs/beyond.md and docs/experiment-log.md.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from affectscope.io.files import prepare_folder
from affectscope.recipes.beyond_costs import Trials, cost_section, ideas_section
from affectscope.recipes.beyond_experiment import (
    BESIDE,
    Beyond,
    BeyondExperiment,
    beyond_lineup,
    open_beyond,
)
from affectscope.recipes.beyond_model import save_everybody
from affectscope.recipes.beyond_systems import DEFAULT, VARIANTS
from affectscope.recipes.experiment_report import ExperimentReport
from affectscope.recipes.fg2020 import (
    Progress,
    experiment_report,
    roles_of_baselines,
    write_report,
)
from affectscope.recipes.fold_runs import run_lineup

if TYPE_CHECKING:
    import pandas as pd

MODEL_FOLDER = "fused"


def beyond_table(
    asked: BeyondExperiment,
    out: Path,
    *,
    progress: Progress = lambda _share, _text: None,
) -> tuple[ExperimentReport, Trials, str]:
    """Run it; writes beyond-predictions.parquet, beyond.md, beyond.html and the folder "fused".

    Returns:
        The report, everybody's predictions per trial, and the id of the model of everybody.

    Raises:
        LeakError: the data cannot be split without a leak.
        EvaluationError: too few people, or nothing usable.
        OutputError: E_OUTPUT.
    """
    started = time.monotonic()
    prepare_folder(out)
    beyond = open_beyond(asked, lambda share, text: progress(0.25 * share, text))
    ran = run_lineup(
        beyond.lineup(),
        partial(beyond_lineup, asked),
        processes=asked.experiment.processes,
        progress=lambda share, text: progress(0.25 + 0.55 * share, text),
    )
    progress(0.8, "statistics")
    trials = Trials(ran.predictions)
    report = beyond_report(beyond, ran.predictions, trials)
    progress(0.9, "one network of everybody")
    model_id = save_everybody(beyond, trials, out / MODEL_FOLDER)
    report = replace(report, seconds=time.monotonic() - started)
    write_report(report, ran.predictions, out, name="beyond")
    return report, trials, model_id


def beyond_report(beyond: Beyond, frame: pd.DataFrame, trials: Trials) -> ExperimentReport:
    """The report on everybody's predictions; tests without a modality have a section of theirs."""
    opened = beyond.competition.opened
    present = set(frame["model"].unique())
    models = tuple(name for name in (*BESIDE, *VARIANTS) if name in present)
    shown = frame[~frame["model"].astype(str).str.endswith("at test")]
    roles = replace(roles_of_baselines(), models=models)
    report = experiment_report(
        opened, shown, roles, references=(models[0], "majority", "duration only")
    )
    return replace(
        report,
        title=f"A fused network beside the paper's: {report.corpus}",
        table="best network beside a fused one",
        configuration={
            **report.configuration,
            "fused network": asdict(beyond.asked.settings),
            "default": asdict(DEFAULT),
            "seconds of EDA context": beyond.folds.context,
        },
        main_metrics=("ccc", "macro_f1", "balanced_accuracy"),
        more=(ideas_section(trials), cost_section(trials)),
        open_questions=(
            *report.open_questions,
            "Ideas are kept or dropped by the same people that the table tests: the default's lead "
            "over its own ablations is chosen after the fact.",
        ),
    )
