"""Heartbeats and ECG -> hand-crafted features of spans, such as 40 s around a moment.

Definitions: Task Force of the ESC and NASPE, Circulation 93:1043 (1996). Which features: those that
Gjoreski et al. take (METHOD.md section 7), then what AMIGOS' own baseline adds (Miranda-Correa et
al., IEEE Trans. Affective Computing 12, 2021).

====================================  =========================================================
name, after "heart_"                  what it is
====================================  =========================================================
mean_rate                             60 / mean plausible RR interval, 1/min
mean_rr, sdnn                         mean and standard deviation of the RR intervals, ms
rmssd                                 root of the mean squared successive difference, ms
sdsd                                  standard deviation of the successive differences, ms: RMSSD
                                      with their mean taken off; that mean is near 0, so the two
                                      hardly differ
pnn20, pnn50                          share of successive differences beyond 20 and 50 ms
sd1, sd2                              standard deviations across and along the Poincare plot, ms;
                                      sd1 is sdsd / sqrt(2)
lf, hf, lf_hf                         power at 0.04-0.15 and 0.15-0.4 Hz, ms^2, and its ratio
rate_sd, _skewness, _kurtosis         of the momentary heart rate 60 / RR; kurtosis: Gaussian is 0
rr_skewness, rr_kurtosis              of the RR intervals (their deviation is sdnn)
rate_share_high, rate_share_low       share of beats whose rate is above mean + sd, below mean - sd
rr_power_0.01-0.08, _0.08-0.15,       mean density of the RR intervals, ms^2/Hz: AMIGOS' low, middle
_0.15-0.5                             and high band
ecg_power_0-0.3 ... 5.7-6             mean density of the cleaned ECG in bands of 0.3 Hz, mV^2/Hz
====================================  =========================================================

What one must know:
1. All but mean_rate take normal-to-normal intervals (``rr_intervals``) wholly inside the span.
2. Nothing counts or adds up over time: every feature is a mean, a share, a deviation or a power, so
   that none carries the length of the clip.
3. A feature is NaN where it was not measured. mean_rate needs 10 s of plausible intervals, mean_rr
   10 s of normal ones, everything else also normal intervals over half of the span; the power of
   the ECG needs half of the span readable. As in ``ecg.heart_rate_variability``, of the intervals
   only mean_rate is given where more than a fifth are not normal, and from an ECG below 100 Hz.
4. The Task Force asks for 5 min, and at least ten periods of the lowest frequency: 250 s for LF,
   about 1 min for HF. In a span of 40 s LF and everything below it is not valid by that rule (it
   holds 1.6 periods of 0.04 Hz), nor are SDNN and LF/HF comparable with those of other lengths. The
   papers take such spans all the same, and so they are given. In 40 s, RMSSD, SDSD and pNN are
   usual ("ultra-short"), and HF holds six periods of its lowest frequency.
5. Powers of RR intervals are Lomb-Scargle periodograms at each 0.005 Hz: intervals are not
   evenly spaced, and gaps stay gaps.
6. AMIGOS' paper has 60 bands of 0.1 Hz of the ECG. A span of 40 s tells frequencies 0.05 Hz apart
   (Hann window), and neighbouring bands then hold nearly the same: here 20 bands of 0.3 Hz. The
   ECG was cleaned from 0.5 Hz on, so that the first band holds next to nothing.

Legend: N spans, n some of them, M RR intervals, K frequencies, F features, W intervals of a span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from affectscope.preprocessing.ecg import (
    MINIMUM_FOR_HEART_RATE,
    VARIABILITY_RATE,
    EcgAnalysis,
    rr_intervals,
)
from affectscope.preprocessing.ecg_quality import IntArray
from affectscope.preprocessing.rr_intervals import RrIntervals
from affectscope.preprocessing.span_statistics import (
    LEAST_SHARE,
    EqualBands,
    masked_mean,
    ratio,
    span_power,
)
from affectscope.records import BoolArray, FloatArray

RR_BANDS: dict[str, tuple[float, float]] = {
    "lf": (0.04, 0.15),
    "hf": (0.15, 0.4),
    "rr_power_0.01-0.08": (0.01, 0.08),
    "rr_power_0.08-0.15": (0.08, 0.15),
    "rr_power_0.15-0.5": (0.15, 0.5),
}
"""Hz: the lower end belongs to the band, the upper one does not."""
ECG_BANDS = EqualBands(0.3, 20)

RR_FEATURES: tuple[str, ...] = tuple(
    f"heart_{name}"
    for name in (
        "mean_rate", "mean_rr", "sdnn", "sdsd", "rmssd", "pnn20", "pnn50", "sd1", "sd2",
        "lf", "hf", "lf_hf",
        "rate_sd", "rate_skewness", "rate_kurtosis", "rr_skewness", "rr_kurtosis",
        "rate_share_high", "rate_share_low",
        "rr_power_0.01-0.08", "rr_power_0.08-0.15", "rr_power_0.15-0.5",
    )
)  # fmt: skip
"""What RR intervals alone tell; the first twelve are Gjoreski's."""
HEART_FEATURES: tuple[str, ...] = (
    *RR_FEATURES,
    *(f"heart_ecg_power_{name}" for name in ECG_BANDS.names),
)
"""In the order of ``heart_features``."""

