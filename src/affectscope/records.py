"""The nouns of the package. Times are seconds on the session's axis, frequencies hertz.

Legend: S samples of a signal, F video frames, N analysed times, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import CODES
from affectscope.picture import ImageArray, Picture

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Modality = Literal["face", "ecg", "eda"]
MODALITIES: tuple[Modality, ...] = ("face", "ecg", "eda")
MODALITY_NAMES: dict[Modality, str] = {"face": "Face", "ecg": "ECG", "eda": "EDA"}
"""As pages and figures write them."""

PersonRule = Literal["largest", "left", "right", "box", "photo"]
"""Whom to follow in a video: the largest face, the one furthest to the left or right, the one in a
box at a stated time, or the one on a reference photo."""

EMOTIONS: tuple[str, ...] = ("neutral", "disgust", "joy", "surprise", "anger", "fear", "sadness")
TARGETS: tuple[str, ...] = ("valence", "arousal", "liking", *EMOTIONS)
"""The ten targets in the paper's order: three ratings in [-1, 1], seven emotions in [0, 1]."""

Population = Literal["people", "simulated people", "untrained"]
"""Whom a set of weights was fitted on; decides which sessions it may score."""


@dataclass(frozen=True)
class Notice:
    """Something the user must know about a result: a stable code and a plain sentence.

    ``start`` and ``end`` are seconds on the session's axis, None where the notice has no span.
    """

    code: str
    sentence: str
    modality: Modality | None = None
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        assert self.code in CODES, f"unknown code {self.code}"


@dataclass(frozen=True, eq=False)
class Signal:
    """One channel as its file holds it; NaN marks a missing sample.

    Attributes:
        values: (S,) float64 in ``unit``.
        sampling_rate: Hz, finite and > 0.
        unit: as stated by the file or the user, for example "mV", "uS".
        start_time: time of the first sample, seconds on the session's axis.
    """

    values: FloatArray
    sampling_rate: float
    unit: str
    start_time: float

    def __post_init__(self) -> None:
        assert self.values.ndim == 1, f"a signal has one dimension, not {self.values.ndim}"
        assert self.values.dtype == np.float64, f"values are float64, not {self.values.dtype}"
        assert 0 < self.sampling_rate < np.inf, self.sampling_rate
        assert self.unit, "a signal without a unit cannot exist"
        assert np.isfinite(self.start_time), self.start_time

    @property
    def duration(self) -> float:
        """Seconds covered: samples / sampling rate."""
        return len(self.values) / self.sampling_rate

    @property
    def end_time(self) -> float:
        return self.start_time + self.duration

    @property
    def times(self) -> FloatArray:
        """(S,) time of each sample."""
        return self.start_time + np.arange(len(self.values)) / self.sampling_rate


@dataclass(frozen=True, eq=False)
class Eeg:
    """An EEG as its file holds it; NaN marks a missing sample. Only baselines use it.

    Attributes:
        values: (S, C) float64, uV against the file's own reference.
        channels: C names of the 10-20 system, such as "AF3".
        sampling_rate: Hz.
        start_time: time of the first sample, seconds on the session's axis.
    """

    values: FloatArray
    channels: tuple[str, ...]
    sampling_rate: float
    start_time: float

    def __post_init__(self) -> None:
        assert self.values.ndim == 2, self.values.shape
        assert self.values.shape[1] == len(self.channels), self.values.shape
        assert 0 < self.sampling_rate < np.inf, self.sampling_rate


@dataclass(frozen=True)
class VideoTrack:
    """A video file's facts, read without decoding it. Frames are streamed by ``io.video``.

    Attributes:
        width, height: pixels as shown, after rotation.
        codec: the decoder's name, for example "h264".
        frame_rate: mean frames per second that the container states, > 0.
        duration: seconds that the container states; 0.0 where it states none.
        start_time: time of the first frame, seconds on the session's axis.
        clock_offset: seconds added to the file's own time stamps.
        clock_rate: seconds of the session's axis per second of the file's time stamps, near 1:
            session time = clock_offset + clock_rate x file time.
        created: Unix time at which the header says that the file was created, None where it says
            nothing; often wrong, and never used to align.
    """

    path: Path
    width: int
    height: int
    codec: str
    frame_rate: float
    duration: float
    start_time: float
    clock_offset: float
    clock_rate: float = 1.0
    created: float | None = None

    @property
    def end_time(self) -> float:
        return self.start_time + self.duration


@dataclass(frozen=True)
class PersonBox:
    """Where the person is at ``time`` (session axis, s): x, y, width, height in pixels, upright."""

    time: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class PersonChoice:
    """Which face in the video is the person's, as the user said it.

    Attributes:
        boxes: for the rule "box", one or more in the order of their times; after a track broke,
            the next one says who the person is.
        photo: for the rule "photo", a picture with the person's face and nobody else's.
    """

    rule: PersonRule = "largest"
    boxes: tuple[PersonBox, ...] = ()
    photo: Path | None = None


AlignmentMethod = Literal["own axis", "stated", "clock", "offsets", "events", "content", "none"]
"""How a modality came onto the session's axis: it is the axis; as session.toml states; by a clock
that both recorders share (Unix time); by clock offsets that were measured while recording (LSL); by
events that both recorded; by the heartbeat in face and ECG; not at all."""


