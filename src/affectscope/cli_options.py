"""Options that several verbs share, each stated once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Out = Annotated[Path, typer.Option(help="The folder to write into.")]
CheckpointFolder = Annotated[Path | None, typer.Option(help="A checkpoint's folder.")]
Engine = Annotated[
    Literal["auto", "torch", "openvino", "onnxruntime"],
    typer.Option(help="What runs the face encoder; auto: the fastest that lies in the checkpoint."),
]
EnginePrecision = Annotated[
    Literal["auto", "fp32", "bf16", "int8"],
    typer.Option("--precision", help="The precision of that engine."),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0.1, max=120, help="Analysed times per second; default: every frame up to 30."
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        help="Compare the first and the last so many minutes, whatever a session's file says."
    ),
]
Thirds = Annotated[
    bool,
    typer.Option(
        "--thirds", help="Compare the first and the last third, whatever a session's file says."
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Score with weights not fitted on people; marked as such.")
]
