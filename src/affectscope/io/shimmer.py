"""Shimmer's exports of tables: Consensys (three rows on top) and ShimmerCapture (four).

    Consensys         "sep=;", then <device>_<signal>_<CAL or RAW>, then units
    ShimmerCapture    device, then signal, then CAL or RAW, then units

Every device of a file has a clock of its own, and each channel is timed by its device's. Of several
clocks the one that the devices share is taken, then the one of the day, then the one that counts
from the device's start. RAW columns are converter counts.

A formatted time of the day says no time zone, so it gives the rate and the gaps and no Unix time.

Legend: S rows of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import (
    MAXIMUM_CHANNELS,
    ChannelData,
    ChannelInfo,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.csv_layout import TableLayout, bad_shape
from affectscope.io.csv_table import read_columns
from affectscope.io.files import shown
from affectscope.io.number_format import Evidence, is_number
from affectscope.io.table_words import column_words, last_number_is_cut
from affectscope.io.text_head import TextHead, read_head
from affectscope.io.time_column import TimeColumn, on_clock, read_clock
from affectscope.io.timeline import SECONDS
from affectscope.records import FloatArray, Notice

KIND = "shimmer"

_FORMATS = {"CAL", "RAW", "UNCAL"}
_NAME = re.compile(r"(?P<signal>.+)_(?P<format>CAL|RAW|UNCAL)")
_CLOCK = re.compile(r"(?P<device>.*?)_?(?P<clock>(?:System_)?Timestamp\w*|Time_Stamp)_CAL", re.I)
_DATE = re.compile(r"\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?")
_AS_ISO = str.maketrans("/ ,", "-T.")
_UNITS = {
    "mVolts": "mV", "mSecs": "ms", "uSiemens": "uS", "u Siemens": "uS", "nSiemens": "nS",
    "no_units": None, "no units": None, "": None,
}  # fmt: skip
_REMEDY = "Export it again from Consensys or ShimmerCapture."


@dataclass(frozen=True)
class _Export:
    """How a file is laid out, and which columns are clocks: (column, device, rank; 0 is best).

    Where every row ends in a delimiter, the layout has an empty last column, so that a row that
    lacks a field, or its end, is seen to. ``columns`` leaves it out.
    """

    layout: TableLayout
    columns: int
    clocks: tuple[tuple[int, str, int], ...]

    def clock_of(self, column: int) -> int | None:
        """The best clock of the column's device, None without one."""
        name = self.layout.names[column]
        own = [c for c in self.clocks if not c[1] or name.startswith(f"{c[1]}_")]
        longest = max((len(device) for _, device, _ in own), default=0)
        return min(
            (clock for clock in own if len(clock[1]) == longest),
            key=lambda c: c[2],
            default=(None,),
        )[0]


def is_shimmer(head: TextHead) -> bool:
    """Whether a file's top rows name columns as Shimmer's programs do, a clock among them."""
    return _names(head) is not None


def inspect_shimmer(path: Path) -> SignalFile:
    """The columns of an export, each with the rate that its device's clock shows.

    Raises:
        InputError: E_SIGNAL_FILE or E_CSV_SHAPE with the row; E_CSV_AMBIGUOUS.
    """
    export = _export(path)
    notices: list[Notice] = []
    rates: dict[int | None, tuple[float | None, int]] = {}
    infos = []
    for column in range(export.columns):
        clock = export.clock_of(column)
        if clock not in rates:
            rates[clock] = _rate(path, export, clock=clock, notices=notices)
        infos.append(_info(export.layout, column, *rates[clock]))
    used = export.clock_of(0)
    named = export.layout.names[used] if used is not None else None
    return SignalFile(KIND, tuple(infos), named, tuple(notices))


