"""EDF, EDF+, BDF and BDF+ recordings.

Read by header and memory map rather than through edfio, which holds a BDF file at seven times its
size (0.4.18: 216 MB for 29.5 MB), reads EDF+D without its gaps, and raises whatever a damaged
header provokes. Formats: Kemp et al. 1992 (EDF), Kemp & Olivan 2003 (EDF+), biosemi.com (BDF).

The patient and recording fields of the header are never decoded (F11).

Legend: R data records, P samples of one channel in one record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import InputError
from affectscope.io.channels import (
    MAXIMUM_CHANNELS,
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    Gap,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.files import shown
from affectscope.io.timeline import gaps_at, place
from affectscope.records import FloatArray, Notice

EDF_VERSION = b"0       "
BDF_VERSION = b"\xffBIOSEMI"

_FIXED = 256
_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # bytes per signal of each field of the header
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True)
class _EdfSignal:
    """One channel's header. It takes ``samples`` (P) of a record, from sample ``offset`` on."""

    label: str
    unit: str
    physical: tuple[str, str]
    digital: tuple[str, str]
    offset: int
    samples: int


@dataclass(frozen=True)
class _EdfFile:
    path: Path
    sample_bytes: int
    header_bytes: int
    records: int
    record_duration: float
    record_samples: int
    discontinuous: bool
    signals: tuple[_EdfSignal, ...]
    notices: tuple[Notice, ...]

    @property
    def channels(self) -> tuple[_EdfSignal, ...]:
        return tuple(signal for signal in self.signals if signal.label not in _ANNOTATIONS)

    def column(self, signal: _EdfSignal) -> NDArray[np.uint8]:
        """(R, P * bytes per sample) one signal's bytes, mapped and not yet read."""
        record_bytes = self.record_samples * self.sample_bytes
        mapped = np.memmap(
            self.path, np.uint8, "r", self.header_bytes, (self.records, record_bytes)
        )
        start = signal.offset * self.sample_bytes
        return mapped[:, start : start + signal.samples * self.sample_bytes]


def inspect_edf(path: Path) -> SignalFile:
    """The channels of an EDF or BDF file, annotations left out.

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    file = _open(path)
    return SignalFile(_kind(file), _infos(file), notices=file.notices)


def read_edf(path: Path, source: SignalSource) -> ChannelData:
    """One channel in its physical unit. A cut file gives its complete records (F08).

    Raises:
        InputError: E_CHANNEL, E_EDF_SCALE or E_SIGNAL_FILE.
    """
    file = _open(path)
    index = find_channel(_infos(file), source.channel, path=path)
    signal = file.channels[index]
    gain, offset = _scale(path, signal)
    if file.records * signal.samples > MAXIMUM_SAMPLES:
        raise _damaged(path, f"its channel {signal.label!r} is too long to be read")
    values = _integers(file, signal) * gain + offset
    gaps = _gaps(file, signal) if file.discontinuous else ()
    return ChannelData(
        place(values, gaps),
        signal.samples / file.record_duration,
        unit=signal.unit or None,
        gaps=gaps,
        notices=file.notices,
    )


def _kind(file: _EdfFile) -> str:
    return "bdf" if file.sample_bytes == 3 else "edf"


def _infos(file: _EdfFile) -> tuple[ChannelInfo, ...]:
    return tuple(
        ChannelInfo(
            signal.label or str(number),
            signal.unit or None,
            signal.samples / file.record_duration,
            signal.samples * file.records,
        )
        for number, signal in enumerate(file.channels, 1)
    )


def _open(path: Path) -> _EdfFile:
    """The header, with the number of records corrected by the file's size (F08, F09)."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        fixed = stream.read(_FIXED)
        count = _integer(path, fixed[252:256], name="number of signals")
        if not 1 <= count <= MAXIMUM_CHANNELS:
            raise _damaged(path, f"its header states {count} signals")
        described = stream.read(count * sum(_WIDTHS))
    header_bytes = _FIXED + count * sum(_WIDTHS)
    if size < header_bytes:
        raise _damaged(path, "it ends inside its header")
    signals = _signals(path, described, count=count)
    sample_bytes = 3 if fixed.startswith(BDF_VERSION) else 2
    record_samples = sum(signal.samples for signal in signals)
    duration = _real(path, fixed[244:252], name="duration of a record")
    if record_samples == 0 or not (math.isfinite(duration) and duration > 0):
        raise _damaged(path, f"its records hold {record_samples} samples in {duration:g} s")
    stated = _integer(path, fixed[236:244], name="number of records")
    held, rest = divmod(size - header_bytes, record_samples * sample_bytes)
    records = held if stated < 0 else min(held, stated)
    if records == 0:
        raise _damaged(path, "it holds no complete record")
    return _EdfFile(
        path,
        sample_bytes,
        header_bytes,
        records,
        duration,
        record_samples,
        _ascii(fixed[192:236])[:5] in ("EDF+D", "BDF+D"),
        signals,
        _truncation(path, stated, held=held, rest=rest, duration=duration),
    )


def _truncation(
    path: Path, stated: int, *, held: int, rest: int, duration: float
) -> tuple[Notice, ...]:
    if stated >= 0 and held >= stated:
        return _surplus(path, stated, held=held, rest=rest, duration=duration)
    if stated < 0 and not rest:
        return ()
    end = held * duration
    promised = f" of {stated * duration:.2f} s" if stated >= 0 else ""
    sentence = f"{shown(path)} ends after {end:.2f} s{promised}; complete records were kept."
    return (Notice("W_FILE_TRUNCATED", sentence, start=end),)


