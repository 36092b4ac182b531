"""The nouns of signal files: what a file holds, what is wanted from it, what a reader hands back.

Legend: S samples of a channel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from affectscope.errors import InputError
from affectscope.io.files import shown
from affectscope.records import FloatArray, Notice

Decimal = Literal[".", ","]

MAXIMUM_SAMPLES = 1 << 28
"""Samples of one channel that are ever held in memory (2 GiB as float64; 93 hours at 800 Hz)."""

MAXIMUM_CHANNELS = 4096


@dataclass(frozen=True)
class ChannelInfo:
    """One channel of a file.

    Attributes:
        name: as the file spells it; "1", "2", ... where the file has no names.
        unit: as the file states it, "raw" for converter counts, None where it says nothing.
        sampling_rate: Hz as the file states or times it, None where it says nothing.
        samples: how many the file holds.
        aliases: other names that find it, for example the sensor's.
    """

    name: str
    unit: str | None
    sampling_rate: float | None
    samples: int
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignalFile:
    """What a signal file holds. ``kind`` is a key of ``biosignals.READERS``."""

    kind: str
    channels: tuple[ChannelInfo, ...]
    time_column: str | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class SignalSource:
    """Which channel of a file, and what the user states about it.

    Attributes:
        channel: name, or number counted from 1; None where the file has one channel only.
        sampling_rate: Hz, None to take the file's.
        unit: None to take the file's.
        clock_offset: seconds added to the file's own time.
        time_column: name or number of the column that holds each row's time.
        decimal: decimal mark of a table, None to decide it from the column.
    """

    channel: str | int | None = None
    sampling_rate: float | None = None
    unit: str | None = None
    clock_offset: float = 0.0
    time_column: str | int | None = None
    decimal: Decimal | None = None


@dataclass(frozen=True)
class Gap:
    """Samples that were lost and are NaN in the channel: the first one's index, and how many."""

    start: int
    samples: int


@dataclass(frozen=True)
class ClockFit:
    """What a file's time stamps say of its samples, and how well that fits.

    Attributes:
        stated_rate: Hz that the file or the user states, None where neither does.
        measured_rate: Hz by the stamps, mean of the recording without its gaps.
        drift: parts per million by which samples come faster than stated; None without a rate.
        drift_range: the lowest and the highest drift of about five minutes, against the stated rate
            or else the measured one.
        residual: ms, root mean square of the stamps against the fit: their jitter.
        steps: (s from the first sample, seconds) where the clock was set; the axis bridges them.
        gaps: how many times samples were lost.
        resampled: whether samples were interpolated to lie within 1 ms of their clock.
    """

    stated_rate: float | None
    measured_rate: float
    drift: float | None
    drift_range: tuple[float, float]
    residual: float
    steps: tuple[tuple[float, float], ...]
    gaps: int
    resampled: bool


@dataclass(frozen=True, eq=False)
class ChannelData:
    """What a reader hands to the front door.

    Attributes:
        values: (S,) float64, NaN where a sample is missing.
        sampling_rate: Hz that the file's header states.
        measured_rate: Hz of the even axis by the file's own clock (its time stamps).
        unit: as the file states it.
        first_time: seconds at the first sample where the file counts time from a start of its own.
        unix_start: the first sample's Unix time in seconds where the file has such a clock.
        gaps: lost samples, found by the file's own counter or clock.
        clock: how the time stamps were fitted, None where the file has none.
    """

    values: FloatArray
    sampling_rate: float | None = None
    measured_rate: float | None = None
    unit: str | None = None
    first_time: float = 0.0
    unix_start: float | None = None
    gaps: tuple[Gap, ...] = ()
    notices: tuple[Notice, ...] = ()
    clock: ClockFit | None = None


_BRACKETED = re.compile(r"\s*[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")


def bracketed_unit(name: str) -> str | None:
    """The unit in a column's name: "ECG (mV)" -> "mV", "EDA [µS]" -> "µS"; None without one."""
    found = _BRACKETED.search(name)
    return found.group(1) if found else None


def without_unit(name: str) -> str:
    """A name without its bracketed unit: "ECG (mV)" -> "ECG"."""
    return _BRACKETED.sub("", name).strip()


def find_channel(channels: Sequence[ChannelInfo], wanted: str | int | None, *, path: Path) -> int:
    """Index of the one channel meant by a name, an alias, or a number counted from 1.

    An exact name wins over an alias, and both over a spelling that differs in case or unit.

    Raises:
        InputError: E_CHANNEL, with the channels that there are.
    """
    if wanted is None:
        if len(channels) == 1:
            return 0
        raise _no_channel(channels, f"{shown(path)} holds {len(channels)} channels.")
    if isinstance(wanted, int):
        if 1 <= wanted <= len(channels):
            return wanted - 1
        raise _no_channel(channels, f"{shown(path)} has no channel number {wanted}.")
    for spelling in (_exactly, _loosely):
        matches = [n for n, channel in enumerate(channels) if spelling(channel, wanted)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _no_channel(
                channels, f"{len(matches)} channels of {shown(path)} are called {wanted!r}."
            )
    raise _no_channel(channels, f"{shown(path)} has no channel called {wanted!r}.")


def _exactly(channel: ChannelInfo, wanted: str) -> bool:
    return wanted == channel.name or wanted in channel.aliases


def _loosely(channel: ChannelInfo, wanted: str) -> bool:
    bare = without_unit(wanted).casefold()
    return bare in {without_unit(name).casefold() for name in (channel.name, *channel.aliases)}


def _no_channel(channels: Sequence[ChannelInfo], sentence: str) -> InputError:
    listed = ", ".join(f"{n} {channel.name!r}" for n, channel in enumerate(channels[:12], 1))
    more = ", ..." if len(channels) > 12 else ""
    return InputError("E_CHANNEL", sentence, f"State channel by name or number: {listed}{more}.")
