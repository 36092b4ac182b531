"""Jobs, seen by who carries them out: taken up, told about, ended, and taken up again.

What a row says is what holds: a job whose row is no longer "running" is not wanted any more,
whoever changed it.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from affectscope.errors import AffectScopeError
from affectscope.store.database import Change
from affectscope.store.tables import Job, Subject, new_id

TRIES = 2
"""A job whose process, or whose server, ended so often while it ran is not begun again."""


def next_job_id(session: Session) -> str | None:
    """The job that waits longest; looking at files, which takes moments, goes first."""
    first = (Job.kind != "inspect", Job.created_at, Job.id)
    waiting = select(Job.id).where(Job.state == "waiting").order_by(*first)
    return session.scalars(waiting.limit(1)).first()


def begin_job(change: Change, job_id: str) -> Job | None:
    """Take it up; None where it does not wait any more. ``detail["try_id"]`` is new for each try:
    what the try makes can bear it as its identity."""
    job = change.session.get(Job, job_id)
    if job is None or job.state != "waiting":
        return None
    job.state, job.tries, job.share = "running", job.tries + 1, 0.0
    job.started_at = change.at
    job.detail = {**job.detail, "try_id": new_id()}
    return job


def is_wanted(session: Session, job_id: str) -> bool:
    """Whether somebody still waits for it; nobody does once its person is being erased."""
    found = session.execute(
        select(Job.state, Subject.erasing)
        .outerjoin(Subject, Subject.id == Job.subject_id)
        .where(Job.id == job_id)
    ).first()
    return found is not None and found.state == "running" and not found.erasing


def tell_share(change: Change, job_id: str, share: float) -> None:
    question = update(Job).where(Job.id == job_id, Job.state == "running")
    change.session.execute(question.values(share=share))


def end_job(change: Change, job_id: str, error: AffectScopeError | None = None) -> Job | None:
    """It is done, or it failed with an error; None where it is not wanted any more."""
    job = change.session.get(Job, job_id)
    if job is None or job.state != "running":
        return None
    job.state, job.ended_at = "done" if error is None else "failed", change.at
    if error is None:
        job.share = 1.0
    else:
        job.code, job.sentence, job.remedy = error.code, error.sentence, error.remedy
    detail = {"kind": job.kind} if error is None else {"kind": job.kind, "code": error.code}
    change.audit(f"job.{job.state}", "job", job_id, detail)
    return job


def take_back(change: Change, job_id: str) -> None:
    """It waits again, as if this try had not been: the server ends in good order."""
    job = change.session.get(Job, job_id)
    if job is not None and job.state == "running":
        job.state, job.tries, job.share = "waiting", job.tries - 1, 0.0


def lose_try(change: Change, job_id: str, error: AffectScopeError) -> None:
    """The process that did it ended: it waits again, or has failed with the error for good."""
    job = change.session.get(Job, job_id)
    if job is None or job.state != "running":
        return
    if job.tries >= TRIES:
        end_job(change, job_id, error)
    else:
        job.state, job.share = "waiting", 0.0
        change.audit("job.again", "job", job_id, {"kind": job.kind, "code": error.code})


def recover_jobs(change: Change) -> None:
    """Those that ran when the server was ended; only before any job is begun."""
    error = AffectScopeError(
        "E_TASK_CRASH",
        f"The program ended {TRIES} times while this was being done.",
        "Nothing else was lost. Try it again; where it fails again, the recordings may be damaged.",
    )
    for job_id in change.session.scalars(select(Job.id).where(Job.state == "running")).all():
        lose_try(change, job_id, error)
