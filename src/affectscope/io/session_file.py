"""session.toml: what a session folder says about itself, read strictly and written safely.

    format = 1
    subject_id = "P01"
    session_id = "2026-03-01"   # optional, the folder's name
    simulated = false           # optional
    [face]                      # file, clock_offset, sha256, person, see ``session_person``
    [ecg]                       # file, channel, sampling_rate, unit, clock_offset, time_column,
    [eda]                       # decimal, sha256
    [phases]                    # before and after as [start, end] in seconds, or minutes
    [labels]                    # file, sha256
    [sync]                      # how the modalities lie in time, see ``session_sync``

Everything but ``format``, ``subject_id`` and each table's ``file`` is optional.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard, get_args

from affectscope.errors import SessionError
from affectscope.io.channels import Decimal, SignalSource
from affectscope.io.files import shown
from affectscope.io.session_person import person_choice
from affectscope.io.session_sync import SyncEntry, sync_entry
from affectscope.records import PersonChoice

NAME = "session.toml"
FORMAT = 1

_MAXIMUM_BYTES = 1_000_000
_SIGNAL_KEYS = ("file", "channel", "sampling_rate", "unit", "clock_offset", "time_column",
                "decimal", "sha256")  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "": ("format", "subject_id", "session_id", "simulated", "face", "ecg", "eda", "phases",
         "labels", "sync"),
    "face": ("file", "clock_offset", "person", "person_boxes", "person_photo", "sha256"),
    "ecg": _SIGNAL_KEYS,
    "eda": _SIGNAL_KEYS,
    "phases": ("before", "after", "minutes"),
    "labels": ("file", "sha256"),
    "sync": ("method", "video", "region", "marker_file", "marker_channel", "sha256"),
}  # fmt: skip
"""The allowed keys of each table; "" is the top of the file."""

Span = tuple[float, float]


@dataclass(frozen=True)
class StatedFile:
    """A file inside the session's folder, and the sha256 that it must have, if any."""

    name: str
    sha256: str | None


@dataclass(frozen=True)
class FaceEntry:
    file: StatedFile
    clock_offset: float
    person: PersonChoice
    photo: StatedFile | None


@dataclass(frozen=True)
class SignalEntry:
    file: StatedFile
    source: SignalSource


@dataclass(frozen=True)
class PhasesEntry:
    """Two spans in seconds, or the length in minutes of the first and the last part."""

    before: Span | None
    after: Span | None
    minutes: float | None


@dataclass(frozen=True)
class SessionFile:
    """The content of a session.toml; a table that is not there is None."""

    subject_id: str
    session_id: str
    simulated: bool
    face: FaceEntry | None
    ecg: SignalEntry | None
    eda: SignalEntry | None
    phases: PhasesEntry | None
    labels: StatedFile | None
    sync: SyncEntry


def read_session_file(folder: Path) -> SessionFile:
    """Read and check a folder's session.toml.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    top = _Table("", _parsed(folder))
    if top.values.get("format") != FORMAT or isinstance(top.values["format"], bool):
        raise top.wrong("format", f"{FORMAT}, the only format that this version reads")
    face, phases, labels = (top.table(name) for name in ("face", "phases", "labels"))
    return SessionFile(
        top.required("subject_id"),
        top.text("session_id") or folder.resolve().name,
        top.flag("simulated"),
        None if face is None else _face(face),
        _signal(top.table("ecg")),
        _signal(top.table("eda")),
        None if phases is None else _phases(phases),
        None if labels is None else labels.file(),
        sync_entry(top),
    )


def session_toml(tables: Mapping[str, Mapping[str, object] | object]) -> str:
    """The text of a session.toml: top-level values first, then one table per mapping.

    Values are strings, booleans, finite numbers or sequences of them; None leaves a key out.

    Raises:
        SessionError: E_SESSION for a key that session.toml does not have, or a name that is no
            text.
    """
    top = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    named: dict[str, Mapping[str, object]] = {"": top} | {
        key: value for key, value in tables.items() if isinstance(value, Mapping)
    }
    lines: list[str] = []
    for name, values in named.items():
        _check_keys(name, values)
        lines += ["", f"[{name}]"] if name else []
        lines += [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    text = "\n".join(lines).lstrip("\n") + "\n"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SessionError(
            "E_SESSION", f"A name is not valid text ({error.object!a}).", "Rename the file."
        ) from error
    return text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        assert math.isfinite(value), f"session.toml holds finite numbers, not {value}"
        return repr(value)
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    assert isinstance(value, Sequence), f"session.toml holds no {type(value)}"
    return f"[{', '.join(map(_toml, value))}]"


def _escaped(character: str) -> str:
    """A character of a TOML basic string; controls and invisible marks as \\uXXXX."""
    if character in '"\\':
        return "\\" + character
    if character.isprintable() or 0xD800 <= ord(character) <= 0xDFFF:
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


@dataclass(frozen=True)
class _Table:
    """One table of session.toml; its methods give a key's value or say what it must be."""

    name: str
    values: Mapping[str, object]

    def __post_init__(self) -> None:
        _check_keys(self.name, self.values)

    def wrong(self, key: str, expected: str) -> SessionError:
        where = f"{key} in [{self.name}]" if self.name else key
        if key not in self.values:
            return _unusable(f"{where} is missing; it must be {expected}")
        value = ascii(self.values[key])[:80]
        return _unusable(f"{where} is {value}; it must be {expected}")

    def table(self, key: str) -> _Table | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table, [{key}]")
        return _Table(key, value)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise self.wrong(key, "a text that is not empty")
        return value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.wrong(key, "a text that is not empty")
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, *, positive: bool = False) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not _is_number(value) or (positive and value <= 0):
            raise self.wrong(key, "a number greater than 0" if positive else "a finite number")
        return float(value)

    def span(self, key: str) -> Span | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
            raise self.wrong(key, "two numbers in seconds, [start, end]")
        if not value[0] < value[1]:
            raise self.wrong(key, "[start, end] with start before end")
        return float(value[0]), float(value[1])

    def name_or_number(self, key: str) -> str | int | None:
        value = self.values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self.text(key)

    def file(self, key: str = "file") -> StatedFile:
        digest = self.text("sha256")
        if digest is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            raise self.wrong("sha256", "64 hexadecimal digits")
        return StatedFile(self.required(key), None if digest is None else digest.lower())


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # TOML allows integers of any length
        return False


