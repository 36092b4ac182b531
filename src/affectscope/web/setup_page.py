"""What the page that sets a session up shows: what is saved, or what the program proposes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affectscope.io.session_candidates import SIGNAL_NAMES
from affectscope.records import MODALITIES
from affectscope.store.files import ListedFile
from affectscope.store.jobs import OPEN
from affectscope.store.sessions import SessionHead
from affectscope.store.tables import Job
from affectscope.web.inspected import Choice, Inspected, choice_value
from affectscope.web.setup_form import PERSONS, TITLES, UNITS

NOT_RECORDED = "none"
"""The chosen value of a modality that the session does not have; "" where it is still asked."""


@dataclass(frozen=True)
class FaceCard:
    """``person``: of ``PERSONS``; "" where session.toml says it in a way that only it can.
    ``problem``: what is wrong with what is chosen, "" for nothing."""

    videos: Sequence[str]
    chosen: str
    person: str
    clock_offset: float | None
    problem: str


@dataclass(frozen=True)
class SignalCard:
    """``channels``: file -> its channels. The rest is what is stated already."""

    name: str
    title: str
    channels: Mapping[str, Sequence[Choice]]
    chosen: str
    sampling_rate: float | None
    unit: str | None
    units: Sequence[str]
    decimal: str | None
    clock_offset: float | None
    problem: str


def page_content(
    head: SessionHead,
    *,
    files: Sequence[ListedFile],
    job: Job | None,
    inspected: Inspected | None,
) -> dict[str, Any]:
    """What ``pages/session_setup.html.jinja`` fills in.

    Args:
        job: the newest inspection.
        inspected: what it found, None where it has not ended well.
    """
    content: dict[str, Any] = {
        "head": head,
        "tab": "setup",
        "state": state_of(files, job, inspected),
        "job": job,
        "saved": json.dumps(saved_tables(head.settings), sort_keys=True),
        "persons": PERSONS,
        "not_recorded": NOT_RECORDED,
    }
    if content["state"] == "ready" and inspected is not None:
        content |= {
            "face": _face(head, inspected),
            "signals": [_signal(name, head, inspected) for name in SIGNAL_NAMES],
            "simulated": head.settings.get("simulated") is True,
            "replaced": _replaced(head, files),
            "problems": inspected.problems,
        }
    return content


def saved_tables(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the form is about, as a conflict tells them."""
    return {name: settings.get(name) for name in ("simulated", *MODALITIES)}


def state_of(files: Sequence[ListedFile], job: Job | None, inspected: Inspected | None) -> str:
    """How far it is: "no files", "looking", "not looked at" or "ready"."""
    if not files:
        return "no files"
    if job is not None and job.state in OPEN:
        return "looking"
    return "not looked at" if inspected is None else "ready"


def _face(head: SessionHead, inspected: Inspected) -> FaceCard:
    held = head.settings.get("face") or {}
    person = held.get("person") or "largest"
    value, problem = _chosen("face", head, inspected, inspected.videos)
    return FaceCard(
        inspected.videos,
        value,
        person if person in PERSONS else "",
        held.get("clock_offset"),
        problem,
    )


def _signal(name: str, head: SessionHead, inspected: Inspected) -> SignalCard:
    held = head.settings.get(name) or {}
    values = [choice.value for own in inspected.channels.values() for choice in own]
    value, problem = _chosen(name, head, inspected, values)
    stated: str | None = held.get("unit")
    known = UNITS[name]
    units = known if stated is None or stated in known else (stated, *known)
    return SignalCard(
        name,
        TITLES[name],
        inspected.channels,
        value,
        held.get("sampling_rate"),
        stated,
        units,
        held.get("decimal"),
        held.get("clock_offset"),
        problem,
    )


def _chosen(
    name: str, head: SessionHead, inspected: Inspected, values: Sequence[str]
) -> tuple[str, str]:
    """The value that is chosen when the page opens, and what is wrong with it."""
    part = head.settings.get(name) if head.is_set_up else inspected.proposed[name]
    if part is None:
        asked = not head.is_set_up and name in inspected.asked
        return ("" if asked else NOT_RECORDED), ""
    value = part["file"] if name == "face" else choice_value(part["file"], part["channel"])
    if value not in values:
        return "", f"{part['file']} was chosen, and cannot be chosen any more."
    proposed = inspected.proposed[name]
    if proposed is not None and (part["file"], part.get("channel")) == (
        proposed["file"], proposed.get("channel"),
    ):  # fmt: skip
        return value, inspected.unfit.get(name, "")
    return value, ""


def _replaced(head: SessionHead, files: Sequence[ListedFile]) -> list[str]:
    """Files that have another content than when the session was set up."""
    hashes = {file.name: file.sha256 for file in files}
    parts = [head.settings.get(name) or {} for name in TITLES]
    found = {
        part["file"]
        for part in parts
        if "sha256" in part and hashes.get(part["file"], part["sha256"]) != part["sha256"]
    }
    return sorted(found)
