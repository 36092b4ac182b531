"""ECG -> cleaned millivolts, a mask, heartbeats, heart rate and its variability.

NeuroKit2 cleans (0.5 Hz high-pass, mains smoothing); see Makowski et al., Behavior Research Methods
53:1689 (2021). R peaks are those that NeuroKit2 finds (``r_peaks``). What is ours: masks
(``ecg_quality``), polarity, measures.

Legend: S samples, B beats, M = B - 1 intervals, N times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from affectscope.preprocessing.beat_template import NO_BEATS, BeatQuality
from affectscope.preprocessing.ecg_quality import (
    ECG_FACTORS,
    NOISE,
    IntArray,
    ecg_faults,
    readable,
    sampled_slowly,
    without_faint,
)
from affectscope.preprocessing.heart_rhythm import irregular, rhythm_doubts, unsuited
from affectscope.preprocessing.quality_course import QualityCourse, ecg_course, masked_by
from affectscope.preprocessing.r_peaks import r_peaks
from affectscope.preprocessing.rr_intervals import RrIntervals, intervals_between
from affectscope.preprocessing.scaling import resample
from affectscope.preprocessing.signal_quality import (
    bridged,
    fault_notices,
    repair,
    runs,
    unusable,
    usable,
    valid_duration,
    window_samples,
    without_sentinels,
)
from affectscope.preprocessing.units import to_millivolts
from affectscope.records import BoolArray, FloatArray, Notice, Signal

MINIMUM_RATE = 30.0
"""Hz: no heartbeats are sought below it."""
VARIABILITY_RATE = 100.0
"""Hz: below it heart rate variability is left out (P13), and beats are sought after upsampling."""
USUAL_HEART_RATE = (30.0, 220.0)
"""bpm: a median heart rate outside makes the stated sampling rate doubtful (P08)."""
USUAL_AMPLITUDE = (0.05, 20.0)
"""mV from trough to peak of a QRS complex: outside, the stated unit is doubtful (P06)."""
MINIMUM_FOR_HEART_RATE = 10.0
MINIMUM_FOR_VARIABILITY = 60.0
"""Seconds of readable signal (P21)."""

_BLOCK = 10.0  # seconds whose skewness votes on the polarity
_SHORTEST_PIECE = 1.0  # seconds: no beats are sought in less
_SHORTEST_DELAY = 0.18  # seconds: NeuroKit2's own 0.3 would halve a rate above 200 bpm (P28)


@dataclass(frozen=True, eq=False)
class EcgAnalysis:
    """One recording's ECG.

    Attributes:
        cleaned: (S,) mV at the original rate, without NaN, turned upright; straight lines in the
            spans that were masked before cleaning.
        valid: (S,) bool, False where nothing may be read.
        peak_times: (B,) R peaks in seconds on the session's axis, all within valid spans.
        inverted: whether the lead came upside down and was turned.
        notices: what the user must know, masked spans included.
        course: the quality of every second, which explains ``valid``.
        rhythm: why the rhythm allows no heart rate variability anywhere; "" where it does.
    """

    cleaned: Signal
    valid: BoolArray
    peak_times: FloatArray
    inverted: bool
    notices: tuple[Notice, ...]
    course: QualityCourse = field(default_factory=QualityCourse)
    rhythm: str = ""


@dataclass(frozen=True, eq=False)
class HeartRateVariability:
    """Over one span: heart rate in bpm, RMSSD and SDNN in ms; ``reason`` says why one is None.

    ``normal_intervals`` and ``successive_differences``, in ms and in time order, are what SDNN and
    RMSSD were computed from; empty where those are None.
    """

    mean_heart_rate: float | None
    rmssd: float | None
    sdnn: float | None
    reason: str = ""
    normal_intervals: FloatArray = field(default_factory=lambda: np.empty(0))
    successive_differences: FloatArray = field(default_factory=lambda: np.empty(0))


def analyse_ecg(signal: Signal, excluded: BoolArray | None = None) -> EcgAnalysis:
    """Clean an ECG in V, mV or uV, mask what cannot be read, and find its heartbeats.

    Args:
        excluded: (S,) True where the user left samples out; they are NaN.

    Raises:
        InputError: E_UNIT for a unit that is no voltage; E_SIGNAL_UNUSABLE where no span is usable.
    """
    signal = to_millivolts(replace(signal, values=without_sentinels(signal.values)))
    repaired = repair(signal.values, signal.sampling_rate, excluded)
    faults = ecg_faults(signal, repaired)
    valid = usable(faults, signal.sampling_rate)
    heart = _heartbeats(repaired.values, valid, signal.sampling_rate)
    faults[NOISE] = valid & ~heart.readable
    valid = valid & heart.readable
    if not valid.any():
        raise unusable(faults, "ecg")
    analysis = EcgAnalysis(
        cleaned=replace(signal, values=heart.cleaned),
        valid=valid,
        peak_times=signal.start_time + heart.beat_seconds,
        inverted=heart.inverted,
        notices=fault_notices(faults, signal, "ecg"),
        course=ecg_course(
            masked_by(signal, valid, faults=faults, names=ECG_FACTORS),
            heart.cleaned,
            -repaired.values if heart.inverted else repaired.values,
            heart.quality,
        ),
    )
    intervals = rr_intervals(analysis)
    rhythm = unsuited(repaired.values, heart.beat_seconds, intervals, signal.sampling_rate)
    analysis = replace(analysis, rhythm=rhythm)
    return replace(analysis, notices=(*analysis.notices, *_doubts(analysis)))


def rr_intervals(analysis: EcgAnalysis) -> RrIntervals:
    """The intervals between an ECG's beats; none that reaches over a masked span is plausible."""
    peaks, cleaned = analysis.peak_times, analysis.cleaned
    samples = np.rint((peaks - cleaned.start_time) * cleaned.sampling_rate)
    span = np.searchsorted(runs(analysis.valid)[:, 0], samples, side="right")
    return intervals_between(peaks, np.diff(span) == 0)


