"""Peak memory of reading a ten-hour recording, in every format that is read (F28, V26).

    .venv/bin/python benchmarks/ten_hours.py [--hours 10] [--formats edf,csv_512_hz]
    .venv/bin/python benchmarks/ten_hours.py --assess

Each recording is written piece by piece, read as a session reads it (what it holds, then the ECG
and the EDA, or every frame) in a process of its own, and deleted. The figure is the most that this
process, or one that it starts, ever held. ``--assess`` measures ``affectscope assess --rate 1`` of
a whole session instead: ECG and EDA of a simulated person at 256 Hz and a video without a face at
one frame a second. Kept in benchmarks/results/ten_hours.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "ten_hours.json"
LIMIT_MB = 1000


def read(path: Path | None, sources: list[dict[str, Any]]) -> dict[str, Any]:
    """Read one file and tell the peak memory in MB; without a path, of the imports alone."""
    from affectscope.io.biosignals import SignalSource, inspect_signals, read_timed_signal
    from affectscope.io.video import FrameReader, inspect_video

    seconds, notices = 0.0, []
    if path is not None and sources:
        inspect_signals(path)
        held = []  # a session holds both signals at once
        for source in sources:
            timed = read_timed_signal(path, SignalSource(**source))
            held.append(timed.signal)
            seconds = timed.signal.duration
            notices += [notice.code for notice in timed.notices]
    elif path is not None:
        frames = FrameReader(inspect_video(path))
        for frame in frames:
            seconds = frame.time
        notices = [notice.code for notice in frames.notices]
    return {"seconds": round(seconds, 1), "notices": sorted(set(notices)), "peak_mb": _peak_mb()}


def _peak_mb() -> int:
    """VmHWM and not ru_maxrss, which a process inherits from the one that started it."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    children = [number for path in Path("/proc/self/task").glob("*/children")
                for number in path.read_text().split()]  # fmt: skip
    return round(max(ended, *(_high_water(number) for number in ("self", *children))) / 1024)


def _high_water(process: str) -> int:
    """KiB: the most that a living process ever held."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def measured(path: Path | None, sources: list[dict[str, Any]]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--read", str(path or ""), json.dumps(sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1:]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assessed(folder: Path, seconds: int) -> dict[str, Any]:
    """Peak memory of assessing one session, as the kernel counted it for the whole process tree."""
    from long_recordings import lifelike_edf, mp4_1_fps

    signals, _ = lifelike_edf(folder, seconds)
    video, _ = mp4_1_fps(folder, seconds)
    (folder / "session.toml").write_text(
        'format = 1\nsubject_id = "simulated-10h"\nsimulated = true\n'
        f'[face]\nfile = "{video.name}"\n'
        f'[ecg]\nfile = "{signals.name}"\nchannel = "ECG"\n'
        f'[eda]\nfile = "{signals.name}"\nchannel = "EDA"\n'
    )
    command = [sys.executable, "-m", "affectscope", "assess", str(folder)]
    command += ["--out", str(folder / "report"), "--rate", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"status": done.returncode, "said": done.stdout[-300:], "peak_mb": round(peak / 1024)}


def keep(name: str, row: dict[str, Any]) -> None:
    """Print one row and put it beside the others of the results file."""
    above = row.get("peak_mb", LIMIT_MB) >= LIMIT_MB
    print(name, row, "ABOVE" if above else "", flush=True)
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    RESULT.write_text(json.dumps({**kept, name: row}, indent=2) + "\n")


def main() -> None:
    from long_recordings import WRITERS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--formats", default=",".join(WRITERS))
    parser.add_argument("--assess", action="store_true")
    parser.add_argument("--read", nargs=2)
    arguments = parser.parse_args()
    if arguments.read:
        path, sources = arguments.read
        print(json.dumps(read(Path(path) if path else None, json.loads(sources))))
        return
    if arguments.assess:
        with tempfile.TemporaryDirectory() as folder:
            found = assessed(Path(folder), round(3600 * arguments.hours))
        keep("assess, whole session", {"hours": arguments.hours, **found})
        return
    keep("imports alone", measured(None, []))
    for name in arguments.formats.split(","):
        with tempfile.TemporaryDirectory() as folder:
            path, sources = WRITERS[name](Path(folder), round(3600 * arguments.hours))
            row = {"file_mb": round(path.stat().st_size / 2**20), **measured(path, sources)}
        keep(name, {"hours": arguments.hours, **row})


if __name__ == "__main__":
    main()
