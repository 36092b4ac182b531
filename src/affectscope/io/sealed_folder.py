"""Folders that are whole or not there: their files, and a manifest with the sha256 of each.

A folder is filled under a temporary name, written through to the disk, and renamed. So a process
that is killed, or a power cut, leaves a whole folder or none. The folder and its files are readable
by their owner only: they hold recordings of people.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectscope.errors import OutputError
from affectscope.io.files import sha256, shown, to_disk
from affectscope.records import JsonObject

MANIFEST = "entry.json"
_TEMPORARY = ".affectscope-sealing-"
_SETTLED = 2.0
"""Seconds: a file changed more recently could change again without its time stamps showing it."""


class BrokenSealError(Exception):
    """A sealed folder was cut or changed; the message says how."""


class FileHashes:
    """sha256 of files, remembered beside their size and time stamps, so that none is read twice.

    ``path``: where the memory lies. Losing it, or two processes writing it, costs time only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[Any]] = {}
        self._changed = False
        try:
            known = json.loads(path.read_bytes())
            self._known = known if isinstance(known, dict) else {}
        except (OSError, ValueError):
            pass

    def sha256(self, file: Path) -> str:
        """64 hex digits; read again only where size or time stamps differ from the last time.

        Raises:
            OSError: the file cannot be read.
        """
        name = str(file.absolute())
        stamp = file_stamp(file)
        known = self._known.get(name)
        if isinstance(known, list) and known[:-1] == stamp:
            return str(known[-1])
        digest = sha256(file)
        if time.time() - file.stat().st_ctime > _SETTLED:
            self._known[name] = [*stamp, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Keep what was learnt.

        Raises:
            OutputError: E_OUTPUT.
        """
        if self._changed:
            kept = {name: known for name, known in self._known.items() if Path(name).exists()}
            with _told(self._path.parent), _temporary(self._path.parent) as temporary:
                written = temporary / self._path.name
                written.write_text(json.dumps(kept), encoding="utf-8")
                written.replace(self._path)
            self._changed = False


def file_stamp(file: Path) -> list[int]:
    """What changes with a file: its size, and when its content and its entry were last written."""
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def write_sealed(folder: Path, fill: Callable[[Path], JsonObject]) -> None:
    """Make ``folder`` out of what ``fill`` writes into a temporary one; it returns the facts.

    Where the folder came to be meanwhile, that one stays: two writers of one name write the same.

    Raises:
        OutputError: E_OUTPUT where it cannot be written.
    """
    with _told(folder.parent), _temporary(folder.parent) as temporary:
        facts = fill(temporary)
        files = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
        content = {"facts": facts, "files": files}
        manifest = {**content, "seal": _seal(content)}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for path in (*sorted(temporary.iterdir()), temporary):
            to_disk(path)
        try:
            temporary.rename(folder)
        except OSError:
            if not (folder / MANIFEST).exists():
                raise
        to_disk(folder.parent)


def read_sealed(folder: Path, hashes: FileHashes) -> dict[str, Any] | None:
    """The facts of a folder whose every file is as it was written; None where there is no folder.

    Raises:
        BrokenSealError: something of it was cut, changed or added.
    """
    if not folder.is_dir():
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        content = {name: manifest[name] for name in ("facts", "files")}
        if manifest["seal"] != _seal(content):
            raise BrokenSealError(f"{MANIFEST} was changed")
        facts, files = dict(content["facts"]), dict(content["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenSealError(f"{MANIFEST} cannot be read") from error
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    for name in sorted(there ^ files.keys()):
        raise BrokenSealError(f"{name} {'was added' if name in there else 'is missing'}")
    for name, digest in files.items():
        try:
            found = hashes.sha256(folder / name)
        except OSError as error:
            raise BrokenSealError(f"{name} cannot be read") from error
        if found != digest:
            raise BrokenSealError(f"{name} was changed")
    return facts


def ensure_sealed(
    folder: Path, hashes: FileHashes, fill: Callable[[Path], JsonObject]
) -> BrokenSealError | None:
    """``write_sealed`` where the folder is missing or damaged; returns what the damage was.

    Raises:
        OutputError: E_OUTPUT where it cannot be written.
    """
    damage = None
    try:
        known = read_sealed(folder, hashes)
    except BrokenSealError as error:
        remove_folder(folder)
        known, damage = None, error
    if known is None:
        write_sealed(folder, fill)
    return damage


def remove_folder(folder: Path) -> bool:
    """Take a folder away, first out of sight and then from the disk; False where there is none.

    Raises:
        OutputError: E_OUTPUT where it cannot be removed.
    """
    if not folder.exists():
        return False
    with _told(folder.parent), _temporary(folder.parent) as temporary:
        try:
            folder.rename(temporary / "removed")
        except FileNotFoundError:
            return False  # another process was faster
    return True


def private_folder(folder: Path) -> None:
    """Make a folder for sealed ones, readable by its owner only.

    What killed writers left in it goes; what a living one writes stays.

    Raises:
        OutputError: E_OUTPUT where it cannot be made.
    """
    with _told(folder.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_TEMPORARY}*"):
        with _locked(leftover, fcntl.LOCK_EX | fcntl.LOCK_NB) as mine:
            if mine:
                shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            "E_OUTPUT",
            f"{shown(folder)} cannot be written ({error.strerror}).",
            "Make room there, or choose a folder that you may write to; what is whole was kept.",
        ) from error


@contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """A temporary folder, locked while this process lives; gone afterwards if it was not renamed.

    The lock, which the system lifts when a process dies, tells a leftover from work in progress.
    """
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=parent))
        with _locked(temporary, fcntl.LOCK_EX) as mine:
            # Between its making and its locking, another process may have taken it for a leftover.
            if not mine or not temporary.exists():
                continue
            try:
                yield temporary
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            return


@contextmanager
def _locked(folder: Path, operation: int) -> Iterator[bool]:
    """Hold the lock of a folder; False where it is gone or another process holds it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, operation)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def _seal(content: JsonObject) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
