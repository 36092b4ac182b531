"""The headers of an AcqKnowledge file (.acq, BIOPAC), versions 2.0 to 5: what lies where.

The structure is published for version 3 (BIOPAC application note 156) and was found out for later
versions by bioread (Nate Vack, github.com/uwmadison-chm/bioread). In order: graph header, paddings
(from 4.3), one header per channel, foreign data, one sample type per channel, samples, markers,
journal. Nothing says the byte order; the version number is small in one order only.

Read by our own code rather than through bioread, which takes counts and lengths as they stand
(2025.5.2: it allocates the samples that a header states before it reads any) and gives nothing of
a cut file but a ValueError. Markers are counted; their texts and the journal are never
decoded (F11).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from affectscope.errors import InputError
from affectscope.io.files import shown

_VERSIONS = range(30, 256)  # 30 is AcqKnowledge 2.0, 45 is 3.9, 132 is 5.0
_DIVIDERS_SINCE, _COMPRESSED_SINCE, _VERSION_4, _PADDINGS_SINCE = 38, 41, 61, 124
_HEADER_LENGTHS = range(100, 1 << 20)
_MAXIMUM_CHANNELS = 512  # the devices have 16 analogue and 16 digital inputs
_CHANNEL_BYTES = 112  # the part of a channel's header that every version has
_RATES = (1e-6, 1e7)  # Hz; the devices reach 4e5
_TAGS = (0x11223344, 0x44332211, 0x08102002)  # journal in both byte orders, colours in 3.9.1
_LARGEST_SHIFT = 4096  # bytes; bioread looks as far for sample types behind the foreign data
_SAMPLE_TYPES = {(8, 0): "f8", (8, 1): "f8", (2, 2): "i2"}

_UNITS = {
    "volts": "V", "volt": "V", "millivolts": "mV", "microvolts": "uV",
    "microsiemens": "uS", "microsiemen": "uS", "usiemens": "uS", "usiemen": "uS",
    "micromho": "uS", "micromhos": "uS", "umho": "uS", "umhos": "uS",
}  # fmt: skip
"""AcqKnowledge's words for units whose symbols the rest of the program knows."""


@dataclass(frozen=True)
class AcqChannel:
    """One channel: it has a sample at every ``divider``-th tick of the file's clock.

    Attributes:
        samples: how many the header states.
        sample_type: NumPy's code of a stored sample, with its byte order.
        scale, offset: from stored integers to ``unit``; 1 and 0 for stored reals.
    """

    name: str
    unit: str | None
    samples: int
    divider: int
    sample_type: str
    scale: float
    offset: float

    @property
    def sample_bytes(self) -> int:
        return int(self.sample_type[-1])


@dataclass(frozen=True)
class AcqFile:
    """What the headers say, checked against the file's size.

    Attributes:
        tick_rate: Hz of the file's clock.
        data_start: byte at which the samples begin.
        data_bytes: that the samples have in this file; less than stated where it was cut.
        markers: how many follow the samples, None where no list of markers follows.
    """

    path: Path
    tick_rate: float
    channels: tuple[AcqChannel, ...]
    data_start: int
    data_bytes: int
    markers: int | None

    @property
    def is_cut(self) -> bool:
        return self.data_bytes < stated_bytes(self.channels)


def is_acqknowledge(head: bytes) -> bool:
    """Whether the first bytes of a file can be an AcqKnowledge graph header."""
    return _byte_order(head) is not None


def read_acq_file(path: Path) -> AcqFile:
    """All headers. Nothing is allocated by a number that a header states.

    Raises:
        InputError: E_SIGNAL_FILE.
    """
    with path.open("rb") as stream:
        order = _byte_order(stream.read(24))
        if order is None:
            raise damaged(path, "its first header is none")
        return _Headers(path, stream, order, path.stat().st_size).file()


def stated_bytes(channels: tuple[AcqChannel, ...]) -> int:
    """Bytes that all samples need according to the channels' headers."""
    return sum(channel.samples * channel.sample_bytes for channel in channels)


def damaged(path: Path, what: str, remedy: str = "Save it again from AcqKnowledge.") -> InputError:
    """E_SIGNAL_FILE: the file does not follow the format."""
    return InputError(
        "E_SIGNAL_FILE", f"{shown(path)} cannot be read as AcqKnowledge: {what}.", remedy
    )


def _byte_order(head: bytes) -> str | None:
    if len(head) < 24:
        return None
    for order in "<>":
        version, length = struct.unpack_from(order + "2xii", head)
        if version in _VERSIONS and length in _HEADER_LENGTHS:
            return order
    return None


@dataclass(frozen=True)
class _Graph:
    """The graph header: of the whole file."""

    version: int
    length: int
    channels: int
    tick_rate: float

    @property
    def is_late(self) -> bool:
        return self.version >= _VERSION_4


