"""Whether the elements of a Matroska or WebM file fit together: a witness of loss beside libav.

Only lengths, identifiers and check sums are read (RFC 8794 EBML, RFC 9559 Matroska). An element
whose length lies, and bytes that belong to none, mean that pictures were lost or moved.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_CRC = 0xBF
_TOP = {
    0x114D9B74: "index of elements", 0x1549A966: "information", 0x1654AE6B: "tracks",
    _CLUSTER: "cluster", 0x1C53BB6B: "cues", 0x1254C367: "tags", 0x1941A469: "attachments",
    0x1043A770: "chapters", 0xEC: "void", _CRC: "check sum",
}  # fmt: skip
_IN_CLUSTER = {0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0xEC, _CRC, 0x5854, 0xAF}
_LARGEST = 64 << 20
"""Bytes of an element whose content is looked into."""


class _FlawError(Exception):
    """What contradicts itself."""


def matroska_flaw(path: Path) -> str | None:
    """What in the elements of a Matroska file contradicts itself, None where nothing does."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            _, start, length = _element(stream, 0, size)
            identifier, start, stated = _element(stream, start + (length or 0), size)
            if identifier != _SEGMENT:
                return "its segment is not where its header ends"
            if stated is not None and start + stated != size:
                return f"its segment states {stated} bytes and has {size - start}"
            for child in _children(stream, start, size):
                _check(stream, *child)
    except _FlawError as flaw:
        return str(flaw)
    return None


def _children(stream: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(identifier, first byte, end) of the elements from ``at`` on. A cluster of unknown length
    ends where the next one begins: its own elements are then listed here."""
    while at < end:
        identifier, start, length = _element(stream, at, end)
        if length is None:
            if identifier != _CLUSTER:
                raise _FlawError(f"the element at byte {at} states no length")
            length = 0
        elif identifier not in _TOP and identifier not in _IN_CLUSTER:
            raise _FlawError(f"no known element lies at byte {at}")
        yield identifier, start, start + length
        at = start + length


def _check(stream: BinaryIO, identifier: int, start: int, end: int) -> None:
    if (
        end - start > _LARGEST
        or identifier not in _TOP
        or identifier in (0xEC, _CRC)
        or end == start
    ):
        return
    name, at = _TOP[identifier], start
    while at < end:
        inner, first, length = _element(stream, at, end)
        if length is None:
            raise _FlawError(f"an element in its {name} states no length")
        if identifier == _CLUSTER and inner not in _IN_CLUSTER:
            raise _FlawError(f"no known element lies at byte {at} of a cluster")
        if inner == _CRC and at == start and length == 4:
            stream.seek(first)
            stated = int.from_bytes(stream.read(4), "little")
            if zlib.crc32(stream.read(end - first - 4)) != stated:
                raise _FlawError(f"the check sum of its {name} is wrong")
        at = first + length


def _element(stream: BinaryIO, at: int, end: int) -> tuple[int, int, int | None]:
    """Identifier, first byte and length of the element at a byte; None: it states no length."""
    stream.seek(at)
    head = stream.read(12)
    width = 9 - head[0].bit_length() if head and head[0] else 9
    if width > 4 or len(head) <= width:
        raise _FlawError(f"no whole element lies at byte {at}")
    identifier = int.from_bytes(head[:width], "big")
    more = 9 - head[width].bit_length() if head[width] else 9
    if more > 8 or len(head) < width + more:
        raise _FlawError(f"no whole element lies at byte {at}")
    length = int.from_bytes(head[width : width + more], "big") & (1 << 7 * more) - 1
    start = at + width + more
    if length == (1 << 7 * more) - 1:
        return identifier, start, None
    if start + length > end:
        raise _FlawError(f"the element at byte {at} reaches beyond what holds it")
    return identifier, start, length
