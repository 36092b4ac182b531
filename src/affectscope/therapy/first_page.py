"""The report's first page: what was usable, what changed, how sure that is, and the limits.

Where no rule is written, and what we do:

1. Of the notices the first page tells ``MOST_NOTICES`` kinds, each once per modality, in the words
   of ``errors.CODES``, with how often and how long; first what stopped something, then what makes
   the comparison doubtful, then the longest. Every notice in full stands in the details.
2. A measure "rose" or "fell" only where the interval of its change excludes 0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from affectscope.errors import CODES
from affectscope.figures import clock
from affectscope.pages import INTENDED_USE
from affectscope.records import MODALITIES, MODALITY_NAMES, Modality, Notice
from affectscope.therapy.assessment import Assessment
from affectscope.therapy.calibrated import error_for_others
from affectscope.therapy.measures import Measure, estimate_text, percent_text
from affectscope.therapy.results import model_identity, versions

MOST_NOTICES = 4

_DOUBTFUL = (
    "W_FORCED_SCORE", "W_EXCLUDED", "W_PHASE_COVERAGE", "W_LOW_COVERAGE", "W_NOT_ALIGNED"
)  # fmt: skip
_LONGEST = 160  # characters of the reasons for what the user left out
_BODY_HEADLINE = ("heart rate", "EDA level")
"""What is told in words where no affect was scored."""
_KEY_MEASURES = ("valence", "arousal", "heart rate", "RMSSD", "EDA level", "skin responses")


def first_page(assessment: Assessment) -> dict[str, Any]:
    """What the first section of ``therapy/report.html.jinja`` fills in, but the circumplex."""
    known = {measure.name: measure for measure in (*assessment.affect, *assessment.body)}
    bodily = [known[name] for name in _BODY_HEADLINE if name in known]
    return {
        "coverage": coverage_rows(assessment),
        "condensed": condensed(assessment.notices),
        "headline": [headline(measure) for measure in assessment.affect or bodily],
        "quadrants": _quadrants(assessment),
        "key_measures": [key_row(known[name]) for name in _KEY_MEASURES if name in known],
        "model_line": _model_line(assessment),
    }


def headline(measure: Measure) -> str:
    """Which way a measure went, and whether its interval leaves doubt, as one sentence."""
    name, change = f"{measure.name[0].upper()}{measure.name[1:]}", measure.change
    if change is None:
        return f"{name} cannot be compared: {measure.reason}."
    way = "rose" if change.mean > 0 else "fell"
    unit = "" if measure.unit == "-1 to 1" else f" {measure.unit}"
    amount = f"{name} {way} by {abs(change.mean):.{measure.digits}f}{unit}"
    if change.low is None or change.high is None:
        return f"{amount}; the phases are too short for an interval."
    interval = f"95 % interval of the change {change.low:+.{measure.digits}f} to"
    interval += f" {change.high:+.{measure.digits}f}"
    if change.low <= 0 <= change.high:
        return f"{amount}, but it may not have changed at all ({interval})."
    return f"{amount} ({interval})."


def limits(assessment: Assessment) -> list[str]:
    """What the reader must keep in mind, in plain words; the first two stand on the first page."""
    sentences = [
        f"{INTENDED_USE} It is not a diagnosis and must not decide about a person's care.",
        "An estimate of affect describes what face and body show. It is not what the person "
        "feels, and heart and skin also answer to movement, speech, caffeine, medicines and "
        "room temperature.",
        "A difference between before and after does not say what caused it: time alone changes "
        "heart rate and skin conductance.",
        "Intervals are 95 % moving-block bootstrap intervals within this one session. They "
        "do not cover the error of the model for a new person.",
    ]
    if assessment.prediction is None:
        return [sentences[0], sentences[2], sentences[3]]
    return sentences


def notice_text(notice: Notice) -> str:
    """ "ECG, 1:05 to 2:10: sentence"."""
    where = MODALITY_NAMES[notice.modality] if notice.modality else ""
    if notice.start is not None and notice.end is not None:
        where += f"{', ' if where else ''}{clock(notice.start)} to {clock(notice.end)}"
    return f"{where}: {notice.sentence}" if where else notice.sentence


def coverage_rows(assessment: Assessment) -> list[dict[str, Any]]:
    """Per modality: the share of the session as a bar, and of each phase in words."""
    return [_coverage_row(assessment, name) for name in MODALITIES]


def _coverage_row(assessment: Assessment, name: Modality) -> dict[str, Any]:
    part = assessment.coverage.get(name)
    row = {"name": MODALITY_NAMES[name], "percent": 0.0, "phases": ""}
    if part is None:
        return {**row, "text": "not recorded or not readable"}
    share = part.usable * part.recorded / part.session_duration
    phases = [
        f"{phase} {100 * used[name]:.0f} %"
        for phase, used in assessment.phase_coverage.items()
        if name in used
    ]
    return {
        **row,
        "percent": round(100 * min(1.0, share), 1),
        "text": f"{100 * part.usable:.1f} % of {clock(part.recorded)} recorded",
        "phases": ", ".join(phases),
    }


def condensed(notices: Sequence[Notice]) -> dict[str, Any]:
    """The most important kinds of notices as lines, and how many there are in all."""
    kinds: dict[tuple[str, Modality | None], list[Notice]] = {}
    for notice in notices:
        modality = None if notice.code == "W_EXCLUDED" else notice.modality
        kinds.setdefault((notice.code, modality), []).append(notice)
    ordered = sorted(kinds.values(), key=_importance)
    return {
        "lines": [_kind(told) for told in ordered[:MOST_NOTICES]],
        "more": max(0, len(ordered) - MOST_NOTICES),
        "count": len(notices),
    }


def _importance(told: Sequence[Notice]) -> tuple[bool, int, float]:
    code = told[0].code
    doubtful = _DOUBTFUL.index(code) if code in _DOUBTFUL else len(_DOUBTFUL)
    return not code.startswith("E_"), doubtful, -_seconds(told)


def _kind(told: Sequence[Notice]) -> dict[str, str]:
    first, seconds = told[0], _seconds(told)
    text = CODES[first.code] if first.code != "W_NO_AFFECT_SCORE" else first.sentence
    if first.code == "W_EXCLUDED":
        sentences = dict.fromkeys(_of_modality(one, one.sentence) for one in told)
        text = textwrap.shorten(" ".join(sentences), _LONGEST, placeholder=" ...")
    else:
        text = _of_modality(first, text)
    facts = [f"{len(told)} times"] if len(told) > 1 else []
    facts += [f"{clock(seconds)} minutes"] if seconds else []
    return {"text": text, "facts": ", ".join(facts), "code": first.code}


def _of_modality(notice: Notice, text: str) -> str:
    return f"{MODALITY_NAMES[notice.modality]}: {text}" if notice.modality else text


def _seconds(told: Sequence[Notice]) -> float:
    """How long the notices' spans are together."""
    return sum(n.end - n.start for n in told if n.start is not None and n.end is not None)


