"""iMotions' exports of sensor data: lines that start with "#", one row of names, then the events.

The rows of all sensors follow each other in order of time; EventSource names the sensor of a row.
Cells of other sensors are empty in newer exports, and hold their last value once more in older
ones: taken as samples they would be a signal at the wrong rate. So a channel is made of its own
sensor's rows only, and its sensor is the one whose row holds its first number. A column whose
numbers change in rows of several sensors belongs to none, and all rows are taken.

Timestamp counts milliseconds from the start of the recording.

Legend: S rows of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, ChannelInfo, SignalFile, SignalSource, find_channel
from affectscope.io.csv_blocks import data_blocks
from affectscope.io.csv_layout import TableLayout, is_comment, split_fields, table_layout
from affectscope.io.csv_table import read_columns
from affectscope.io.files import shown
from affectscope.io.number_format import is_missing
from affectscope.io.table_words import CodeArray, last_number_is_cut, word_codes
from affectscope.io.text_head import TextHead
from affectscope.io.time_column import TimeColumn, on_clock, read_clock, time_unit
from affectscope.records import BoolArray, FloatArray, Notice

KIND = "imotions"

_SOURCE, _TIME = "EventSource", "Timestamp"
_SEARCHED = 100_000  # rows in which inspection looks for the sensor of each column
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_UNITS = {
    "mvolts": "mV", "mv": "mV", "microsiemens": "uS", "usiemens": "uS", "us": "uS",
    "kohms": "kOhm", "kohm": "kOhm", "msecs": "ms", "beats/min": "bpm", "degrees": "deg",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Export:
    """The columns, and (S,) which of ``sources`` each row comes from."""

    layout: TableLayout
    codes: CodeArray
    sources: tuple[str, ...]

    @property
    def time(self) -> int:
        return self.layout.names.index(_TIME)


def is_imotions(head: TextHead) -> bool:
    """Whether a file's row of names holds EventSource and Timestamp."""
    row = next(
        (n for n, line in enumerate(head.lines) if line.strip() and not is_comment(line)), None
    )
    return row is not None and {_SOURCE, _TIME} <= set(head.fields(row))


def inspect_imotions(path: Path) -> SignalFile:
    """The columns of an export, each with the rate of its sensor's rows.

    Raises:
        InputError: E_CSV_SHAPE, E_CSV_AMBIGUOUS or E_SIGNAL_FILE.
    """
    export = _export(path)
    notices: list[Notice] = []
    (stamps,) = read_columns(
        path, export.layout, columns=[export.time], decimal=None, notices=notices
    )
    rates: dict[int | None, float | None] = {None: None}
    for code in range(len(export.sources)):
        timeline, problems = read_clock(
            path, _clock(export), stamps=stamps[export.codes == code], stated_rate=None
        )
        rates[code] = timeline.sampling_rate if timeline else None
        if timeline is None and len(export.sources) == 1:
            notices += problems
    counts = np.bincount(export.codes, minlength=len(export.sources))
    owners = _first_sources(path, export)
    infos = tuple(
        ChannelInfo(
            name,
            export.layout.units[column],
            rates[owners[column]],
            len(stamps) if owners[column] is None else int(counts[owners[column]]),
        )
        for column, name in enumerate(export.layout.names)
    )
    return SignalFile(KIND, infos, _TIME, tuple(notices))


def read_imotions(path: Path, source: SignalSource) -> ChannelData:
    """One column, at the rows of its own sensor.

    Raises:
        InputError: E_CHANNEL, E_CSV_SHAPE, E_CSV_AMBIGUOUS or E_SIGNAL_FILE.
    """
    export = _export(path, source)
    layout = export.layout
    infos = [ChannelInfo(name, None, None, 0) for name in layout.names]
    column = find_channel(infos, source.channel, path=path)
    named = source.time_column is not None
    time = find_channel(infos, source.time_column, path=path) if named else export.time
    notices: list[Notice] = []
    values, stamps = read_columns(
        path, layout, columns=[column, time], decimal=source.decimal, notices=notices
    )
    if last_number_is_cut(path, layout, columns=[column, time], notices=notices):
        values, stamps = values[:-1], stamps[:-1]
    if not np.isfinite(values).any():
        raise InputError(
            "E_CHANNEL",
            f"The column {layout.names[column]!r} of {shown(path)} holds no numbers.",
            "Name the column that holds the signal.",
        )
    own = _own_rows(export.codes[: len(values)], values)
    data = ChannelData(values[own], unit=layout.units[column], notices=tuple(notices))
    clock = _clock(export) if time == export.time else _named_clock(layout, time)
    return on_clock(path, data, column=clock, stamps=stamps[own], stated_rate=source.sampling_rate)


def _own_rows(codes: CodeArray, values: FloatArray) -> BoolArray:
    """(S,) rows of the sensor that a column's first number comes from; all, where others differ."""
    finite = np.isfinite(values)
    own: BoolArray = codes == codes[np.argmax(finite)]
    last = np.maximum.accumulate(np.where(own & finite, np.arange(len(values)), 0))
    repeated = values == values[last]
    return own if not (finite & ~own & ~repeated).any() else np.ones(len(values), dtype=np.bool_)


def _first_sources(path: Path, export: _Export) -> list[int | None]:
    """Per column the source of the first row that holds something in it, None without one."""
    layout = export.layout
    found: list[int | None] = [None] * len(layout.names)
    missing = set(range(len(layout.names)))
    encoding = "latin-1" if layout.encoding == "latin-1" else "utf-8"
    row = 0
    for block in data_blocks(path, layout, notices=[]):
        for line in block.text.decode(encoding, errors="replace").split("\n")[:-1]:
            fields = split_fields(line, layout.delimiter)
            for column in [c for c in missing if not is_missing(fields[c])]:
                found[column] = int(export.codes[row])
                missing.discard(column)
            row += 1
            if not missing or row >= _SEARCHED:
                return found
    return found


def _clock(export: _Export) -> TimeColumn:
    return TimeColumn(_TIME, 1e-3, named=False)


def _named_clock(layout: TableLayout, column: int) -> TimeColumn:
    name = layout.names[column]
    return TimeColumn(name, time_unit(name, layout.units[column]), named=True)


def _export(path: Path, source: SignalSource | None = None) -> _Export:
    layout = table_layout(path, source.decimal if source else None)
    for name in (_SOURCE, _TIME):
        if layout.names.count(name) != 1:
            raise InputError(
                "E_SIGNAL_FILE",
                f"The row of names of {shown(path)} does not hold {name} once.",
                "Export the sensor data again from iMotions.",
            )
    units = tuple(
        unit_of(name) or unit for name, unit in zip(layout.names, layout.units, strict=True)
    )
    # a rate in the preamble is one sensor's, and of which one it does not say
    layout = replace(layout, units=units, sampling_rate=None)
    return _Export(layout, *word_codes(path, layout, layout.names.index(_SOURCE)))


def unit_of(name: str) -> str | None:
    """The unit in a column's name: "GSR CAL (uSiemens) (Shimmer)" -> "uS", "GSR RAW (...)" -> raw.

    None where none of its brackets holds a unit.
    """
    if "RAW" in name.split():
        return "raw"
    spelled = (
        re.sub(r"[\s]", "", inner).casefold().replace("µ", "u").replace("μ", "u")
        for inner in _BRACKETS.findall(name)
    )
    return next((_UNITS[word] for word in spelled if word in _UNITS), None)