@dataclass(frozen=True)
class _Headers:
    """An open file of ``size`` bytes whose numbers are in ``order``."""

    path: Path
    stream: BinaryIO
    order: str
    size: int

    def file(self) -> AcqFile:
        graph = self._graph()
        at = self._past_paddings(graph)
        described: list[AcqChannel] = []
        for number in range(1, graph.channels + 1):
            channel, length = self._channel(graph, at, number=number)
            described.append(channel)
            at += length
        at += self._foreign_length(graph, at)
        for channels, start in self._typed(described, at):
            file = self._checked(graph, channels, start)
            if start == at + 4 * len(channels) or (file.markers is not None and not file.is_cut):
                return file
        raise damaged(self.path, "the types of its samples are not where they should be")

    def _unpack(self, layout: str, at: int) -> tuple[Any, ...]:
        length = struct.calcsize(self.order + layout)
        self.stream.seek(at)
        packed = self.stream.read(length)
        if len(packed) < length:
            raise damaged(self.path, "it ends inside its headers")
        return struct.unpack(self.order + layout, packed)

    def _graph(self) -> _Graph:
        version, length, channels, milliseconds = self._unpack("2xiih4xd", 0)
        if not 1 <= channels <= _MAXIMUM_CHANNELS:
            raise damaged(self.path, f"its header states {channels} channels")
        rate = 1000.0 / milliseconds if milliseconds else math.inf
        if not _RATES[0] <= rate <= _RATES[1]:
            raise damaged(self.path, f"its header states {milliseconds:g} ms between samples")
        graph = _Graph(version, length, channels, rate)
        # The flag lies behind all fields of 3.7.3, and at its own place from version 4 on.
        flag = 972 if graph.is_late else 1936
        has_flag = version >= _COMPRESSED_SINCE and length >= flag + 4
        if has_flag and self._unpack("i", flag)[0]:
            remedy = "Save it uncompressed from AcqKnowledge."
            raise damaged(self.path, "it is compressed, which is not read", remedy)
        return graph

    def _past_paddings(self, graph: _Graph) -> int:
        """Where the channels' headers begin."""
        at = graph.length
        if graph.version < _PADDINGS_SINCE:
            return at
        (paddings,) = self._unpack("h", 2398)
        for _ in range(paddings):
            (length,) = self._unpack("i", at)
            if length < 4:
                raise damaged(self.path, f"a padding states {length} bytes")
            at += length
        return at

    def _channel(self, graph: _Graph, at: int, *, number: int) -> tuple[AcqChannel, int]:
        """A channel whose sample type is not yet known, and the length of its header."""
        length, name, unit, samples, scale, offset = self._unpack("i2x40s22x20sidd", at)
        if length < _CHANNEL_BYTES:
            raise damaged(self.path, f"the header of channel {number} states {length} bytes")
        divider = 1
        if graph.version >= _DIVIDERS_SINCE:
            (divider,) = self._unpack("h", at + (152 if graph.is_late else 250))
        if samples < 0 or divider < 0:
            what = f"its channel {number} states {samples} samples and the divider {divider}"
            raise damaged(self.path, what)
        label = _text(name, graph) or str(number)
        return (
            AcqChannel(label, _unit(_text(unit, graph)), samples, divider or 1, "", scale, offset),
            length,
        )

    def _foreign_length(self, graph: _Graph, at: int) -> int:
        (length,) = self._unpack("i" if graph.is_late else "H", at)
        if length < 0:
            raise damaged(self.path, f"its foreign data states {length} bytes")
        return int(length)

    def _typed(
        self, described: list[AcqChannel], at: int
    ) -> Iterator[tuple[tuple[AcqChannel, ...], int]]:
        """Places that may hold the sample types: the right one, then what lies a little behind.

        Some files have bytes there that no header explains (bioread, ChannelDTypeHeaderReader).
        """
        count = len(described)
        self.stream.seek(at)
        packed = self.stream.read(_LARGEST_SHIFT + 4 * count)
        for shift in range(len(packed) - 4 * count + 1):
            pairs = struct.iter_unpack(self.order + "2h", packed[shift : shift + 4 * count])
            channels: list[AcqChannel] = []
            for channel, pair in zip(described, pairs, strict=True):
                if pair not in _SAMPLE_TYPES:
                    break
                channels.append(_with_type(channel, self.order + _SAMPLE_TYPES[pair]))
            else:
                yield tuple(channels), at + shift + 4 * count

    def _checked(self, graph: _Graph, channels: tuple[AcqChannel, ...], start: int) -> AcqFile:
        stated, held = stated_bytes(channels), self.size - start
        markers = self._markers(graph, start + stated) if held > stated else 0
        return AcqFile(self.path, graph.tick_rate, channels, start, min(stated, held), markers)

    def _markers(self, graph: _Graph, at: int) -> int | None:
        """How many markers the list after the samples states; None where there is no such list."""
        if self.size - at < 8:
            return None
        length, count = self._unpack("ii", at)
        if graph.is_late:  # the length includes these 8 bytes, and the count is one too high
            length, count = length - 8, count - 1
        end = at + 8 + length
        if not 0 <= count <= length // 8 or end > self.size:
            return None
        is_list = end == self.size or self._is_behind_markers(graph, end, markers=count)
        return int(count) if is_list else None

    def _is_behind_markers(self, graph: _Graph, at: int, *, markers: int) -> bool:
        """Whether what always follows the markers begins here.

        Late: the length of the journal, itself included. Early: the journal's tag, or, before it,
        the markers' colours, which begin with a tag of their own and the number of markers.
        """
        if self.size - at < 8:
            return False
        first, second = self._unpack("ii", at)
        if graph.is_late:
            return bool(4 <= first <= self.size - at)
        return first in _TAGS or bool(second == markers > 0)


def _with_type(channel: AcqChannel, sample_type: str) -> AcqChannel:
    """Stored reals are in the unit already; what their header states as scale is not meant."""
    if sample_type.endswith("f8"):
        return replace(channel, sample_type=sample_type, scale=1.0, offset=0.0)
    return replace(channel, sample_type=sample_type)


def _text(field: bytes, graph: _Graph) -> str:
    """A text that a zero ends. UTF-8 since version 4; it may be cut inside its last letter."""
    return field.split(b"\0")[0].decode("utf-8" if graph.is_late else "latin-1", "ignore").strip()


def _unit(text: str) -> str | None:
    plain = text.casefold().replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    return _UNITS.get(plain, text) or None
