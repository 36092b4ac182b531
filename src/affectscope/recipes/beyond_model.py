"""One fused network of everybody, as a model's folder that says what it can do without.

Tensors, by the beginning of their names: "fused." the network, "masked." the masked auto-encoder,
"face." the face encoder that was trained here, "scale." means and deviations of training people.
``models.fused.fused_network`` reads the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.evaluation.crossval import Task
from affectscope.evaluation.protocols import VALIDATION_SHARE
from affectscope.evaluation.samples import Fold
from affectscope.evaluation.trials import trial_table
from affectscope.models.shipped import DataSource, ModelContract, ResultTable, save_model
from affectscope.recipes.beyond_costs import Trials, result_tables
from affectscope.recipes.beyond_experiment import Beyond
from affectscope.recipes.beyond_inputs import HEART, SKIN
from affectscope.recipes.beyond_systems import DEFAULT, FusedFold
from affectscope.recipes.fg2020 import Experiment
from affectscope.recipes.fg2020_systems import FoldNetworks

if TYPE_CHECKING:
    from torch import Tensor

LIMITS = (
    "It estimates what a person rates after a clip, from the whole clip; it is not for live use.",
    "What a missing modality costs was measured by leaving it out at test, for whole trials.",
)
VARIANCES = "The stated variances are the network's own; they are not calibrated on anybody."


def save_everybody(beyond: Beyond, trials: Trials, folder: Path) -> str:
    """Train the default on everybody, inner people apart, and write the model's folder.

    Returns:
        The model's id.
    """
    task = everybody(beyond)
    fold = beyond.folds.fitted(task, DEFAULT)
    tensors = {f"fused.{name}": each for name, each in fold.network.state_dict().items()}
    if fold.masked is not None:
        tensors |= {f"masked.{name}": each for name, each in fold.masked.state_dict().items()}
    tensors |= _scales(fold) | _face(beyond, task)
    return save_model(folder, tensors, _contract(beyond, fold, trials, folder.name))


def everybody(beyond: Beyond) -> Task:
    """All people to learn from; one in six of them, drawn, stops the training early."""
    samples = beyond.competition.opened.samples
    table = trial_table(samples)
    people = np.unique(table.subject)
    count = max(1, round(len(people) / VALIDATION_SHARE))
    inner = np.random.default_rng([0]).choice(people, count, replace=False)
    chosen = np.isin(table.subject, inner)
    fold = Fold("everybody", table.rows(~chosen), table.rows(chosen), np.empty(0, np.int64))
    return Task(samples, fold, 0)


def _scales(fold: FusedFold) -> dict[str, Tensor]:
    import torch

    found = {}
    for name, scale in zip(("face", "late"), fold.scales, strict=True):
        found[f"scale.{name}.mean"] = torch.from_numpy(scale.mean)
        found[f"scale.{name}.deviation"] = torch.from_numpy(scale.deviation)
    return found


def _face(beyond: Beyond, task: Task) -> dict[str, Tensor]:
    """The weights of the face encoder that was trained here; one from elsewhere is not copied."""
    material = beyond.competition.opened.material
    if material.given is not None or "face" not in beyond.folds.data.sources:
        return {}
    face = FoldNetworks(material, task).network("faces only").face
    assert face is not None
    return {f"face.{name}": each for name, each in face.state_dict().items()}


def _contract(beyond: Beyond, fold: FusedFold, trials: Trials, name: str) -> ModelContract:
    opened = beyond.competition.opened
    prepared = opened.material.prepared
    return ModelContract(
        name=name,
        kind="fused",
        summary="Ratings and emotions of a trial from face, ECG and EDA, any of which may be "
        "missing.",
        population="simulated people" if prepared.simulated else "people",
        sources=(_source(beyond),),
        configuration=_configuration(beyond, fold),
        training={
            "settings": asdict(beyond.asked.settings),
            "ideas": asdict(DEFAULT),
            "networks": asdict(opened.material.settings),
            "seed": 0,
        },
        results=_results(beyond, trials),
        limits=(*LIMITS, *((VARIANCES,) if DEFAULT.heteroscedastic else ())),
        licence="As the corpus it learnt from: what is trained on a licensed corpus may not be "
        "passed on without its owners' consent.",
    )


def _configuration(beyond: Beyond, fold: FusedFold) -> Mapping[str, Any]:
    material = beyond.competition.opened.material
    return {
        "network": asdict(fold.network.config),
        "masked auto-encoder": None if fold.masked is None else asdict(fold.masked.config),
        "seconds of EDA context": beyond.folds.context,
        "windows of a trial": beyond.asked.settings.windows,
        "late features": [*HEART, *SKIN],
        "preprocessing": asdict(material.prepared.settings.preprocessing),
        "face encoder": asdict(material.settings.network),
        "face encoder from elsewhere": None if material.given is None else material.given.identity,
    }


def _source(beyond: Beyond) -> DataSource:
    """Everybody whose trials were prepared; a trial's hash is over all that it was made from."""
    prepared = beyond.competition.opened.material.prepared
    corpus = prepared.name.split(",")[0]
    return DataSource(
        name=corpus,
        citation="The corpus that the user holds; see docs/amigos.md for AMIGOS.",
        licence="The corpus' own.",
        people=tuple(f"{corpus}/{subject}" for subject in sorted(prepared.subjects)),
        hashes={f"{t.subject_id}/{t.trial_id}": t.key for t in prepared.trials},
    )


def _results(beyond: Beyond, trials: Trials) -> tuple[ResultTable, ...]:
    opened = beyond.competition.opened
    prepared, experiment = opened.material.prepared, beyond.asked.experiment
    kind = "simulated people" if prepared.simulated else "people"
    who = (
        f"{prepared.name}, protocol {experiment.protocol}, {len(trials.panel.people)} {kind} "
        f"tested of {len(prepared.subjects)}, {experiment.seeds} seed(s)"
    )
    return result_tables(trials, who, command(experiment))


def command(experiment: Experiment) -> str:
    """The command line that gives an experiment's table, but for what the face encoder is."""
    networks = experiment.networks
    options = {
        "protocol": experiment.protocol,
        "rate": f"{experiment.rate:g}",
        "folds": experiment.folds,
        "seeds": experiment.seeds,
        "limit": experiment.limit,
        "epochs": networks.fit.epochs[0],
        "learning-rate": f"{networks.fit.learning_rate:g}",
        "lambdas": ",".join(f"{value:g}" for value in networks.lambdas),
    }
    said = (f"--{name} {value}" for name, value in options.items() if value is not None)
    return " ".join(["affectscope reproduce beyond.table --data DATA --out OUT", *said])
