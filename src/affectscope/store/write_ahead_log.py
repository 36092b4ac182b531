"""SQLite's write-ahead log: carried over into the database by who has the turn, and kept small.

A reader that lasts holds on to its part of the log. The log then grows, up to ``FULL``; after that
changes are refused until the reader ends, so that it never is above 64 MB (W03).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from affectscope.errors import StoreError
from affectscope.store import faults
from affectscope.store.engines import BUSY_SECONDS

log = logging.getLogger(__name__)

LARGE = 16 << 20
"""Bytes from which on it is carried over after a change, unless a reader is in the way."""
FULL = 48 << 20
"""Bytes from which on no change begins until it was; the last one has room for 13 MB."""

_CARRY_OVER = "PRAGMA wal_checkpoint(TRUNCATE)"


class WriteAheadLog:
    """All methods are called by who has the turn, outside of a transaction."""

    def __init__(self, database: Path, writer: Engine) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._writer = writer

    def make_room(self) -> None:
        """Before a change. Raises StoreError E_BUSY where a reader holds on to a full log."""
        if self._size() > FULL and not self.carry_over():
            raise faults.busy()

    def shrink(self) -> None:
        """After a change, which stands whatever happens here; does not wait for readers."""
        if self._size() <= LARGE:
            return
        try:
            self._run("PRAGMA busy_timeout = 0", _CARRY_OVER)
        except StoreError as error:
            log.warning("the write-ahead log was not carried over: %s", error.code)

    def carry_over(self) -> bool:
        """Whether nothing is left in the log; waits for readers."""
        return self._run(_CARRY_OVER)

    def compact(self) -> bool:
        """Write the database anew without what was deleted; whether nothing is left in the log."""
        return self._run("VACUUM", _CARRY_OVER)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self, *commands: str) -> bool:
        """The last command is the carrying over."""
        held = self._writer.raw_connection()
        connection: Any = held.driver_connection
        try:
            with faults.sqlite_faults():
                rows = [connection.execute(command).fetchone() for command in commands]
            return not rows[-1][0]
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}").close()
            held.close()
