"""Recording -> batches of network inputs, in constant memory. Training and inference share it.

Legend: N rows of a batch (one per analysed time), W window samples, C crop size in pixels,
K = 6 factors of a face's quality.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.body_analysis import BodyAnalysis, lost
from affectscope.errors import AffectScopeError
from affectscope.io.read_ahead import read_ahead
from affectscope.preprocessing.chosen_person import PersonTracker, PhotoCheck
from affectscope.preprocessing.ecg import EcgAnalysis
from affectscope.preprocessing.eda import EdaAnalysis
from affectscope.preprocessing.excluded import excluded_at
from affectscope.preprocessing.face import FaceDetector
from affectscope.preprocessing.face_tracking import FaceSample, PersonSearch, follow_face, unseen
from affectscope.preprocessing.picture_checks import PictureChecks
from affectscope.preprocessing.scaling import network_signal
from affectscope.preprocessing.window_quality import window_quality
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, Scaling, Windows
from affectscope.records import (
    MODALITIES,
    BoolArray,
    ExcludedSpan,
    FloatArray,
    Frame,
    Modality,
    Notice,
    PersonChoice,
    Recording,
    VideoTrack,
    WindowKey,
)

if TYPE_CHECKING:
    from affectscope.io.video import FrameReader

HIGHEST_RATE = 30.0
"""Analysed times per second at most, unless asked for."""

SIGNAL_ONLY_RATE = 10.0
"""Analysed times per second where a session has no video to give them."""

PICTURES_AHEAD = 4
"""Decoded pictures that may wait, of up to 6 MB each at 1080p."""

LONGEST_STEP = 1.0
"""Seconds: a longer stretch without a frame is analysed without a face."""


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Network inputs for N analysed times.

    Attributes:
        keys: N identities, in time order.
        inputs: "face" (N, 3, C, C) uint8; "ecg" and "eda" ``Windows`` of whole signals, or, where
            somebody has no whole signal, values (N, 1, W) float32. An absent key is an absent
            modality.
        present: (N,) bool per key of ``inputs``; what rows that are False hold means nothing.
        face_factors: (N, K) in the order of ``face_quality.FACTORS``, 0 where no face was seen.
        faces_seen: (N,) how many faces the picture showed.
        face_boxes: (N, 4) float32 of the chosen person's face: x, y, width, height in shares of the
            upright picture's width and height, cut at its edges; NaN where it was not seen.
        signal_quality: (N,) in [0, 1] of each signal's windows; without it they count as good.
    """

    keys: tuple[WindowKey, ...]
    inputs: dict[Modality, NDArray[np.uint8] | NDArray[np.float32] | Windows]
    present: dict[Modality, BoolArray]
    face_factors: FloatArray
    faces_seen: NDArray[np.int64]
    face_boxes: NDArray[np.float32]
    signal_quality: dict[Modality, FloatArray] = field(default_factory=dict)

    @property
    def times(self) -> FloatArray:
        return np.array([key.centre for key in self.keys], dtype=np.float64)

    @property
    def face_quality(self) -> FloatArray:
        """(N,) the product of the factors."""
        return np.asarray(self.face_factors.prod(axis=1))

    @property
    def quality(self) -> FloatArray:
        """(N, 3) in [0, 1] in the order of ``MODALITIES``; it means nothing where one is absent."""
        of_each = {**self.signal_quality, "face": self.face_quality}
        good = np.ones(len(self.keys))
        return np.column_stack([of_each.get(name, good) for name in MODALITIES])

    def without_inputs(self) -> WindowBatch:
        """The same rows without their pictures and windows, for keeping."""
        return replace(self, inputs={})

    @property
    def present_matrix(self) -> BoolArray:
        """(N, 3) in the order of ``MODALITIES``; an absent modality is False."""
        absent = np.zeros(len(self.keys), dtype=np.bool_)
        return np.column_stack([self.present.get(name, absent) for name in MODALITIES])


@dataclass(frozen=True)
class StreamSettings:
    """How a recording is walked through.

    Attributes:
        rate: analysed times per second; None takes every video frame up to
            ``HIGHEST_RATE``, or ``SIGNAL_ONLY_RATE`` where there is no video.
        batch_size: rows per batch.
        person: which face to follow.
        span: None walks through all of the recording, at the times of its frames. A span
            (start, end) is walked on the regular grid start + k / rate < end; each time takes the
            frame nearest to it, at most half a step away.
        excluded: what the user leaves out: a modality is absent at those times. ``analyse_body``
            must know it too.
        detect_every_frame: no face is followed by its motion between detections.
        overlapped: pictures are decoded ahead while earlier ones are looked at; the result is the
            same without.
    """

    rate: float | None = None
    batch_size: int = 64
    person: PersonChoice = field(default_factory=PersonChoice)
    span: tuple[float, float] | None = None
    excluded: tuple[ExcludedSpan, ...] = ()
    detect_every_frame: bool = False
    overlapped: bool = True


