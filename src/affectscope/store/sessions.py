"""Sessions: what they are called, what their session.toml will say, and saving over each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import ConflictError, StoreError
from affectscope.records import MODALITIES
from affectscope.store.consents import check_consent
from affectscope.store.database import Change
from affectscope.store.tables import Project, RecordedSession, Subject
from affectscope.store.typed_text import checked_name


@dataclass(frozen=True)
class SessionHead:
    """A session with whom and what it belongs to, for the head of its pages."""

    id: str
    label: str
    version: int
    settings: Mapping[str, Any]
    created_at: datetime
    subject_id: str
    pseudonym: str
    project_id: str
    project_name: str

    @property
    def is_set_up(self) -> bool:
        return is_set_up(self.settings)


def is_set_up(settings: Mapping[str, Any]) -> bool:
    """Whether session.toml could be written: it needs the table of one modality."""
    return any(name in settings for name in MODALITIES)


def session_head(session: Session, session_id: str) -> SessionHead:
    """Raises StoreError E_NOT_FOUND."""
    found = session.execute(
        select(RecordedSession, Subject, Project)
        .join(Subject, Subject.id == RecordedSession.subject_id)
        .join(Project, Project.id == Subject.project_id)
        .where(RecordedSession.id == session_id, Subject.erasing.is_(False))
    ).first()
    if found is None:
        raise StoreError("E_NOT_FOUND", "There is no such session.", "Go back to the projects.")
    held, subject, project = found
    return SessionHead(
        held.id,
        held.label,
        held.version,
        held.settings,
        held.created_at,
        subject.id,
        subject.pseudonym,
        project.id,
        project.name,
    )


def add_session(change: Change, subject_id: str, label: str) -> RecordedSession:
    """A new, empty session.

    Raises:
        StoreError: E_CONSENT; E_CONFLICT where the person has one of that name; E_VALUE.
    """
    check_consent(change.session, subject_id, "ingest", change.at)
    label = _free_label(change.session, subject_id, label)
    held = RecordedSession(subject_id=subject_id, label=label, settings={}, created_at=change.at)
    change.session.add(held)
    change.session.flush()
    change.audit("session.added", "session", held.id)
    return held


def rename_session(change: Change, session_id: str, label: str, *, seen_version: int) -> int:
    """Call it otherwise.

    Returns:
        The new version.

    Raises:
        ConflictError: E_CONFLICT where ``seen_version`` is not the newest (W20).
        StoreError: E_CONFLICT where the person has another one of that name; E_VALUE; E_NOT_FOUND.
    """
    held = _held(change, session_id)
    if held.version != seen_version:
        raise ConflictError({"label": label}, {"label": held.label}, held.version)
    if checked_name(label) != held.label:
        held.label = _free_label(change.session, held.subject_id, label)
        held.version += 1
        change.audit("session.renamed", "session", session_id, {"version": held.version})
    return held.version


def _held(change: Change, session_id: str) -> RecordedSession:
    """Raises StoreError E_NOT_FOUND where the person was, or is being, erased meanwhile."""
    session_head(change.session, session_id)
    return change.session.get_one(RecordedSession, session_id)


def _free_label(session: Session, subject_id: str, label: str) -> str:
    label = checked_name(label)
    taken = select(RecordedSession.id).where(
        RecordedSession.subject_id == subject_id, RecordedSession.label == label
    )
    if session.scalars(taken).first() is not None:
        raise StoreError("E_CONFLICT", "The person has a session of this name.", "Choose another.")
    return label


def save_settings(
    change: Change, session_id: str, *, seen_version: int, tables: Mapping[str, Any]
) -> int:
    """Replace some of a session's settings (tables of session.toml by name; None removes one).

    Returns:
        The new version.

    Raises:
        ConflictError: E_CONFLICT where ``seen_version`` is not the newest (W20).
        StoreError: E_NOT_FOUND.
    """
    held = _held(change, session_id)
    if held.version != seen_version:
        theirs = {name: held.settings.get(name) for name in tables}
        raise ConflictError(dict(tables), theirs, held.version)
    merged = {**held.settings, **tables}
    held.settings = {name: table for name, table in merged.items() if table is not None}
    held.version += 1
    change.audit(
        "session.settings", "session", session_id,
        {"tables": sorted(tables), "version": held.version},
    )  # fmt: skip
    return held.version
