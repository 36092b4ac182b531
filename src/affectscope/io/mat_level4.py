"""MATLAB v4 files: the reader. Numbers and text only; MathWorks, "MAT-File Format", chapter 2.

Each variable is a header of five 32-bit numbers (type, rows, columns, has an imaginary part, length
of the name), the name, and the numbers column by column. Type is MOPT in decimal: M byte order, O
zero, P precision, T kind.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from affectscope.io.mat_values import (
    Budget,
    checked_count,
    damaged,
    is_wanted,
    text_value,
    wrong_type,
)

_HEADER_BYTES = 20
_PRECISIONS = ("f8", "f4", "i4", "i2", "u2", "u1")
_NUMERIC, _TEXT, _SPARSE = 0, 1, 2
_LONGEST_NAME = 64  # bytes, with the zero at its end


@dataclass(frozen=True)
class _Header:
    order: str
    precision: int
    kind: int
    rows: int
    columns: int
    is_complex: bool
    name_bytes: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + _PRECISIONS[self.precision])

    @property
    def data_bytes(self) -> int:
        return self.rows * self.columns * self.dtype.itemsize * (2 if self.is_complex else 1)


def is_level4(head: bytes) -> bool:
    """Whether the first bytes of a file can be a v4 variable."""
    return _header(head[:_HEADER_BYTES]) is not None


def read_level4(path: Path, names: Collection[str] | None) -> dict[str, object]:
    """The wanted variables (None: all).

    Raises:
        InputError: E_SIGNAL_FILE, E_FILE_LIMIT or E_MAT_TYPE.
    """
    budget, found = Budget(path), dict[str, object]()
    size = path.stat().st_size
    with path.open("rb") as stream:
        while stream.tell() < size:
            header = _header(stream.read(_HEADER_BYTES))
            if header is None:
                raise damaged(path, "a variable's header is none")
            name = stream.read(header.name_bytes).split(b"\0")[0].decode("latin-1")
            end = stream.tell() + header.data_bytes
            if end > size:
                raise damaged(path, "it ends in the middle of a variable")
            if is_wanted(name, names):
                budget.spend(2 * header.data_bytes)
                checked_count((header.rows, header.columns), path)
                found[name] = _value(path, stream, header, name=name)
            stream.seek(end)
    return found


def _header(packed: bytes) -> _Header | None:
    """None for bytes that are no header."""
    if len(packed) < _HEADER_BYTES:
        return None
    for marker, order in enumerate("<>"):
        mopt, rows, columns, imaginary, name_bytes = struct.unpack(order + "5i", packed)
        m, o, p, t = mopt // 1000, mopt // 100 % 10, mopt // 10 % 10, mopt % 10
        if (m, o) != (marker, 0) or not 0 <= p < len(_PRECISIONS) or not 0 <= t <= _SPARSE:
            continue
        if (
            rows < 0
            or columns < 0
            or imaginary not in (0, 1)
            or not 1 < name_bytes <= _LONGEST_NAME
        ):
            continue
        return _Header(order, p, t, rows, columns, bool(imaginary), name_bytes)
    return None


def _value(path: Path, stream: BinaryIO, header: _Header, *, name: str) -> object:
    if header.kind == _SPARSE:
        raise wrong_type(path, name, "a sparse matrix")
    flat = np.frombuffer(stream.read(header.data_bytes), header.dtype)
    parts = flat.reshape(2 if header.is_complex else 1, header.columns, header.rows)
    native: NDArray[Any] = parts.astype(header.dtype.newbyteorder("="), copy=False)
    if header.kind == _TEXT:
        codes = native[0].T
        if codes.size and not ((codes >= 0) & (codes <= 0x10FFFF)).all():
            raise damaged(path, f"{name!a} holds text that is none")
        return text_value(codes.astype(np.int64))
    return (native[0] + 1j * native[1]).T if header.is_complex else native[0].T
