"""Whether the boxes of an MP4 or MOV file fit together: a witness of loss that libav is not.

libav plays what it finds. A box whose length lies, a fragment that was taken out, or an index that
counts other pictures than its tables list gives a shorter or displaced video without a word. Here
only the lengths and the counts of the index are read (ISO 14496-12): no picture, no sound.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

LARGEST_INDEX = 256 << 20
"""Bytes: a longer index (a day at 60 frames per second has about 100 MB) is not looked into."""

_TOP = frozenset(
    b"ftyp moov mdat free skip wide moof mfra sidx styp uuid meta udta pnot prft emsg ssix pdin"
    b" junk".split()
)
_LEFT_OUT = 0.5  # s: what a list of edits may leave out without a word
_PARENTS = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
_NEEDED: Mapping[bytes, tuple[bytes, ...]] = {
    b"moov": (b"mvhd", b"trak"),
    b"trak": (b"tkhd", b"mdia"),
    b"edts": (b"elst",),
    b"mdia": (b"mdhd", b"hdlr", b"minf"),
    b"minf": (b"stbl",),
    b"stbl": (b"stsd", b"stts", b"stsc"),
    b"moof": (b"mfhd",),
    b"traf": (b"tfhd",),
}
_HOMES = {child: parent for parent, children in _NEEDED.items() for child in children}
_HOMES.pop(b"hdlr")  # QuickTime puts others elsewhere


class _FlawError(Exception):
    """What contradicts itself."""


@dataclass
class _Box:
    """A box of the index: its name, its content, and the boxes in it."""

    name: bytes
    body: bytes
    children: list[_Box] = field(default_factory=list)

    def all(self, *path: bytes) -> Iterator[_Box]:
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.all(*path[1:])

    def words(self, first: int, layout: str) -> tuple[int, ...]:
        """Numbers of the body from byte ``first`` on."""
        try:
            return struct.unpack_from(">" + layout, self.body, first)
        except struct.error as error:
            raise _FlawError(f"its box {self.name!a} is too short") from error


def mp4_flaw(path: Path) -> str | None:
    """What in the boxes of an MP4 or MOV file contradicts itself, None where nothing does."""
    try:
        with path.open("rb") as stream:
            fragments = _Fragments()
            for box in _top_boxes(stream):
                if box.name == b"moov":
                    fragments.defaults = {t.words(4, "II")[0]: t.words(12, "I")[0]
                                          for t in box.all(b"mvex", b"trex")}  # fmt: skip
                    for track in box.all(b"trak"):
                        _check_track(track, _time_scale(next(box.all(b"mvhd"))))
                else:
                    fragments.check(box)
    except _FlawError as flaw:
        return str(flaw)
    return None


def _top_boxes(stream: BinaryIO) -> Iterator[_Box]:
    """The index and the fragments' heads, once the boxes of the whole file follow one another."""
    size = stream.seek(0, 2)
    at = 0
    while at < size:
        stream.seek(at)
        head = stream.read(16)
        length, name = struct.unpack(">I4s", head[:8]) if len(head) >= 8 else (0, b"")
        start = at + 8
        if length == 1 and len(head) == 16:
            length, start = struct.unpack(">Q", head[8:])[0], at + 16
        elif length == 0 and name in _TOP:  # up to the end of the file
            length = size - at
        if name not in _TOP or length < start - at or at + length > size:
            raise _FlawError(f"no whole box lies at byte {at} of {size}")
        if name in (b"moov", b"moof") and length <= LARGEST_INDEX:
            stream.seek(start)
            yield _parsed(name, stream.read(at + length - start))
        at += length


def _parsed(name: bytes, body: bytes) -> _Box:
    box = _Box(name, body)
    if name not in _PARENTS:
        return box
    at = 0
    while at < len(body):
        if len(body) - at < 8:
            raise _FlawError(f"the boxes in {name!a} do not fill it")
        length, child = struct.unpack_from(">I4s", body, at)
        if length < 8 or at + length > len(body):
            raise _FlawError(f"the boxes in {name!a} do not fill it")
        if _HOMES.get(child, name) != name:
            raise _FlawError(f"its box {child!a} lies in {name!a}")
        box.children.append(_parsed(child, body[at + 8 : at + length]))
        at += length
    missing = set(_NEEDED.get(name, ())) - {child.name for child in box.children}
    if missing:
        raise _FlawError(f"its box {name!a} lacks {min(missing)!a}")
    return box


