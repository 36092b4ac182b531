"""Damaged files of every format through our readers, and the same files through others.

    .venv/bin/python benchmarks/mutated_files.py [--files 1000] [--formats edf,csv] [--resume]
        [--peers PYTHON]

Each file is a whole one (``mutations.originals``) after seeded damage (``mutations.damage``): a
cut, flipped bits, bytes put in or taken out, or a header field that lies. ``--files`` are tried for
each of the seven formats that the targets name, a fifth of that for the others; files that the
damage left as they were do not count. Readers run in child processes with a limit on memory and on
the time without an answer. ``--peers`` names the interpreter of an environment with numpy, pyxdf,
mne, av, scipy, h5py and pandas. What comes of a file:

    error         refused, with a code (others: with an error that they mean to raise)
    degraded      a result, with notices (others: with a warning)
    unchanged     the same samples at the same times: the damage lay where nothing is read
    undetectable  a result that differs, of bytes that are a whole file again
                  (``mutations.witnesses``)
    silent        a result that lost samples or moved them in time, and nothing says so
    untyped       an error that the reader does not mean to raise
    hang, died    no answer for three minutes; the process ended

Kept in benchmarks/results/mutated_files.json, by format and reader.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutations.fields import FIELDS
from mutations.originals import Original, all_originals
from mutations.readers import PEERS

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "mutated_files.json"
WORKER = ROOT / "benchmarks" / "mutations" / "worker.py"

NAMED = ("edf", "xdf", "opensignals", "csv", "mp4", "mkv", "mat")
CLASSES = ("error", "degraded", "unchanged", "undetectable", "silent", "untyped", "hang", "died")
LONGEST = 180.0
"""Seconds without an answer: a hang."""

Row = dict[str, Any]


def save_originals(folder: Path, originals: list[Original]) -> None:
    """Contents as numbered files beside originals.json, for workers of any environment."""
    entries = []
    for number, original in enumerate(originals):
        (folder / str(number)).write_bytes(original.content)
        find = FIELDS.get(original.fields)
        entries.append(
            {
                "number": number,
                "format": original.format,
                "name": original.name,
                "sources": list(original.sources),
                "beside": {name: body.decode() for name, body in original.beside.items()},
                "fields": [[*asdict(f).values()] for f in find(original.content)] if find else [],
            }
        )
    (folder / "originals.json").write_text(json.dumps(entries))


def outcomes(python: str, reader: str, format_name: str, *, folder: Path, count: int) -> list[Row]:
    """What came of each damaged file; a worker that hangs or dies is started anew behind it."""
    rows: list[Row] = []
    first = 0
    while first < count:
        command = [python, str(WORKER), reader, format_name, str(folder), str(first), str(count)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
        ended, reading = "died", first
        for row in _lines(worker):
            if row is None:
                ended = "hang"
                worker.kill()
                break
            reading = row["seed"]
            if "outcome" in row:
                rows.append(row)
        if worker.wait() == 0:
            return rows
        said = [f"status {worker.returncode}"]
        rows.append({"seed": reading, "outcome": ended, "said": said, "grown_mb": 0.0})
        first = reading + 1
    return rows


def _lines(worker: subprocess.Popen[bytes]) -> Iterator[Row | None]:
    """The worker's lines; None where it gave none for too long."""
    assert worker.stdout is not None
    rest = b""
    while True:
        ready, _, _ = select.select([worker.stdout], [], [], LONGEST)
        if not ready:
            yield None
            return
        block = worker.stdout.read(1 << 16)
        if not block:
            return
        *lines, rest = (rest + block).split(b"\n")
        yield from (json.loads(line) for line in lines)


def summary(rows: list[Row]) -> Row:
    """Counts by class, the seeds that must not be, and the memory that reading took."""
    counts = Counter(row["outcome"].split(":")[0] for row in rows)
    bad = [row for row in rows if row["outcome"].split(":")[0] in CLASSES[4:]]
    return {
        "files": len(rows),
        **{name: counts[name] for name in CLASSES},
        "grown_mb": round(max((row["grown_mb"] for row in rows), default=0.0)),
        "bad": [
            {k: row.get(k, "") for k in ("seed", "file", "outcome", "said")} for row in bad[:40]
        ],
    }


def table(results: dict[str, dict[str, Row]]) -> str:
    """The results as Markdown."""
    heads = ("format", "reader", "files", *CLASSES, "memory, MB")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, readers in results.items():
        for reader, row in readers.items():
            cells = [name, reader, row["files"], *(row[c] for c in CLASSES), row["grown_mb"]]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    ours = [readers["affectscope"] for readers in results.values()]
    total = {key: sum(row[key] for row in ours) for key in ("files", *CLASSES)}
    lines.append(f"| all | affectscope | {' | '.join(str(n) for n in total.values())} | |")
    return "\n".join(lines)


def keep(format_name: str, reader: str, *, row: Row, order: list[str]) -> dict[str, Any]:
    """Print one reader's row, put it into the results file, and give the whole of that."""
    print(format_name, reader, {k: v for k, v in row.items() if k != "bad"}, flush=True)
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    kept.setdefault(format_name, {})[reader] = row
    kept = {key: kept[key] for key in order if key in kept}
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--formats", default="")
    parser.add_argument("--peers", default="")
    parser.add_argument("--resume", action="store_true", help="keep formats that were done before")
    arguments = parser.parse_args()
    originals = list(all_originals(ROOT.parent / "shared" / "data"))
    every = [*NAMED, *sorted({original.format for original in originals} - {*NAMED})]
    wanted = arguments.formats.split(",") if arguments.formats else every
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        save_originals(Path(name), originals)
        for format_name in wanted:
            # A few more than asked for: some damage changes nothing and does not count.
            asked = arguments.files if format_name in NAMED else arguments.files // 5
            count = round(1.06 * asked) // 5 * 5
            readers = [("affectscope", sys.executable)]
            if arguments.peers and format_name in PEERS:
                readers.append((PEERS[format_name], arguments.peers))
            for reader, python in readers:
                if arguments.resume and reader in kept.get(format_name, {}):
                    continue
                rows = outcomes(python, reader, format_name, folder=Path(name), count=count)
                kept = keep(format_name, reader, row=summary(rows), order=every)
    print(table(kept))


if __name__ == "__main__":
    main()