LEAST_NORMAL = 0.8
"""Share of a span's plausible intervals that must be normal."""

_COLUMN = {name.removeprefix("heart_"): place for place, name in enumerate(RR_FEATURES)}
_FREQUENCIES = np.arange(2, 100) * 0.005
"""(K,) Hz, of the periodogram."""
_SAME_TIME = 1e-6  # s: a beat so near to the edge of a span lies inside
_SAME_DURATION = 1e-6  # ms: differences of 20 and 50 ms are not beyond 20 and 50 ms
_LARGEST_BLOCK = 1 << 18  # intervals that are worked on at once


def heart_features(analysis: EcgAnalysis, spans: FloatArray) -> FloatArray:
    """Features of an ECG over spans.

    Args:
        spans: (N, 2) start and end in seconds on the session's axis, finite.

    Returns:
        (N, F) in the order of ``HEART_FEATURES``; NaN where not measured.
    """
    from_beats = rr_features(rr_intervals(analysis), spans)
    if analysis.cleaned.sampling_rate < VARIABILITY_RATE:
        from_beats[:, _COLUMN["mean_rr"] :] = np.nan
    power = span_power(analysis.valid, analysis.cleaned, spans, bands=ECG_BANDS)
    return np.concatenate([from_beats, power], axis=1)


def rr_features(intervals: RrIntervals, spans: FloatArray) -> FloatArray:
    """Features of RR intervals over spans, for sensors that give no ECG.

    Args:
        intervals: M of them; how exactly the sensor timed the beats is the caller's to know.
        spans: (N, 2) start and end in seconds on the intervals' axis, finite.

    Returns:
        (N, F) in the order of ``RR_FEATURES``; NaN where not measured.
    """
    result = np.full((len(spans), len(RR_FEATURES)), np.nan)
    places = _places(intervals, spans)
    for block in _blocks(intervals, places):
        for name, values in _described(block).items():
            result[block.rows, _COLUMN[name]] = values
    rate, mean, variability = _told(intervals, places, spans)
    result[~rate] = np.nan
    result[~mean, _COLUMN["mean_rr"] :] = np.nan
    result[~variability, _COLUMN["sdnn"] :] = np.nan
    for name, values in _powers(intervals, places[variability]).items():
        result[variability, _COLUMN[name]] = values
    return result


def _places(intervals: RrIntervals, spans: FloatArray) -> IntArray:
    """(N, 2) first interval, and interval after the last, that lie wholly in each span."""
    first = np.searchsorted(intervals.starts, spans[:, 0] - _SAME_TIME)
    ends = intervals.starts + intervals.durations
    stop = np.searchsorted(ends, spans[:, 1] + _SAME_TIME, side="right")
    return np.column_stack([first, np.maximum(first, stop)])


