"""OpenSignals HDF5 files: the part that runs in a process of its own.

``io.reader_process`` starts this module with a time and a memory limit, since HDF5 is a large C
library and a damaged or hostile file may crash, hang or swell it (F13).

Legend: S samples of a channel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.errors import require
from affectscope.io.channels import MAXIMUM_SAMPLES, find_channel
from affectscope.io.files import shown
from affectscope.io.hdf5_size import surplus
from affectscope.io.opensignals_channels import (
    Named,
    OpenSignalsChannel,
    counted,
    damaged,
    described,
    in_physical_units,
)
from affectscope.io.reader_process import serve
from affectscope.io.timeline import Timeline
from affectscope.records import FloatArray, Notice

_BLOCK = 1 << 20  # samples


VALUES = "values.npy"


def answer(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The channels of a file; or what is known of one channel, its values left in the folder.

    Raises:
        InputError: E_CHANNEL or E_SIGNAL_FILE. MissingExtraError where h5py is not installed.
    """
    path = Path(order["path"])
    notices = surplus(path)
    with _opened(path) as file:
        channels = _channels(path, file)
        infos = [channel.info for channel in channels]
        if "channel" not in order:
            return {"channels": [asdict(i) for i in infos], "notices": _plain(notices)}
        channel = channels[find_channel(infos, order["channel"], path=path)]
        counts = _numbers(_column(path, file, name=str(channel.location)))
        timeline = _timeline(path, file, channel)
        device = str(channel.location).split("/")[0]
        stated = _stated_duration(_text(file[device].attrs.get("duration", "")))
    data = in_physical_units(channel, counts, counter=timeline, notices=notices)
    held = len(data.values) / (channel.info.sampling_rate or math.inf)
    found = [*data.notices]
    if stated - held > 1.5:  # the header's duration is cut to whole seconds
        sentence = (
            f"{shown(path)} states a duration of {stated:.0f} s and holds {held:.1f} s:"
            f" {stated - held:.1f} s are lost at an unknown place."
        )
        found.append(Notice("W_GAP_UNLOCATED", sentence))
    np.save(folder / VALUES, data.values, allow_pickle=False)
    return {
        "sampling_rate": data.sampling_rate,
        "unit": data.unit,
        "gaps": [[gap.start, gap.samples] for gap in data.gaps],
        "notices": _plain(found),
    }


def _plain(notices: list[Notice]) -> list[dict[str, Any]]:
    return [asdict(notice) for notice in notices]


def _timeline(path: Path, file: Any, channel: OpenSignalsChannel) -> Timeline:
    if channel.counter is None:
        return Timeline(None)
    counter = _column(path, file, name=str(channel.counter))
    if counter.shape[0] and _counts_evenly(counter, channel.counter_bits or 16):
        return Timeline(None)
    return counted(_numbers(counter), channel.counter_bits)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file as h5py opens it; whatever h5py raises while it is read becomes E_SIGNAL_FILE."""
    h5py = require("h5py", "Reading OpenSignals .h5 files", "formats")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def _channels(path: Path, file: Any) -> list[OpenSignalsChannel]:
    found: list[OpenSignalsChannel] = []
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
            named = Named(device, label, sensor, _text(attributes["device"]))
            info, transfer = described(named, attributes["sampling rate"], devices=len(file))
            found.append(
                OpenSignalsChannel(
                    replace(info, samples=int(data.shape[0])),
                    f"{device}/raw/channel_{number}",
                    counter,
                    bits[0] if len(bits) > len(numbers) else None,
                    bits[offset],
                    transfer,
                )
            )
    if not found:
        raise damaged(path, "it is an HDF5 file without OpenSignals channels")
    return found


def _column(path: Path, file: Any, *, name: str) -> Any:
    """One data set of numbers; data that lies outside this file is refused."""
    data = file[name]
    if data.file.filename != file.filename or data.external or data.is_virtual:
        raise damaged(path, f"{name} lies outside the file")
    if data.dtype.kind not in "iuf" or data.size > MAXIMUM_SAMPLES or data.size != data.shape[0]:
        raise damaged(path, f"{name} is no column of numbers")
    return data


def _numbers(data: Any) -> FloatArray:
    """(S,) a data set as float64, read block by block."""
    found = np.empty(data.shape[0])
    for start in range(0, len(found), _BLOCK):
        found[start : start + _BLOCK] = np.asarray(data[start : start + _BLOCK]).reshape(-1)
    return found


def _counts_evenly(data: Any, bits: int) -> bool:
    """Whether a counter of ``bits`` bits never skips: then it needs not be held whole."""
    last = None
    for start in range(0, data.shape[0], _BLOCK):
        part = np.asarray(data[start : start + _BLOCK]).reshape(-1)
        if part.dtype.kind not in "iu" or part.max() >= 1 << bits:
            return False
        part = part.astype(np.int64)
        steps = np.diff(part, prepend=part[0] - 1 if last is None else last)
        if not np.isin(steps, (1, 1 - (1 << bits))).all():
            return False
        last = int(part[-1])
    return True


def _stated_duration(text: str) -> float:
    """Seconds in "5m0s" or "20s"; 0.0 where the text is none."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if not parts:
        return 0.0
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    serve(answer)
