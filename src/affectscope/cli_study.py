"""The verb ``affectscope study``; as in ``cli``, heavy rooms are imported inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affectscope.cli_options import (
    CheckpointFolder,
    Engine,
    EnginePrecision,
    Force,
    Minutes,
    Rate,
    Thirds,
)
from affectscope.progress import progress_bar

_INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM."""


def study(
    folder: Annotated[Path, typer.Argument(help="A folder of session folders, and study.toml.")],
    out: Annotated[Path, typer.Option(help="The folder for results, and to go on in.")],
    checkpoint: CheckpointFolder = None,
    rate: Rate = None,
    minutes: Minutes = None,
    thirds: Thirds = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Sessions at a time; default: one per core.")
    ] = None,
    pdf: Annotated[
        bool,
        typer.Option("--pdf/--no-pdf", help="A report.pdf for each session, which takes longer."),
    ] = True,
    force: Force = False,
    engine: Engine = "auto",
    precision: EnginePrecision = "auto",
) -> None:
    """Assess every session below a folder, then write study.html; the same command goes on."""
    from affectscope.therapy.study.question import StudyAsked
    from affectscope.therapy.study.run import run_study

    asked = StudyAsked(
        folder=folder,
        out=out,
        checkpoint=checkpoint,
        rate=rate,
        force=force,
        minutes=minutes,
        thirds=thirds,
        processes=processes,
        pdf=pdf,
        engine=engine,
        precision=precision,
    )
    try:
        with progress_bar("study", estimate=False) as reached:
            lines = run_study(
                asked,
                progress=lambda done, count: reached(
                    done / count, f"sessions: {done} of {count} done"
                ),
            )
    except KeyboardInterrupt:
        print("Stopped. What is finished is kept; the same command goes on.")
        raise typer.Exit(_INTERRUPTED) from None
    for line in lines:
        print(line)
