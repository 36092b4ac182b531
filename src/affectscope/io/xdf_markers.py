"""The markers of an XDF recording: its text streams, on the same axis as its signals.

Legend: M markers of a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.io.xdf_clock import to_recorder_clock
from affectscope.io.xdf_scan import Stream
from affectscope.io.xdf_streams import (
    clock_offsets,
    complete_stamps,
    file_start,
    opened_xdf,
    read_texts,
)
from affectscope.records import FloatArray, Notice

MAXIMUM_MARKERS = 5_000_000
MAXIMUM_CHARACTERS = 4096
"""Of one marker; a longer one is cut with a notice."""


@dataclass(frozen=True, eq=False)
class MarkerStream:
    """A text stream.

    Attributes:
        times: (M,) seconds on the file's axis, NaN where no sample has a stamp.
        texts: M texts; those of several channels are joined by tabs.
    """

    name: str
    times: FloatArray
    texts: tuple[str, ...]
    notices: tuple[Notice, ...]


def read_xdf_markers(path: Path) -> tuple[MarkerStream, ...]:
    """All text streams of an XDF recording. What ``inspect_xdf`` says of the file holds here too.

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    found: list[MarkerStream] = []
    with opened_xdf(path) as (data, scan):
        start = file_start(data, scan)
        for stream in scan.streams.values():
            if stream.header is None or stream.header.dtype is not None:
                continue
            stamps: list[float] = []
            texts: list[str] = []
            cut = 0
            for stamp, channels in read_texts(data, stream, stream.header):
                if len(texts) == MAXIMUM_MARKERS:
                    break
                text = b"\t".join(channels).decode("utf-8", errors="replace")
                cut += len(text) > MAXIMUM_CHARACTERS
                stamps.append(stamp)
                texts.append(text[:MAXIMUM_CHARACTERS])
            times, notices = _times(stream, np.array(stamps, dtype=np.float64))
            if cut:
                sentence = f"{cut} markers were cut to {MAXIMUM_CHARACTERS} characters."
                notices.append(Notice("W_MARKERS_CUT", sentence))
            if len(texts) < stream.samples:
                sentence = (
                    f"{stream.samples - len(texts)} markers of {stream.called} were left out."
                )
                notices.append(Notice("W_MARKERS_CUT", sentence))
            found.append(
                MarkerStream(stream.header.name, times - start, tuple(texts), tuple(notices))
            )
    return tuple(found)


def _times(stream: Stream, stamps: FloatArray) -> tuple[FloatArray, list[Notice]]:
    """(M,) stamps on the recorder's clock, and what must be known about them."""
    if len(stamps) == 0:
        return stamps, []
    complete_stamps(stamps, None)
    if not np.isfinite(stamps[0]):
        sentence = f"No marker of {stream.called} has a usable time stamp."
        return stamps, [Notice("W_CLOCK_UNTRUSTED", sentence)]
    clock = to_recorder_clock(stamps, clock_offsets(stream))
    notices: list[Notice] = []
    if not clock.fitted:
        sentence = f"The markers of {stream.called} have no usable clock offsets."
        notices.append(Notice("W_NO_CLOCKSYNC", sentence))
    notices += [
        Notice("W_TIME_RESET", f"The clock of {stream.called} was reset before marker {n + 1}.")
        for n in clock.resets[:10]
    ]
    return stamps, notices
