"""Files on their way: announced, sent in pieces, checked, and made a session's file.

An upload is a row and a part file (``upload_parts``). It becomes a file of the session once: its
row goes in the change that adds the file's (W21).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.io.files import sha256 as hash_of
from affectscope.store.consents import check_consent
from affectscope.store.database import Change, Store
from affectscope.store.files import (
    checked_file_name,
    disk_faults,
    files_of,
    make_twin,
    place_content,
    place_link,
    sweep_files,
)
from affectscope.store.jobs import ask_inspection
from affectscope.store.places import Places
from affectscope.store.sessions import session_head
from affectscope.store.tables import StoredFile, Upload
from affectscope.store.upload_parts import (
    GONE,
    PieceError,
    check_room,
    part_of,
    received,
    upload_of,
)

KEPT = timedelta(hours=24)
"""A half upload that nobody goes on with is dropped after so long (W02)."""


@dataclass(frozen=True)
class Announced:
    """A file that is about to be sent. ``size`` in bytes; ``sha256`` where the sender knows it."""

    name: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class ListedUpload:
    """``received`` of ``size`` bytes are there."""

    id: str
    name: str
    size: int
    received: int


def begin_upload(
    change: Change, session_id: str, *, announced: Announced, places: Places, largest: int
) -> Upload:
    """Announce a file of a session.

    Args:
        largest: bytes that one file may have.

    Raises:
        StoreError: E_CONSENT; E_VALUE for its name or size; E_CONFLICT where a file or upload of
            the session has the name, in upper or lower case; E_TOO_LARGE; E_DISK_FULL.
    """
    head = session_head(change.session, session_id)
    check_consent(change.session, head.subject_id, "ingest", change.at)
    name = checked_file_name(announced.name)
    _check_free(change.session, session_id, name)
    _check_size(announced.size, largest)
    check_room(places, announced.size + _expected(change.session, places))
    upload = Upload(
        session_id=session_id,
        name=name,
        size=announced.size,
        sha256=announced.sha256,
        touched_at=change.at,
        created_at=change.at,
    )
    change.session.add(upload)
    change.session.flush()
    change.audit(
        "upload.begun", "upload", upload.id, {"session_id": session_id, "size": upload.size}
    )
    return upload


def _check_free(session: Session, session_id: str, name: str) -> None:
    uploads = select(Upload.name).where(Upload.session_id == session_id)
    taken = [*session.scalars(uploads), *(file.name for file in files_of(session, session_id))]
    if name.casefold() in {other.casefold() for other in taken}:
        raise StoreError(
            "E_CONFLICT",
            "The session has a file of this name already.",
            "Remove that one first, or rename the new one.",
        )


def _check_size(size: int, largest: int) -> None:
    if size < 1:
        raise StoreError("E_VALUE", "The file is empty.", "Export it again.")
    if size > largest:
        raise StoreError(
            "E_TOO_LARGE",
            f"The file has {size / 1e9:.2f} GB; at most {largest / 1e9:.2f} GB are taken.",
            "Cut it, or ask who runs the program to allow more.",
        )


def _expected(session: Session, places: Places) -> int:
    """Bytes that other uploads still want to send."""
    return sum(row.size - received(places, row.id) for row in session.scalars(select(Upload)))


def uploads_of(session: Session, places: Places, session_id: str) -> list[ListedUpload]:
    """The session's files that are on their way, by name."""
    rows = session.scalars(
        select(Upload).where(Upload.session_id == session_id).order_by(Upload.name)
    )
    return [ListedUpload(row.id, row.name, row.size, received(places, row.id)) for row in rows]


