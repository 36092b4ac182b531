"""NumPy files: npy (columns are channels), npz (members are channels). Never a pickle (F14).

An npz may hold a scalar member ``sampling_rate`` (Hz). An npy file of the paper's authors' recorder
is told by its last column, see ``paper_recorder``; any other column of time must be named.

Legend: S samples, C channels.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import InputError
from affectscope.io.channels import (
    MAXIMUM_CHANNELS,
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.files import shown
from affectscope.io.paper_recorder import CLOCK, is_recorder, recorder_channels
from affectscope.io.time_column import TimeColumn, on_clock, read_clock
from affectscope.records import FloatArray

NPY_MAGIC = b"\x93NUMPY"
_RATE_MEMBER = "sampling_rate"
_MEMBER_SUFFIX = ".npy"
_ENTRIES = 10_000
_RECORDER_CLOCK = TimeColumn(CLOCK, None, named=False)


@dataclass(frozen=True)
class _Header:
    """An array's header: shape, type, memory order, and the bytes that the header takes."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran_order: bool
    length: int

    @property
    def data_bytes(self) -> int:
        size = self.dtype.itemsize
        for axis in self.shape:
            size *= axis
        return size


def inspect_npy(path: Path) -> SignalFile:
    """The columns of an npy array, named "1", "2", ..., or as the paper's recorder writes them.

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    with _npy(path) as (header, array):
        if not is_recorder(array):
            return SignalFile("npy", _columns(path, "", header=header))
        timeline, notices = read_clock(
            path, _RECORDER_CLOCK, stamps=_column(array, -1), stated_rate=None
        )
        rows, columns = array.shape
        infos = recorder_channels(columns, rows, timeline.sampling_rate if timeline else None)
        return SignalFile("npy", infos, CLOCK if timeline else None, notices)


def read_npy(path: Path, source: SignalSource) -> ChannelData:
    """One column of an npy array, timed by another one where the user or the recorder names it.

    Raises:
        InputError: E_CHANNEL or E_SIGNAL_FILE.
    """
    with _npy(path) as (header, array):
        recorded = is_recorder(array)
        infos = (
            recorder_channels(array.shape[1], array.shape[0], None)
            if recorded
            else _columns(path, "", header=header)
        )
        data = ChannelData(_column(array, find_channel(infos, source.channel, path=path)))
        if source.time_column is not None:
            stamps = _column(array, find_channel(infos, source.time_column, path=path))
            return _timed(path, data, stamps=stamps, source=source)
        if not recorded:
            return data
        stamps = _column(array, -1)
        return on_clock(
            path,
            data,
            column=_RECORDER_CLOCK,
            stamps=stamps,
            stated_rate=source.sampling_rate,
        )


def inspect_npz(path: Path) -> SignalFile:
    """The members of an npz archive: one channel each, or "name.1", "name.2", ... for columns.

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    with _npz(path) as archive:
        rate = _stated_rate(path, archive)
        infos = tuple(info for info, _, _ in _members(path, archive, rate=rate))
    return SignalFile("npz", infos)


def read_npz(path: Path, source: SignalSource) -> ChannelData:
    """One member of an npz archive, or one column of it.

    Raises:
        InputError: E_CHANNEL or E_SIGNAL_FILE.
    """
    with _npz(path) as archive:
        rate = _stated_rate(path, archive)
        members = list(_members(path, archive, rate=rate))
        infos = [info for info, _, _ in members]
        data = ChannelData(
            _member_column(
                path, archive, member=members[find_channel(infos, source.channel, path=path)]
            ),
            rate,
        )
        if source.time_column is None:
            return data
        timed_by = members[find_channel(infos, source.time_column, path=path)]
        return _timed(
            path, data, stamps=_member_column(path, archive, member=timed_by), source=source
        )


_Member = tuple[ChannelInfo, str, int]  # the channel, its member's file name, its column


def _timed(
    path: Path, data: ChannelData, *, stamps: FloatArray, source: SignalSource
) -> ChannelData:
    """The channel on its time column's clock."""
    column = TimeColumn(str(source.time_column), None, named=True)
    if len(stamps) != len(data.values):
        raise _damaged(path, f"its time column {column.name!r} is not as long as the channel")
    return on_clock(
        path,
        data,
        column=column,
        stamps=stamps,
        stated_rate=source.sampling_rate or data.sampling_rate,
    )


