"""MATLAB files as signals: each row of numbers in a variable or a struct's field is a channel.

``io.mat`` reads the values; here they are named, timed and given units. MATLAB files have no rule
for signals, so:
1. A vector is a channel by its variable's name, "struct.field" inside structs. A matrix is one
   channel per column, or per row where it is wider than long: recordings are longer than wide.
   Columns are "name.1", "name.2", ..., or "name.label" where ``labels`` (or ``channels``) beside it
   holds as many texts.
2. The sampling rate is a number called fs, srate, sampling_rate ... beside the channel or further
   out, "ecg_fs" or "fs_ecg" for one channel, or BIOPAC's isi with its isi_units. One that is stated
   for channels of different lengths, or twice with different values, is not taken: it is asked.
3. A unit is a text called unit or units: one per column, "ecg_unit" or "unit_ecg" for one channel,
   or one text where there is one channel.
4. A vector as long as the channel and called time, t, timestamps ... is its clock, as in a table.
   Of several, the one that bears the channel's name ("ecg_time") is, otherwise none.
5. Logical and complex arrays, more than two axes, cells and struct arrays are no channels: told.

Legend: S samples, R x C a matrix as MATLAB shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.io.channels import (
    MAXIMUM_CHANNELS,
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    SignalFile,
    SignalSource,
    bracketed_unit,
    find_channel,
)
from affectscope.io.hdf5_size import surplus
from affectscope.io.mat import mat_level, read_mat
from affectscope.io.mat_values import damaged, limit
from affectscope.io.time_column import (
    TimeColumn,
    find_time_column,
    on_clock,
    read_clock,
    time_unit,
)
from affectscope.io.timeline import SECONDS
from affectscope.records import FloatArray, Notice

SUFFIX = ".mat"
KIND = "mat"

_RATES = ("fs", "srate", "samplingrate", "samplerate", "samplingfrequency", "samplefrequency",
          "samplingfreq", "samplefreq", "samplingratehz", "fshz")  # fmt: skip
_UNITS = ("unit", "units")
_LABELS = ("labels", "label", "channels", "channelnames", "channellabels", "names")
_INTERVAL, _INTERVAL_UNITS = "isi", "isiunits"
_LONGEST_TEXT = 60
_HEADS = (b"MATLAB 5.0 MAT", b"MATLAB 7.3 MAT")


@dataclass(frozen=True, eq=False)
class _Channel:
    """A row of numbers: ``leaf`` is the last part of its name, ``values`` (S,) as stored."""

    name: str
    leaf: str
    alias: str | None
    values: NDArray[Any]
    unit: str | None
    is_time: bool


@dataclass
class _Level:
    """The top of a file, or a struct: what it holds itself, and what lies further out."""

    outer: _Level | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)  # (S, C), by their full names
    clocks: list[_Channel] = field(default_factory=list)
    signals: list[_Channel] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)  # of its channels and those further in


_Placed = tuple[_Level, _Channel]


def is_mat(head: bytes) -> bool:
    """Whether a file's first bytes are a MATLAB file's; HDF5 without MATLAB's text is not."""
    return head.startswith(_HEADS) or mat_level(head) in (4, 5)


def inspect_mat(path: Path) -> SignalFile:
    """The channels of a MATLAB file.

    Raises:
        InputError: E_SIGNAL_FILE for a damaged file or one without a row of numbers; E_MAT_TYPE;
            E_FILE_LIMIT; E_READER_CRASH. MissingExtraError for v7.3 without h5py.
    """
    placed, notices = _channels(path)
    measured: dict[str, float | None] = {}
    infos, clocks = [], []
    for level, channel in placed:
        rate, clock = _rate(level, channel), _clock(level, channel)
        if clock is not None and rate is None:
            if clock.name not in measured:
                measured[clock.name] = _measured_rate(path, clock)
            rate = measured[clock.name]
        clocks.append(clock.name if clock else None)
        infos.append(_info(level, channel, rate))
    used = {name for name in clocks if name}
    told = (*notices, *surplus(path))
    return SignalFile(KIND, tuple(infos), used.pop() if len(used) == 1 else None, told)