def read_shimmer(path: Path, source: SignalSource) -> ChannelData:
    """One column, timed by its device's clock or by the one that the user names.

    Raises:
        InputError: E_CHANNEL; E_SIGNAL_FILE or E_CSV_SHAPE with the row; E_CSV_AMBIGUOUS.
    """
    export = _export(path)
    layout = export.layout
    infos = [_info(layout, column, None, 0) for column in range(export.columns)]
    column = find_channel(infos, source.channel, path=path)
    notices: list[Notice] = []
    clock = export.clock_of(column)
    if source.time_column is not None:
        clock = find_channel(infos, source.time_column, path=path)
    numeric = clock is not None and not _is_formatted(layout, clock)
    wanted = [column, clock] if clock is not None and numeric else [column]
    arrays = read_columns(path, layout, columns=wanted, decimal=source.decimal, notices=notices)
    if last_number_is_cut(path, layout, columns=wanted, notices=notices):
        arrays = [array[:-1] for array in arrays]
    values, unit = arrays[0], layout.units[column]
    if not np.isfinite(values).any():
        raise InputError(
            "E_CHANNEL",
            f"The column {layout.names[column]!r} of {shown(path)} holds no numbers.",
            "Name the column that holds the signal.",
        )
    if unit == "raw":
        sentence = f"{layout.names[column]!r} holds converter counts; it was not calibrated."
        notices.append(Notice("W_UNIT", sentence))
    if clock is None:
        return ChannelData(values, unit=unit, notices=tuple(notices))
    stamps = arrays[-1] if numeric else _moments(path, layout, column=clock, notices=notices)
    stamps = stamps[: len(values)]
    held = np.isfinite(stamps) | np.isfinite(values)
    if not held.all():  # the other rows are another device's
        values, stamps = values[held], stamps[held]
    del arrays, held  # ten hours are long
    data = ChannelData(values, unit=unit, notices=tuple(notices))
    stated = source.sampling_rate
    time = _time_column(layout, clock, named=source.time_column is not None)
    timed = on_clock(path, data, column=time, stamps=stamps, stated_rate=stated)
    return replace(timed, first_time=0.0)  # the device's clock runs before it records


def _rate(
    path: Path, export: _Export, *, clock: int | None, notices: list[Notice]
) -> tuple[float | None, int]:
    """The rate that a clock shows, and the rows that it times."""
    layout = export.layout
    found: list[Notice] = []
    if clock is not None and _is_formatted(layout, clock):
        stamps = _moments(path, layout, column=clock, notices=found)
    else:
        column = 0 if clock is None else clock
        (stamps,) = read_columns(path, layout, columns=[column], decimal=None, notices=found)
    notices += [notice for notice in found if notice not in notices]
    if clock is None:
        return None, len(stamps)
    stamps = stamps[np.isfinite(stamps)]
    time = _time_column(layout, clock, named=False)
    timeline, problems = read_clock(path, time, stamps=stamps, stated_rate=None)
    notices += problems
    return (timeline.sampling_rate if timeline else None), len(stamps)


def _moments(path: Path, layout: TableLayout, *, column: int, notices: list[Notice]) -> FloatArray:
    """(S,) a clock's times of the day as seconds since the first one, NaN where a cell is empty."""
    parts = [np.empty(0)]
    for lines, words in column_words(path, layout, column):
        for line, word in zip(lines, words, strict=True):
            if word and not _DATE.fullmatch(word):
                raise _damaged(path, int(line), f"holds {word!a} where a date and time should be")
        text = "\n".join(words).translate(_AS_ISO).split("\n")
        try:
            times = np.array([word or "NaT" for word in text], dtype="datetime64[us]")
        except ValueError as error:
            raise _damaged(path, int(lines[0]), f"or one after it: {error}") from error
        seconds = times.astype(np.float64) / 1e6
        parts.append(np.where(np.isnat(times), np.nan, seconds))
    stamps = np.concatenate(parts)
    first = stamps[np.isfinite(stamps)][:1]
    if len(first):
        stamps = stamps - first[0]
        sentence = (
            f"The time column {layout.names[column]!r} of {shown(path)} names no time zone; its"
            " start was not used to place the signal beside others."
        )
        notices.append(Notice("W_CLOCK_UNTRUSTED", sentence))
    return stamps


def _is_formatted(layout: TableLayout, column: int) -> bool:
    return "yyyy" in (layout.units[column] or "").casefold()


def _time_column(layout: TableLayout, column: int, *, named: bool) -> TimeColumn:
    unit = layout.units[column] or ""
    seconds = 1.0 if _is_formatted(layout, column) else SECONDS.get(unit.casefold())
    return TimeColumn(layout.names[column], seconds, named)


