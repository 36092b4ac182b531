"""Guarded reading of outside files, hashing, and writing that is never torn."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from affectscope.errors import InputError, OutputError

_CHUNK = 1 << 20


def shown(path: Path) -> str:
    """A path's name as it may be printed: control characters, newlines and quotes escaped (F26)."""
    return ascii(path.name) if not path.name.isprintable() else f"'{path.name}'"


def check_file(path: Path) -> int:
    """Size in bytes of a readable, non-empty regular file.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY or E_FILE_UNREADABLE.
    """
    try:
        if not path.is_file():
            raise InputError(
                "E_FILE_MISSING",
                f"{shown(path)} does not exist or is no regular file.",
                "Check the name and the folder.",
            )
        size = path.stat().st_size
        with path.open("rb") as stream:
            first = stream.read(1)
    except OSError as error:
        raise InputError(
            "E_FILE_UNREADABLE",
            f"{shown(path)} cannot be read ({error.strerror}).",
            "Check the file's permissions; nothing was changed.",
        ) from error
    if not first:
        raise InputError("E_FILE_EMPTY", f"{shown(path)} holds no data.", "Export it again.")
    return size


def lies_inside(folder: Path, name: str) -> bool:
    """Whether a stated file lies in the folder, by name and also by way of links."""
    path = Path(name)
    if "\0" in name or path.is_absolute() or ".." in path.parts:
        return False
    try:
        return (folder / path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a loop of links leads nowhere
        return False


def sha256(path: Path) -> str:
    """The file's sha256 as 64 hex digits, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


TEMPORARY = ".affectscope-tmp-"
"""How the name of a file begins that is being written."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Write a file whole or not at all: temporary file beside it, fsync, rename, fsync of folder.

    A killed writer leaves the old file; ``prepare_folder`` removes its temporary file.

    Raises:
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    except OSError as error:
        raise _not_writable(path.parent, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    to_disk(path.parent)


def to_disk(path: Path) -> None:
    """Make a file, or a folder's list of names, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as stream:
        stream.write(text.encode())


def write_with(path: Path, writer: Callable[[BinaryIO], object]) -> None:
    """Write atomically whatever ``writer`` puts into a binary stream."""
    with atomic_write(path) as stream:
        writer(stream)


def prepare_folder(folder: Path) -> None:
    """Make a folder to write into, prove it writable, remove what killed writers left (W01).

    Raises:
        OutputError: E_OUTPUT.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_writable(folder, error) from error
    for leftover in folder.glob(f"{TEMPORARY}*"):
        leftover.unlink(missing_ok=True)


@contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """What fails while files are written, a full disk above all, is told as E_OUTPUT (B04).

    Raises:
        OutputError: E_OUTPUT.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            "E_OUTPUT",
            f"{shown(folder)} cannot be written ({error.strerror or error}).",
            "Make room, or see to the folder, and start the same command again.",
        ) from error


def _not_writable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        "E_OUTPUT",
        f"Nothing can be written into {shown(folder)} ({error.strerror}).",
        "Choose a folder that you may write to.",
    )