def _face(table: _Table) -> FaceEntry:
    person = person_choice(table)
    photo = table.text("person_photo")
    return FaceEntry(
        table.file(),
        table.number("clock_offset") or 0.0,
        person,
        None if photo is None else StatedFile(photo, None),
    )


def _signal(table: _Table | None) -> SignalEntry | None:
    if table is None:
        return None
    decimal = table.text("decimal")
    if decimal is not None and decimal not in get_args(Decimal):
        raise table.wrong("decimal", '"." or ","')
    mark: Decimal | None = decimal  # type: ignore[assignment]  # checked one line above
    source = SignalSource(
        channel=table.name_or_number("channel"),
        sampling_rate=table.number("sampling_rate", positive=True),
        unit=table.text("unit"),
        clock_offset=table.number("clock_offset") or 0.0,
        time_column=table.name_or_number("time_column"),
        decimal=mark,
    )
    return SignalEntry(table.file(), source)


def _phases(table: _Table) -> PhasesEntry:
    entry = PhasesEntry(
        table.span("before"), table.span("after"), table.number("minutes", positive=True)
    )
    spans = (entry.before is not None) + (entry.after is not None)
    if (entry.minutes is None) != (spans == 2) or spans == 1:
        raise _unusable("[phases] must hold either before and after, or minutes")
    if entry.before and entry.after and entry.before[1] > entry.after[0]:
        raise table.wrong("after", f"a span that starts after {entry.before[1]:g} s")
    return entry


def _parsed(folder: Path) -> dict[str, object]:
    """The TOML document, its size checked first."""
    path = folder / NAME
    if not folder.is_dir():
        raise SessionError(
            "E_SESSION", f"There is no session folder {shown(folder)}.", "Check the path."
        )
    try:
        if not path.is_file():
            raise SessionError(
                "E_SESSION",
                f"The folder {shown(folder)} has no {NAME}.",
                "Write one with: affectscope init-session FOLDER",
            )
        with path.open("rb") as stream:
            content = stream.read(_MAXIMUM_BYTES + 1)
    except OSError as error:
        raise _unusable(f"it cannot be opened ({error.strerror})") from error
    if len(content) > _MAXIMUM_BYTES:
        raise _unusable(f"it is larger than {_MAXIMUM_BYTES} bytes")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise _unusable(f"it is no TOML in UTF-8 ({error})") from error


def _check_keys(name: str, values: Mapping[str, object]) -> None:
    allowed = KEYS.get(name, ())
    unknown = [key for key in values if key not in allowed]
    if name not in KEYS:
        raise _unusable(f"it has a table [{ascii(name)[1:-1]}]; allowed are {_listed(KEYS[''])}")
    if unknown:
        where = f"[{name}]" if name else "the top of the file"
        raise _unusable(f"{unknown[0]!a} is no key of {where}; allowed are {_listed(allowed)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _unusable(what: str) -> SessionError:
    return SessionError("E_SESSION", f"{NAME} cannot be used: {what}.", f"Correct {NAME}.")
