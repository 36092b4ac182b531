"""The one front door for signal files: what a file holds, and one channel of it as a ``Signal``.

A file's content decides how it is read, never its name; a name that contradicts the content is
refused. A sampling rate or a unit that neither the file nor the user states is asked for, never
guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import (
    ChannelData,
    ChannelInfo,
    ClockFit,
    Decimal,
    SignalFile,
    SignalSource,
)
from affectscope.io.csv_table import inspect_table
from affectscope.io.files import shown
from affectscope.io.reader import Reader
from affectscope.io.signal_kinds import READERS, TABLE, known_reader, signal_kind
from affectscope.records import Notice, Signal

__all__ = [
    "READERS",
    "ChannelInfo",
    "Reader",
    "SignalFile",
    "SignalSource",
    "TimedSignal",
    "inspect_signals",
    "read_channel",
    "read_signal",
    "read_timed_signal",
    "signal_kind",
    "timed_signal",
]

RATE_TOLERANCE = 0.005
"""Share by which a stated rate may differ from the one in the file's header."""

CLOCK_TOLERANCE = 0.01
"""Share by which a rate may differ from the one that the file's time stamps show."""

RAW = "raw"
"""The unit of converter counts."""

_LISTED_GAPS = 10


@dataclass(frozen=True, eq=False)
class TimedSignal:
    """A signal, what must be known about it, its start in Unix time where the file knows it, and
    how its time stamps were fitted where it has such.
    """

    signal: Signal
    notices: tuple[Notice, ...]
    unix_start: float | None
    clock: ClockFit | None = None


def inspect_signals(path: Path, decimal: Decimal | None = None) -> SignalFile:
    """What a signal file holds.

    Args:
        decimal: the decimal mark of a table where its content does not tell.

    Raises:
        InputError: any code of a file that cannot be read.
    """
    kind, reader, offered = known_reader(path)
    file = inspect_table(path, decimal) if kind == TABLE else reader.inspect(path)
    if offered is None:
        return file
    return replace(file, kind=kind, notices=(*file.notices, *offered.notices))


def read_channel(path: Path, source: SignalSource) -> ChannelData:
    """One channel as its file holds it; what the file does not state stays open.

    Raises:
        InputError: any code of a file that cannot be read.
    """
    _, reader, offered = known_reader(path)
    data = reader.read(path, source)
    return data if offered is None else replace(data, notices=(*data.notices, *offered.notices))


def read_signal(path: Path, source: SignalSource) -> tuple[Signal, tuple[Notice, ...]]:
    """One channel as a signal on the session's axis, and what must be known about it.

    A file that counts time from a start of its own (a time column in seconds) starts there; any
    other file starts at 0.0. ``source.clock_offset`` is added to both, and to spans of notices.

    Raises:
        InputError: E_SAMPLING_RATE or E_UNIT where the user must state one or contradicts the file;
            any code of a file that cannot be read.
    """
    timed = read_timed_signal(path, source)
    return timed.signal, timed.notices


def read_timed_signal(path: Path, source: SignalSource) -> TimedSignal:
    """As ``read_signal``, with the Unix start time that puts several files on one axis."""
    if not math.isfinite(source.clock_offset):
        raise InputError(
            "E_SESSION", f"clock_offset is {source.clock_offset}.", "State finite seconds."
        )
    return timed_signal(path, source, data=read_channel(path, source))


def timed_signal(path: Path, source: SignalSource, *, data: ChannelData) -> TimedSignal:
    """What ``read_channel`` gave, with the rate and the unit that the file or the user states.

    Raises:
        InputError: E_SAMPLING_RATE or E_UNIT where the user must state one or contradicts the file.
    """
    rate = _sampling_rate(path, source, data=data)
    unit = _unit(path, source, data=data)
    start = data.first_time + source.clock_offset
    signal = Signal(data.values, rate, unit, start)
    notices = (
        *(_on_axis(notice, start) for notice in data.notices),
        *_gap_notices(data, rate, start=start),
        *_cell_notices(path, data),
        *_clock_notices(path, data, rate=rate),
    )
    return TimedSignal(signal, notices, data.unix_start, data.clock)


