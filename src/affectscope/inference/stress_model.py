"""The linear models behind the stress likelihood, and what a session's features are compared with.

Two references ("first minutes", "whole session") with three models each (heart, skin, both). A
model takes a span's features and their mean over a context: the spans that end within its reach
before the span's own end ("first minutes", usable live), or on both sides ("whole session").

Compared: a feature less its mean, over its standard deviation. "First minutes": over the spans of
the first five minutes, and as the session goes on, over all since then up to the span itself;
nothing later enters. "Whole session": over all spans.

Legend: N spans, F features, M = 2F inputs, B bins of the probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from affectscope.errors import ModelError
from affectscope.inference.stress_features import SPAN, STEP, SpanFeatures, StressModality
from affectscope.records import BoolArray, FloatArray

Reference = Literal["first minutes", "whole session"]
"""What a person's features are compared with: the session's own first minutes, which is usable
live, or all of it."""
REFERENCES: tuple[Reference, ...] = get_args(Reference)
Inputs = Literal["heart", "skin", "both"]
INPUTS: tuple[Inputs, ...] = get_args(Inputs)
MODALITIES_OF: Mapping[Inputs, tuple[StressModality, ...]] = {
    "heart": ("heart",),
    "skin": ("skin",),
    "both": ("heart", "skin"),
}

BASELINE = 300.0
"""Seconds of "first minutes"."""
LEAST_MEASURED = 0.6
"""Share of the baseline's spans that must be measured."""
LEAST_SESSION = 600.0
"""Seconds of measured spans that "whole session" needs."""
EDGES = np.array([0.2, 0.4, 0.6])
"""Between the B bins of the probability that have an interval of their own."""
CLIPPED = 4.0
"""Standard deviations of the training beyond which an input does not pull further."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """One model.

    Attributes:
        centre, scale: (M,) of the inputs, over the training people.
        weights: (M,); intercept: (1,): their score is above 0 where stress is likelier than rest
            if both were as frequent.
        platt: (2,) slope and intercept that make a probability of the score.
        farthest: (1,) root mean square of the standardised inputs, beyond which it abstains.
        half_width: (B,) of the interval of a probability in each bin.
        reach: (1,) seconds of the context.
    """

    centre: FloatArray
    scale: FloatArray
    weights: FloatArray
    intercept: FloatArray
    platt: FloatArray
    farthest: FloatArray
    half_width: FloatArray
    reach: FloatArray

    def score(self, inputs: FloatArray) -> FloatArray:
        """(N, M) -> (N,)"""
        standard = np.clip((inputs - self.centre) / self.scale, -CLIPPED, CLIPPED)
        return np.asarray(standard @ self.weights + self.intercept[0])

    def distance(self, inputs: FloatArray) -> FloatArray:
        """(N, M) -> (N,) how far out of the training's range."""
        return np.asarray(np.sqrt(np.mean(((inputs - self.centre) / self.scale) ** 2, axis=1)))

    def probability(self, inputs: FloatArray) -> FloatArray:
        """(N, M) -> (N,) in (0, 1)."""
        return np.asarray(expit(self.platt[0] * self.score(inputs) + self.platt[1]))

    def interval(self, probability: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N,) each, inside [0, 1]."""
        half = self.half_width[np.searchsorted(EDGES, probability, side="right")]
        return np.maximum(probability - half, 0.0), np.minimum(probability + half, 1.0)


@dataclass(frozen=True, eq=False)
class StressInputs:
    """A session's spans beside a reference.

    Attributes:
        ends: (N,) of the spans, s.
        compared: (N, F) of each modality; NaN where not measured or without a reference.
        reason: why a modality has no reference, "" where it has one.
        reference, baseline: what was compared with, and its first start and end.
    """

    ends: FloatArray
    compared: dict[StressModality, FloatArray]
    reason: dict[StressModality, str]
    reference: Reference
    baseline: tuple[float, float]

    @property
    def scored(self) -> BoolArray:
        """(N,) False for spans that begin in the first minutes, where those are the reference."""
        if self.reference == "whole session":
            return np.ones(len(self.ends), dtype=np.bool_)
        return np.asarray(self.ends - SPAN >= self.baseline[1] - 1e-6)

    def of(self, inputs: Inputs, reach: float) -> FloatArray:
        """(N, M) what a model takes whose context reaches as far (s)."""
        after = reach if self.reference == "whole session" else 0.0
        parts = []
        for modality in MODALITIES_OF[inputs]:
            found = self.compared[modality]
            parts += [found, _context(found, self.ends, (reach, after))]
        return np.hstack(parts)


def stress_inputs(
    features: SpanFeatures, reference: Reference, *, fixed: bool = False
) -> StressInputs:
    """Compare a session's spans (N > 0) with the reference.

    Args:
        fixed: compare with the first minutes alone and not with what came since; no model that
            ships does, it is for comparison.
    """
    ends = features.spans[:, 1]
    start = float(features.spans[0, 0])
    live = reference == "first minutes"
    baseline = (start, start + BASELINE) if live else (start, float(ends[-1]))
    first = int(np.searchsorted(ends, baseline[1] + 1e-6))
    compared: dict[StressModality, FloatArray] = {}
    reason: dict[StressModality, str] = {}
    for modality in MODALITIES_OF["both"]:
        found = features.of(modality)
        reason[modality] = _no_reference(found[:first], reference)
        if reason[modality]:
            compared[modality] = np.full_like(found, np.nan)
        else:
            compared[modality] = _compared(found, first, fixed)
    return StressInputs(ends, compared, reason, reference, baseline)


def model_tensors(models: Mapping[tuple[Reference, Inputs], LinearModel]) -> dict[str, Tensor]:
    """The arrays of all models, named "first minutes/both/weights"."""
    return {
        f"{reference}/{inputs}/{field.name}": torch.from_numpy(
            np.ascontiguousarray(getattr(model, field.name))
        )
        for (reference, inputs), model in models.items()
        for field in fields(LinearModel)
    }


def model_of(tensors: Mapping[str, Tensor], reference: Reference, inputs: Inputs) -> LinearModel:
    """One model out of the arrays.

    Raises:
        ModelError: E_CHECKPOINT where an array is not there.
    """
    names = {each.name: f"{reference}/{inputs}/{each.name}" for each in fields(LinearModel)}
    if any(name not in tensors for name in names.values()):
        raise ModelError(
            "E_CHECKPOINT",
            f"The stress model holds no arrays for '{reference}' with {inputs}.",
            "Install the program again, or take an unchanged copy of the model.",
        )
    return LinearModel(
        **{field: tensors[name].numpy().astype(np.float64) for field, name in names.items()}
    )


def _no_reference(inside: FloatArray, reference: Reference) -> str:
    """Why the (n, F) spans of a reference are not enough; "" where they are."""
    measured = np.isfinite(inside[:, 0])
    if reference == "first minutes":
        if len(inside) < (BASELINE - SPAN) / STEP or measured.mean() < LEAST_MEASURED:
            return (
                f"the baseline is missing: less than {LEAST_MEASURED:.0%} of the first "
                f"{BASELINE / 60:.0f} min could be read"
            )
    elif measured.sum() * STEP < LEAST_SESSION - SPAN:
        return (
            f"the baseline is missing: less than {LEAST_SESSION / 60:.0f} min of the session "
            "could be read"
        )
    return ""


def _compared(found: FloatArray, first: int, fixed: bool) -> FloatArray:
    """(N, F) less the mean over the rows up to each, over their deviation; at least ``first``.

    Just the ``first`` ones where ``fixed``.
    """
    measured = np.isfinite(found)
    usual = np.nanmean(found, axis=0)  # taken off first: squares then lose no digits
    values = np.where(measured, found - usual, 0.0)
    last = np.maximum(0 if fixed else np.arange(len(found)), first - 1)
    last = np.broadcast_to(last, len(found))
    number, total, square = (
        np.cumsum(each, axis=0)[last] for each in (measured.astype(float), values, values**2)
    )
    mean = total / number
    spread = np.sqrt(np.maximum(square / number - mean**2, 0.0))
    return np.asarray((found - usual - mean) / np.where(spread > 1e-6, spread, 1.0))


def _context(found: FloatArray, ends: FloatArray, reach: tuple[float, float]) -> FloatArray:
    """(N, F) mean of the measured rows that end within the reach; NaN where the row itself is."""
    measured = np.isfinite(found[:, :1])
    zero = np.zeros((1, found.shape[1]))
    sums = np.concatenate([zero, np.cumsum(np.where(measured, found, 0.0), axis=0)])
    number = np.concatenate([[0], np.cumsum(measured[:, 0])])
    first = np.searchsorted(ends, ends - reach[0] + 1e-6)
    stop = np.searchsorted(ends, ends + reach[1] + 1e-6)
    held = (number[stop] - number[first])[:, None]
    return np.where(measured, (sums[stop] - sums[first]) / np.maximum(held, 1), np.nan)