def _info(layout: TableLayout, column: int, rate: float | None, samples: int) -> ChannelInfo:
    """A column goes by its name, by its signal alone, and skin conductance by EDA as well."""
    name = layout.names[column]
    matched = _NAME.fullmatch(name)
    parts = matched["signal"].split("_") if matched else []
    signals = tuple("_".join(parts[start:]) for start in range(1, min(len(parts), 3)))
    if "skin_conductance" in name.casefold() and layout.units[column] != "raw":
        signals += ("EDA",)
    return ChannelInfo(name, layout.units[column], rate, samples, signals)


def _names(head: TextHead) -> tuple[int, int, tuple[str, ...]] | None:
    """The row of the names (counted from 0), how many rows they take, and the names."""
    first = next((row for row, line in enumerate(head.lines[:4]) if line.strip()), 0)
    first += head.separator is not None
    names = _without_end(head.fields(first))
    if _are_names(names):
        return first, 1, names
    devices, signals, formats = (_without_end(head.fields(first + row)) for row in range(3))
    if len(devices) == len(signals) == len(formats) > 1 and set(formats) <= _FORMATS:
        joined = tuple(
            "_".join(word.replace(" ", "_") for word in words)
            for words in zip(devices, signals, formats, strict=True)
        )
        if _are_names(joined):
            return first, 3, joined
    return None


def _are_names(names: tuple[str, ...]) -> bool:
    like = sum(_NAME.fullmatch(name) is not None for name in names)
    timed = any("timestamp" in name.casefold().replace("_", "") for name in names)
    return timed and len(names) > 1 and like >= 0.8 * len(names)


def _without_end(fields: tuple[str, ...]) -> tuple[str, ...]:
    """Shimmer ends every row with a delimiter."""
    return fields[:-1] if fields and fields[-1] == "" else fields


def _export(path: Path) -> _Export:
    head = read_head(path)
    found = _names(head)
    if found is None:
        raise _damaged(path, 1, "and those after it do not name the columns as Shimmer does")
    row, rows, names = found
    if len(names) > MAXIMUM_CHANNELS:
        raise bad_shape(path, row + 1, what=f"names more than {MAXIMUM_CHANNELS} columns")
    clocks = {column: matched for column, name in enumerate(names)
              if (matched := _CLOCK.fullmatch(name))}  # fmt: skip
    units = _without_end(head.fields(row + rows))
    has_units = not any(is_number(units[c]) or _DATE.fullmatch(units[c])
                        for c in clocks if c < len(units))  # fmt: skip
    if not has_units:
        units = ("",) * len(names)
    if len(units) != len(names):
        what = f"has {len(units)} fields where {len(names)} units are expected"
        raise bad_shape(path, row + rows + 1, what=what)
    end = ("",) if head.fields(row)[-1] == "" else ()
    layout = TableLayout(
        head.encoding,
        head.skip,
        head.separator or head.delimiter(row),
        names + end,
        (
            *(_unit(name, unit) for name, unit in zip(names, units, strict=True)),
            *(None for _ in end),
        ),
        row + rows + has_units + 1,
        None,
        tuple(Evidence() for _ in names + end),
    )
    ranked = tuple((c, clock["device"], _rank(clock["clock"])) for c, clock in clocks.items())
    return _Export(layout, len(names), ranked)


def _unit(name: str, stated: str) -> str | None:
    """The unit in its usual spelling; "*" marks one that was found with default calibration."""
    matched = _NAME.fullmatch(name)
    if matched and matched["format"] != "CAL":
        return "raw"
    plain = stated.rstrip("*").strip()
    return _UNITS.get(plain, plain)


def _rank(clock: str) -> int:
    """How good a clock is: numbers before formatted ones, those of the device before the host's."""
    kinds = ("timestampsync_unix", "timestamp_unix", "formattedunix", "timestamp", "time_stamp")
    if clock.casefold().startswith("system"):
        return len(kinds)
    return next((n for n, kind in enumerate(kinds) if kind in clock.casefold()), len(kinds))


def _damaged(path: Path, row: int, what: str) -> InputError:
    return InputError("E_SIGNAL_FILE", f"Row {row} of {shown(path)} {what}.", _REMEDY)