def _told(
    intervals: RrIntervals, places: IntArray, spans: FloatArray
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """(N,) each: whether the rate, the mean interval, and everything else is measured."""
    plausible, normal = intervals.plausible.astype(float), intervals.normal.astype(float)
    each = np.stack([
        plausible, normal, plausible * intervals.durations, normal * intervals.durations
    ])  # fmt: skip
    number, normal_number, time, normal_time = _totals(each, places)
    rate = (time >= MINIMUM_FOR_HEART_RATE) & (number >= 2)
    regular = normal_number >= LEAST_NORMAL * number - 1e-9
    mean = rate & regular & (normal_time >= MINIMUM_FOR_HEART_RATE)
    half = normal_time >= LEAST_SHARE * (spans[:, 1] - spans[:, 0])
    (pairs,) = _totals(np.append(intervals.pairs, False)[None].astype(float), _pairs_of(places))
    return rate, mean, mean & half & (pairs >= 2)


def _pairs_of(places: IntArray) -> IntArray:
    """(N, 2) the same for pairs of neighbouring intervals, which are one fewer."""
    return np.column_stack([places[:, 0], np.maximum(places[:, 0], places[:, 1] - 1)])


def _totals(terms: FloatArray, places: IntArray) -> FloatArray:
    """(R, M) terms of each interval -> (R, N) their sums over the intervals of each span."""
    sums = np.concatenate([np.zeros((len(terms), 1)), np.cumsum(terms, axis=1)], axis=1)
    totals: FloatArray = sums[:, places[:, 1]] - sums[:, places[:, 0]]
    return totals


@dataclass(frozen=True, eq=False)
class _Block:
    """The intervals of some spans.

    Attributes:
        rows: (n,) places of the spans among all N.
        rr: (n, W) ms; 1 where there is none.
        plausible, normal: (n, W).
        pair: (n, W - 1) whether an interval and the next are both normal.
    """

    rows: IntArray
    rr: FloatArray
    plausible: BoolArray
    normal: BoolArray
    pair: BoolArray


def _blocks(intervals: RrIntervals, places: IntArray) -> Iterator[_Block]:
    held = places[:, 1] - places[:, 0]
    rows = np.flatnonzero(held >= 2)
    if len(rows) == 0:
        return
    width = int(held.max())
    for part in np.array_split(rows, -(-len(rows) * width // _LARGEST_BLOCK)):
        index = places[part, :1] + np.arange(width)
        inside = index < places[part, 1:]
        index = np.minimum(index, len(intervals.durations) - 1)
        normal = intervals.normal[index] & inside
        yield _Block(
            rows=part,
            rr=np.where(inside, 1000.0 * intervals.durations[index], 1.0),
            plausible=intervals.plausible[index] & inside,
            normal=normal,
            pair=normal[:, :-1] & normal[:, 1:],
        )


def _described(block: _Block) -> dict[str, FloatArray]:
    """(n,) each of the features that are no powers; NaN without anything to take them from."""
    rate = 60000.0 / block.rr
    intervals, rates = _moments(block.rr, block.normal), _moments(rate, block.normal)
    change = block.rr[:, 1:] - block.rr[:, :-1]
    changes = _moments(change, block.pair)
    along = _moments(block.rr[:, 1:] + block.rr[:, :-1], block.pair)
    high, low = rates.mean + rates.deviation, rates.mean - rates.deviation
    return {
        "mean_rate": 60000.0 / masked_mean(block.rr, block.plausible),
        "mean_rr": intervals.mean,
        "sdnn": intervals.deviation,
        "sdsd": changes.deviation,
        "rmssd": np.sqrt(masked_mean(change**2, block.pair)),
        "pnn20": masked_mean(np.abs(change) > 20.0 + _SAME_DURATION, block.pair),
        "pnn50": masked_mean(np.abs(change) > 50.0 + _SAME_DURATION, block.pair),
        "sd1": changes.deviation / np.sqrt(2.0),
        "sd2": along.deviation / np.sqrt(2.0),
        "rate_sd": rates.deviation,
        "rate_skewness": rates.skewness,
        "rate_kurtosis": rates.kurtosis,
        "rr_skewness": intervals.skewness,
        "rr_kurtosis": intervals.kurtosis,
        "rate_share_high": masked_mean(rate > high[:, None], block.normal),
        "rate_share_low": masked_mean(rate < low[:, None], block.normal),
    }


@dataclass(frozen=True, eq=False)
class _Moments:
    """(n,) each; the deviation with n - 1, skewness and excess kurtosis with n."""

    mean: FloatArray
    deviation: FloatArray
    skewness: FloatArray
    kurtosis: FloatArray


def _moments(values: FloatArray, mask: BoolArray) -> _Moments:
    """Of the values (n, W) where the mask is True. Constant values have no skewness."""
    mean = masked_mean(values, mask)
    centred = np.where(mask, values - mean[:, None], 0.0)
    number = mask.sum(axis=1)
    squares = centred**2
    variance = ratio(squares.sum(axis=1), number)
    spread = np.where(variance > 1e-18 * mean**2, variance, np.nan)
    return _Moments(
        mean=mean,
        deviation=np.sqrt(ratio(squares.sum(axis=1), number - 1)),
        skewness=ratio((squares * centred).sum(axis=1), number) / spread**1.5,
        kurtosis=ratio((squares**2).sum(axis=1), number) / spread**2 - 3.0,
    )


def _powers(intervals: RrIntervals, places: IntArray) -> dict[str, FloatArray]:
    """(n,) the power of each band."""
    if len(places) == 0:
        return {}
    density = _rr_density(intervals, places)
    powers: dict[str, FloatArray] = {}
    for name, (low, high) in RR_BANDS.items():
        inside = (low - 1e-9 <= _FREQUENCIES) & (high - 1e-9 > _FREQUENCIES)
        mean = density[:, inside].mean(axis=1)
        powers[name] = mean if name.startswith("rr_power") else mean * (high - low)
    return powers | {"lf_hf": ratio(powers["lf"], powers["hf"])}


def _rr_density(intervals: RrIntervals, places: IntArray) -> FloatArray:
    """(n, K) spectral density of the normal intervals of each span, ms^2/Hz, by Lomb-Scargle.

    The periodogram of Lomb (Astrophysics and Space Science 39, 1976) and Scargle (Astrophysical
    Journal 263, 1982), of the intervals less their mean in the span; each stands at its middle. It
    needs nothing of a span but sums over its intervals, which are differences of one running sum
    over the recording, so that many spans cost little more than one.
    """
    normal = intervals.normal.astype(float)
    middles = intervals.starts + intervals.durations / 2
    usual = intervals.durations[intervals.normal].mean()  # taken off: sums then lose no digits
    values = normal * 1000.0 * (intervals.durations - usual)
    number, total, time = _totals(np.stack([normal, values, normal * intervals.durations]), places)
    density = np.empty((len(places), len(_FREQUENCIES)))
    for column, frequency in enumerate(_FREQUENCIES):
        angle = 2.0 * np.pi * frequency * (middles - middles[0])
        cosine, sine = np.cos(angle), np.sin(angle)
        terms = (values * cosine, values * sine, normal * cosine, normal * sine,
                 normal * (cosine**2 - sine**2), normal * 2.0 * cosine * sine)  # fmt: skip
        density[:, column] = _lomb_scargle(_totals(np.stack(terms), places), total / number, number)
    return np.asarray(2.0 * density * (time / number)[:, None])


def _lomb_scargle(sums: FloatArray, mean: FloatArray, number: FloatArray) -> FloatArray:
    """(n,) the periodogram at one frequency, in ms^2.

    Args:
        sums: (6, n) over each span, w the angle of an interval: y cos w, y sin w, cos w, sin w,
            cos 2w, sin 2w.
        mean: (n,) of y.
        number: (n,) of intervals.
    """
    y_cosine, y_sine = sums[0] - mean * sums[2], sums[1] - mean * sums[3]
    turn, apart = 0.5 * np.arctan2(sums[5], sums[4]), np.hypot(sums[4], sums[5])
    along = y_cosine * np.cos(turn) + y_sine * np.sin(turn)
    across = y_sine * np.cos(turn) - y_cosine * np.sin(turn)
    # Evenly spaced beats leave nothing across at half the rate of the beats.
    second = np.zeros(len(number))
    np.divide(across**2, number - apart, out=second, where=number - apart > 1e-9 * number)
    return np.asarray(along**2 / (number + apart) + second)
