"""One session: what was usable, what the body did, and how affect moved from before to after.

No test over windows is made here: neighbouring windows share samples, so means carry moving-block
bootstrap intervals (``evaluation.statistics``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from affectscope.datasets.alignment import aligned
from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowBatch, WindowStream
from affectscope.errors import ModelError, SessionError
from affectscope.evaluation.phases import Phases
from affectscope.evaluation.quadrants import quadrant_probability, quadrant_time
from affectscope.evaluation.statistics import Estimate
from affectscope.inference.person_photo import photo_check
from affectscope.inference.predictor import Predictor, Shares
from affectscope.inference.stress import StressCourse
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Modality, Notice, Prediction
from affectscope.therapy.calibrated import with_intervals
from affectscope.therapy.certificate import Certificate, ShiftProbe
from affectscope.therapy.change import MarkedPhase, Sensitivity, change_of, in_phases
from affectscope.therapy.compared import compared_phases
from affectscope.therapy.coverage import (
    Coverage,
    PhaseCoverage,
    absences,
    coverage_notices,
    phase_coverage,
    session_coverage,
)
from affectscope.therapy.influence import Influence, InfluenceProbe
from affectscope.therapy.measures import (
    AFFECT,
    AgainstTruth,
    Measure,
    affect_quantities,
    against_truth,
    quadrant,
)
from affectscope.therapy.physiology import BODY, body_quantities, course_of_body
from affectscope.therapy.quality_table import session_quality
from affectscope.therapy.questionnaires.keys import FORMS
from affectscope.therapy.questionnaires.scores import QuestionnaireScore, questionnaire_scores
from affectscope.therapy.session_walk import Walk
from affectscope.therapy.stress import stress_of

Status = Literal["OK", "DEGRADED"]

INFORMATION = {"W_NO_AFFECT_SCORE", "W_NO_STRESS_LIKELIHOOD", "W_EXCLUDED"}
"""Notices about what was not asked for, or was left out on purpose; they degrade no result."""


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything that the report, result.json and the timeline are made of.

    Attributes:
        phase_coverage: "before" and "after" -> the share of each that was used, by modality.
        quadrant_probability, quadrant_time: "before" and "after" -> by quadrant ("I" to "IV") the
            probability that the phase's mean lies in it, and the share of scored time in it. A
            phase that cannot be told is left out; None without any.
        stress: the stress likelihood, which is neither valence nor arousal; None without heart and
            skin, or where its model cannot be read.
    """

    session: Session
    status: Status
    notices: tuple[Notice, ...]
    coverage: Mapping[Modality, Coverage]
    phase_coverage: PhaseCoverage
    phases: Phases
    phase_rule: str
    body: tuple[Measure, ...]
    affect: tuple[Measure, ...]
    quadrant_probability: Mapping[str, Mapping[str, float]] | None
    quadrant_time: Mapping[str, Mapping[str, Estimate]] | None
    sensitivity: Sensitivity
    marked: tuple[MarkedPhase, ...]
    questionnaires: tuple[QuestionnaireScore, ...]
    influence: Influence | None
    against_truth: tuple[AgainstTruth, ...]
    timeline: pd.DataFrame
    body_course: pd.DataFrame
    stress: StressCourse | None
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
    body = analyse_body(session.recording, session.excluded)
    scorer, why = _scorer(session, predictor, force)
    stream = WindowStream(
        recording=session.recording,
        body=body,
        preprocessing=scorer.checkpoint.preprocessing if scorer else Preprocessing(),
        face_model=face_model,
        settings=StreamSettings(rate=rate, person=session.person, excluded=session.excluded),
        photo_check=photo_check,
        on_time=on_time,
    )
    walk, shifts, parts = Walk(), ShiftProbe(stream, scorer), InfluenceProbe(scorer)
    for batch, shares in _scored(stream, scorer):
        values = None if scorer is None else scorer.values(shares, batch.present)
        walk.add(batch, values)
        shifts.add(batch, shares)
        parts.add(batch, shares)
    session = replace(session, recording=walk.ended(session.recording))
    walked = _Walked(session, body, walk, scorer, shifts, parts)
    return walked.assessment([*stream.notices, *why, *walk.face_notices(session, stream.notices)])


def _scored(stream: WindowStream, scorer: Predictor | None) -> Iterator[tuple[WindowBatch, Shares]]:
    """The stream's batches with what the network makes of them; nothing where nobody scores."""
    if scorer is None:
        return ((batch, {}) for batch in stream)
    return scorer.scored(stream)


