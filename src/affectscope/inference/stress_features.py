"""What of heart and skin tells stress from rest: features of spans of 60 s, every 10 s.

Only what an ECG and a wristband give alike is taken: the heart rate averaged over 10 s (no
variability, which a wrist's pulse does not time well enough), and of the EDA what a device's noise
does not make (no derivatives' signs, no minima). No feature is a count, a sum, or a time.

===================  ==============================================================================
heart_mean           ln of the mean heart rate, 1/min
heart_high, _low     ln of its 90th and 10th percentile
heart_slope          of its straight line, shares of the mean per minute
skin_responses       root of the responses per minute
skin_amplitude       ln of (responses per minute x mean amplitude + 0.02 uS/min)
skin_level           ln of the mean, uS
skin_slope           of the level's straight line, shares of the mean per minute
skin_spread          ln of (standard deviation + 0.005 uS)
skin_crossings       crossings per minute of the EDA below 0.2 Hz over its own straight line
===================  ==============================================================================

Legend: N spans, G samples of a heart rate's course, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from affectscope.preprocessing.ecg import EcgAnalysis, heart_rate_at
from affectscope.preprocessing.eda import EdaAnalysis
from affectscope.preprocessing.skin_features import SKIN_FEATURES, skin_features
from affectscope.preprocessing.span_statistics import LEAST_SHARE
from affectscope.records import FloatArray

SPAN, STEP = 60.0, 10.0
"""Seconds of a span, and from one to the next."""
AVERAGED = 10
"""Seconds over which a heart rate is averaged, as the wristband does."""

StressModality = Literal["heart", "skin"]
STRESS_MODALITIES: tuple[StressModality, ...] = get_args(StressModality)
FEATURES: Mapping[StressModality, tuple[str, ...]] = {
    "heart": ("heart_mean", "heart_high", "heart_low", "heart_slope"),
    "skin": (
        "skin_responses", "skin_amplitude", "skin_level", "skin_slope", "skin_spread",
        "skin_crossings",
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class HeartCourse:
    """The heart rate once per second: times (G,) ascending, rate (G,) 1/min, NaN where unknown."""

    times: FloatArray
    rate: FloatArray


@dataclass(frozen=True, eq=False)
class SpanFeatures:
    """Features of N spans of one person's session; a row without a measurement is NaN whole.

    Attributes:
        spans: (N, 2) start and end, s.
        heart, skin: (N, F) in the order of ``FEATURES``; None where there is no such signal.
    """

    spans: FloatArray
    heart: FloatArray | None
    skin: FloatArray | None

    def of(self, modality: StressModality) -> FloatArray:
        """(N, F) all NaN where there is no such signal."""
        found = self.heart if modality == "heart" else self.skin
        if found is None:
            return np.full((len(self.spans), len(FEATURES[modality])), np.nan)
        return found


def spans_within(start: float, end: float) -> FloatArray:
    """(N, 2) all spans of a session from its start on."""
    number = max(0, int(np.floor((end - start - SPAN) / STEP + 1e-9)) + 1)
    starts = start + STEP * np.arange(number)
    return np.column_stack([starts, starts + SPAN])


def span_features(
    heart: HeartCourse | None, eda: EdaAnalysis | None, spans: FloatArray
) -> SpanFeatures:
    """Features of (N, 2) spans; NaN where less than half of a span was measured."""
    return SpanFeatures(
        spans,
        None if heart is None else _whole(_heart(heart, spans)),
        None if eda is None else _whole(_skin(eda, spans)),
    )


def ecg_course(ecg: EcgAnalysis) -> HeartCourse:
    """The heart rate of an ECG, averaged over the 10 s around each second."""
    edge = ecg.cleaned.start_time
    times = edge + np.arange(int(ecg.cleaned.end_time - edge) + 1.0)
    rate = heart_rate_at(ecg, times)
    known = np.isfinite(rate)
    kernel = np.ones(min(AVERAGED, len(times)))
    seen = np.convolve(known, kernel, mode="same")
    total = np.convolve(np.where(known, rate, 0.0), kernel, mode="same")
    averaged = np.full(len(times), np.nan)
    np.divide(total, seen, out=averaged, where=seen >= AVERAGED / 2)
    return HeartCourse(times, averaged)


def _whole(values: FloatArray) -> FloatArray:
    """Rows in which anything is missing hold nothing."""
    measured = np.asarray(np.isfinite(values).all(axis=1))[:, None]
    return np.where(measured, values, np.nan)


def _heart(course: HeartCourse, spans: FloatArray) -> FloatArray:
    found = np.full((len(spans), len(FEATURES["heart"])), np.nan)
    edges = np.searchsorted(course.times, spans)
    for row, (first, stop) in enumerate(edges):
        rate = course.rate[first:stop]
        known = np.isfinite(rate)
        if known.sum() < LEAST_SHARE * SPAN:
            continue
        rate, minutes = rate[known], course.times[first:stop][known] / 60.0
        apart = minutes - minutes.mean()
        slope = (apart @ rate) / (apart @ apart)
        high, low = np.percentile(rate, (90, 10))
        found[row] = *np.log([rate.mean(), high, low]), slope / rate.mean()
    return found


def _skin(eda: EdaAnalysis, spans: FloatArray) -> FloatArray:
    told = skin_features(eda, spans, reference=(-np.inf, -np.inf))
    held = {name.removeprefix("skin_"): told[:, k] for k, name in enumerate(SKIN_FEATURES)}
    rate = held["responses_per_minute"]
    amplitude = np.where(rate > 0, held["response_amplitude"], 0.0)
    mean = np.maximum(held["mean"], 1e-3)
    return np.column_stack([
        np.sqrt(rate),
        np.log(rate * amplitude + 0.02),
        np.log(mean),
        60.0 * held["tonic_slope"] / mean,
        np.log(held["sd"] + 0.005),
        held["slow_crossings"],
    ])  # fmt: skip
