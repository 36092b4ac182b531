"""Memory and time of ``assess`` on a long simulated session.

    .venv/bin/python benchmarks/long_session.py [--minutes 60] [--size 1920x1080] [--frames 25]
        [--checkpoint demo/checkpoint] [--engine openvino --precision int8] [--rate 5]

Writes the session once into demo/ (``speed_sessions``), assesses it in a fresh process and looks at
the memory of that process, of its decoder and of both together five times a second. Prints the
peaks, the sum at four points of the run, and the time as a share of the session's length. Each
combination of options is one row of benchmarks/results/long_session.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from affectscope.io.files import write_text
from measured_command import ROOT, measured
from speed_sessions import SpeedSession

RESULT = ROOT / "benchmarks" / "results" / "long_session.json"


def picture_size(text: str) -> tuple[int, int]:
    """ "1920x1080" """
    width, height = text.split("x")
    return int(width), int(height)


def row(asked: argparse.Namespace, options: list[str]) -> dict[str, Any]:
    """One run's figures: seconds, memory in MB."""
    session = SpeedSession(asked.minutes, asked.frames, asked.size)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "affectscope", "assess", str(session.folder)]
        command += ["--out", str(Path(folder) / "report"), "--checkpoint", str(asked.checkpoint)]
        load = os.getloadavg()[0]
        run = measured([*command, *options])
    return {
        "minutes": asked.minutes,
        "size": list(asked.size),
        "video_frames_per_second": asked.frames,
        "checkpoint": asked.checkpoint.name,
        "options": " ".join(options),
        "load": round(load, 2),
        "memory": run.memory(),
        "seconds": round(run.seconds, 1),
        "cpu_seconds": round(run.cpu_seconds, 1),
        "share_of_the_session": round(run.seconds / (60 * asked.minutes), 3),
        "times_faster_than_the_session": round(60 * asked.minutes / run.seconds, 2),
    }


def keep(found: dict[str, Any]) -> None:
    """In place of an earlier row of the same run."""
    same = ("minutes", "size", "video_frames_per_second", "checkpoint", "options")
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    others = [each for each in rows if any(each[name] != found[name] for name in same)]
    write_text(RESULT, json.dumps([*others, found], indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--size", type=picture_size, default=(640, 360), metavar="WxH")
    parser.add_argument("--frames", type=int, default=25, help="Of the video, per second.")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "demo" / "checkpoint")
    passed_on = ("engine", "precision", "rate")
    for name in passed_on:
        parser.add_argument(f"--{name}", help="As affectscope assess takes it.")
    asked = parser.parse_args()
    pairs = [(f"--{name}", getattr(asked, name)) for name in passed_on]
    options = [part for name, value in pairs if value is not None for part in (name, value)]
    found = row(asked, options)
    keep(found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