@dataclass(frozen=True)
class ClockAlignment:
    """How one modality lies on the session's axis, and how sure that is.

    Attributes:
        offset: seconds added to the file's own time at its start.
        drift: parts per million that the file's clock runs fast against the axis; None where
            nothing shows it.
        residual: ms, root mean square of what the fit leaves; None where nothing was fitted.
        uncertainty: s, half of the offset's 95 % interval; None where it is not known.
        resets: times (session axis, s) at which the file's clock was reset or stepped.
        sentence: what the alignment rests on, in plain words.
    """

    modality: Modality
    method: AlignmentMethod
    offset: float
    drift: float | None
    residual: float | None
    uncertainty: float | None
    resets: tuple[float, ...]
    sentence: str


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded, upright picture at ``time`` (session axis, s)."""

    index: int
    time: float
    picture: Picture

    @property
    def rgb(self) -> ImageArray:
        """(height, width, 3) uint8."""
        return self.picture.rgb


@dataclass(frozen=True, eq=False)
class Labels:
    """A known course of affect: values (N, T) at times (N,); NaN where a target was not rated.

    Ratings (valence, arousal, liking) in [-1, 1], emotions in [0, 1], in the order of ``TARGETS``.
    """

    times: FloatArray
    values: FloatArray

    def __post_init__(self) -> None:
        assert self.values.shape == (len(self.times), len(TARGETS)), self.values.shape

    def at(self, times: FloatArray) -> FloatArray:
        """Linear interpolation to (M,) times -> (M, T); the ends hold."""
        return np.column_stack([np.interp(times, self.times, column) for column in self.values.T])

    def target(self, name: str, times: FloatArray) -> FloatArray:
        """(M,) one target at (M,) times.

        Raises:
            ValueError: ``name`` is not in ``TARGETS``.
        """
        return np.interp(times, self.times, self.values[:, TARGETS.index(name)])


@dataclass(frozen=True, eq=False)
class Recording:
    """What one person's session or trial holds. An absent modality is None.

    ``simulated`` is True for synthetic people; their numbers are called simulated everywhere.
    ``eeg`` is there where a corpus has it: systems that we compare with use it, ours does not.
    """

    subject_id: str
    trial_id: str
    simulated: bool
    video: VideoTrack | None = None
    ecg: Signal | None = None
    eda: Signal | None = None
    labels: Labels | None = None
    notices: tuple[Notice, ...] = ()
    eeg: Eeg | None = None

    @property
    def tracks(self) -> dict[Modality, VideoTrack | Signal]:
        """The modalities that are there."""
        found: dict[Modality, VideoTrack | Signal | None] = {
            "face": self.video,
            "ecg": self.ecg,
            "eda": self.eda,
        }
        return {name: track for name, track in found.items() if track is not None}

    @property
    def span(self) -> tuple[float, float]:
        """From the first start to the last end of any modality, seconds."""
        tracks = self.tracks.values()
        return min(t.start_time for t in tracks), max(t.end_time for t in tracks)


@dataclass(frozen=True, order=True)
class WindowKey:
    """The identity of one sample, carried to the metric table.

    ``onset`` is the first instant of the signal window, ``duration`` its length, both in seconds;
    the frame that the window is centred on lies at ``centre``.
    """

    subject_id: str
    trial_id: str
    onset: float
    duration: float

    @property
    def centre(self) -> float:
        return self.onset + self.duration / 2


@dataclass(frozen=True)
class Phase:
    """A named part of a session to be compared: seconds on the session's axis, start < end."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class ExcludedSpan:
    """A part of a session that the user left out: seconds on the session's axis, start < end.

    Attributes:
        modality: the one that it is about, None for all.
        reason: the user's words, not empty.
    """

    modality: Modality | None
    start: float
    end: float
    reason: str


@dataclass(frozen=True, eq=False)
class Prediction:
    """Estimates over time for one recording.

    Attributes:
        keys: N window keys in time order.
        values: (N, T) float64 in the order of ``TARGETS``; NaN where nothing usable was seen.
        present: (N, 3) bool in the order of ``MODALITIES``: what each row was computed from.
        population: whom the weights were fitted on.
        checkpoint_id: first 12 hex digits of the weights' sha256.
        half_width: (N, T) of the intervals around the values, NaN where a value has none; None
            where no calibration says anything about this person.
    """

    keys: tuple[WindowKey, ...]
    values: FloatArray
    present: BoolArray
    population: Population
    checkpoint_id: str
    simulated_person: bool
    half_width: FloatArray | None = None

    @property
    def times(self) -> FloatArray:
        """(N,) centre of each window."""
        return np.array([key.centre for key in self.keys], dtype=np.float64)

    def target(self, name: str) -> FloatArray:
        """(N,) one target's course.

        Raises:
            ValueError: ``name`` is not in ``TARGETS``.
        """
        return self.values[:, TARGETS.index(name)]

    def interval(self, name: str) -> tuple[FloatArray, FloatArray] | None:
        """(N,) lower and upper ends of a rating's intervals, within [-1, 1]; None where no row has
        one.

        Raises:
            ValueError: ``name`` is not in ``TARGETS``.
        """
        if self.half_width is None:
            return None
        value, width = self.target(name), self.half_width[:, TARGETS.index(name)]
        if not np.isfinite(width).any():
            return None
        return np.clip(value - width, -1, 1), np.clip(value + width, -1, 1)


JsonObject = Mapping[str, Any]
