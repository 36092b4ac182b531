"""A table of questionnaire answers as people type it: a row per answer, of one person or of many.

    subject,session,questionnaire,time,item,score,coding
    S01,1,STAI,before,1,3,raw

``questionnaire``, ``time``, ``item`` and ``score`` must be there, in any order and case; the rest
may be left out, and columns with other names are not read. Any of comma, semicolon, tab and "|"
parts the fields; UTF-8, Latin-1, or UTF-16 with a byte order mark. A cell is text and stays text:
what it means is for ``therapy.questionnaires``.

A row is a line: a quotation mark that is never closed spoils its own line and no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.csv_layout import is_comment, split_fields
from affectscope.io.files import check_file, shown
from affectscope.io.text_head import read_head

LARGEST = 8 << 20
"""Bytes; 2,000 people with three questionnaires before and after have about 6 million."""
MOST_ROWS = 250_000

_REQUIRED = ("questionnaire", "time", "item", "score")
_OPTIONAL = ("subject", "session", "coding")
_OTHER_NAMES = {"subject_id": "subject", "session_id": "session"}
_DELIMITERS = (",", ";", "\t", "|")
_REMEDY = (
    "Save it as CSV with the columns questionnaire, time, item and score; `affectscope"
    " questionnaire blank` writes an empty one."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: its physical line, counted from 1, and its cells as they stand there, "" if absent.

    ``score`` is what the person marked, unless ``coding`` says that it was reversed since.
    """

    line: int
    subject_id: str
    session_id: str
    questionnaire: str
    time: str
    item: str
    score: str
    coding: str


@dataclass(frozen=True)
class AnswerTable:
    """All rows of a table.

    Attributes:
        file: its name, fit to be printed.
        has_subject, has_session: whether rows say whose they are, and of which session.
        unfit: lines that have not as many fields as the header.
    """

    file: str
    has_subject: bool
    has_session: bool
    answers: tuple[Answer, ...]
    unfit: tuple[int, ...]

    @cached_property
    def by_person(self) -> Mapping[tuple[str, str], tuple[Answer, ...]]:
        """The rows of each (subject, session), in order; "" where the cell or its column lacks."""
        found: dict[tuple[str, str], list[Answer]] = {}
        for row in self.answers:
            found.setdefault((row.subject_id, row.session_id), []).append(row)
        return {person: tuple(rows) for person, rows in found.items()}


def read_answers(path: Path) -> AnswerTable:
    """Read a table of answers.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_QUESTIONNAIRE where it is no
            text, is too large, or has no header with the four columns.
    """
    lines, separator = _lines(path)
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    start = next((at for at, (_, line) in enumerate(rows) if not _before_header(line)), None)
    if start is None:
        raise _refused(path, "holds no rows")
    header = rows[start][1]
    delimiter, columns = _header(path, header, separator)
    width = len(split_fields(header, delimiter))
    answers: list[Answer] = []
    unfit: list[int] = []
    for number, line in rows[start + 1 :]:
        fields = split_fields(line, delimiter)
        if len(fields) < width or any(fields[width:]):
            unfit.append(number)
        elif any(fields):
            cells = {name: fields[column] for name, column in columns.items()}
            answers.append(_answer(number, cells))
    has_subject, has_session = "subject" in columns, "session" in columns
    return AnswerTable(shown(path), has_subject, has_session, tuple(answers), tuple(unfit))


def _lines(path: Path) -> tuple[list[str], str | None]:
    """The lines of the text, and the delimiter that a first line "sep=;" states."""
    size = check_file(path)
    if size > LARGEST:
        raise _refused(path, f"has {size:,} bytes, more than {LARGEST:,}")
    try:
        head = read_head(path)
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)[head.skip :]
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error
    try:
        text = content.decode(head.encoding)
    except UnicodeDecodeError:  # an odd byte behind the head, or half a character at the end
        text = content.decode("latin-1" if head.encoding == "utf-8" else head.encoding, "replace")
    if "\x00" in text:
        raise _refused(path, "holds NUL bytes and is no text")
    lines = re.split(r"\r\n|\n|\r", text)
    if len(lines) > MOST_ROWS:
        raise _refused(path, f"has more than {MOST_ROWS:,} lines")
    return lines, head.separator


def _before_header(line: str) -> bool:
    return is_comment(line) or re.match(r'"?sep=', line, re.I) is not None


def _header(path: Path, header: str, separator: str | None) -> tuple[str, dict[str, int]]:
    """The delimiter under which the header names the columns, and the column of each name."""
    named: list[str] = []
    for delimiter in _DELIMITERS if separator is None else (separator,):
        cells = [cell.casefold() for cell in split_fields(header, delimiter)]
        named = [_OTHER_NAMES.get(cell, cell) for cell in cells]
        if set(_REQUIRED) <= set(named):
            break
    else:
        raise _refused(path, f"has no header with {', '.join(_REQUIRED)}")
    known = [name for name in named if name in (*_REQUIRED, *_OPTIONAL)]
    twice = next((name for name in known if known.count(name) > 1), None)
    if twice is not None:
        raise _refused(path, f"has two columns named {twice}")
    return delimiter, {name: named.index(name) for name in known}


def _answer(line: int, cells: dict[str, str]) -> Answer:
    subject, session, coding = (cells.get(name, "") for name in _OPTIONAL)
    questionnaire, time, item, score = (cells[name] for name in _REQUIRED)
    return Answer(line, subject, session, questionnaire, time, item, score, coding)


def _refused(path: Path, what: str) -> InputError:
    return InputError("E_QUESTIONNAIRE", f"{shown(path)} {what}.", _REMEDY)
