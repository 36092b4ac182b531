"""The sessions of a study: folders with a session.toml, at most two levels below the study's own.

Hidden folders are left out, and so is where the results go.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from affectscope.errors import SessionError
from affectscope.io.files import shown
from affectscope.io.session_file import NAME

_LONGEST = 200
"""Bytes of a session's name; a folder's name may have 255."""


@dataclass(frozen=True)
class FoundSession:
    """One session folder.

    Attributes:
        name: of its results' folder: its path below the study's folder, "/" as "__".
        shown: the same path as it may be printed.
    """

    name: str
    folder: Path
    shown: str


def find_sessions(folder: Path, out: Path) -> tuple[FoundSession, ...]:
    """All sessions, in the order of their paths.

    Args:
        out: where the results go; nothing below it is a session.

    Raises:
        SessionError: E_STUDY where there is no session, or ``out`` lies where sessions do.
    """
    if not folder.is_dir():
        raise SessionError("E_STUDY", f"There is no folder {shown(folder)}.", "Check the path.")
    root, kept = folder.resolve(), out.resolve()
    if root.is_relative_to(kept):
        raise SessionError(
            "E_STUDY",
            f"The results cannot go into {shown(out)}, which holds the sessions.",
            "Choose another folder for --out.",
        )
    found = []
    for path in _below(folder, 2):
        real = path.resolve()
        if real.is_relative_to(kept):
            continue
        if _is_session(path):
            if kept.is_relative_to(real):
                raise SessionError(
                    "E_STUDY",
                    f"The results cannot go into {shown(out)}, which lies in a session's folder.",
                    "Choose another folder for --out.",
                )
            found.append(_found(path, folder))
    if not found:
        raise SessionError(
            "E_STUDY",
            f"No folder in {shown(folder)}, or one level deeper, has a {NAME}.",
            "Write one for each session with: affectscope init-session FOLDER",
        )
    return _distinct(found)


def _below(folder: Path, levels: int) -> Iterator[Path]:
    """Folders in order of their names, each before those in it; what cannot be listed is empty."""
    names: list[str] = []
    with suppress(OSError):
        names = sorted(os.listdir(folder))  # noqa: PTH208
    for name in names:
        path = folder / name
        if name.startswith(".") or not _is_folder(path):
            continue
        yield path
        if levels > 1:
            yield from _below(path, levels - 1)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_session(path: Path) -> bool:
    try:
        return (path / NAME).is_file()
    except OSError:
        return False


def _found(path: Path, folder: Path) -> FoundSession:
    below = path.relative_to(folder).as_posix()
    text = "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in os.fsencode(below).decode(errors="backslashreplace")
    )
    name = text.replace("/", "__")
    return FoundSession(name if len(name.encode()) <= _LONGEST else _marked(name, text), path, text)


def _marked(name: str, text: str) -> str:
    """The start of the name (a character has up to 4 bytes), and what tells the path apart."""
    return f"{name[: _LONGEST // 5]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _distinct(found: list[FoundSession]) -> tuple[FoundSession, ...]:
    """ "a/b" and "a__b" would share a name, also where letters' case does not count."""
    count = Counter(session.name.casefold() for session in found)
    return tuple(
        session
        if count[session.name.casefold()] == 1
        else replace(session, name=_marked(session.name, session.shown))
        for session in found
    )
