"""People under pseudonyms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from affectscope.errors import ConflictError, StoreError
from affectscope.store.database import Change
from affectscope.store.tables import Project, RecordedSession, Subject
from affectscope.store.typed_text import checked_name

PAGE_ROWS = 50
"""Rows on a page of a list."""
_NOBODY = ("E_NOT_FOUND", "There is no such person.", "Go back to the projects.")


@dataclass(frozen=True)
class SubjectHead:
    """A person with the project, for the head of the page."""

    id: str
    pseudonym: str
    version: int
    created_at: datetime
    project_id: str
    project_name: str


@dataclass(frozen=True)
class ListedSubject:
    id: str
    pseudonym: str
    sessions: int
    newest: datetime | None
    """When the newest session was added."""


@dataclass(frozen=True)
class SubjectPage:
    rows: list[ListedSubject]
    count: int
    """People in all, on this page and others."""


def add_subject(change: Change, project_id: str, pseudonym: str) -> Subject:
    """Raises StoreError: E_VALUE; E_CONFLICT where the project has this pseudonym already."""
    pseudonym = checked_name(pseudonym)
    _check_free(change, project_id, pseudonym)
    subject = Subject(project_id=project_id, pseudonym=pseudonym, created_at=change.at)
    change.session.add(subject)
    change.session.flush()
    change.audit("subject.added", "subject", subject.id)
    return subject


def rename_subject(change: Change, subject_id: str, pseudonym: str, *, seen_version: int) -> int:
    """Gives back the new version.

    Raises:
        ConflictError: somebody saved meanwhile (W20).
        StoreError: E_NOT_FOUND, also for somebody who is being erased (G02); E_VALUE; E_CONFLICT
            where the project has this pseudonym already.
    """
    subject = change.session.get(Subject, subject_id)
    if subject is None or subject.erasing:
        raise StoreError(*_NOBODY)
    pseudonym = checked_name(pseudonym)
    if subject.version != seen_version:
        raise ConflictError(pseudonym, subject.pseudonym, subject.version)
    if pseudonym != subject.pseudonym:
        _check_free(change, subject.project_id, pseudonym)
    subject.pseudonym = pseudonym
    subject.version += 1
    change.audit("subject.renamed", "subject", subject_id, {"version": subject.version})
    return subject.version


def subject_head(session: Session, subject_id: str) -> SubjectHead:
    """Raises StoreError E_NOT_FOUND."""
    found = session.execute(
        select(Subject, Project.name)
        .join(Project, Project.id == Subject.project_id)
        .where(Subject.id == subject_id, Subject.erasing.is_(False))
    ).first()
    if found is None:
        raise StoreError(*_NOBODY)
    subject, project_name = found
    return SubjectHead(
        subject.id,
        subject.pseudonym,
        subject.version,
        subject.created_at,
        subject.project_id,
        project_name,
    )


def subjects_of(
    session: Session, project_id: str, *, search: str = "", page: int = 1
) -> SubjectPage:
    """A page of the project's people, by pseudonym."""
    wanted = [Subject.project_id == project_id, Subject.erasing.is_(False)]
    if search:
        wanted.append(Subject.pseudonym.icontains(search, autoescape=True))
    count = session.scalars(select(func.count()).select_from(Subject).where(*wanted)).one()
    shown = (
        select(Subject.id, Subject.pseudonym)
        .where(*wanted)
        .order_by(Subject.pseudonym)
        .limit(PAGE_ROWS)
        .offset(PAGE_ROWS * (page - 1))
        .subquery()
    )
    rows = session.execute(
        select(
            shown.c.id,
            shown.c.pseudonym,
            func.count(RecordedSession.id),
            func.max(RecordedSession.created_at),
        )
        .outerjoin(RecordedSession, RecordedSession.subject_id == shown.c.id)
        .group_by(shown.c.id, shown.c.pseudonym)
        .order_by(shown.c.pseudonym)
    )
    return SubjectPage([ListedSubject(*row) for row in rows], count)


def _check_free(change: Change, project_id: str, pseudonym: str) -> None:
    taken = select(Subject.id).where(
        Subject.project_id == project_id, Subject.pseudonym == pseudonym
    )
    if change.session.scalars(taken).first() is not None:
        raise StoreError(
            "E_CONFLICT", "The project has a person of this pseudonym.", "Choose another one."
        )
