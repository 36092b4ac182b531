"""Copies of the SQLite database: made while it is in use, checked, and put back (W04).

Only the database: recordings and results lie in files of their own, which nothing changes. A
PostgreSQL database is backed up by its own tools.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from affectscope.errors import StoreError
from affectscope.io.files import TEMPORARY, prepare_folder, to_disk, writing_in
from affectscope.io.folder_lock import locked
from affectscope.store.database import Store, now
from affectscope.store.engines import BUSY_SECONDS
from affectscope.store.faults import sqlite_faults
from affectscope.store.places import Places
from affectscope.store.tables import AuditRow

log = logging.getLogger(__name__)

_ONE_AT_A_TIME = threading.Lock()

KEPT = 7
DUE = timedelta(hours=24)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_NAME = "affectscope-{}.sqlite"
_RESTORED = "restored"
"""A file in the data folder: the backup that was put back, until the audit trail tells it."""


def make_backup(store: Store) -> Path | None:
    """A new copy, checked and on the disk; the oldest beyond ``KEPT`` go. None with PostgreSQL.

    Raises:
        StoreError: E_DATABASE where the database is damaged, E_DISK_FULL, E_BUSY.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    if not store.engines.is_sqlite:
        return None
    held = store.engines.readers.raw_connection()
    try:
        connection = held.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        return back_up(connection, store.places, store.clock())
    finally:
        held.close()


def make_due_backup(store: Store) -> None:
    """Where the newest is a day old, and there is something to keep; at start and every hour."""
    backups = all_backups(store.places)
    if backups and store.clock() - time_of(backups[0]) < DUE:
        return
    with store.reading() as session:
        if session.scalars(select(AuditRow.sequence).limit(1)).first() is None:
            return
    make_backup(store)


def back_up(source: sqlite3.Connection, places: Places, at: datetime) -> Path:
    """As ``make_backup``, of a connection that is in no transaction."""
    made = places.backups / _NAME.format(at.astimezone(UTC).strftime(_TIME))
    with _ONE_AT_A_TIME:
        prepare_folder(places.backups)
        _copy(source, made)
        for old in all_backups(places)[KEPT:]:
            if old != made:  # a clock that was set back
                old.unlink(missing_ok=True)
    log.info("a backup of the database was made")
    return made


def all_backups(places: Places) -> list[Path]:
    """The newest first."""
    return sorted(places.backups.glob(_NAME.format("*")), reverse=True)


def newest_backup(places: Places) -> Path | None:
    return next(iter(all_backups(places)), None)


def time_of(backup: Path) -> datetime:
    """When it was made, by its name; long ago where the name does not tell."""
    try:
        made = datetime.strptime(backup.name, _NAME.format(_TIME))
    except ValueError:
        made = datetime.min
    return made.replace(tzinfo=UTC)


def remove_backups(places: Places) -> None:
    """All, and databases that were put aside as damaged: somebody is to be forgotten."""
    with _ONE_AT_A_TIME:
        for folder in (places.backups, *places.data.glob("damaged-*")):
            if folder.exists():
                shutil.rmtree(folder)


def check_database(places: Places) -> None:
    """Before it is opened. A new folder passes.

    Raises:
        StoreError: E_DATABASE, with the backup to restore, where the database is damaged, or gone
            while backups are there; E_BUSY.
    """
    if places.database.exists() and places.database.stat().st_size:
        fault = _fault(places.database)
        if fault:
            raise _damaged(places, f"The database is damaged ({fault}).")
    elif newest_backup(places) is not None:
        raise _damaged(places, "The database is gone.")


def restore_backup(places: Places) -> Path:
    """Put the newest good backup in the database's place. The damaged one is kept aside. When the
    folder is opened next, the audit trail tells it.

    Raises:
        StoreError: E_DATABASE where no backup is good; nothing is changed then.
        ModelError: E_RUN_LOCKED where a server is at work in the folder.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    with writing_in(places.data), locked(places.lock):
        for backup in all_backups(places):
            if not _fault(backup):
                break
        else:
            raise StoreError(
                "E_DATABASE", "There is no usable backup of the database.", "Nothing was changed."
            )
        copy = places.data / f"{TEMPORARY}{backup.name}"
        copy.unlink(missing_ok=True)
        with closing(_opened(backup)) as source:
            _copy(source, copy)
        _put_aside(places)
        (places.data / _RESTORED).write_text(backup.name)
        copy.rename(places.database)
        to_disk(places.data)
    return backup


def restored_from(places: Places) -> str | None:
    """The backup that was put back, if the audit trail does not tell it yet."""
    try:
        return (places.data / _RESTORED).read_text()[:100]
    except FileNotFoundError:
        return None


def forget_restored(places: Places) -> None:
    (places.data / _RESTORED).unlink(missing_ok=True)


def _put_aside(places: Places) -> None:
    """The log first: beside the copy it would be taken for its own. Recordings and results too, as
    hard links: those that the backup does not know yet are swept away as nobody's."""
    aside = places.data / f"damaged-{now().strftime(_TIME)}"
    aside.mkdir(mode=0o700)
    for ending in ("-wal", "-shm", ""):
        part = places.database.with_name(places.database.name + ending)
        if part.exists():
            part.rename(aside / part.name)
    if places.sessions.exists():
        shutil.copytree(places.sessions, aside / places.sessions.name, copy_function=os.link)
    to_disk(places.data)


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """One file that needs no other beside it; whole and good, or not there."""
    unfinished = path.with_name(f"{TEMPORARY}copy-of-{path.name}")
    try:
        with sqlite_faults(), closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            fault = _first_fault(copy)
        if fault:
            raise StoreError("E_DATABASE", f"The database is damaged ({fault}).")
        to_disk(unfinished)
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    to_disk(path.parent)


def _opened(backup: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _fault(path: Path) -> str:
    """What SQLite finds wrong with a database file; "" where it is good."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            return _first_fault(connection)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return str(error)
        with sqlite_faults():
            raise


def _first_fault(connection: sqlite3.Connection) -> str:
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return "" if found == "ok" else found.splitlines()[0][:200]


def _damaged(places: Places, sentence: str) -> StoreError:
    newest = newest_backup(places)
    if newest is None:
        remedy = (
            "There is no backup in its folder. Put back a copy of your own; nothing was changed."
        )
    else:
        remedy = (
            f"The newest backup is {newest.name}. Start the server once with --restore-backup to"
            " put it back; what was saved after it is lost, and the damaged file is kept aside."
        )
    return StoreError("E_DATABASE", sentence, remedy)
