"""The files of sessions: what they may be called, where their content lies, and removing them.

A content lies once under ``files/`` by its sha256, whatever names it has; ``input/`` of each
session holds hard links to it (copies where the file system knows no links). A row is committed
only after its content and its link are on the disk, and a content goes only after its last row, so
that a killed process leaves files without a row at worst: ``sweep`` removes those.
"""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.io.files import to_disk
from affectscope.io.session_file import NAME
from affectscope.store import answers
from affectscope.store.database import Store
from affectscope.store.jobs import ask_inspection
from affectscope.store.places import Places
from affectscope.store.tables import StoredFile, Upload

RESERVED = (NAME, answers.FILE)
"""What the program itself writes into a session's folder."""
LONGEST_NAME = 200
_LONGEST_NAME_BYTES = 255
"""Of one name on all common file systems."""
_UNWANTED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories: control and formatting characters (bidirectional ones among them), half
surrogates, line and paragraph separators."""
_JOINERS = "\u200c\u200d"
"""Formatting characters that words of some scripts, and emoji, are spelled with."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True)
class ListedFile:
    """``size`` in bytes."""

    id: str
    name: str
    size: int
    sha256: str
    created_at: datetime


def checked_file_name(name: str) -> str:
    """The name in Unicode's composed form (NFC), if it is a plain file name (W15, W26).

    Raises:
        StoreError: E_VALUE.
    """
    name = unicodedata.normalize("NFC", name)
    reason = _name_fault(name)
    if reason:
        raise StoreError("E_VALUE", f"The file's name {reason}.", "Rename the file, then add it.")
    return name


def _name_fault(name: str) -> str:
    if not 1 <= len(name) <= LONGEST_NAME:
        return f"must have 1 to {LONGEST_NAME} characters"
    if any(unicodedata.category(sign) in _UNWANTED and sign not in _JOINERS for sign in name):
        return "holds invisible characters"
    if "/" in name or "\\" in name:
        return "holds a slash"
    if name != name.strip() or name.startswith("."):
        return "begins with a dot, or begins or ends with a space"
    if name.casefold() in RESERVED:
        return "is one that the program writes itself"
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        return "is too long"
    return ""


def files_of(session: Session, session_id: str) -> list[ListedFile]:
    """All files of a session, by name."""
    rows = session.scalars(
        select(StoredFile).where(StoredFile.session_id == session_id).order_by(StoredFile.name)
    )
    return [_listed(row) for row in rows]


def file_of(session: Session, session_id: str, file_id: str) -> ListedFile:
    """Raises StoreError E_NOT_FOUND, also for a file of another session (W14)."""
    row = session.get(StoredFile, file_id)
    if row is None or row.session_id != session_id:
        raise StoreError("E_NOT_FOUND", "There is no such file.", "Load the page again.")
    return _listed(row)


def _listed(row: StoredFile) -> ListedFile:
    return ListedFile(row.id, row.name, row.size, row.sha256, row.created_at)


def remove_file(store: Store, actor_id: str, *, session_id: str, file_id: str) -> None:
    """Take a file out of a session; its content goes too where no session has it any more.

    Raises:
        StoreError: E_NOT_FOUND.
    """
    with store.writing(actor_id) as change:
        file = file_of(change.session, session_id, file_id)
        change.session.delete(change.session.get_one(StoredFile, file_id))
        change.audit(
            "file.removed", "file", file_id, {"session_id": session_id, "sha256": file.sha256}
        )
        ask_inspection(change, session_id)
    with store.writing(None), disk_faults():  # a file of this name may have come meanwhile
        if not _has_name(store, session_id, file.name):
            (store.places.input(session_id) / file.name).unlink(missing_ok=True)
    drop_contents(store, [file.sha256])


def _has_name(store: Store, session_id: str, name: str) -> bool:
    with store.reading() as session:
        return name in {file.name for file in files_of(session, session_id)}


def drop_contents(store: Store, hashes: Collection[str]) -> None:
    """Remove each of these contents that no row names any more.

    While it looks and removes no other change can begin, so none can take up the same content.
    """
    with store.writing(None) as change, disk_faults():
        for sha256 in hashes:
            rows = select(StoredFile.id).where(StoredFile.sha256 == sha256).limit(1)
            if change.session.scalars(rows).first() is None:
                store.places.content(sha256).unlink(missing_ok=True)


def place_content(places: Places, twin: Path, sha256: str) -> None:
    """Move a complete file to where its content belongs, durably; kept as it is if there already.

    Args:
        twin: on the same file system; gone afterwards or not needed any more.
    """
    content = places.content(sha256)
    if content.exists():
        return
    content.parent.mkdir(parents=True, exist_ok=True)
    twin.replace(content)
    to_disk(content.parent)
    to_disk(places.files)


def place_link(places: Places, twin: Path, *, session_id: str, name: str) -> None:
    """Move a link (or copy) of a content into a session's folder, durably."""
    folder = places.input(session_id)
    folder.mkdir(parents=True, exist_ok=True)
    twin.replace(folder / name)
    to_disk(folder)


def make_twin(source: Path, target: Path) -> Path:
    """A second name for a file; a durable copy where the file system does not allow that."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with source.open("rb") as original, target.open("wb") as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
    return target


@contextmanager
def disk_faults() -> Iterator[None]:
    """What the disk refuses becomes an error that says so.

    Raises:
        StoreError: E_DISK_FULL; E_OUTPUT for all else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreError(
                "E_DISK_FULL",
                "The disk is full; what was received so far is kept.",
                "Make room; then it goes on.",
            ) from error
        raise StoreError(
            "E_OUTPUT",
            f"The data folder cannot be written ({error.strerror}).",
            "See to the disk; nothing was half saved.",
        ) from error


def sweep_files(store: Store) -> None:
    """Remove contents, links and half uploads that have no row.

    The disk is looked through while others go on; only where something has no row no change can
    begin, and it is asked once more.
    """
    with disk_faults():
        with store.reading() as session:
            known = _known(session)
        lost = {path: key for path, key in _found(store.places) if key not in known}
        if not lost:
            return
        with store.writing(None) as change:
            known = _known(change.session)
            for path, key in lost.items():
                if key not in known:
                    path.unlink(missing_ok=True)


def _found(places: Places) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Each file with what its row is known by."""
    for path in places.files.glob("*/*"):
        yield path, ("content", path.name)
    for path in places.uploads.iterdir():
        yield path, ("upload", path.name.split(".")[0])
    for path in places.data.glob("sessions/*/input/[!.]*"):
        if path.name not in RESERVED and path.is_file():
            yield path, ("file", path.parts[-3], path.name)


def _known(session: Session) -> set[tuple[str, ...]]:
    files = session.execute(select(StoredFile.session_id, StoredFile.name, StoredFile.sha256)).all()
    return {
        *(("content", row.sha256) for row in files),
        *(("file", row.session_id, row.name) for row in files),
        *(("upload", upload_id) for upload_id in session.scalars(select(Upload.id))),
    }
