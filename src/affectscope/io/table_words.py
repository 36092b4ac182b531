"""One column of a table as words, block by block: names of sources, times of the day.

Legend: S rows of data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectscope.io.csv_blocks import data_blocks
from affectscope.io.csv_layout import TableLayout, split_fields
from affectscope.io.files import shown
from affectscope.records import Notice

IntArray = NDArray[np.int64]
CodeArray = NDArray[np.int32]


def column_words(
    path: Path, layout: TableLayout, column: int
) -> Iterator[tuple[IntArray, list[str]]]:
    """The physical line numbers of a block's rows, and the column's cell in each.

    The rows are those that ``csv_table.read_columns`` gives numbers for.

    Raises:
        InputError: E_CSV_SHAPE.
    """
    encoding = "latin-1" if layout.encoding == "latin-1" else "utf-8"
    for block in data_blocks(path, layout, notices=[]):
        text = block.text.decode(encoding, errors="replace")
        rows = text.split("\n")[:-1]
        if '"' in text or len(layout.delimiter) != 1 or layout.delimiter == " ":
            yield block.lines, [split_fields(row, layout.delimiter)[column] for row in rows]
        else:
            mark = layout.delimiter
            yield block.lines, [row.split(mark, column + 1)[column].strip() for row in rows]


def last_number_is_cut(
    path: Path, layout: TableLayout, *, columns: Sequence[int], notices: list[Notice]
) -> bool:
    """Whether the last row's number may lack digits: the file ends inside its last column.

    Devices end every line. Appends W_FILE_TRUNCATED to ``notices``, once per file.
    """
    if len(layout.names) - 1 not in columns or any(n.code == "W_FILE_TRUNCATED" for n in notices):
        return False
    if _ends_in_a_line(path, layout):
        return False
    sentence = f"{shown(path)} ends inside its last row, which was left out."
    notices.append(Notice("W_FILE_TRUNCATED", sentence))
    return True


def tell_open_end(path: Path, layout: TableLayout, notices: list[Notice]) -> None:
    """W_FILE_TRUNCATED where the last row has no line end and no notice says that it was cut.

    Some programs write no last line end, so the row is kept: nothing but the missing end tells.
    """
    if _ends_in_a_line(path, layout) or any(n.code == "W_FILE_TRUNCATED" for n in notices):
        return
    sentence = (
        f"The last row of {shown(path)} has no line end: the file may have been cut there, in or"
        " behind its last number."
    )
    notices.append(Notice("W_FILE_TRUNCATED", sentence))


def _ends_in_a_line(path: Path, layout: TableLayout) -> bool:
    width = 2 if layout.encoding.startswith("utf-16") else 1
    with path.open("rb") as stream:
        stream.seek(-min(width, path.stat().st_size), os.SEEK_END)
        end = stream.read()
    return b"\n" in end or b"\r" in end


def word_codes(path: Path, layout: TableLayout, column: int) -> tuple[CodeArray, tuple[str, ...]]:
    """(S,) the index of each row's word, and the words in order of their first row.

    Raises:
        InputError: E_CSV_SHAPE.
    """
    known: dict[str, int] = {}
    parts = [
        np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int32)
        for _, words in column_words(path, layout, column)
    ]
    return (np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)), tuple(known)