def _quadrants(assessment: Assessment) -> list[dict[str, str]]:
    """Before and after: the quadrant of the mean, and how probable it is."""
    if assessment.quadrants is None:
        return []
    probability = assessment.quadrant_probability or {}
    rows = []
    for phase, name in zip(("before", "after"), assessment.quadrants, strict=True):
        of_each = probability.get(phase)
        sure = "" if of_each is None else percent_text(of_each[name.split()[0]])
        rows.append({"phase": phase, "name": name, "probability": sure})
    return rows


def key_row(measure: Measure) -> dict[str, Any]:
    """A measure's means and intervals apart, and which way it went."""
    estimates = {"before": measure.before, "after": measure.after, "change": measure.change}
    cells = {}
    for part, estimate in estimates.items():
        sign = "+" if part == "change" else ""
        mean, _, interval = estimate_text(estimate, measure.digits, sign=sign).partition(" ")
        cells[part] = {"mean": mean, "interval": interval}
    return {
        "name": measure.name, "unit": measure.unit, "reason": measure.reason,
        "way": _way(measure), **cells,
    }  # fmt: skip


def _way(measure: Measure) -> str:
    change = measure.change
    if change is None or change.low is None or change.high is None:
        return "no interval"
    if change.low > 0:
        return "▲ rose"
    return "▼ fell" if change.high < 0 else "not sure"


def _model_line(assessment: Assessment) -> str:
    model = model_identity(assessment)
    program = f"affectscope {versions()['affectscope']}"
    if model is None:
        return f"Model: none, so there is no affect score. Made with {program}."
    return (
        f"Model: {model['variant']} {model['checkpoint_id'][:12]}, fitted on"
        f" {model['training_subjects']} {model['population']}; {error_for_others(assessment)}. Made"
        f" with {program}."
    )
