"""All that a session's page tells of a session, in a few questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from affectscope.store.jobs import newest_job, open_jobs
from affectscope.store.results import results_of
from affectscope.store.sessions import SessionHead, session_head
from affectscope.store.tables import Job, Result, StoredFile, User


@dataclass(frozen=True)
class SessionView:
    """Attributes:
    files: how many it has.
    open_jobs: those that wait or run, the oldest first.
    failed: the newest scoring, where it failed.
    results: the newest first.
    names: user id -> name, of those who rejected a result.
    """

    head: SessionHead
    files: int
    open_jobs: list[Job]
    failed: Job | None
    results: list[Result]
    names: Mapping[str, str]


def session_view(session: Session, session_id: str) -> SessionView:
    """Raises StoreError E_NOT_FOUND."""
    head = session_head(session, session_id)
    files = select(func.count()).where(StoredFile.session_id == session_id)
    newest = newest_job(session, session_id, "score")
    results = results_of(session, session_id)
    people = {result.rejected_by for result in results if result.rejected_by is not None}
    users = list(session.scalars(select(User).where(User.id.in_(people)))) if people else []
    return SessionView(
        head,
        session.scalars(files).one(),
        open_jobs(session, session_id),
        newest if newest is not None and newest.state == "failed" else None,
        results,
        {user.id: user.name for user in users},
    )
