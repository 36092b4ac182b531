"""XDF recordings (Lab Streaming Layer): several streams in one file, each with a clock of its own.

Read by our own parser: pyxdf 1.17.5 raises from its internals on a fifth of damaged files and loses
samples silently (FAULTS.md). Time stamps go onto the recorder's clock by the clock offsets in the
file, then onto an even axis. Its rate is what the stamps show; the nominal rate is kept where it
places every sample within 1 ms. Time 0 is the first sample of any stream. The file's date is not
used: recorders write it seconds before the first sample, so it cannot align other files.

Legend: S samples of a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import (
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.clock_fit import fit_clock
from affectscope.io.even_axis import EvenAxis, Jump, even_axis
from affectscope.io.files import shown
from affectscope.io.xdf_clock import ClockResult, to_recorder_clock
from affectscope.io.xdf_header import StreamHeader
from affectscope.io.xdf_scan import Scan, Stream
from affectscope.io.xdf_streams import (
    DAY,
    clock_offsets,
    complete_stamps,
    damaged,
    file_start,
    opened_xdf,
    read_column,
)
from affectscope.records import FloatArray, Notice

_RATE_TOLERANCE = 0.01  # share by which the nominal rate may differ from the measured one
_LISTED = 10


@dataclass(frozen=True)
class _Channel:
    info: ChannelInfo
    stream: Stream
    header: StreamHeader
    column: int


@dataclass(frozen=True, eq=False)
class _Clocked:
    """A stream's samples on the file's axis: an even axis, or only a first time, or neither."""

    axis: EvenAxis | None
    first_time: float
    resets: tuple[Jump, ...]
    notices: tuple[Notice, ...]


def inspect_xdf(path: Path) -> SignalFile:
    """The channels of all numeric streams, called "stream/label".

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    with opened_xdf(path) as (_, scan):
        channels = tuple(channel.info for channel in _channels(scan))
        return SignalFile("xdf", channels, notices=scan.notices())


def read_xdf(path: Path, source: SignalSource) -> ChannelData:
    """One channel on an even axis, NaN where samples were lost.

    ``sampling_rate`` is the nominal rate where it places every sample within 1 ms of its stamp's
    time, else None; ``measured_rate`` is the rate of the axis.

    Raises:
        InputError: E_CHANNEL or E_SIGNAL_FILE; E_SAMPLING_RATE where the stream is irregular.
    """
    with opened_xdf(path) as (data, scan):
        channels = _channels(scan)
        channel = channels[find_channel([c.info for c in channels], source.channel, path=path)]
        if channel.stream.samples > MAXIMUM_SAMPLES:
            raise damaged(path, f"its stream {channel.header.name!r} is too long to be read")
        values, stamps = read_column(data, channel.stream, channel.header, column=channel.column)
        start = file_start(data, scan)
    clocked = _on_clock(channel, stamps, start=start)
    del stamps  # as large as the values, which filling copies
    nominal = channel.header.nominal_rate
    axis = clocked.axis
    if axis is None:
        if nominal is None:
            raise _irregular(path, channel)
        return ChannelData(
            values,
            nominal,
            unit=channel.info.unit,
            first_time=clocked.first_time,
            notices=(*scan.notices(), *clocked.notices),
        )
    return ChannelData(
        axis.place(values),
        nominal if axis.sampling_rate == nominal else None,
        axis.sampling_rate,
        channel.info.unit,
        clocked.first_time,
        gaps=axis.gaps,
        notices=(*scan.notices(), *clocked.notices, *_axis_notices(channel, clocked, axis)),
        clock=axis.fit(nominal, clocked.resets),
    )


def _channels(scan: Scan) -> list[_Channel]:
    found: list[_Channel] = []
    for stream in scan.streams.values():
        header = stream.header
        if header is None or header.dtype is None:
            continue
        for column, (label, unit) in enumerate(zip(header.labels, header.units, strict=True)):
            name = label or str(column + 1)
            aliases = (name, header.name) if header.channels == 1 else (name,)
            info = ChannelInfo(
                f"{header.name}/{name}", unit, header.nominal_rate, stream.samples, aliases
            )
            found.append(_Channel(info, stream, header, column))
    return found


