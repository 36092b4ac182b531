"""Before against after: one quantity at a time, with its interval or the reason why it is absent.

No test over windows is made: neighbouring values follow from one another. How large a change is
against the spread within the parts is told by two effect sizes, how sure by intervals.

Sources: quadrants after Russell (1980); Hedges' g with the average standard deviation after Lakens,
Front. Psychol. 4:863 (2013); the non-overlap of all pairs after Parker and Vannest, Behav. Ther.
40:357 (2009); reliable change after Jacobson and Truax, J. Consult. Clin. Psychol. 59:12 (1991).

Legend: N analysed times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from affectscope.evaluation.effect_sizes import (
    ReliableChange,
    hedges_g_av,
    nonoverlap,
    reliable_change,
)
from affectscope.evaluation.phases import Phases, default_phases
from affectscope.evaluation.statistics import (
    FEWEST_ROWS,
    Estimate,
    correlation_over_time,
    difference,
    mean_over_time,
)
from affectscope.io.reliability import Reliability
from affectscope.records import BoolArray, FloatArray, Labels, Phase, Prediction

AFFECT = ("valence", "arousal")

QUADRANTS: Mapping[tuple[bool, bool], str] = {
    (True, True): "I (pleasant, aroused)",
    (False, True): "II (unpleasant, aroused)",
    (False, False): "III (unpleasant, calm)",
    (True, False): "IV (pleasant, calm)",
}
"""(valence >= 0, arousal >= 0) -> quadrant of Russell's circumplex."""


@dataclass(frozen=True)
class Quantity:
    """What can be told of any part of a session.

    Attributes:
        over: a part -> its estimate, or None and why there is none.
        course: a part -> its values in time order, ``step`` seconds apart, which the effect sizes
            compare; None where the quantity has no course. ``course_note`` says which or why.
    """

    name: str
    unit: str
    digits: int
    over: Callable[[Phase], tuple[Estimate | None, str]]
    course: Callable[[Phase], FloatArray] | None
    step: float
    course_note: str


@dataclass(frozen=True)
class Measure:
    """One quantity before, after, and its change; ``reason`` says why a value is absent.

    Attributes:
        hedges_g_av: the change in average standard deviations of the two parts' courses.
        nonoverlap: share of pairs (one value before, one after) in which the later one is higher,
            0 to 1; 0.5 is no effect.
        reliable_change: against the error of measurement, where a reliability is stated.
        effect_note: what the two effect sizes were computed from, or why there are none.
    """

    name: str
    unit: str
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None
    reason: str = ""
    digits: int = 2
    hedges_g_av: Estimate | None = None
    nonoverlap: Estimate | None = None
    reliable_change: ReliableChange | None = None
    effect_note: str = ""


@dataclass(frozen=True)
class AgainstTruth:
    """One target's estimate against its known course, over the rows where both exist.

    ``correlation`` is Pearson's over time, ``correlation_of_time`` that of elapsed time alone;
    ``error`` the mean absolute error, ``error_of_zero`` that of a constant 0.
    """

    target: str
    correlation: Estimate
    correlation_of_time: float
    error: float
    error_of_zero: float


def compared(quantity: Quantity, phases: Phases) -> Measure:
    """A quantity in both parts, with its change, without effect sizes."""
    (before, why_before), (after, why_after) = (quantity.over(phase) for phase in phases)
    return Measure(
        quantity.name,
        quantity.unit,
        before,
        after,
        None if before is None or after is None else difference(before, after),
        _reason(phases, (why_before, why_after)),
        quantity.digits,
    )


def measured(
    quantities: Sequence[Quantity], phases: Phases, reliability: Mapping[str, Reliability]
) -> tuple[Measure, ...]:
    """Every quantity in both parts, with its change and how large that is.

    ``reliability`` holds what is known of measures beforehand, by name; only those get a reliable
    change index.
    """
    return tuple(
        _with_effects(quantity, phases, reliability.get(quantity.name)) for quantity in quantities
    )


def affect_quantities(prediction: Prediction) -> tuple[Quantity, ...]:
    """Valence and arousal."""
    return tuple(
        averaged(name, "-1 to 1", (prediction.times, prediction.target(name))) for name in AFFECT
    )


def averaged(
    name: str, unit: str, course: tuple[FloatArray, FloatArray], digits: int = 2
) -> Quantity:
    """A quantity that is a mean over time; ``course`` is (times, values)."""
    times, values = course
    step = time_step(times)
    every = max(1.0, step)

    def over(phase: Phase) -> tuple[Estimate | None, str]:
        found = mean_over_time(values[_inside(times, phase)], step)
        return found, "nothing usable" if found is None else ""

    def means(phase: Phase) -> FloatArray:
        inside = _inside(times, phase)
        return _binned(times[inside] - phase.start, values[inside], every, phase)

    note = "one value per second" if every == 1 else f"one value every {every:.1f} s"
    return Quantity(name, unit, digits, over, means, every, note)