def read_mat_channel(path: Path, source: SignalSource) -> ChannelData:
    """One channel, timed by the vector that serves as its clock, if there is one.

    Raises:
        InputError: E_CHANNEL, and as ``inspect_mat``.
    """
    placed, _ = _channels(path)
    infos = [_info(level, channel, None) for level, channel in placed]
    level, channel = placed[find_channel(infos, source.channel, path=path)]
    rate = _rate(level, channel)
    grown = tuple(surplus(path))
    data = ChannelData(_floats(channel), rate, unit=_unit(level, channel), notices=grown)
    named = source.time_column is not None
    if named:
        _, clock = placed[find_channel(infos, source.time_column, path=path)]
        if len(clock.values) != len(channel.values):
            raise damaged(path, f"its time column {clock.name!a} is not as long as the channel")
    elif (found := _clock(level, channel)) is not None:
        clock = found
    else:
        return data
    return on_clock(
        path,
        data,
        column=_time_column(clock, named=named),
        stamps=_floats(clock),
        stated_rate=source.sampling_rate or rate,
    )


def _channels(path: Path) -> tuple[list[_Placed], tuple[Notice, ...]]:
    """All channels in the file's order, and what was left out."""
    levels: list[_Level] = []
    left_out: list[str] = []
    _gather(read_mat(path), "", _Level(), levels, left_out)
    placed = [
        (level, channel) for level in levels for channel in _named(level) if channel.values.size
    ]
    if not placed:
        raise damaged(path, "it holds no row of numbers that could be a signal")
    if len(placed) > MAXIMUM_CHANNELS:
        raise limit(path, f"holds {len(placed)} rows of numbers, more than {MAXIMUM_CHANNELS}")
    if max(len(channel.values) for _, channel in placed) > MAXIMUM_SAMPLES:
        raise limit(path, f"holds a channel of more than {MAXIMUM_SAMPLES} samples")
    for level, channel in placed:
        (level.clocks if channel.is_time else level.signals).append(channel)
        around: _Level | None = level
        while around is not None:
            around.lengths.add(len(channel.values))
            around = around.outer
    if not left_out:
        return placed, ()
    more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
    sentence = f"No signals, and not read as such: {', '.join(left_out[:5])}{more}."
    return placed, (Notice("W_LEFT_OUT", sentence),)


def _gather(
    values: dict[str, Any], prefix: str, level: _Level, levels: list[_Level], left_out: list[str]
) -> None:
    """Sort a struct's fields into its level, and structs within it into levels of their own."""
    levels.append(level)
    for name, value in values.items():
        full = prefix + name
        if isinstance(value, dict):
            _gather(value, full + ".", _Level(level), levels, left_out)
        elif isinstance(value, str):
            level.texts[_plain(name)] = [value]
        elif not isinstance(value, np.ndarray):
            left_out.append(full)
        elif value.dtype == np.object_ and all(isinstance(item, str) for item in value.flat):
            level.texts[_plain(name)] = list(value.reshape(-1, order="F"))
        elif value.dtype.kind in "iuf" and value.size == 1:
            level.numbers[_plain(name)] = float(value.flat[0])
        elif value.dtype.kind in "iuf" and value.size and max(value.ndim, 2) == 2:
            level.arrays[full] = _upright(value)
        else:
            left_out.append(full)


def _upright(value: NDArray[Any]) -> NDArray[Any]:
    """(S,), (R, C) -> (S, C) with samples along the longer axis."""
    matrix = value.reshape(-1, 1) if value.ndim == 1 else value
    return matrix.T if matrix.shape[1] > matrix.shape[0] else matrix


