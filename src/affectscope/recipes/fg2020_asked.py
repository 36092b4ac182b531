"""From what a user asks on the command line to an experiment, and to what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from affectscope.baselines.compared import ComparedSettings
from affectscope.datasets.personality import read_personality
from affectscope.errors import ModelError
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.checkpoint import load_checkpoint
from affectscope.models.face_file import PluggedFace, open_face_file
from affectscope.models.imagenet_weights import load_imagenet_weights
from affectscope.recipes.beyond_asked import beyond_lines
from affectscope.recipes.experiment_report import ExperimentReport
from affectscope.recipes.fg2020 import MAIN_METRIC, Experiment, reproduce_table
from affectscope.recipes.fg2020_compared import reproduce_compared
from affectscope.recipes.fg2020_competition import ComparedExperiment, chosen_systems
from affectscope.recipes.fg2020_leakage import reproduce_leakage
from affectscope.recipes.fg2020_pictures import (
    reproduce_figure1,
    reproduce_figure4,
    reproduce_figure5,
)
from affectscope.recipes.fg2020_systems import (
    AutoencoderStart,
    Faces,
    GivenEncoder,
    NetworkSettings,
)
from affectscope.recipes.leakage_report import leakage_lines
from affectscope.training.devices import Accelerator, DeviceSettings, Precision
from affectscope.training.fit import FitSettings, fresh
from affectscope.training.fit_sessions import imagenet_file

PATIENCE = 3
RUN_LENGTH = 5
"""Neighbouring rows that stay together: 115 rows come from 23 trials."""
DECODED_EVERY = 5
"""One window of each run is reconstructed: its neighbours hold nearly the same samples."""


@dataclass(frozen=True)
class Asked:
    """The options of ``affectscope reproduce``, as they were given."""

    what: str
    data: Path
    out: Path
    protocol: Literal["A", "B", "C", "D"]
    rate: float
    folds: int | None
    seeds: int
    limit: int | None
    epochs: int
    learning_rate: float
    lambdas: str
    face_encoder: Literal["small", "resnet50"]
    faces: Faces
    face_weights: Path | None
    imagenet: str | None
    sessions: Path | None
    systems: str | None
    personality: Path | None
    processes: int | None
    accelerator: Accelerator
    force: bool
    precision: Precision = "auto"
    autoencoders: AutoencoderStart = "fold"
    face_file: str | None = None


def carry_out(asked: Asked, progress: Callable[[float, str], None]) -> list[str]:
    """Run it; returns the lines that sum it up.

    Raises:
        AffectScopeError: whatever was wrong.
    """
    if asked.what == "fg2020.figure1":
        return [f"Figure 1: {reproduce_figure1(asked.data, asked.out)[0]}"]
    given = given_encoder(asked)
    lines = _carried_out(asked, given, progress)
    if given is not None and isinstance(given.encoder, PluggedFace):
        facts = given.encoder.facts
        lines.extend([f"Face encoder {given.encoder.name}: {facts.licence}.", *given.doubts])
    return lines


def _carried_out(
    asked: Asked, given: GivenEncoder | None, progress: Callable[[float, str], None]
) -> list[str]:
    experiment = resolved(asked)
    if asked.what == "fg2020.figure4":
        files, table = reproduce_figure4(experiment, asked.out, progress=progress)
        return [table, f"Figure 4: {files[0]}"]
    if asked.what == "fg2020.figure5":
        files, table = reproduce_figure5(
            experiment, asked.out, sessions=asked.sessions, given=given, progress=progress
        )
        return [table, f"Figure 5: {files[0]}"]
    if asked.what == "fg2020.table5":
        report = reproduce_compared(_compared(asked, given), asked.out, progress=progress)
        return [*summary_lines(report), f"Table: {asked.out / 'table5.html'}"]
    if asked.what == "fg2020.leakage":
        leakage = reproduce_leakage(_compared(asked, given), asked.out, progress=progress)
        return [*leakage_lines(leakage), f"Table and figure: {asked.out / 'leakage.html'}"]
    if asked.what == "beyond.table":
        return beyond_lines(experiment, given, asked.out, epochs=asked.epochs, progress=progress)
    name: Literal["table3", "table4"] = "table3" if asked.what.endswith("3") else "table4"
    report = reproduce_table(name, experiment, asked.out, given=given, progress=progress)
    return [*summary_lines(report), f"Table: {asked.out / f'{name}.html'}"]


def _compared(asked: Asked, given: GivenEncoder | None) -> ComparedExperiment:
    """The experiment with the systems that it is compared with."""
    return ComparedExperiment(
        resolved(asked),
        ComparedSettings(epochs=asked.epochs, face_encoder=asked.face_encoder),
        {} if asked.personality is None else read_personality(asked.personality),
        () if asked.systems is None else chosen_systems(asked.systems),
        given,
    )


def resolved(asked: Asked) -> Experiment:
    """The experiment with every choice made.

    Raises:
        ModelError: E_CONFIG for weights that are no numbers.
    """
    return Experiment(
        data=asked.data,
        work=asked.out / "work",
        networks=NetworkSettings(
            network=_network(asked),
            fit=FitSettings(
                epochs=(asked.epochs,) * 3,
                learning_rate=asked.learning_rate,
                rate=asked.rate,
                run_length=RUN_LENGTH,
                decoded_every=DECODED_EVERY,
                patience=PATIENCE,
            ),
            faces="frozen" if _is_frozen(asked) else asked.faces,
            lambdas=_lambdas(asked.lambdas),
            autoencoders=asked.autoencoders,
        ),
        protocol=asked.protocol,
        rate=asked.rate,
        folds=asked.folds,
        seeds=asked.seeds,
        limit=asked.limit,
        processes=asked.processes,
        devices=DeviceSettings(accelerator=asked.accelerator, precision=asked.precision),
        force=asked.force,
    )


def given_encoder(asked: Asked) -> GivenEncoder | None:
    """The frozen face encoder; None where each fold trains its own.

    Raises:
        ModelError: E_WEIGHTS where there are none, E_CONFIG where they are of another encoder or
            two are given, E_CHECKPOINT; E_FACE_FILE and others of ``open_face_file``.
    """
    if not _is_frozen(asked):
        return None
    if asked.face_file is not None:
        return _plugged_encoder(asked, asked.face_file)
    if asked.face_weights is not None:
        network, checkpoint, _ = load_checkpoint(asked.face_weights)
        if network.face is None or network.config.face_encoder != asked.face_encoder:
            raise ModelError(
                "E_CONFIG",
                f"The checkpoint's face encoder is not '{asked.face_encoder}'.",
                "Choose --face-encoder as the checkpoint has it.",
            )
        return GivenEncoder(network.face.eval(), frozenset(checkpoint.training_subjects))
    config = _network(asked)
    if config.face_encoder == "small":
        raise ModelError(
            "E_WEIGHTS",
            "A frozen small face encoder has weights from somewhere, and none were given.",
            "Give --face-weights CHECKPOINT or --face-file FILE, or choose --faces fold.",
        )
    path = imagenet_file(config, asked.imagenet)
    face = fresh(config, 0).face
    assert face is not None
    if path is not None:
        load_imagenet_weights(face, path)
    return GivenEncoder(face.eval())


def _plugged_encoder(asked: Asked, file: str) -> GivenEncoder:
    """The encoder of --face-file."""
    others = {
        "--face-weights": asked.face_weights is not None,
        "--imagenet": asked.imagenet is not None,
        "--faces fine-tuned": asked.faces == "fine-tuned",
        # It would be kept in a checkpoint, which holds its own encoder and no foreign file.
        "fg2020.figure5": asked.what == "fg2020.figure5",
    }
    clashing = [name for name, given in others.items() if given]
    if clashing:
        raise ModelError(
            "E_CONFIG",
            f"--face-file and {clashing[0]} exclude each other.",
            "Leave one of them out.",
        )
    encoder = open_face_file(file)
    return GivenEncoder(encoder, frozenset(encoder.facts.people))


def _network(asked: Asked) -> BMMNConfig:
    return BMMNConfig(face_encoder=asked.face_encoder)


def _is_frozen(asked: Asked) -> bool:
    """A ResNet-50 is too large to be learnt from a corpus: it is frozen unless fine-tuned."""
    elsewhere = asked.face_weights is not None or asked.face_file is not None
    wants = asked.faces == "frozen" or elsewhere
    return wants or (asked.face_encoder == "resnet50" and asked.faces == "fold")


def _lambdas(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0 <= value < 1e6 for value in values):
        raise ModelError(
            "E_CONFIG",
            f"--lambdas cannot be '{text}'.",
            "Give one or more numbers from 0 on, with commas between them, such as 0.1,1,10.",
        )
    return values


def summary_lines(report: ExperimentReport) -> list[str]:
    """Macro F1 of valence, arousal and liking per trial, of every system."""
    who = "SIMULATED people" if report.simulated else "people"
    lines = [
        *([report.warning] if report.warning else []),
        f"{report.table}, {report.trials} trials of {report.subjects} {who}; macro F1 per trial "
        "with 95 % intervals:",
    ]
    found = report.summary
    found = found[(found["metric"] == MAIN_METRIC) & (found["level"] == "trial")]
    for name in (*report.models, *report.baselines, *report.oracles):
        cells = []
        for target in ("valence", "arousal", "liking"):
            row = found[(found["model"] == name) & (found["target"] == target)]
            if len(row):
                one = row.iloc[0]
                cells.append(f"{target} {one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]")
        lines.append(f"  {name}: {', '.join(cells)}")
    return lines
