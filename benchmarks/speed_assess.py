"""End to end: ``affectscope assess`` as people run it, between two runs of the plain version.

Each row is a run of its own with its own plain version, before and after it, so that a ratio
compares times of the same minutes. The plain version scores some seconds of the video; the
session's time follows from its seconds per frame and from what it does once per session.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from affectscope.datasets.window_dataset import HIGHEST_RATE
from affectscope.inference.engine import EngineName, Precision
from measured_command import Measured, measured
from speed_plain import PlainRun, PlainVersion
from speed_sessions import SpeedSession

PLAIN_SECONDS = 12.0
"""Of video, each before and after the run."""
_LOOK_INTERVAL = 1.0
"""Seconds between looks at the memory: rarer than where memory is what is measured."""


@dataclass(frozen=True)
class AssessRun:
    """One row: which engine on which session.

    Attributes:
        rate: scored frames per second; None: every frame, at most ``HIGHEST_RATE``.
    """

    engine: EngineName
    precision: Precision
    session: SpeedSession
    rate: float | None = None

    @property
    def name(self) -> str:
        rate = "" if self.rate is None else f", --rate {self.rate:g}"
        frames = f"{self.session.frame_rate} frames/s{rate}"
        return f"assess, {self.engine} {self.precision}, {frames}"

    @property
    def every(self) -> int:
        """The plain version scores one of so many frames."""
        scored = self.rate or min(self.session.frame_rate, HIGHEST_RATE)
        return round(self.session.frame_rate / scored)

    def shortened(self, minutes: float) -> AssessRun:
        """The same on a session of so many minutes."""
        session = SpeedSession(minutes, self.session.frame_rate, self.session.size)
        return AssessRun(self.engine, self.precision, session, self.rate)

    def command(self, checkpoint: Path, out: Path) -> list[str]:
        command = [sys.executable, "-m", "affectscope", "assess", str(self.session.folder)]
        command += ["--out", str(out), "--checkpoint", str(checkpoint), "--force"]
        command += ["--engine", self.engine, "--precision", self.precision]
        return command if self.rate is None else [*command, "--rate", f"{self.rate:g}"]


_TEN = SpeedSession(10.0)
_TEN_60 = SpeedSession(10.0, frame_rate=60)
ASSESS_RUNS = {
    run.name: run
    for run in (
        # The slow ones on fewer minutes: what is done once per session then weighs more.
        AssessRun("torch", "fp32", SpeedSession(2.0)),
        AssessRun("torch", "bf16", SpeedSession(2.0)),
        AssessRun("onnxruntime", "fp32", SpeedSession(2.0)),
        AssessRun("openvino", "fp32", SpeedSession(2.0)),
        AssessRun("openvino", "bf16", _TEN),
        AssessRun("openvino", "int8", _TEN),
        AssessRun("openvino", "bf16", _TEN_60),
        AssessRun("openvino", "int8", _TEN_60),
        AssessRun("openvino", "bf16", _TEN, rate=5.0),
        AssessRun("openvino", "int8", _TEN, rate=5.0),
    )
}


def assess_figures(
    run: AssessRun, checkpoint: Path, plain_seconds: float = PLAIN_SECONDS
) -> dict[str, Any]:
    """The row's figures; times in seconds, memory in MB."""
    plain = PlainVersion.of(checkpoint, run.session.folder)
    frames = max(1, round(plain_seconds * run.session.frame_rate / run.every))
    before = plain.run(frames, run.every)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report"
        ours = measured(run.command(checkpoint, out), _LOOK_INTERVAL)
        scored = len(pd.read_parquet(out / "timeline.parquet", columns=["time"]))
    after = plain.run(frames, run.every)
    return _figures(run, ours, scored, (before, after))


def _figures(
    run: AssessRun, ours: Measured, scored: int, plain: tuple[PlainRun, PlainRun]
) -> dict[str, Any]:
    duration = 60 * run.session.minutes
    whole = [each.of_session(scored) for each in plain]
    seconds, cpu_seconds = (fmean(column) for column in zip(*whole, strict=True))
    return {
        "engine": run.engine,
        "precision": run.precision,
        "minutes": run.session.minutes,
        "video_frames_per_second": run.session.frame_rate,
        "size": list(run.session.size),
        "rate": run.rate,
        "scored": scored,
        "seconds": round(ours.seconds, 1),
        "cpu_seconds": round(ours.cpu_seconds, 1),
        "scored_per_second": round(scored / ours.seconds, 1),
        "share_of_the_session": round(ours.seconds / duration, 3),
        "memory": ours.memory(),
        "plain": {
            "seconds": round(seconds, 1),
            "cpu_seconds": round(cpu_seconds, 1),
            "scored_per_second": round(scored / seconds, 1),
            "ms_per_frame": [round(1e3 * p.per_frame, 1) for p in plain],
            "timed_frames": [p.frames for p in plain],
        },
        "times_faster": round(seconds / ours.seconds, 2),
        "times_less_cpu": round(cpu_seconds / ours.cpu_seconds, 2),
    }
