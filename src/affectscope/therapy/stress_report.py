"""The report's section on the stress likelihood, with the card of the model behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from affectscope.evaluation.statistics import Estimate
from affectscope.models.shipped import DataSource, ModelContract
from affectscope.pages import inline_figure
from affectscope.therapy.measures import estimate_text
from affectscope.therapy.stress import (
    NAME,
    Difference,
    PhaseLikelihood,
    abstentions,
    compared_with,
    difference,
    estimated_share,
    phase_likelihoods,
)
from affectscope.therapy.stress_figure import stress_over_time

if TYPE_CHECKING:
    from affectscope.therapy.assessment import Assessment

_NO_CAUSE = "That says neither why, nor what the person felt."
_DIFFERENCES: dict[Difference | None, str] = {
    "higher": f"After, heart and skin looked more like stress than before. {_NO_CAUSE}",
    "lower": f"After, heart and skin looked less like stress than before. {_NO_CAUSE}",
    "not told apart": (
        "The intervals before and after overlap: this is no sign that anything changed, and no"
        " proof that nothing did."
    ),
    None: "An interval is missing, so before and after cannot be compared.",
}


def stress_content(assessment: Assessment) -> dict[str, Any]:
    """What ``therapy/stress.html.jinja`` fills in; without a course nothing is shown."""
    course = assessment.stress
    if course is None:
        return {"shown": False, "estimated": False}
    parts = phase_likelihoods(course, assessment.phases)
    figure = stress_over_time(course, assessment.phases, assessment.session.recording.span)
    return {
        "shown": True,
        "estimated": figure is not None,
        "figure": inline_figure(figure, "Stress likelihood over time, with the model's interval"),
        **_inputs(assessment),
        "people": len(course.contract.people),
        "seconds": f"{course.span:.0f}",
        "compared_with": compared_with(course),
        "whole_session": course.reference == "whole session",
        "rows": [_row(part) for part in parts],
        "difference": _DIFFERENCES[difference(parts)],
        "interval": course.interval,
        "abstained": _percent(1 - estimated_share(course)),
        "reasons": [f"{reason}: {_percent(part)}" for reason, part in abstentions(course).items()],
        "notices": [notice.sentence for notice in course.notices],
        "card": card(course.contract, course.model_id),
    }


def stress_lines(assessment: Assessment) -> list[str]:
    """What the command line says of it."""
    course = assessment.stress
    if course is None:
        return []
    parts = phase_likelihoods(course, assessment.phases)
    told = [f"{_told(part)} {part.name}" for part in parts if part.over_time is not None]
    missing = [f"{part.name}: {part.reason}" for part in parts if part.over_time is None]
    text = ", ".join(told) or "; ".join(missing)
    reasons = ", ".join(abstentions(course))
    if reasons:
        text += f"; none for {_percent(1 - estimated_share(course))} of the spans ({reasons})"
    return [f"  {NAME}: {text}"]


def card(contract: ModelContract, model_id: str) -> dict[str, Any]:
    """The model's card as a page prints it."""
    return {
        "name": contract.name,
        "model_id": model_id,
        "summary": contract.summary,
        "sources": [_source(source) for source in contract.sources],
        "results": contract.results,
        "limits": contract.limits,
        "use": contract.intended_use,
        "licence": contract.licence,
    }


def _inputs(assessment: Assessment) -> dict[str, str]:
    """What the estimate rests on, and what is missing of heart and skin."""
    measured = {measure.name for measure in assessment.body}
    if "heart rate" not in measured:
        return {"inputs": "the skin", "missing": "heart"}
    if "EDA level" not in measured:
        return {"inputs": "the heart", "missing": "skin"}
    return {"inputs": "heart and skin", "missing": ""}


def _source(source: DataSource) -> str:
    people = len(source.people)
    who = f"{people} {'person' if people == 1 else 'people'}"
    return f"{source.name}, {who}: {source.citation.rstrip('.')}. Licence: {source.licence}."


def _row(part: PhaseLikelihood) -> dict[str, str]:
    mean = part.over_time
    return {
        "name": part.name,
        "reason": part.reason,
        "mean": "" if mean is None else f"{mean.mean:.2f}",
        "of_model": _range(part.low, part.high),
        "over_time": "" if mean is None else _range(mean.low, mean.high),
        "spans": f"{part.estimated} of {part.spans}",
    }


def _told(part: PhaseLikelihood) -> str:
    """The mean with the model's interval, "0.41 [0.20, 0.70]"."""
    assert part.over_time is not None
    return estimate_text(Estimate(part.over_time.mean, part.low, part.high, part.estimated))


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "none"
    return f"{low:.2f} to {high:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
