"""Tables as CSV that a spreadsheet program opens without running anything in them.

A text cell that starts with = + - @, a tab or a line break may be taken for a formula (OWASP,
"CSV Injection"). An apostrophe before it makes it text. Numbers stay numbers: a negative number is
written by Python from a float and is no text.

Where OWASP is silent, and what we do:
1. Blanks before the mark do not make a formula harmless: a cell counts as one that starts with
   what comes after them.
2. The full-width marks of East Asian keyboards count as well.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from affectscope.io.files import write_text

Cell = str | float | int | bool | None

_MARKS = tuple("=+-@\t\r\n＝＋－＠")
_DIGITS = 8


def inert(text: str) -> str:
    """The text as it may stand in a cell: an apostrophe before whatever might run."""
    start = text.lstrip(" \u00a0\u3000\ufeff\u200b")
    return f"'{text}" if start.startswith(_MARKS) else text


def table_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A CSV table after RFC 4180: commas, quotes where needed, rows end with CR LF.

    Numbers have eight significant digits; None and what is not finite are empty; a truth value is
    "yes" or "no".
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([inert(name) for name in header])
    for row in rows:
        assert len(row) == len(header), f"{len(row)} cells under {len(header)} names"
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write ``table_text`` in UTF-8, whole or not at all.

    Raises:
        OutputError: E_OUTPUT.
    """
    write_text(path, table_text(header, rows))


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return inert(value)
    if value is None or not math.isfinite(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)
