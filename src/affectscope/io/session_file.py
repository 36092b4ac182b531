"""session.toml: what a session folder says about itself, read strictly and written safely.

    format = 1
    subject_id = "P01"
    session_id = "2026-03-01"   # optional, the folder's name
    simulated = false           # optional
    [face]                      # file, clock_offset, sha256, person, see ``session_person``
    [ecg]                       # file, channel, sampling_rate, unit, clock_offset, time_column,
    [eda]                       # decimal, sha256
    [excluded]                  # what the user leaves out, see ``session_exclusions``
    [phases]                    # what is compared and what is marked, see ``session_phases``
    [questionnaires]            # file, sha256: answers before and after, ``questionnaire_table``
    [reliability]               # of measures, see ``reliability``
    [labels]                    # file, sha256
    [sync]                      # how the modalities lie in time, see ``session_sync``

Everything but ``format``, ``subject_id`` and each table's ``file`` is optional.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from affectscope.errors import SessionError
from affectscope.io import reliability as reliability_table
from affectscope.io import session_exclusions, session_phases
from affectscope.io.channels import Decimal, SignalSource
from affectscope.io.reliability import Reliability, reliabilities
from affectscope.io.session_exclusions import excluded_spans
from affectscope.io.session_person import person_choice
from affectscope.io.session_phases import PhasesEntry, phases_entry
from affectscope.io.session_sync import SyncEntry, sync_entry
from affectscope.io.toml_table import StatedFile, TomlTable, check_keys, parsed
from affectscope.records import ExcludedSpan, PersonChoice

NAME = "session.toml"
FORMAT = 1

_SIGNAL_KEYS = ("file", "channel", "sampling_rate", "unit", "clock_offset", "time_column",
                "decimal", "sha256")  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "": ("format", "subject_id", "session_id", "simulated", "face", "ecg", "eda", "phases",
         "labels", "sync", "questionnaires", "reliability", "excluded"),
    "face": ("file", "clock_offset", "person", "person_boxes", "person_photo", "sha256"),
    "ecg": _SIGNAL_KEYS,
    "eda": _SIGNAL_KEYS,
    "phases": session_phases.KEYS,
    "questionnaires": ("file", "sha256"),
    "reliability": reliability_table.KEYS,
    "excluded": session_exclusions.KEYS,
    "labels": ("file", "sha256"),
    "sync": ("method", "video", "region", "marker_file", "marker_channel", "sha256"),
}  # fmt: skip
"""The allowed keys of each table; "" is the top of the file."""

Span = tuple[float, float]


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
    questionnaires: StatedFile | None
    reliability: Mapping[str, Reliability]
    excluded: tuple[ExcludedSpan, ...]


def read_session_file(folder: Path) -> SessionFile:
    """Read and check a folder's session.toml.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    remedy = "Write one with: affectscope init-session FOLDER"
    top = TomlTable(NAME, KEYS, "", parsed(folder / NAME, remedy))
    if top.values.get("format") != FORMAT or isinstance(top.values["format"], bool):
        raise top.wrong("format", f"{FORMAT}, the only format that this version reads")
    face, phases, labels, questionnaires = (
        top.table(name) for name in ("face", "phases", "labels", "questionnaires")
    )
    return SessionFile(
        top.required("subject_id"),
        top.text("session_id") or folder.resolve().name,
        top.flag("simulated"),
        None if face is None else _face(face),
        _signal(top.table("ecg")),
        _signal(top.table("eda")),
        None if phases is None else phases_entry(phases),
        None if labels is None else labels.file(),
        sync_entry(top),
        None if questionnaires is None else questionnaires.file(),
        reliabilities(top.table("reliability")),
        excluded_spans(top.table("excluded")),
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
        check_keys(NAME, KEYS, name, values)
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


def _face(table: TomlTable) -> FaceEntry:
    person = person_choice(table)
    photo = table.text("person_photo")
    return FaceEntry(
        table.file(),
        table.number("clock_offset") or 0.0,
        person,
        None if photo is None else StatedFile(photo, None),
    )


def _signal(table: TomlTable | None) -> SignalEntry | None:
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
