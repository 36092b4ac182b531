"""Jobs, seen by who asks for them: asked, looked at, cancelled. See ``running_jobs`` too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.consents import check_consent
from affectscope.store.database import Change
from affectscope.store.sessions import session_head
from affectscope.store.tables import Job

OPEN = ("waiting", "running")


def ask_inspection(change: Change, session_id: str) -> Job:
    """Look at a session's files. One that waits already will see the newest files too."""
    waiting = select(Job).where(
        Job.session_id == session_id, Job.kind == "inspect", Job.state == "waiting"
    )
    found = change.session.scalars(waiting).first()
    if found is not None:
        return found
    head = session_head(change.session, session_id)
    return add_job(change, "inspect", {"session_id": session_id, "project_id": head.project_id})


def ask_scoring(change: Change, session_id: str) -> Job:
    """Estimate a session with the settings that it has now.

    Raises:
        StoreError: E_CONSENT (G01); E_CONFLICT while it is being estimated already (W21); E_VALUE
            where it is not set up.
    """
    head = session_head(change.session, session_id)
    check_consent(change.session, head.subject_id, "scoring", change.at)
    if not head.is_set_up:
        raise StoreError(
            "E_VALUE",
            "This session is not set up: nobody has said yet which file holds the face, the ECG or"
            " the skin conductance.",
            "Open Set-up, answer what it asks, and save.",
        )
    if any(job.kind == "score" for job in open_jobs(change.session, session_id)):
        raise StoreError(
            "E_CONFLICT", "This session is being estimated already.", "Wait for it, or cancel it."
        )
    about = {
        "project_id": head.project_id, "subject_id": head.subject_id, "session_id": session_id,
    }  # fmt: skip
    detail = {"settings_version": head.version, "settings": dict(head.settings)}
    return add_job(change, "score", about, detail)


def add_job(
    change: Change, kind: str, about: Mapping[str, str], detail: Mapping[str, Any] | None = None
) -> Job:
    """A new job that waits.

    Args:
        about: "project_id" and, where it is about one, "subject_id" and "session_id".
    """
    job = Job(
        kind=kind,
        asked_by=change.actor_id,
        detail=dict(detail or {}),
        created_at=change.at,
        **about,
    )
    change.session.add(job)
    change.session.flush()
    change.audit("job.asked", "job", job.id, {"kind": kind, **about})
    return job


def cancel_job(change: Change, job_id: str) -> None:
    """The job is not wanted any more; the runner sees it within a second.

    Raises:
        StoreError: E_CONFLICT where it has ended; E_NOT_FOUND.
    """
    job = held_job(change.session, job_id)
    if job.state not in OPEN:
        raise StoreError(
            "E_CONFLICT", "The job has ended already.", "Load the page again to see how."
        )
    job.state, job.ended_at = "cancelled", change.at
    change.audit("job.cancelled", "job", job_id, {"kind": job.kind})


def held_job(session: Session, job_id: str) -> Job:
    """Raises StoreError E_NOT_FOUND."""
    job = session.get(Job, job_id)
    if job is None:
        raise StoreError("E_NOT_FOUND", "There is no such job.", "Load the page again.")
    return job


def open_jobs(session: Session, session_id: str) -> list[Job]:
    """Those of a recorded session that wait or run, the oldest first."""
    question = select(Job).where(Job.session_id == session_id, Job.state.in_(OPEN))
    return list(session.scalars(question.order_by(Job.created_at, Job.id)))


def open_jobs_of_project(session: Session, project_id: str) -> list[Job]:
    """Those that wait or run, the oldest first."""
    question = select(Job).where(Job.project_id == project_id, Job.state.in_(OPEN))
    return list(session.scalars(question.order_by(Job.created_at, Job.id)))


def newest_job(session: Session, session_id: str, kind: str) -> Job | None:
    question = select(Job).where(Job.session_id == session_id, Job.kind == kind)
    return session.scalars(question.order_by(Job.created_at.desc(), Job.id.desc())).first()
