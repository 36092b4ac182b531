"""study.toml: what holds for all sessions of a study. It lies in the study's folder.

All of it is optional but ``format``.

format = 1
title = "Anxiety, five patients"
least_usable = 0.5           # share of each phase that must be usable for a session to count
[phases]                     # as in session.toml, for sessions that state none themselves
[reliability]                # as in session.toml
[questionnaires]
file = "questionnaires.csv"  # answers of all patients, see ``questionnaire_table``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from affectscope.io import reliability as reliability_table
from affectscope.io import session_phases
from affectscope.io.reliability import Reliability, reliabilities
from affectscope.io.session_phases import PhasesEntry, phases_entry
from affectscope.io.toml_table import StatedFile, TomlTable, parsed

NAME = "study.toml"
FORMAT = 1
LEAST_USABLE = 0.5

KEYS: dict[str, tuple[str, ...]] = {
    "": ("format", "title", "least_usable", "phases", "reliability", "questionnaires"),
    "phases": session_phases.KEYS,
    "reliability": reliability_table.KEYS,
    "questionnaires": ("file", "sha256"),
}


@dataclass(frozen=True)
class StudyFile:
    """The content of a study.toml, or the defaults where there is none."""

    title: str = ""
    least_usable: float = LEAST_USABLE
    phases: PhasesEntry | None = None
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    questionnaires: StatedFile | None = None


def read_study_file(folder: Path) -> StudyFile:
    """Read and check a folder's study.toml; the defaults where there is none.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    path = folder / NAME
    if folder.is_dir() and not path.exists():
        return StudyFile()
    top = TomlTable(NAME, KEYS, "", parsed(path, "Check the path."))
    if top.values.get("format") != FORMAT or isinstance(top.values["format"], bool):
        raise top.wrong("format", f"{FORMAT}, the only format that this version reads")
    least = top.number("least_usable")
    if least is not None and not 0 <= least <= 1:
        raise top.wrong("least_usable", "a share from 0 to 1")
    phases, questionnaires = top.table("phases"), top.table("questionnaires")
    return StudyFile(
        top.text("title") or "",
        LEAST_USABLE if least is None else least,
        None if phases is None else phases_entry(phases),
        reliabilities(top.table("reliability")),
        None if questionnaires is None else questionnaires.file(),
    )
