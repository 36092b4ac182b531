"""The tables. Identities are 32 hex digits, times are UTC, JSON columns hold plain values.

A row that several people may edit has a ``version``: who saves states the version that he saw, and
a save over a newer one is refused (W20). Pseudonyms, names and free text stand in their own tables
only, never in ``AuditRow``, so that erasing a person leaves nothing (G02).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Role(IntEnum):
    """What a member of a project may do; each includes the ones before."""

    READER = 1
    """See sessions, results, reports and the study."""
    EDITOR = 2
    """Also upload, set up, mark, score, reject results, fill in questionnaires."""
    OWNER = 3
    """Also consent, export, erase, members, and the project itself."""


class Utc(TypeDecorator[datetime]):
    """A time with its zone, UTC on both ways; SQLite keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id() -> str:
    """32 hex digits that nobody can guess."""
    return uuid.uuid4().hex


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Utc(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }


class Installation(Base):
    """One row: which data folder this is. Keys and the audit's head elsewhere bear its id."""

    __tablename__ = "installation"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class User(Base):
    """Who may log in. ``administrator``: sees users and the audit, but no project that he is not a
    member of."""

    __tablename__ = "user_account"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    """As typed at log-in, in lower case."""
    password_hash: Mapped[str]
    administrator: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class Login(Base):
    """A browser that is logged in. The cookie's token is not kept, only its sha256."""

    __tablename__ = "login"
    __table_args__ = (Index("login_of_user", "user_id"),)
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    csrf_token: Mapped[str]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Project(Base):
    __tablename__ = "project"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    purpose: Mapped[str]
    """A key of ``purposes.PURPOSES``."""
    justification: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class Membership(Base):
    __tablename__ = "membership"
    __table_args__ = (Index("membership_of_user", "user_id"),)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[int]


class Subject(Base):
    """A person under a pseudonym. ``erasing``: asked to be erased; nothing of it is shown."""

    __tablename__ = "subject"
    __table_args__ = (UniqueConstraint("project_id", "pseudonym"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    pseudonym: Mapped[str]
    erasing: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class Consent(Base):
    """What a person allowed. ``scopes`` are of ``consents.SCOPES``."""

    __tablename__ = "consent"
    __table_args__ = (Index("consent_of_subject", "subject_id"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"))
    scopes: Mapped[list[str]]
    given_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    notice_shown_at: Mapped[datetime | None]
    """When the person was told that emotions are estimated (AI Act, Art. 50(3))."""


class RecordedSession(Base):
    """A session. ``settings`` hold what session.toml will say (``io.session_file.KEYS``): tables by
    name, empty until it is set up. ``label`` is what people call it."""

    __tablename__ = "recorded_session"
    __table_args__ = (
        UniqueConstraint("subject_id", "label"),
        Index("session_by_time", "created_at", "id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"))
    label: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class StoredFile(Base):
    """A file of a session, under ``files/`` by its content."""

    __tablename__ = "stored_file"
    __table_args__ = (UniqueConstraint("session_id", "name"), Index("file_by_content", "sha256"))
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("recorded_session.id", ondelete="CASCADE"))
    name: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class Upload(Base):
    """A file that is on its way; how much of it is there, the part file itself tells."""

    __tablename__ = "upload"
    __table_args__ = (Index("upload_of_session", "session_id"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("recorded_session.id", ondelete="CASCADE"))
    name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    """As the browser stated it; None where it did not."""
    touched_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Job(Base):
    """Work for the worker process. ``kind``: inspect, score, study or export; ``state``: waiting,
    running, done, failed or cancelled. What has no meaning for a kind is None."""

    __tablename__ = "job"
    __table_args__ = (
        Index("job_by_state", "state", "created_at"),
        Index("job_of_session", "session_id"),
        Index("job_of_project", "project_id"),
        Index("job_of_subject", "subject_id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    subject_id: Mapped[str | None] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"))
    session_id: Mapped[str | None] = mapped_column(
        ForeignKey("recorded_session.id", ondelete="CASCADE")
    )
    share: Mapped[float] = mapped_column(default=0.0)
    """How much is done, 0 to 1."""
    asked_by: Mapped[str | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """score: "settings_version", "settings". study, export: "product_id"."""
    tries: Mapped[int] = mapped_column(default=0)
    code: Mapped[str | None]
    sentence: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Result(Base):
    """What scoring a session gave; its files lie in the session's ``results/<id>``. ``rejected_*``:
    a person decided that it must not be used (G11)."""

    __tablename__ = "result"
    __table_args__ = (Index("result_of_session", "session_id", "created_at"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("recorded_session.id", ondelete="CASCADE"))
    settings: Mapped[dict[str, Any]]
    settings_version: Mapped[int]
    status: Mapped[str]
    code: Mapped[str | None]
    sentence: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    rejected_at: Mapped[datetime | None]
    rejected_by: Mapped[str | None] = mapped_column(
        ForeignKey("user_account.id", ondelete="SET NULL")
    )
    rejection_reason: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class Answers(Base):
    """A questionnaire, filled in before or after a session. ``answers``: item -> score."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("session_id", "questionnaire", "time"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("recorded_session.id", ondelete="CASCADE"))
    questionnaire: Mapped[str]
    time: Mapped[str]
    answers: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)


class Product(Base):
    """A study's page or an export that was made: a folder under ``studies/<id>`` or a zip under
    ``exports/<id>.zip``. ``subject_id``: an export of one person."""

    __tablename__ = "product"
    __table_args__ = (
        Index("product_of_project", "project_id", "created_at"),
        Index("product_of_subject", "subject_id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    subject_id: Mapped[str | None] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"))
    ready: Mapped[bool] = mapped_column(default=False)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class DoneOnce(Base):
    """A change that was asked for with an idempotency key: its effect and this row come together
    (W21). ``answer`` is filled in afterwards."""

    __tablename__ = "done_once"
    __table_args__ = (Index("done_once_by_time", "created_at"),)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    question_hash: Mapped[str]
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class AuditRow(Base):
    """Who did what, in order. ``hash`` covers the row and the hash before it. No free text."""

    __tablename__ = "audit"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[str | None]
    action: Mapped[str]
    target_kind: Mapped[str]
    target_id: Mapped[str]
    detail: Mapped[str] = mapped_column(Text)
    """JSON: codes, counts, identities and hashes only."""
    previous: Mapped[str]
    hash: Mapped[str]