@dataclass
class WindowStream:
    """Walks once through a recording. Iterate it; then ``notices`` and counts are complete.

    ``face_model`` gives the detector's bytes when a video is there; it is called at most once, as
    is ``photo_check``, which must be there for the rule "photo".
    """

    recording: Recording
    body: BodyAnalysis
    preprocessing: Preprocessing
    face_model: Callable[[], tuple[bytes, bytes]]
    settings: StreamSettings = field(default_factory=StreamSettings)
    on_time: Callable[[float], None] = lambda _time: None
    photo_check: Callable[[Path, FaceDetector], PhotoCheck] | None = None
    notices: list[Notice] = field(default_factory=list)

    def __iter__(self) -> Iterator[WindowBatch]:
        for samples in _batches(self._samples(), self.settings.batch_size):
            yield self._batch(samples)
            self.on_time(samples[-1].time)

    def signals(self) -> dict[Modality, NetworkSignal]:
        """Both signals as the network sees them, whole."""
        preprocessing = self.preprocessing
        analysed: dict[Modality, tuple[EcgAnalysis | EdaAnalysis | None, Scaling]] = {
            "ecg": (self.body.ecg, preprocessing.ecg_scaling),
            "eda": (self.body.eda, preprocessing.eda_scaling),
        }
        return {
            name: network_signal(
                analysis.cleaned,
                analysis.valid,
                scaling=scaling,
                sampling_rate=preprocessing.sampling_rate,
            )
            for name, (analysis, scaling) in analysed.items()
            if analysis is not None
        }

    @cached_property
    def _signals(self) -> dict[Modality, NetworkSignal]:
        return self.signals()

    def shifted(self, batch: WindowBatch, rows: NDArray[np.int64], seconds: float) -> WindowBatch:
        """Some rows of a batch of this stream, with its signals ``seconds`` later against the
        face."""
        inputs = {name: values[rows] for name, values in batch.inputs.items()}
        present = {name: values[rows] for name, values in batch.present.items()}
        centres = batch.times[rows] - seconds
        for name in self._signals:
            inputs[name], present[name] = self._windows(name, centres)
        return replace(
            batch,
            keys=tuple(batch.keys[row] for row in rows),
            inputs=inputs,
            present=present,
            face_factors=batch.face_factors[rows],
            faces_seen=batch.faces_seen[rows],
            face_boxes=batch.face_boxes[rows],
            signal_quality=self._signal_quality(centres),
        )

    def _signal_quality(self, centres: FloatArray) -> dict[Modality, FloatArray]:
        """Of the windows centred on (N,) times."""
        analysed: dict[Modality, EcgAnalysis | EdaAnalysis | None] = {
            "ecg": self.body.ecg,
            "eda": self.body.eda,
        }
        return {
            name: window_quality(analysis.course, centres, self.preprocessing.window_duration)
            for name, analysis in analysed.items()
            if analysis is not None
        }

    def _windows(self, name: Modality, centres: FloatArray) -> tuple[Windows, BoolArray]:
        """A signal's windows, and which are there; none at a time that is left out."""
        windows = Windows.centred(self._signals[name], centres, self.preprocessing)
        there = windows.usable & ~excluded_at(self.settings.excluded, name, centres)
        return replace(windows, usable=there), there

    def _samples(self) -> Iterator[FaceSample]:
        """One sample per analysed time; a grid without pictures wherever the video gives none."""
        if self.settings.span is not None:
            yield from self._on_grid(*self.settings.span)
            return
        start, end = self.recording.span
        video = self.recording.video
        if video is None:
            yield from _faceless(start, end, self.settings.rate or SIGNAL_ONLY_RATE)
            return
        rate = self.settings.rate or min(HIGHEST_RATE, video.frame_rate)
        every_frame = self.settings.rate is None and video.frame_rate <= HIGHEST_RATE
        reached = start
        reader = self._reader(video, None if every_frame else rate)
        for sample in self._face_samples(reader, reader):
            if sample.time - reached > LONGEST_STEP:
                yield from _faceless(reached, sample.time - 0.5 / rate, rate)
            yield sample
            reached = sample.time + 1 / rate
        yield from _faceless(reached, end, rate)

    def _on_grid(self, start: float, end: float) -> Iterator[FaceSample]:
        """One sample per time of the grid, with the picture of the frame nearest to it."""
        rate = self.settings.rate or SIGNAL_ONLY_RATE
        grid = list(_faceless(start, end, rate))
        reached = 0
        if self.recording.video is not None:
            reader = self._reader(self.recording.video, rate, start)
            cells = ((math.floor((frame.time - start) * rate + 0.5), frame) for frame in reader)
            inside = (frame for cell, frame in cells if 0 <= cell < len(grid))
            for sample in self._face_samples(reader, inside):
                cell = math.floor((sample.time - start) * rate + 0.5)
                yield from grid[reached:cell]
                yield replace(sample, time=grid[cell].time)
                reached = cell + 1
        yield from grid[reached:]

    @staticmethod
    def _reader(video: VideoTrack, rate: float | None, origin: float | None = None) -> FrameReader:
        from affectscope.io.video import FrameReader

        return FrameReader(video, rate=rate, origin=origin)

    def _face_samples(self, reader: FrameReader, frames: Iterable[Frame]) -> Iterator[FaceSample]:
        """The samples of a reader's frames, masked where the picture stands still or is empty."""
        checks = PictureChecks(self._face_excluded)
        if self.settings.overlapped:
            frames = read_ahead(frames, PICTURES_AHEAD)
        yield from checks.masked(self._followed(checks.watched(frames)))
        self.notices.extend(reader.notices)
        self.notices.extend(checks.notices)

    def _face_excluded(self, time: float) -> bool:
        return bool(excluded_at(self.settings.excluded, "face", np.array([time]))[0])

    def _followed(self, frames: Iterable[Frame]) -> Iterator[FaceSample]:
        """The samples of frames; should the video turn out unreadable on the way, a notice and what
        was."""
        try:
            with FaceDetector(self.face_model()) as detector:
                tracker = self._tracker(detector)
                yield from follow_face(
                    frames,
                    PersonSearch(detector, tracker, every_frame=self.settings.detect_every_frame),
                    crop_size=self.preprocessing.crop_size,
                    minimum_quality=self.preprocessing.minimum_face_quality,
                    excluded=self._face_excluded,
                )
                self.notices.extend(tracker.notices())
        except AffectScopeError as error:
            self.notices.append(lost("face", error))

    def _tracker(self, detector: FaceDetector) -> PersonTracker:
        person = self.settings.person
        if person.photo is None or self.photo_check is None:
            return PersonTracker(person)
        return PersonTracker(person, self.photo_check(person.photo, detector))

    def _batch(self, samples: list[FaceSample]) -> WindowBatch:
        recording, preprocessing = self.recording, self.preprocessing
        centres = np.array([sample.time for sample in samples], dtype=np.float64)
        batch = WindowBatch(
            keys=tuple(
                preprocessing.key(recording.subject_id, recording.trial_id, float(time))
                for time in centres
            ),
            inputs={},
            present={},
            face_factors=np.array([sample.quality.factors for sample in samples], dtype=np.float64),
            faces_seen=np.array([sample.faces_seen for sample in samples]),
            face_boxes=_boxes(samples, recording.video),
            signal_quality=self._signal_quality(centres),
        )
        for name in self._signals:
            batch.inputs[name], batch.present[name] = self._windows(name, centres)
        if recording.video is not None:
            batch.inputs["face"], batch.present["face"] = _stacked(samples, preprocessing.crop_size)
        return batch


