"""Whether the audit trail is as it was written: row by row, and against its signed head (W23)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select

from affectscope.errors import StoreError
from affectscope.store.audit import FIRST, row_hash
from affectscope.store.audit_head import Head
from affectscope.store.database import Store
from affectscope.store.tables import AuditRow

log = logging.getLogger(__name__)

RESTORED = "database.restored"
TAKEN_UP = "audit.taken_up"
_PIECE = 1000
"""Rows in memory at a time."""


@dataclass(frozen=True)
class AuditState:
    """Attributes:
    rows: how many there are.
    first_bad: the number of the first row that is not as it was written, or is missing; None where
        all are.
    sentence: for people.
    head_ok: whether the chain leads to the head that was signed.
    """

    rows: int
    first_bad: int | None
    sentence: str
    head_ok: bool


def check(store: Store) -> AuditState:
    """Read the whole trail, in pieces. Nothing is changed."""
    head, fault = _signed(store)  # before the rows: it never is ahead of them
    walk = _walked(store, head)
    verdict = walk.fault or f"The audit trail is whole: {walk.rows} rows."
    return AuditState(
        rows=walk.rows,
        first_bad=walk.first_bad,
        sentence=" ".join(part for part in (verdict, fault, *walk.notes) if part),
        head_ok=head is not None and walk.first_bad is None,
    )


def begin(store: Store, restored: str | None) -> None:
    """At the start: hold the trail against its head, and go on signing where it fits.

    Where it does not, the old head stays as it is, for it is what shows that; the log tells, and
    so does ``check`` from then on.

    Args:
        restored: the backup that the database was restored from since the last start.
    """
    head, fault = _signed(store)
    walk = _walked(store, head if restored is None else None)
    if walk.rows == 0 and store.audit_head.is_new():
        store.audit_head.make()
        head = store.audit_head.read()
    if head is None or walk.fault:
        log.error("%s", walk.fault or fault)
    else:
        store.audit_head.begin(walk.last)
    if restored is not None:
        lost = {} if head is None else {"head_sequence": head.sequence, "head_hash": head.hash}
        _note(store, RESTORED, {"backup": restored, **lost})
    elif store.audit_head.signing and head is not None and head != walk.last:
        _note(store, TAKEN_UP, {"after": head.sequence, "to": walk.last.sequence})


def _note(store: Store, action: str, detail: dict[str, Any]) -> None:
    """A row that tells what was particular about this start; with it the chain is signed again."""
    with store.writing(None) as change:
        change.audit(action, "installation", store.installation_id, detail)


def _signed(store: Store) -> tuple[Head | None, str]:
    """The head, or why there is none."""
    try:
        return store.audit_head.read(), ""
    except StoreError as error:
        return None, f"{error.sentence} {error.remedy}"


@dataclass
class _Walk:
    """Along the chain. ``last``: the last good row. ``notes``: what was particular on the way."""

    head: Head | None
    last: Head = field(default_factory=lambda: Head(0, FIRST))
    rows: int = 0
    first_bad: int | None = None
    fault: str = ""
    notes: list[str] = field(default_factory=list)

    def step(self, row: Row[Any]) -> None:
        self.rows += 1
        if self.first_bad is not None:
            return
        due = self.last.sequence + 1
        if row.sequence != due or row.previous != self.last.hash or row.hash != row_hash(row):
            self._break(due, "missing, or not as it was written")
        elif self.head is not None and due == self.head.sequence and row.hash != self.head.hash:
            self._break(due, "not the one that was signed: it, or rows before it, were replaced")
        else:
            self.last = Head(due, row.hash)
            if row.action in _NOTES:
                self.notes.append(_NOTES[row.action](row.sequence, json.loads(row.detail)))

    def end(self) -> None:
        due, signed = self.last.sequence + 1, 0 if self.head is None else self.head.sequence
        if self.first_bad is None and due <= signed:
            self._break(due, f"missing, and so is all up to row {signed}: the end was cut off")

    def _break(self, sequence: int, reason: str) -> None:
        self.first_bad = sequence
        self.fault = f"The audit trail was changed: row {sequence} is {reason}."


def _walked(store: Store, head: Head | None) -> _Walk:
    walk = _Walk(head)
    question = select(*AuditRow.__table__.columns).order_by(AuditRow.sequence)
    with store.reading() as session:
        for row in session.execute(question.execution_options(yield_per=_PIECE)):
            walk.step(row)
    walk.end()
    return walk


def _taken_up(sequence: int, detail: dict[str, Any]) -> str:
    return (
        f"Rows {detail['after'] + 1} to {detail['to']} were signed at the next start only, since"
        " the server had been stopped hard."
    )


def _restored(sequence: int, detail: dict[str, Any]) -> str:
    lost = detail.get("head_sequence", 0)
    tail = f"; what rows {sequence} to {lost} told until then is lost" if lost >= sequence else ""
    return f"The database was restored from a backup at row {sequence}{tail}."


_NOTES = {TAKEN_UP: _taken_up, RESTORED: _restored}
