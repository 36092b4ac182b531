"""One session: what was usable, what the body did, and how affect moved from before to after.

No test over windows is made here: neighbouring windows share samples, so means carry moving-block
bootstrap intervals (``evaluation.statistics``).

Legend: N analysed times, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from affectscope.datasets.alignment import aligned
from affectscope.datasets.window_dataset import (
    BodyAnalysis,
    StreamSettings,
    WindowBatch,
    WindowStream,
    analyse_body,
)
from affectscope.errors import ModelError, SessionError
from affectscope.evaluation.phases import Phases
from affectscope.inference.person_photo import photo_check
from affectscope.inference.predictor import Predictor, joined
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.preprocessing.ecg import heart_rate_at
from affectscope.preprocessing.eda import tonic_at
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import (
    MODALITIES,
    TARGETS,
    BoolArray,
    FloatArray,
    Modality,
    Notice,
    PersonRule,
    Prediction,
)
from affectscope.therapy.certificate import Certificate, ShiftProbe
from affectscope.therapy.measures import (
    AgainstTruth,
    Measure,
    affect_measures,
    against_truth,
    body_measures,
    compared_phases,
    course_of_body,
    quadrant,
)
from affectscope.therapy.quality_table import session_quality

Status = Literal["OK", "DEGRADED"]

_INFORMATION = {"W_NO_AFFECT_SCORE"}
"""Notices about what was not asked for; they do not degrade a result."""

_LONGEST_BLINK = 1.0
"""Seconds: shorter losses of the face are not told one by one."""

SAFE_STEP = 0.2 + 1e-6
"""Seconds between pictures up to which no crossing went unnoticed (docs/people.md)."""

_FOLLOWED: dict[PersonRule, str] = {
    "largest": "the largest face at the start",
    "left": "the face furthest to the left at the start",
    "right": "the face furthest to the right at the start",
    "box": "the face in the stated boxes",
    "photo": "the face on the reference photo, with which all faces were compared",
}


@dataclass(frozen=True)
class Coverage:
    """How much of a modality could be used.

    ``usable`` is the share in [0, 1] of what was recorded; ``recorded`` its seconds, of which
    the session has ``session_duration``.
    """

    usable: float
    recorded: float
    session_duration: float


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything that the report, result.json and the timeline are made of."""

    session: Session
    status: Status
    notices: tuple[Notice, ...]
    coverage: Mapping[Modality, Coverage]
    phases: Phases
    phase_rule: str
    body: tuple[Measure, ...]
    affect: tuple[Measure, ...]
    against_truth: tuple[AgainstTruth, ...]
    timeline: pd.DataFrame
    body_course: pd.DataFrame
    quality: pd.DataFrame
    prediction: Prediction | None
    predictor: Predictor | None
    certificate: Certificate

    @property
    def points(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(valence, arousal) before and after; None where one of the four means is missing."""
        means = [part for measure in self.affect for part in (measure.before, measure.after)]
        if len(means) != 4 or any(mean is None for mean in means):
            return None
        valence_before, valence_after, arousal_before, arousal_after = (
            mean.mean for mean in means if mean is not None
        )
        return (valence_before, arousal_before), (valence_after, arousal_after)

    @property
    def quadrants(self) -> tuple[str, str] | None:
        """The circumplex quadrants of the two points."""
        points = self.points
        return None if points is None else (quadrant(*points[0]), quadrant(*points[1]))


def assess(
    session: Session,
    predictor: Predictor | None = None,
    *,
    rate: float | None = None,
    force: bool = False,
    on_time: Callable[[float], None] = lambda _time: None,
) -> Assessment:
    """Assess one session in constant memory.

    Args:
        predictor: None reports the body and the coverage only.
        rate: analysed times per second; None takes every video frame, at most 30 per second.
        force: score even with weights that were not fitted on people; the report then says so.
        on_time: called with the session time reached, for progress.

    Raises:
        SessionError: E_NO_USABLE_MODALITY where nothing can be used.
    """
    session = aligned(session, on_time)
    recording = session.recording
    body = analyse_body(recording)
    scorer, why = _scorer(session, predictor, force)
    stream = WindowStream(
        recording=recording,
        body=body,
        preprocessing=scorer.checkpoint.preprocessing if scorer else Preprocessing(),
        face_model=face_model,
        settings=StreamSettings(rate=rate, person=session.person),
        photo_check=photo_check,
        on_time=on_time,
    )
    walk, probe = _Walk(), ShiftProbe(stream, scorer)
    for batch in stream:
        values = None if scorer is None else scorer.score(batch)
        walk.add(batch, values)
        probe.add(batch, values)
    coverage = _coverage(session, body, walk)
    notices = [
        *recording.notices,
        *body.notices,
        *stream.notices,
        *_absences(session),
        *walk.face_notices(session, stream.notices),
        *_low_coverage(coverage),
        *why,
    ]
    if not any(part.usable > 0 for part in coverage.values()):
        reasons = [f"{n.modality}: {n.sentence}" for n in notices if n.code.startswith("E_")]
        raise SessionError(
            "E_NO_USABLE_MODALITY",
            " ".join(["Nothing in this session can be used.", *reasons]),
            "Check the sensors' contact and the files that session.toml names.",
        )
    phases, rule = compared_phases(session)
    course = course_of_body(recording.span, body)
    measures = body_measures(body, course, phases)
    notices += _left_out(measures)
    prediction = walk.prediction(scorer, session)
    labels = recording.labels
    return Assessment(
        session=session,
        status="OK" if {notice.code for notice in notices} <= _INFORMATION else "DEGRADED",
        notices=tuple(notices),
        coverage=coverage,
        phases=phases,
        phase_rule=rule,
        body=measures,
        affect=() if prediction is None else affect_measures(prediction, phases),
        against_truth=against_truth(prediction, labels) if prediction and labels else (),
        timeline=walk.timeline(body),
        body_course=course,
        quality=session_quality(recording, body, walk.batches),
        prediction=prediction,
        predictor=scorer,
        certificate=probe.certificate(session, phases),
    )


def _scorer(
    session: Session, predictor: Predictor | None, force: bool
) -> tuple[Predictor | None, list[Notice]]:
    """The predictor if it may score this session, and the sentence that says why not."""
    if predictor is None:
        return None, [
            Notice(
                "W_NO_AFFECT_SCORE",
                "No affect score: no checkpoint was given, and none that was trained on people "
                "ships with this program.",
            )
        ]
    try:
        predictor.check_population(session.recording)
    except ModelError as error:
        if not force:
            return None, [Notice("W_NO_AFFECT_SCORE", f"No affect score: {error.sentence}")]
        sentence = f"These affect scores mean nothing: {error.sentence}"
        return predictor, [Notice("W_FORCED_SCORE", sentence)]
    return predictor, []


@dataclass
class _Walk:
    """What is kept of every analysed time: small rows, no pictures."""

    batches: list[WindowBatch] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)

    def add(self, batch: WindowBatch, values: FloatArray | None) -> None:
        """Keep a batch without its inputs."""
        self.batches.append(batch.without_inputs())
        if values is None:
            values = np.full((len(batch.keys), len(TARGETS)), np.nan)
        self.values.append(values)

    @property
    def times(self) -> FloatArray:
        return np.concatenate([batch.times for batch in self.batches])

    @property
    def present(self) -> BoolArray:
        return np.concatenate([batch.present_matrix for batch in self.batches])

    def prediction(self, scorer: Predictor | None, session: Session) -> Prediction | None:
        if scorer is None:
            return None
        return joined(self.batches, self.values, scorer, session.recording)

    def timeline(self, body: BodyAnalysis) -> pd.DataFrame:
        """A row per analysed time: targets, validity, face quality, heart rate, EDA level."""
        times, present = self.times, self.present
        nothing = np.full(len(times), np.nan)
        values = np.concatenate(self.values)
        return pd.DataFrame(
            {
                "time": times,
                **{name: values[:, column] for column, name in enumerate(TARGETS)},
                **{f"{name}_valid": present[:, k] for k, name in enumerate(MODALITIES)},
                "face_quality": np.concatenate([batch.face_quality for batch in self.batches]),
                "heart_rate": nothing if body.ecg is None else heart_rate_at(body.ecg, times),
                "eda_tonic": nothing if body.eda is None else tonic_at(body.eda, times),
            }
        )

    def face_notices(self, session: Session, told: Sequence[Notice]) -> list[Notice]:
        """No face at all, gaps of a second and more that ``told`` does not explain already, other
        people in the picture."""
        video = session.recording.video
        if video is None:
            return []
        times, present = self.times, self.present[:, 0]
        inside = (times >= video.start_time) & (times <= video.end_time)
        times, present = times[inside], present[inside]
        seen = int(max(batch.faces_seen.max() for batch in self.batches))
        if not present.any():
            sentence = (
                "No face in the video is surely the person's and can be read, so it is not used."
                if seen
                else "No face was found in the video, so it is not used."
            )
            return [Notice("E_NO_FACE", sentence, "face", video.start_time, video.end_time)]
        notices = [
            Notice("W_FACE_GAPS", "The face was not visible or too poor to be read.", "face", *gap)
            for gap in _gaps(times, present)
            if not any(_within(gap, notice) for notice in told)
        ]
        if seen > 1:
            several = np.concatenate([batch.faces_seen for batch in self.batches]) > 1
            who = "One other person was" if seen == 2 else f"Up to {seen - 1} other people were"
            sentence = (
                f"{who} in the picture, for {100 * several.mean():.0f} % of the time; no face of"
                f" others was scored or stored. Followed: {_FOLLOWED[session.person.rule]}"
                " (person in session.toml). To see who that is: affectscope people SESSION --out"
                " DIR"
            )
            if len(times) > 1 and np.median(np.diff(times)) > SAFE_STEP:
                sentence += (
                    f". Fewer than {1 / SAFE_STEP:.0f} pictures a second were looked at: people who"
                    " cross may be exchanged unnoticed; assess at a higher --rate"
                )
            notices.append(Notice("W_SEVERAL_FACES", f"{sentence}.", "face"))
        return notices


def _within(gap: tuple[float, float], notice: Notice) -> bool:
    """Whether a notice says already why the face is missing in a gap."""
    if notice.start is None or notice.end is None:
        return False
    return notice.start - _LONGEST_BLINK <= gap[0] and gap[1] <= notice.end + _LONGEST_BLINK


def _gaps(times: FloatArray, present: BoolArray) -> list[tuple[float, float]]:
    """Spans of at least a second without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], present, [True]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    found = [
        (float(times[first]), float(times[min(last, len(times) - 1)]))
        for first, last in zip(begins, ends, strict=True)
    ]
    return [(start, end) for start, end in found if end - start >= _LONGEST_BLINK]


