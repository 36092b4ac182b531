"""AcqKnowledge recordings (.acq, BIOPAC): one channel out of the interleaved samples.

At every tick of the file's clock each channel whose divider divides the tick has a sample, in the
order of the channels, until it has as many as its header states. So the place of a sample follows
from the headers alone, and a cut file shows which samples it still has.

Legend: S samples of the channel, K samples of one block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import InputError
from affectscope.io.acqknowledge_header import (
    AcqFile,
    damaged,
    is_acqknowledge,
    read_acq_file,
)
from affectscope.io.channels import (
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.files import shown
from affectscope.records import FloatArray, Notice

__all__ = ["inspect_acqknowledge", "is_acqknowledge", "read_acqknowledge"]

_BLOCK_SAMPLES = 1 << 18
_BLOCK_BYTES = 1 << 23
_MAXIMUM_WORK = 1 << 33  # samples times groups of channels: about a minute

IntArray = NDArray[np.int64]


def inspect_acqknowledge(path: Path) -> SignalFile:
    """The channels of an AcqKnowledge file.

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    file = read_acq_file(path)
    infos = _infos(file)
    return SignalFile("acqknowledge", infos, notices=_notices(file, infos))


def read_acqknowledge(path: Path, source: SignalSource) -> ChannelData:
    """One channel in its unit. A cut file gives every sample that lies before the cut.

    Raises:
        InputError: E_CHANNEL, E_SIGNAL_FILE or E_FILE_LIMIT.
    """
    file = read_acq_file(path)
    infos = _infos(file)
    notices = _notices(file, infos)
    index = find_channel(infos, source.channel, path=path)
    channel, held = file.channels[index], infos[index].samples
    if held == 0:
        raise damaged(path, f"its channel {channel.name!r} holds no sample")
    if not (np.isfinite([channel.scale, channel.offset]).all() and channel.scale):
        what = f"its channel {channel.name!r} has the scale {channel.scale:g}, {channel.offset:g}"
        raise damaged(path, what)
    places = _places(file, index)
    if held > MAXIMUM_SAMPLES or held * len(places.terms) > _MAXIMUM_WORK:
        raise InputError(
            "E_FILE_LIMIT",
            f"The channel {channel.name!r} of {shown(path)} is too long to be read.",
            "Save a shorter part of the recording.",
        )
    values = _samples(file, index, samples=held)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is no number, see below
        values *= channel.scale
        values += channel.offset
    values[~np.isfinite(values)] = np.nan
    rate = file.tick_rate / channel.divider
    return ChannelData(values, rate, unit=channel.unit, notices=notices)


