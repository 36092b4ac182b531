"""The schema's versions: what they lead to, that no row is lost on the way, and no half schema."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Engine, Integer, MetaData, insert, inspect, text

from affectscope.errors import StoreError
from affectscope.store.backups import all_backups
from affectscope.store.database import Store
from affectscope.store.engines import Engines, postgresql_engines, sqlite_engines
from affectscope.store.schema import upgrade, versions
from affectscope.store.tables import Base

Opened = Callable[..., Store]
KINDS = ("sqlite", "postgresql")


def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "affectscope.sqlite"


def made(path: Path, version: str) -> dict[str, list[tuple[Any, ...]]]:
    """A database of an older version, with a row in every table; its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engines = sqlite_engines(path)
    upgrade(engines.migration, to=version)
    with engines.writer.begin() as connection:
        rows = fill(connection)
    engines.close()
    return rows


def fill(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """A row into every table, whatever columns it has; what is in them all then. Every identity is
    the same, so that every foreign key finds its row."""
    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        if table.name != "alembic_version":
            values = {column.name: _VALUES[column.type.python_type] for column in table.columns}
            connection.execute(insert(table), values)
    return content(connection)


def content(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows by table, but for the schema's version."""
    tables = MetaData()
    tables.reflect(connection)
    return {
        table.name: [tuple(row) for row in connection.execute(table.select())]
        for table in tables.sorted_tables
        if table.name != "alembic_version"
    }


_VALUES: dict[type, Any] = {
    str: "0123456789abcdef" * 2,
    int: 7,
    float: 0.5,
    bool: True,
    datetime: datetime(2026, 2, 1, tzinfo=UTC),
    object: {"face": {"file": "a.mp4"}},
}


@pytest.fixture
def engines_of(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Engines]:
    def make(kind: str) -> Engines:
        if kind == "sqlite":
            engines = sqlite_engines(tmp_path / "new.sqlite")
        else:
            engines = postgresql_engines(request.getfixturevalue("postgresql_url"))
        request.addfinalizer(engines.close)
        return engines

    return make


def shape(engine: Engine) -> dict[str, Any]:
    """All that a schema is, whatever the order in which it was made."""
    seen = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(table)
            },
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (*key["constrained_columns"], key["referred_table"], str(key["options"]))
                for key in seen.get_foreign_keys(table)
            ),
            "indexes": sorted(
                (str(index["name"]), index["column_names"], bool(index["unique"]))
                for index in seen.get_indexes(table)
            ),
            "unique": sorted(
                unique["column_names"] for unique in seen.get_unique_constraints(table)
            ),
        }
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_W30_the_migrations_lead_to_the_tables_of_the_program(
    kind: str, engines_of: Callable[[str], Engines]
) -> None:
    """Who changes tables.py and writes no migration finds it here."""
    engines = engines_of(kind)
    upgrade(engines.migration)
    migrated = shape(engines.writer)
    with engines.writer.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
    assert migrated == shape(engines.writer)
    assert len(migrated) == len(Base.metadata.tables)


@pytest.mark.parametrize("version", versions())
def test_W30_a_database_of_each_version_is_upgraded_and_keeps_its_rows(
    tmp_path: Path, opened: Opened, version: str
) -> None:
    rows = made(database(tmp_path), version)
    assert len(rows) >= 16
    assert all(len(held) == 1 for held in rows.values())
    store = opened()
    with store.engines.readers.connect() as connection:
        now = content(connection)
    for table, held in rows.items():
        assert [row[: len(held[0])] for row in now[table]] == held
    assert store.installation_id == rows["installation"][0][0]
    older = [version_in(backup) for backup in all_backups(store.places)]
    assert older[-1:] == [version] or version == versions()[-1]
    assert version_in(database(tmp_path)) == versions()[-1]


def version_in(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        ).fetchone():
            return None
        version: str = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        return version


