"""How a table is laid out: encoding, delimiter, header, units, and how its numbers are written.

Everything is decided from the rows themselves; two layouts that explain them equally well are
refused (E_CSV_AMBIGUOUS), never chosen between.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.channels import MAXIMUM_CHANNELS, Decimal, bracketed_unit
from affectscope.io.files import shown
from affectscope.io.number_format import Evidence, gather, is_missing, is_number, parse_number

HEAD_BYTES = 1 << 20
"""What is looked at to find the layout, and the longest line that is accepted."""

_HEAD_ROWS = 2000
_STRONG = ("\t", ";", "|")  # never part of a number
_WEAK = (",", " ", "")  # "" is a single column
_NAMES = {"\t": "tab", " ": "blank", "": "none (one column)"}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SPREADSHEET_ERRORS = ("#N/A", "#DIV/0", "#REF", "#VALUE", "#NUM", "#NAME", "#NULL")
_RATE = re.compile(r"sampl\w*[ _-]*(?:rate|freq\w*)\b.*?[:=]+\s*([0-9]+(?:\.[0-9]+)?)", re.I)
_SEPARATOR = re.compile(r'"?sep=([,;|\t])"?\s*$', re.I)
_UNIT_CELL = re.compile(r"^[(\[]\s*(.*?)\s*[)\]]$")
_LABELS = re.compile(r"^#\s*labels?\s*[:=]+\s*(.+)$", re.I)


@dataclass(frozen=True)
class TableLayout:
    """A table's layout.

    Attributes:
        skip: bytes of the byte order mark.
        delimiter: one character, " " for any run of blanks, "" for a single column.
        names, units: one per column.
        first_row: physical line of the first row of data, counted from 1.
        sampling_rate: Hz where a comment line states it.
        evidence: per column, what the head of the file proves about its numbers.
    """

    encoding: str
    skip: int
    delimiter: str
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    first_row: int
    sampling_rate: float | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class _Line:
    number: int
    text: str


@dataclass(frozen=True)
class _Reading:
    """The head's rows under one delimiter."""

    delimiter: str
    width: int
    header: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    share: float  # of the cells that are numbers or missing
    fits: bool  # the header has as many fields as the rows


def table_layout(path: Path, decimal: Decimal | None = None) -> TableLayout:
    """Find a table's layout from its first megabyte.

    Args:
        decimal: the decimal mark that the user states, if any.

    Raises:
        InputError: E_CSV_SHAPE, E_CSV_AMBIGUOUS, or E_SIGNAL_FILE where no column holds numbers.
    """
    encoding, skip, lines = _head(path)
    comments, body, stated = _body(lines)
    if not body:
        raise InputError(
            "E_SIGNAL_FILE", f"{shown(path)} holds no rows of data.", "Export it again."
        )
    reading = _choose(path, body, stated=stated, decimal=decimal)
    if not reading.header and _starts_with_clock(reading.rows):
        raise InputError(
            "E_SIGNAL_FILE",
            f"{shown(path)} starts with a Unix time and a rate, as Empatica's exports do.",
            "Its rate is none of Empatica's; write the samples as a table and state the rate.",
        )
    first = body[len(reading.header)].number
    names = _names(reading, comments)
    columns = tuple(zip_longest(*reading.rows, fillvalue=""))[: reading.width]
    return TableLayout(
        encoding,
        skip,
        reading.delimiter,
        names,
        _units(reading, names),
        first,
        _stated_rate(comments),
        tuple(gather(column) for column in columns),
    )


def _head(path: Path) -> tuple[str, int, list[str]]:
    """Encoding, length of the byte order mark, and the whole lines of the first megabyte."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES + 1)
    encoding, skip = _encoding(head)
    text = head[skip:HEAD_BYTES].decode(encoding, errors="replace")
    lines = re.split(r"\r\n|\n|\r", text)
    if len(head) > HEAD_BYTES:
        lines.pop()  # cut by the end of the head
    if not lines or "\x00" in text:
        raise bad_shape(path, 1, what="is longer than 1 MiB or holds NUL bytes")
    return encoding, skip, lines


def split_fields(line: str, delimiter: str) -> tuple[str, ...]:
    """A line's fields, stripped and unquoted."""
    if delimiter == " ":
        line = " ".join(line.split())
    try:
        fields = next(csv.reader([line], delimiter=delimiter or "\x1f", skipinitialspace=True), [])
    except csv.Error:  # a field of more than 128 KiB, which no row of numbers has
        return ()
    return tuple(field.strip() for field in fields)


