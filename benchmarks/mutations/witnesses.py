"""Which differences no reader could notice, because the damaged bytes are a whole file again.

Judged here from the bytes alone, by rules that share no code with the readers:

1. Values that changed while every sample is there, at its time: no format but npz (CRC-32) and
   compressed MATLAB (Adler-32) keeps a sum over its samples. The sha256 that is taken at ingest is
   what covers them.
2. A table of text whose rows are all complete, of one width and ended: nothing states how many rows
   there were. With a clock or a counter in it, its steps must be even (no step above 1.5 times the
   usual), else the loss shows; where the whole file's stamps jitter already (Shimmer: 0 to 47 ms
   for 19 ms), a loss shows from twice its longest step on.
3. A header that lies while it still accounts for every byte of the file: EDF, BDF and MATLAB 4.
   What only one number of the file states, such as the length of a record in seconds, has no second
   witness.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLES = ("csv", "opensignals", "empatica", "shimmer", "faros", "imotions", "openface")
_CLOCKS = {"timed.csv": (",", 0), "comma.csv": (";", 0), "made.txt": ("\t", 0),
           "slow.txt": ("\t", 0), "shimmer.csv": (";", 0)}  # fmt: skip
"""File -> delimiter and column of its clock or counter."""


def judged(outcome: str, entry: dict[str, Any], content: bytes, changed: bytes) -> str:
    """The outcome, with "differs: ..." decided: "silent: ..." or "undetectable: ..."."""
    if not outcome.startswith("differs"):
        return outcome
    how = outcome.removeprefix("differs: ")
    blind = how == "values" and not _has_sum(entry["name"])
    if entry["format"] in TABLES and not entry["name"].endswith(".h5"):
        blind |= _is_whole_table(entry["name"], content, changed)
    if entry["format"] in ("edf", "bdf"):
        blind |= _edf_accounts(changed)
    if entry["name"].endswith("4.mat"):
        blind |= _mat4_accounts(changed)
    return f"{'undetectable' if blind else 'silent'}: {how}"


def _has_sum(name: str) -> bool:
    return name.endswith(".npz") or name == "packed5.mat"


def _is_whole_table(name: str, content: bytes, changed: bytes) -> bool:
    """Rule 2, with the width of the original's last row."""
    delimiter, clock = _CLOCKS.get(name, (None, None))
    rows = changed.decode("latin-1").splitlines()
    if not changed.endswith((b"\n", b"\r")) and content.endswith(b"\n"):
        return False
    marks = re.compile(r"[;,\t]" if delimiter is None else re.escape(delimiter))
    last = content.decode("latin-1").splitlines()[-1]
    data = [row for row in rows[3:] if row]
    if not data or {len(marks.findall(row)) for row in data} != {len(marks.findall(last))}:
        return False
    if clock is None:
        return True
    whole = content.decode("latin-1").splitlines()[3:]
    steps, before = (_steps(lines, delimiter, clock) for lines in (data, whole))
    if not len(steps) or steps.min() < 0:
        return False
    usual, longest = float(np.median(before)), float(before.max())
    limit = 1.5 * usual if longest < 1.2 * usual else 2 * longest
    return bool(steps.max() <= limit)


def _steps(rows: list[str], delimiter: str, column: int) -> NDArray[np.float64]:
    """Between the rows' stamps; empty where one is no number."""
    try:
        return np.diff(
            [float(row.split(delimiter)[column].replace(",", ".")) for row in rows if row]
        )
    except ValueError:
        return np.empty(0)


def _edf_accounts(changed: bytes) -> bool:
    """Whether header and records of an EDF or BDF file take exactly its bytes."""
    try:
        signals, records = int(changed[252:256]), int(changed[236:244])
        start = 256 + 216 * signals
        each = [int(changed[start + 8 * n : start + 8 * n + 8]) for n in range(signals)]
    except ValueError:
        return False
    width = 3 if changed.startswith(b"\xff") else 2
    size = 256 * (1 + signals) + max(records, 0) * sum(each) * width
    return signals > 0 and min(each) >= 0 and size == len(changed)


def _mat4_accounts(changed: bytes) -> bool:
    """Whether the matrices of a MATLAB 4 file take exactly its bytes."""
    at = 0
    while at + 20 <= len(changed):
        kind, rows, columns, imaginary, name = np.frombuffer(changed[at : at + 20], "<i4").tolist()
        width = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10, 0)
        if min(rows, columns, name) < 0 or not width:
            return False
        at += 20 + name + rows * columns * width * (2 if imaginary else 1)
    return at == len(changed)
