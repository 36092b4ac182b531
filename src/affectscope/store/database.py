"""The database: one writer at a time, readers beside it, every change with its audit rows.

Only one process opens it (a lock file in the data folder sees to that), and inside it one lock lets
one change in at a time; the write-ahead log is carried over under that lock only. SQLite before
3.51.3 can lose a transaction where a checkpoint runs beside a write, which cannot happen so (W05).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.audit import Deed, append
from affectscope.store.places import Places
from affectscope.store.tables import DoneOnce, Installation

BUSY_SECONDS = 5.0
"""How long a change waits for its turn (W03)."""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class OnceKey:
    """An idempotency key with the hash of the question that it came with."""

    user_id: str
    key: str
    question_hash: str


once_key: ContextVar[OnceKey | None] = ContextVar("once_key", default=None)
"""Set while a request with an idempotency key is served; the first change of it takes it up."""


@dataclass
class Change:
    """One transaction. ``at`` is its time; ``audit`` notes what was done, in the same one."""

    session: Session
    at: datetime
    actor_id: str | None
    deeds: list[Deed] = field(default_factory=list)

    def audit(
        self,
        action: str,
        target_kind: str,
        target_id: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """``detail``: codes, counts, identities and hashes only; no names, no free text."""
        self.deeds.append(Deed(action, target_kind, target_id, dict(detail or {})))


class Store:
    """The open database and the folder around it. ``open_store`` makes one.

    Attributes:
        places: where files lie.
        clock: the time; tests set it.
        installation_id: which data folder this is.
    """

    def __init__(self, engine: Engine, places: Places, clock: Callable[[], datetime]) -> None:
        self.places = places
        self.clock = clock
        self._engine = engine
        self._turn = threading.Lock()
        with Session(engine) as session:
            self.installation_id = session.scalars(select(Installation.id)).one()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A view of the database as it is now; nothing is changed through it."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, actor_id: str | None) -> Iterator[Change]:
        """One change: kept on the disk when the block has ended, not at all where it raises.

        Args:
            actor_id: the user; None for the program itself.

        Raises:
            StoreError: E_BUSY where other changes took longer than ``BUSY_SECONDS``; E_DISK_FULL;
                E_DONE_ALREADY where a request with the same idempotency key was served before.
        """
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise StoreError("E_BUSY", "The database is busy.", "Try again in a few seconds.")
        try:
            with Session(self._engine, expire_on_commit=False) as session:
                change = Change(session, self.clock(), actor_id)
                self._take_up_key(change)
                yield change
                for deed in change.deeds:
                    append(session, actor_id, deed, change.at)
                session.commit()
        finally:
            self._turn.release()

    def _take_up_key(self, change: Change) -> None:
        asked = once_key.get()
        if asked is None:
            return
        if change.session.get(DoneOnce, (asked.user_id, asked.key)) is not None:
            raise StoreError(
                "E_DONE_ALREADY", "This was done already.", "Load the page again to see it."
            )
        change.session.add(
            DoneOnce(
                user_id=asked.user_id,
                key=asked.key,
                question_hash=asked.question_hash,
                created_at=change.at,
            )
        )
        once_key.set(None)

    def close(self) -> None:
        self._engine.dispose()
