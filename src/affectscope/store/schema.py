"""The schema's version: what the database has, and how it gets what this program needs (W30)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from affectscope.errors import StoreError

_FOLDER = Path(__file__).parent / "migrations"


def upgrade(
    engine: Engine, *, to: str = "head", before: Callable[[], object] = lambda: None
) -> None:
    """Bring the database to a version, in one transaction: a killed process leaves the old schema
    or the new one, with all rows.

    Args:
        engine: which begins transactions that hold for schema changes, without checks of foreign
            keys (``Engines.migration``).
        before: called where a database that holds something is about to be changed.

    Raises:
        StoreError: E_DATABASE where it is of a newer version, or none of this program's; E_BUSY,
            E_DISK_FULL. It is as it was then.
    """
    with engine.connect() as connection:
        held = _version(connection)
    _check(held)
    if held == _script().as_revision_number(to):
        return
    if held is not None:
        before()
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        _check_foreign_keys(connection)


def versions() -> list[str]:
    """All that there are, the oldest first."""
    return [revision.revision for revision in _script().walk_revisions()][::-1]


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _version(connection: Connection) -> str | None:
    """None of an empty database."""
    version = MigrationContext.configure(connection).get_current_revision()
    if version is None and inspect(connection).get_table_names():
        raise StoreError(
            "E_DATABASE",
            "The database holds tables of another program.",
            "Choose another folder or database; nothing was changed.",
        )
    return version


def _check(held: str | None) -> None:
    if held is not None and held not in versions():
        raise StoreError(
            "E_DATABASE",
            f"The database was made by a newer version of the program (schema {held[:20]!r}).",
            "Install the newest affectscope; nothing was changed.",
        )


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
        raise StoreError(
            "E_DATABASE",
            "Rows of the database point to rows that are gone, so that it was not upgraded.",
            "Nothing was changed. Restore a backup with --restore-backup, or report this.",
        )
