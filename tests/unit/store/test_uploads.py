"""Uploads in the store: several at once, a full disk, what killed processes leave."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from affectscope.errors import StoreError
from affectscope.store import files, upload_parts
from affectscope.store.database import Store
from affectscope.store.files import files_of, remove_file, sweep_files
from affectscope.store.opening import open_store
from affectscope.store.tables import (
    Consent,
    Membership,
    Project,
    RecordedSession,
    Role,
    Subject,
    User,
)
from affectscope.store.upload_parts import Piece, part_of, received
from affectscope.store.uploads import (
    Announced,
    begin_upload,
    drop_upload,
    finish_upload,
    sweep,
    uploads_of,
)


class Held:
    """A store with one user, one person who consented, one session, and a clock that tests turn."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.time = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
        self.store: Store = open_store(folder, keys, clock=lambda: self.time)
        with self.store.writing(None) as change:
            at = change.at
            user = User(name="olga", password_hash="-", created_at=at)
            project = Project(name="Anxiety", purpose="therapy", created_at=at)
            change.session.add_all([user, project])
            change.session.flush()
            subject = Subject(project_id=project.id, pseudonym="P01", created_at=at)
            change.session.add_all(
                [subject, Membership(project_id=project.id, user_id=user.id, role=Role.OWNER)]
            )
            change.session.flush()
            session = RecordedSession(
                subject_id=subject.id, label="first", settings={}, created_at=at
            )
            consent = Consent(subject_id=subject.id, scopes=["ingest"], given_at=at)
            change.session.add_all([session, consent])
            change.session.flush()
            self.user_id, self.session_id = user.id, session.id

    def begin(self, name: str, size: int) -> str:
        with self.store.writing(self.user_id) as change:
            upload = begin_upload(
                change,
                self.session_id,
                announced=Announced(name, size),
                places=self.store.places,
                largest=1 << 40,
            )
            return upload.id

    def send(self, upload_id: str, offset: int, data: bytes) -> int:
        with Piece(self.store, upload_id, offset) as piece:
            piece.write(data)
            return piece.keep()

    def finish(self, upload_id: str) -> str:
        return finish_upload(self.store, upload_id, self.user_id).id

    def add(self, name: str, data: bytes) -> str:
        upload_id = self.begin(name, len(data))
        self.send(upload_id, 0, data)
        return self.finish(upload_id)

    def names(self) -> list[str]:
        with self.store.reading() as session:
            return [file.name for file in files_of(session, self.session_id)]

    def open_names(self) -> list[str]:
        with self.store.reading() as session:
            rows = uploads_of(session, self.store.places, self.session_id)
        return [row.name for row in rows]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    made = Held(tmp_path / "data", tmp_path / "keys")
    yield made
    made.store.close()


