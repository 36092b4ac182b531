"""Opening the database: alone in its folder, checked, of this program's schema, its trail held
against the head."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.io.files import prepare_folder, writing_in
from affectscope.io.folder_lock import locked
from affectscope.store import audit_check, backups
from affectscope.store.database import Store, now
from affectscope.store.engines import Engines, postgresql_engines, sqlite_engines
from affectscope.store.places import Places
from affectscope.store.schema import upgrade
from affectscope.store.tables import Installation, new_id


def open_store(
    data: Path,
    keys: Path,
    *,
    url: str | None = None,
    clock: Callable[[], datetime] = now,
) -> Store:
    """Open, or make, the database of a data folder; ``Store.close`` lets others have it.

    Args:
        keys: a folder outside ``data``.
        url: of a PostgreSQL database; None: SQLite in the folder.

    Raises:
        StoreError: E_DATABASE where it is damaged, too new, or cannot be reached; E_BUSY;
            E_DISK_FULL.
        ModelError: E_RUN_LOCKED where another process has the folder open.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    places = Places(data, keys)
    with ExitStack() as held:
        with writing_in(data):
            data.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(places.lock))
        for folder in (data, keys, places.files, places.uploads, places.exports, places.studies):
            prepare_folder(folder)  # which removes what others may be writing: hence the lock
        engines = sqlite_engines(places.database) if url is None else postgresql_engines(url)
        held.callback(engines.close)
        _bring_up(engines, places, clock)
        store = Store(
            engines,
            places,
            clock=clock,
            installation_id=_installation_id(engines, clock),
            held=held.pop_all(),
        )
    try:
        with writing_in(keys):
            audit_check.begin(store, backups.restored_from(places))
        backups.forget_restored(places)
        if engines.is_sqlite:
            backups.make_due_backup(store)
    except BaseException:
        store.close()
        raise
    return store


def _bring_up(engines: Engines, places: Places, clock: Callable[[], datetime]) -> None:
    """A good database with this program's schema; a backup goes before any change of it."""
    if not engines.is_sqlite:
        upgrade(engines.writer)
        return
    backups.check_database(places)

    def back_up() -> None:
        held = engines.migration.raw_connection()
        connection = held.driver_connection
        assert isinstance(connection, Connection)
        backups.back_up(connection, places, clock())
        held.close()

    upgrade(engines.migration, before=back_up)
    engines.migration.dispose()  # one connection writes from now on


def _installation_id(engines: Engines, clock: Callable[[], datetime]) -> str:
    with Session(engines.writer) as session, session.begin():
        held = session.scalars(select(Installation.id)).first()
        if held is None:
            held = new_id()
            session.add(Installation(id=held, created_at=clock()))
        return held
