"""One pass over an XDF file: its streams, where their samples lie, and what is damaged.

Nothing is believed that the bytes do not bear out. A chunk's samples are counted one by one; where
chunk and count disagree, the samples that are there are kept and the rest is named. After damage,
reading goes on at the next chunk that can be found, at the latest behind the next boundary.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field

from affectscope.io.xdf_chunks import (
    BOUNDARY,
    BOUNDARY_BYTES,
    CLOCK_OFFSET,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    Chunk,
    XdfBytes,
    after_next_boundary,
    chunk_at,
    may_go_on,
    stated_number,
)
from affectscope.io.xdf_header import (
    MAXIMUM_XML,
    StreamHeader,
    UnusableHeaderError,
    read_sample_count,
    read_stream_header,
)
from affectscope.io.xdf_samples import count_samples, least_sample_bytes
from affectscope.records import Notice

_OFFSET = struct.Struct("<dd")
_LISTED = 10
_XML_END = b"</info>"
MAXIMUM_STREAMS = 4096


@dataclass
class Stream:
    """What a file holds of one stream.

    Attributes:
        extents: start and end of each stretch of whole samples, in turn.
        offsets: collection time, offset (both s) and the number of samples before, in turn.
        waiting: extents of chunks that came before the header, start and end in turn.
    """

    number: int
    header: StreamHeader | None = None
    unusable: str | None = None
    samples: int = 0
    extents: array[int] = field(default_factory=lambda: array("q"))
    offsets: array[float] = field(default_factory=lambda: array("d"))
    waiting: array[int] = field(default_factory=lambda: array("q"))
    ended: bool = False
    stated_samples: int | None = None

    @property
    def called(self) -> str:
        return repr(self.header.name) if self.header else f"number {self.number}"


class Scan:
    """The streams of a file by their number, and notices of what was not used."""

    def __init__(self, data: XdfBytes, start: int) -> None:
        self.streams: dict[int, Stream] = {}
        self._data = data
        self._damage: list[str] = []
        self._cut: int | None = None
        while start < data.size:
            chunk = chunk_at(data, start)
            after = None if chunk is None else self._take(chunk)
            start = self._skip(start, chunk) if after is None else after

    def notices(self) -> tuple[Notice, ...]:
        """Damage, the file's early end, and streams that cannot be read or are not whole."""
        found = [Notice("W_FILE_DAMAGED", sentence) for sentence in self._damage[:_LISTED]]
        if len(self._damage) > _LISTED:
            more = f"{len(self._damage) - _LISTED} more damaged places were found."
            found.append(Notice("W_FILE_DAMAGED", more))
        if self._cut is not None:
            sentence = (
                f"The file ends inside a chunk, at byte {self._cut}; whole samples were kept."
            )
            found.append(Notice("W_FILE_TRUNCATED", sentence))
        for stream in self.streams.values():
            found += _stream_notices(stream)
        return tuple(found)

    def _take(self, chunk: Chunk) -> int | None:
        """Use a chunk; where the next one begins, None where this one is damaged."""
        if chunk.tag == BOUNDARY:
            whole = self._data.at(chunk.start, 16) == BOUNDARY_BYTES
            return chunk.start + 16 if whole and chunk.end == chunk.start + 16 else None
        if chunk.tag not in (STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER):
            return self._xml_end(chunk)
        head = self._data.at(chunk.start, 4)
        stream = self._stream(int.from_bytes(head, "little"))
        if len(head) < 4 or chunk.end < chunk.start + 4 or stream is None:
            return None
        body = Chunk(chunk.tag, chunk.start + 4, chunk.end)
        if chunk.tag == SAMPLES:
            return self._take_samples(stream, body)
        if chunk.tag == CLOCK_OFFSET:
            return self._take_offset(stream, body)
        return self._take_xml(stream, body)

    def _stream(self, number: int) -> Stream | None:
        if number not in self.streams and len(self.streams) >= MAXIMUM_STREAMS:
            return None
        return self.streams.setdefault(number, Stream(number))

    def _take_offset(self, stream: Stream, chunk: Chunk) -> int | None:
        content = self._data.at(chunk.start, _OFFSET.size)
        if chunk.end != chunk.start + _OFFSET.size or len(content) < _OFFSET.size:
            return None
        stream.offsets.extend((*_OFFSET.unpack(content), float(stream.samples)))
        return chunk.end

    def _take_xml(self, stream: Stream, chunk: Chunk) -> int | None:
        end = self._xml_end(chunk)
        length = (chunk.end if end is None else end) - chunk.start
        xml = self._data.at(chunk.start, min(length, MAXIMUM_XML))
        if chunk.tag == STREAM_FOOTER:
            stream.ended = end is not None
            stream.stated_samples = read_sample_count(xml)
        elif stream.header is not None:
            self._damage.append(f"The stream {stream.called} has a second header, not used.")
        else:
            try:
                stream.header = read_stream_header(xml)
                stream.unusable = None
            except UnusableHeaderError as error:
                stream.unusable = str(error)
            self._take_waiting(stream)
        return end

    def _xml_end(self, chunk: Chunk) -> int | None:
        """Where a chunk of XML ends: as it states, or behind its last tag where that lies."""
        if may_go_on(self._data, chunk.end):
            return chunk.end
        found = self._data.at(chunk.start, MAXIMUM_XML).find(_XML_END)
        end = chunk.start + found + len(_XML_END)
        return end if found >= 0 and may_go_on(self._data, end) else None

    def _take_waiting(self, stream: Stream) -> None:
        waiting, stream.waiting = stream.waiting, array("q")
        for start, end in zip(waiting[::2], waiting[1::2], strict=True):
            self._take_samples(stream, Chunk(SAMPLES, start, end))

    def _take_samples(self, stream: Stream, chunk: Chunk) -> int | None:
        """Count and keep a chunk's whole samples (F01, F02)."""
        data, header = self._data, stream.header
        if header is None:
            end = min(chunk.end, data.size)
            stream.waiting.extend((chunk.start, end))
            return end if may_go_on(data, chunk.end) else None
        stated = stated_number(data, chunk.start)
        if stated is None:
            return None
        promised, start = stated
        limit = max(start, min(chunk.end, data.size))
        count, end = count_samples(data, header, start=start, limit=limit, most=data.size)
        if end != chunk.end:
            longer = self._beyond(header, start, promised=promised)
            if longer is not None:  # the chunk's length is wrong, and its count is right
                self._damage.append(
                    f"A chunk of {stream.called} at byte {start} states a wrong length;"
                    f" its {promised} samples were kept."
                )
                count, end = promised, longer
            elif count > promised:
                count, end = count_samples(data, header, start=start, limit=limit, most=promised)
        stream.samples += count
        if count:
            stream.extents.extend((start, end))
        if count != promised and chunk.end <= data.size:
            self._damage.append(
                f"A chunk of {stream.called} at byte {start} states {promised} samples and holds"
                f" {count}, which were kept."
            )
        whole = end == chunk.end or (count == promised and may_go_on(data, end))
        return end if whole else None

    def _beyond(self, header: StreamHeader, start: int, *, promised: int) -> int | None:
        """The end of as many samples as are promised, where a chunk follows exactly there."""
        size = self._data.size
        if not 0 < promised * least_sample_bytes(header) <= size - start:
            return None
        count, end = count_samples(self._data, header, start=start, limit=size, most=promised)
        return end if count == promised and may_go_on(self._data, end) else None

    def _skip(self, start: int, chunk: Chunk | None) -> int:
        """Go on where a damaged chunk says, or behind the next boundary; say what is left out."""
        if chunk is not None and may_go_on(self._data, chunk.end):
            self._damage.append(f"The chunk in bytes {start} to {chunk.end} is damaged.")
            return chunk.end
        after = after_next_boundary(self._data, start + 1)
        if after == self._data.size:
            self._cut = start
        else:
            self._damage.append(
                f"Bytes {start} to {after} are damaged; reading went on at the next boundary."
            )
        return after


def _stream_notices(stream: Stream) -> list[Notice]:
    if stream.header is None:
        why = stream.unusable or "its header is missing"
        held = sum(stream.waiting[1::2]) - sum(stream.waiting[::2])
        sentence = f"The stream {stream.called} cannot be read: {why}; {held} bytes were not used."
        return [Notice("W_FILE_DAMAGED", sentence)]
    found: list[Notice] = []
    if stream.header.damaged:
        sentence = f"The header of {stream.called} is damaged; names and units may be missing."
        found.append(Notice("W_FILE_DAMAGED", sentence))
    stated = stream.stated_samples
    if not stream.ended:
        sentence = f"The stream {stream.called} has no footer: its recording was stopped hard."
        found.append(Notice("W_FILE_TRUNCATED", sentence))
    elif stated is not None and stated != stream.samples:
        sentence = (
            f"The footer of {stream.called} states {stated} samples, and {stream.samples} were"
            " found."
        )
        lost = stream.samples < stated
        found.append(Notice("W_GAP_UNLOCATED" if lost else "W_FILE_DAMAGED", sentence))
    return found
