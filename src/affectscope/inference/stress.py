"""The stress likelihood over a session: what a person's heart and skin look like beside how the
same person began, or beside the whole session.

It is the axis that open recordings can teach (acute laboratory stress against rest), and it is
never arousal or valence. What the model takes: ``stress_features``; how: ``stress_model``; how well
it does: docs/stress.md.

Legend: N spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.inference.stress_features import (
    SPAN,
    SpanFeatures,
    ecg_course,
    span_features,
    spans_within,
)
from affectscope.inference.stress_model import (
    BASELINE,
    INPUTS,
    MODALITIES_OF,
    REFERENCES,
    Inputs,
    LinearModel,
    Reference,
    StressInputs,
    model_of,
    stress_inputs,
)
from affectscope.models.shipped import ModelContract, OpenedModel, open_shipped
from affectscope.preprocessing.excluded import excluded_at
from affectscope.records import BoolArray, ExcludedSpan, FloatArray, Modality, Notice

__all__ = ["Reference", "StressCourse", "stress_course"]

NAME = "stress-rest"
_SIGNAL_OF: Mapping[str, Modality] = {"heart": "ecg", "skin": "eda"}


@dataclass(frozen=True, eq=False)
class StressCourse:
    """The stress likelihood of spans of a session.

    Attributes:
        times: (N,) seconds on the session's axis, the middle of each span.
        probability: (N,) in [0, 1]; NaN where the model abstains.
        low, high: (N,) the interval of ``probability``; NaN as there. ``interval`` says what it is.
        reasons: (N,) why the model abstains, "" where it does not.
        reference: what the features were compared with.
        baseline: start and end of what they were compared with, seconds; None where there is none.
            With "first minutes", all that came between it and a span is compared with as well.
        span: seconds of a span.
        interval: one sentence about ``low`` and ``high``.
        contract, model_id: of the model.
        notices: what must be known of this session's course.
    """

    times: FloatArray
    probability: FloatArray
    low: FloatArray
    high: FloatArray
    reasons: tuple[str, ...]
    reference: Reference
    baseline: tuple[float, float] | None
    span: float
    interval: str
    contract: ModelContract
    model_id: str
    notices: Sequence[Notice] = ()


def stress_course(
    body: BodyAnalysis,
    span: tuple[float, float],
    *,
    reference: Reference = "whole session",
    excluded: Sequence[ExcludedSpan] = (),
) -> StressCourse | None:
    """The stress likelihood of every 10 s of a session.

    Args:
        span: start and end of the session, seconds; the baseline begins at its start.
        reference: "first minutes" needs nothing later than the span that is told.
        excluded: what the user left out.

    Returns:
        None where neither heart nor skin could be read at all.

    Raises:
        ModelError: E_CHECKPOINT where the model that ships is damaged.
    """
    assert reference in REFERENCES, reference
    if body.ecg is None and body.eda is None:
        return None
    opened, models = _models(reference)
    spans = spans_within(*span)
    heart = None if body.ecg is None else ecg_course(body.ecg)
    features = _without(span_features(heart, body.eda, spans), excluded)
    if len(spans) == 0:
        return _nothing(opened, reference, span)
    inputs = stress_inputs(features, reference)
    told = _told(inputs, models)
    reasons = tuple(
        "" if known else _reason(inputs, features, row, far)
        for row, (known, far) in enumerate(
            zip(np.isfinite(told.probability), told.far, strict=True)
        )
    )
    return StressCourse(
        times=spans.mean(axis=1),
        probability=told.probability,
        low=told.low,
        high=told.high,
        reasons=reasons,
        reference=reference,
        baseline=inputs.baseline if not all(inputs.reason.values()) else None,
        span=SPAN,
        interval=str(opened.contract.configuration["interval"]),
        contract=opened.contract,
        model_id=opened.model_id,
        notices=_notices(inputs, features, told),
    )


@dataclass(frozen=True, eq=False)
class _Told:
    """(N,) each: what the models say; ``far`` where they abstain since the inputs are far out."""

    probability: FloatArray
    low: FloatArray
    high: FloatArray
    far: BoolArray


@cache
def _models(reference: Reference) -> tuple[OpenedModel, dict[Inputs, LinearModel]]:
    opened = open_shipped(NAME).of_kind("stress likelihood")
    return opened, {each: model_of(opened.tensors, reference, each) for each in INPUTS}


def _told(inputs: StressInputs, models: Mapping[Inputs, LinearModel]) -> _Told:
    """By the model of what was measured of each span."""
    number = len(inputs.ends)
    probability, low, high = (np.full(number, np.nan) for _ in range(3))
    far = np.zeros(number, dtype=np.bool_)
    left = inputs.scored
    for name in reversed(INPUTS):  # both where both were measured
        model = models[name]
        values = inputs.of(name, float(model.reach[0]))
        rows = np.flatnonzero(left & np.isfinite(values).all(axis=1))
        left[rows] = False
        near = model.distance(values[rows]) <= model.farthest[0]
        far[rows[~near]] = True
        rows = rows[near]
        probability[rows] = model.probability(values[rows])
        low[rows], high[rows] = model.interval(probability[rows])
    return _Told(probability, low, high, far)


def _without(features: SpanFeatures, excluded: Sequence[ExcludedSpan]) -> SpanFeatures:
    """No features of spans whose middle the user left out."""
    middle = features.spans.mean(axis=1)

    def kept(modality: Modality, values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        return np.where(excluded_at(excluded, modality, middle)[:, None], np.nan, values)

    return SpanFeatures(features.spans, kept("ecg", features.heart), kept("eda", features.skin))


def _reason(inputs: StressInputs, features: SpanFeatures, row: int, far: bool) -> str:
    """Why a span has no probability."""
    if far:
        return "what was measured lies out of the range of the training"
    measured = [each for each in MODALITIES_OF["both"] if np.isfinite(features.of(each)[row]).all()]
    if not measured:
        return "neither heart nor skin was measured there"
    reasons = [inputs.reason[each] for each in measured if inputs.reason[each]]
    if len(reasons) < len(measured):
        return f"it belongs to the baseline, the first {BASELINE / 60:.0f} min"
    return " and ".join(dict.fromkeys(reasons))


def _notices(inputs: StressInputs, features: SpanFeatures, told: _Told) -> tuple[Notice, ...]:
    found = []
    for modality in MODALITIES_OF["both"]:
        if inputs.reason[modality] and np.isfinite(features.of(modality)).any():
            sentence = f"No stress likelihood from the {modality}: {inputs.reason[modality]}."
            found.append(Notice("W_NO_STRESS_LIKELIHOOD", sentence, _SIGNAL_OF[modality]))
    if told.far.any():
        sentence = (
            f"In {told.far.mean():.0%} of the session, heart or skin lie out of the range of the "
            "training; no stress likelihood is given there."
        )
        found.append(Notice("W_NO_STRESS_LIKELIHOOD", sentence))
    return tuple(found)


def _nothing(opened: OpenedModel, reference: Reference, span: tuple[float, float]) -> StressCourse:
    """Of a session that is shorter than one span."""
    sentence = (
        f"The session lasts {span[1] - span[0]:.0f} s; a stress likelihood needs spans of "
        f"{SPAN:.0f} s and a baseline of {BASELINE / 60:.0f} min or more."
    )
    empty = np.empty(0)
    return StressCourse(
        times=empty,
        probability=empty,
        low=empty,
        high=empty,
        reasons=(),
        reference=reference,
        baseline=None,
        span=SPAN,
        interval=str(opened.contract.configuration["interval"]),
        contract=opened.contract,
        model_id=opened.model_id,
        notices=(Notice("W_NO_STRESS_LIKELIHOOD", sentence),),
    )