def _stacked(samples: list[FaceSample], size: int) -> tuple[NDArray[np.uint8], BoolArray]:
    # In memory the colours of a pixel lie side by side, as they come and as convolutions want them.
    faces = np.zeros((len(samples), size, size, 3), dtype=np.uint8)
    for row, sample in enumerate(samples):
        if sample.crop is not None:
            faces[row] = sample.crop
    return faces.transpose(0, 3, 1, 2), np.array([sample.crop is not None for sample in samples])


def _boxes(samples: list[FaceSample], video: VideoTrack | None) -> NDArray[np.float32]:
    """(N, 4) of the person's face as ``WindowBatch.face_boxes``."""
    shares = np.full((len(samples), 4), np.nan, np.float32)
    for row, sample in enumerate(samples):
        if sample.box is not None and video is not None:
            size = np.array([video.width, video.height])
            corners = np.array([sample.box[:2], np.add(sample.box[:2], sample.box[2:])]) / size
            first, last = np.clip(corners, 0.0, 1.0)
            shares[row] = [*first, *(last - first)]
    return shares


def grid_length(start: float, end: float, rate: float) -> int:
    """How many times start + k / rate lie before ``end``; one a rounding error before it is not."""
    return max(0, math.ceil((end - start) * rate - 1e-9))


def _faceless(start: float, end: float, rate: float) -> Iterator[FaceSample]:
    """Times on a grid without a picture: before, after, or instead of a video."""
    for index in range(grid_length(start, end, rate)):
        yield unseen(start + index / rate)


def _batches(samples: Iterable[FaceSample], size: int) -> Iterator[list[FaceSample]]:
    batch: list[FaceSample] = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