def _sampling_rate(path: Path, source: SignalSource, *, data: ChannelData) -> float:
    """The rate that the user and the file agree on, or the one that only one of them states."""
    stated, in_file = source.sampling_rate, data.sampling_rate
    for rate in (stated, in_file):
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise InputError(
                "E_SAMPLING_RATE",
                f"The sampling rate {rate} of {shown(path)} is not possible.",
                "State a rate in Hz greater than 0.",
            )
    if stated and in_file and abs(stated / in_file - 1) > RATE_TOLERANCE:
        raise InputError(
            "E_SAMPLING_RATE",
            f"The stated sampling rate is {stated:g} Hz, and {shown(path)} states {in_file:g} Hz.",
            "Remove the stated rate to trust the file, or export the file with the right one.",
        )
    found = stated or in_file or data.measured_rate
    if found is None:
        raise InputError(
            "E_SAMPLING_RATE",
            f"{shown(path)} does not state its sampling rate.",
            "State sampling_rate in Hz, or name a time column whose header gives its unit.",
        )
    measured = data.measured_rate if data.clock else None
    if measured and abs(found / measured - 1) <= CLOCK_TOLERANCE:
        return measured  # a stated rate rounds: 100 parts per million are 3.6 s in 10 hours
    return found


def _unit(path: Path, source: SignalSource, *, data: ChannelData) -> str:
    if data.unit == RAW and source.unit not in (None, RAW):
        raise InputError(
            "E_UNIT",
            f"{shown(path)} holds converter counts of a sensor without a known transfer function,"
            f" not {source.unit}.",
            "Export the channel in its physical unit.",
        )
    if source.unit and data.unit and _plain(source.unit) != _plain(data.unit):
        raise InputError(
            "E_UNIT",
            f"The unit is stated as {source.unit!r}, and {shown(path)} states {data.unit!r}.",
            "Remove the stated unit to trust the file, or export the file in the right one.",
        )
    unit = source.unit or data.unit
    if not unit:
        raise InputError(
            "E_UNIT",
            f"{shown(path)} does not state the unit of this channel.",
            "State unit, for example mV for ECG or uS for EDA; counts of a converter need the"
            " export of the device's own software.",
        )
    return unit


def _plain(unit: str) -> str:
    """A spelling for comparison only: "µS" and "uS" are the same unit, "mS" and "MS" are not."""
    return unit.strip().translate({0xB5: "u", 0x3BC: "u", 0x3A9: "Ohm", 0x2126: "Ohm"})


def _on_axis(notice: Notice, start: float) -> Notice:
    """A reader's notice, whose span counts from the first sample, on the session's axis."""
    return replace(
        notice,
        start=None if notice.start is None else notice.start + start,
        end=None if notice.end is None else notice.end + start,
    )


def _gap_notices(data: ChannelData, rate: float, *, start: float) -> list[Notice]:
    """One notice per gap, or one for all where there are many."""
    spans = [
        (start + gap.start / rate, start + (gap.start + gap.samples) / rate, gap.samples)
        for gap in data.gaps
    ]
    if len(spans) > _LISTED_GAPS:
        lost = sum(samples for _, _, samples in spans)
        sentence = f"{lost} samples ({lost / rate:.2f} s) were lost in {len(spans)} gaps."
        return [Notice("W_MISSING", sentence, start=spans[0][0], end=spans[-1][1])]
    return [
        Notice(
            "W_MISSING",
            f"{samples} samples ({samples / rate:.2f} s) were lost while recording.",
            start=begin,
            end=end,
        )
        for begin, end, samples in spans
    ]


def _cell_notices(path: Path, data: ChannelData) -> list[Notice]:
    filled = sum(gap.samples for gap in data.gaps)
    empty = int(np.count_nonzero(np.isnan(data.values))) - filled
    if not empty:
        return []
    held = len(data.values) - filled
    sentence = f"{empty} of {held} samples in {shown(path)} hold no number."
    return [Notice("W_MISSING", sentence)]


def _clock_notices(path: Path, data: ChannelData, *, rate: float) -> list[Notice]:
    """A rate that the file's own time stamps contradict, beyond what their rounding explains."""
    measured = data.measured_rate
    if measured is None or abs(rate / measured - 1) <= CLOCK_TOLERANCE:
        return []
    if abs(len(data.values) * (1 / rate - 1 / measured)) <= 2 / min(rate, measured):
        return []
    sentence = (
        f"The sampling rate of {shown(path)} is stated as {rate:g} Hz, and its time column shows"
        f" {measured:.6g} Hz."
    )
    return [Notice("W_SAMPLING_RATE", sentence)]
