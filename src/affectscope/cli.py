"""The command line: verbs only. Heavy rooms are imported inside each verb, so that help is fast."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from affectscope.cli_calibrate import calibrate
from affectscope.cli_export import export
from affectscope.cli_inspect import inspect
from affectscope.cli_models import models
from affectscope.cli_options import (
    CheckpointFolder,
    Engine,
    EnginePrecision,
    Force,
    Minutes,
    Out,
    Rate,
    Thirds,
)
from affectscope.cli_people import people
from affectscope.cli_questionnaire import questionnaire
from affectscope.cli_serve import serve
from affectscope.cli_simulate import simulate
from affectscope.cli_study import study
from affectscope.errors import AffectScopeError
from affectscope.progress import progress_bar

app = typer.Typer(
    help="What a person feels over time, from face video, ECG and EDA together. "
    "Research use, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("calibrate")(calibrate)
app.command("export")(export)
app.command("people")(people)
app.command("serve")(serve)
app.command("study")(study)
app.add_typer(simulate, name="simulate")
app.add_typer(inspect, name="inspect")
app.add_typer(models, name="models")
app.add_typer(questionnaire, name="questionnaire")

REJECTED = 2
"""Exit status of a refused operation."""

Variant = Literal["bmmn", "bmmn_bae_1", "bmmn_bae_2"]
Decimal = Literal[".", ","]
FaceEncoderName = Literal["small", "resnet50"]
Start = Literal["nothing", "bae"]
Reproducible = Literal[
    "fg2020.table3",
    "fg2020.table4",
    "fg2020.table5",
    "fg2020.leakage",
    "fg2020.figure1",
    "fg2020.figure4",
    "fg2020.figure5",
    "beyond.table",
]
ProtocolLetter = Literal["A", "B", "C", "D"]
FacesMode = Literal["fold", "frozen", "fine-tuned"]
AutoencoderStart = Literal["fold", "pretrained"]
Accelerator = Literal["cpu", "gpu", "auto"]
TrainingPrecision = Literal["auto", "fp32", "bf16"]
Folder = Annotated[Path, typer.Argument(help="The session's folder.")]


@app.command()
def assess(
    session: Folder,
    out: Out,
    checkpoint: CheckpointFolder = None,
    rate: Rate = None,
    force: Force = False,
    minutes: Minutes = None,
    thirds: Thirds = False,
    engine: Engine = "auto",
    precision: EnginePrecision = "auto",
) -> None:
    """Assess a session: a report, tables over time, and result.json."""
    from affectscope.inference.engine import EngineAsked
    from affectscope.inference.predictor import load_checkpoint
    from affectscope.io.files import prepare_folder
    from affectscope.io.session import open_session
    from affectscope.therapy import assessment, report, session_outputs
    from affectscope.therapy.compared import with_asked_phases

    prepare_folder(out)
    try:
        asked = EngineAsked(engine, precision)
        predictor = None if checkpoint is None else load_checkpoint(checkpoint, asked=asked)
        opened = with_asked_phases(open_session(session), minutes, thirds)
        start, end = opened.recording.span
        with progress_bar(f"assessing {opened.recording.subject_id}") as reached:
            done = assessment.assess(
                opened,
                predictor,
                rate=rate,
                force=force,
                on_time=lambda time: reached((time - start) / (end - start) if end > start else 0),
            )
        added = session_outputs.write_outputs(done, out)
    except AffectScopeError as error:
        session_outputs.write_refusal(error, session.name, out)
        raise
    for line in report.summary_lines(done):
        print(line)
    for notice in added:
        print(f"  {notice.code}: {notice.sentence}")
    print(f"Report: {out / 'report.html'}")


@app.command()
def init_session(
    folder: Folder,
    subject: Annotated[str | None, typer.Option(help="A pseudonym for the person.")] = None,
    face_file: Annotated[str | None, typer.Option(help="The face video.")] = None,
    face_offset: Annotated[
        float | None, typer.Option(help="Seconds after the signals at which the video starts.")
    ] = None,
    ecg_file: Annotated[str | None, typer.Option(help="The file that holds the ECG.")] = None,
    ecg_channel: Annotated[
        str | None, typer.Option(help="The ECG's channel name or number.")
    ] = None,
    ecg_rate: Annotated[float | None, typer.Option(help="The ECG's sampling rate in Hz.")] = None,
    ecg_unit: Annotated[str | None, typer.Option(help="The ECG's unit: V, mV or uV.")] = None,
    ecg_decimal: Annotated[
        Decimal | None,
        typer.Option(help="The ECG table's decimal mark, where its cells leave doubt."),
    ] = None,
    eda_file: Annotated[str | None, typer.Option(help="The file that holds the EDA.")] = None,
    eda_channel: Annotated[
        str | None, typer.Option(help="The EDA's channel name or number.")
    ] = None,
    eda_rate: Annotated[float | None, typer.Option(help="The EDA's sampling rate in Hz.")] = None,
    eda_unit: Annotated[str | None, typer.Option(help="The EDA's unit: uS, nS, kOhm ...")] = None,
    eda_decimal: Annotated[
        Decimal | None,
        typer.Option(help="The EDA table's decimal mark, where its cells leave doubt."),
    ] = None,
) -> None:
    """Inspect a folder's files and write its session.toml; asks for what no file states."""
    from affectscope.io.session_draft import Answers, draft_session

    answers = Answers(
        subject_id=subject,
        face_file=face_file,
        face_clock_offset=face_offset,
        ecg_file=ecg_file,
        ecg_channel=ecg_channel,
        ecg_sampling_rate=ecg_rate,
        ecg_unit=ecg_unit,
        ecg_decimal=ecg_decimal,
        eda_file=eda_file,
        eda_channel=eda_channel,
        eda_sampling_rate=eda_rate,
        eda_unit=eda_unit,
        eda_decimal=eda_decimal,
    )
    ask: Callable[[str], str] | None = typer.prompt if sys.stdin.isatty() else None
    print(draft_session(folder, answers, ask))
    print(f"Written: {folder / 'session.toml'}")


