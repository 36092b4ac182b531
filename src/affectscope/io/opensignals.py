"""OpenSignals recordings (PLUX): text and HDF5, biosignalsplux and BITalino, in physical units.

OpenSignals writes converter counts. The transfer functions below turn them into mV and uS. They are
those of PLUX's data sheets, as PLUX's own library has them (github.com/pluxbiosignals/
biosignalsnotebooks, conversion.py at 7091cf1, raw_to_phy):

    ECG  mV = (counts / 2^n - 1/2) * VCC * 1000 / gain    hub: 3.0 V, 1019; BITalino: 3.3 V, 1100
    EDA  uS = counts / 2^n * VCC / (V per uS)             hub: 3.0 V, 0.12; revolution: 3.3 V, 0.132
    EDA  uS = 1 / (1 - counts / 2^n)                      BITalino of 2013: a resistance in MOhm

n is the channel's resolution in the file's header. A sensor that is not listed stays in counts,
unit "raw". "channeller" is an older name of the biosignalsplux hub.

Legend: S samples of a channel.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.errors import InputError, require
from affectscope.io.channels import (
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.csv_layout import TableLayout
from affectscope.io.csv_table import count_rows, read_columns
from affectscope.io.files import shown
from affectscope.io.number_format import Evidence
from affectscope.io.timeline import Timeline, counter_timeline, place
from affectscope.records import FloatArray, Notice

FIRST_LINE = b"# OpenSignals Text File Format"

_HEADER_BYTES = 1 << 20
_HUBS = {"biosignalsplux", "channeller", "bioplux", "bioplux_exp", "rachimeter", "swifter",
         "biosignalspluxsolo"}  # fmt: skip
_FAMILIES = {"bitalino": "bitalino", "bitalino_rev": "revolution", "bitalino_riot": "revolution",
             **dict.fromkeys(_HUBS, "hub")}  # fmt: skip

Transfer = Callable[[FloatArray], FloatArray]


def _ecg(supply: float, gain: float) -> Transfer:
    return lambda share: (share - 0.5) * supply * 1000.0 / gain


def _eda(supply: float, volts_per_microsiemens: float) -> Transfer:
    return lambda share: share * supply / volts_per_microsiemens


def _eda_from_resistance(share: FloatArray) -> FloatArray:
    return 1.0 / (1.0 - share)


_BITALINO_ECG = ("mV", _ecg(3.3, 1100.0))
_REVOLUTION_EDA = ("uS", _eda(3.3, 0.132))
_EDA_OF_2013 = ("uS", _eda_from_resistance)

TRANSFER_FUNCTIONS: dict[tuple[str, str], tuple[str, Transfer]] = {
    ("hub", "ECG"): ("mV", _ecg(3.0, 1019.0)),
    ("hub", "EDA"): ("uS", _eda(3.0, 0.12)),
    ("bitalino", "ECG"): _BITALINO_ECG,
    ("bitalino", "ECGBIT"): _BITALINO_ECG,
    ("bitalino", "EDA"): _EDA_OF_2013,
    ("bitalino", "EDABIT"): _EDA_OF_2013,
    ("revolution", "ECG"): _BITALINO_ECG,
    ("revolution", "ECGBIT"): _BITALINO_ECG,
    ("revolution", "ECGBITREV"): _BITALINO_ECG,
    ("revolution", "EDA"): _REVOLUTION_EDA,
    ("revolution", "EDABITREV"): _REVOLUTION_EDA,
}
"""(family, sensor) -> unit and function of counts / 2^n, n being the resolution in bits."""


@dataclass(frozen=True)
class _Channel:
    """One analogue channel. ``location`` is its column (text) or its data set's path (HDF5)."""

    info: ChannelInfo
    location: int | str
    counter: int | str | None
    counter_bits: int | None
    resolution: int
    transfer: Transfer | None


def inspect_opensignals_text(path: Path) -> SignalFile:
    """The analogue channels of an OpenSignals text file.

    Raises:
        InputError: E_SIGNAL_FILE or E_CSV_SHAPE.
    """
    layout, channels = _text_channels(path)
    samples = count_rows(path, layout)
    infos = tuple(replace(channel.info, samples=samples) for channel in channels)
    return SignalFile("opensignals-text", infos)


