"""The stress likelihood of a session: in the compared parts, with two intervals, and why it is
missing where it is.

It is called "stress likelihood (experimental)" wherever it is told, never arousal or valence. What
it lacks degrades no session: nobody recorded for it.

Where no rule is written, and what we do:

1. A part's likelihood is the mean over the spans that lie wholly in it.
2. Its first interval tells how sure that mean is within the session (``mean_over_time``). Its
   second is the mean of the model's own bounds, which tell how far a person may lie from what the
   model says; a person who stays within each of them stays within their mean.
3. Two parts differ only where both intervals of the one lie beyond both of the other.
4. A part of which less than half the spans have an estimate is not told.
5. Moments are compared with the whole session. Where that gives nothing at all, as in a short
   session, they are compared with its first minutes, if it goes on after them.

Legend: N spans, M times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.errors import ModelError
from affectscope.evaluation.phases import Phases
from affectscope.evaluation.statistics import Estimate, mean_over_time
from affectscope.figures import clock
from affectscope.inference.stress import StressCourse, stress_course
from affectscope.io.session import Session
from affectscope.records import FloatArray, Notice, Phase
from affectscope.therapy.measures import time_step

NAME = "stress likelihood (experimental)"
COLUMN = "stress_likelihood"
"""Of the timeline."""
OVER_TIME = "95 %, moving-block bootstrap, of the mean within this session"

Difference = Literal["higher", "lower", "not told apart"]

LEAST_ESTIMATED = 0.5
"""Share of a part's spans."""
_BORDER = 1e-6


@dataclass(frozen=True)
class PhaseLikelihood:
    """The stress likelihood over one part of a session; ``reason`` says why there is none.

    Attributes:
        over_time: the mean with its interval within the session.
        low, high: the mean of the model's bounds; ``StressCourse.interval`` says what they are.
        spans, estimated: how many spans lie in the part, and how many of them have a likelihood.
    """

    name: str
    over_time: Estimate | None
    low: float | None
    high: float | None
    spans: int
    estimated: int
    reason: str = ""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """From the lower of both intervals to the higher; None where one is missing."""
        mean = self.over_time
        if mean is None or mean.low is None or mean.high is None:
            return None
        if self.low is None or self.high is None:
            return None
        return min(mean.low, self.low), max(mean.high, self.high)


def stress_of(session: Session, body: BodyAnalysis) -> tuple[StressCourse | None, list[Notice]]:
    """The course, None where neither heart nor skin could be read, or where the model that comes
    with the program cannot be; then the notice says so."""
    told = partial(stress_course, body, session.recording.span, excluded=session.excluded)
    try:
        found = told()
        if found is not None and estimated_share(found) == 0:
            early = told(reference="first minutes")
            if early is not None and _reaches_beyond_its_baseline(early):
                found = early
    except ModelError as error:
        sentence = f"No stress likelihood: {error.sentence} {error.remedy}"
        return None, [Notice("W_NO_STRESS_LIKELIHOOD", sentence)]
    return found, []


def stress_at(course: StressCourse | None, times: FloatArray) -> FloatArray:
    """(M,) the likelihood of the span whose middle is nearest to each time, NaN where the model
    abstains there or the nearest span does not hold the time."""
    if course is None or len(course.times) == 0:
        return np.full(len(times), np.nan)
    middles = course.times
    after = np.clip(np.searchsorted(middles, times), 1, max(1, len(middles) - 1))
    after = np.minimum(after, len(middles) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(times - middles[before] <= middles[after] - times, before, after)
    inside = abs(times - middles[nearest]) <= course.span / 2 + _BORDER
    return np.where(inside, course.probability[nearest], np.nan)


def phase_likelihoods(course: StressCourse, phases: Phases) -> tuple[PhaseLikelihood, ...]:
    """The likelihood before and after."""
    return tuple(_of_phase(course, phase) for phase in phases)


def difference(parts: tuple[PhaseLikelihood, ...]) -> Difference | None:
    """Whether the later of two parts lies beyond both intervals of the earlier one; None where an
    interval is missing."""
    before, after = (part.bounds for part in parts)
    if before is None or after is None:
        return None
    if after[0] > before[1]:
        return "higher"
    return "lower" if after[1] < before[0] else "not told apart"


def abstentions(course: StressCourse) -> dict[str, float]:
    """Reason -> the share of all spans, the most frequent first."""
    counts = Counter(reason for reason in course.reasons if reason)
    return {reason: count / len(course.reasons) for reason, count in counts.most_common()}


def estimated_share(course: StressCourse) -> float:
    """The share of spans that have a likelihood."""
    known = np.isfinite(course.probability)
    return float(known.mean()) if len(known) else 0.0


def compared_with(course: StressCourse) -> str:
    """What the session's heart and skin were compared with, in words."""
    if course.reference == "whole session":
        return "all of this session"
    since = "of this session, and all that came since"
    if course.baseline is None:
        return f"the first minutes {since}"
    start, end = (clock(second) for second in course.baseline)
    return f"the first minutes ({start} to {end}) {since}"


def stress_result(course: StressCourse | None, phases: Phases) -> dict[str, Any] | None:
    """For result.json; None without a course."""
    if course is None:
        return None
    parts = phase_likelihoods(course, phases)
    return {
        "name": NAME,
        "reference": course.reference,
        "baseline": course.baseline,
        "span_seconds": course.span,
        "model": {
            "name": course.contract.name,
            "model_id": course.model_id,
            "population": course.contract.population,
            "training_people": len(course.contract.people),
            "intended_use": course.contract.intended_use,
        },
        "phases": {part.name: _phase_result(part) for part in parts},
        "after_against_before": difference(parts),
        "interval": course.interval,
        "interval_over_time": OVER_TIME,
        "abstained": 1 - estimated_share(course),
        "reasons": abstentions(course),
        "notices": [
            {"code": notice.code, "sentence": notice.sentence} for notice in course.notices
        ],
    }


def _reaches_beyond_its_baseline(course: StressCourse) -> bool:
    known = course.times[np.isfinite(course.probability)]
    return course.baseline is not None and bool(np.any(known > course.baseline[1]))


def _phase_result(part: PhaseLikelihood) -> Mapping[str, Any]:
    mean = part.over_time
    return {
        "mean": None if mean is None else mean.mean,
        "low": part.low,
        "high": part.high,
        "over_time": mean,
        "spans": part.spans,
        "estimated": part.estimated,
        "reason": part.reason,
    }


def _of_phase(course: StressCourse, phase: Phase) -> PhaseLikelihood:
    half = course.span / 2 - _BORDER
    inside = (course.times - half >= phase.start) & (course.times + half <= phase.end)
    spans = int(inside.sum())
    if spans == 0:
        short = f"no whole {course.span:.0f} s of the session lie in it"
        return PhaseLikelihood(phase.name, None, None, None, 0, 0, short)
    values = course.probability[inside]
    mean = mean_over_time(values, time_step(course.times))
    if mean is None:
        return PhaseLikelihood(phase.name, None, None, None, spans, 0, "no estimate in it")
    if mean.count < LEAST_ESTIMATED * spans:
        few = f"an estimate in {mean.count} of its {spans} spans only"
        return PhaseLikelihood(phase.name, None, None, None, spans, mean.count, few)
    if mean.low is not None and mean.high is not None:
        mean = replace(mean, low=max(0.0, mean.low), high=min(1.0, mean.high))
    low, high = (float(np.nanmean(bound[inside])) for bound in (course.low, course.high))
    return PhaseLikelihood(phase.name, mean, low, high, spans, mean.count)
