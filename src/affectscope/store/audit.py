"""The audit trail: a chain of rows, each with the hash of the one before (W22, W23)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from affectscope.store.tables import AuditRow

FIRST = "0" * 64
"""What the first row has for the hash before it."""


@dataclass(frozen=True)
class Deed:
    """One thing that was done. ``detail`` holds codes, counts, identities and hashes only."""

    action: str
    target_kind: str
    target_id: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def append(session: Session, actor_id: str | None, deed: Deed, at: datetime) -> AuditRow:
    """Add a row to the chain, inside the change that it tells of."""
    last = session.scalars(select(AuditRow).order_by(AuditRow.sequence.desc()).limit(1)).first()
    row = AuditRow(
        sequence=1 if last is None else last.sequence + 1,
        at=at,
        actor_id=actor_id,
        action=deed.action,
        target_kind=deed.target_kind,
        target_id=deed.target_id,
        detail=json.dumps(deed.detail, sort_keys=True),
        previous=FIRST if last is None else last.hash,
    )
    row.hash = row_hash(row)
    session.add(row)
    session.flush()
    return row


def row_hash(row: AuditRow | Row[Any]) -> str:
    """sha256 over everything in the row but the hash itself."""
    content = [
        row.sequence,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.actor_id,
        row.action,
        row.target_kind,
        row.target_id,
        row.detail,
        row.previous,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
