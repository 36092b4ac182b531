"""The database under stress: locks, long readers, a full disk."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, func, select

from affectscope.errors import ModelError, StoreError
from affectscope.store import database, engines, write_ahead_log
from affectscope.store.audit_check import check
from affectscope.store.database import Store
from affectscope.store.opening import open_store
from affectscope.store.tables import AuditRow, Project, User
from affectscope.web.answers import install

Opened = Callable[..., Store]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long; to be asked for before the store."""
    for module in (database, engines, write_ahead_log):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)


def add(store: Store, name: str = "Anxiety", justification: str = "") -> None:
    with store.writing(None) as change:
        project = Project(
            name=name, purpose="research", justification=justification, created_at=change.at
        )
        change.session.add(project)
        change.session.flush()
        change.audit("project.added", "project", project.id)


def count(store: Store) -> int:
    with store.reading() as session:
        return session.scalars(select(func.count()).select_from(Project)).one()


@contextmanager
def locked_by_another_program(store: Store) -> Iterator[None]:
    with closing(sqlite3.connect(store.places.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def answer(store: Store) -> tuple[int, dict[str, Any], str | None]:
    """What the page answers to a change: status, body, Retry-After."""
    app = FastAPI()
    install(app)

    @app.post("/api/projects")
    def change() -> None:
        add(store)

    told = TestClient(app, raise_server_exceptions=False).post("/api/projects")
    return told.status_code, told.json() or {}, told.headers.get("Retry-After")


def test_W03_another_programs_lock_is_waited_for_then_told_as_busy(
    impatient: None, opened: Opened
) -> None:
    store = opened()
    with locked_by_another_program(store):
        status, body, retry = answer(store)
        assert (status, body["code"], retry) == (503, "E_BUSY", "2")
        assert count(store) == 0, "who reads is not kept waiting"
    assert answer(store)[0] == 200
    assert count(store) == 1
    assert check(store).rows == 1


def test_W03_who_waits_too_long_for_his_turn_is_told_so(impatient: None, opened: Opened) -> None:
    store = opened()
    begun, end = threading.Event(), threading.Event()

    def slow() -> None:
        with store.writing(None) as change:
            change.audit("slow", "nothing", "0")
            begun.set()
            end.wait()

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait()
    with pytest.raises(StoreError) as told:
        add(store)
    end.set()
    thread.join()
    assert told.value.code == "E_BUSY"
    assert (count(store), check(store).rows) == (0, 1)


def test_W03_changes_of_many_threads_are_all_kept_in_one_chain(opened: Opened) -> None:
    store = opened()

    def work() -> None:
        for _ in range(10):
            add(store)
            count(store)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store) == 80
    state = check(store)
    assert (state.rows, state.head_ok) == (80, True)


def test_W03_a_view_stays_as_it_was_beside_changes(opened: Opened) -> None:
    store = opened()
    add(store)
    with store.reading() as session:
        asked = select(func.count()).select_from(Project)
        assert session.scalars(asked).one() == 1
        add(store)
        assert session.scalars(asked).one() == 1
        assert count(store) == 2


def test_W03_too_many_readers_are_told_so(impatient: None, opened: Opened) -> None:
    store = opened()
    most = engines._READERS["pool_size"] + engines._READERS["max_overflow"]
    store.engines.readers.pool._timeout = 0.05  # type: ignore[attr-defined]
    with pytest.raises(StoreError) as told:
        enter(store, most + 1)
    assert told.value.code == "E_BUSY"
    assert count(store) == 0


def enter(store: Store, readers: int) -> None:
    """So many views, one inside the other."""
    with store.reading() as session:
        session.scalars(select(Project.id)).all()
        if readers > 1:
            enter(store, readers - 1)


def test_a_view_cannot_change_anything(opened: Opened) -> None:
    store = opened()
    with store.reading() as session:
        session.add(Project(name="x", purpose="research", created_at=store.clock()))
        with pytest.raises(StoreError):
            session.flush()
    assert count(store) == 0


def log_size(store: Store) -> int:
    return store.places.database.with_name("affectscope.sqlite-wal").stat().st_size


MEGABYTE = "x" * (1 << 20)


def test_W03_the_log_stays_small_and_waits_for_a_reader_who_does_not_end(
    impatient: None, opened: Opened
) -> None:
    store = opened()
    largest = 0
    for _ in range(20):
        add(store, justification=MEGABYTE)
        largest = max(largest, log_size(store))
    assert largest <= 20e6, "without readers it is carried over at 16 MiB"
    with store.reading() as session:
        seen = session.scalars(select(func.count()).select_from(Project)).one()
        refused = None
        for _ in range(80):
            try:
                add(store, justification=MEGABYTE)
            except StoreError as error:
                refused = error
                break
            finally:
                largest = max(largest, log_size(store))
        assert refused is not None
        assert refused.code == "E_BUSY"
        assert session.scalars(select(func.count()).select_from(Project)).one() == seen
    assert 48e6 < largest <= 64e6
    add(store)
    assert log_size(store) < 1e6, "once the reader has ended"
    assert check(store).head_ok


def test_W05_the_log_is_carried_over_in_turn_only_and_by_nobody_else(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sqlite3.sqlite_version_info >= (3, 35), "RETURNING, secure_delete, WAL"
    connections: list[sqlite3.Connection] = []
    stores: list[Store] = []
    carried: list[bool] = []

    def watch(statement: str) -> None:
        if "wal_checkpoint" in statement:
            carried.append(stores[0]._turn.locked())

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(watch)
        connections.append(connection)

    monkeypatch.setattr(write_ahead_log, "LARGE", 1 << 16)
    event.listen(Engine, "connect", connected)
    try:
        stores.append(opened())
        enter(stores[0], 5)
        for _ in range(5):
            add(stores[0], justification=MEGABYTE[: 1 << 16])
            enter(stores[0], 3)
        stores[0].compact()
    finally:
        event.remove(Engine, "connect", connected)
    assert len(carried) >= 5
    assert all(carried)
    alive = [connection for connection in connections if is_open(connection)]
    assert len(alive) >= 5
    for connection in alive:
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    writing = [c for c in alive if c.execute("PRAGMA query_only").fetchone() == (0,)]
    assert len(writing) == 1
    assert writing[0].execute("PRAGMA synchronous").fetchone() == (2,)


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1").fetchone()
    except sqlite3.ProgrammingError:
        return False
    return True


def test_W05_a_second_process_is_kept_out(opened: Opened, tmp_path: Path) -> None:
    store = opened()
    leftover = tmp_path / "keys" / ".affectscope-tmp-being-written"
    leftover.touch()
    with pytest.raises(ModelError) as told:
        open_store(tmp_path / "data", tmp_path / "other-keys")
    assert told.value.code == "E_RUN_LOCKED"
    assert leftover.exists(), "what the first one writes is left alone"
    store.close()
    opened()


def test_W06_a_full_database_is_told_nothing_is_half_saved_and_it_goes_on(opened: Opened) -> None:
    store = opened()
    add(store)
    pages = limit(store, 0)
    limit(store, pages + 20)
    assert answer(store)[0] == 200
    with pytest.raises(StoreError) as told:
        add(store, justification=MEGABYTE)
    assert told.value.code == "E_DISK_FULL"
    assert (count(store), check(store).rows) == (2, 2)
    limit(store, 1 << 20)
    add(store, justification=MEGABYTE)
    assert (count(store), check(store).rows) == (3, 3)


def limit(store: Store, pages: int) -> int:
    """How many pages the database may have; 0: as it is. Gives back how many it has."""
    held = store.engines.writer.raw_connection()
    connection: Any = held.driver_connection
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    has: int = connection.execute("PRAGMA page_count").fetchone()[0]
    held.close()
    return has


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_W06_on_a_full_disk_changes_are_refused_and_go_on_when_there_is_room(
    small_disk: Path,
) -> None:
    store = open_store(small_disk / "data", small_disk / "keys")
    try:
        add(store, "before")
        ballast = small_disk / "ballast"
        fill(ballast)
        kept, codes = 1, set()
        for _ in range(40):
            try:
                add(store, justification=MEGABYTE[:20_000])
                kept += 1
            except StoreError as error:
                codes.add(error.code)
        assert codes == {"E_DISK_FULL"}
        assert answer(store)[0] == 507
        assert (count(store), check(store).rows) == (kept, kept)
        ballast.unlink()
        add(store, "after")
        assert count(store) == kept + 1
        state = check(store)
        assert (state.rows, state.head_ok) == (kept + 1, True)
    finally:
        store.close()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            return


def test_W06_a_head_that_finds_no_room_is_signed_with_the_next_change(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("affectscope.store.audit_head.write_text", no_room)
        add(store)
    assert count(store) == 1, "the change stands"
    add(store)
    assert check(store).head_ok
    store.close()
    state = check(opened())
    assert (state.rows, state.head_ok) == (2, True)


def test_damage_that_shows_while_it_runs_is_told(opened: Opened) -> None:
    store = opened()
    add(store, justification=MEGABYTE)
    store.compact()
    with store.places.database.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (store.places.database.stat().st_size - 4096))
    store.engines.readers.dispose()
    with pytest.raises(StoreError) as told:
        count(store)
    assert told.value.code == "E_DATABASE"


def test_what_is_there_already_and_what_cannot_be_kept_are_told(opened: Opened) -> None:
    store = opened()

    def save(row: Any) -> str:
        try:
            with store.writing(None) as change:
                row.created_at = change.at
                change.session.add(row)
        except StoreError as error:
            return error.code
        return ""

    assert save(User(name="anna", password_hash="-")) == ""
    assert save(User(name="anna", password_hash="-")) == "E_CONFLICT"
    assert save(Project(name="x", purpose="p", version=1 << 70)) == "E_VALUE"
    assert save(Project(name="\ud800", purpose="p")) == "E_VALUE"
    with store.reading() as session, pytest.raises(StoreError) as told:
        session.scalars(select(AuditRow).where(AuditRow.sequence < 1 << 70)).all()
    assert told.value.code == "E_VALUE"
