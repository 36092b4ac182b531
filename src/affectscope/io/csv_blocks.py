"""A table's rows of data as blocks of whole lines, each row checked for its width."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectscope.io.csv_layout import (
    HEAD_BYTES,
    TableLayout,
    bad_shape,
    is_comment,
    split_fields,
)
from affectscope.io.files import shown
from affectscope.records import BoolArray, Notice

_BLOCK = 8 << 20
_NEWLINE, _HASH = 10, 35


@dataclass(frozen=True)
class Block:
    """Whole lines, each ended by a newline.

    Attributes:
        lines: the physical line number of each row, counted from 1.
        trailing: whether a row ends in a delimiter that makes no column.
    """

    text: bytes
    lines: NDArray[np.int64]
    trailing: bool


def data_blocks(path: Path, layout: TableLayout, *, notices: list[Notice]) -> Iterator[Block]:
    """The table's rows of data as blocks of whole lines, each row checked for its width (P25)."""
    line, ended = 1, False  # ended: rows end in a delimiter, and a last one that does not is cut
    for text, complete in _whole_lines(path, layout):
        lines = text.count(b"\n")
        if line + lines > layout.first_row:
            if line < layout.first_row:
                text = text.split(b"\n", layout.first_row - line)[-1]
                lines, line = text.count(b"\n"), layout.first_row
            least = None if complete else len(layout.names) + ended
            block, cut = _checked(path, layout, text=text, first=line, least=least)
            ended = block.trailing
            if cut:
                sentence = f"{shown(path)} ends inside row {line + lines - 1}, which was left out."
                notices.append(Notice("W_FILE_TRUNCATED", sentence))
            if len(block.lines):
                yield block
        line += lines


def _whole_lines(path: Path, layout: TableLayout) -> Iterator[tuple[bytes, bool]]:
    r"""Blocks of whole lines with "\n" ends, UTF-8 unless Latin-1; False marks a cut last line."""
    decode = None
    if layout.encoding.startswith("utf-16"):
        decode = codecs.getincrementaldecoder(layout.encoding)(errors="replace").decode
    line, rest = 1, b""
    with path.open("rb") as stream:
        stream.seek(layout.skip)
        while raw := stream.read(_BLOCK):
            chunk = rest + (decode(raw).encode() if decode else raw)
            if b"\r" in chunk:
                held = b"\r" if chunk.endswith(b"\r") else b""  # its "\n" may come next
                chunk = (
                    chunk.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
                )
            end = chunk.rfind(b"\n") + 1
            length = len(chunk) - end
            filled = len(chunk[:end].rstrip(b"\n"))  # blank lines may be the file's last
            end = min(end, filled + 1) if filled else 0
            text, rest = chunk[:end], chunk[end:]
            if b"\x00" in chunk:
                row = line + chunk[: chunk.index(b"\x00")].count(b"\n")
                raise bad_shape(path, row, what="holds NUL bytes, which are no text")
            line += text.count(b"\n")
            if length > HEAD_BYTES:
                raise bad_shape(path, line, what=f"is longer than {HEAD_BYTES >> 20} MiB")
            if text:
                yield text, True
    if rest.strip():
        yield rest.rstrip(b"\r") + b"\n", rest.endswith(b"\r")


def _checked(
    path: Path, layout: TableLayout, *, text: bytes, first: int, least: int | None
) -> tuple[Block, bool]:
    """A block without comments and blank lines, and whether a cut last line was left out.

    ``least``: fields that a last line without its end must have, None for whole lines.
    """
    width = len(layout.names)
    counts, kept = _field_counts(text, layout)
    # A delimiter at the end of a row makes no column, unless the header has one there.
    widest = width if layout.names[-1] == "" else width + 1
    wrong = kept & (counts != width) & (counts != widest)
    cut = False
    if least is not None and len(counts) and kept[-1] and counts[-1] < least:
        cut, wrong[-1], kept[-1] = True, False, False
    over = np.flatnonzero(kept & (counts == width + 1) & (widest > width))
    if wrong.any() or len(over) or not kept.all():
        rows = text.split(b"\n")[:-1]
        encoding = "latin-1" if layout.encoding == "latin-1" else "utf-8"
        for row in over.tolist():
            fields = split_fields(rows[row].decode(encoding, errors="replace"), layout.delimiter)
            wrong[row] = fields[-1] != ""
        if wrong.any():
            bad = int(np.flatnonzero(wrong)[0])
            what = f"has {counts[bad]} fields where {width} are expected"
            raise bad_shape(path, first + bad, what=what)
        if not kept.all():
            text = b"".join(r + b"\n" for r, keep in zip(rows, kept, strict=True) if keep)
    return Block(text, first + np.flatnonzero(kept), len(over) > 0), cut


def _field_counts(text: bytes, layout: TableLayout) -> tuple[NDArray[np.int64], BoolArray]:
    """Per line its number of fields, and whether it is a row (no comment, not blank)."""
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(characters == _NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    blank = ends == starts
    comment = characters[starts] == _HASH
    for row in np.flatnonzero(comment).tolist():
        start = int(starts[row])
        comment[row] = is_comment(text[start : start + 8].decode("latin-1"))
    if not layout.delimiter:
        # in a single column an empty line is a missing value
        return np.ones(len(ends), dtype=np.int64), ~comment
    if b'"' in text:
        encoding = "latin-1" if layout.encoding == "latin-1" else "utf-8"
        rows = text.decode(encoding, errors="replace").split("\n")[:-1]
        counts = np.array([len(split_fields(row, layout.delimiter)) for row in rows])
        return counts, ~(blank | comment)
    if layout.delimiter == " ":
        space = (characters == 32) | (characters == 9) | (characters == _NEWLINE)
        begins = np.flatnonzero(~space & np.concatenate([[True], space[:-1]]))
        counts = np.diff(np.searchsorted(begins, ends), prepend=0)
        return counts, ~(comment | (counts == 0))
    marks = np.flatnonzero(characters == ord(layout.delimiter))
    counts = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    return counts, ~(blank | comment)