def heart_rate_at(analysis: EcgAnalysis, times: FloatArray) -> FloatArray:
    """(N,) heart rate in bpm at (N,) times: RR intervals, interpolated between their middles.

    NaN in masked spans, before the first and after the last beat of a span, between beats more
    than 3 s or less than 0.24 s apart, and where less than 10 s of the recording can be read.
    """
    times = np.asarray(times, dtype=np.float64)
    rate = np.full(len(times), np.nan)
    if _total(analysis) < MINIMUM_FOR_HEART_RATE:
        return rate
    intervals = rr_intervals(analysis)
    middles = intervals.starts + intervals.durations / 2
    for first, stop in runs(intervals.plausible):
        end = intervals.starts[stop - 1] + intervals.durations[stop - 1]
        inside = (times >= intervals.starts[first]) & (times <= end)
        spaced = np.interp(times[inside], middles[first:stop], intervals.durations[first:stop])
        rate[inside] = 60.0 / spaced
    return rate


def rmssd_at(analysis: EcgAnalysis, times: FloatArray, window: float = 60.0) -> FloatArray:
    """(N,) RMSSD in ms over the window (s) centred on each of (N,) times.

    NaN where the window holds less than 30 s of normal-to-normal intervals, and everywhere where
    the recording is too short or sampled too slowly for heart rate variability.
    """
    times = np.asarray(times, dtype=np.float64)
    too_little = _total(analysis) < MINIMUM_FOR_VARIABILITY or _sampled_too_slowly(analysis)
    if too_little or analysis.rhythm:
        return np.full(len(times), np.nan)
    intervals = rr_intervals(analysis)
    pair = intervals.pairs
    pair_times = intervals.starts[1:][pair]
    squares = np.cumsum(np.concatenate([[0.0], np.diff(intervals.durations)[pair] ** 2]))
    normal_times = (intervals.starts + intervals.durations / 2)[intervals.normal]
    normal = np.cumsum(np.concatenate([[0.0], intervals.durations[intervals.normal]]))

    def inside(events: FloatArray, sums: FloatArray) -> tuple[FloatArray, IntArray]:
        low = np.searchsorted(events, times - window / 2)
        high = np.searchsorted(events, times + window / 2, side="right")
        return sums[high] - sums[low], high - low

    square_sum, pairs = inside(pair_times, squares)
    normal_time, _ = inside(normal_times, normal)
    enough = (normal_time >= 30.0) & (pairs >= 2)
    mean = np.divide(square_sum, pairs, out=np.full(len(times), np.nan), where=enough)
    return np.asarray(1000.0 * np.sqrt(np.maximum(mean, 0.0)))