def read_opensignals_text(path: Path, source: SignalSource) -> ChannelData:
    """One channel of an OpenSignals text file, in mV or uS where its sensor is known.

    Raises:
        InputError: E_CHANNEL, E_SIGNAL_FILE or E_CSV_SHAPE.
    """
    layout, channels = _text_channels(path)
    channel = channels[find_channel([c.info for c in channels], source.channel, path=path)]
    notices: list[Notice] = []
    wanted = [int(channel.location)]
    if channel.counter is not None:
        wanted.append(int(channel.counter))
    counts, *counters = read_columns(path, layout, columns=wanted, decimal=".", notices=notices)
    return _channel_data(
        channel, counts, counter=counters[0] if counters else None, notices=notices
    )


def inspect_opensignals_h5(path: Path) -> SignalFile:
    """The analogue channels of an OpenSignals HDF5 file.

    Raises:
        InputError: E_SIGNAL_FILE. MissingExtraError where h5py is not installed.
    """
    with _opened_h5(path) as file:
        infos = tuple(channel.info for channel in _h5_channels(path, file))
    return SignalFile("opensignals-h5", infos)


def read_opensignals_h5(path: Path, source: SignalSource) -> ChannelData:
    """One channel of an OpenSignals HDF5 file, in mV or uS where its sensor is known.

    Raises:
        InputError: E_CHANNEL or E_SIGNAL_FILE. MissingExtraError where h5py is not installed.
    """
    with _opened_h5(path) as file:
        channels = _h5_channels(path, file)
        channel = channels[find_channel([c.info for c in channels], source.channel, path=path)]
        counts = _h5_column(path, file, name=str(channel.location))
        counter = None
        if channel.counter is not None:
            counter = _h5_column(path, file, name=str(channel.counter))
        device = str(channel.location).split("/")[0]
        stated = _stated_duration(_text(file[device].attrs.get("duration", "")))
    data = _channel_data(channel, counts, counter=counter, notices=[])
    held = len(data.values) / (channel.info.sampling_rate or math.inf)
    if stated - held <= 1.5:  # the header's duration is cut to whole seconds
        return data
    sentence = (
        f"{shown(path)} states a duration of {stated:.0f} s and holds {held:.1f} s:"
        f" {stated - held:.1f} s are lost at an unknown place."
    )
    return replace(data, notices=(*data.notices, Notice("W_GAP_UNLOCATED", sentence)))


def _channel_data(
    channel: _Channel, counts: FloatArray, *, counter: FloatArray | None, notices: list[Notice]
) -> ChannelData:
    """Counts (S,) in physical units, with the samples that the packet counter shows to be lost."""
    values = counts
    if channel.transfer is not None:
        values = channel.transfer(counts / 2.0**channel.resolution)
    else:
        sentence = (
            f"The sensor of {channel.info.name!r} has no known transfer function;"
            " its values are converter counts."
        )
        notices.append(Notice("W_UNIT", sentence))
    timeline = Timeline(None)
    if counter is not None and len(counter) and np.isfinite(counter).all():
        timeline = counter_timeline(counter.astype(np.int64), channel.counter_bits)
    for row in timeline.jumps:
        sentence = f"The packet counter restarts at sample {row + 1}; what was lost is unknown."
        notices.append(Notice("W_TIME_RESET", sentence))
    return ChannelData(
        place(values, timeline.gaps),
        channel.info.sampling_rate,
        unit=channel.info.unit,
        gaps=timeline.gaps,
        notices=tuple(notices),
    )


def _text_channels(path: Path) -> tuple[TableLayout, list[_Channel]]:
    """The layout of the columns, and the analogue channels of all devices."""
    header, first_row = _header(path)
    names: list[str] = []
    channels: list[_Channel] = []
    try:
        for device, facts in header.items():
            columns = [str(name) for name in facts["column"]]
            analogue = [str(label) for label in facts["label"]]
            sensors = [str(sensor) for sensor in facts["sensor"]]
            resolution = [int(bits) for bits in facts["resolution"]]
            counter = columns.index("nSeq") if "nSeq" in columns else None
            for number, label in enumerate(analogue):
                offset = number - len(analogue)
                named = _Named(device, label, sensors[number], str(facts["device"]))
                info, transfer = _info(named, facts["sampling rate"], devices=len(header))
                channels.append(
                    _Channel(
                        info,
                        len(names) + len(columns) + offset,
                        None if counter is None else len(names) + counter,
                        _counter_bits(resolution, columns, counter=counter),
                        resolution[offset],
                        transfer,
                    )
                )
            names += columns
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _damaged(path, f"its header lacks or garbles {error}") from error
    if not channels:
        raise _damaged(path, "its header names no channel")
    none = tuple(None for _ in names)
    nothing = tuple(Evidence() for _ in names)
    layout = TableLayout("utf-8", 0, "\t", tuple(names), none, first_row, None, nothing)
    return layout, channels


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header's JSON object and the physical line of the first row of data."""
    with path.open("rb") as stream:
        lines = stream.read(_HEADER_BYTES).decode("utf-8", errors="replace").splitlines()
    ends = [n for n, line in enumerate(lines) if line.startswith("# EndOfHeader")]
    if not ends:
        raise _damaged(path, "its header has no end")
    for line in lines[1 : ends[0]]:
        try:
            header = json.loads(line.lstrip("# "))
        except (ValueError, RecursionError):
            continue
        if isinstance(header, dict) and header:
            return header, ends[0] + 2
    raise _damaged(path, "its header holds no JSON object")