def test_W07_eight_uploads_side_by_side_and_each_piece_from_two_senders(held: Held) -> None:
    contents = [random.Random(number // 2).randbytes(200_000) for number in range(8)]
    uploads = [held.begin(f"{number}.bin", len(data)) for number, data in enumerate(contents)]
    faults: list[BaseException] = []

    def work(number: int, step: int) -> None:
        try:
            data = contents[number]
            while (there := received(held.store.places, uploads[number])) < len(data):
                held.send(uploads[number], there, data[there : there + step])
        except BaseException as fault:
            faults.append(fault)

    threads = [
        threading.Thread(target=work, args=(number, step))
        for number in range(8)
        for step in (30_000, 17_000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for upload_id in uploads:
        held.finish(upload_id)
    places = held.store.places
    for number, data in enumerate(contents):
        assert (places.input(held.session_id) / f"{number}.bin").read_bytes() == data
    contents_there = {path.name for path in places.files.glob("*/*")}
    assert contents_there == {hashlib.sha256(data).hexdigest() for data in contents}
    assert len(contents_there) == 4


def test_W21_two_who_finish_at_once_make_one_file(held: Held) -> None:
    data = random.Random(1).randbytes(500_000)
    upload_id = held.begin("a.bin", len(data))
    held.send(upload_id, 0, data)
    ends: list[str] = []

    def finish() -> None:
        try:
            held.finish(upload_id)
            ends.append("made")
        except StoreError as refused:
            ends.append(refused.code)

    threads = [threading.Thread(target=finish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count("made") == 1
    assert set(ends) <= {"made", "E_BUSY", "E_NOT_FOUND"}
    assert held.names() == ["a.bin"]


def test_W02_uploads_nobody_goes_on_with_are_swept_after_24_hours_with_their_parts(
    held: Held,
) -> None:
    old, touched = held.begin("old.bin", 1000), held.begin("touched.bin", 1000)
    held.send(old, 0, b"x" * 500)
    held.send(touched, 0, b"x" * 500)
    held.time += timedelta(hours=23)
    held.send(touched, 500, b"x")
    sweep(held.store)
    assert held.open_names() == ["old.bin", "touched.bin"]
    held.time += timedelta(hours=1, seconds=1)
    sweep(held.store)
    assert held.open_names() == ["touched.bin"]
    assert not part_of(held.store.places, old).exists()
    assert received(held.store.places, touched) == 501


def test_W02_what_a_killed_server_left_without_a_row_is_swept_and_nothing_else(held: Held) -> None:
    held.add("a.bin", b"kept")
    half = held.begin("half.bin", 10)
    held.send(half, 0, b"12345")
    places = held.store.places
    folder = places.input(held.session_id)
    (folder / "session.toml").write_text("")
    (folder / ".affectscope-tmp-1").write_text("")
    orphan = hashlib.sha256(b"orphan").hexdigest()
    places.content(orphan).parent.mkdir(exist_ok=True)
    leftovers = [
        places.content(orphan),
        folder / "orphan.bin",
        places.uploads / ("0" * 32),
        places.uploads / f"{'0' * 32}.link",
        places.input("f" * 32) / "b.bin",
    ]
    for path in leftovers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"orphan")
    kept = {path for path in places.data.rglob("*") if path.is_file()} - set(leftovers)
    sweep(held.store)
    there = {path for path in places.data.rglob("*") if path.is_file()}
    assert {path for path in there if "sqlite" not in path.name} == {
        path for path in kept if "sqlite" not in path.name
    }
    held.send(half, 5, b"67890")
    held.finish(half)
    assert held.names() == ["a.bin", "half.bin"]


def test_W02_a_fault_between_the_files_and_the_row_leaves_the_upload_to_be_finished_again(
    held: Held,
) -> None:
    upload_id = held.begin("a.bin", 4)
    held.send(upload_id, 0, b"data")
    with held.store.writing(None) as change:
        consent = change.session.query(Consent).one()
        consent.withdrawn_at = change.at
    with pytest.raises(StoreError, match="E_CONSENT"):
        held.finish(upload_id)
    with held.store.writing(None) as change:
        change.session.query(Consent).one().withdrawn_at = None
    sweep(held.store)
    held.finish(upload_id)
    assert held.names() == ["a.bin"]
    assert list(held.store.places.uploads.iterdir()) == []


def test_W02_a_piece_for_an_upload_that_was_dropped_meanwhile_leaves_nothing(held: Held) -> None:
    upload_id = held.begin("a.bin", 4)
    held.time += timedelta(minutes=2)
    given = iter((held.time,))

    def drop_then_tell() -> datetime:
        """Asked between the look at the row and the opening of the part."""
        for _ in given:
            drop_upload(held.store, upload_id, held.user_id)
        return held.time

    held.store.clock = drop_then_tell
    with pytest.raises(StoreError, match="no such upload"):
        Piece(held.store, upload_id, 0)
    assert list(held.store.places.uploads.iterdir()) == []


def test_G01_what_was_refused_at_its_end_leaves_the_upload_alone(held: Held) -> None:
    upload_id = held.begin("a.bin", 4)
    held.send(upload_id, 0, b"data")
    with held.store.writing(None) as change:
        change.session.query(Consent).one().withdrawn_at = change.at
    with pytest.raises(StoreError, match="withdrawn"):
        held.finish(upload_id)
    assert [path.name for path in held.store.places.uploads.iterdir()] == [upload_id]


def test_W02_a_finished_upload_is_on_the_disk_also_where_its_last_piece_was_not_acknowledged(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = held.begin("a.bin", 4)
    with Piece(held.store, upload_id, 0) as piece:
        piece.write(b"data")  # and the server is killed before ``keep``
    synced: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    part = part_of(held.store.places, upload_id).stat().st_ino
    held.finish(upload_id)
    assert part in synced


def test_W03_sweeping_holds_nobody_up_where_there_is_nothing_to_remove(held: Held) -> None:
    held.add("a.bin", b"kept")
    with held.store.writing(None):  # somebody else's turn
        sweep_files(held.store)
    assert held.names() == ["a.bin"]


def test_removing_and_adding_the_same_content_over_and_over_never_loses_it(held: Held) -> None:
    data, other = random.Random(2).randbytes(50_000), "keeper.bin"
    held.add(other, data)

    def churn(name: str) -> None:
        for _ in range(5):
            file_id = held.add(name, data)
            remove_file(held.store, held.user_id, session_id=held.session_id, file_id=file_id)

    threads = [threading.Thread(target=churn, args=(f"{number}.bin",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held.names() == [other]
    content = held.store.places.content(hashlib.sha256(data).hexdigest())
    assert content.read_bytes() == data
    assert content.stat().st_nlink == 2


def test_where_links_are_impossible_files_are_copied(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems without hard links (exFAT) answer EPERM."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    file_id = held.add("a.bin", b"data")
    link = held.store.places.input(held.session_id) / "a.bin"
    content = held.store.places.content(hashlib.sha256(b"data").hexdigest())
    assert link.read_bytes() == content.read_bytes() == b"data"
    assert not link.samefile(content)
    held.add("b.bin", b"data")
    remove_file(held.store, held.user_id, session_id=held.session_id, file_id=file_id)
    assert content.exists()
    assert list(held.store.places.uploads.iterdir()) == []


# W06: a full disk

DISK = 48 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of ``DISK`` bytes; the test is skipped where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if shutil.which("mount") is None:
        pytest.skip("there is no program mount")
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_W06_on_a_full_disk_nothing_is_half_saved_and_it_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    held = Held(small_disk / "data", tmp_path / "keys")
    data = random.Random(3).randbytes(8 << 20)
    upload_id = held.begin("a.bin", len(data))
    with pytest.raises(StoreError, match="E_DISK_FULL"):  # not room for both
        held.begin("b.bin", DISK - (16 << 20) - (4 << 20))
    assert held.send(upload_id, 0, data[: 1 << 20]) == 1 << 20
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - (2 << 20)))
    with pytest.raises(StoreError, match="E_DISK_FULL"):  # the reserve is the database's
        held.send(upload_id, 1 << 20, data[1 << 20 :])
    with pytest.raises(StoreError, match="E_DISK_FULL"):
        held.begin("c.bin", 1)
    assert received(held.store.places, upload_id) == 1 << 20
    assert (held.names(), held.open_names()) == ([], ["a.bin"])
    filler.unlink()
    held.send(upload_id, 1 << 20, data[1 << 20 :])
    held.finish(upload_id)
    assert (held.store.places.input(held.session_id) / "a.bin").read_bytes() == data
    held.store.close()


def test_W06_a_disk_that_fills_while_a_piece_is_written_keeps_what_fitted(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_parts, "RESERVE", 0)
    held = Held(small_disk / "data", tmp_path / "keys")
    data = random.Random(4).randbytes(4 << 20)
    upload_id = held.begin("a.bin", len(data))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - (1 << 20)))
    with pytest.raises(StoreError, match="E_DISK_FULL") as refused:
        held.send(upload_id, 0, data)
    assert "kept" in refused.value.sentence
    there = received(held.store.places, upload_id)
    assert 0 < there < len(data)
    filler.unlink()
    held.send(upload_id, there, data[there:])
    held.finish(upload_id)
    assert (held.store.places.input(held.session_id) / "a.bin").read_bytes() == data
    drop = held.begin("b.bin", 10)
    drop_upload(held.store, drop, held.user_id)
    assert held.open_names() == []
    held.store.close()


def test_W06_a_disk_that_cannot_be_written_is_told_as_such() -> None:
    with pytest.raises(StoreError, match="E_OUTPUT"), files.disk_faults():
        raise OSError(5, "Input/output error")
