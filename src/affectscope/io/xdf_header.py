"""XML of XDF: stream headers and footers. No DTD, no entities, and a cap on size and depth (F06).

What stands before a damaged place is kept: recorders write count, format and rate first.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from xml.parsers import expat

from affectscope.io.channels import MAXIMUM_CHANNELS

MAXIMUM_XML = 1 << 22
"""Bytes of one header that are ever parsed; those of 256 channels have some 100,000."""
_DEPTH = 32
_CHANNEL = ("info", "desc", "channels", "channel")
_UNITS = {
    "microvolt": "uV", "millivolt": "mV", "volt": "V", "microsiemen": "uS", "nanosiemen": "nS",
}  # fmt: skip
"""Units that LSL's metadata spells as words, singular (github.com/sccn/xdf/wiki/EEG-Meta-Data)."""

FORMATS = {
    "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float32": "<f4",
    "double64": "<f8", "string": None,
}  # fmt: skip
"""Channel formats and the NumPy type of a value; None where values are text."""


class ForbiddenXmlError(Exception):
    """The XML declares a document type or an entity, or is nested too deep."""


class UnusableHeaderError(Exception):
    """A stream cannot be read by its header; the message says why."""


@dataclass(frozen=True)
class StreamHeader:
    """What a stream says of itself.

    Attributes:
        channels: its number of channels.
        dtype: NumPy type of a value, None for text.
        nominal_rate: Hz, None where the stream is irregular.
        labels, units: of each channel, None where nothing is said.
        damaged: whether the rest of the header could not be parsed.
    """

    name: str
    kind: str
    channels: int
    dtype: str | None
    nominal_rate: float | None
    labels: tuple[str | None, ...]
    units: tuple[str | None, ...]
    damaged: bool


@dataclass
class _Facts:
    """Texts by their path, the first of each, and a list of what each channel says."""

    texts: dict[tuple[str, ...], str] = field(default_factory=dict)
    channels: list[dict[str, str]] = field(default_factory=list)
    complete: bool = False


def read_stream_header(xml: bytes) -> StreamHeader:
    """A stream's header.

    Raises:
        ForbiddenXmlError: DTD, entity, or nested too deep.
        UnusableHeaderError: number of channels, format or rate are missing or impossible.
    """
    facts = _parsed(xml)
    text = {path[1]: value for path, value in facts.texts.items() if len(path) == 2}
    count, kind = text.get("channel_count", ""), text.get("channel_format", "")
    if not re.fullmatch(r"\d{1,6}", count) or int(count) > MAXIMUM_CHANNELS:
        raise UnusableHeaderError(f"its header states {count!r} channels")
    if kind not in FORMATS:
        raise UnusableHeaderError(f"its header states the format {kind!r}")
    channels = int(count)
    described = (facts.channels + [{}] * channels)[:channels]
    return StreamHeader(
        text.get("name", "") or "unnamed",
        text.get("type", ""),
        channels,
        FORMATS[kind],
        _rate(text.get("nominal_srate", "0")),
        tuple(channel.get("label") or None for channel in described),
        tuple(_unit(channel.get("unit", "")) for channel in described),
        not facts.complete,
    )


def read_sample_count(xml: bytes) -> int | None:
    """The number of samples that a stream's footer states, None where it states none.

    Raises:
        ForbiddenXmlError: DTD, entity, or nested too deep.
    """
    count = _parsed(xml).texts.get(("info", "sample_count"), "")
    return int(count) if re.fullmatch(r"\d{1,18}", count) else None


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError as error:
        raise UnusableHeaderError(f"its header states the rate {text!r}") from error
    if not math.isfinite(rate) or rate < 0 or rate > 1e7:
        raise UnusableHeaderError(f"its header states the rate {text!r}")
    return rate or None


def _unit(text: str) -> str | None:
    return _UNITS.get(text.casefold().removesuffix("s"), text) or None


def _parsed(xml: bytes) -> _Facts:
    facts = _Facts()
    path: list[str] = []
    texts: list[list[str]] = []

    def start(name: str, _attributes: object) -> None:
        if len(path) >= _DEPTH:
            raise ForbiddenXmlError(f"its XML is more than {_DEPTH} elements deep")
        path.append(name)
        texts.append([])
        if tuple(path) == _CHANNEL and len(facts.channels) < MAXIMUM_CHANNELS:
            facts.channels.append({})

    def end(_name: str) -> None:
        text = "".join(texts.pop()).strip()
        if tuple(path[:-1]) == _CHANNEL and facts.channels:
            facts.channels[-1].setdefault(path[-1], text)
        elif len(path) == 2:
            facts.texts.setdefault(tuple(path), text)
        path.pop()

    def forbidden(*_declared: object) -> None:
        raise ForbiddenXmlError("its XML declares a document type or an entity")

    parser = expat.ParserCreate(encoding="utf-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text)
    parser.StartDoctypeDeclHandler = forbidden
    parser.EntityDeclHandler = forbidden
    try:
        parser.Parse(xml.decode("utf-8", errors="replace").encode(), True)
        facts.complete = True
    except expat.ExpatError:
        pass  # what was parsed before the damage is in ``facts``
    return facts
