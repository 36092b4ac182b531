"""The nouns of ``affectscope inspect``: what was found in files, before it is written out.

Legend: B parts of a channel's length.
"""

from __future__ import annotations

from dataclasses import dataclass

from affectscope.errors import AffectScopeError
from affectscope.records import FloatArray, Modality, Notice

Span = tuple[float, float]


@dataclass(frozen=True)
class Refusal:
    """Why a file or a channel cannot be read."""

    code: str
    sentence: str
    remedy: str

    @classmethod
    def of(cls, error: AffectScopeError) -> Refusal:
        return cls(error.code, error.sentence, error.remedy)


@dataclass(frozen=True)
class Quality:
    """How much of an ECG or EDA can be used: a share in [0, 1], or the reason why it is None."""

    modality: Modality
    usable: float | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Envelope:
    """The lowest and the highest value in B equal parts: low, high (B,), NaN where nothing is.

    ``start`` and ``end`` are seconds, or sample numbers where the rate is not known.
    """

    start: float
    end: float
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class ChannelFacts:
    """One channel.

    Attributes:
        unit: as the file or the user states it, None where nobody does.
        stated_rate: Hz by the file's header or the user; ``measured_rate``: by the file's clock.
        samples: with those that were lost in gaps.
        duration: s; None where no rate is known.
        start: s of the first sample on the file's own axis.
        unix_start: Unix time of the first sample in s, None where the file has no such clock.
        missing: share of samples without a number.
        flat: share of samples in stretches of ``channels.FLAT_SECONDS`` without a change.
        lowest, highest: in ``unit``; None where no sample is a number.
        gaps: (from, to) in s on the file's axis, where nothing was recorded for more than
            ``channels.GAP_SECONDS``.
        asked: what the user must state before the channel can be used.
    """

    name: str
    unit: str | None
    stated_rate: float | None
    measured_rate: float | None
    samples: int
    duration: float | None = None
    start: float = 0.0
    unix_start: float | None = None
    missing: float = 0.0
    flat: float | None = None
    lowest: float | None = None
    highest: float | None = None
    gaps: tuple[Span, ...] = ()
    asked: tuple[str, ...] = ()
    quality: Quality | None = None
    notices: tuple[Notice, ...] = ()
    envelope: Envelope | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, eq=False)
class SignalFacts:
    """A signal file; ``unread`` channels beyond those that were looked at are named only."""

    kind: str
    time_column: str | None
    channels: tuple[ChannelFacts, ...]
    unread: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """A video; times in s of the file's own clock, sizes in pixels as shown.

    ``counts`` are pictures in equal parts from ``start`` to ``start + measured_duration``.
    """

    width: int
    height: int
    codec: str
    rotation: int
    frames: int
    stated_rate: float
    measured_rate: float | None
    longest_step: float
    start: float
    stated_duration: float | None
    measured_duration: float
    created: str | None
    has_audio: bool
    counts: tuple[int, ...]
    notices: tuple[Notice, ...] = ()

    kind = "video"


@dataclass(frozen=True)
class PictureFacts:
    """A picture; ``faces`` is None where they could not be counted, ``reason`` says why."""

    width: int
    height: int
    faces: int | None
    reason: str = ""

    kind = "picture"
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False)
class FileFacts:
    """One file: its content, or why it is refused. ``name`` is its path as it was asked for."""

    name: str
    content: SignalFacts | VideoFacts | PictureFacts | None
    refusal: Refusal | None = None

    @property
    def kind(self) -> str:
        return "refused" if self.content is None else self.content.kind