@contextmanager
def _opened_h5(path: Path) -> Iterator[Any]:
    """The file as h5py opens it; whatever h5py raises while it is read becomes E_SIGNAL_FILE."""
    h5py = require("h5py", "Reading OpenSignals .h5 files", "formats")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from error


def _h5_channels(path: Path, file: Any) -> list[_Channel]:
    found: list[_Channel] = []
    for device in file:
        if "raw" not in file[device]:
            continue
        attributes, raw = file[device].attrs, file[device]["raw"]
        numbers = [int(number) for number in np.atleast_1d(attributes["channels"])]
        bits = [int(bit) for bit in np.atleast_1d(attributes["resolution"])]
        counter = f"{device}/raw/nSeq" if "nSeq" in raw else None
        for offset, number in enumerate(numbers, -len(numbers)):
            data = raw[f"channel_{number}"]
            label, sensor = _text(data.attrs["label"]), _text(data.attrs["sensor"])
            named = _Named(device, label, sensor, _text(attributes["device"]))
            info, transfer = _info(named, attributes["sampling rate"], devices=len(file))
            found.append(
                _Channel(
                    replace(info, samples=int(data.shape[0])),
                    f"{device}/raw/channel_{number}",
                    counter,
                    bits[0] if len(bits) > len(numbers) else None,
                    bits[offset],
                    transfer,
                )
            )
    if not found:
        raise _damaged(path, "it is an HDF5 file without OpenSignals channels")
    return found


def _h5_column(path: Path, file: Any, *, name: str) -> FloatArray:
    """(S,) one data set as float64; data that lies outside this file is refused."""
    data = file[name]
    if data.file.filename != file.filename or data.external or data.is_virtual:
        raise _damaged(path, f"{name} lies outside the file")
    if data.dtype.kind not in "iuf" or data.size > MAXIMUM_SAMPLES or data.size != data.shape[0]:
        raise _damaged(path, f"{name} is no column of numbers")
    return np.asarray(data[...], dtype=np.float64).reshape(-1)


@dataclass(frozen=True)
class _Named:
    """What a header says of a channel: device address, label, sensor, and the device's model."""

    device: str
    label: str
    sensor: str
    model: str


def _info(named: _Named, rate: object, *, devices: int) -> tuple[ChannelInfo, Transfer | None]:
    """A channel is called by its label; where several devices share the file, by both."""
    sampling_rate = float(str(rate))
    if not (math.isfinite(sampling_rate) and sampling_rate > 0):
        raise ValueError(f"the sampling rate {rate}")
    name = named.label if devices == 1 else f"{named.device}/{named.label}"
    aliases = tuple(alias for alias in (named.sensor, named.label) if alias != name)
    family = _FAMILIES.get(named.model, named.model)
    unit, transfer = TRANSFER_FUNCTIONS.get((family, named.sensor.upper()), ("raw", None))
    return ChannelInfo(name, unit, sampling_rate, 0, aliases), transfer


def _counter_bits(resolution: list[int], columns: list[str], *, counter: int | None) -> int | None:
    """The counter's width where the header gives a resolution for every column (BITalino: 4)."""
    if counter is None or len(resolution) != len(columns):
        return None
    return resolution[counter]


def _stated_duration(text: str) -> float:
    """Seconds in "5m0s" or "20s"; 0.0 where the text is none."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if not parts:
        return 0.0
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as an OpenSignals recording: {what}.",
        "Export it again from OpenSignals.",
    )
