"""The verb ``affectscope calibrate``; as in ``cli``, heavy rooms are imported inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affectscope.progress import progress_bar


def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint's folder.")],
    sessions: Annotated[
        list[Path],
        typer.Argument(help="Labelled session folders of people that it has not learnt from."),
    ],
    coverage: Annotated[
        float, typer.Option(help="Share of moments that the intervals are to hold.")
    ] = 0.9,
    rate: Annotated[float, typer.Option(min=0.1, max=30, help="Analysed times per second.")] = 1.0,
) -> None:
    """Learn how far a checkpoint's estimates can be trusted, and write it into its folder."""
    from affectscope.inference.calibration import NAME
    from affectscope.recipes import calibration

    with progress_bar("calibrating") as reached:
        asked = calibration.CalibrationAsked(checkpoint, tuple(sessions), coverage, rate)
        found = calibration.calibrate(asked, reached)
    for line in found.lines:
        print(line)
    print(f"Written: {checkpoint / NAME}")
