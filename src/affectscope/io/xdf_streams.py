"""An XDF file opened and scanned: its streams' values, time stamps and common time 0.

Legend: S samples of a stream.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.clock_breaks import BLOCK
from affectscope.io.files import check_file, shown
from affectscope.io.xdf_chunks import MAGIC, XdfBytes
from affectscope.io.xdf_clock import LARGEST_TIME, ClockOffsets, to_recorder_clock
from affectscope.io.xdf_header import ForbiddenXmlError, StreamHeader
from affectscope.io.xdf_samples import markers, runs
from affectscope.io.xdf_scan import Scan, Stream
from affectscope.records import FloatArray

DAY = 86_400.0


@contextmanager
def opened_xdf(path: Path) -> Iterator[tuple[XdfBytes, Scan]]:
    """The file's bytes and what a pass over them found.

    Raises:
        InputError: E_SIGNAL_FILE where it holds no stream, or XML that is refused (F06).
    """
    size = check_file(path)
    with path.open("rb") as stream:
        data = XdfBytes(stream, size)
        try:
            scan = Scan(data, len(MAGIC))
        except ForbiddenXmlError as error:
            raise damaged(path, str(error)) from error
        if data.at(0, 4) != MAGIC or all(s.header is None for s in scan.streams.values()):
            raise damaged(path, "it holds no stream with a usable header")
        yield data, scan


def damaged(path: Path, what: str) -> InputError:
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as an XDF recording: {what}.",
        "Check that it was copied whole; the original was not changed.",
    )


def read_column(
    data: XdfBytes, stream: Stream, header: StreamHeader, *, column: int
) -> tuple[FloatArray, FloatArray]:
    """(S,) values of one channel of a numeric stream, (S,) stamps with NaN where none is stored.

    Raises:
        InputError: E_FILE_UNREADABLE where the file changes meanwhile (V28).
    """
    assert header.dtype is not None, "text has no values"
    values, stamps = np.empty(stream.samples), np.full(stream.samples, np.nan)
    width = np.dtype(header.dtype).itemsize
    at = 0
    for start, end in _extents(stream):
        for run in runs(data, header, start=start, limit=end):
            count = len(run.samples)
            if at + count > stream.samples:
                raise _changed()
            first = (9 if run.stamped else 1) + column * width
            cells = np.ascontiguousarray(run.samples[:, first : first + width])
            with np.errstate(invalid="ignore"):  # a damaged float may be a signalling NaN
                values[at : at + count] = cells.view(header.dtype)[:, 0]
            if run.stamped:
                cells = np.ascontiguousarray(run.samples[:, 1:9])
                stamps[at : at + count] = cells.view("<f8")[:, 0]
            at += count
    if at != stream.samples:
        raise _changed()
    return values, stamps


def read_texts(
    data: XdfBytes, stream: Stream, header: StreamHeader
) -> Iterator[tuple[float, tuple[bytes, ...]]]:
    """Stamp (NaN without one) and the channels' texts of each sample of a text stream."""
    for start, end in _extents(stream):
        for marker in markers(data, header, start=start, limit=end):
            yield marker.stamp, marker.texts


def complete_stamps(stamps: FloatArray, nominal_rate: float | None) -> None:
    """Deduce missing stamps (S,) in place: one nominal period after the sample before (XDF 1.0).

    Stamps that no clock can show count as missing. Samples before the first stamp are deduced
    backwards; without any stamp all stay NaN.
    """
    period = 1.0 / nominal_rate if nominal_rate else 0.0
    last, last_at = math.nan, 0
    for start in range(0, len(stamps), BLOCK):
        part = stamps[start : start + BLOCK]
        part[~(np.abs(part) < LARGEST_TIME)] = np.nan
        at = np.arange(start, start + len(part))
        known = np.isfinite(part)
        if known.any() and not np.isfinite(last):
            first = int(np.argmax(known))
            last, last_at = float(part[first]), start + first
            stamps[:start] = last - (last_at - np.arange(start)) * period
        source = np.maximum.accumulate(np.where(known, at, -1))
        before = source < 0
        origin = np.where(before, last, part[source - start])
        part[:] = origin + (at - np.where(before, last_at, source)) * period
        last, last_at = float(part[-1]), int(at[-1])


def clock_offsets(stream: Stream) -> ClockOffsets:
    """What the recorder measured of a stream's clock."""
    table = np.array(stream.offsets, dtype=np.float64).reshape(-1, 3)
    return ClockOffsets(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())


def file_start(data: XdfBytes, scan: Scan) -> float:
    """The recorder's time at the first sample of any stream; 0.0 without any stamp.

    A stream that starts more than a day away from most has another clock or a bad first stamp.
    """
    firsts: list[float] = []
    for stream in scan.streams.values():
        first = np.array([_first_stamp(data, stream)])
        if np.abs(first) < LARGEST_TIME:
            to_recorder_clock(first, clock_offsets(stream))
            firsts.append(float(first[0]))
    if not firsts:
        return 0.0
    middle = float(np.median(firsts))
    return min((first for first in firsts if abs(first - middle) < DAY), default=min(firsts))


def _changed() -> InputError:
    return InputError(
        "E_FILE_UNREADABLE",
        "The XDF recording changed while it was read.",
        "Wait until the recorder has closed the file.",
    )


def _first_stamp(data: XdfBytes, stream: Stream) -> float:
    if stream.header is None or not stream.extents:
        return math.nan
    start, end = stream.extents[0], stream.extents[1]
    if stream.header.dtype is None:
        marker = next(markers(data, stream.header, start=start, limit=end), None)
        return marker.stamp if marker else math.nan
    run = next(runs(data, stream.header, start=start, limit=end), None)
    return float(run.samples[0, 1:9].view("<f8")[0]) if run and run.stamped else math.nan


def _extents(stream: Stream) -> Iterator[tuple[int, int]]:
    return zip(stream.extents[::2], stream.extents[1::2], strict=True)
