"""What counts in a study: all sessions, what is left out and why, and the long table.

Exclusion rules, in this order; they are told on the page before any result:
1. REJECTED (a duplicate among them): the session counts for nothing.
2. In one of the compared phases, every modality is usable for less than ``least_usable`` of the
   phase: the session counts for nothing.
3. A measure's modality is usable for less than ``least_usable`` of one of the phases: that measure
   does not count. Affect rests on all modalities that the model takes: the best of them counts.
4. No affect score: the session counts for the body and the questionnaires.

Where the rules are silent, and what we do:
1. A patient's sessions are numbered in the order of the folders' names, rejected ones (whose
   patient is known) included, since they took place; duplicates are not.
2. Questionnaires do not depend on recordings, but a session that counts for nothing is left out
   with its questionnaires: all measures are then about the same sessions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from affectscope.errors import SessionError
from affectscope.therapy.measures import AFFECT
from affectscope.therapy.study.reading import (
    KINDS,
    PHASES,
    StudyMeasure,
    StudySession,
    printable,
    read_session,
)

if TYPE_CHECKING:
    import pandas as pd

MEASURED_WITH = {
    "heart rate": "ecg",
    "RMSSD": "ecg",
    "SDNN": "ecg",
    "EDA level": "eda",
    "skin responses": "eda",
}
"""Measure of the body -> its modality."""

EVERYTHING = "all"
_CODES = {"physiology": "W_TOO_SHORT", "affect": "W_PHASE_COVERAGE"}
"""Why a session's measure has no value, where no rule of the study took it out."""


@dataclass(frozen=True)
class StudyFacts:
    """What the results themselves do not say.

    Attributes:
        title: as study.toml states it, "" where it does not.
        data_folder: the name of the folder with the sessions.
        sessions_found: how many session folders lie in it.
        least_usable: share of a compared phase in [0, 1], see the exclusion rules.
        question: what OUT/study.json holds.
        versions: of the program and of what its statistics rest on.
        created: when the page was made, as it is to be shown.
    """

    title: str
    data_folder: str
    sessions_found: int
    least_usable: float
    question: Mapping[str, Any]
    versions: Mapping[str, str]
    created: str


@dataclass(frozen=True)
class Exclusion:
    """What does not count, and why: ``measures`` is "all", or names joined by commas."""

    session: str
    patient: str
    measures: str
    code: str
    reason: str


@dataclass(frozen=True, eq=False)
class StudyRows:
    """All sessions in order, and what was left out of the statistics."""

    sessions: tuple[StudySession, ...]
    exclusions: tuple[Exclusion, ...]

    @property
    def counted(self) -> tuple[StudySession, ...]:
        return tuple(session for session in self.sessions if session.counted)

    @property
    def patients(self) -> tuple[str, ...]:
        """Everybody who is known, in the order of their first session."""
        return tuple(dict.fromkeys(s.patient for s in self.sessions if s.patient))

    @property
    def simulated(self) -> bool:
        return any(session.simulated for session in self.sessions)

    def of(self, patient: str) -> tuple[StudySession, ...]:
        """A patient's sessions, in order."""
        return tuple(session for session in self.sessions if session.patient == patient)

    def status_count(self, status: str) -> int:
        return sum(session.status == status for session in self.sessions)

    def measures(self) -> dict[str, StudyMeasure]:
        """Each measure of the counted sessions as one of them has it: affect, body, answers."""
        found = {part.name: part for session in self.counted for part in session.measures}
        return {name: found[name] for kind in KINDS for name in found if found[name].kind == kind}


def study_rows(results: Mapping[str, Mapping[str, Any]], least_usable: float) -> StudyRows:
    """Read all results and apply the exclusion rules.

    Args:
        results: session's name -> its parsed result.json, in order.
        least_usable: share of a phase in [0, 1].

    Raises:
        SessionError: E_STUDY for a result of another version or with parts missing, for more than
            one model, and for simulated people among real ones.
    """
    sessions: list[StudySession] = []
    exclusions: list[Exclusion] = []
    numbers: Counter[str] = Counter()
    for name, result in results.items():
        patient = printable(str(result.get("subject_id") or ""))
        takes_place = bool(patient) and result.get("code") != "E_DUPLICATE_SESSION"
        numbers[patient] += takes_place
        session = read_session(name, result, numbers[patient] if takes_place else 0)
        session, left_out = _judged(session, least_usable)
        sessions.append(session)
        exclusions += left_out
    rows = StudyRows(tuple(sessions), tuple(exclusions))
    _check_one_model(rows)
    _check_one_population(rows)
    return rows if any(map(_has_affect, rows.counted)) else _said_once(rows)


def long_table(rows: StudyRows) -> pd.DataFrame:
    """One row per counted session and measure: patient, session, number, measure, unit, kind,
    before, after (NaN where absent or left out)."""
    import pandas as pd

    names = ("patient", "session", "number", "measure", "unit", "kind", *PHASES)
    found = []
    for session in rows.counted:
        for name, known in rows.measures().items():
            part = session.measure(name)
            counts = part is not None and not part.left_out
            values = (part.before, part.after) if part is not None and counts else (None, None)
            means = [math.nan if value is None else value.mean for value in values]
            head = (session.patient, session.name, session.number)
            found.append((*head, name, known.unit, known.kind, *means))
    table = pd.DataFrame(found, columns=list(names))
    return table.astype({"number": int, "before": float, "after": float})