@app.command()
def fetch_models(
    identity: Annotated[
        bool, typer.Option("--identity", help="Also what finds a person by a photo (100 MB).")
    ] = False,
) -> None:
    """Fetch the face detector's model file, once; the only command that uses the network."""
    from affectscope.io.model_files import fetch_face_model, fetch_identity_model

    print(f"Face model: {fetch_face_model()}")
    if identity:
        print(f"Identity model: {fetch_identity_model()}")


@app.command()
def fit(
    folder: Annotated[Path, typer.Argument(help="A folder of labelled session folders.")],
    out: Annotated[Path, typer.Option(help="The checkpoint's folder.")],
    variant: Annotated[Variant, typer.Option(help="The network.")] = "bmmn_bae_2",
    face_encoder: Annotated[FaceEncoderName, typer.Option(help="The face encoder.")] = "small",
    imagenet: Annotated[
        str | None,
        typer.Option(help="For resnet50: torchvision's file, 'download', or 'none' to go without."),
    ] = None,
    start: Annotated[
        Start,
        typer.Option(
            help="Auto-encoders begin from nothing, or from those trained on real ECG "
            "and EDA that come with the program."
        ),
    ] = "nothing",
    demo: Annotated[bool, typer.Option("--demo", help="Few, fast epochs for the demo.")] = False,
) -> None:
    """Train a network on labelled sessions in the paper's three stages."""
    from affectscope.models.bmmn import BMMNConfig
    from affectscope.training.fit import DEMO_SETTINGS, FitSettings
    from affectscope.training.fit_sessions import fit_sessions, start_from

    config = BMMNConfig(variant=variant, face_encoder=face_encoder)
    with progress_bar("training") as reached:
        checkpoint_id = fit_sessions(
            sorted(path.parent for path in folder.glob("*/session.toml")),
            out,
            config=config,
            settings=DEMO_SETTINGS if demo else FitSettings(),
            start=start_from(config, imagenet, start),
            progress=lambda stage, share: reached(share, stage),
        )
    print(f"Checkpoint {checkpoint_id}: {out}")


