"""MATLAB v5 files (also called v6 and v7): the reader.

Format: MathWorks, "MAT-File Format", chapter 1. A file is a header of 128 bytes and a row of data
elements, one per variable, mostly compressed by zlib.

Why not ``scipy.io.loadmat``: cells in cells, 200,000 deep, end the process with a segmentation
fault (SciPy 1.17.1, a file of 400 kB), and sizes that a file states are allocated unchecked. Here
each size is compared with the bytes that are there, and depth, count and memory have limits.

Legend: an array's elements lie with the first axis fastest ("F").
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from affectscope.io.mat_values import (
    MAXIMUM_BYTES,
    MAXIMUM_DEPTH,
    Budget,
    ObjectArray,
    checked_count,
    damaged,
    is_wanted,
    limit,
    object_array,
    text_value,
    wrong_type,
)

HEADER_BYTES = 128
ORDERS: dict[bytes, str] = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""Bytes 124-127 of a header, version 1: the byte order of the whole file."""

_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
           13: "u8"}  # fmt: skip
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_ENCODINGS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _TEXT, _OPAQUE = 1, 2, 4, 17
_NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip
_REFUSED = {3: "an object", 5: "a sparse matrix", 16: "a function handle", _OPAQUE: "an object"}
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_CHUNK = 1 << 20
_NAME_WITHIN = 4096  # bytes from an element's start; 32 axes and a name of 63 take under 300


def read_level5(path: Path, names: Collection[str] | None, order: str) -> dict[str, object]:
    """The wanted variables (None: all), others are skipped unread. ``order`` is "<" or ">".

    Raises:
        InputError: E_SIGNAL_FILE, E_FILE_LIMIT or E_MAT_TYPE.
    """
    reader = _Reader(path, order, Budget(path))
    found: dict[str, object] = {}
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(HEADER_BYTES)
        while stream.tell() < size:
            end, body = reader.variable(stream, size, names)
            if body is not None:
                name, value = reader.matrix(body)
                found[name] = value
            stream.seek(end)
    return found


@dataclass
class _Elements:
    """Data elements one after another: a tag (kind, size) and a body, padded to 8 bytes."""

    data: memoryview
    order: str
    path: Path
    at: int = 0

    def following(self) -> tuple[int, memoryview]:
        """(kind, body) of the next element."""
        if self.at + 8 > len(self.data):
            raise damaged(self.path, "a variable ends early")
        kind, size = struct.unpack_from(self.order + "II", self.data, self.at)
        start = self.at + 8
        if kind >> 16:  # a small element keeps its body within the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, self.at + 4
            if size > 4:
                raise damaged(self.path, f"a small element states {size} bytes")
            self.at += 8
        else:
            self.at += 8 + size + -size % 8
        if start + size > len(self.data):
            raise damaged(self.path, "a variable is shorter than it states")
        return kind, self.data[start : start + size]

    def expected(self, kind: int, what: str) -> memoryview:
        """The next element's body, which must be of a kind."""
        found, body = self.following()
        if found != kind:
            raise damaged(self.path, f"it has no {what} where one must be")
        return body

    @property
    def bytes_left(self) -> int:
        return max(0, len(self.data) - self.at)


@dataclass(frozen=True)
class _Head:
    """What an array says of itself before its content."""

    array_class: int
    flags: int
    shape: tuple[int, ...]
    name: str


