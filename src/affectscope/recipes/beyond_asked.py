"""From ``affectscope reproduce beyond.table`` to the fused network's experiment and its lines."""

from __future__ import annotations

from pathlib import Path

from affectscope.recipes.beyond import MODEL_FOLDER, beyond_table
from affectscope.recipes.beyond_costs import METRICS, Trials, cost_rows, dropout_pair
from affectscope.recipes.beyond_experiment import BeyondExperiment
from affectscope.recipes.beyond_systems import FusedSettings
from affectscope.recipes.experiment_report import ExperimentReport
from affectscope.recipes.fg2020 import Experiment, Progress
from affectscope.recipes.fg2020_systems import GivenEncoder

PASSES = 20
"""Over the trials for each epoch that is asked for: the paper's networks go over rows, of which a
trial has many."""


def beyond_lines(
    experiment: Experiment,
    given: GivenEncoder | None,
    out: Path,
    *,
    epochs: int,
    progress: Progress,
) -> list[str]:
    """Run it; returns the lines that sum it up.

    Args:
        epochs: of the paper's networks, at most.

    Raises:
        AffectScopeError: whatever was wrong.
    """
    own = FusedSettings()
    settings = FusedSettings(
        epochs=min(own.epochs, PASSES * epochs), masked_epochs=min(own.masked_epochs, 5 * epochs)
    )
    asked = BeyondExperiment(experiment, settings, given)
    report, trials, model_id = beyond_table(asked, out, progress=progress)
    return [
        *_means(report, trials),
        *_costs(trials),
        f"Table: {out / 'beyond.html'}",
        f"Model {model_id} of everybody: {out / MODEL_FOLDER}",
    ]


def _means(report: ExperimentReport, trials: Trials) -> list[str]:
    who = "SIMULATED people" if report.simulated else "people"
    lines = [
        f"{len(trials.panel.people)} {who} tested; mean over valence, arousal and liking per trial:"
    ]
    for name in (*report.models, *report.baselines):
        values = (f"{label} {trials.value(name, metric):.3f}" for metric, label in METRICS.items())
        lines.append(f"  {name}: {', '.join(values)}")
    return lines


def _costs(trials: Trials) -> list[str]:
    names = " and ".join(f"'{name}'" for name in dropout_pair())
    lines = [f"CCC lost where a modality is missing at test, {names}:"]
    for label, lost in cost_rows(trials):
        lines.append(f"  {label}: {lost[0].text} and {lost[1].text}")
    return lines
