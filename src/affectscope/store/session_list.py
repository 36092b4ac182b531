"""The list of sessions: whose, called what, and how far each is.

A page costs two questions, however many sessions there are: how many fit, and the rows of the
page. The state of a session (its newest result and its newest job) is looked up for the rows of
the page only; sorting by state alone looks at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, ScalarSelect, UnaryExpression, case, func, or_, select
from sqlalchemy.orm import Session

from affectscope.store.jobs import OPEN
from affectscope.store.sessions import is_set_up
from affectscope.store.subjects import PAGE_ROWS
from affectscope.store.tables import Job, RecordedSession, Result, StoredFile, Subject

SortKey = Literal["person", "date", "state"]
Direction = Literal["ascending", "descending"]

STATES: dict[str, str] = {
    "empty": "no files yet",
    "to set up": "to set up",
    "ready": "ready to score",
    "waiting": "waiting",
    "running": "running",
    "failed": "stopped by a fault",
    "OK": "OK",
    "DEGRADED": "DEGRADED",
    "REJECTED": "REJECTED",
    "set aside": "result rejected by a person",
}
"""State of a session -> how it is called."""


@dataclass(frozen=True)
class ListedSession:
    """``share``: of the running job, 0 to 1."""

    id: str
    label: str
    created_at: datetime
    subject_id: str
    pseudonym: str
    state: str
    share: float


@dataclass(frozen=True)
class SessionPage:
    rows: list[ListedSession]
    count: int
    """Sessions in all, on this page and others."""


@dataclass(frozen=True)
class Asked:
    """Which sessions, in which order. ``search``: a part of the pseudonym or the label."""

    search: str = ""
    sort: SortKey = "date"
    direction: Direction = "descending"
    page: int = 1


def sessions_of_project(session: Session, project_id: str, asked: Asked) -> SessionPage:
    """A page of the project's sessions."""
    wanted = [Subject.project_id == project_id, Subject.erasing.is_(False)]
    if asked.search:
        wanted.append(
            or_(
                Subject.pseudonym.icontains(asked.search, autoescape=True),
                RecordedSession.label.icontains(asked.search, autoescape=True),
            )
        )
    return _page(session, wanted, asked)


def sessions_of_subject(session: Session, subject_id: str, page: int = 1) -> SessionPage:
    """A page of the person's sessions, newest first."""
    wanted = [Subject.id == subject_id, Subject.erasing.is_(False)]
    return _page(session, wanted, Asked(page=page))


def _page(session: Session, wanted: list[ColumnElement[bool]], asked: Asked) -> SessionPage:
    joined = Subject.id == RecordedSession.subject_id
    count = session.scalars(
        select(func.count()).select_from(RecordedSession).join(Subject, joined).where(*wanted)
    ).one()
    shown = (
        select(RecordedSession.id)
        .join(Subject, joined)
        .where(*wanted)
        .order_by(*_order(asked))
        .limit(PAGE_ROWS)
        .offset(PAGE_ROWS * (asked.page - 1))
    )
    rows = session.execute(
        select(
            RecordedSession.id,
            RecordedSession.label,
            RecordedSession.created_at,
            RecordedSession.settings,
            Subject.id.label("subject_id"),
            Subject.pseudonym,
            _has_files().label("has_files"),
            Result.status,
            Result.created_at.label("scored_at"),
            Result.rejected_at,
            Job.state.label("job_state"),
            Job.share,
            Job.ended_at,
        )
        .join(Subject, joined)
        .outerjoin(Result, Result.id == _newest(Result))
        .outerjoin(Job, Job.id == _newest(Job))
        .where(RecordedSession.id.in_(shown))
        .order_by(*_order(asked))
    )
    return SessionPage([_listed(row) for row in rows], count)


def _order(asked: Asked) -> list[UnaryExpression[Any]]:
    """Ends with the id, so that no session is on two pages or on none."""
    first: dict[SortKey, list[Any]] = {
        "person": [Subject.pseudonym, RecordedSession.created_at],
        "date": [RecordedSession.created_at],
        "state": [_rank(), RecordedSession.created_at],
    }
    parts = [*first[asked.sort], RecordedSession.id]
    falling = asked.direction == "descending"
    return [part.desc() if falling else part.asc() for part in parts]


def _newest(table: type[Result] | type[Job]) -> ScalarSelect[str]:
    """The id of a session's newest row."""
    return (
        select(table.id)
        .where(table.session_id == RecordedSession.id)
        .order_by(table.created_at.desc(), table.id)
        .limit(1)
        .correlate(RecordedSession)
        .scalar_subquery()
    )


def _has_files() -> ColumnElement[bool]:
    return (
        select(StoredFile.id)
        .where(StoredFile.session_id == RecordedSession.id)
        .correlate(RecordedSession)
        .exists()
    )


def _rank() -> ColumnElement[int]:
    """What goes on comes before what is done, what has no result comes last. One look at an index
    for each session, no more: all sessions of a project are ranked for one page."""
    goes_on = {
        state: RecordedSession.id.in_(select(Job.session_id).where(Job.state == state))
        for state in OPEN
    }
    result = (
        select(case((Result.rejected_at.is_not(None), "set aside"), else_=Result.status))
        .where(Result.session_id == RecordedSession.id)
        .order_by(Result.created_at.desc())
        .limit(1)
        .correlate(RecordedSession)
        .scalar_subquery()
    )
    ranks = {"OK": 2, "DEGRADED": 3, "REJECTED": 4, "set aside": 5}
    return case(
        (goes_on["running"], 0), (goes_on["waiting"], 1), else_=case(ranks, value=result, else_=6)
    )


def _listed(row: Row[Any]) -> ListedSession:
    share = row.share if row.job_state == "running" else 0.0
    return ListedSession(
        row.id, row.label, row.created_at, row.subject_id, row.pseudonym, _state(row), share or 0.0
    )


def _state(row: Row[Any]) -> str:
    if row.job_state in OPEN:
        return str(row.job_state)
    if row.job_state == "failed" and _is_newer(row.ended_at, row.scored_at):
        return "failed"
    if row.rejected_at is not None:
        return "set aside"
    if row.status is not None:
        return str(row.status)
    if not row.has_files:
        return "empty"
    return "ready" if is_set_up(row.settings) else "to set up"


def _is_newer(ended_at: datetime | None, scored_at: datetime | None) -> bool:
    return scored_at is None or (ended_at is not None and ended_at >= scored_at)
