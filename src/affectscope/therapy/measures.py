"""Before against after: one quantity at a time, with its interval or the reason why it is absent.

Sources: RMSSD and SDNN after the Task Force of the ESC and NASPE (1996); responses per minute after
Boucsein, Electrodermal Activity (2012); quadrants after Russell (1980).

Legend: N analysed times, G points of a one-second grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from affectscope.datasets.window_dataset import BodyAnalysis
from affectscope.evaluation.phases import Phases, default_phases
from affectscope.evaluation.statistics import (
    Estimate,
    correlation_over_time,
    difference,
    mean_over_time,
)
from affectscope.io.session import Session
from affectscope.preprocessing.ecg import (
    EcgAnalysis,
    HeartRateVariability,
    heart_rate_at,
    heart_rate_variability,
    rmssd_at,
)
from affectscope.preprocessing.eda import (
    EdaAnalysis,
    responses_per_minute,
    responses_per_minute_at,
    tonic_at,
)
from affectscope.records import FloatArray, Labels, Phase, Prediction

_BIN = 10.0
"""Seconds in which skin responses are counted for their interval."""

QUADRANTS: Mapping[tuple[bool, bool], str] = {
    (True, True): "I (pleasant, aroused)",
    (False, True): "II (unpleasant, aroused)",
    (False, False): "III (unpleasant, calm)",
    (True, False): "IV (pleasant, calm)",
}
"""(valence >= 0, arousal >= 0) -> quadrant of Russell's circumplex."""


@dataclass(frozen=True)
class Measure:
    """One quantity before, after, and its change; ``reason`` says why a value is absent."""

    name: str
    unit: str
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None
    reason: str = ""
    digits: int = 2


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


def compared_phases(session: Session) -> tuple[Phases, str]:
    """The two spans to compare, and the rule in words: session.toml's, else ``default_phases``."""
    if session.phases is not None:
        return session.phases, "as session.toml says"
    return default_phases(*session.recording.span)


def course_of_body(span: tuple[float, float], body: BodyAnalysis) -> pd.DataFrame:
    """Heart rate (bpm), RMSSD (ms, over 60 s), EDA level (uS) and responses per minute (over 60 s).

    One row per second (column ``time``); NaN where masked or absent.
    """
    times = np.arange(*span, 1.0)
    nothing = np.full(len(times), np.nan)
    ecg, eda = body.ecg, body.eda
    return pd.DataFrame(
        {
            "time": times,
            "heart_rate": nothing if ecg is None else heart_rate_at(ecg, times),
            "rmssd": nothing if ecg is None else rmssd_at(ecg, times),
            "eda_tonic": nothing if eda is None else tonic_at(eda, times),
            "eda_responses": nothing if eda is None else responses_per_minute_at(eda, times),
        }
    )


def body_measures(body: BodyAnalysis, course: pd.DataFrame, phases: Phases) -> tuple[Measure, ...]:
    """Heart rate, RMSSD, SDNN, EDA level and responses per minute, where the signal is there."""
    measures: list[Measure] = []
    if body.ecg is not None:
        measures += _heart(body.ecg, course, phases)
    if body.eda is not None:
        measures += _skin(body.eda, course, phases)
    return tuple(measures)


def affect_measures(prediction: Prediction, phases: Phases) -> tuple[Measure, ...]:
    """Mean valence and arousal in both phases, with their change."""
    return tuple(
        _averaged(name, "-1 to 1", (prediction.times, prediction.target(name)), phases)
        for name in ("valence", "arousal")
    )


def summarise(prediction: Prediction) -> str:
    """A few lines of text: valence and arousal in the first and the last part, with intervals."""
    times = prediction.times
    if not np.isfinite(prediction.values).any():
        return "Nothing in this recording could be scored."
    phases, rule = default_phases(float(times[0]), float(times[-1]))
    who = "a simulated person" if prediction.simulated_person else "a person"
    lines = [f"Estimates for {who} by weights fitted on {prediction.population}. Compared: {rule}."]
    for measure in affect_measures(prediction, phases):
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


def quadrant(valence: float, arousal: float) -> str:
    """The circumplex quadrant that a point lies in."""
    return QUADRANTS[valence >= 0, arousal >= 0]


def against_truth(prediction: Prediction, labels: Labels) -> tuple[AgainstTruth, ...]:
    """Valence and arousal against a known course (simulated people, annotated corpora)."""
    rows = []
    for name in ("valence", "arousal"):
        estimate = prediction.target(name)
        truth = labels.target(name, prediction.times)
        both = np.isfinite(estimate) & np.isfinite(truth)
        times, estimate, truth = prediction.times[both], estimate[both], truth[both]
        if len(truth) < 2 or truth.std() == 0 or estimate.std() == 0:
            continue
        rows.append(
            AgainstTruth(
                target=name,
                correlation=correlation_over_time(estimate, truth, _step(prediction.times)),
                correlation_of_time=float(np.corrcoef(times, truth)[0, 1]),
                error=float(np.abs(estimate - truth).mean()),
                error_of_zero=float(np.abs(truth).mean()),
            )
        )
    return tuple(rows)


