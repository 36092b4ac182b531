"""B01: a study of 2,000 small sessions whose process group is killed every 5 to 30 s until it ends.

    .venv/bin/python benchmarks/study_kills.py [--sessions 2000] [--low 5] [--high 30] [--seed 1]
        [--folder demo/study-kills] [--processes 2]

Writes the sessions once (40 s of ECG and EDA of simulated people; of each seed one signal file,
whose first line, a comment, makes every session's own), starts the study anew after every kill -9,
and counts: rows, sessions without one, sessions with two, rows that were written again after they
were finished, restarts. Keeps the figures in benchmarks/results/study_kills.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "study_kills.json"
SEEDS = 20
KILLS_OF_THE_PAGE = 2
"""So often a study is killed after its last row; writing the page may take longer than a pause."""
SETTINGS = SyntheticSettings(sampling_rate=64.0, frame_rate=0)

Rows = dict[str, tuple[int, int, str]]
"""Session -> when its row was written (ns), its inode, its key."""


@dataclass
class Counted:
    """What happened so far; ``redone`` are rows that were replaced after they had been seen."""

    restarts: int = 0
    redone: int = 0
    seen: Rows = field(default_factory=dict)

    def look(self, out: Path) -> None:
        now = rows(out)
        gone = [name for name in self.seen if name not in now]
        self.redone += len(gone) + sum(
            now[name] != before for name, before in self.seen.items() if name in now
        )
        self.seen = now


def rows(out: Path) -> Rows:
    """Every row that is there."""
    found = {}
    for path in out.glob("sessions/*/result.json"):
        status = path.stat()
        key = str(json.loads(path.read_text())["key"])
        found[path.parent.name] = (status.st_mtime_ns, status.st_ino, key)
    return found


def write_sessions(folder: Path, count: int) -> None:
    """Sessions of 20 seeds; each has its own signal file, told apart by a comment in it."""
    for number in range(count):
        place = folder / f"p{number // 4:04d}" / f"s{number % 4}"
        if (place / "session.toml").exists():
            continue
        model = folder / f"p{number % SEEDS // 4:04d}" / f"s{number % SEEDS % 4}"
        if number < SEEDS:
            person = synthetic_person(f"P{number // 4:04d}", number)
            write_session(place, person, therapy_course(40.0, number), settings=SETTINGS)
            continue
        shutil.copytree(model, place, dirs_exist_ok=True, ignore=lambda *_: ["session.toml"])
        signals = place / "signals.csv"
        signals.write_text(f"# recording {number}\n{signals.read_text()}")
        toml = (model / "session.toml").read_text()
        own = toml.replace(f'"P{number % SEEDS // 4:04d}"', f'"P{number // 4:04d}"')
        (place / "session.toml").write_text(own)


def killed_until_done(
    command: list[str], out: Path, *, count: int, pauses: random.Random, span: tuple[float, float]
) -> Counted:
    """Start the study until it ends by itself."""
    counted, complete = Counted(), 0
    while True:
        run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)
        pause = pauses.uniform(*span) if complete < KILLS_OF_THE_PAGE else None
        try:
            said, _ = run.communicate(timeout=pause)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
        else:
            if run.returncode:
                raise SystemExit(f"the study ended with status {run.returncode}")
            counted.look(out)
            print(said)
            return counted
        counted.look(out)
        counted.restarts += 1
        complete += len(counted.seen) == count
        print(f"kill {counted.restarts}: {len(counted.seen)} rows", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--low", type=float, default=5.0, help="seconds to a kill, at least")
    parser.add_argument("--high", type=float, default=30.0, help="and at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=ROOT / "demo" / "study-kills")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    data, out = asked.folder / f"data-{asked.sessions}", asked.folder / "out"
    write_sessions(data, asked.sessions)
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "affectscope", "study", str(data), "--out", str(out)]
    command += ["--no-pdf", "--processes", str(asked.processes)]
    began = time.monotonic()
    counted = killed_until_done(
        command,
        out,
        count=asked.sessions,
        pauses=random.Random(asked.seed),
        span=(asked.low, asked.high),
    )
    expected = {f"{path.parent.parent.name}__{path.parent.name}" for path in data.rglob("*.toml")}
    listed = Counter(line.split(",")[0] for line in (out / "sessions.csv").read_text().splitlines())
    statuses = Counter(
        json.loads(path.read_text())["status"] for path in out.glob("sessions/*/result.json")
    )
    keys = Counter(key for _, _, key in counted.seen.values())
    figures = {
        "sessions": asked.sessions,
        "rows": len(counted.seen),
        "missing": len(expected - counted.seen.keys()),
        "double": sum(count > 1 for count in (*keys.values(), *listed.values())),
        "redone": counted.redone,
        "restarts": counted.restarts,
        "statuses": dict(statuses),
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    if asked.sessions == parser.get_default("sessions"):
        RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
