"""Memory and time of the main job on a 60-minute simulated session (25 frames/s, 640 x 360).

    .venv/bin/python benchmarks/long_session.py [--minutes 60] [--checkpoint demo/checkpoint]

Writes the session once into demo/long-session, assesses it in a fresh process, prints that process'
peak resident memory and its time as a multiple of the session's length, and keeps both in
benchmarks/results/long_session.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "long_session.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "demo" / "checkpoint")
    arguments = parser.parse_args()
    session = ROOT / "demo" / f"long-session-{arguments.minutes:g}"
    began = time.monotonic()
    if not (session / "session.toml").exists():
        write_session(
            session,
            synthetic_person("simulated-long", 60),
            therapy_course(60 * arguments.minutes, 60),
            settings=SyntheticSettings(),
        )
        print(f"simulated in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    command = [sys.executable, "-m", "affectscope", "assess", str(session)]
    command += ["--out", str(ROOT / "demo" / "long-report")]
    command += ["--checkpoint", str(arguments.checkpoint)]
    subprocess.run(command, check=True)
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    figures = {
        "minutes": arguments.minutes,
        "peak_memory_mb": round(peak),
        "seconds": round(seconds, 1),
        "times_faster_than_the_session": round(60 * arguments.minutes / seconds, 2),
    }
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