@dataclass(frozen=True)
class _Places:
    """Where one channel's samples lie.

    Before its sample at a tick lie, of a channel that is written after it, the samples at earlier
    ticks; of one before it, also that at the same tick: min(samples, (tick + shift) // divider).

    Attributes:
        terms: (shift, divider, samples) of channels -> bytes that each step takes.
    """

    divider: int
    sample_bytes: int
    terms: dict[tuple[int, int, int], int]

    def start(self, sample: int) -> int:
        """Bytes of data before the sample of this number."""
        tick = sample * self.divider
        return sum(
            step * min(samples, (tick + shift) // divider)
            for (shift, divider, samples), step in self.terms.items()
        )

    def starts(self, first: int, stop: int) -> IntArray:
        """(K,) as ``start``, for the samples from ``first`` to before ``stop``."""
        ticks = np.arange(first, stop, dtype=np.int64) * self.divider
        found = np.zeros(len(ticks), dtype=np.int64)
        for (shift, divider, samples), step in self.terms.items():
            found += step * np.minimum((ticks + shift) // divider, samples)
        return found

    def ending_by(self, limit: int, *, first: int, stop: int) -> int:
        """The first sample of ``first`` to ``stop`` that ends behind ``limit`` bytes of data."""
        last_start = limit - self.sample_bytes
        return bisect_right(range(stop), last_start, first, stop, key=self.start)


def _places(file: AcqFile, index: int) -> _Places:
    terms = Counter[tuple[int, int, int]]()
    for number, other in enumerate(file.channels):
        shift = other.divider if number < index else other.divider - 1
        terms[shift, other.divider, other.samples] += other.sample_bytes
    channel = file.channels[index]
    return _Places(channel.divider, channel.sample_bytes, dict(terms))


def _infos(file: AcqFile) -> tuple[ChannelInfo, ...]:
    infos: list[ChannelInfo] = []
    for index, channel in enumerate(file.channels):
        held = channel.samples
        if file.is_cut:
            held = _places(file, index).ending_by(file.data_bytes, first=0, stop=held)
        rate = file.tick_rate / channel.divider
        infos.append(ChannelInfo(channel.name, channel.unit, rate, held))
    return tuple(infos)


def _samples(file: AcqFile, index: int, *, samples: int) -> FloatArray:
    """(S,) stored numbers, read in blocks of bounded size."""
    places = _places(file, index)
    values = np.empty(samples)
    done = 0
    with file.path.open("rb") as stream:
        while done < samples:
            limit = places.start(done) + _BLOCK_BYTES
            most = min(samples, done + _BLOCK_SAMPLES)
            stop = max(done + 1, places.ending_by(limit, first=done, stop=most))
            starts = places.starts(done, stop)
            values[done:stop] = _block(file, stream, starts, index=index)
            done = stop
    return values


def _block(file: AcqFile, stream: BinaryIO, starts: IntArray, *, index: int) -> NDArray[Any]:
    """(K,) the stored numbers that begin at these bytes of the data."""
    dtype = np.dtype(file.channels[index].sample_type)
    stream.seek(file.data_start + int(starts[0]))
    length = int(starts[-1] - starts[0]) + dtype.itemsize
    packed = stream.read(length)
    if len(packed) < length:
        raise damaged(file.path, "it became shorter while it was read")
    bytes_of = (starts - starts[0])[:, np.newaxis] + np.arange(dtype.itemsize)
    stored: NDArray[Any] = np.frombuffer(packed, np.uint8)[bytes_of].view(dtype)
    return stored[:, 0]


def _notices(file: AcqFile, infos: tuple[ChannelInfo, ...]) -> tuple[Notice, ...]:
    """What the user must know of the file. Raises E_SIGNAL_FILE where its lengths cannot be true.

    A cut file lacks the end of all channels. Where the channels also state different lengths, no
    byte tells which of them lies, and with it the place of every sample.
    """
    held = _end(file, [info.samples for info in infos])
    if held == 0:
        raise damaged(file.path, "it holds no samples")
    uneven = _uneven(file)
    if file.is_cut:
        stated = _end(file, [channel.samples for channel in file.channels])
        if uneven:
            what = f"its channels state different lengths, up to {stated:.2f} s, which it lacks"
            raise damaged(file.path, what)
        sentence = (
            f"{shown(file.path)} ends after {held:.2f} s of {stated:.2f} s; complete samples were"
            " kept."
        )
        return (Notice("W_FILE_TRUNCATED", sentence, start=held),)
    notices: list[Notice] = []
    if uneven:
        sentence = f"The channels of {shown(file.path)} state different lengths: {uneven}."
        notices.append(Notice("W_SAMPLE_COUNTS", sentence))
    if file.markers is None:
        sentence = (
            f"In {shown(file.path)} no list of markers follows the samples: it was cut there, or"
            f" its header states a wrong length ({held:.2f} s)."
        )
        notices.append(Notice("W_SAMPLE_COUNTS", sentence))
    elif file.markers:
        sentence = f"The {file.markers} event markers of {shown(file.path)} are not read."
        notices.append(Notice("W_MARKERS", sentence))
    return tuple(notices)


def _end(file: AcqFile, counts: list[int]) -> float:
    """Seconds from the first tick to behind the last one at which a channel has a sample."""
    ticks = [
        (count - 1) * channel.divider + 1
        for channel, count in zip(file.channels, counts, strict=True)
        if count
    ]
    return max(ticks, default=0) / file.tick_rate


def _uneven(file: AcqFile) -> str:
    """The shortest and the longest of the recorded channels where they do not end together."""
    filled = [channel for channel in file.channels if channel.samples]
    if not filled:
        return ""
    finest = min(filled, key=lambda channel: channel.divider)
    length = finest.samples * finest.divider
    lengths = [channel.samples * channel.divider for channel in filled]
    if all(
        abs(ticks - length) < channel.divider + finest.divider
        for channel, ticks in zip(filled, lengths, strict=True)
    ):
        return ""
    return f"{min(lengths) / file.tick_rate:.2f} to {max(lengths) / file.tick_rate:.2f} s"
