"""Backups: made beside writes, offered where the database is damaged, put back and told."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from affectscope.cli import app
from affectscope.errors import AffectScopeError, ModelError, StoreError
from affectscope.store import backups
from affectscope.store.audit_check import check
from affectscope.store.backups import (
    KEPT,
    all_backups,
    make_backup,
    make_due_backup,
    newest_backup,
    remove_backups,
    restore_backup,
)
from affectscope.store.database import Store
from affectscope.store.places import Places
from affectscope.store.tables import AuditRow, Project, Subject
from affectscope.store.uploads import sweep

Opened = Callable[..., Store]

PEOPLE = 40


def add(store: Store, name: str, people: int = PEOPLE) -> None:
    with store.writing(None) as change:
        project = Project(name=name, purpose="research", created_at=change.at)
        change.session.add(project)
        change.session.flush()
        for number in range(people):
            change.session.add(
                Subject(
                    project_id=project.id, pseudonym=f"P{number:02} {'x' * 80}",
                    created_at=change.at,
                )
            )  # fmt: skip
        change.audit("project.added", "project", project.id)


@pytest.fixture
def store(opened: Opened) -> Store:
    """With the project "first"."""
    made = opened()
    add(made, "first")
    return made


def kept_backup(store: Store) -> Path:
    made = make_backup(store)
    assert made is not None
    return made


def names(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.scalars(select(Project.name).order_by(Project.name)))


def people(store: Store) -> int:
    with store.reading() as session:
        return session.scalars(select(func.count()).select_from(Subject)).one()


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT name FROM project ORDER BY name").fetchall()


def test_a_backup_is_one_good_file_with_all_that_was_saved(store: Store) -> None:
    made = make_backup(store)
    add(store, "second")
    assert made is not None
    assert made == newest_backup(store.places)
    assert [path.name for path in store.places.backups.iterdir()] == [made.name]
    assert rows_of(made) == [("first",)]
    assert made.read_bytes()[18:20] == b"\x01\x01", "needs no write-ahead log beside it"


def test_a_backup_is_made_each_day_and_only_the_newest_are_kept(opened: Opened, clock: Any) -> None:
    store = opened()
    make_due_backup(store)
    assert all_backups(store.places) == [], "there is nothing to keep yet"
    made = []
    for _ in range(KEPT + 2):
        add(store, "another", people=0)
        make_due_backup(store)
        made.append(newest_backup(store.places))
        clock.turn(hours=23, minutes=59)
        make_due_backup(store)
        assert newest_backup(store.places) == made[-1], "not due yet"
        clock.turn(minutes=1)
    assert all_backups(store.places) == made[: -KEPT - 1 : -1]
    store.close()
    store = opened()
    assert newest_backup(store.places) not in made, "due at the start"


def test_a_damaged_database_never_replaces_a_backup(store: Store, clock: Any) -> None:
    good = make_backup(store)
    store.compact()  # nothing left in the write-ahead log
    zero(store.places.database, page=5)
    clock.turn(hours=1)
    with pytest.raises(StoreError) as told:
        make_backup(store)
    assert told.value.code == "E_DATABASE"
    assert list(store.places.backups.iterdir()) == [good]


def zero(database: Path, page: int, size: int = 4096) -> None:
    with database.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(bytes(size))


def test_W04_every_zeroed_page_is_found_at_the_start_and_the_backup_is_offered(
    opened: Opened, store: Store
) -> None:
    made = kept_backup(store)
    store.close()
    whole = store.places.database.read_bytes()
    assert len(whole) // 4096 > 30
    for page in range(1, len(whole) // 4096 + 1):
        store.places.database.write_bytes(whole)
        zero(store.places.database, page)
        with pytest.raises(StoreError) as told:
            opened()
        assert told.value.code == "E_DATABASE", page
        assert made.name in told.value.remedy
        assert "--restore-backup" in told.value.remedy


def test_W04_a_restored_backup_opens_with_its_rows_and_the_audit_trail_tells_it(
    opened: Opened, store: Store
) -> None:
    made = make_backup(store)
    for _ in range(3):
        add(store, "lost", people=0)
    store.close()
    damaged = store.places.database
    zero(damaged, page=3)
    before = damaged.read_bytes()
    assert restore_backup(store.places) == made
    store = opened()
    assert names(store) == ["first"]
    assert people(store) == PEOPLE
    aside = next(store.places.data.glob("damaged-*"))
    assert (aside / damaged.name).read_bytes() == before

    state = check(store)
    assert (state.rows, state.first_bad, state.head_ok) == (2, None, True)
    assert "restored from a backup at row 2; what rows 2 to 4 told until then is lost" in (
        state.sentence
    )
    with store.reading() as session:
        row = session.get_one(AuditRow, 2)
    assert row.action == "database.restored"
    assert made is not None
    assert made.name in row.detail
    store.close()
    assert check(opened()) == state, "told once"


def test_W04_recordings_that_the_restored_backup_does_not_know_are_kept_aside(
    opened: Opened, store: Store
) -> None:
    make_backup(store)
    newer = store.places.input("5" * 32) / "ecg.csv"
    newer.parent.mkdir(parents=True)
    newer.write_text("recorded after the backup")
    store.close()
    zero(store.places.database, page=3)
    restore_backup(store.places)
    sweep(opened())
    assert not newer.exists(), "nobody's, as far as the backup knows"
    aside = next(store.places.data.glob("damaged-*"))
    kept = aside / newer.relative_to(store.places.data)
    assert kept.read_text() == "recorded after the backup"


def test_W04_a_cut_tail_is_told_apart_from_a_restored_backup(opened: Opened, store: Store) -> None:
    made = make_backup(store)
    add(store, "second")
    store.close()
    assert made is not None
    shutil.copyfile(made, store.places.database)  # by hand: nobody says that it was restored
    state = check(opened())
    assert (state.first_bad, state.head_ok) == (2, False)
    assert "cut off" in state.sentence


@pytest.mark.parametrize("left", [b"", None], ids=["emptied", "removed"])
def test_W04_a_database_that_is_gone_is_not_made_anew_over_its_backups(
    opened: Opened, store: Store, left: bytes | None
) -> None:
    make_backup(store)
    store.close()
    store.places.database.unlink()
    if left is not None:
        store.places.database.write_bytes(left)
    with pytest.raises(StoreError, match="is gone") as told:
        opened()
    assert told.value.code == "E_DATABASE"
    restore_backup(store.places)
    assert names(opened()) == ["first"]


def test_W04_an_older_backup_is_taken_where_the_newest_is_damaged(store: Store, clock: Any) -> None:
    older = make_backup(store)
    clock.turn(hours=1)
    newest = make_backup(store)
    store.close()
    assert newest is not None
    zero(newest, page=4)
    assert restore_backup(store.places) == older


def test_W04_nothing_is_changed_where_no_backup_is_good(opened: Opened, store: Store) -> None:
    store.close()
    before = store.places.database.read_bytes()
    with pytest.raises(StoreError, match="no usable backup"):
        restore_backup(store.places)
    assert store.places.database.read_bytes() == before
    zero(store.places.database, page=2)
    with pytest.raises(StoreError, match="There is no backup"):
        opened()


def test_W04_the_command_restores_before_it_serves(
    opened: Opened, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = kept_backup(store)
    store.close()
    zero(store.places.database, page=2)
    words = ["serve", str(tmp_path / "data"), "--keys", str(tmp_path / "keys"), "--port"]
    mask = os.umask(0o077)
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            words.append(str(taken.getsockname()[1]))  # so that it ends once it would serve
            with pytest.raises(AffectScopeError, match="--restore-backup"):
                app(words, standalone_mode=False)
            with pytest.raises(AffectScopeError, match="E_SERVE"):
                app([*words, "--restore-backup"], standalone_mode=False)
    finally:
        os.umask(mask)
    assert made.name in capsys.readouterr().out
    assert names(opened()) == ["first"]


def test_no_backup_is_restored_under_a_server_that_runs(store: Store) -> None:
    make_backup(store)
    with pytest.raises(ModelError) as told:
        restore_backup(store.places)
    assert told.value.code == "E_RUN_LOCKED"


def test_G02_backups_and_what_was_put_aside_go_together(opened: Opened, store: Store) -> None:
    make_backup(store)
    store.close()
    restore_backup(store.places)
    store = opened()
    remove_backups(store.places)
    assert newest_backup(store.places) is None
    assert not list(store.places.data.glob("damaged-*"))
    remove_backups(store.places)
    make_backup(store)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["_put_aside", "to_disk", "_copy"])
def test_W04_a_restoring_that_was_interrupted_can_be_done_again(
    opened: Opened, store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make_backup(store)
    store.close()
    zero(store.places.database, page=2)
    with monkeypatch.context() as patch:
        patch.setattr(backups, step, killed)
        with pytest.raises(KeyboardInterrupt):
            restore_backup(store.places)
    with pytest.raises(AffectScopeError):
        opened()  # never silently another database
    restore_backup(store.places)
    store = opened()
    assert names(store) == ["first"]
    assert check(store).head_ok


def test_the_time_of_a_backup_is_read_from_its_name(store: Store, clock: Any) -> None:
    made = kept_backup(store)
    assert backups.time_of(made) == clock()
    assert backups.time_of(Path("affectscope-mine.sqlite")).year == 1
    assert all_backups(Places(Path("nowhere"), Path("nowhere"))) == []
