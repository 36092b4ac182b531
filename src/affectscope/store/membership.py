"""Which project a thing belongs to, and what a user may do there."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from affectscope.store.tables import (
    Job,
    Membership,
    Product,
    Project,
    RecordedSession,
    Result,
    Role,
    Subject,
    Upload,
)


def project_of(session: Session, kind: str, identity: str) -> str | None:
    """The project of a thing; None where there is no such thing, or it is being erased.

    Args:
        kind: "project", "subject", "session", "upload", "job", "result" or "product".
    """
    return session.scalars(_QUESTIONS[kind](identity)).first()


def role_in(session: Session, user_id: str, project_id: str) -> Role | None:
    """None for somebody who is no member."""
    membership = session.get(Membership, (project_id, user_id))
    return None if membership is None else Role(membership.role)


def _of_project(identity: str) -> Select[str]:
    return select(Project.id).where(Project.id == identity)


def _of_subject(identity: str) -> Select[str]:
    return select(Subject.project_id).where(Subject.id == identity, Subject.erasing.is_(False))


def _of_session(identity: str | InstrumentedAttribute[str]) -> Select[str]:
    return (
        select(Subject.project_id)
        .join(RecordedSession, RecordedSession.subject_id == Subject.id)
        .where(RecordedSession.id == identity, Subject.erasing.is_(False))
    )


def _of_upload(identity: str) -> Select[str]:
    return _of_session(Upload.session_id).where(Upload.id == identity)


def _of_result(identity: str) -> Select[str]:
    return _of_session(Result.session_id).where(Result.id == identity)


def _of_job(identity: str) -> Select[str]:
    return select(Job.project_id).where(Job.id == identity)


def _of_product(identity: str) -> Select[str]:
    return select(Product.project_id).where(Product.id == identity)


_QUESTIONS = {
    "project": _of_project,
    "subject": _of_subject,
    "session": _of_session,
    "upload": _of_upload,
    "result": _of_result,
    "job": _of_job,
    "product": _of_product,
}
