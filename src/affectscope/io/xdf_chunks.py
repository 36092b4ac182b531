"""The chunks of an XDF file, and how reading goes on after a damaged one.

Format: github.com/sccn/xdf/wiki/Specifications (1.0). A chunk is [1, 4 or 8][length, that many
bytes][tag, 2 bytes][content]; the length counts tag and content. Recorders write a boundary, a
chunk of known bytes, every ten seconds. Numbers are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b"XDF:"
BOUNDARY_BYTES = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")

FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = range(1, 7)

WINDOW = 1 << 22
"""Bytes that are held at once; a chunk may be longer."""


class XdfBytes:
    """An open file's bytes through a window, so that memory does not grow with the file."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._base = 0
        self._held = b""
        self.size = size

    def at(self, start: int, length: int) -> bytes:
        """Up to ``length`` (at most WINDOW) bytes from ``start``; fewer at the file's end."""
        offset = start - self._base
        if offset < 0 or offset + length > len(self._held):
            self._stream.seek(start)
            self._held = self._stream.read(min(WINDOW, max(0, self.size - start)))
            self._base, offset = start, 0
        return self._held[offset : offset + length]

    def find(self, wanted: bytes, start: int) -> int:
        """Where ``wanted`` begins, at ``start`` or later; -1 without one."""
        while start < self.size:
            found = self.at(start, WINDOW).find(wanted)
            if found >= 0:
                return start + found
            start += WINDOW - len(wanted) + 1
        return -1


@dataclass(frozen=True)
class Chunk:
    """Content from byte ``start`` to before ``end``, as the chunk's head states it."""

    tag: int
    start: int
    end: int


def stated_number(data: XdfBytes, start: int) -> tuple[int, int] | None:
    """A number behind its own width (1, 4 or 8), and where it ends; None where it is none."""
    head = data.at(start, 9)
    if not head or head[0] not in (1, 4, 8) or len(head) <= head[0]:
        return None
    return int.from_bytes(head[1 : 1 + head[0]], "little"), start + 1 + head[0]


def chunk_at(data: XdfBytes, start: int) -> Chunk | None:
    """The chunk whose head lies at ``start``; it may end behind the file. None without one."""
    length = stated_number(data, start)
    if length is None or length[0] < 2:
        return None
    tag = data.at(length[1], 2)
    number = int.from_bytes(tag, "little")
    if len(tag) < 2 or not FILE_HEADER <= number <= STREAM_FOOTER:
        return None
    return Chunk(number, length[1] + 2, length[1] + length[0])


def may_go_on(data: XdfBytes, start: int) -> bool:
    """Whether a chunk, or the file's end, lies where the chunk before says that it ends."""
    return start == data.size or (start < data.size and chunk_at(data, start) is not None)


def after_next_boundary(data: XdfBytes, start: int) -> int:
    """Where reading can go on after damage: behind the next boundary, or the file's end."""
    found = data.find(BOUNDARY_BYTES, start)
    return data.size if found < 0 else found + len(BOUNDARY_BYTES)