def summarise(prediction: Prediction) -> str:
    """A few lines of text: valence and arousal in the first and the last part, with intervals."""
    times = prediction.times
    if not np.isfinite(prediction.values).any():
        return "Nothing in this recording could be scored."
    phases, rule = default_phases(float(times[0]), float(times[-1]))
    who = "a simulated person" if prediction.simulated_person else "a person"
    lines = [f"Estimates for {who} by weights fitted on {prediction.population}. Compared: {rule}."]
    for quantity in affect_quantities(prediction):
        measure = compared(quantity, phases)
        parts = [estimate_text(part) for part in (measure.before, measure.after)]
        change = estimate_text(measure.change, sign="+")
        lines.append(f"{measure.name}: {parts[0]} before, {parts[1]} after, change {change}")
    lines.append("Research use, not a medical device.")
    return "\n".join(lines)


def estimate_text(estimate: Estimate | None, digits: int = 2, sign: str = "") -> str:
    """ "0.41 [0.35, 0.48]", or "0.41" where no interval can be given, or a dash."""
    if estimate is None:
        return "–"
    mean = f"{estimate.mean:{sign}.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return mean
    return f"{mean} [{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"


def percent_text(share: float) -> str:
    """A probability of a bootstrap, which is never certain: "97 %", "over 99 %", "under 1 %"."""
    if share > 0.99:
        return "over 99 %"
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def quadrant(valence: float, arousal: float) -> str:
    """The circumplex quadrant that a point lies in."""
    return QUADRANTS[valence >= 0, arousal >= 0]


def against_truth(prediction: Prediction, labels: Labels) -> tuple[AgainstTruth, ...]:
    """Valence and arousal against a known course (simulated people, annotated corpora)."""
    rows = []
    for name in AFFECT:
        estimate = prediction.target(name)
        truth = labels.target(name, prediction.times)
        both = np.isfinite(estimate) & np.isfinite(truth)
        times, estimate, truth = prediction.times[both], estimate[both], truth[both]
        if len(truth) < 2 or truth.std() == 0 or estimate.std() == 0:
            continue
        rows.append(
            AgainstTruth(
                target=name,
                correlation=correlation_over_time(estimate, truth, time_step(prediction.times)),
                correlation_of_time=float(np.corrcoef(times, truth)[0, 1]),
                error=float(np.abs(estimate - truth).mean()),
                error_of_zero=float(np.abs(truth).mean()),
            )
        )
    return tuple(rows)


def time_step(times: FloatArray) -> float:
    """Seconds between neighbours, usually."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _with_effects(quantity: Quantity, phases: Phases, known: Reliability | None) -> Measure:
    measure = compared(quantity, phases)
    before, after = measure.before, measure.after
    if before is None or after is None:
        return measure
    index = None
    if known is not None:
        index = reliable_change(
            before.mean,
            after.mean,
            standard_deviation=known.standard_deviation,
            reliability=known.reliability,
        )
    if quantity.course is None:
        return replace(measure, reliable_change=index, effect_note=quantity.course_note)
    courses = [quantity.course(phase) for phase in phases]
    if any(np.isfinite(course).sum() < FEWEST_ROWS for course in courses):
        short = f"too little for effect sizes ({quantity.course_note})"
        return replace(measure, reliable_change=index, effect_note=short)
    return replace(
        measure,
        hedges_g_av=hedges_g_av(courses[0], courses[1], quantity.step),
        nonoverlap=nonoverlap(courses[0], courses[1], quantity.step),
        reliable_change=index,
        effect_note=quantity.course_note,
    )


def _reason(phases: Phases, reasons: Sequence[str]) -> str:
    """Both parts' reasons in one sentence, each said once."""
    found: dict[str, list[str]] = {}
    for phase, reason in zip(phases, reasons, strict=True):
        if reason:
            found.setdefault(reason, []).append(phase.name)
    return "; ".join(f"{' and '.join(names)}: {reason}" for reason, names in found.items())


def _inside(times: FloatArray, phase: Phase) -> BoolArray:
    return np.asarray((times >= phase.start) & (times < phase.end))


def _binned(elapsed: FloatArray, values: FloatArray, width: float, phase: Phase) -> FloatArray:
    """Means over neighbouring ``width`` seconds of a phase; NaN where one holds nothing."""
    bins = max(1, round((phase.end - phase.start) / width))
    finite = np.isfinite(values)
    place = np.minimum((elapsed[finite] / width).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=values[finite], minlength=bins)
    return np.asarray(np.divide(sums, counts, out=np.full(bins, np.nan), where=counts > 0))