def heart_rate_variability(analysis: EcgAnalysis, start: float, end: float) -> HeartRateVariability:
    """Mean heart rate, RMSSD and SDNN (n - 1) over the beats between two times in seconds.

    The heart rate takes every plausible interval; RMSSD and SDNN only normal-to-normal ones, and
    they are left out where more than a fifth of the intervals are not. Definitions: Task Force of
    the ESC and NASPE, Circulation 93:1043 (1996).
    """
    readable_time = valid_duration(analysis.valid, analysis.cleaned, start, end)
    intervals = rr_intervals(analysis)
    inside = (intervals.starts >= start) & (intervals.starts + intervals.durations <= end)
    plausible = intervals.plausible & inside
    if readable_time < MINIMUM_FOR_HEART_RATE:
        return _absent(
            f"only {readable_time:.1f} s of the ECG can be read there; a heart rate needs "
            f"{MINIMUM_FOR_HEART_RATE:.0f} s"
        )
    if plausible.sum() < 2:
        return _absent("no heartbeats between 20 and 250 per minute were found there")
    mean_rate = 60.0 / float(intervals.durations[plausible].mean())
    normal = intervals.normal & inside
    differences = np.diff(intervals.durations)[intervals.pairs & inside[:-1] & inside[1:]]
    reason = _too_little_for_variability(analysis, readable_time)
    reason = reason or analysis.rhythm or irregular(intervals, inside)
    if reason:
        return HeartRateVariability(mean_rate, None, None, reason)
    return HeartRateVariability(
        mean_rate,
        1000.0 * float(np.sqrt(np.mean(differences**2))),
        1000.0 * float(intervals.durations[normal].std(ddof=1)),
        normal_intervals=1000.0 * intervals.durations[normal],
        successive_differences=1000.0 * differences,
    )


def _too_little_for_variability(analysis: EcgAnalysis, readable_time: float) -> str:
    if _sampled_too_slowly(analysis):
        return (
            f"heart rate variability needs a sampling rate of at least {VARIABILITY_RATE:.0f} Hz; "
            f"this ECG has {analysis.cleaned.sampling_rate:g} Hz"
        )
    if readable_time < MINIMUM_FOR_VARIABILITY:
        return (
            f"only {readable_time:.1f} s of the ECG can be read there; heart rate variability "
            f"needs {MINIMUM_FOR_VARIABILITY:.0f} s"
        )
    return ""


def _absent(reason: str) -> HeartRateVariability:
    return HeartRateVariability(None, None, None, reason)


def _total(analysis: EcgAnalysis) -> float:
    return float(analysis.valid.sum() / analysis.cleaned.sampling_rate)


def _sampled_too_slowly(analysis: EcgAnalysis) -> bool:
    return analysis.cleaned.sampling_rate < VARIABILITY_RATE


@dataclass(frozen=True, eq=False)
class _Heartbeats:
    """cleaned (S,) upright; readable (S,) bool; beats (B,) in seconds from the first sample."""

    cleaned: FloatArray
    readable: BoolArray
    beat_seconds: FloatArray
    quality: BeatQuality
    inverted: bool


def _heartbeats(values: FloatArray, valid: BoolArray, sampling_rate: float) -> _Heartbeats:
    """Clean, turn upright, find beats and test them, at 100 Hz or more where beats are sought."""
    sought = sampling_rate >= MINIMUM_RATE
    factor = max(1, math.ceil(VARIABILITY_RATE / sampling_rate)) if sought else 1
    rate, fine_valid = sampling_rate * factor, np.repeat(valid, factor)
    cleaned = _cleaned(values, valid, factor=factor, sampling_rate=sampling_rate)
    polarity = _polarity(cleaned[fine_valid], rate)
    cleaned *= polarity
    can_read, beats, quality = fine_valid, np.empty(0, dtype=np.int64), NO_BEATS
    if sought:
        beats = without_faint(_beats(cleaned, fine_valid, rate), cleaned, fine_valid, rate)
        can_read, quality = readable(
            cleaned, fine_valid, beats, sampling_rate=rate, slow=sampled_slowly(sampling_rate)
        )
        beats = beats[can_read[beats]]
    return _Heartbeats(
        cleaned=np.ascontiguousarray(cleaned[::factor]),
        readable=np.asarray(can_read.reshape(-1, factor).all(axis=1)),
        beat_seconds=beats / rate,
        quality=quality,
        inverted=polarity < 0,
    )


def _cleaned(
    values: FloatArray, valid: BoolArray, *, factor: int, sampling_rate: float
) -> FloatArray:
    """(S * factor,) each valid piece upsampled and cleaned alone: no hole reaches into it."""
    cleaned = np.zeros(len(values) * factor)
    for start, stop in runs(valid):
        piece = _cleaned_piece(values[start:stop], factor=factor, sampling_rate=sampling_rate)
        cleaned[start * factor : stop * factor] = piece
    return bridged(cleaned, np.repeat(valid, factor))


