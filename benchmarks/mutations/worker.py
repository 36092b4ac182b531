"""A process that reads damaged files one after another and says what came of each.

    python worker.py READER FORMAT FOLDER FIRST STOP

``FOLDER`` is what ``mutated_files.save_originals`` wrote. One line of JSON per file: it is
written before the file is read ("seed") and after it ("outcome"), so that the parent knows which
file a hang or a crash belongs to.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutations.damage import KINDS, Field, mutated
from mutations.readers import read
from mutations.readings import outcome
from mutations.witnesses import judged

ADDRESS_SPACE = 6 << 30
"""Bytes that a process may map; what asks for more gets a MemoryError, which no reader means."""


def main() -> None:
    reader, format_name, folder, first, stop = sys.argv[1:]
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    originals = _originals(Path(folder), format_name)
    with tempfile.TemporaryDirectory() as scratch:
        wholes = []
        for entry, content in originals:
            _write(Path(scratch), entry, content)
            wholes.append(read(reader, Path(scratch) / entry["name"], entry["sources"]))
        before = _peak()
        for seed in range(int(first), int(stop)):
            entry, content = originals[seed // len(KINDS) % len(originals)]
            whole = wholes[seed // len(KINDS) % len(originals)]
            if whole.is_empty:
                continue  # this reader cannot read the whole file either
            changed = mutated(content, [Field(*field) for field in entry["fields"]], seed)
            if changed == content:
                continue
            print(json.dumps({"seed": seed}))
            path = _write(Path(scratch), entry, changed)
            found = read(reader, path, entry["sources"])
            result = judged(outcome(whole, found), entry, content, changed)
            print(
                json.dumps(
                    {
                        "seed": seed,
                        "outcome": result,
                        "kind": KINDS[seed % len(KINDS)],
                        "file": entry["name"],
                        "said": (found.untyped or found.refused or found.told)[:3],
                        "grown_mb": round((_peak() - before) / 1024, 1),
                    }
                )
            )


def _originals(folder: Path, format_name: str) -> list[tuple[dict, bytes]]:
    entries = json.loads((folder / "originals.json").read_text())
    return [
        (entry, (folder / str(entry["number"])).read_bytes())
        for entry in entries
        if entry["format"] == format_name
    ]


def _write(folder: Path, entry: dict, content: bytes) -> Path:
    for name, beside in entry["beside"].items():
        (folder / name).write_text(beside)
    path = folder / entry["name"]
    path.write_bytes(content)
    return path


def _peak() -> int:
    """KiB: the most that this process, or a child of it, ever held (VmHWM is not inherited)."""
    children = [
        n for path in Path("/proc/self/task").glob("*/children") for n in path.read_text().split()
    ]
    found = [resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]
    for process in ("self", *children):
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{process}/status").read_text().splitlines()
            found.append(next(int(x.split()[1]) for x in status if x.startswith("VmHWM")))
    return max(found)


if __name__ == "__main__":
    main()