@pytest.mark.parametrize("version", versions()[:-1])
def test_W30_postgresql_is_upgraded_too(version: str, engines_of: Callable[[str], Engines]) -> None:
    engines = engines_of("postgresql")
    upgrade(engines.migration, to=version)
    with engines.writer.begin() as connection:
        rows = fill(connection)
    told: list[str] = []
    upgrade(engines.migration, before=lambda: told.append("before"))
    with engines.readers.connect() as connection:
        now = content(connection)
    assert {table: [row[: len(held[0])] for row in now[table]] for table, held in rows.items()} == (
        rows
    )
    assert told == ["before"]


def test_W30_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path, opened: Opened) -> None:
    made(database(tmp_path), "head")
    with closing(sqlite3.connect(database(tmp_path))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database(tmp_path).read_bytes()
    with pytest.raises(StoreError, match="newer version") as told:
        opened()
    assert told.value.code == "E_DATABASE"
    assert "9999" in told.value.sentence
    assert "newest affectscope" in told.value.remedy
    assert database(tmp_path).read_bytes() == before


def test_W30_another_programs_database_is_refused_and_left_as_it_is(
    tmp_path: Path, opened: Opened
) -> None:
    database(tmp_path).parent.mkdir()
    with closing(sqlite3.connect(database(tmp_path))) as connection, connection:
        connection.execute("CREATE TABLE holidays (day TEXT)")
    with pytest.raises(StoreError, match="another program"):
        opened()
    with closing(sqlite3.connect(database(tmp_path))) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("holidays",)]


def test_W30_a_table_that_is_made_anew_takes_no_rows_with_it(tmp_path: Path) -> None:
    """SQLite changes columns by copying the table; dropping the old one must not cascade."""
    rows = made(tmp_path / "new.sqlite", "head")
    engines = sqlite_engines(tmp_path / "new.sqlite")
    with engines.migration.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        for table in ("user_account", "project", "subject", "recorded_session"):
            with operations.batch_alter_table(table, recreate="always") as batch:
                batch.alter_column("version", existing_type=Integer(), nullable=True)
    with engines.readers.connect() as connection:
        assert content(connection) == rows
    engines.close()


KILLED = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from sqlalchemy import Engine, event
from affectscope.store.opening import open_store

source, out = Path(sys.argv[1]), Path(sys.argv[2])

def die_at(moment, unit):
    left = [moment]
    def tick(*_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0
    def connected(connection, _record):
        if unit == "statement":
            connection.set_trace_callback(tick)
        else:
            connection.set_progress_handler(tick, 40)
    event.listen(Engine, "connect", connected)

def run(unit, step):
    moment = 1
    while True:
        folder = out / f"{unit}-{moment:04}"
        shutil.copytree(source, folder)
        child = os.fork()
        if child == 0:
            die_at(moment, unit)
            open_store(folder, folder / ".." / f"{folder.name}.keys").close()
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return
        moment += step
run("statement", 13)
run("progress", 127)
"""


def test_W30_a_process_that_is_killed_while_it_migrates_leaves_the_old_or_the_new_schema(
    tmp_path: Path,
) -> None:
    oldest, newest = versions()[0], versions()[-1]
    source, out = tmp_path / "source", tmp_path / "out"
    rows = made(source / "affectscope.sqlite", oldest)
    out.mkdir()
    subprocess.run([sys.executable, "-c", KILLED, source, out], check=True, timeout=120)
    found: list[str | None] = []
    folders = sorted(path for path in out.iterdir() if not path.name.endswith(".keys"))
    for folder in folders:
        copy = tmp_path / "copy"  # to look, without carrying anything over
        shutil.copytree(folder, copy)
        found.append(version_in(copy / "affectscope.sqlite"))
        shutil.rmtree(copy)
        engines = sqlite_engines(folder / "affectscope.sqlite")
        upgrade(engines.migration)
        engines.migration.dispose()
        with engines.readers.connect() as connection:
            now = content(connection)
            assert connection.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
        for table, held in rows.items():
            assert [row[: len(held[0])] for row in now[table][:1]] == held
        engines.close()
    assert set(found) == {oldest, newest}
    assert found.count(oldest) >= 10
    assert found.count(newest) >= 3
