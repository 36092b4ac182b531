"""The database: one writer at a time, readers beside it, every change with its audit rows.

Only one process opens it (a lock file in the data folder sees to that), and inside it one lock lets
one change in at a time; the write-ahead log is carried over under that lock only. SQLite before
3.51.3 can lose a transaction where two connections carry the log over, or write, at once, which
cannot happen so (W05).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store import faults
from affectscope.store.audit import Deed, append
from affectscope.store.audit_head import AuditHead
from affectscope.store.engines import BUSY_SECONDS, Engines
from affectscope.store.places import Places
from affectscope.store.tables import DoneOnce
from affectscope.store.write_ahead_log import WriteAheadLog


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
        engines: for this room only.
        audit_head: for this room only.
    """

    def __init__(
        self,
        engines: Engines,
        places: Places,
        *,
        clock: Callable[[], datetime],
        installation_id: str,
        held: ExitStack,
    ) -> None:
        self.places = places
        self.clock = clock
        self.installation_id = installation_id
        self.engines = engines
        self.audit_head = AuditHead(places, installation_id)
        self._held = held
        self._turn = threading.Lock()
        self._log = WriteAheadLog(places.database, engines.writer) if engines.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A view of the database as it is now; nothing can be changed through it.

        Raises:
            StoreError: E_BUSY where there are too many readers; E_DATABASE.
        """
        with _session(self.engines.readers) as session:
            yield session

    @contextmanager
    def writing(self, actor_id: str | None) -> Iterator[Change]:
        """One change: kept on the disk when the block has ended, not at all where it raises.

        Args:
            actor_id: the user; None for the program itself.

        Raises:
            StoreError: E_BUSY where other changes, readers or another program's lock took longer
                than ``BUSY_SECONDS``; E_DISK_FULL; E_DATABASE; E_CONFLICT for a row that exists or
                does not any more; E_VALUE for a value that cannot be kept; E_DONE_ALREADY where a
                request with the same idempotency key was served before.
        """
        with self._own_turn():
            if self._log is not None:
                self._log.make_room()
            with _session(self.engines.writer) as session:
                change = Change(session, self.clock(), actor_id)
                self._take_up_key(change)
                yield change
                rows = [append(session, actor_id, deed, change.at) for deed in change.deeds]
                session.commit()
            self.audit_head.keep(rows)
            if self._log is not None:
                self._log.shrink()

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise faults.busy()
        try:
            yield
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

    def compact(self) -> None:
        """Leave nothing of deleted rows in free pages and in the write-ahead log.

        Raises:
            StoreError: E_BUSY where a reader does not end.
        """
        with self._own_turn():
            if self._log is not None:
                if not self._log.compact():
                    raise faults.busy()
                return
            plain = self.engines.writer.execution_options(isolation_level="AUTOCOMMIT")
            with plain.connect() as connection:
                connection.execute(text("VACUUM FULL"))

    def close(self) -> None:
        """Let others have the folder."""
        self._held.close()


@contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    try:
        with Session(engine, expire_on_commit=False) as session:
            yield session
    except NoConnectionError as error:
        raise faults.busy() from error
