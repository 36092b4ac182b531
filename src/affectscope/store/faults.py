"""What the database itself refuses, in the program's own errors; never a 500 (W03, W04, W06)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError

from affectscope.errors import StoreError

_BUSY = ("E_BUSY", "The database is busy. Nothing was changed.", "Try again in a few seconds.")
_FULL = (
    "E_DISK_FULL",
    "The disk is full, or cannot be written. Nothing was half saved.",
    "Make room; then it goes on by itself.",
)
_DAMAGED = (
    "E_DATABASE",
    "The database is damaged.",
    "End the server and start it again: it then names the backup that can be restored.",
)
_CLOSED = (
    "E_DATABASE",
    "The database cannot be opened.",
    "See that its folder exists, is not read-only, and belongs to you.",
)
_UNREACHED = (
    "E_DATABASE",
    "The database's server cannot be reached, or does not let this program in.",
    "See that PostgreSQL runs, and that --database-url names server, user and database rightly.",
)
_LOST = (
    "E_BUSY",
    "The connection to the database's server was lost. Nothing was half saved.",
    "Try again in a few seconds.",
)
_TAKEN = (
    "E_CONFLICT",
    "Somebody else changed this meanwhile, or it exists already. Nothing was changed.",
    "Load the page again.",
)
_NO_VALUE = ("E_VALUE", "A value is too large, or of a kind that is not kept.", "Correct it.")

_Told = tuple[str, str, str]

_SQLITE: dict[int, _Told] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,  # many begin at once
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_READONLY: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_TOOBIG: _NO_VALUE,
    # more exactly
    sqlite3.SQLITE_IOERR_WRITE: _FULL,  # a quota, say
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: _TAKEN,
}
"""Result codes, https://www.sqlite.org/rescode.html; an extended one ends in its kind's byte."""

_POSTGRESQL: dict[str, _Told] = {
    "55P03": _BUSY,  # lock_timeout
    "57014": _BUSY,  # statement_timeout
    "40001": _BUSY,
    "40P01": _BUSY,  # deadlock
    "53300": _BUSY,  # too many connections
    "53100": _FULL,
    "23505": _TAKEN,
    "23503": _TAKEN,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
"""SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html."""


def tell(engine: Engine) -> None:
    """From now on this engine raises StoreError where it knows what to say."""

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        told = _told(context)
        if told is not None:
            raise StoreError(*told)


def busy() -> StoreError:
    """For who waited too long for his turn."""
    return StoreError(*_BUSY)


@contextmanager
def sqlite_faults() -> Iterator[None]:
    """For what is asked of SQLite without an engine. Raises StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        told = _of_sqlite(error)
        if told is None:
            raise
        raise StoreError(*told) from error


def _told(context: ExceptionContext) -> _Told | None:
    error = context.original_exception
    if isinstance(error, (OverflowError, UnicodeEncodeError)):  # SQLite's driver
        return _NO_VALUE
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    if context.sqlalchemy_exception is None or context.is_pre_ping:
        return None
    if context.connection is None:
        return _UNREACHED
    if context.is_disconnect:
        return _LOST
    if isinstance(context.sqlalchemy_exception, DataError):
        return _NO_VALUE
    return _POSTGRESQL.get(getattr(error, "sqlstate", None) or "")


def _of_sqlite(error: sqlite3.Error) -> _Told | None:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return _SQLITE.get(code) or _SQLITE.get(code & 0xFF)