def _coverage(session: Session, body: BodyAnalysis, walk: _Walk) -> dict[Modality, Coverage]:
    """Per recorded modality; a signal that was rejected as a whole has 0."""
    recording = session.recording
    start, end = recording.span
    coverage: dict[Modality, Coverage] = {}
    for name, track in recording.tracks.items():
        usable = 0.0
        if name == "face":
            inside = (walk.times >= track.start_time) & (walk.times <= track.end_time)
            usable = float(walk.present[inside, 0].mean()) if inside.any() else 0.0
        elif name == "ecg" and body.ecg is not None:
            usable = float(body.ecg.valid.mean())
        elif name == "eda" and body.eda is not None:
            usable = float(body.eda.valid.mean())
        coverage[name] = Coverage(usable, track.duration, end - start)
    return coverage


def _absences(session: Session) -> list[Notice]:
    """A modality that session.toml does not name at all."""
    recording = session.recording
    known = {*recording.tracks, *(notice.modality for notice in recording.notices)}
    return [
        Notice("W_MODALITY_ABSENT", "It is not part of this session.", name)
        for name in MODALITIES
        if name not in known
    ]


def _left_out(measures: Sequence[Measure]) -> list[Notice]:
    """One notice per reason."""
    names: dict[str, list[str]] = {}
    for measure in measures:
        if measure.reason:
            names.setdefault(measure.reason, []).append(measure.name)
    return [
        Notice("W_TOO_SHORT", f"No {' and '.join(absent)} ({reason}).")
        for reason, absent in names.items()
    ]


def _low_coverage(coverage: Mapping[Modality, Coverage]) -> list[Notice]:
    return [
        Notice(
            "W_LOW_COVERAGE",
            f"Only {100 * part.usable:.0f} % of its recording is usable.",
            name,
        )
        for name, part in coverage.items()
        if 0 < part.usable < 0.5
    ]