def _check_track(track: _Box, movie: int) -> None:
    """The tables of one track list the same number of samples, over its stated duration."""
    (table,) = track.all(b"mdia", b"minf", b"stbl")
    samples = _sample_count(table)
    times = _pairs(table, b"stts")
    if sum(count for count, _ in times) != samples:
        raise _FlawError("its tables of times and of sizes list other numbers of samples")
    shifts = _pairs(table, b"ctts")
    if shifts and sum(count for count, _ in shifts) != samples:
        raise _FlawError("its tables of times and of delays list other numbers of samples")
    (header,) = track.all(b"mdia", b"mdhd")
    scale = _time_scale(header)
    wide = header.body[:1] == b"\1"
    stated = header.words(24 if wide else 16, "Q" if wide else "I")[0]
    held = sum(count * delta for count, delta in times)
    if samples and abs(held - stated) > max(2 * held // samples, scale // 10):
        raise _FlawError("its stated duration is not that of its samples")
    signed = (shift - (shift >> 31 << 32) for _, shift in shifts)
    if any(abs(shift) > held for shift in signed):
        raise _FlawError("a picture is delayed beyond the end")
    for edits in track.all(b"edts", b"elst"):
        _check_edits(edits, movie, media=stated / scale if scale else 0.0)
    _check_chunks(table, samples)


def _time_scale(header: _Box) -> int:
    """Units per second, of a movie's or a track's header."""
    return header.words(20 if header.body[:1] == b"\1" else 12, "I")[0]


def _check_edits(edits: _Box, movie: int, *, media: float) -> None:
    """The list of edits shows the media: ``movie`` units per second, ``media`` seconds long."""
    wide = edits.body[:1] == b"\1"
    rows = edits.words(4, "I")[0]
    if 8 + (20 if wide else 12) * rows != len(edits.body):
        raise _FlawError("its list of edits is not as long as it says")
    entries = [edits.words(8 + 20 * n, "Qq") if wide else edits.words(8 + 12 * n, "Ii")
               for n in range(rows)]  # fmt: skip
    shown = sum(length for length, start in entries if start >= 0) / max(movie, 1)
    if rows and media - shown > max(0.1 * media, _LEFT_OUT):
        raise _FlawError(f"its list of edits shows {shown:.1f} s of {media:.1f} s")


def _sample_count(table: _Box) -> int:
    for sizes in table.all(b"stsz"):
        fixed, count = sizes.words(4, "II")
        if not fixed and 12 + 4 * count != len(sizes.body):
            raise _FlawError("its table of sizes is not as long as it says")
        return count
    for sizes in table.all(b"stz2"):
        return sizes.words(8, "I")[0]
    raise _FlawError("it has no table of sizes")


def _pairs(table: _Box, name: bytes) -> list[tuple[int, int]]:
    """(count, value) of each row of a table; both unsigned."""
    found: list[tuple[int, int]] = []
    for box in table.all(name):
        rows = box.words(4, "I")[0]
        if 8 + 8 * rows != len(box.body):
            raise _FlawError(f"its table {name!a} is not as long as it says")
        numbers = struct.unpack(f">{2 * rows}I", box.body[8:])
        found += zip(numbers[::2], numbers[1::2], strict=True)
    return found


def _check_chunks(table: _Box, samples: int) -> None:
    chunks = None
    for name, width in ((b"stco", 4), (b"co64", 8)):
        for box in table.all(name):
            chunks = box.words(4, "I")[0]
            if 8 + width * chunks != len(box.body):
                raise _FlawError(f"its table {name!a} is not as long as it says")
    if chunks is None:
        raise _FlawError("it has no table of places")
    (runs,) = table.all(b"stsc")
    rows = runs.words(4, "I")[0]
    if 8 + 12 * rows != len(runs.body):
        raise _FlawError("its table b'stsc' is not as long as it says")
    numbers = struct.unpack(f">{3 * rows}I", runs.body[8:])
    firsts, per_chunk = [*numbers[::3], chunks + 1], numbers[1::3]
    if any(b <= a for a, b in pairwise(firsts)) or firsts[0] != 1:
        raise _FlawError("its table b'stsc' goes back")
    listed = sum((firsts[n + 1] - firsts[n]) * per_chunk[n] for n in range(rows))
    if listed != samples:
        raise _FlawError("its tables of places and of sizes list other numbers of samples")


@dataclass
class _Fragments:
    """What one fragment says about the next: its number, and where each track's times go on."""

    defaults: dict[int, int] = field(default_factory=dict)
    number: int | None = None
    ends: dict[int, int] = field(default_factory=dict)

    def check(self, fragment: _Box) -> None:
        (head,) = fragment.all(b"mfhd")
        number = head.words(4, "I")[0]
        if self.number is not None and number != self.number + 1:
            raise _FlawError(f"its fragment {number} follows fragment {self.number}")
        self.number = number
        for part in fragment.all(b"traf"):
            self._check_part(part)

    def _check_part(self, part: _Box) -> None:
        (head,) = part.all(b"tfhd")
        flags, track = head.words(0, "II")
        fields = 8 * bool(flags & 1) + sum(4 * bool(flags & bit) for bit in (2, 8, 16, 32))
        if 8 + fields != len(head.body):
            raise _FlawError("the head of a fragment is not as long as it says")
        default = self.defaults.get(track, 0)
        if flags & 8:
            default = head.words(8 + 8 * bool(flags & 1) + 4 * bool(flags & 2), "I")[0]
        length = sum(_run_length(run, default) for run in part.all(b"trun"))
        for clock in part.all(b"tfdt"):
            start = clock.words(4, "Q" if clock.body[:1] == b"\1" else "I")[0]
            if start != self.ends.get(track, start):
                raise _FlawError(f"the times of its fragment {self.number} do not follow the last")
            self.ends[track] = start + length


def _run_length(run: _Box, default: int) -> int:
    """Duration of a run of samples, in the track's unit."""
    flags, count = run.words(0, "II")
    flags &= 0xFFFFFF
    head = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
    fields = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
    width = 4 * sum(fields)
    if head + width * count != len(run.body):
        raise _FlawError("a run of samples is not as long as it says")
    if not fields[0]:
        return count * default
    return sum(struct.unpack_from(">I", run.body, head + width * n)[0] for n in range(count))
