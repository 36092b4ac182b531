"""The bytes of uploads: one part file each, to which pieces are appended.

The part file alone tells how much is there. What is there is never written again, and a piece is
acknowledged after it was fsynced only: a killed server loses nothing that it acknowledged (W02).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

from affectscope.errors import StoreError
from affectscope.io.files import to_disk
from affectscope.store.database import Store
from affectscope.store.files import disk_faults
from affectscope.store.membership import project_of
from affectscope.store.places import Places
from affectscope.store.tables import Upload

RESERVE = 16 << 20
"""Bytes of the disk that uploads leave free, so that the database can still be written."""
TAIL = 1 << 20
"""Bytes at the end of a half upload by which a browser knows whether it has the same file."""
_TOUCH = timedelta(minutes=1)
GONE = ("E_NOT_FOUND", "There is no such upload.", "Load the page again.")


class PieceError(StoreError):
    """A piece that does not fit; ``detail`` tells where to go on."""

    def __init__(self, sentence: str, received: int) -> None:
        super().__init__("E_UPLOAD", sentence, "Go on with what is missing.")
        self.detail = {"received": received}


def upload_of(store: Store, upload_id: str) -> Upload:
    """Raises StoreError E_NOT_FOUND."""
    with store.reading() as session:
        upload = session.get(Upload, upload_id)
    if upload is None:
        raise StoreError(*GONE)
    return upload


def part_of(places: Places, upload_id: str) -> Path:
    """Where the bytes of an upload gather."""
    return places.uploads / upload_id


def received(places: Places, upload_id: str) -> int:
    """How many bytes are there; the next piece begins there."""
    try:
        return part_of(places, upload_id).stat().st_size
    except FileNotFoundError:
        return 0


def check_room(places: Places, size: int) -> None:
    free = shutil.disk_usage(places.uploads).free
    if free < size + RESERVE:
        raise StoreError(
            "E_DISK_FULL",
            f"The disk is full: {free / 1e9:.1f} GB are free. What was received so far is kept.",
            "Make room; then it goes on.",
        )


def tail_of(places: Places, upload_id: str) -> tuple[int, str]:
    """Where the last bytes that are there begin (``TAIL`` at most), and their sha256."""
    start = max(received(places, upload_id) - TAIL, 0)
    tail = b""
    with suppress(FileNotFoundError), part_of(places, upload_id).open("rb") as part:
        part.seek(start)
        tail = part.read(TAIL)
    return start, hashlib.sha256(tail).hexdigest()


class Piece:
    """One piece of an upload as it comes in, to be used in ``with``.

    Args:
        offset: where in the file it begins; at most what is there, or there would be a gap.

    Raises:
        StoreError: E_NOT_FOUND; E_UPLOAD with "received" in its detail; E_DISK_FULL.
    """

    def __init__(self, store: Store, upload_id: str, offset: int) -> None:
        upload = upload_of(store, upload_id)
        check_room(store.places, 0)
        _touch(store, upload)
        there = received(store.places, upload_id)
        if offset > there:
            raise PieceError("A piece before this one is missing.", there)
        self._size, self._at = upload.size, offset
        with disk_faults():
            self._part = _opened(part_of(store.places, upload_id))
        if not _is_wanted(store, upload_id):
            os.close(self._part)
            part_of(store.places, upload_id).unlink(missing_ok=True)
            raise StoreError(*GONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._part)

    def write(self, data: bytes) -> None:
        """Append what is not there yet.

        Raises:
            StoreError: E_UPLOAD where it goes beyond the announced size; E_DISK_FULL.
        """
        if self._at + len(data) > self._size:
            raise PieceError("More was sent than was announced.", self._received())
        if self._received() < self._at + len(data):
            self._append(data)
        self._at += len(data)

    def _append(self, data: bytes) -> None:
        with disk_faults(), _alone(self._part):
            there = self._received()
            rest = memoryview(data)[max(there - self._at, 0) :]
            while rest:
                written = os.pwrite(self._part, rest, there)
                there, rest = there + written, rest[written:]

    def keep(self) -> int:
        """Make it durable. Returns how many bytes of the file are there now."""
        with disk_faults():
            os.fsync(self._part)
        return self._received()

    def _received(self) -> int:
        return os.fstat(self._part).st_size


def _is_wanted(store: Store, upload_id: str) -> bool:
    """Asked once the part is open: who drops the upload, or erases its person, from now on finds
    the part; who did so before has removed it, and it was made again just now."""
    with store.reading() as session:
        return project_of(session, "upload", upload_id) is not None


def _opened(part: Path) -> int:
    try:
        return os.open(part, os.O_RDWR)
    except FileNotFoundError:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        to_disk(part.parent)
        return descriptor


@contextmanager
def _alone(part: int) -> Iterator[None]:
    """Two requests that send the same piece take turns."""
    fcntl.flock(part, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(part, fcntl.LOCK_UN)


def _touch(store: Store, upload: Upload) -> None:
    if store.clock() - upload.touched_at < _TOUCH:
        return
    with store.writing(None) as change:
        row = change.session.get(Upload, upload.id)
        if row is not None:
            row.touched_at = change.at
