"""A 2 GB upload into a real server: how much its memory grows, and how fast it is beside a copy.

    .venv/bin/python benchmarks/large_upload.py [--gigabytes 2] [--parallel 1]
        [--folder demo/large-upload]

Sends a sparse file in pieces of 8 MiB, as the page does, and finishes it. Memory is the highest
resident size of the server process (VmHWM) less its resident size before; at most 64 MB are
allowed (exit status 1 else). The speed is told as a share of the speed of a plain copy of the same
file with fsync, in the same run on the same disk. Keeps the figures of the default run in
benchmarks/results/large_upload.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from real_server import RealServer, begin, finish, send

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "large_upload.json"
PIECE = 8 << 20
ALLOWED = 64.0
"""MB that the server may grow."""


def highest_resident(process_id: int) -> int:
    """VmHWM in bytes."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def upload(server: RealServer, source: Path, name: str) -> str:
    """Send the file as the page does. Returns the sha256 that the server tells."""
    size = source.stat().st_size
    with server.client() as client, source.open("rb") as stream:
        upload_id = begin(client, server.entry.session_id, name, size)["id"]
        received = 0
        while received < size:
            received = send(client, upload_id, received, stream.read(PIECE))
        return str(finish(client, upload_id)["sha256"])


def copy(source: Path, target: Path) -> None:
    """Plainly, until it is on the disk."""
    with source.open("rb") as original, target.open("wb") as written:
        shutil.copyfileobj(original, written, PIECE)
        written.flush()
        os.fsync(written.fileno())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--parallel", type=int, default=1, help="so many uploads side by side")
    parser.add_argument("--folder", type=Path, default=ROOT / "demo" / "large-upload")
    asked = parser.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    source = asked.folder / "sparse.mp4"
    with source.open("wb") as stream:
        stream.truncate(round(asked.gigabytes * 1e9))
    began = time.monotonic()
    copy(source, asked.folder / "copy.mp4")
    copying = time.monotonic() - began
    (asked.folder / "copy.mp4").unlink()
    with RealServer(asked.folder) as server, ThreadPoolExecutor(asked.parallel) as pool:
        upload(server, _small(asked.folder), "small.bin")  # all that is loaded once is loaded
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        began = time.monotonic()
        names = [f"video-{number}.mp4" for number in range(asked.parallel)]
        sums = set(pool.map(lambda name: upload(server, source, name), names))
        sending = time.monotonic() - began
        grown = (highest_resident(process.pid) - before) / 1e6
    assert len(sums) == 1
    shutil.rmtree(asked.folder)
    figures = {
        "gigabytes": asked.gigabytes,
        "parallel": asked.parallel,
        "memory_growth_mb": round(grown, 1),
        "speed_as_share_of_copy": round(asked.parallel * copying / sending, 2),
    }
    if asked.gigabytes == parser.get_default("gigabytes") and asked.parallel == 1:
        RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))
    if grown > ALLOWED:
        raise SystemExit(f"the server grew by {grown:.0f} MB; {ALLOWED:.0f} MB are allowed")


def _small(folder: Path) -> Path:
    small = folder / "small.bin"
    small.write_bytes(os.urandom(1000))
    return small


if __name__ == "__main__":
    main()
