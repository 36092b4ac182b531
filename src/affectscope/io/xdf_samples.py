"""The samples inside XDF chunks: [0 or 8][time stamp, that many bytes][one value per channel].

Text is [1, 4 or 8][length][bytes]. Every count is checked against the bytes that are there, and
nothing is held but a window of the file.

Legend: K samples of a run, B bytes of a sample.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.io.xdf_chunks import WINDOW, XdfBytes
from affectscope.io.xdf_header import StreamHeader

_STAMP = struct.Struct("<d")


@dataclass(frozen=True, eq=False)
class Run:
    """Samples in a row that are all stamped or all not; (K, B) bytes, up to byte ``end``."""

    stamped: bool
    samples: NDArray[np.uint8]
    end: int


@dataclass(frozen=True)
class Marker:
    """One sample of a text stream: its stamp (NaN without one), its channels' texts."""

    stamp: float
    texts: tuple[bytes, ...]
    end: int


def least_sample_bytes(header: StreamHeader) -> int:
    """Bytes of the shortest sample that a stream can hold."""
    if header.dtype is None:
        return 1 + 2 * header.channels
    return 1 + header.channels * np.dtype(header.dtype).itemsize


def count_samples(
    data: XdfBytes, header: StreamHeader, *, start: int, limit: int, most: int
) -> tuple[int, int]:
    """How many whole samples lie between two bytes, at most ``most``, and where they end."""
    count, end = 0, start
    if header.dtype is None:
        for marker in markers(data, header, start=start, limit=limit):
            if count == most:
                break
            count, end = count + 1, marker.end
        return count, end
    for run in runs(data, header, start=start, limit=limit):
        taken = min(len(run.samples), most - count)
        count += taken
        end = run.end - (len(run.samples) - taken) * run.samples.shape[1]
        if count == most:
            break
    return count, end


def runs(data: XdfBytes, header: StreamHeader, *, start: int, limit: int) -> Iterator[Run]:
    """The numeric samples between two bytes, up to the first that is not whole."""
    plain = least_sample_bytes(header)
    while start < limit:
        held = np.frombuffer(data.at(start, min(WINDOW, limit - start)), np.uint8)
        offset = 0
        while offset < len(held) and held[offset] in (0, 8):
            flag = int(held[offset])
            size = plain + flag
            count = _run_length(held[offset:], size, flag=flag)
            if count == 0:
                break
            end = offset + count * size
            yield Run(flag == 8, held[offset:end].reshape(count, size), start + end)
            offset = end
        if offset == 0:
            return
        start += offset


def _run_length(held: NDArray[np.uint8], size: int, *, flag: int) -> int:
    """Whole samples in a row whose first byte is ``flag``; looks ahead further and further."""
    whole = len(held) // size
    known, ahead = 0, 8
    while known < whole:
        flags = held[known * size : min(whole, known + ahead) * size : size]
        other = np.flatnonzero(flags != flag)
        if len(other):
            return known + int(other[0])
        known += len(flags)
        ahead *= 4
    return whole


def markers(data: XdfBytes, header: StreamHeader, *, start: int, limit: int) -> Iterator[Marker]:
    """The text samples between two bytes, up to the first that is not whole or not held at once."""
    while start < limit:
        held = data.at(start, min(WINDOW, limit - start))
        offset = 0
        while (found := _marker(held, offset, header.channels)) is not None:
            stamp, texts, offset = found
            yield Marker(stamp, texts, start + offset)
        if offset == 0:
            return
        start += offset


def _marker(held: bytes, at: int, channels: int) -> tuple[float, tuple[bytes, ...], int] | None:
    if at >= len(held) or held[at] not in (0, 8) or at + 1 + held[at] > len(held):
        return None
    stamp = _STAMP.unpack_from(held, at + 1)[0] if held[at] else math.nan
    at += 1 + held[at]
    texts: list[bytes] = []
    for _ in range(channels):
        if at >= len(held) or held[at] not in (1, 4, 8):
            return None
        start = at + 1 + held[at]
        end = start + int.from_bytes(held[at + 1 : start], "little")
        if end > len(held):
            return None
        texts.append(held[start:end])
        at = end
    return stamp, tuple(texts), at