@dataclass(frozen=True)
class _Walked:
    """A session after its end: what the assessment is made of."""

    session: Session
    body: BodyAnalysis
    walk: Walk
    scorer: Predictor | None
    shifts: ShiftProbe
    parts: InfluenceProbe

    def assessment(self, told: Sequence[Notice]) -> Assessment:
        """``told`` are the notices of the walk."""
        session, walk, body = self.session, self.walk, self.body
        recording = session.recording
        phases, rule = compared_phases(session)
        quality = session_quality(recording, body, walk.batches, session.excluded)
        coverage = session_coverage(recording, body, walk.times, walk.present[:, 0])
        by_phase = phase_coverage(quality, list(coverage), phases)
        prediction = walk.prediction(self.scorer, session)
        course = course_of_body(recording.span, body, session.excluded)
        change = change_of(
            session,
            phases,
            of_affect=() if prediction is None else affect_quantities(prediction),
            of_body=body_quantities(body, course),
            quality=quality,
        )
        answers, about_answers = _questionnaires(session)
        stress, about_stress = stress_of(session, body)
        notices = (
            *recording.notices,
            *_excluded(session),
            *body.notices,
            *told,
            *absences(recording),
            *coverage_notices(coverage, by_phase, phases),
            *_left_out(change.body),
            *about_answers,
            *about_stress,
            *_unknown_measures(session),
        )
        _check_usable(coverage, notices)
        labels = recording.labels
        return Assessment(
            session=session,
            status="OK" if {notice.code for notice in notices} <= INFORMATION else "DEGRADED",
            notices=notices,
            coverage=coverage,
            phase_coverage=by_phase,
            phases=phases,
            phase_rule=rule,
            body=change.body,
            affect=change.affect,
            quadrant_probability=in_phases(prediction, phases, quadrant_probability),
            quadrant_time=in_phases(prediction, phases, quadrant_time),
            sensitivity=change.sensitivity,
            marked=change.marked,
            questionnaires=answers,
            influence=self.parts.influence(phases),
            against_truth=against_truth(prediction, labels) if prediction and labels else (),
            timeline=with_intervals(walk.timeline(body, stress), prediction),
            body_course=course,
            stress=stress,
            quality=quality,
            prediction=prediction,
            predictor=self.scorer,
            certificate=self.shifts.certificate(session, phases),
        )


def _questionnaires(
    session: Session,
) -> tuple[tuple[QuestionnaireScore, ...], tuple[Notice, ...]]:
    if session.questionnaires is None:
        return (), ()
    recording = session.recording
    return questionnaire_scores(
        session.questionnaires, recording.subject_id, recording.trial_id, session.reliability
    )


def _check_usable(coverage: Mapping[Modality, Coverage], notices: Sequence[Notice]) -> None:
    """Raises SessionError E_NO_USABLE_MODALITY with the reason for each modality."""
    if any(part.usable > 0 for part in coverage.values()):
        return
    whole = [n.sentence for n in notices if n.code == "W_EXCLUDED"]
    reasons = [f"{n.modality}: {n.sentence}" for n in notices if n.code.startswith("E_")] + whole
    raise SessionError(
        "E_NO_USABLE_MODALITY",
        " ".join(["Nothing in this session can be used.", *reasons]),
        "Check the sensors' contact and the files that session.toml names.",
    )


def _scorer(
    session: Session, predictor: Predictor | None, force: bool
) -> tuple[Predictor | None, list[Notice]]:
    """The predictor if it may score this session, and the sentence that says why not."""
    if predictor is None:
        return None, [
            Notice(
                "W_NO_AFFECT_SCORE",
                "No affect score: no checkpoint was given, and none that scores the "
                "affect of people ships with this program.",
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


def _excluded(session: Session) -> list[Notice]:
    """What the user left out, with the reason as it was given."""
    return [
        Notice(
            "W_EXCLUDED",
            f"Left out by the user: {span.reason.rstrip('.')}.",
            span.modality,
            span.start,
            span.end,
        )
        for span in session.excluded
    ]


def _unknown_measures(session: Session) -> list[Notice]:
    """A stated reliability that no measure has the name of."""
    scales = [scale.measure for form in FORMS.values() for scale in form.scales]
    known = (*AFFECT, *BODY, *scales)
    return [
        Notice(
            "W_LEFT_OUT",
            f"[reliability] names {name!a}, and no measure is called so. Measures are"
            f" {', '.join(known)}.",
        )
        for name in session.reliability
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