@dataclass
class _Reader:
    """Reads one file; ``top`` is the variable that is being read, for messages."""

    path: Path
    order: str
    budget: Budget
    top: str = ""
    body_bytes: int = 0

    def variable(
        self, stream: BinaryIO, file_size: int, names: Collection[str] | None
    ) -> tuple[int, memoryview | None]:
        """Where the variable ends in the file, and its array's body; None where not wanted."""
        tag = stream.read(8)
        if len(tag) < 8:
            raise damaged(self.path, "it ends in the middle of a variable")
        kind, size = struct.unpack(self.order + "II", tag)
        end = stream.tell() + size
        if end > file_size:
            raise damaged(self.path, "it ends in the middle of a variable")
        if kind == _COMPRESSED:
            pieces = self._inflated(stream, size)
            piece = next(pieces, b"")
            if len(piece) < 8:
                raise damaged(self.path, "a compressed variable is empty")
            kind, size = struct.unpack_from(self.order + "II", piece)
            piece = piece[8:]
        else:
            pieces = self._plain(stream, size)
            piece = next(pieces, b"")
        if kind != _MATRIX:
            raise damaged(self.path, f"it holds an element of kind {kind} where a variable must be")
        name = self._head(_Elements(memoryview(piece[:_NAME_WITHIN]), self.order, self.path)).name
        if not name or not is_wanted(name, names):  # MATLAB keeps its own notes without a name
            return end, None
        self.top = name
        return end, self._whole(piece, pieces, size)

    def _whole(self, piece: bytes, pieces: Iterator[bytes], size: int) -> memoryview:
        """All pieces in one block that is allocated once."""
        self.body_bytes += size
        if self.body_bytes > MAXIMUM_BYTES:
            raise limit(self.path, f"states {self.body_bytes} bytes of variables")
        body = bytearray(size)
        at = 0
        while True:
            if at + len(piece) > size + 7:  # up to 7 bytes of padding
                raise damaged(self.path, "a variable is longer than it states")
            piece = piece[: size - at]
            body[at : at + len(piece)] = piece
            at += len(piece)
            following = next(pieces, None)
            if following is None:
                break
            piece = following
        if at < size:
            raise damaged(self.path, "a variable is shorter than it states")
        return memoryview(body)

    def _plain(self, stream: BinaryIO, size: int) -> Iterator[bytes]:
        while size and (chunk := stream.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk

    def _inflated(self, stream: BinaryIO, size: int) -> Iterator[bytes]:
        """Pieces of at most 1 MiB; zlib's checksum is verified at the end."""
        inflate = zlib.decompressobj()
        try:
            for chunk in self._plain(stream, size):
                rest = chunk
                while rest and not inflate.eof:
                    yield inflate.decompress(rest, _CHUNK)
                    rest = inflate.unconsumed_tail
            yield inflate.flush()
        except zlib.error as error:
            raise damaged(self.path, f"its compression is broken ({error})") from error
        if not inflate.eof:
            raise damaged(self.path, "a compressed variable ends early")

    def matrix(self, body: memoryview, depth: int = 0) -> tuple[str, object]:
        """(name, value) of an array's body; an array of no bytes is MATLAB's []."""
        if not len(body):
            self.budget.spend(128)
            return "", np.zeros((0, 0))
        if depth > MAXIMUM_DEPTH:
            raise damaged(self.path, f"{self.top!a} is nested deeper than {MAXIMUM_DEPTH}")
        elements = _Elements(body, self.order, self.path)
        head = self._head(elements)
        if head.array_class == _CELL:
            return head.name, self._cell(elements, head.shape, depth)
        if head.array_class == _STRUCT:
            return head.name, self._struct(elements, head.shape, depth)
        if head.array_class == _TEXT:
            return head.name, self._text(elements, head.shape)
        if head.array_class in _NUMBERS:
            return head.name, self._numbers(elements, head)
        kind = _REFUSED.get(head.array_class, f"a value of the unknown kind {head.array_class}")
        raise wrong_type(self.path, self.top or head.name, kind)

    def _head(self, elements: _Elements) -> _Head:
        flags = elements.expected(_UINT32, "flags of an array")
        if len(flags) < 4:
            raise damaged(self.path, "an array's flags are cut")
        (word,) = struct.unpack_from(self.order + "I", flags)
        shape: tuple[int, ...] = ()
        if word & 0xFF != _OPAQUE:  # those state no size
            sizes = elements.expected(_INT32, "size of an array")
            if len(sizes) % 4 or len(sizes) < 8:
                raise damaged(self.path, "an array's size is cut")
            shape = tuple(np.frombuffer(sizes, self.order + "i4").tolist())
            checked_count(shape, self.path)
        name = bytes(elements.expected(_INT8, "name of an array")).decode("latin-1")
        return _Head(word & 0xFF, word, shape, name)

    def _cell(self, elements: _Elements, shape: tuple[int, ...], depth: int) -> ObjectArray:
        count = math.prod(shape)
        self._check_room(elements, count)
        return object_array([self._part(elements, depth) for _ in range(count)], shape)

    def _struct(self, elements: _Elements, shape: tuple[int, ...], depth: int) -> object:
        width_bytes = elements.expected(_INT32, "length of field names")
        if len(width_bytes) != 4:
            raise damaged(self.path, "the length of field names is cut")
        (width,) = struct.unpack(self.order + "i", width_bytes)
        packed = bytes(elements.expected(_INT8, "names of fields"))
        if width <= 0 or len(packed) % width:
            raise damaged(self.path, f"field names of length {width} do not fit")
        starts = range(0, len(packed), width)
        fields = [packed[s : s + width].split(b"\0")[0].decode("latin-1") for s in starts]
        count = math.prod(shape)
        self._check_room(elements, count * max(1, len(fields)))
        structs = [{field: self._part(elements, depth) for field in fields} for _ in range(count)]
        return structs[0] if count == 1 else object_array(structs, shape)

    def _part(self, elements: _Elements, depth: int) -> object:
        return self.matrix(elements.expected(_MATRIX, "array within an array"), depth + 1)[1]

    def _check_room(self, elements: _Elements, count: int) -> None:
        """Every part takes at least 8 bytes: nothing is built for more than can be there."""
        if count > max(1, elements.bytes_left // 8):
            raise damaged(self.path, f"{self.top!a} states {count} parts and holds fewer")
        self.budget.spend(8 * count)

    def _text(self, elements: _Elements, shape: tuple[int, ...]) -> str | ObjectArray:
        kind, body = elements.following()
        count = math.prod(shape)
        self.budget.spend(64 * len(body))  # as Python holds letters
        if kind in _ENCODINGS:
            suffix = {"<": "-le", ">": "-be"}[self.order] if kind != 16 else ""
            text = bytes(body).decode(_ENCODINGS[kind] + suffix, errors="replace")
            codes: NDArray[Any] = np.array([ord(letter) for letter in text], dtype=np.uint32)
        else:
            codes = self._array(kind, body)
        if codes.dtype.kind not in "iu" or (
            codes.size and not 0 <= codes.min() <= codes.max() <= 0x10FFFF
        ):
            raise damaged(self.path, f"{self.top!a} holds text that is none")
        if codes.size != count:  # letters of several bytes: the size counts units, not letters
            codes = codes.reshape(1, -1)
            return text_value(codes)
        return text_value(codes.reshape(shape, order="F"))

    def _numbers(self, elements: _Elements, head: _Head) -> NDArray[Any]:
        values = self._part_of_number(elements, head)
        if head.flags & _COMPLEX:
            return np.asarray(values + 1j * self._part_of_number(elements, head))
        return values.astype(np.bool_) if head.flags & _LOGICAL else values

    def _part_of_number(self, elements: _Elements, head: _Head) -> NDArray[Any]:
        dtype = np.dtype(_NUMBERS[head.array_class])
        stored = self._array(*elements.following())
        if stored.size != math.prod(head.shape):
            raise damaged(
                self.path, f"{self.top!a} holds {stored.size} numbers, not what it states"
            )
        self.budget.spend(stored.size * dtype.itemsize)
        return stored.astype(dtype, copy=False).reshape(head.shape, order="F")

    def _array(self, kind: int, body: memoryview) -> NDArray[Any]:
        """(n,) the numbers of one element as they are stored."""
        if kind not in _STORED:
            raise damaged(self.path, f"it holds numbers of the unknown kind {kind}")
        dtype = np.dtype(self.order + _STORED[kind])
        if len(body) % dtype.itemsize:
            raise damaged(self.path, "a row of numbers is cut")
        return np.frombuffer(body, dtype)
