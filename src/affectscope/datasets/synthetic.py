"""Synthetic people: face video, ECG and EDA with a known course of affect, as ordinary sessions.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. It is the synthetic twin of a recorded session:
it lets the whole program run and be checked where no licensed recording may be kept. What a network
learns from it says nothing about how people feel, and its sessions are marked ``simulated``.

How a course of affect becomes signals: ``synthetic_signals``; becomes a face: ``synthetic_face``.

Legend: N points of a course, S samples of a signal, F video frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from scipy.special import erf

from affectscope.datasets.synthetic_face import (
    FaceTraits,
    draw_face,
    face_course,
    frames,
    write_video,
)
from affectscope.datasets.synthetic_signals import (
    BodyTraits,
    beat_times,
    draw_body,
    ecg_values,
    eda_values,
    wander,
)
from affectscope.errors import SessionError
from affectscope.io.files import write_text, write_with
from affectscope.io.session_file import FORMAT, NAME, session_toml
from affectscope.records import EMOTIONS, TARGETS, BoolArray, FloatArray, Labels, Recording, Signal

Span = tuple[float, float]

_COURSE_RATE = 10.0  # Hz
_STREAMS = ("body traits", "face traits", "ecg", "eda", "face", "camera", "course")


@dataclass(frozen=True)
class SyntheticPerson:
    """Who is simulated: a name, a seed, and the traits drawn from it."""

    subject_id: str
    seed: int
    body: BodyTraits
    face: FaceTraits


def synthetic_person(subject_id: str, seed: int) -> SyntheticPerson:
    """Draw a person; individual differences as ``draw_body`` and ``draw_face`` state them."""
    return SyntheticPerson(
        subject_id,
        seed,
        draw_body(_generator("body traits", seed)),
        draw_face(_generator("face traits", seed)),
    )


@dataclass(frozen=True, eq=False)
class AffectCourse:
    """Valence and arousal over time, both (N,) in [-1, 1], at times (N,) in seconds from 0.

    ``seed`` also seeds what happens in the session beside affect: beats, blinks, noise.
    """

    times: FloatArray
    valence: FloatArray
    arousal: FloatArray
    seed: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.times[-1])

    def labels(self) -> Labels:
        """All ten targets over time, see ``affect_labels``."""
        return Labels(self.times, affect_labels(self.valence, self.arousal))


_PLACES: dict[str, tuple[float, float, float]] = {
    # valence and arousal where the emotion is at its height, and the width of its region
    "neutral": (0.0, 0.0, 0.30),
    "disgust": (-0.65, 0.15, 0.35),
    "joy": (0.75, 0.45, 0.50),
    "surprise": (0.15, 0.85, 0.40),
    "anger": (-0.75, 0.60, 0.40),
    "fear": (-0.45, 0.85, 0.40),
    "sadness": (-0.70, -0.55, 0.50),
}


def affect_labels(valence: FloatArray, arousal: FloatArray) -> FloatArray:
    """(N,) valence and arousal -> (N, 10) in the order of ``TARGETS``.

    Our own smooth map, in the spirit of the circumplex (Russell, J. Pers. Soc. Psychol. 39, 1980):
    liking = 0.85 valence + 0.15 valence arousal; an emotion is a Gaussian hill around its place on
    the plane: joy in quadrant I, surprise at high arousal, anger, fear and disgust in II, sadness
    in III, neutral around the origin.
    """
    columns = {"valence": valence, "arousal": arousal}
    columns["liking"] = 0.85 * valence + 0.15 * valence * arousal
    for emotion in EMOTIONS:
        v, a, width = _PLACES[emotion]
        columns[emotion] = np.exp(-0.5 * ((valence - v) ** 2 + (arousal - a) ** 2) / width**2)
    return np.column_stack([columns[target] for target in TARGETS])


def random_course(duration: float, seed: int) -> AffectCourse:
    """Wander smoothly over the whole plane, one swing in about half a minute.

    Within the course valence and arousal are uncorrelated with each other and with time (exactly,
    before they are bent to cover [-1, 1] evenly), so that elapsed time predicts nothing.

    Raises:
        SessionError: E_CONFIG for a duration under 5 s.
    """
    times = _course_times(duration)
    generator = _generator("course", seed)
    known = [np.ones_like(times), times]
    for _ in range(2):
        raw = wander(generator, len(times), _COURSE_RATE, time_scale=8.0)
        design = np.column_stack(known)
        rest = raw - design @ np.linalg.lstsq(design, raw, rcond=None)[0]
        known.append(rest / rest.std())
    valence, arousal = (np.asarray(erf(x / np.sqrt(2.0))) for x in known[2:])
    return AffectCourse(times, valence, arousal, seed)


def therapy_course(
    duration: float, seed: int, *, begin: float = -0.6, end: float = 0.6
) -> AffectCourse:
    """From quadrant II (about -0.6, +0.6) to quadrant IV (about +0.6, -0.6), with wander.

    The first and the last quarter stay where they are; so 60 minutes hold 15 minutes of each.

    Args:
        begin, end: valence of the first and of the last quarter; arousal is its opposite.

    Raises:
        SessionError: E_CONFIG for a duration under 5 s.
    """
    times = _course_times(duration)
    generator = _generator("course", seed)
    share = np.clip((times / times[-1] - 0.25) / 0.5, 0.0, 1.0)
    path = begin + (end - begin) * share**2 * (3.0 - 2.0 * share)
    scale = float(np.clip(duration / 15.0, 4.0, 15.0))
    around = [
        0.18 * wander(generator, len(times), _COURSE_RATE, time_scale=scale) for _ in range(2)
    ]
    valence, arousal = np.clip(path + around[0], -1, 1), np.clip(around[1] - path, -1, 1)
    return AffectCourse(times, valence, arousal, seed)


def _check_range(name: str, value: float, allowed: Span) -> None:
    if not allowed[0] <= value <= allowed[1]:
        raise SessionError(
            "E_CONFIG",
            f"{name} = {value} is not allowed for a synthetic session.",
            f"It must lie between {allowed[0]:g} and {allowed[1]:g}.",
        )


@dataclass(frozen=True)
class SyntheticSettings:
    """How a synthetic session is recorded.

    Attributes:
        sampling_rate: Hz of ECG and EDA, 50 to 4000.
        frame_rate: frames per second, 1 to 60; 0: the session has no face video.
        face_gaps: (start, end) in seconds during which the face has left the picture.
        ecg_gaps: during which the electrode is off and the ECG is flat.
        eda_gaps: during which the EDA sensor is off the skin and shows 0.

    Raises:
        SessionError: E_CONFIG for a value that is not allowed.
    """

    sampling_rate: float = 256.0
    frame_rate: float = 25.0
    face_gaps: tuple[Span, ...] = ()
    ecg_gaps: tuple[Span, ...] = ()
    eda_gaps: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        _check_range("sampling_rate", self.sampling_rate, (50.0, 4000.0))
        if self.frame_rate != 0:
            _check_range("frame_rate", self.frame_rate, (1.0, 60.0))
        for start, end in (*self.face_gaps, *self.ecg_gaps, *self.eda_gaps):
            if not start < end:
                raise SessionError(
                    "E_CONFIG",
                    f"The gap from {start} s to {end} s does not end after its start.",
                    "State gaps as (start, end) in seconds.",
                )


TRAINING_SETTINGS = SyntheticSettings(sampling_rate=128.0, frame_rate=5.0)
"""For people to train on: neighbouring frames teach little, so fewer are drawn."""


def known_beats(person: SyntheticPerson, course: AffectCourse) -> FloatArray:
    """(B,) the times in seconds at which the person's ECG has its R waves, inside the course."""
    beats = beat_times(
        person.body,
        course.labels(),
        duration=course.duration,
        generator=_generator("ecg", person.seed, course.seed),
    )
    return beats[(beats >= 0.0) & (beats < course.duration)]