def _cleaned_piece(values: FloatArray, *, factor: int, sampling_rate: float) -> FloatArray:
    import neurokit2

    rate = sampling_rate * factor
    if factor > 1:
        values = resample(values, sampling_rate, rate)
    if len(values) <= max(30, rate / 10) or rate < 2.0:  # too short or slow for the filters
        return values - np.median(values)
    return np.asarray(neurokit2.ecg_clean(values, sampling_rate=rate), dtype=np.float64)


def _polarity(cleaned: FloatArray, sampling_rate: float) -> float:
    """-1.0 for a lead that is upside down, else 1.0: the sign of 10 s blocks' median skewness.

    An odd function of the signal, so that x and -x give the same upright lead to the last bit.
    """
    width = min(window_samples(_BLOCK, sampling_rate), len(cleaned))
    if width == 0:
        return 1.0
    blocks = cleaned[: len(cleaned) // width * width].reshape(-1, width)
    centred = blocks - blocks.mean(axis=1, keepdims=True)
    cubes, spread = np.mean(centred**3, axis=1), np.sqrt(np.mean(centred**2, axis=1)) ** 3
    skewness = np.divide(cubes, spread, out=np.zeros_like(cubes), where=spread > 0)
    return -1.0 if np.median(skewness) < 0 else 1.0


def _beats(cleaned: FloatArray, valid: BoolArray, sampling_rate: float) -> IntArray:
    """(B,) samples of the R peaks of all valid pieces."""
    pieces = runs(valid)
    shortest = window_samples(_SHORTEST_PIECE, sampling_rate)
    found = [
        start + r_peaks(cleaned[start:stop], sampling_rate, minimum_delay=_SHORTEST_DELAY)
        for start, stop in pieces[pieces[:, 1] - pieces[:, 0] >= shortest]
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])


def _doubts(analysis: EcgAnalysis) -> list[Notice]:
    """Notices about the whole recording: too short, sampled too slowly, rate or unit in doubt."""
    told = [*_too_little(analysis), *rhythm_doubts(analysis.rhythm)]
    if len(analysis.peak_times) >= 2:
        told += [*_contradictions(analysis)]
    span = (analysis.cleaned.start_time, analysis.cleaned.end_time)
    return [Notice(code, sentence, "ecg", *span) for code, sentence in told]


def _too_little(analysis: EcgAnalysis) -> Iterator[tuple[str, str]]:
    readable_time, rate = _total(analysis), analysis.cleaned.sampling_rate
    if readable_time < MINIMUM_FOR_VARIABILITY:
        least = f"heart rate variability needs {MINIMUM_FOR_VARIABILITY:.0f} s"
        if readable_time < MINIMUM_FOR_HEART_RATE:
            least = f"a heart rate needs {MINIMUM_FOR_HEART_RATE:.0f} s and {least}"
        yield "W_TOO_SHORT", f"Only {readable_time:.1f} s of the ECG can be read; {least}."
    if rate < VARIABILITY_RATE:
        least = f"heart rate variability needs {VARIABILITY_RATE:.0f}"
        if rate < MINIMUM_RATE:
            least = f"heartbeats need {MINIMUM_RATE:.0f} and {least}"
        yield "W_LOW_RATE", f"The ECG has {rate:g} samples per second; {least}."


def _contradictions(analysis: EcgAnalysis) -> Iterator[tuple[str, str]]:
    heart_rate = 60.0 / float(np.median(np.diff(analysis.peak_times)))
    low, high = USUAL_HEART_RATE
    if not low <= heart_rate <= high:
        yield (
            "W_SAMPLING_RATE",
            f"The median heart rate would be {heart_rate:.0f} per minute, outside {low:.0f} to "
            f"{high:.0f}; the stated sampling rate of {analysis.cleaned.sampling_rate:g} Hz may be "
            "wrong.",
        )
    amplitude = beat_height(analysis)
    low, high = USUAL_AMPLITUDE
    if not low <= amplitude <= high:
        yield (
            "W_UNIT",
            f"The heartbeats measure {amplitude:.3g} mV, outside {low:g} to {high:g} mV; the "
            "stated unit may be wrong. The heart rate does not depend on it.",
        )


def beat_height(analysis: EcgAnalysis) -> float:
    """Median over beats of maximum - minimum within 100 ms of the R peak, mV."""
    cleaned = analysis.cleaned
    half = max(1, round(0.1 * cleaned.sampling_rate))
    samples = np.rint((analysis.peak_times - cleaned.start_time) * cleaned.sampling_rate)
    index = np.clip(
        samples.astype(np.int64)[:, None] + np.arange(-half, half + 1), 0, len(cleaned.values) - 1
    )
    return float(np.median(np.ptp(cleaned.values[index], axis=1)))