def is_comment(line: str) -> bool:
    """Whether a line is a comment: it starts with "#" that is no spreadsheet's "#N/A"."""
    return line.startswith("#") and not line.startswith(_SPREADSHEET_ERRORS)


def bad_shape(path: Path, row: int, *, what: str) -> InputError:
    """E_CSV_SHAPE: a row, counted from 1 with the header, that does not fit."""
    return InputError(
        "E_CSV_SHAPE",
        f"Row {row} of {shown(path)} {what}.",
        "Correct or remove that row, or export the table again.",
    )


def ambiguous(path: Path, what: str) -> InputError:
    """E_CSV_AMBIGUOUS: the content has two readings."""
    return InputError(
        "E_CSV_AMBIGUOUS",
        f"{shown(path)}: {what}.",
        'State decimal = "," or decimal = "." for this modality in session.toml.',
    )


def _encoding(head: bytes) -> tuple[str, int]:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    sample = head[:4096]
    if sample[1::2].count(0) > len(sample) // 4:
        return "utf-16-le", 0
    if sample[0::2].count(0) > len(sample) // 4:
        return "utf-16-be", 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1", 0
    return "utf-8", 0


def _body(lines: list[str]) -> tuple[list[str], list[_Line], str | None]:
    """Comments at the top, the other lines that are not blank, the delimiter of a "sep=" line."""
    comments: list[str] = []
    body: list[_Line] = []
    stated = None
    for number, line in enumerate(lines, 1):
        if is_comment(line):
            comments += [] if body else [line]
        elif not body and (separator := _SEPARATOR.match(line)):
            stated = separator.group(1)
        elif line.strip():
            body.append(_Line(number, line))
        if len(body) >= _HEAD_ROWS:
            break
    return comments, body, stated


def _choose(
    path: Path, body: list[_Line], *, stated: str | None, decimal: Decimal | None
) -> _Reading:
    """The one delimiter that explains the head best."""
    if stated is not None:
        reading = _read_with(stated, body)
        candidates = [reading] if reading else []
    else:
        candidates = [r for d in (*_STRONG, *_WEAK) if (r := _read_with(d, body)) is not None]
    candidates = [reading for reading in candidates if reading.share > 0]
    strong = [reading for reading in candidates if reading.delimiter in _STRONG]
    if strong:
        return _fitting(path, body, reading=max(strong, key=lambda r: r.share * r.width))
    if not candidates:
        raise InputError(
            "E_SIGNAL_FILE",
            f"{shown(path)} holds no column of numbers.",
            "Hand in the table of samples, not a report about it.",
        )
    fitting = [reading for reading in candidates if reading.fits]
    if not fitting:
        return _fitting(path, body, reading=max(candidates, key=lambda r: r.share))
    best = max(reading.share for reading in fitting)
    return _only(path, [reading for reading in fitting if reading.share == best], decimal=decimal)


def _only(path: Path, equal: list[_Reading], *, decimal: Decimal | None) -> _Reading:
    """Break a tie of weak delimiters by the user's word, the header or zeros, or refuse."""
    if decimal == "," and len(equal) > 1:
        equal = [r for r in equal if r.delimiter != ","] or equal
    if decimal == "." and len(equal) > 1:
        equal = [r for r in equal if r.delimiter == ","] or equal
    if len(equal) > 1:
        # a delimiter that parts the header's names is no decimal mark
        equal = [r for r in equal if r.delimiter and r.header] or equal
    if len(equal) > 1:
        # whole numbers are not written "05": the mark before it is a decimal mark
        equal = [r for r in equal if not (r.delimiter and _zero_led(r))] or equal
    if len(equal) == 1:
        return equal[0]
    first = equal[0].rows[0]
    names = " or ".join(_NAMES.get(r.delimiter, repr(r.delimiter)) for r in equal)
    raise ambiguous(path, f"rows such as {first!r} can be read with the delimiter {names}")


