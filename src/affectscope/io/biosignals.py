"""The one front door for signal files: what a file holds, and one channel of it as a ``Signal``.

A file's content decides how it is read, never its name; a name that contradicts the content is
refused. A sampling rate or a unit that neither the file nor the user states is asked for, never
guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.acqknowledge import (
    inspect_acqknowledge,
    is_acqknowledge,
    read_acqknowledge,
)
from affectscope.io.channels import (
    ChannelData,
    ChannelInfo,
    Decimal,
    SignalFile,
    SignalSource,
)
from affectscope.io.csv_table import inspect_table, read_table
from affectscope.io.edf import BDF_VERSION, EDF_VERSION, inspect_edf, read_edf
from affectscope.io.empatica import inspect_empatica, is_empatica, read_empatica
from affectscope.io.faros import inspect_faros, is_faros, read_faros
from affectscope.io.files import check_file, shown
from affectscope.io.imotions import inspect_imotions, is_imotions, read_imotions
from affectscope.io.numpy_arrays import NPY_MAGIC, inspect_npy, inspect_npz, read_npy, read_npz
from affectscope.io.openface import inspect_openface, is_openface, read_openface
from affectscope.io.opensignals import (
    FIRST_LINE,
    inspect_opensignals_h5,
    inspect_opensignals_text,
    read_opensignals_h5,
    read_opensignals_text,
)
from affectscope.io.shimmer import inspect_shimmer, is_shimmer, read_shimmer
from affectscope.io.text_head import TextHead, read_head
from affectscope.io.xdf import inspect_xdf, read_xdf
from affectscope.io.xdf_chunks import MAGIC as XDF_MAGIC
from affectscope.records import Notice, Signal

__all__ = [
    "READERS",
    "ChannelInfo",
    "SignalFile",
    "SignalSource",
    "TimedSignal",
    "inspect_signals",
    "read_signal",
    "read_timed_signal",
    "signal_kind",
]

RATE_TOLERANCE = 0.005
"""Share by which a stated rate may differ from the one in the file's header."""

CLOCK_TOLERANCE = 0.01
"""Share by which a rate may differ from the one that the file's time stamps show."""

RAW = "raw"
"""The unit of converter counts."""

_LISTED_GAPS = 10


@dataclass(frozen=True)
class Reader:
    """How one kind of file is inspected and read, and the file names that it goes by."""

    inspect: Callable[[Path], SignalFile]
    read: Callable[[Path, SignalSource], ChannelData]
    suffixes: tuple[str, ...]
    called: str


_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat")

READERS: dict[str, Reader] = {
    "table": Reader(inspect_table, read_table, _TEXT_SUFFIXES, "a text table"),
    "opensignals-text": Reader(
        inspect_opensignals_text, read_opensignals_text, _TEXT_SUFFIXES, "OpenSignals text"
    ),
    "empatica": Reader(inspect_empatica, read_empatica, _TEXT_SUFFIXES, "an Empatica E4 export"),
    "shimmer": Reader(inspect_shimmer, read_shimmer, _TEXT_SUFFIXES, "a Shimmer export"),
    "faros": Reader(inspect_faros, read_faros, _TEXT_SUFFIXES, "a Faros export"),
    "imotions": Reader(inspect_imotions, read_imotions, _TEXT_SUFFIXES, "an iMotions export"),
    "openface": Reader(inspect_openface, read_openface, _TEXT_SUFFIXES, "an OpenFace export"),
    "opensignals-h5": Reader(
        inspect_opensignals_h5, read_opensignals_h5, (".h5", ".hdf5"), "an HDF5 file"
    ),
    "edf": Reader(inspect_edf, read_edf, (".edf",), "an EDF recording"),
    "bdf": Reader(inspect_edf, read_edf, (".bdf",), "a BDF recording"),
    "xdf": Reader(inspect_xdf, read_xdf, (".xdf",), "an XDF recording"),
    "npy": Reader(inspect_npy, read_npy, (".npy",), "a NumPy array"),
    "npz": Reader(inspect_npz, read_npz, (".npz",), "a NumPy archive"),
    "acqknowledge": Reader(
        inspect_acqknowledge, read_acqknowledge, (".acq",), "an AcqKnowledge recording"
    ),
}
"""Every kind of signal file that is read."""