def synthetic_recording(
    person: SyntheticPerson, course: AffectCourse, *, settings: SyntheticSettings
) -> Recording:
    """ECG (mV), EDA (uS) and labels in memory; no video. The same seeds give the same bytes."""
    labels = course.labels()
    ecg, eda = (
        values(
            person.body,
            labels,
            duration=course.duration,
            sampling_rate=settings.sampling_rate,
            generator=_generator(stream, person.seed, course.seed),
        )
        for stream, values in (("ecg", ecg_values), ("eda", eda_values))
    )
    times = np.arange(len(ecg)) / settings.sampling_rate
    ecg[_inside(settings.ecg_gaps, times)] = 0.0
    eda[_inside(settings.eda_gaps, times)] = 0.0
    return Recording(
        subject_id=person.subject_id,
        trial_id=f"simulated-{course.seed}",
        simulated=True,
        ecg=Signal(ecg, settings.sampling_rate, "mV", 0.0),
        eda=Signal(eda, settings.sampling_rate, "uS", 0.0),
        labels=labels,
    )


def write_session(
    folder: Path, person: SyntheticPerson, course: AffectCourse, *, settings: SyntheticSettings
) -> Path:
    """Write face.mp4 (if any), signals.csv, truth.csv and session.toml; returns the folder.

    Memory does not grow with the number of frames. session.toml comes last, so that a writer that
    was stopped leaves no session that opens.

    Raises:
        OutputError: E_OUTPUT where the folder cannot be written.
        InputError: Matplotlib's portrait is not there, see ``synthetic_portrait.portrait``.
    """
    recording = synthetic_recording(person, course, settings=settings)
    ecg, eda = recording.ecg, recording.eda
    assert ecg is not None
    assert eda is not None
    _write_csv(
        folder / "signals.csv",
        {"time (s)": ecg.times, "ECG (mV)": ecg.values, "EDA (uS)": eda.values},
    )
    truth = course.labels()
    _write_csv(
        folder / "truth.csv",
        {"time": truth.times} | dict(zip(TARGETS, truth.values.T, strict=True)),
    )
    if settings.frame_rate:
        _write_face(folder / "face.mp4", person, course, settings=settings)
    face = {"face": {"file": "face.mp4", "clock_offset": 0.0}} if settings.frame_rate else {}
    tables = {
        "format": FORMAT,
        "subject_id": person.subject_id,
        "session_id": folder.resolve().name,
        "simulated": True,
        **face,
        "ecg": _signal_table("ECG", ecg),
        "eda": _signal_table("EDA", eda),
        "labels": {"file": "truth.csv"},
    }
    write_text(folder / NAME, session_toml(tables))
    return folder


