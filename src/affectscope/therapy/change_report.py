"""The report's section on the change: how large, how sure, and whether other windows agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from affectscope.evaluation.effect_sizes import RELIABLE, ReliableChange
from affectscope.evaluation.statistics import Estimate
from affectscope.figures import QUADRANTS, clock
from affectscope.pages import inline_figure
from affectscope.records import MODALITIES, MODALITY_NAMES
from affectscope.therapy.assessment import Assessment
from affectscope.therapy.change import MarkedPhase, Sensitivity
from affectscope.therapy.change_figures import (
    path_of,
    quarter_rows,
    sensitivity_figure,
    trajectory,
)
from affectscope.therapy.measures import Measure, estimate_text, percent_text

_PHASES = ("before", "after")
_WHOLE = 0.995
"""A share from here on is shown as 100 %."""


def change_content(assessment: Assessment) -> dict[str, Any]:
    """What ``therapy/change.html.jinja`` fills in."""
    measures = (*assessment.affect, *assessment.body)
    return {
        "measures": [_row(measure) for measure in measures],
        "reliability": any(measure.reliable_change is not None for measure in measures),
        "effect_notes": effect_notes(measures),
        "limit": f"{RELIABLE:g}",
        "scored": assessment.prediction is not None,
        "quadrants": _quadrants(assessment),
        "trajectory": inline_figure(
            None
            if assessment.prediction is None
            else trajectory(assessment.prediction, assessment.points),
            "The way of valence and arousal through the session, on the circumplex",
        ),
        "trajectory_key": _trajectory_key(assessment),
        "coverage": _coverage(assessment),
        "sensitivity": _sensitivity(assessment),
        "marked": _marked(assessment.marked),
    }


def effect_notes(measures: Iterable[Measure]) -> list[str]:
    """What effect sizes were computed from, and why some are missing; each said once."""
    found: dict[str, list[str]] = {}
    for measure in measures:
        if measure.effect_note:
            found.setdefault(measure.effect_note, []).append(measure.name)
    return [f"{listed(names)}: {note}" for note, names in found.items()]


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def directions_sentence(found: Sensitivity) -> str:
    """Whether every measure goes the same way with all lengths, in plain words."""
    ways: dict[int | None, list[str]] = {}
    for name in found.changes:
        ways.setdefault(found.direction(name), []).append(name)
    parts = [
        f"{listed(ways[way])} {verb} whatever the length"
        for way, verb in ((1, "rose"), (-1, "fell"))
        if way in ways
    ]
    if 0 in ways:
        parts.append(f"the direction of {listed(ways[0])} depends on the length")
    if None in ways:
        parts.append(f"of {listed(ways[None])} too little is known")
    if not parts:
        return "Nothing could be compared."
    sentence = "; ".join(parts)
    sentence = f"{sentence[0].upper()}{sentence[1:]}."
    if any(None in changes for changes in found.changes.values()):
        sentence += " Lengths at which a part held nothing usable do not count."
    return sentence


def _row(measure: Measure) -> dict[str, str]:
    return {
        "name": measure.name,
        "unit": measure.unit,
        "before": estimate_text(measure.before, measure.digits),
        "after": estimate_text(measure.after, measure.digits),
        "change": estimate_text(measure.change, measure.digits, sign="+"),
        "g_av": estimate_text(measure.hedges_g_av, sign="+"),
        "nap": share_text(measure.nonoverlap),
        "reliable": _reliable(measure.reliable_change),
        "reason": measure.reason,
    }


def _reliable(change: ReliableChange | None) -> str:
    if change is None:
        return "–"
    return f"{change.index:+.1f}: {'yes' if change.reliable else 'no'}"


def share_text(share: Estimate | None) -> str:
    """ "18 % [6, 41]" of a share in [0, 1]."""
    if share is None:
        return "–"
    text = f"{100 * share.mean:.0f} %"
    if share.low is None or share.high is None:
        return text
    return f"{text} [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def _quadrants(assessment: Assessment) -> list[dict[str, Any]]:
    """A row per quadrant: probability and share of time in both phases."""
    probability = assessment.quadrant_probability or {}
    time = assessment.quadrant_time or {}
    return [
        {
            "number": number,
            "meaning": meaning,
            "cells": [
                (
                    percent_text(probability[phase][number]) if phase in probability else "–",
                    share_text(time[phase][number]) if phase in time else "–",
                )
                for phase in _PHASES
            ],
        }
        for _, _, number, meaning in QUADRANTS
    ]


def _trajectory_key(assessment: Assessment) -> str:
    """What the numbers on the path mean, "1 at 0:30, 2 at 15:30 ..."."""
    if assessment.prediction is None:
        return ""
    middles, path, step = path_of(assessment.prediction)
    rows = quarter_rows(path)
    at = ", ".join(f"{number} at {clock(middles[row])}" for number, row in enumerate(rows, start=1))
    return f"Means of {clock(step)} each, later ones darker; {at} (minutes:seconds)."


def _coverage(assessment: Assessment) -> list[dict[str, Any]]:
    return [
        {
            "name": MODALITY_NAMES[name],
            "phases": [_percent(assessment.phase_coverage[phase][name]) for phase in _PHASES],
        }
        for name in MODALITIES
        if name in assessment.coverage
    ]


def _sensitivity(assessment: Assessment) -> dict[str, Any]:
    found = assessment.sensitivity
    measures = {measure.name: measure for measure in (*assessment.affect, *assessment.body)}
    return {
        "lengths": [clock(length) for length in found.lengths],
        "rows": [
            {
                "name": name,
                "unit": measures[name].unit,
                "changes": [
                    estimate_text(change, measures[name].digits, sign="+") for change in changes
                ],
            }
            for name, changes in found.changes.items()
        ],
        "figure": inline_figure(
            sensitivity_figure(found, {name: each.unit for name, each in measures.items()}),
            "Change of valence, arousal, heart rate and EDA level with other lengths of the parts",
        ),
        "sentence": directions_sentence(found),
    }


def _marked(parts: tuple[MarkedPhase, ...]) -> dict[str, Any]:
    return {
        "columns": [(mean.name, mean.unit) for mean in parts[0].means] if parts else [],
        "rows": [
            {
                "name": part.name,
                "time": _time(part),
                "usable": _lacking(part),
                "means": [estimate_text(mean.estimate, mean.digits) for mean in part.means],
            }
            for part in parts
        ],
        "reasons": [reason for part in parts for reason in _reasons(part)],
    }


def _time(part: MarkedPhase) -> str:
    told = f"{clock(part.start)} to {clock(part.end)}"
    if part.stated == (part.start, part.end):
        return told
    return f"{told}, stated {clock(part.stated[0])} to {clock(part.stated[1])}"


def _lacking(part: MarkedPhase) -> str:
    """What was not usable throughout, "EDA 40 %"."""
    return ", ".join(
        f"{MODALITY_NAMES[name]} {_percent(share)}"
        for name, share in part.usable.items()
        if share < _WHOLE
    )


def _reasons(part: MarkedPhase) -> list[str]:
    """Why means are missing, each reason once."""
    found: dict[str, list[str]] = {}
    for mean in part.means:
        if mean.reason:
            found.setdefault(mean.reason, []).append(mean.name)
    return [f"{part.name}: no {listed(names)} ({why})" for why, names in found.items()]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