_MAGIC: dict[bytes, str] = {
    b"\x89HDF\r\n\x1a\n": "opensignals-h5",
    EDF_VERSION: "edf",
    BDF_VERSION: "bdf",
    NPY_MAGIC: "npy",
    XDF_MAGIC: "xdf",
    FIRST_LINE: "opensignals-text",
}

_EXPORTS: dict[str, Callable[[Path, TextHead], bool]] = {
    "empatica": lambda _path, head: is_empatica(head),
    "shimmer": lambda _path, head: is_shimmer(head),
    "imotions": lambda _path, head: is_imotions(head),
    "openface": lambda _path, head: is_openface(head),
    "faros": is_faros,
}
"""Whether a text is the export of a program or device; a text that is none's is a plain table."""

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an MP4 or MOV video"),
    (4, b"moov", "a MOV video"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"RIFF", "an AVI or WAV file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"<?xml", "an XML document"),
    (0, b"PK\x03\x04", "a zip archive or office document"),
)
"""(offset, bytes, name) of files that are often mistaken for signal files."""


@dataclass(frozen=True, eq=False)
class TimedSignal:
    """A signal, what must be known about it, and its start in Unix time where the file knows it."""

    signal: Signal
    notices: tuple[Notice, ...]
    unix_start: float | None


def signal_kind(path: Path) -> str:
    """The key of ``READERS`` for a file, by its content.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_TYPE_MISMATCH where the name
            says something else than the content; E_TYPE_UNKNOWN for any other content.
    """
    check_file(path)
    with path.open("rb") as stream:
        head = stream.read(4096)
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind is None and head.startswith(b"PK\x03\x04") and _first_member(head).endswith(b".npy"):
        kind = "npz"
    if kind is None and is_acqknowledge(head):
        kind = "acqknowledge"
    foreign = None
    if kind is None:
        foreign = next((name for at, magic, name in _FOREIGN if head[at:].startswith(magic)), None)
        if foreign is None and _is_text(head):
            kind = _text_kind(path)
    suffix = path.suffix.casefold()
    promised = [reader.called for reader in READERS.values() if suffix in reader.suffixes]
    found = READERS[kind].called if kind else foreign or "of an unknown kind"
    if promised and (kind is None or suffix not in READERS[kind].suffixes):
        raise InputError(
            "E_TYPE_MISMATCH",
            f"{shown(path)} is named like {promised[0]} and its content is {found}.",
            "Check that it is the right file, and give it the name of its real kind.",
        )
    if kind is None:
        raise InputError(
            "E_TYPE_UNKNOWN",
            f"No reader knows {shown(path)}: its content is {found}.",
            f"Signal files may be {', '.join(reader.called for reader in READERS.values())}.",
        )
    return kind


def inspect_signals(path: Path, decimal: Decimal | None = None) -> SignalFile:
    """What a signal file holds.

    Args:
        decimal: the decimal mark of a table where its content does not tell.

    Raises:
        InputError: any code of a file that cannot be read.
    """
    kind = signal_kind(path)
    if kind == "table":
        return inspect_table(path, decimal)
    return READERS[kind].inspect(path)


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
    data = READERS[signal_kind(path)].read(path, source)
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
    return TimedSignal(signal, notices, data.unix_start)


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


def _text_kind(path: Path) -> str:
    head = read_head(path)
    return next((kind for kind, is_kind in _EXPORTS.items() if is_kind(path, head)), "table")


def _first_member(head: bytes) -> bytes:
    """The name of a zip archive's first member, from its local header."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length]


def _is_text(head: bytes) -> bool:
    """Whether the first bytes can be text in UTF-8, UTF-16 or Latin-1."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _alternates(head):
        return True
    control = sum(byte < 32 and byte not in (9, 10, 12, 13) for byte in head)
    return control == 0


def _alternates(head: bytes) -> bool:
    """UTF-16 without a mark: every second byte of plain text is zero."""
    zeros = (head[0::2].count(0), head[1::2].count(0))
    return min(zeros) == 0 and max(zeros) > len(head) // 4
