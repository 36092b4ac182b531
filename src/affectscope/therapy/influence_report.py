"""The report's section on which modality drove the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from affectscope.pages import inline_figure
from affectscope.records import MODALITY_NAMES
from affectscope.therapy.influence import SHOWN, Effect, Influence
from affectscope.therapy.influence_figure import influence_over_time
from affectscope.therapy.measures import estimate_text

if TYPE_CHECKING:
    from affectscope.therapy.assessment import Assessment

_OUTPUT = (
    "This is what this network's output would be without a modality: it is no cause of anything,"
    " and it does not say how much a modality tells about people."
)
_OUTSIDE = (
    "the zeros that stand for an absent one lie outside of what the network learnt, and its output"
    " without it may mean little"
)


def influence_content(assessment: Assessment) -> dict[str, Any]:
    """What ``therapy/influence.html.jinja`` fills in; nothing is shown where no affect was
    scored."""
    influence = assessment.influence
    if influence is None:
        return {"shown": False}
    figure = influence_over_time(influence, assessment.phases, assessment.session.recording.span)
    description = "How far valence and arousal move over time without face, ECG or EDA"
    return {
        "shown": True,
        "reason": influence.reason,
        "figure": inline_figure(figure, description),
        "rows": _rows(influence),
        "rows_scored": influence.rows,
        "whole": [
            f"{measure.name} {estimate_text(measure.change, sign='+')}"
            for measure in assessment.affect
            if measure.change is not None
        ],
        "meaning": f"{_OUTPUT} {in_training(influence.hidden_in_training)}",
    }


def in_training(hidden: float | None) -> str:
    """Whether the network has learnt to do without a modality, in one sentence."""
    if hidden is None:
        return (
            "The checkpoint does not say whether modalities were hidden in training: where they"
            f" were not, {_OUTSIDE}."
        )
    if hidden > 0:
        return (
            "In the last stage of training each modality of a row was hidden with a probability of"
            f" {hidden:g}, so the network has learnt to do without one."
        )
    return (
        "In training no modality was hidden: unless its recordings lacked one here and there,"
        f" {_OUTSIDE}."
    )


def _rows(influence: Influence) -> list[dict[str, Any]]:
    """A row per modality, with a line per target."""
    return [
        {
            "name": MODALITY_NAMES[name],
            "most": f"{100 * influence.most[name]:.0f} %",
            "targets": [_line(target, influence.effects[name][target]) for target in SHOWN],
        }
        for name in influence.effects
    ]


def _line(target: str, effect: Effect) -> dict[str, str]:
    return {
        "target": target,
        "session": estimate_text(effect.mean_absolute),
        "before": estimate_text(effect.before),
        "after": estimate_text(effect.after),
        "change": estimate_text(effect.change, sign="+"),
    }
