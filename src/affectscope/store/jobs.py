"""Jobs: asked for here, carried out by the page's runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

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
