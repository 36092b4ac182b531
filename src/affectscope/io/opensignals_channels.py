"""The channels of OpenSignals recordings (PLUX), and their counts in physical units.

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

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, ChannelInfo
from affectscope.io.files import shown
from affectscope.io.timeline import Timeline, counter_timeline, place
from affectscope.records import FloatArray, Notice

_BLOCK = 1 << 20  # samples that are converted at a time
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
class OpenSignalsChannel:
    """One analogue channel. ``location`` is its column (text) or its data set's path (HDF5)."""

    info: ChannelInfo
    location: int | str
    counter: int | str | None
    counter_bits: int | None
    resolution: int
    transfer: Transfer | None


@dataclass(frozen=True)
class Named:
    """What a header says of a channel: device address, label, sensor, and the device's model."""

    device: str
    label: str
    sensor: str
    model: str


def described(named: Named, rate: object, *, devices: int) -> tuple[ChannelInfo, Transfer | None]:
    """A channel is called by its label; where several devices share the file, by both."""
    sampling_rate = float(str(rate))
    if not (math.isfinite(sampling_rate) and sampling_rate > 0):
        raise ValueError(f"the sampling rate {rate}")
    name = named.label if devices == 1 else f"{named.device}/{named.label}"
    aliases = tuple(alias for alias in (named.sensor, named.label) if alias != name)
    family = _FAMILIES.get(named.model, named.model)
    unit, transfer = TRANSFER_FUNCTIONS.get((family, named.sensor.upper()), ("raw", None))
    return ChannelInfo(name, unit, sampling_rate, 0, aliases), transfer


def counted(counter: FloatArray, bits: int | None) -> Timeline:
    """What a packet counter (S,) shows; nothing where it is empty or holds words."""
    if len(counter) and np.isfinite(counter).all():
        return counter_timeline(counter.astype(np.int64), bits)
    return Timeline(None)


def in_physical_units(
    channel: OpenSignalsChannel, counts: FloatArray, *, counter: Timeline, notices: list[Notice]
) -> ChannelData:
    """Counts (S,) in physical units, with the samples that the packet counter shows to be lost.

    ``counts`` are overwritten: ten hours of one channel would not fit into memory many times.
    """
    values, transfer = counts, channel.transfer
    if transfer is not None:
        for start in range(0, len(values), _BLOCK):
            part = values[start : start + _BLOCK]
            part[:] = transfer(part / 2.0**channel.resolution)
    else:
        sentence = (
            f"The sensor of {channel.info.name!r} has no known transfer function;"
            " its values are converter counts."
        )
        notices.append(Notice("W_UNIT", sentence))
    for row in counter.jumps:
        sentence = f"The packet counter restarts at sample {row + 1}; what was lost is unknown."
        notices.append(Notice("W_TIME_RESET", sentence))
    return ChannelData(
        place(values, counter.gaps),
        channel.info.sampling_rate,
        unit=channel.info.unit,
        gaps=counter.gaps,
        notices=tuple(notices),
    )


def damaged(path: Path, what: str) -> InputError:
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as an OpenSignals recording: {what}.",
        "Export it again from OpenSignals.",
    )