@contextmanager
def _npy(path: Path) -> Iterator[tuple[_Header, NDArray[np.generic]]]:
    """An array's header, and the array itself, mapped from the file."""
    with path.open("rb") as stream:
        header = _header(path, stream)
    surplus = path.stat().st_size - header.length - header.data_bytes
    if surplus < 0:
        raise _damaged(path, "it ends before the array that its header describes")
    if surplus:
        raise _damaged(path, f"it is {surplus} bytes longer than its header describes")
    _columns(path, "", header=header)  # refuses what cannot be mapped
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    yield header, np.memmap(path, header.dtype, "r", header.length, header.shape, order)


@contextmanager
def _npz(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever a damaged one provokes becomes E_SIGNAL_FILE."""
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _ENTRIES:
                raise _damaged(path, f"it holds more than {_ENTRIES} members")
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise _damaged(path, str(error)) from error


def _header(path: Path, stream: IO[bytes]) -> _Header:
    """Read an array's header; nothing is allocated before its type and size are accepted."""
    try:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran_order, dtype = readers[version](stream)
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        SyntaxError,
        TypeError,
        tokenize.TokenError,  # NumPy looks for the suffix of Python 2 numbers in the header
    ) as error:
        raise _damaged(path, f"its array header cannot be read ({error})") from error
    header = _Header(shape, dtype, fortran_order, stream.tell())
    if dtype.hasobject:
        raise _damaged(path, "it holds Python objects (a pickle), which are never loaded")
    if dtype.kind not in "iuf":
        raise _damaged(path, f"its type is {dtype}, not numbers")
    if len(shape) > 2 or any(axis < 0 for axis in shape):
        raise _damaged(path, f"its shape is {shape}, not samples x channels")
    if len(shape) == 2 and shape[1] > MAXIMUM_CHANNELS:
        raise _damaged(path, f"its shape is {shape}; rows must be samples and columns channels")
    if header.data_bytes > MAXIMUM_SAMPLES * 8:
        raise _damaged(path, f"it claims {header.data_bytes} bytes, more than are read")
    return header


def _columns(
    path: Path, name: str, *, header: _Header, rate: float | None = None
) -> tuple[ChannelInfo, ...]:
    if not header.shape or header.shape[0] == 0:
        raise _damaged(path, "its array is empty")
    samples = header.shape[0]
    if len(header.shape) == 1:
        return (ChannelInfo(name or "1", None, rate, samples),)
    prefix = f"{name}." if name else ""
    return tuple(
        ChannelInfo(f"{prefix}{column}", None, rate, samples)
        for column in range(1, header.shape[1] + 1)
    )


def _members(path: Path, archive: zipfile.ZipFile, *, rate: float | None) -> Iterator[_Member]:
    """The archive's arrays that can be channels: those with at least one axis."""
    for entry in archive.infolist():
        name = entry.filename.removesuffix(_MEMBER_SUFFIX)
        if name == _RATE_MEMBER or not entry.filename.endswith(_MEMBER_SUFFIX):
            continue
        with archive.open(entry) as stream:
            header = _header(path, stream)
        if header.length + header.data_bytes != entry.file_size:
            raise _damaged(path, f"its member {name!r} is not as long as its header says")
        if header.shape and header.shape[0]:
            for column, info in enumerate(_columns(path, name, header=header, rate=rate)):
                yield info, entry.filename, column


def _member_column(path: Path, archive: zipfile.ZipFile, *, member: _Member) -> FloatArray:
    _, filename, column = member
    with archive.open(filename) as stream:
        header = _header(path, stream)
        held = stream.read(header.data_bytes)
    if len(held) < header.data_bytes:
        raise _damaged(path, f"its member {filename!r} ends early")
    flat = np.frombuffer(held, dtype=header.dtype)
    array = flat.reshape(header.shape, order="F" if header.fortran_order else "C")
    return _column(array, column)


def _stated_rate(path: Path, archive: zipfile.ZipFile) -> float | None:
    filename = _RATE_MEMBER + _MEMBER_SUFFIX
    if filename not in archive.namelist():
        return None
    with archive.open(filename) as stream:
        header = _header(path, stream)
        held = stream.read(header.data_bytes)
    if header.data_bytes != header.dtype.itemsize or len(held) != header.data_bytes:
        raise _damaged(path, f"its member {_RATE_MEMBER!r} is no single number")
    return float(np.frombuffer(held, dtype=header.dtype)[0].item())


def _column(array: NDArray[np.generic], column: int) -> FloatArray:
    """(S,) float64 with NaN for anything that is not finite."""
    chosen = array if array.ndim == 1 else array[:, column]
    values = np.array(chosen, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as a NumPy file: {what}.",
        "Save it again as a plain array of numbers.",
    )
