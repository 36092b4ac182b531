"""A result as the session's page tells it: what changed, what was usable, what must be known.

All of it is read from result.json, of whatever version wrote it; what it does not hold is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectscope.errors import StoreError
from affectscope.evaluation.statistics import Estimate
from affectscope.figures import clock
from affectscope.records import MODALITY_NAMES
from affectscope.store.results import told_by
from affectscope.therapy.measures import estimate_text
from affectscope.web.plain_words import plain
from affectscope.web.score_task import VIDEO, VIDEO_FACTS

_MEASURES = ("valence", "arousal", "heart rate", "EDA level")
_LONGEST = 200
"""Notices that are listed; the report holds all."""


@dataclass(frozen=True)
class Row:
    """A measure before and after, as text; ``way``: rose, fell, unsure, or empty."""

    name: str
    unit: str
    before: str
    after: str
    change: str
    way: str
    reason: str


@dataclass(frozen=True)
class TimedNotice:
    """``start``: s, None where it is about the whole session; ``when``: in words."""

    code: str
    sentence: str
    modality: str
    start: float | None
    end: float | None
    when: str


@dataclass(frozen=True)
class ResultContent:
    """Attributes:
    affect: whether valence and arousal were estimated; ``no_affect`` says why they were not.
    rule: how before and after were chosen, in words; ``phases`` when they are.
    video: facts of the preview, None without one; ``no_video`` says why there is none.
    stress: the stress likelihood before and after, in words, "" without one.
    usable: modality in words -> the share of its recording that was used, in %.
    files: names of the files that can be taken home.
    """

    simulated: bool
    rows: list[Row]
    affect: bool
    no_affect: str
    rule: str
    phases: str
    stress: str
    notices: list[TimedNotice]
    usable: dict[str, int]
    video: dict[str, Any] | None
    no_video: str
    model: str
    files: list[str]


FILES = (
    "report.html", "report.pdf", "result.json", "timeline.csv", "timeline.parquet",
    "quality.csv", "quality.parquet",
)  # fmt: skip
"""What assessing writes and a person may take home."""


def result_content(folder: Path) -> ResultContent:
    """Raises StoreError E_OUTPUT where it is missing or damaged."""
    told = told_by(folder)
    try:
        return _content(told, folder)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            "E_OUTPUT", "The result's files are damaged.", "Compute the session again."
        ) from error


def _content(told: Mapping[str, Any], folder: Path) -> ResultContent:
    measures = {**(told.get("affect") or {}), **told.get("physiology", {})}
    notices = [_notice(notice) for notice in told.get("notices", [])[:_LONGEST]]
    without = [notice.sentence for notice in notices if notice.code == "W_NO_AFFECT_SCORE"]
    video, no_video = _video(folder)
    return ResultContent(
        simulated=bool(told.get("simulated_person")),
        rows=[_row(name, measures[name]) for name in _MEASURES if name in measures],
        affect=bool(told.get("affect")),
        no_affect=without[0] if without else "",
        rule=str(told.get("phase_rule", "")).replace("as session.toml says", "as marked"),
        phases=_phases(told.get("phases") or {}),
        stress=_stress(told.get("stress_likelihood")),
        notices=notices,
        usable={
            MODALITY_NAMES[name]: round(100 * part["usable"])
            for name, part in told.get("coverage", {}).items()
        },
        video=video,
        no_video=no_video,
        model=_model(told.get("model")),
        files=[name for name in FILES if (folder / name).is_file()],
    )


def _row(name: str, told: Mapping[str, Any]) -> Row:
    before, after, change = (_estimate(told.get(part)) for part in ("before", "after", "change"))
    digits = told["digits"]
    return Row(
        name,
        "" if told["unit"] == "-1 to 1" else told["unit"],
        _minus(estimate_text(before, digits)),
        _minus(estimate_text(after, digits)),
        _minus(estimate_text(change, digits, sign="+")),
        _way(change),
        told.get("reason", ""),
    )


def _estimate(told: Mapping[str, Any] | None) -> Estimate | None:
    if told is None or told["mean"] is None:
        return None
    return Estimate(told["mean"], told["low"], told["high"], told["count"])


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _way(change: Estimate | None) -> str:
    """As the report says it: a direction only where the interval excludes 0."""
    if change is None or change.low is None or change.high is None:
        return ""
    if change.low > 0:
        return "rose"
    return "fell" if change.high < 0 else "unsure"


def _stress(told: Mapping[str, Any] | None) -> str:
    """The means with the model's interval; nothing where neither part has one."""
    if told is None:
        return ""
    parts = []
    for name, part in told["phases"].items():
        mean = _estimate({**part, "count": part["estimated"]})
        if mean is not None:
            parts.append(f"{estimate_text(mean)} {name}")
    return ", ".join(parts)


def _phases(told: Mapping[str, Mapping[str, float]]) -> str:
    parts = [
        f"{name} {clock(part['start'])} to {clock(part['end'])}" for name, part in told.items()
    ]
    return ", ".join(parts)


def _notice(told: Mapping[str, Any]) -> TimedNotice:
    start, end = told.get("start"), told.get("end")
    when = "" if start is None else clock(start)
    if when and end is not None:
        when += f" to {clock(end)}"
    modality = told.get("modality")
    name = MODALITY_NAMES.get(modality, "") if modality else ""
    return TimedNotice(told["code"], plain(told["sentence"]), name, start, end, when)


def _video(folder: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        facts = json.loads((folder / VIDEO_FACTS).read_text())
    except (OSError, ValueError):
        return None, ""
    if "problem" in facts or not (folder / VIDEO).is_file():
        return None, str(facts.get("problem", "The video could not be shown."))
    return facts, ""


def _model(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    return f"{told['variant']} {str(told['checkpoint_id'])[:12]}, fitted on {told['population']}"
