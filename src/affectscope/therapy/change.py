"""What else is told of a change than its measures: quadrants, other windows, marked parts.

Legend: N analysed times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from affectscope.evaluation.phases import Phases, first_and_last, window_lengths
from affectscope.evaluation.statistics import Estimate
from affectscope.io.session import Session
from affectscope.records import FloatArray, Modality, Phase, Prediction, Recording
from affectscope.therapy.coverage import phase_coverage
from affectscope.therapy.measures import Measure, Quantity, compared, measured, time_step

T = TypeVar("T")

Span = tuple[float, float]


@dataclass(frozen=True)
class Sensitivity:
    """Every measure's change with the first and the last part of the session longer or shorter.

    Attributes:
        lengths: of each part, s, ascending.
        changes: by measure, one per length; None where a part held nothing usable.
    """

    lengths: tuple[float, ...]
    changes: Mapping[str, tuple[Estimate | None, ...]]

    def direction(self, name: str) -> int | None:
        """1 or -1 where the change has that sign with every length, 0 where it turns; None where
        fewer than two are known."""
        signs = {int(np.sign(change.mean)) for change in self.changes[name] if change is not None}
        if sum(change is not None for change in self.changes[name]) < 2:
            return None
        return signs.pop() if len(signs) == 1 else 0


@dataclass(frozen=True)
class MarkedMean:
    """One quantity over a marked part; ``reason`` says why there is none."""

    name: str
    unit: str
    estimate: Estimate | None
    reason: str
    digits: int


@dataclass(frozen=True)
class MarkedPhase:
    """A marked part of the session, ``start`` to ``end``: what of it lies within the session.

    Attributes:
        stated: as session.toml says it.
        usable: by modality, the share in [0, 1] of start to end.
        means: every quantity that the session has.
    """

    name: str
    start: float
    end: float
    stated: Span
    usable: Mapping[Modality, float]
    means: tuple[MarkedMean, ...]


@dataclass(frozen=True)
class Change:
    """Everything that is told of quantities in the parts of a session."""

    body: tuple[Measure, ...]
    affect: tuple[Measure, ...]
    sensitivity: Sensitivity
    marked: tuple[MarkedPhase, ...]


def change_of(
    session: Session,
    phases: Phases,
    *,
    of_affect: Sequence[Quantity],
    of_body: Sequence[Quantity],
    quality: pd.DataFrame,
) -> Change:
    """``quality`` is that of ``quality_table.session_quality``."""
    quantities = (*of_affect, *of_body)
    return Change(
        measured(of_body, phases, session.reliability),
        measured(of_affect, phases, session.reliability),
        sensitivity(quantities, session.recording.span),
        marked_phases(session.marked, quantities, recording=session.recording, quality=quality),
    )


def sensitivity(quantities: Sequence[Quantity], span: Span) -> Sensitivity:
    """How the changes depend on the length of the compared parts, always the outer ones."""
    lengths = window_lengths(span[1] - span[0])
    pairs = [first_and_last(*span, length) for length in lengths]
    return Sensitivity(
        lengths,
        {
            quantity.name: tuple(compared(quantity, phases).change for phases in pairs)
            for quantity in quantities
        },
    )


def sensitivity_result(found: Sensitivity) -> dict[str, Any]:
    """For result.json; ``same_direction`` is None where fewer than two lengths are known."""
    directions = {name: found.direction(name) for name in found.changes}
    return {
        "minutes": [length / 60 for length in found.lengths],
        "changes": found.changes,
        "same_direction": {
            name: None if way is None else way != 0 for name, way in directions.items()
        },
    }


def marked_phases(
    marked: Sequence[Phase],
    quantities: Sequence[Quantity],
    *,
    recording: Recording,
    quality: pd.DataFrame,
) -> tuple[MarkedPhase, ...]:
    """Every quantity over every marked part, or what of it lies within the session.

    ``quality`` is that of ``quality_table.session_quality``.
    """
    first, last = recording.span
    found = []
    for stated in marked:
        phase = Phase(stated.name, max(stated.start, first), min(stated.end, last))
        if phase.start >= phase.end:
            phase = stated
        usable = phase_coverage(quality, list(recording.tracks), [phase])[phase.name]
        means = tuple(_mean(quantity, phase) for quantity in quantities)
        limits = (stated.start, stated.end)
        found.append(MarkedPhase(phase.name, phase.start, phase.end, limits, usable, means))
    return tuple(found)


def in_phases(
    prediction: Prediction | None,
    phases: Phases,
    of: Callable[[FloatArray, FloatArray, float], T | None],
) -> dict[str, T] | None:
    """``of(valence, arousal, step)`` of each part that has it; None where neither has.

    ``of`` is ``quadrants.quadrant_probability`` or ``quadrant_time``.
    """
    if prediction is None:
        return None
    times, step = prediction.times, time_step(prediction.times)
    found = {}
    for phase in phases:
        inside = (times >= phase.start) & (times < phase.end)
        told = of(prediction.target("valence")[inside], prediction.target("arousal")[inside], step)
        if told is not None:
            found[phase.name] = told
    return found or None


def _mean(quantity: Quantity, phase: Phase) -> MarkedMean:
    mean, reason = quantity.over(phase)
    return MarkedMean(quantity.name, quantity.unit, mean, reason, quantity.digits)