def _zero_led(reading: _Reading) -> bool:
    return any(re.fullmatch(r"0[0-9]+", cell) for row in reading.rows for cell in row)


def _starts_with_clock(rows: Sequence[tuple[str, ...]]) -> bool:
    """Whether the first row is a Unix time that the second row does not go on from."""
    if len(rows) < 3:
        return False
    first, second = (parse_number(row[0], ".") for row in rows[:2])
    return first is not None and second is not None and 9.5e8 < first < 4.1e9 and second < 1e8


def _fitting(path: Path, body: list[_Line], *, reading: _Reading) -> _Reading:
    if reading.fits:
        return reading
    line = body[0]
    found = len(split_fields(line.text, reading.delimiter))
    raise bad_shape(
        path, line.number, what=f"has {found} fields where most rows have {reading.width}"
    )


def _read_with(delimiter: str, body: list[_Line]) -> _Reading | None:
    """The head under one delimiter, None where most rows do not agree on their width."""
    split = [split_fields(line.text, delimiter) for line in body]
    width, agreeing = Counter(map(len, split)).most_common(1)[0]
    if agreeing < 0.8 * (len(split) - 2) or width > MAXIMUM_CHANNELS:
        return None
    # a delimiter at the end of every line makes no column
    fields = width - (width > 1 and all(row[-1] == "" for row in split if len(row) == width))
    if delimiter and width == 1:
        return None
    count = _header_rows(split, fields)
    header = tuple(row[:fields] for row in split[:count])
    fits = all(len(row) in (fields, width) for row in split[:count] or split[:1])
    rows = tuple(row for row in split[count:] if len(row) in (fields, width))
    cells = [cell for row in rows for cell in row[:fields]]
    numbers = sum(map(is_number, cells))
    share = sum(is_missing(c) or is_number(c) for c in cells) / len(cells) if numbers else 0.0
    return _Reading(delimiter, fields, header, rows, share, fits)


def _header_rows(split: list[tuple[str, ...]], width: int) -> int:
    """Rows at the top that hold words over numbers: 0, 1 (names) or 2 (names and units)."""
    sample = split[2:52] or split[1:]
    numeric = [
        sum(is_number(row[column]) for row in sample if column < len(row)) * 2
        >= max(sum(not is_missing(row[column]) for row in sample if column < len(row)), 1)
        for column in range(width)
    ]
    count = 0
    for row in split[: min(2, len(split) - 1)]:
        over_numbers = [cell for cell, over in zip(row, numeric, strict=False) if over]
        numbers = sum(map(is_number, over_numbers))
        words = sum(not is_missing(cell) for cell in over_numbers) - numbers
        if words <= numbers:
            break
        count += 1
    return count


def _names(reading: _Reading, comments: list[str]) -> tuple[str, ...]:
    """Column names from the header row, a "Labels" comment, the last comment, or numbers."""
    width = reading.width
    named: tuple[str, ...] = reading.header[0] if reading.header else ()
    if not named and comments:
        labels = [match.group(1) for line in comments if (match := _LABELS.match(line))]
        for line in (*labels, comments[-1].lstrip("# ")):
            fields = _comment_fields(line, reading.delimiter)
            if len(fields) == width and (width > 1 or labels):
                named = fields
                break
    return tuple(
        (named[column] if column < len(named) else "") or str(column + 1) for column in range(width)
    )


def _comment_fields(line: str, delimiter: str) -> tuple[str, ...]:
    for candidate in dict.fromkeys((delimiter, ",", "\t", ";")):
        fields = split_fields(line, candidate)
        if len(fields) > 1:
            return fields
    return (line.strip(),)


def _units(reading: _Reading, names: tuple[str, ...]) -> tuple[str | None, ...]:
    row = reading.header[1] if len(reading.header) > 1 else ()
    cells = [
        _UNIT_CELL.sub(r"\1", row[column]) if column < len(row) else ""
        for column in range(len(names))
    ]
    return tuple(
        (cell if cell and cell != "no_units" else None) or bracketed_unit(name)
        for cell, name in zip(cells, names, strict=True)
    )


def _stated_rate(comments: list[str]) -> float | None:
    for line in comments:
        if (found := _RATE.search(line)) and "hz" in line.casefold():
            return float(found.group(1)) or None
    return None
