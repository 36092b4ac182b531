"""Empatica E4 exports: EDA.csv, BVP.csv, HR.csv, TEMP.csv, ACC.csv, IBI.csv and tags.csv.

As the export's own info.txt describes them: row 1 of a sampled file is its start in Unix seconds,
row 2 its rate in Hz, both once per column. IBI.csv holds its start and the word IBI, then the
seconds since the start at which an interval between two beats ended, and how long it was.
tags.csv holds the Unix times at which the button was pressed, and is empty where it never was.

The rows alone tell that a file is such an export. What was measured is told by its name only, so
that a renamed file's unit must be stated. Rates of the device: E4 user's manual.

Legend: S samples, B intervals between beats, K presses of the button.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, ChannelInfo, SignalFile, SignalSource, find_channel
from affectscope.io.csv_blocks import data_blocks
from affectscope.io.csv_layout import TableLayout, bad_shape
from affectscope.io.csv_table import read_columns
from affectscope.io.files import check_file, shown
from affectscope.io.number_format import Evidence, parse_number
from affectscope.io.table_words import last_number_is_cut
from affectscope.io.text_head import TextHead, read_head
from affectscope.records import FloatArray, Notice

KIND = "empatica"

_UNIX_YEARS = (9.5e8, 4.1e9)  # 2000 to 2099; no rate is as high
_REMEDY = "Use the file as Empatica exported it."
_MEASURE = re.compile(r"(?<![A-Za-z])(EDA|BVP|HR|TEMP|ACC)(?![A-Za-z])", re.I)


@dataclass(frozen=True)
class _Measure:
    """What a file of one name holds: its channels, their unit, and the rate of every E4."""

    channels: tuple[str, ...]
    unit: str | None
    sampling_rate: float


_MEASURES = {
    "EDA": _Measure(("EDA",), "uS", 4.0),
    "BVP": _Measure(("BVP",), None, 64.0),
    "HR": _Measure(("HR",), "bpm", 1.0),
    "TEMP": _Measure(("TEMP",), "degC", 4.0),
    "ACC": _Measure(("ACC_X", "ACC_Y", "ACC_Z"), "g/64", 32.0),
}


@dataclass(frozen=True, eq=False)
class BeatIntervals:
    """IBI.csv. (B,) ``ends`` in seconds since ``unix_start``, rising; (B,) ``durations`` in s."""

    unix_start: float
    ends: FloatArray
    durations: FloatArray


@dataclass(frozen=True)
class _Sampled:
    """The first two rows of a sampled file, and how the rest is laid out."""

    unix_start: float
    sampling_rate: float
    layout: TableLayout
    notices: tuple[Notice, ...]


def is_empatica(head: TextHead) -> bool:
    """Whether a file's first rows are those of an E4's export."""
    return _content(head) is not None


def inspect_empatica(path: Path) -> SignalFile:
    """The channels of one file; intervals and presses of the button have no rate.

    Raises:
        InputError: E_SIGNAL_FILE, E_SAMPLING_RATE or E_CSV_SHAPE, with the row.
    """
    content = _content(read_head(path))
    if content == "intervals":
        intervals = ChannelInfo("IBI", "s", None, len(read_intervals(path).ends))
        return SignalFile(KIND, (intervals,))
    if content == "presses":
        return SignalFile(KIND, (ChannelInfo("tags", "s", None, len(read_presses(path))),))
    sampled = _sampled(path)
    samples = _count(path, sampled.layout)
    names, units = sampled.layout.names, sampled.layout.units
    infos = tuple(
        ChannelInfo(name, unit, sampled.sampling_rate, samples)
        for name, unit in zip(names, units, strict=True)
    )
    return SignalFile(KIND, infos, notices=sampled.notices)


def read_empatica(path: Path, source: SignalSource) -> ChannelData:
    """One sampled channel, with the Unix time of its first sample.

    Raises:
        InputError: E_CHANNEL, also for intervals and presses, which are no signals; E_SIGNAL_FILE,
            E_SAMPLING_RATE, E_CSV_SHAPE or E_CSV_AMBIGUOUS with the row.
    """
    content = _content(read_head(path))
    if content in ("intervals", "presses"):
        what = "the times between beats" if content == "intervals" else "presses of the button"
        raise InputError(
            "E_CHANNEL",
            f"{shown(path)} holds {what}, which come at no fixed rate and are no signal.",
            "Name the file of a sampled signal, such as EDA.csv.",
        )
    sampled = _sampled(path)
    layout = sampled.layout
    infos = [ChannelInfo(name, None, None, 0) for name in layout.names]
    column = find_channel(infos, source.channel, path=path)
    _count(path, layout)
    notices = list(sampled.notices)
    (values,) = read_columns(path, layout, columns=[column], decimal=".", notices=notices)
    if last_number_is_cut(path, layout, columns=[column], notices=notices):
        values = values[:-1]
    return ChannelData(
        values,
        sampled.sampling_rate,
        unit=layout.units[column],
        unix_start=sampled.unix_start,
        notices=tuple(notices),
    )


def read_intervals(path: Path) -> BeatIntervals:
    """IBI.csv; B is 0 where the device was sure of no beat.

    Raises:
        InputError: E_FILE_...; E_SIGNAL_FILE or E_CSV_SHAPE with the row.
    """
    check_file(path)
    head = read_head(path)
    fields = head.fields(0)
    start = parse_number(fields[0], ".")
    if start is None or fields[1:] != ("IBI",):
        raise _damaged(path, 1, "does not hold a Unix time and the word IBI")
    layout = _layout(head, ("time", "IBI"), ("s", "s"), first_row=2)
    lines = np.concatenate(
        [np.empty(0, dtype=np.int64), *(b.lines for b in data_blocks(path, layout, notices=[]))]
    )
    ends, durations = read_columns(path, layout, columns=[0, 1], decimal=".", notices=[])
    wrong = ~(np.isfinite(ends) & (durations > 0))
    wrong[1:] |= ~(np.diff(ends) > 0)
    if wrong.any():
        row = int(lines[np.flatnonzero(wrong)[0]])
        raise _damaged(path, row, "does not hold a later time and an interval above zero")
    return BeatIntervals(start, ends, durations)


def read_presses(path: Path) -> FloatArray:
    """(K,) Unix times of tags.csv at which the button was pressed; an empty file holds none.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_UNREADABLE; E_SIGNAL_FILE or E_CSV_SHAPE with the row.
    """
    try:
        check_file(path)
    except InputError as error:
        if error.code == "E_FILE_EMPTY":
            return np.empty(0)
        raise
    layout = _layout(read_head(path), ("tags",), ("s",), first_row=1)
    (times,) = read_columns(path, layout, columns=[0], decimal=".", notices=[])
    wrong = ~((times >= _UNIX_YEARS[0]) & (times <= _UNIX_YEARS[1]))
    if wrong.any():
        raise _damaged(path, int(np.flatnonzero(wrong)[0]) + 1, "holds no Unix time")
    return times


def _content(head: TextHead) -> Literal["samples", "intervals", "presses"] | None:
    """What the first rows announce, None where they are no E4's."""
    if head.separator is not None:
        return None
    first, second = head.fields(0), head.fields(1)
    if len(first) == 2 and first[1] == "IBI" and _is_unix(first[0]):
        return "intervals"
    if not all(_is_unix(field) for field in first):
        return None
    filled = [line.strip() for line in head.lines if line.strip()]
    if len(first) == 1 and all(_is_unix(line) for line in filled):
        return "presses"
    numbers = [parse_number(field, ".") for field in second]
    rates = [number for number in numbers if number is not None and number < _UNIX_YEARS[0]]
    return "samples" if len(rates) == len(first) == len(second) else None