def _judged(session: StudySession, least: float) -> tuple[StudySession, list[Exclusion]]:
    """The session with what counts of it, and what does not."""
    if session.status == "REJECTED":
        why = session.result
        return session, [_exclusion(session, EVERYTHING, why["code"], why["sentence"])]
    below = [phase for phase in PHASES if _best(session, phase, None) < least]
    if below:
        reason = f"{' and '.join(below)}: no modality is usable for {least:.0%} of the phase"
        left_out = [_exclusion(session, EVERYTHING, "W_PHASE_COVERAGE", reason)]
        return replace(session, counted=False), left_out
    measures = tuple(
        replace(part, left_out=_lacking(session, part, least)) for part in session.measures
    )
    session = replace(session, measures=measures)
    return session, [*_absent(session), *_no_affect(session)]


def _best(session: StudySession, phase: str, modalities: Sequence[str] | None) -> float:
    """Share of a phase in which the best of the modalities (None: of all) is usable."""
    shares = session.usable[phase]
    return max((shares.get(name, 0.0) for name in modalities or shares), default=0.0)


def _lacking(session: StudySession, part: StudyMeasure, least: float) -> str:
    """Why a measure that has values does not count."""
    modalities: Sequence[str] | None = None
    if part.kind == "questionnaire":
        return ""
    if part.kind == "affect" and session.model is not None:
        modalities = session.model.get("modalities")
    elif part.name in MEASURED_WITH:
        modalities = (MEASURED_WITH[part.name],)
    shares = {phase: _best(session, phase, modalities) for phase in PHASES}
    poor = [f"{phase} {share:.0%}" for phase, share in shares.items() if share < least]
    if not poor:
        return ""
    what = "what the model takes" if part.kind == "affect" else "its signal"
    return f"{what} is usable for less than {least:.0%} of a phase ({', '.join(poor)})"


def _absent(session: StudySession) -> list[Exclusion]:
    """The session's measures without two values that count: one line per reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for part in session.measures:
        if part.left_out:
            found.setdefault(("W_PHASE_COVERAGE", part.left_out), []).append(part.name)
        elif part.change is None:
            code = "W_QUESTIONNAIRE" if part.kind == "questionnaire" else _code(session, part)
            reason = part.reason or "no value in one of the phases"
            found.setdefault((code, reason), []).append(part.name)
    return [
        _exclusion(session, ", ".join(names), code, reason)
        for (code, reason), names in found.items()
    ]


def _code(session: StudySession, part: StudyMeasure) -> str:
    """The code of the session's notice that gives the measure's reason."""
    for notice in session.notices:
        if part.reason and part.reason in str(notice.get("sentence", "")):
            return str(notice["code"])
    return _CODES[part.kind]


def _has_affect(session: StudySession) -> bool:
    return any(part.kind == "affect" for part in session.measures)


def _no_affect(session: StudySession) -> list[Exclusion]:
    if _has_affect(session):
        return []
    sentences = [
        str(notice.get("sentence", ""))
        for notice in session.notices
        if notice["code"] == "W_NO_AFFECT_SCORE"
    ]
    reason = " ".join(sentences) or "No affect score."
    return [_exclusion(session, ", ".join(AFFECT), "W_NO_AFFECT_SCORE", reason)]


def _said_once(rows: StudyRows) -> StudyRows:
    """Where nobody has an affect score, that is one fact about the study, told once a reason."""
    without = [one for one in rows.exclusions if one.code == "W_NO_AFFECT_SCORE"]
    others = [one for one in rows.exclusions if one.code != "W_NO_AFFECT_SCORE"]
    reasons = Counter(one.reason for one in without)
    told = [
        Exclusion(f"{count} sessions", "", ", ".join(AFFECT), "W_NO_AFFECT_SCORE", reason)
        for reason, count in reasons.items()
    ]
    return replace(rows, exclusions=(*others, *told))


def _exclusion(session: StudySession, measures: str, code: str, reason: str) -> Exclusion:
    return Exclusion(session.folder, session.patient, measures, str(code), str(reason))


def _check_one_model(rows: StudyRows) -> None:
    models = {str(s.model["checkpoint_id"]): s.folder for s in rows.sessions if s.model is not None}
    if len(models) > 1:
        named = ", ".join(f"{model[:12]} ({folder})" for model, folder in models.items())
        raise SessionError(
            "E_STUDY",
            f"The sessions were scored by {len(models)} different models: {named}.",
            "Run the study again with one checkpoint, with --out naming a new folder.",
        )


def _check_one_population(rows: StudyRows) -> None:
    assessed = [session for session in rows.sessions if session.status != "REJECTED"]
    simulated = [session.folder for session in assessed if session.simulated]
    if 0 < len(simulated) < len(assessed):
        raise SessionError(
            "E_STUDY",
            f"{len(simulated)} of {len(assessed)} sessions are of simulated people"
            f" ({', '.join(simulated[:3])}{' ...' if len(simulated) > 3 else ''}), the others of"
            " real ones.",
            "Put simulated and real people into studies of their own.",
        )
