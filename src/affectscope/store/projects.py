"""Projects: made, renamed, listed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from affectscope.errors import ConflictError, StoreError
from affectscope.store.database import Change
from affectscope.store.purposes import check_purpose
from affectscope.store.tables import Membership, Project, RecordedSession, Role, Subject
from affectscope.store.typed_text import checked_name, checked_text


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
        justification=checked_text(justification),
        created_at=change.at,
    )
    change.session.add(project)
    change.session.flush()
    change.session.add(Membership(project_id=project.id, user_id=change.actor_id, role=Role.OWNER))
    change.audit("project.added", "project", project.id, {"purpose": purpose})
    return project


def rename_project(change: Change, project_id: str, name: str, *, seen_version: int) -> int:
    """Gives back the new version. Raises ConflictError where somebody saved meanwhile (W20);
    StoreError E_VALUE."""
    project = change.session.get(Project, project_id)
    assert project is not None, "the route's need has looked"
    name = checked_name(name)
    if project.version != seen_version:
        raise ConflictError(name, project.name, project.version)
    project.name = name
    project.version += 1
    change.audit("project.renamed", "project", project_id, {"version": project.version})
    return project.version


@dataclass(frozen=True)
class ProjectHead:
    """What the pages of a project begin with."""

    id: str
    name: str
    purpose: str
    justification: str
    version: int


def project_head(session: Session, project_id: str) -> ProjectHead:
    """Raises StoreError E_NOT_FOUND."""
    project = session.get(Project, project_id)
    if project is None:
        raise StoreError("E_NOT_FOUND", "There is no such project.", "Go back to the projects.")
    return ProjectHead(
        project.id, project.name, project.purpose, project.justification, project.version
    )


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
