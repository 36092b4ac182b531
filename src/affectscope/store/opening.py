"""Opening the database: the engine with its settings, the schema, the installation's row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import Session

from affectscope.io.files import prepare_folder
from affectscope.store.database import BUSY_SECONDS, Store, now
from affectscope.store.places import Places
from affectscope.store.tables import Base, Installation, new_id


def open_store(
    data: Path,
    keys: Path,
    *,
    url: str | None = None,
    clock: Callable[[], datetime] = now,
) -> Store:
    """Open, or make, the database of a data folder.

    Args:
        keys: a folder outside ``data``.
        url: of a PostgreSQL database; None: SQLite in the folder.

    Raises:
        StoreError: E_DATABASE where it is damaged, too new, or cannot be reached.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    places = Places(data, keys)
    for folder in (data, keys, places.files, places.uploads, places.exports, places.studies):
        prepare_folder(folder)
    engine = _sqlite(places.database) if url is None else create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        if session.scalars(select(Installation.id)).first() is None:
            session.add(Installation(id=new_id(), created_at=clock()))
    return Store(engine, places, clock)


def _sqlite(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for setting in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    return engine
