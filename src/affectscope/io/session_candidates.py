"""What a folder's files hold, and which of their channels may be the session's ECG or EDA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from affectscope.errors import AffectScopeError, InputError, SessionError
from affectscope.io.biosignals import inspect_signals
from affectscope.io.channels import ChannelInfo, Decimal, SignalFile
from affectscope.io.files import shown
from affectscope.io.session_file import NAME

BiosignalName = Literal["ecg", "eda"]

VIDEO = "video"

SIGNAL_NAMES: dict[BiosignalName, re.Pattern[str]] = {
    "ecg": re.compile(r"(?<![a-z])(ecg|ekg|ecgbit|ecgbitrev|electrocardiogra\w*)(?![a-z])"),
    "eda": re.compile(
        r"(?<![a-z])(eda|gsr|edabit|edabitrev|electrodermal|galvanic|skin[ _-]?conduct\w*)(?![a-z])"
    ),
}
"""Names that channels go by, in lower case."""


@dataclass(frozen=True)
class FoundFile:
    """A file of the folder: ``kind`` is "video", a key of ``biosignals.READERS``, or None.

    ``problem`` says why a file of no kind cannot be used.
    """

    name: str
    kind: str | None
    channels: tuple[ChannelInfo, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A channel that may be the wanted one; ``number`` counts from 1 inside its file."""

    file: str
    number: int
    info: ChannelInfo
    unique: bool

    @property
    def key(self) -> str | int:
        """What session.toml calls it: its name, or its number where the name is not unique."""
        return self.info.name if self.unique else self.number

    def __str__(self) -> str:
        return f"{shown(Path(self.file))} {self.info.name!a}"


def inspect_folder(
    folder: Path, decimals: Mapping[str, Decimal | None] | None = None
) -> tuple[FoundFile, ...]:
    """What each file of a folder holds, in the order of their names; hidden files are left out.

    Args:
        decimals: the decimal marks that the user states, by file name.

    Raises:
        SessionError: E_SESSION where there is no such folder.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SessionError(
            "E_SESSION", f"The folder {shown(folder)} cannot be read.", "Check the path."
        ) from error
    return tuple(
        _found(path, (decimals or {}).get(path.name))
        for path in paths
        if path.name != NAME and not path.is_dir()
    )


def _found(path: Path, decimal: Decimal | None) -> FoundFile:
    try:
        inspected: SignalFile = inspect_signals(path, decimal)
    except AffectScopeError as error:
        if error.code != "E_TYPE_UNKNOWN":
            return FoundFile(path.name, None, problem=error.sentence)
    else:
        return FoundFile(path.name, inspected.kind, inspected.channels)
    from affectscope.io.video import inspect_video

    try:
        inspect_video(path)
    except InputError as error:
        return FoundFile(path.name, None, problem=error.sentence)
    return FoundFile(path.name, VIDEO)


def candidates_of(file: FoundFile) -> list[Candidate]:
    names = [channel.name for channel in file.channels]
    infos = file.channels
    if len(infos) == 1 and infos[0].name == "1":  # a nameless channel goes by its file's name
        infos = (replace(infos[0], aliases=(Path(file.name).stem,)),)
    return [
        Candidate(file.name, number, info, names.count(info.name) == 1)
        for number, info in enumerate(infos, 1)
    ]


def is_named(candidate: Candidate, name: BiosignalName) -> bool:
    names = (candidate.info.name, *candidate.info.aliases)
    return any(SIGNAL_NAMES[name].search(known.casefold()) for known in names)