def _named(level: _Level) -> Iterator[_Channel]:
    for full, array in level.arrays.items():
        count = array.shape[1]
        base = full.rpartition(".")[2]
        if count == 1:
            yield _Channel(full, base, None, array[:, 0], None, _is_time(base))
            continue
        labels = _per_column(level, _LABELS, count)
        distinct = labels is not None and len({*labels}) == count and all(labels)
        units = _per_column(level, _UNITS, count)
        for column in range(count):
            number = f"{full}.{column + 1}"
            label = labels[column] if labels is not None and distinct else ""
            leaf = label or f"{base}.{column + 1}"
            yield _Channel(
                f"{full}.{label}" if label else number,
                leaf,
                number if label else None,
                array[:, column],
                units[column] if units else None,
                _is_time(leaf),
            )


def _is_time(leaf: str) -> bool:
    return find_time_column([leaf]) is not None


def _per_column(level: _Level, names: Sequence[str], count: int) -> list[str] | None:
    """Texts for the columns of the one matrix that they fit."""
    fitting = [array for array in level.arrays.values() if array.shape[1] == count]
    found = [level.texts[name] for name in names if len(level.texts.get(name, ())) == count]
    if len(fitting) != 1 or len(found) != 1:
        return None
    return [text.strip("\0 \t")[:_LONGEST_TEXT] for text in found[0]]


def _rate(level: _Level, channel: _Channel) -> float | None:
    """The one rate that is stated for a channel, from the inside out."""
    own = _plain(channel.leaf)
    around: _Level | None = level
    while around is not None:
        numbers = around.numbers
        specific = {numbers[n] for rate in _RATES for n in (own + rate, rate + own) if n in numbers}
        general = {numbers[rate] for rate in _RATES if rate in numbers} | _by_interval(around)
        if specific or general:
            stated = specific or (general if len(around.lengths) == 1 else set())
            rate = stated.pop() if len(stated) == 1 else 0.0
            return rate if 0 < rate < np.inf else None
        around = around.outer
    return None


def _by_interval(level: _Level) -> set[float]:
    """BIOPAC's sampling interval as a rate."""
    interval, unit = level.numbers.get(_INTERVAL), level.texts.get(_INTERVAL_UNITS, [""])[0]
    seconds = SECONDS.get(unit.strip().casefold())
    return {1 / (interval * seconds)} if interval and interval > 0 and seconds else set()


def _unit(level: _Level, channel: _Channel) -> str | None:
    own = _plain(channel.leaf)
    names = [name for unit in _UNITS for name in (own + unit, unit + own)]
    if level.signals == [channel]:
        names += _UNITS
    texts = (level.texts[name][0] for name in names if len(level.texts.get(name, ())) == 1)
    found = next((text.strip() for text in texts if text.strip()), None)
    return (found or "")[:_LONGEST_TEXT] or channel.unit or bracketed_unit(channel.leaf)


def _clock(level: _Level, channel: _Channel) -> _Channel | None:
    """The vector that times a channel, from the inside out."""
    if channel.is_time:
        return None
    around: _Level | None = level
    while around is not None:
        clocks = [each for each in around.clocks if len(each.values) == len(channel.values)]
        if len(clocks) > 1:
            own = _plain(channel.leaf)
            clocks = [each for each in clocks if own in _plain(each.leaf)]
        if len(clocks) == 1:
            return clocks[0]
        around = around.outer
    return None


def _measured_rate(path: Path, clock: _Channel) -> float | None:
    column = _time_column(clock)
    timeline, _ = read_clock(path, column, stamps=_floats(clock), stated_rate=None)
    return timeline.sampling_rate if timeline else None


def _info(level: _Level, channel: _Channel, rate: float | None) -> ChannelInfo:
    aliases = tuple(name for name in (channel.leaf, channel.alias) if name not in (None, ""))
    others = tuple(name for name in aliases if name and name != channel.name)
    return ChannelInfo(channel.name, _unit(level, channel), rate, len(channel.values), others)


def _time_column(clock: _Channel, *, named: bool = False) -> TimeColumn:
    return TimeColumn(clock.name, time_unit(clock.leaf, clock.unit), named)


def _floats(channel: _Channel) -> FloatArray:
    """(S,) float64 with NaN for anything that is not finite."""
    values = np.array(channel.values, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _plain(name: str) -> str:
    """A name for comparison: lower case letters and digits only."""
    return re.sub(r"[\W_]+", "", name).casefold()