def _on_clock(channel: _Channel, stamps: FloatArray, *, start: float) -> _Clocked:
    """Stamps (S,) as stored -> the file's axis; they are overwritten."""
    name = channel.header.name
    if len(stamps) == 0:
        return _Clocked(None, 0.0, (), (Notice("W_MISSING", f"The stream {name!r} is empty."),))
    complete_stamps(stamps, channel.header.nominal_rate)
    if not np.isfinite(stamps[0]):
        sentence = f"No sample of {name!r} has a usable time stamp; its time is not known."
        return _Clocked(None, 0.0, (), (Notice("W_CLOCK_UNTRUSTED", sentence),))
    clock = to_recorder_clock(stamps, clock_offsets(channel.stream))
    notices = _clock_notices(channel, clock)
    nominal = channel.header.nominal_rate
    fitted = fit_clock(stamps, nominal, only_even=True) if len(stamps) > 1 else None
    axis = even_axis(fitted, nominal) if fitted else None
    if axis is None and len(stamps) > 1:
        sentence = f"The time stamps of {name!r} do not move on; its nominal rate was used."
        notices.append(Notice("W_CLOCK_UNTRUSTED", sentence))
    first = (axis.first_time if axis else float(stamps[0])) - start
    if abs(first) > DAY:
        sentence = (
            f"The clock of {name!r} lies {first / DAY:.0f} days from the other streams';"
            " its start was set to 0."
        )
        notices.append(Notice("W_CLOCK_UNTRUSTED", sentence))
        first = 0.0
    resets = tuple(map(Jump, clock.resets, clock.steps))
    return _Clocked(axis, first, resets, tuple(notices))


def _clock_notices(channel: _Channel, clock: ClockResult) -> list[Notice]:
    name = channel.header.name
    found: list[Notice] = []
    if not clock.fitted:
        sentence = (
            f"The stream {name!r} has no usable clock offsets; its time stamps are as sent and may"
            " not fit those of other streams."
        )
        found.append(Notice("W_NO_CLOCKSYNC", sentence))
    if clock.dropped:
        sentence = f"{clock.dropped} clock offsets of {name!r} fit no other and were not used."
        found.append(Notice("W_CLOCK_UNTRUSTED", sentence))
    return found


def _axis_notices(channel: _Channel, clocked: _Clocked, axis: EvenAxis) -> list[Notice]:
    name, nominal = channel.header.name, channel.header.nominal_rate
    found = [
        _at(axis, reset.sample, f"The clock of {name!r} was reset; its offsets bridge the reset.")
        for reset in clocked.resets[:_LISTED]
    ]
    for jump in axis.jumps[:_LISTED]:
        sentence = (
            f"The time stamps of {name!r} jump by {jump.seconds:.6g} s; the samples follow directly"
            " and what was lost between is not known."
        )
        found.append(_at(axis, jump.sample, sentence))
    more = max(0, len(axis.jumps) - _LISTED) + max(0, len(clocked.resets) - _LISTED)
    if more:
        found.append(Notice("W_TIME_RESET", f"{more} more jumps of the clock of {name!r}."))
    if nominal and abs(nominal / axis.measured_rate - 1) > _RATE_TOLERANCE:
        sentence = (
            f"The stream {name!r} states {nominal:g} Hz, and its time stamps show"
            f" {axis.measured_rate:.6g} Hz, which was used."
        )
        found.append(Notice("W_SAMPLING_RATE", sentence))
    return found


def _at(axis: EvenAxis, sample: int, sentence: str) -> Notice:
    """A notice of a reset before a sample of the stream."""
    seconds = axis.seconds_at(sample)
    return Notice("W_TIME_RESET", sentence, start=seconds, end=seconds)


def _irregular(path: Path, channel: _Channel) -> InputError:
    return InputError(
        "E_SAMPLING_RATE",
        f"The stream {channel.header.name!r} of {shown(path)} is irregular: its"
        f" {channel.stream.samples} samples have no sampling rate.",
        "Choose a channel of a regularly sampled stream.",
    )