def _is_unix(field: str) -> bool:
    number = parse_number(field, ".")
    return number is not None and _UNIX_YEARS[0] <= number <= _UNIX_YEARS[1]


def _sampled(path: Path) -> _Sampled:
    head = read_head(path)
    start = _stated(path, head, row=1, what="its start in Unix seconds")
    rate = _stated(path, head, row=2, what="its rate in Hz")
    if not rate > 0:
        raise InputError(
            "E_SAMPLING_RATE",
            f"Row 2 of {shown(path)} states a sampling rate of {rate:g} Hz.",
            _REMEDY,
        )
    width = len(head.fields(0))
    named = {name.upper() for name in _MEASURE.findall(path.stem)}
    measure = _MEASURES[named.pop()] if len(named) == 1 else None
    if measure is None or len(measure.channels) != width:
        measure = _Measure(tuple(str(n + 1) for n in range(width)), None, rate)
    notices: tuple[Notice, ...] = ()
    if measure.sampling_rate != rate:
        sentence = (
            f"{shown(path)} states a rate of {rate:g} Hz; an E4 records"
            f" {measure.channels[0].split('_')[0]} at {measure.sampling_rate:g} Hz."
        )
        notices = (Notice("W_SAMPLING_RATE", sentence),)
    layout = _layout(head, measure.channels, (measure.unit,) * width, first_row=3)
    return _Sampled(start, rate, layout, notices)


def _stated(path: Path, head: TextHead, *, row: int, what: str) -> float:
    """The one number that a row repeats for every column."""
    fields = head.fields(row - 1)
    numbers = {parse_number(field, ".") for field in fields}
    number = numbers.pop() if len(numbers) == 1 else None
    if number is None or not math.isfinite(number) or len(fields) != len(head.fields(0)):
        raise _damaged(path, row, f"does not state {what}, the same for every column")
    return number


def _layout(
    head: TextHead, names: tuple[str, ...], units: tuple[str | None, ...], *, first_row: int
) -> TableLayout:
    delimiter = head.delimiter(0) if len(names) > 1 else ""
    nothing = tuple(Evidence() for _ in names)
    return TableLayout(head.encoding, head.skip, delimiter, names, units, first_row, None, nothing)


def _count(path: Path, layout: TableLayout) -> int:
    """Samples, S > 0. A row without a sample in their midst would shift all that follow."""
    expected = layout.first_row
    for block in data_blocks(path, layout, notices=[]):
        away = np.flatnonzero(block.lines != expected + np.arange(len(block.lines)))
        if len(away):
            row = expected + int(away[0])
            raise bad_shape(path, row, what="holds no sample, between rows that do")
        expected += len(block.lines)
    if expected == layout.first_row:
        raise _damaged(path, expected, "and all after it are missing: it holds no samples")
    return expected - layout.first_row


def _damaged(path: Path, row: int, what: str) -> InputError:
    return InputError("E_SIGNAL_FILE", f"Row {row} of {shown(path)} {what}.", _REMEDY)