def _surplus(
    path: Path, stated: int, *, held: int, rest: int, duration: float
) -> tuple[Notice, ...]:
    """Bytes behind the last stated record: it is not known where in the file they were put in."""
    if held == stated and not rest:
        return ()
    sentence = (
        f"The header of {shown(path)} states {stated} records of {duration:g} s, and the file has"
        f" room for {held}{' and a part of one' if rest else ''}; the stated ones were read, and"
        " samples may lie at a wrong time."
    )
    return (Notice("W_SAMPLE_COUNTS", sentence),)


def _signals(path: Path, described: bytes, *, count: int) -> tuple[_EdfSignal, ...]:
    """The signals' headers: the file stores them field by field, not signal by signal."""
    columns: list[list[str]] = []
    start = 0
    for width in _WIDTHS:
        cells = [described[start + n * width : start + (n + 1) * width] for n in range(count)]
        columns.append([_ascii(cell) for cell in cells])
        start += count * width
    label, _, unit, low, high, digital_low, digital_high, _, samples, _ = columns
    signals: list[_EdfSignal] = []
    offset = 0
    for n in range(count):
        held = _integer(path, samples[n].encode("latin-1"), name=f"samples of {label[n]!r}")
        if held < 0:
            raise _damaged(path, f"its channel {label[n]!r} states {held} samples in a record")
        signals.append(
            _EdfSignal(
                label[n],
                unit[n],
                (low[n], high[n]),
                (digital_low[n], digital_high[n]),
                offset,
                held,
            )
        )
        offset += held
    return tuple(signals)


def _integers(file: _EdfFile, signal: _EdfSignal) -> FloatArray:
    """(R * P,) the stored integers: little-endian, 16 or 24 bits, two's complement."""
    column = file.column(signal)
    if file.sample_bytes == 2:
        return np.ascontiguousarray(column).view("<i2").ravel().astype(np.float64)
    parts = column.reshape(file.records, signal.samples, 3)
    values = parts[..., 2].astype(np.int8).astype(np.float64) * 65536.0
    values += parts[..., 1] * 256.0
    values += parts[..., 0]
    return values.ravel()


def _scale(path: Path, signal: _EdfSignal) -> tuple[float, float]:
    """Gain and offset from stored integers to the physical unit. Raises E_EDF_SCALE."""
    try:
        low, high = (float(text) for text in signal.physical)
        digital_low, digital_high = (float(text) for text in signal.digital)
        gain = (high - low) / (digital_high - digital_low)
        usable = math.isfinite(gain) and gain != 0 and math.isfinite(low)
    except (ValueError, ZeroDivisionError):
        usable = False
    if not usable:
        raise InputError(
            "E_EDF_SCALE",
            f"The channel {signal.label!r} of {shown(path)} maps the stored range"
            f" {'..'.join(signal.digital)} to {'..'.join(signal.physical)} {signal.unit}.",
            "Export it again with a physical and a digital range that are not empty.",
        )
    return gain, low - digital_low * gain


def _gaps(file: _EdfFile, signal: _EdfSignal) -> tuple[Gap, ...]:
    """Where an interrupted recording (EDF+D) lacks samples, by its records' time stamps (F10)."""
    rate = signal.samples / file.record_duration
    begins = np.rint((np.array(_onsets(file)) - _onsets(file)[0]) * rate).astype(np.int64)
    lost = begins - np.arange(file.records) * signal.samples
    steps = np.diff(lost, prepend=0)
    if (steps < 0).any():
        raise _damaged(file.path, "the times of its records overlap or go back")
    if lost[-1] + file.records * signal.samples > MAXIMUM_SAMPLES:
        raise _damaged(file.path, "the times of its records lie too far apart")
    missing = np.zeros(file.records * signal.samples, dtype=np.int64)
    missing[:: signal.samples] = steps
    return gaps_at(missing)


def _onsets(file: _EdfFile) -> list[float]:
    """Seconds at which each record starts: the first annotation of each ("+12.5" 0x14 0x14)."""
    stamped = next((s for s in file.signals if s.label in _ANNOTATIONS), None)
    if stamped is None:
        raise _damaged(file.path, "it is interrupted (EDF+D) and its records have no time stamps")
    onsets: list[float] = []
    for record in file.column(stamped):
        text = record.tobytes().split(b"\x14", 1)[0]
        onsets.append(_real(file.path, text, name="time of a record"))
    if any(not later > earlier for earlier, later in pairwise(onsets)):
        raise _damaged(file.path, "the times of its records overlap or go back")
    return onsets


def _ascii(field: bytes) -> str:
    """A header field. The standards ask for ASCII; Latin-1 reads the "µV" that is found there."""
    return field.decode("latin-1").strip(" \x00")


def _integer(path: Path, field: bytes, *, name: str) -> int:
    try:
        return int(_ascii(field))
    except ValueError as error:
        raise _damaged(path, f"the {name} in its header is {_ascii(field)!r}") from error


def _real(path: Path, field: bytes, *, name: str) -> float:
    try:
        return float(_ascii(field))
    except ValueError as error:
        raise _damaged(path, f"the {name} in its header is {_ascii(field)!r}") from error


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as EDF or BDF: {what}.",
        "Export the recording again.",
    )