def _signal_table(channel: str, signal: Signal) -> dict[str, object]:
    return {
        "file": "signals.csv",
        "channel": channel,
        "sampling_rate": signal.sampling_rate,
        "unit": signal.unit,
    }


def _write_face(
    path: Path, person: SyntheticPerson, course: AffectCourse, *, settings: SyntheticSettings
) -> None:
    times = np.arange(round(course.duration * settings.frame_rate)) / settings.frame_rate
    shown = face_course(
        person.face,
        course.labels(),
        duration=course.duration,
        generator=_generator("face", person.seed, course.seed),
    )
    batches = frames(
        person.face,
        shown,
        times=times,
        visible=~_inside(settings.face_gaps, times),
        generator=_generator("camera", person.seed, course.seed),
    )
    write_video(path, batches, settings.frame_rate)


def _write_csv(path: Path, columns: dict[str, FloatArray]) -> None:
    """A comma-separated table; 6 decimals keep a microsecond and 1 nV."""
    import pyarrow
    from pyarrow import csv

    table = pyarrow.table({name: np.round(values, 6) for name, values in columns.items()})

    def write(stream: BinaryIO) -> None:
        csv.write_csv(table, stream, csv.WriteOptions(quoting_style="none"))

    write_with(path, write)


def _generator(stream: str, *seeds: int) -> np.random.Generator:
    """Independent random numbers for each purpose; any whole number is a seed."""
    return np.random.default_rng([_STREAMS.index(stream), *(seed % 2**63 for seed in seeds)])


def _inside(spans: Sequence[Span], times: FloatArray) -> BoolArray:
    """(M,) True where a time lies in one of the half-open spans."""
    inside = np.zeros(len(times), dtype=np.bool_)
    for start, end in spans:
        inside |= (times >= start) & (times < end)
    return inside


def _course_times(duration: float) -> FloatArray:
    _check_range("duration", duration, (5.0, 86_400.0))
    return np.linspace(0.0, duration, int(np.ceil(duration * _COURSE_RATE)) + 1)
