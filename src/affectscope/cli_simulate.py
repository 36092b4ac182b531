"""The verbs of ``affectscope simulate``; as in ``cli``, heavy rooms are imported inside each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from affectscope.progress import progress_bar

TwinEeg = Literal["nothing", "affect"]

simulate = typer.Typer(
    help="Write sessions of simulated people (no human data).", no_args_is_help=True
)


@simulate.command("people")
def simulate_people(
    folder: Annotated[Path, typer.Argument(help="The folder to fill with session folders.")],
    people: Annotated[int, typer.Option(min=1, help="How many simulated people.")] = 8,
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of each session.")] = 2.0,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 1,
) -> None:
    """Simulated people whose affect wanders, for training."""
    from affectscope.datasets.synthetic import (
        TRAINING_SETTINGS,
        random_course,
        synthetic_person,
        write_session,
    )

    with progress_bar("simulating people") as reached:
        for index in range(people):
            name = f"simulated-{index + 1:02d}"
            write_session(
                folder / name,
                synthetic_person(name, seed * 1000 + index),
                random_course(60 * minutes, seed * 1000 + index),
                settings=TRAINING_SETTINGS,
            )
            reached((index + 1) / people)
    print(f"{people} simulated people: {folder}")


@simulate.command("session")
def simulate_session(
    folder: Annotated[Path, typer.Argument(help="The session folder to write.")],
    subject: Annotated[str, typer.Option(help="The simulated person's name.")] = "simulated",
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of the session.")] = 6.0,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 7,
) -> None:
    """A simulated therapy session: arousal falls and valence rises."""
    from affectscope.datasets.synthetic import (
        SyntheticSettings,
        synthetic_person,
        therapy_course,
        write_session,
    )

    with progress_bar("simulating a session"):
        write_session(
            folder,
            synthetic_person(subject, seed),
            therapy_course(60 * minutes, seed),
            settings=SyntheticSettings(),
        )
    print(f"Simulated session: {folder}")


@simulate.command("study")
def simulate_study(
    folder: Annotated[Path, typer.Argument(help="The study's folder to write.")],
    patients: Annotated[int, typer.Option(min=1, help="How many simulated patients.")] = 5,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions of each.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of each session.")] = 60.0,
    faces: Annotated[bool, typer.Option(help="With face videos.")] = True,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 1,
) -> None:
    """Simulated patients before and after therapy, some of whom hardly change."""
    from dataclasses import replace

    from affectscope.datasets.synthetic_study import SETTINGS, StudyDesign, write_study

    settings = SETTINGS if faces else replace(SETTINGS, frame_rate=0)
    design = StudyDesign(patients, sessions, minutes, seed)
    with progress_bar("simulating a study") as reached:
        write_study(folder, design, settings=settings, progress=reached)
    print(f"Simulated study, {patients} simulated patients: {folder}")


@simulate.command("amigos")
def simulate_amigos(
    folder: Annotated[Path, typer.Argument(help="The folder to write, in AMIGOS' layout.")],
    participants: Annotated[int, typer.Option(min=1, max=40, help="How many.")] = 8,
    frame_rate: Annotated[
        float, typer.Option(min=1, max=60, help="Of the face videos; AMIGOS has 25.")
    ] = 25.0,
    clip_scale: Annotated[
        float, typer.Option(min=0.1, max=1, help="Every clip's length times this.")
    ] = 1.0,
    long_videos: Annotated[bool, typer.Option(help="With the four long videos.")] = True,
    effect: Annotated[
        float, typer.Option(min=0, max=1, help="How strongly affect shows in face and body.")
    ] = 0.5,
    noise: Annotated[
        float, typer.Option(min=0, max=1, help="Factor on people's biases, tastes and moments.")
    ] = 1.0,
    designed: Annotated[
        float, typer.Option(min=0, max=0.8, help="How far clips are meant to move people.")
    ] = 0.3,
    eeg: Annotated[
        TwinEeg, typer.Option(help="What the EEG carries; affect by a rule of our own.")
    ] = "nothing",
    permuted: Annotated[
        bool, typer.Option("--permuted", help="Deal each person's ratings anew: no affect signal.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 0,
) -> None:
    """A twin of AMIGOS on disk: simulated people in the corpus' layout, with its known defects."""
    from affectscope.datasets.amigos_twin import TwinSettings, write_amigos_twin

    settings = TwinSettings(
        participants=participants,
        seed=seed,
        frame_rate=frame_rate,
        clip_scale=clip_scale,
        long_videos=long_videos,
        effect=effect,
        noise=noise,
        designed=designed,
        eeg=eeg,
        personality=True,
        permuted=permuted,
    )
    with progress_bar("simulating AMIGOS") as reached:
        write_amigos_twin(folder, settings, progress=lambda done, count: reached(done / count))
    print(f"Twin of AMIGOS, {participants} simulated people: {folder}")
