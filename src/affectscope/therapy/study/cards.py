"""A study's patients one by one: status, usable data, quadrants, measures and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affectscope.records import MODALITIES
from affectscope.therapy.measures import estimate_text, percent_text
from affectscope.therapy.study.reading import PHASES, StudyMeasure, StudySession
from affectscope.therapy.study.reporting import NAMES
from affectscope.therapy.study.rows import StudyRows
from affectscope.therapy.study.sentences import MAIN

Content = dict[str, Any]


def patient_card(rows: StudyRows, patient: str) -> Content:
    sessions = rows.of(patient)
    known = rows.measures()
    names = [name for name in MAIN if name in known]
    return {
        "name": patient,
        "columns": [(name, known[name].unit) for name in names],
        "sessions": [_session(session, names) for session in sessions],
    }


def _session(session: StudySession, names: Sequence[str]) -> Content:
    parts = [session.measure(name) for name in names]
    return {
        "number": session.number,
        "folder": session.folder,
        "status": session.status,
        "counted": session.counted,
        "why": session.result.get("sentence", "") if session.status == "REJECTED" else "",
        "usable": _usable(session),
        "quadrants": _quadrants(session),
        "parts": [
            (part, [_cell(measure, part) for measure in parts]) for part in (*PHASES, "change")
        ]
        if session.measures
        else [],
        "left_out": [part is not None and bool(part.left_out) for part in parts],
        "answers": [_answer(part) for part in session.measures if part.kind == "questionnaire"],
    }


def _usable(session: StudySession) -> str:
    """ "face 98 / 97 %, ECG 100 / 100 %": before / after."""
    found = []
    for name in MODALITIES:
        shares = [session.usable.get(phase, {}).get(name) for phase in PHASES]
        if any(share is not None for share in shares):
            text = " / ".join("–" if share is None else f"{100 * share:.0f}" for share in shares)
            found.append(f"{NAMES[name]} {text} %")
    return ", ".join(found)


def _quadrants(session: StudySession) -> list[str]:
    """ "II (unpleasant, aroused), probability 93 %", before and after."""
    named: Mapping[str, str] = session.result.get("quadrants") or {}
    sure: Mapping[str, Any] = session.result.get("quadrant_probability") or {}
    found = []
    for phase in PHASES:
        if phase not in named:
            return []
        probability = (sure.get(phase) or {}).get(named[phase].split()[0])
        told = "" if probability is None else f", probability {percent_text(probability)}"
        found.append(f"{named[phase]}{told}")
    return found


def _cell(measure: StudyMeasure | None, part: str) -> str:
    if measure is None:
        return "–"
    sign = "+" if part == "change" else ""
    return estimate_text(getattr(measure, part), measure.digits, sign=sign)


def _answer(part: StudyMeasure) -> str:
    """ "SUDS 62 → 38 (−24)"."""
    values = ["–" if value is None else f"{value.mean:g}" for value in (part.before, part.after)]
    change = "" if part.change is None else f" ({part.change.mean:+g})"
    reliable = part.sizes.get("reliable_change") or {}
    sure = "" if not reliable else ", reliable" if reliable.get("reliable") else ", not reliable"
    return f"{part.name} {values[0]} → {values[1]}{change}{sure}"