def finish_upload(store: Store, upload_id: str, actor_id: str) -> StoredFile:
    """Make a complete upload a file of its session.

    The content is hashed before the change begins, since that may take minutes.

    Raises:
        StoreError: E_NOT_FOUND, also where it was finished before; E_UPLOAD where bytes are
            missing, or where the sha256 is not the announced one, and the upload is dropped;
            E_BUSY where it is being finished; E_CONSENT; E_DISK_FULL.
    """
    places = store.places
    there = received(places, upload_id)  # before the row, which goes first when it is finished
    upload, part = upload_of(store, upload_id), part_of(places, upload_id)
    if there < upload.size:
        raise PieceError("Not all of the file is there yet.", there)
    with disk_faults(), _finishing(part):
        digest = hash_of(part)
        if upload.sha256 not in (None, digest):
            drop_upload(store, upload_id, actor_id)
            raise StoreError("E_UPLOAD", "The file arrived damaged.", "Send it again.")
        stored = _made_file(store, upload, actor_id=actor_id, digest=digest)
        places.content(digest).chmod(0o400)
        _clear(places, upload_id)
    return stored


@contextmanager
def _finishing(part: Path) -> Iterator[None]:
    """One at a time, and only while nobody appends."""
    try:
        stream = part.open("rb")
    except FileNotFoundError:
        raise StoreError(*GONE) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError("E_BUSY", "The file is being checked.", "Wait a little.") from None
        os.fsync(stream.fileno())  # also what no piece was acknowledged for
        yield


def _made_file(store: Store, upload: Upload, *, actor_id: str, digest: str) -> StoredFile:
    """Content and link in place, then the rows. The part file stays, so that after any fault the
    upload is still complete and can be finished again."""
    places = store.places
    part, content = part_of(places, upload.id), places.content(digest)
    twins = [part.with_name(f"{part.name}.{purpose}") for purpose in ("content", "link")]
    try:
        for_content = part if content.exists() else make_twin(part, twins[0])
        for_link = make_twin(content if content.exists() else part, twins[1])
        with store.writing(actor_id) as change:
            row = change.session.get(Upload, upload.id)
            if row is None:
                raise StoreError(*GONE)
            subject_id = session_head(change.session, row.session_id).subject_id
            check_consent(change.session, subject_id, "ingest", change.at)
            if for_content == part and not content.exists():  # its last row went meanwhile
                for_content = make_twin(part, twins[0])
            place_content(places, for_content, digest)
            place_link(places, for_link, session_id=row.session_id, name=row.name)
            return _committed(change, row, digest)
    finally:
        for twin in twins:
            twin.unlink(missing_ok=True)


def _committed(change: Change, upload: Upload, digest: str) -> StoredFile:
    stored = StoredFile(
        session_id=upload.session_id,
        name=upload.name,
        sha256=digest,
        size=upload.size,
        created_at=change.at,
    )
    change.session.add(stored)
    change.session.delete(upload)
    change.session.flush()
    detail = {"session_id": upload.session_id, "sha256": digest, "size": upload.size}
    change.audit("file.added", "file", stored.id, detail)
    ask_inspection(change, upload.session_id)
    return stored


def drop_upload(store: Store, upload_id: str, actor_id: str) -> None:
    """Give an upload up, with all that was received of it. Raises StoreError E_NOT_FOUND."""
    with store.writing(actor_id) as change:
        row = change.session.get(Upload, upload_id)
        if row is None:
            raise StoreError(*GONE)
        change.session.delete(row)
        change.audit("upload.dropped", "upload", upload_id, {"session_id": row.session_id})
    with disk_faults():
        _clear(store.places, upload_id)


def _clear(places: Places, upload_id: str) -> None:
    for path in places.uploads.glob(f"{upload_id}*"):
        path.unlink(missing_ok=True)


def sweep(store: Store) -> None:
    """Drop uploads that nobody goes on with, and all files that have no row: at start and hourly.

    Raises:
        StoreError: E_BUSY; E_OUTPUT.
    """
    with store.writing(None) as change:
        old = select(Upload).where(Upload.touched_at < change.at - KEPT)
        for row in change.session.scalars(old).all():
            change.session.delete(row)
            change.audit("upload.expired", "upload", row.id, {"session_id": row.session_id})
    sweep_files(store)
