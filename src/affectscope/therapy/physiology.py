"""What heart and skin did: their course over a session, and what is told of a part of it.

Sources: RMSSD and SDNN after the Task Force of the ESC and NASPE (1996); responses per minute after
Boucsein, Electrodermal Activity (2012).

Where these are silent on effect sizes, and what we do:
1. Heart rate and EDA level are compared second by second.
2. RMSSD over a part is one number. Compared are RMSSDs of 60-s windows side by side, none of which
   shares a beat with another. They vary more than the RMSSD of the whole part does.
3. SDNN grows with the length of what it is taken over, so that short windows tell another quantity:
   it has no effect sizes.
4. Skin responses are compared as counts in neighbouring bins of 10 s.

Legend: G points of a one-second grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.evaluation.statistics import Estimate, mean_over_time
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
from affectscope.preprocessing.excluded import excluded_at
from affectscope.records import ExcludedSpan, FloatArray, Phase
from affectscope.therapy.measures import Quantity, averaged

BODY = ("heart rate", "RMSSD", "SDNN", "EDA level", "skin responses")
"""The names of all quantities."""

_BIN = 10.0
"""Seconds in which skin responses are counted."""
_WINDOW = 60.0
"""Seconds over which RMSSD is told as a course."""


def course_of_body(
    span: tuple[float, float], body: BodyAnalysis, excluded: Sequence[ExcludedSpan] = ()
) -> pd.DataFrame:
    """Heart rate (bpm), RMSSD (ms, over 60 s), EDA level (uS) and responses per minute (over 60 s).

    One row per second (column ``time``); NaN where masked, absent or in an ``excluded`` span.
    """
    times = np.arange(*span, 1.0)
    nothing = np.full(len(times), np.nan)
    ecg, eda = body.ecg, body.eda
    course = pd.DataFrame(
        {
            "time": times,
            "heart_rate": nothing if ecg is None else heart_rate_at(ecg, times),
            "rmssd": nothing if ecg is None else rmssd_at(ecg, times),
            "eda_tonic": nothing if eda is None else tonic_at(eda, times),
            "eda_responses": nothing if eda is None else responses_per_minute_at(eda, times),
        }
    )
    # A window of 60 s reaches over a shorter span, and would tell something about its middle.
    course.loc[excluded_at(excluded, "ecg", times), ["heart_rate", "rmssd"]] = np.nan
    course.loc[excluded_at(excluded, "eda", times), ["eda_tonic", "eda_responses"]] = np.nan
    return course


def body_quantities(body: BodyAnalysis, course: pd.DataFrame) -> tuple[Quantity, ...]:
    """Heart rate, RMSSD, SDNN, EDA level and responses per minute, where the signal is there.

    ``course`` is that of ``course_of_body``.
    """
    quantities: list[Quantity] = []
    if body.ecg is not None:
        quantities += _heart(body.ecg, course)
    if body.eda is not None:
        quantities += _skin(body.eda, course)
    return tuple(quantities)


def _heart(ecg: EcgAnalysis, course: pd.DataFrame) -> list[Quantity]:
    def variability(phase: Phase) -> HeartRateVariability:
        return heart_rate_variability(ecg, phase.start, phase.end)

    def rmssd(phase: Phase) -> tuple[Estimate | None, str]:
        found = variability(phase)
        if found.rmssd is None:
            return None, found.reason
        return _root_mean(found.rmssd, found.successive_differences**2, found), ""

    def sdnn(phase: Phase) -> tuple[Estimate | None, str]:
        found = variability(phase)
        if found.sdnn is None:
            return None, found.reason
        squares = (found.normal_intervals - found.normal_intervals.mean()) ** 2
        return _root_mean(found.sdnn, squares, found), ""

    def windows(phase: Phase) -> FloatArray:
        centres = np.arange(phase.start + _WINDOW / 2, phase.end - _WINDOW / 2 + 1e-6, _WINDOW)
        return rmssd_at(ecg, centres, _WINDOW)

    no_course = "it depends on the length of what it is taken over"
    return [
        averaged("heart rate", "bpm", _columns(course, "heart_rate"), digits=1),
        Quantity("RMSSD", "ms", 1, rmssd, windows, _WINDOW, "windows of 60 s side by side"),
        Quantity("SDNN", "ms", 1, sdnn, None, _WINDOW, no_course),
    ]


def _root_mean(value: float, squares: FloatArray, part: HeartRateVariability) -> Estimate:
    """A root of a mean of squares over beats, with the interval of that mean, rooted."""
    mean = mean_over_time(squares, float(part.normal_intervals.mean()) / 1000)
    if mean is None or mean.low is None or mean.high is None:
        return Estimate(value, None, None, len(squares))
    low, high = (math.sqrt(max(0.0, bound)) for bound in (mean.low, mean.high))
    return Estimate(value, low, high, mean.count)


def _skin(eda: EdaAnalysis, course: pd.DataFrame) -> list[Quantity]:
    def responses(phase: Phase) -> tuple[Estimate | None, str]:
        found = responses_per_minute(eda, phase.start, phase.end)
        if found.per_minute is None:
            return None, found.reason
        rate = mean_over_time(_response_rates(eda, phase), _BIN)
        if rate is None or rate.low is None:
            return rate, "" if rate is not None else f"no {_BIN:.0f} s of it can be read"
        return replace(rate, low=max(0.0, rate.low)), ""

    return [
        averaged("EDA level", "µS", _columns(course, "eda_tonic")),
        Quantity(
            "skin responses",
            "per minute",
            1,
            responses,
            lambda phase: _response_rates(eda, phase),
            _BIN,
            f"counts in {_BIN:.0f} s",
        ),
    ]


def _response_rates(eda: EdaAnalysis, phase: Phase) -> FloatArray:
    """Responses per minute in neighbouring bins of 10 s; NaN where half of one is masked."""
    edges = np.arange(phase.start, phase.end + 1e-9, _BIN)
    counts, _ = np.histogram(eda.response_times, edges)
    cleaned = eda.cleaned
    read = np.concatenate([[0], np.cumsum(eda.valid)])
    samples = np.ceil((edges - cleaned.start_time) * cleaned.sampling_rate - 1e-6)
    usable = np.diff(read[np.clip(samples, 0, len(read) - 1).astype(np.int64)])
    enough = usable >= 0.5 * _BIN * cleaned.sampling_rate
    return np.where(enough, counts * 60 / _BIN, np.nan)


def _columns(course: pd.DataFrame, name: str) -> tuple[FloatArray, FloatArray]:
    return course["time"].to_numpy(np.float64), course[name].to_numpy(np.float64)
