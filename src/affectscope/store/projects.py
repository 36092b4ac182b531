"""Projects, their members, and their people under pseudonyms."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.database import Change
from affectscope.store.purposes import check_purpose
from affectscope.store.tables import Membership, Project, RecordedSession, Role, Subject


@dataclass(frozen=True)
class ListedProject:
    id: str
    name: str
    purpose: str
    role: Role
    subjects: int
    sessions: int


def add_project(change: Change, name: str, *, purpose: str, justification: str) -> Project:
    """A new project; who makes it owns it.

    Raises:
        StoreError: E_PURPOSE, E_VALUE.
    """
    assert change.actor_id is not None
    check_purpose(purpose, justification)
    project = Project(
        name=checked_name(name),
        purpose=purpose,
        justification=justification.strip(),
        created_at=change.at,
    )
    change.session.add(project)
    change.session.flush()
    change.session.add(Membership(project_id=project.id, user_id=change.actor_id, role=Role.OWNER))
    change.audit("project.added", "project", project.id, {"purpose": purpose})
    return project


def checked_name(name: str) -> str:
    """A name as people type it. Raises StoreError E_VALUE."""
    name = name.strip()
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise StoreError("E_VALUE", "A name has 1 to 200 printable characters.")
    return name


def projects_of(session: Session, user_id: str) -> list[ListedProject]:
    """All that the user is a member of, by name."""
    subjects = (
        select(func.count())
        .where(Subject.project_id == Project.id, Subject.erasing.is_(False))
        .scalar_subquery()
    )
    sessions = (
        select(func.count())
        .select_from(RecordedSession)
        .join(Subject, Subject.id == RecordedSession.subject_id)
        .where(Subject.project_id == Project.id, Subject.erasing.is_(False))
        .scalar_subquery()
    )
    rows = session.execute(
        select(Project, Membership.role, subjects, sessions)
        .join(Membership, Membership.project_id == Project.id)
        .where(Membership.user_id == user_id)
        .order_by(func.lower(Project.name), Project.id)
    )
    return [
        ListedProject(project.id, project.name, project.purpose, Role(role), people, held)
        for project, role, people, held in rows
    ]
