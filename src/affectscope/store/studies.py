"""Which results a study holds, and which sessions it leaves out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.consents import why_not
from affectscope.store.database import Change
from affectscope.store.products import ask_product
from affectscope.store.tables import Job, RecordedSession, Result, Subject


@dataclass(frozen=True)
class ChosenResult:
    """``refused``: the program rejected the session; the study lists it among the excluded."""

    result_id: str
    session_id: str
    subject_id: str
    pseudonym: str
    label: str
    refused: bool


@dataclass(frozen=True)
class LeftOut:
    session_id: str
    pseudonym: str
    label: str
    reason: str


@dataclass(frozen=True)
class StudyChoice:
    """What a study that is asked for now would hold."""

    results: list[ChosenResult]
    left_out: list[LeftOut]

    @property
    def usable(self) -> int:
        return sum(not result.refused for result in self.results)


@dataclass(frozen=True)
class _Candidate:
    session_id: str
    label: str
    subject_id: str
    pseudonym: str
    result_id: str | None
    status: str | None
    rejected_at: datetime | None


def choose_results(session: Session, project_id: str, at: datetime) -> StudyChoice:
    """Of each session the newest result that nobody rejected, where the person allows it."""
    by_session: dict[str, list[_Candidate]] = {}
    for candidate in _candidates(session, project_id):
        by_session.setdefault(candidate.session_id, []).append(candidate)
    people = sorted({candidates[0].subject_id for candidates in by_session.values()})
    refused = why_not(session, people, "scoring", at)
    choice = StudyChoice([], [])
    for candidates in by_session.values():
        first = candidates[0]
        found = _newest_usable(candidates)
        reason = refused[first.subject_id] or _why_none(candidates)
        if found is None or refused[first.subject_id]:
            choice.left_out.append(LeftOut(first.session_id, first.pseudonym, first.label, reason))
        else:
            choice.results.append(found)
    return choice


def ask_study(change: Change, project_id: str) -> Job:
    """Make the study's page anew, over the results that there are now.

    Raises:
        StoreError: E_VALUE where no result can be used, E_CONFLICT while one is being made.
    """
    choice = choose_results(change.session, project_id, change.at)
    if not choice.usable:
        raise StoreError(
            "E_VALUE", "No session has a result that a study can use.",
            "Score sessions first; the list below says what each one lacks.",
        )  # fmt: skip
    detail = {
        "subjects": sorted({result.subject_id for result in choice.results}),
        "results": [result.result_id for result in choice.results],
    }
    return ask_product(change, "study", about={"project_id": project_id}, detail=detail)


def _candidates(session: Session, project_id: str) -> list[_Candidate]:
    """Each session with each of its results, the newest first; one row where it has none."""
    rows = session.execute(
        select(
            RecordedSession.id,
            RecordedSession.label,
            Subject.id,
            Subject.pseudonym,
            Result.id,
            Result.status,
            Result.rejected_at,
        )
        .join(Subject, Subject.id == RecordedSession.subject_id)
        .outerjoin(Result, Result.session_id == RecordedSession.id)
        .where(Subject.project_id == project_id, Subject.erasing.is_(False))
        .order_by(
            Subject.pseudonym,
            RecordedSession.created_at,
            RecordedSession.id,
            Result.created_at.desc(),
            Result.id,
        )
    )
    return [_Candidate(*row) for row in rows]


def _newest_usable(candidates: list[_Candidate]) -> ChosenResult | None:
    """One that the program itself rejected only where there is no other."""
    standing = [found for found in candidates if found.result_id and found.rejected_at is None]
    accepted = [found for found in standing if found.status != "REJECTED"]
    for found in (accepted or standing)[:1]:
        assert found.result_id is not None
        return ChosenResult(
            found.result_id,
            found.session_id,
            found.subject_id,
            found.pseudonym,
            found.label,
            found.status == "REJECTED",
        )
    return None


def _why_none(candidates: list[_Candidate]) -> str:
    if candidates[0].result_id is None:
        return "it has not been scored"
    return "a person rejected its result"
