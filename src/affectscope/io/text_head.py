"""The start of a text file, decoded: what tells one device's export from another's."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 1 << 16

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEPARATOR = re.compile(r'"?sep=([,;|\t])"?\s*$', re.I)


@dataclass(frozen=True)
class TextHead:
    """The first whole lines of a file, or its one line that is longer than the head.

    Attributes:
        skip: bytes of the byte order mark.
    """

    encoding: str
    skip: int
    lines: tuple[str, ...]

    @property
    def separator(self) -> str | None:
        """The delimiter of a first line "sep=;"."""
        found = _SEPARATOR.match(self.lines[0]) if self.lines else None
        return found.group(1) if found else None

    def fields(self, row: int) -> tuple[str, ...]:
        """The fields of a line (row counted from 0), stripped and unquoted, () beyond the end.

        They are parted by the file's own separator, or by the first of tab, ";" and "," that the
        line holds.
        """
        if row >= len(self.lines):
            return ()
        line = self.lines[row]
        delimiter = self.separator or self.delimiter(row) or "\n"
        return tuple(field.strip().strip('"').strip() for field in line.split(delimiter))

    def delimiter(self, row: int) -> str:
        """The first of tab, ";" and "," that a line holds, "" for none."""
        return next((mark for mark in "\t;," if mark in self.lines[row]), "")


def read_head(path: Path) -> TextHead:
    """The head of a file that exists. Raises OSError."""
    with path.open("rb") as stream:
        content = stream.read(HEAD_BYTES + 1)
    encoding, skip = next(
        ((name, len(mark)) for mark, name in _MARKS if content.startswith(mark)), ("", 0)
    )
    encoding = encoding or ("utf-8" if _is_utf8(content) else "latin-1")
    text = content[skip:HEAD_BYTES].decode(encoding, errors="replace")
    lines = re.split(r"\r\n|\n|\r", text)
    if len(content) > HEAD_BYTES and len(lines) > 1:
        lines.pop()  # cut by the end of the head
    return TextHead(encoding, skip, tuple(lines))


def _is_utf8(content: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return True
