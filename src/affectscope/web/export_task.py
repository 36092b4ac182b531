"""A zip of files with a manifest: what somebody takes home, and can check.

Files are stored as they are (videos do not shrink), in ZIP64, in constant memory. manifest.json
comes last and says of each file its sha256 and its size in bytes.
"""

from __future__ import annotations

import hashlib
import json
import ntpath
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from affectscope.errors import InputError, OutputError
from affectscope.io.files import atomic_write, prepare_folder, shown, writing_in
from affectscope.worker_process import Alive

MANIFEST = "manifest.json"
_PIECE = 1 << 20
_LONGEST_NAME = 1024
"""Bytes; systems take 4096 for a whole path."""
_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, lone surrogates, and ends of lines."""


@dataclass(frozen=True)
class ExportTask:
    """Write ``output``, a zip. What may name a person is not in its repr, which logs show (W25).

    Attributes:
        files: (path, its name in the zip, with "/" between folders).
        manifest: a JSON object as text; its "files" is added here.
    """

    files: tuple[tuple[Path, str], ...] = field(repr=False)
    manifest: str = field(repr=False)
    output: Path


def write_archive(task: ExportTask, alive: Alive) -> None:
    """Write the zip, whole or not at all.

    Raises:
        OutputError: E_VALUE for a name or a manifest that is not allowed, E_OUTPUT where the zip
            cannot be written.
        InputError: E_FILE_MISSING, E_FILE_UNREADABLE.
    """
    _check_names([name for _, name in task.files])
    manifest = _manifest(task.manifest)
    prepare_folder(task.output.parent)
    total = sum(_size(path) for path, _ in task.files)
    told: dict[str, dict[str, str | int]] = {}
    done = 0
    with (
        writing_in(task.output.parent),
        atomic_write(task.output) as stream,
        ZipFile(stream, "w", ZIP_STORED) as archive,
    ):
        for path, name in task.files:
            digest, size = hashlib.sha256(), 0
            with archive.open(_entry(name), "w", force_zip64=True) as entry:
                for piece in _pieces(path):
                    entry.write(piece)
                    digest.update(piece)
                    size += len(piece)
                    alive(min(1.0, (done + size) / total) if total else None)
            told[name] = {"sha256": digest.hexdigest(), "size": size}
            done += size
        text = json.dumps({**manifest, "files": told}, indent=1) + "\n"
        archive.writestr(_entry(MANIFEST), text)


def checked_entry_name(name: str) -> str:
    """A name inside an archive or a folder, as it was given.

    Raises:
        OutputError: E_VALUE for one that leads out of it, or that a file cannot have everywhere.
    """
    parts = name.split("/")
    bad = (
        any(part in ("", ".", "..") for part in parts)
        or "\\" in name
        or ntpath.splitdrive(name)[0] != ""
        or any(unicodedata.category(character) in _NO_TEXT for character in name)
        or len(name.encode(errors="replace")) > _LONGEST_NAME
    )
    if bad:
        raise OutputError(
            "E_VALUE",
            f"A file cannot be called {name[:80]!a} here.",
            "A name is relative and short, without .., backslashes and control characters.",
        )
    return name


def _check_names(names: list[str]) -> None:
    """Each allowed, and all different also where letters' case does not count."""
    seen = {MANIFEST.casefold()}
    for name in names:
        known = unicodedata.normalize("NFC", checked_entry_name(name)).casefold()
        if known in seen:
            raise OutputError(
                "E_VALUE", f"Two files would be called {name!a}.", "Give each its own name."
            )
        seen.add(known)


def _manifest(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or "files" in content:
        raise OutputError("E_VALUE", 'The manifest is no JSON object without "files".')
    return content


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError("E_FILE_MISSING", f"{shown(path)} is no regular file.")
    return status.st_size


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    missing = isinstance(error, FileNotFoundError)
    return InputError(
        "E_FILE_MISSING" if missing else "E_FILE_UNREADABLE",
        f"{shown(path)} cannot be read ({error.strerror}).",
        "Nothing was exported. See to the file, or restore it from a backup.",
    )


def _entry(name: str) -> ZipInfo:
    return ZipInfo(name, time.gmtime()[:6])
