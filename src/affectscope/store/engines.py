"""How the database is talked to: readers that cannot write, and one connection that writes.

SQLite: one connection writes, whoever has the turn (``database.Store.writing``). No connection
carries the write-ahead log over by itself; ``write_ahead_log`` does it, in the same turn. Python's
own transactions leave schema changes out, so that it is told to begin none, and each begins here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from affectscope.errors import StoreError, require
from affectscope.store import faults

BUSY_SECONDS = 5.0
"""How long anybody waits: for his turn, a lock, or a free connection (W03)."""

_SETTINGS = (
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA temp_store = MEMORY",
)
_WRITER_SETTINGS = (
    *_SETTINGS,
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
)
_READER_SETTINGS = (*_SETTINGS, "PRAGMA query_only = ON")
_MIGRATION_SETTINGS = (*_WRITER_SETTINGS, "PRAGMA foreign_keys = OFF")
"""A table that is made anew is dropped first, which must not take the rows that point to it."""

_READERS: dict[str, Any] = {"pool_size": 10, "max_overflow": 40, "pool_timeout": BUSY_SECONDS}
_WRITER: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": BUSY_SECONDS}

_LOCK = 0x61666665637473
"""PostgreSQL: held by the one server that writes ("affects" in ASCII)."""
_WAITS = int(1000 * BUSY_SECONDS)
_POSTGRESQL_OPTIONS = f"-c lock_timeout={_WAITS} -c timezone=UTC"


@dataclass(frozen=True)
class Engines:
    """``migration``: the writer, with what changing the schema needs; not to be used beside it."""

    readers: Engine
    writer: Engine
    migration: Engine

    @property
    def is_sqlite(self) -> bool:
        return self.writer.dialect.name == "sqlite"

    def close(self) -> None:
        """The writer last: who closes SQLite's last connection carries the log over."""
        for engine in (self.readers, self.migration, self.writer):
            engine.dispose()


def sqlite_engines(path: Path) -> Engines:
    """Nothing is opened yet."""
    url = URL.create("sqlite", database=str(path))
    return Engines(
        readers=_sqlite(url, "BEGIN", _READER_SETTINGS, _READERS),
        writer=_sqlite(url, "BEGIN IMMEDIATE", _WRITER_SETTINGS, _WRITER),
        migration=_sqlite(url, "BEGIN IMMEDIATE", _MIGRATION_SETTINGS, _WRITER),
    )


def _sqlite(url: URL, begin: str, settings: tuple[str, ...], pool: dict[str, Any]) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **pool)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for setting in settings:
            connection.execute(setting).close()

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    faults.tell(engine)
    return engine


def postgresql_engines(url: str) -> Engines:
    """Nothing is connected yet.

    Raises:
        StoreError: E_DATABASE for a URL that is none of PostgreSQL.
        MissingExtraError: E_EXTRA.
    """
    require("psycopg", "A PostgreSQL database", "postgresql")
    asked = _postgresql_url(url)
    readers = _postgresql(asked, " -c default_transaction_read_only=on", _READERS)
    readers = readers.execution_options(isolation_level="REPEATABLE READ")
    writer = _postgresql(asked, "", _WRITER)
    event.listen(writer, "connect", _take_lock)
    return Engines(readers, writer, writer)


def _postgresql(url: URL, options: str, pool: dict[str, Any]) -> Engine:
    arguments = {
        "options": _POSTGRESQL_OPTIONS + options,
        "connect_timeout": int(BUSY_SECONDS),
        "application_name": "affectscope",
    }
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, **pool)
    faults.tell(engine)
    return engine


def _postgresql_url(url: str) -> URL:
    try:
        asked = make_url(url)
        if asked.get_backend_name() == "postgresql":
            return asked.set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):  # which may tell the password
        pass
    raise StoreError(
        "E_DATABASE",
        "The database's URL is none of PostgreSQL.",
        "It reads postgresql+psycopg://USER@HOST/DATABASE; without one SQLite is used.",
    )


def _take_lock(connection: Any, _record: object) -> None:
    """Who writes holds the lock as long as his connection lives, so that no two servers write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        mine = cursor.fetchone()[0]
    connection.commit()
    if not mine:
        connection.close()
        raise StoreError(
            "E_RUN_LOCKED",
            "Another server is at work in this database.",
            "Wait until it has ended, or choose another database.",
        )
