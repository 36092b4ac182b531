"""A study's row: the result.json of one session, and what it rests on.

OUT/sessions/NAME/result.json    written last: where it stands with the right key, the session is
                                 finished and is never done again
OUT/sessions/NAME/inputs.json    the key; of each file the size, the time of its last change, and
                                 what was hashed of it: the bytes are hashed again only where size
                                 or time differ

The key is the sha256 of the content of the session's files, and of what decides the result beside
them: the model, the options, the study's phases and reliability, and this session's answers in a
table for the whole study. Which files a reader opens beside those that session.toml names is its
own affair (a folder of a Faros, an Empatica), so that every file of the folder counts; only large
ones that session.toml does not name count by their size alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affectscope.io.files import TEMPORARY, sha256, write_text, writing_in

ROW, INPUTS = "result.json", "inputs.json"
ANSWERS = "//answers"
"""Stands among the files for this session's answers in the study's table; no file can be called
so."""

_LARGEST_ROW = 64 << 20
_SMALL = 1 << 20
"""Bytes up to which also a file that session.toml does not name is hashed."""
_MOST_FILES = 10_000
_NOT_DATA = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that a computer puts into folders which somebody looks at."""
_BYTES = " bytes"

Stamp = tuple[int, int]
"""Size in bytes, and when the file was last changed in ns."""


@dataclass(frozen=True)
class Inputs:
    """What a row rests on.

    Attributes:
        asked: digest of what decides the result beside the session's files.
        stamps, content: by file; content is a sha256, or the size of a large file.
        recordings: (modality, sha256, channel) of each recording, to find the same ones again.
    """

    asked: str
    stamps: Mapping[str, Stamp]
    content: Mapping[str, str]
    recordings: tuple[tuple[str, ...], ...] = field(default=())

    @property
    def key(self) -> str:
        """The sha256 that the row bears."""
        return digest([self.asked, dict(self.content)])

    def write(self, folder: Path) -> None:
        """Raises OutputError E_OUTPUT."""
        files = {name: [*self.stamps[name], self.content[name]] for name in self.stamps}
        written = {"key": self.key, "asked": self.asked, "files": files}
        text = json.dumps({**written, "recordings": self.recordings}, indent=1)
        with writing_in(folder):
            write_text(folder / INPUTS, text + "\n")


def digest(value: object) -> str:
    """sha256 of plain values as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object that a file holds; None where it is missing or damaged."""
    try:
        if path.stat().st_size > _LARGEST_ROW:
            return None
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_inputs(folder: Path) -> Inputs | None:
    """What a row's folder says; None where it is missing or damaged."""
    found = read_object(folder / INPUTS)
    if found is None:
        return None
    try:
        files = {str(name): (int(s), int(t), str(c)) for name, (s, t, c) in found["files"].items()}
        recordings = tuple(tuple(map(str, part)) for part in found["recordings"])
        stamps = {name: (size, time) for name, (size, time, _) in files.items()}
        content = {name: content for name, (_, _, content) in files.items()}
        return Inputs(str(found["asked"]), stamps, content, recordings)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def stamps_of(session: Path, answers: Path | None) -> dict[str, Stamp]:
    """Every file of a session's folder, and the study's table of answers."""
    found = {}
    for name, path in _files(session):
        with suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found[name] = (status.st_size, status.st_mtime_ns)
        if len(found) >= _MOST_FILES:
            break
    if answers is not None:
        found[ANSWERS] = stamp_of(answers)
    return found


def stamp_of(path: Path) -> Stamp:
    """(-1, -1) where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def content_of(
    session: Path,
    stamps: Mapping[str, Stamp],
    *,
    known: Mapping[str, str],
    answers: str = "",
    alive: Callable[[], None] = lambda: None,
) -> dict[str, str]:
    """What each file holds: its sha256, or its size where it is large and was not hashed yet.

    Args:
        known: hashes that were computed already, by name.
        answers: digest of this session's answers in the study's table.
    """
    found: dict[str, str] = {}
    for name, (size, _) in stamps.items():
        alive()
        if name == ANSWERS:
            found[name] = answers
        elif name in known:
            found[name] = known[name]
        elif size > _SMALL:
            found[name] = f"{size}{_BYTES}"
        else:
            found[name] = _hash(session / name)
    return found


def same_content(
    session: Path,
    before: Inputs,
    stamps: Mapping[str, Stamp],
    answers: str,
    alive: Callable[[], None],
) -> bool:
    """Whether the files hold what they held: those with another stamp are hashed again."""
    if stamps.keys() != before.stamps.keys():
        return False
    for name, stamp in stamps.items():
        alive()
        held = before.content[name]
        if name == ANSWERS:
            now = answers
        elif stamp == before.stamps[name]:
            continue
        elif stamp[0] != before.stamps[name][0] or held.endswith(_BYTES):
            return False
        else:
            now = _hash(session / name)
        if now != held:
            return False
    return True


def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        return f"not readable ({error.strerror})"


def _files(session: Path) -> Iterator[tuple[str, Path]]:
    """(name below the session's folder, path); links to folders are not followed."""
    for folder, folders, names in os.walk(session):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name not in _NOT_DATA and not name.startswith(("._", TEMPORARY)):
                path = Path(folder, name)
                yield path.relative_to(session).as_posix(), path