def _heart(ecg: EcgAnalysis, course: pd.DataFrame, phases: Phases) -> list[Measure]:
    found = [heart_rate_variability(ecg, phase.start, phase.end) for phase in phases]
    why = _reason(phases, [part.reason if part.rmssd is None else "" for part in found])
    return [
        _averaged("heart rate", "bpm", _columns(course, "heart_rate"), phases, digits=1),
        _compared("RMSSD", "ms", [_rmssd(part) for part in found], reason=why, digits=1),
        _compared("SDNN", "ms", [_sdnn(part) for part in found], reason=why, digits=1),
    ]


def _rmssd(part: HeartRateVariability) -> Estimate | None:
    if part.rmssd is None:
        return None
    return _root_mean(part.rmssd, part.successive_differences**2, part)


def _sdnn(part: HeartRateVariability) -> Estimate | None:
    if part.sdnn is None:
        return None
    squares = (part.normal_intervals - part.normal_intervals.mean()) ** 2
    return _root_mean(part.sdnn, squares, part)


def _root_mean(value: float, squares: FloatArray, part: HeartRateVariability) -> Estimate:
    """A root of a mean of squares over beats, with the interval of that mean, rooted."""
    mean = mean_over_time(squares, float(part.normal_intervals.mean()) / 1000)
    if mean is None or mean.low is None or mean.high is None:
        return Estimate(value, None, None, len(squares))
    low, high = (math.sqrt(max(0.0, bound)) for bound in (mean.low, mean.high))
    return Estimate(value, low, high, mean.count)


def _skin(eda: EdaAnalysis, course: pd.DataFrame, phases: Phases) -> list[Measure]:
    found = [responses_per_minute(eda, phase.start, phase.end) for phase in phases]
    rates = [
        None if part.per_minute is None else _response_rate(eda, phase)
        for part, phase in zip(found, phases, strict=True)
    ]
    return [
        _averaged("EDA level", "µS", _columns(course, "eda_tonic"), phases),
        _compared(
            "skin responses",
            "per minute",
            rates,
            reason=_reason(phases, [part.reason for part in found]),
            digits=1,
        ),
    ]


def _response_rate(eda: EdaAnalysis, phase: Phase) -> Estimate | None:
    """Responses per minute, from neighbouring bins of 10 s; a half-masked bin does not count."""
    edges = np.arange(phase.start, phase.end + 1e-9, _BIN)
    counts, _ = np.histogram(eda.response_times, edges)
    usable, _ = np.histogram(eda.cleaned.times[eda.valid], edges)
    enough = usable >= 0.5 * _BIN * eda.cleaned.sampling_rate
    rate = mean_over_time(np.where(enough, counts * 60 / _BIN, np.nan), _BIN)
    if rate is None or rate.low is None:
        return rate
    return replace(rate, low=max(0.0, rate.low))


def _reason(phases: Phases, reasons: Sequence[str]) -> str:
    """Both phases' reasons in one sentence, each said once."""
    found: dict[str, list[str]] = {}
    for phase, reason in zip(phases, reasons, strict=True):
        if reason:
            found.setdefault(reason, []).append(phase.name)
    return "; ".join(f"{' and '.join(names)}: {reason}" for reason, names in found.items())


def _columns(course: pd.DataFrame, name: str) -> tuple[FloatArray, FloatArray]:
    return course["time"].to_numpy(np.float64), course[name].to_numpy(np.float64)


def _averaged(
    name: str, unit: str, course: tuple[FloatArray, FloatArray], phases: Phases, digits: int = 2
) -> Measure:
    """A measure that is a mean over time; ``course`` is (times, values)."""
    times, values = course
    step = _step(times)
    means = [
        mean_over_time(values[(times >= part.start) & (times < part.end)], step) for part in phases
    ]
    lacking = [part.name for part, mean in zip(phases, means, strict=True) if mean is None]
    reason = f"nothing usable {' and '.join(lacking)}" if lacking else ""
    return _compared(name, unit, means, reason=reason, digits=digits)


def _compared(
    name: str, unit: str, parts: Sequence[Estimate | None], *, reason: str, digits: int
) -> Measure:
    before, after = parts
    change = None if before is None or after is None else difference(before, after)
    return Measure(name, unit, before, after, change, reason, digits)


def _step(times: FloatArray) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0
