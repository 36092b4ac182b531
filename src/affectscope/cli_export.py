"""The verb ``affectscope export``; as in ``cli``, heavy rooms are imported inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from affectscope.progress import progress_bar


def export(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint's folder.")],
    engine: Annotated[
        Literal["openvino", "onnxruntime"], typer.Option(help="What is to run the face encoder.")
    ] = "openvino",
    precision: Annotated[
        Literal["fp32", "bf16", "int8"], typer.Option(help="The precision of its numbers.")
    ] = "int8",
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            help="A session's folder: the first part calibrates int8, the rest measures. May be "
            "given several times."
        ),
    ] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(help="A session's folder that measures alone. May be given several times."),
    ] = None,
) -> None:
    """Write a faster engine into a checkpoint, with how far it deviates from PyTorch."""
    from affectscope.inference.export import ExportAsked, export_engine

    asked = ExportAsked(checkpoint, engine, precision, tuple(calibrate or ()), tuple(check or ()))
    with progress_bar("exporting") as reached:
        exported = export_engine(asked, reached)
    for line in exported.lines:
        print(line)
