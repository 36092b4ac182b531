"""The audit trail as an administrator reads it, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.store.tables import AuditRow, User


@dataclass(frozen=True)
class ListedDeed:
    """``actor``: the user's name; None for the program itself, or a user who is gone."""

    sequence: int
    at: datetime
    actor: str | None
    action: str
    target_kind: str
    target_id: str
    detail: str


def audit_rows(session: Session, *, before: int | None, count: int) -> list[ListedDeed]:
    """At most ``count`` rows, those before a sequence number, or the newest."""
    question = (
        select(AuditRow, User.name)
        .outerjoin(User, User.id == AuditRow.actor_id)
        .order_by(AuditRow.sequence.desc())
        .limit(count)
    )
    if before is not None:
        question = question.where(AuditRow.sequence < before)
    return [
        ListedDeed(
            row.sequence, row.at, name, row.action, row.target_kind, row.target_id, row.detail
        )
        for row, name in session.execute(question)
    ]
