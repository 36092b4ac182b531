"""OpenSignals recordings (PLUX): text and HDF5, biosignalsplux and BITalino, in physical units.

A text is read here; HDF5 is read in a process of its own (``opensignals_hdf5``), since a damaged
file may crash or hang its library. What the counts mean is in ``opensignals_channels``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.io.channels import (
    ChannelData,
    ChannelInfo,
    Gap,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.csv_layout import TableLayout
from affectscope.io.csv_table import count_rows, read_columns
from affectscope.io.number_format import Evidence
from affectscope.io.opensignals_channels import (
    Named,
    OpenSignalsChannel,
    counted,
    damaged,
    described,
    in_physical_units,
)
from affectscope.io.opensignals_hdf5 import VALUES
from affectscope.io.reader_process import answered
from affectscope.io.table_words import tell_open_end
from affectscope.io.timeline import Timeline
from affectscope.records import Notice

FIRST_LINE = b"# OpenSignals Text File Format"

_HEADER_BYTES = 1 << 20
_CHILD = "affectscope.io.opensignals_hdf5"


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
    tell_open_end(path, layout, notices)
    timeline = counted(counters[0], channel.counter_bits) if counters else Timeline(None)
    return in_physical_units(channel, counts, counter=timeline, notices=notices)


def inspect_opensignals_h5(path: Path) -> SignalFile:
    """The analogue channels of an OpenSignals HDF5 file.

    Raises:
        InputError: E_SIGNAL_FILE, E_FILE_LIMIT, E_READER_CRASH. MissingExtraError where h5py is not
            installed.
    """
    with answered(_CHILD, path, {}) as (facts, _):
        infos = tuple(
            ChannelInfo(**{**info, "aliases": tuple(info["aliases"])}) for info in facts["channels"]
        )
        return SignalFile("opensignals-h5", infos, notices=_notices(facts))


def read_opensignals_h5(path: Path, source: SignalSource) -> ChannelData:
    """One channel of an OpenSignals HDF5 file, in mV or uS where its sensor is known.

    Raises:
        InputError: E_CHANNEL, and as ``inspect_opensignals_h5``.
    """
    with answered(_CHILD, path, {"channel": source.channel}) as (facts, folder):
        return ChannelData(
            np.load(folder / VALUES, allow_pickle=False),
            facts["sampling_rate"],
            unit=facts["unit"],
            gaps=tuple(Gap(*gap) for gap in facts["gaps"]),
            notices=_notices(facts),
        )


def _notices(facts: dict[str, Any]) -> tuple[Notice, ...]:
    return tuple(Notice(**notice) for notice in facts["notices"])


def _text_channels(path: Path) -> tuple[TableLayout, list[OpenSignalsChannel]]:
    """The layout of the columns, and the analogue channels of all devices."""
    header, first_row = _header(path)
    names: list[str] = []
    channels: list[OpenSignalsChannel] = []
    try:
        for device, facts in header.items():
            columns = [str(name) for name in facts["column"]]
            analogue = [str(label) for label in facts["label"]]
            sensors = [str(sensor) for sensor in facts["sensor"]]
            resolution = [int(bits) for bits in facts["resolution"]]
            counter = columns.index("nSeq") if "nSeq" in columns else None
            for number, label in enumerate(analogue):
                offset = number - len(analogue)
                named = Named(device, label, sensors[number], str(facts["device"]))
                info, transfer = described(named, facts["sampling rate"], devices=len(header))
                channels.append(
                    OpenSignalsChannel(
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
        raise damaged(path, f"its header lacks or garbles {error}") from error
    if not channels:
        raise damaged(path, "its header names no channel")
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
        raise damaged(path, "its header has no end")
    for line in lines[1 : ends[0]]:
        try:
            header = json.loads(line.lstrip("# "))
        except (ValueError, RecursionError):
            continue
        if isinstance(header, dict) and header:
            return header, ends[0] + 2
    raise damaged(path, "its header holds no JSON object")


def _counter_bits(resolution: list[int], columns: list[str], *, counter: int | None) -> int | None:
    """The counter's width where the header gives a resolution for every column (BITalino: 4)."""
    if counter is None or len(resolution) != len(columns):
        return None
    return resolution[counter]
