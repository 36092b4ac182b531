"""What ``inspection_task`` found in a session's files, for the form that sets the session up."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from affectscope.io.session_candidates import SIGNAL_NAMES


@dataclass(frozen=True)
class Choice:
    """A channel that can be chosen.

    Attributes:
        channel: what session.toml calls it: its name, or its number where the name is not unique.
        sampling_rate: Hz; None where the file does not state it, as with ``unit``.
        table: whether the file is a table, whose decimal mark may be in doubt.
        asks_decimal: the signal for which it was found to be in doubt, "" for none.
    """

    file: str
    channel: str | int
    name: str
    sampling_rate: float | None
    unit: str | None
    table: bool
    asks_decimal: str = ""

    @property
    def value(self) -> str:
        """What the page sends for it: JSON, a list of file and channel."""
        return choice_value(self.file, self.channel)

    @property
    def facts(self) -> str:
        """What the file states, in words."""
        unit = "converter counts" if self.unit == "raw" else self.unit
        rate = None if self.sampling_rate is None else f"{self.sampling_rate:g} Hz"
        return ", ".join(part for part in (unit, rate) if part)


def choice_value(file: str, channel: str | int) -> str:
    return json.dumps([file, channel])


@dataclass(frozen=True)
class Inspected:
    """Attributes:
    videos: names of video files.
    channels: file -> its channels; signal files only.
    problems: file -> why it cannot be used.
    proposed: "face", "ecg", "eda" -> the choice that the program would make, None for none.
    asked: modalities of which the program does not know what to choose.
    unfit: modality -> why its proposed channel cannot be used.
    """

    videos: Sequence[str]
    channels: Mapping[str, Sequence[Choice]]
    problems: Mapping[str, str]
    proposed: Mapping[str, Mapping[str, Any] | None]
    asked: Collection[str]
    unfit: Mapping[str, str]

    def find(self, file: str, channel: str | int) -> Choice | None:
        """The channel that session.toml calls so."""
        own = self.channels.get(file, ())
        return next((choice for choice in own if choice.channel == channel), None)


def read_inspected(path: Path, names: Collection[str]) -> Inspected | None:
    """What was found in the files of these names; None where they were not all looked at.

    Files that were taken away since, and those that the program wrote itself, are left out.
    """
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):  # not there yet, or being looked at
        return None
    files = [file for file in told["files"] if file["name"] in names]
    if len(files) < len(names):
        return None
    proposed = {
        name: part if part and part["file"] in names else None
        for name, part in told["proposed"].items()
    }
    questions = told["questions"]
    channels = {
        file["name"]: [_choice(file, channel, proposed, questions) for channel in file["channels"]]
        for file in files
        if file["channels"]
    }
    return Inspected(
        [file["name"] for file in files if file["kind"] == "video"],
        channels,
        {file["name"]: file["problem"] for file in files if file["problem"]},
        proposed,
        {each["about"] for each in questions if each["what"] in ("file", "channel")},
        {each["about"]: each["sentence"] for each in questions if each["what"] == "problem"},
    )


def _choice(
    file: Mapping[str, Any],
    channel: Mapping[str, Any],
    proposed: Mapping[str, Mapping[str, Any] | None],
    questions: Sequence[Mapping[str, Any]],
) -> Choice:
    """Of a proposed channel more is known: it was read, not only listed."""
    choice = Choice(
        file["name"],
        channel["key"],
        channel["name"],
        channel["sampling_rate"],
        channel["unit"],
        file["kind"] == "table",
    )
    for name in SIGNAL_NAMES:
        part = proposed[name]
        if part is None or (part["file"], part["channel"]) != (choice.file, choice.channel):
            continue
        asked = {each["what"] for each in questions if each["about"] == name}
        rate, unit = part["sampling_rate"], part["unit"]
        if "problem" in asked:  # it was not read to its end
            rate, unit = rate or choice.sampling_rate, unit or choice.unit
        return replace(
            choice,
            sampling_rate=rate,
            unit=unit,
            asks_decimal=name if "decimal" in asked else "",
        )
    return choice