@app.command()
def reproduce(
    what: Annotated[Reproducible, typer.Argument(help="Which table or figure.")],
    data: Annotated[Path, typer.Option(help="The corpus' folder.")],
    out: Annotated[Path, typer.Option(help="The folder for results, and to go on in.")],
    protocol: Annotated[
        ProtocolLetter,
        typer.Option(help="How people and trials are split; leakage runs A and D."),
    ] = "A",
    rate: Annotated[
        float, typer.Option(min=0.1, max=30, help="Rows per second; the paper takes 25.")
    ] = 1.0,
    folds: Annotated[int | None, typer.Option(min=1, help="Only so many folds.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 5,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many trials each.")] = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="Of each stage, and of each compared system, at most.")
    ] = 20,
    learning_rate: Annotated[float, typer.Option(help="Adam's; the paper's is 1e-4.")] = 1e-4,
    lambdas: Annotated[
        str, typer.Option(help="Weights of the auto-encoders' loss to choose from.")
    ] = "0.1,1,10",
    face_encoder: Annotated[FaceEncoderName, typer.Option(help="The face encoder.")] = "small",
    faces: Annotated[
        FacesMode,
        typer.Option(help="fold: learnt in each fold's first stage; frozen; fine-tuned."),
    ] = "fold",
    face_weights: Annotated[
        Path | None, typer.Option(help="frozen: a checkpoint whose face encoder is taken.")
    ] = None,
    face_file: Annotated[
        str | None,
        typer.Option(
            help="frozen: a face encoder from elsewhere, its facts in a TOML file; or emotiefflib:"
            "MODEL, hsemotion-onnx:MODEL. See docs/face-encoders.md."
        ),
    ] = None,
    imagenet: Annotated[
        str | None,
        typer.Option(help="frozen resnet50: torchvision's file, 'download', or 'none'."),
    ] = None,
    autoencoders: Annotated[
        AutoencoderStart,
        typer.Option(help="fold: from nothing in each; pretrained: begun on real ECG and EDA."),
    ] = "fold",
    sessions: Annotated[
        Path | None, typer.Option(help="figure5: a folder of therapy session folders.")
    ] = None,
    systems: Annotated[
        str | None,
        typer.Option(
            help="table5, leakage: only these networks and compared systems, with commas."
        ),
    ] = None,
    personality: Annotated[
        Path | None,
        typer.Option(help="table5, leakage: a table of five personality traits per person."),
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Folds at a time.")] = None,
    accelerator: Annotated[Accelerator, typer.Option(help="cpu, gpu or auto.")] = "cpu",
    precision: Annotated[
        TrainingPrecision, typer.Option(help="fp32, bf16, or auto: bf16 on a GPU only.")
    ] = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Go on although settings or code have changed.")
    ] = False,
) -> None:
    """One of the paper's tables or figures from a corpus, under a protocol without leaks.

    table5 runs the systems that the paper compares itself with behind the same protocol; leakage
    sets protocol A beside D, which leaks on purpose, for each of them. beyond.table runs a fused
    network beside the paper's and writes it as a model's folder.
    """
    from affectscope.recipes.fg2020_asked import Asked, carry_out

    asked = Asked(
        what=what,
        data=data,
        out=out,
        protocol=protocol,
        rate=rate,
        folds=folds,
        seeds=seeds,
        limit=limit,
        epochs=epochs,
        learning_rate=learning_rate,
        lambdas=lambdas,
        face_encoder=face_encoder,
        faces=faces,
        face_weights=face_weights,
        face_file=face_file,
        imagenet=imagenet,
        sessions=sessions,
        systems=systems,
        personality=personality,
        processes=processes,
        accelerator=accelerator,
        precision=precision,
        autoencoders=autoencoders,
        force=force,
    )
    with progress_bar(what) as reached:
        lines = carry_out(asked, reached)
    for line in lines:
        print(line)


def main() -> None:
    """Run the program; an expected failure prints its code and ends with status 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except AffectScopeError as error:
        print(f"REJECTED {error.code}: {error.sentence}", file=sys.stderr)
        if error.remedy:
            print(error.remedy, file=sys.stderr)
        raise SystemExit(REJECTED) from None
