"""EDA -> cleaned microsiemens, a mask, skin conductance level (tonic) and responses (phasic).

NeuroKit2 cleans (3 Hz low-pass) and separates (0.05 Hz, as Biopac's AcqKnowledge does); see
Makowski et al., Behavior Research Methods 53:1689 (2021). What is ours:

1. Units are converted, never guessed, and what cannot be skin conductance is refused or masked:
   0.01 to 100 uS is plausible.
2. Every valid piece is cleaned and separated alone; above 32 Hz it is separated at about 16 Hz,
   since the cleaned signal holds nothing above 3 Hz. Pieces are continued by point reflection over
   30 s, so that the ends do not bend the level.
3. A response is a peak of the cleaned signal that rises by at least 0.01 uS within the 5 s before
   it (the smallest criterion in use: Boucsein, Electrodermal Activity, 2012), or by two steps of
   the converter where that is more, and stands as much above the higher of the valleys beside it.
   It is not sought in the phasic signal: there the 0.05 Hz high-pass makes a second, false peak
   about 14 s after each response, of 3 to 15 % of its size (measured on synthesised responses).
4. The sensor counts as saturated where the record's own maximum lasts for 2 s, and as dead where
   nothing changes for 15 s: on 26 wristband records (``stress_predict``, ``empatica_e4``: 4 Hz) the
   longest constant run of worn sensors was 4.25 s, and 0.25 s at the maximum.
5. A change of more than 10 uS/s is movement (Kleckner et al., IEEE TBME 65:1460, 2018); a fall that
   skin cannot make is a lifted sensor (``eda_contact``, P30).

Legend: S samples, R responses, N times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.signal import find_peaks

from affectscope.errors import InputError
from affectscope.preprocessing.eda_contact import lifted
from affectscope.preprocessing.quality_course import QualityCourse, eda_course, masked_by
from affectscope.preprocessing.signal_quality import (
    MISSING,
    Fault,
    Repaired,
    bridged,
    fault_notices,
    repair,
    runs,
    smallest_step,
    swing_mask,
    told_apart,
    unusable,
    usable,
    valid_at,
    valid_duration,
    widened,
    window_samples,
    without_sentinels,
    without_short_runs,
)
from affectscope.preprocessing.units import to_microsiemens
from affectscope.records import BoolArray, FloatArray, Notice, Signal

PLAUSIBLE = (0.01, 100.0)
"""uS: skin conductance lies within (P05)."""
MINIMUM_RESPONSE = 0.01
"""uS: smallest response that counts."""
RESPONSE_RATE = 2.0
"""Hz: below it responses are not sought (P29)."""
RISE = 5.0
"""Seconds before a peak that hold its onset."""
MINIMUM_FOR_RESPONSES = 30.0
"""Seconds of readable signal that a number of responses per minute needs."""

SKIN = Fault("W_SATURATED", "is zero or out of range (sensor not on skin or unplugged)")
SATURATED = Fault("W_SATURATED", "stays at its maximum (sensor saturated or not on skin)")
FLAT = Fault("W_FLAT", "does not change at all")
MOVEMENT = Fault("W_NOISE", "changes faster than skin can (movement of the electrodes)")
LIFTED = Fault("W_SATURATED", "falls faster than skin can (sensor lifted or taken off)")
EDA_FACTORS = {
    "eda_range": (SKIN, SATURATED),
    "eda_slope": (MOVEMENT,),
    "eda_flat": (FLAT,),
    "eda_motion": (LIFTED,),
}
"""The faults that each factor of ``quality_course`` explains."""

_SATURATED_DURATION = 2.0  # seconds
_FLAT_DURATION = 15.0  # seconds
_FEWEST = 4  # samples that must agree at a low rate
_CONTACT_MARGIN = 0.5  # seconds masked on both sides of a lost contact
_MOVEMENT_MARGIN = 1.0  # seconds
_FASTEST = 10.0  # uS per second
_FILTERED_FROM = 7.0  # Hz: NeuroKit2 filters nothing at 6 Hz and below
_TONIC = 0.05  # Hz
_SEPARATED_AT = 16.0  # Hz
_REFLECTION = 30.0  # seconds


@dataclass(frozen=True, eq=False)
class EdaAnalysis:
    """One recording's EDA.

    Attributes:
        cleaned: (S,) uS at the original rate, without NaN; straight lines where masked.
        valid: (S,) bool, False where nothing may be read.
        tonic: (S,) uS, the level: what changes slower than 0.05 Hz.
        phasic: (S,) uS, cleaned - tonic.
        response_times: (R,) peaks of the responses, seconds on the session's axis.
        response_amplitudes: (R,) uS.
        notices: what the user must know, masked spans included.
        course: the quality of every second, which explains ``valid``.
    """

    cleaned: Signal
    valid: BoolArray
    tonic: FloatArray
    phasic: FloatArray
    response_times: FloatArray
    response_amplitudes: FloatArray
    notices: tuple[Notice, ...]
    course: QualityCourse = field(default_factory=QualityCourse)


@dataclass(frozen=True)
class ResponseRate:
    """Skin conductance responses per minute of readable signal; ``reason`` says why it is None."""

    per_minute: float | None
    reason: str = ""


def analyse_eda(signal: Signal, excluded: BoolArray | None = None) -> EdaAnalysis:
    """Clean an EDA in S, mS, uS, nS or Ohm, kOhm, MOhm, mask what cannot be read, and separate it.

    Args:
        excluded: (S,) True where the user left samples out; they are NaN.

    Raises:
        InputError: E_UNIT for another unit; E_EDA_IMPLAUSIBLE where the values cannot be skin
            conductance in the stated unit; E_SIGNAL_UNUSABLE where no span is usable.
    """
    stated = signal.unit
    signal = to_microsiemens(replace(signal, values=without_sentinels(signal.values)))
    rate = signal.sampling_rate
    repaired = repair(signal.values, rate, excluded)
    step = smallest_step(signal.values)
    faults = _faults(signal, repaired, step)
    _check_plausible(repaired.values[repaired.valid & (repaired.values > 2.5 * step)], stated)
    valid = usable(faults, rate)
    cleaned = _cleaned(repaired.values, valid, rate)
    faults[MOVEMENT] = valid & _too_fast(cleaned, valid, rate)
    faults[LIFTED] = valid & lifted(cleaned, valid, rate) & ~faults[MOVEMENT]
    valid = usable(faults, rate)
    if not valid.any():
        raise unusable(faults, "eda")
    tonic = slower_than(_TONIC, cleaned, valid, rate)
    peaks, amplitudes = _all_responses(cleaned, valid, rate, max(MINIMUM_RESPONSE, 2 * step))
    return EdaAnalysis(
        cleaned=replace(signal, values=cleaned),
        valid=valid,
        tonic=tonic,
        phasic=cleaned - tonic,
        response_times=signal.start_time + peaks,
        response_amplitudes=amplitudes,
        notices=(*fault_notices(faults, signal, "eda"), *_doubts(valid, signal)),
        course=eda_course(
            masked_by(signal, valid, faults=faults, names=EDA_FACTORS),
            cleaned,
            repaired.values,
        ),
    )


def tonic_at(analysis: EdaAnalysis, times: FloatArray) -> FloatArray:
    """(N,) the level in uS at (N,) times; NaN outside the recording and in masked spans."""
    usable = valid_at(analysis.valid, analysis.cleaned, times)
    level = np.interp(times, analysis.cleaned.times, analysis.tonic)
    return np.where(usable, level, np.nan)


def responses_per_minute(analysis: EdaAnalysis, start: float, end: float) -> ResponseRate:
    """Responses per minute of readable signal between two times in seconds.

    None, with the reason, below 2 Hz and where less than 30 s can be read.
    """
    if analysis.cleaned.sampling_rate < RESPONSE_RATE:
        return ResponseRate(
            None,
            f"skin conductance responses need a sampling rate of at least {RESPONSE_RATE:.0f} Hz; "
            f"this EDA has {analysis.cleaned.sampling_rate:g} Hz",
        )
    readable = valid_duration(analysis.valid, analysis.cleaned, start, end)
    if readable < MINIMUM_FOR_RESPONSES:
        return ResponseRate(
            None,
            f"only {readable:.1f} s of the EDA can be read there; responses per minute need "
            f"{MINIMUM_FOR_RESPONSES:.0f} s",
        )
    times = analysis.response_times
    return ResponseRate(60.0 * float(((times >= start) & (times < end)).sum()) / readable)


def responses_per_minute_at(
    analysis: EdaAnalysis, times: FloatArray, window: float = 60.0
) -> FloatArray:
    """(N,) responses per minute in the window (s) centred on each of (N,) times.

    NaN where less than half of the window can be read, and below 2 Hz.
    """
    times = np.asarray(times, dtype=np.float64)
    cleaned = analysis.cleaned
    if cleaned.sampling_rate < RESPONSE_RATE:
        return np.full(len(times), np.nan)
    seconds = np.concatenate([[0.0], np.cumsum(analysis.valid)]) / cleaned.sampling_rate
    edges = cleaned.start_time + np.arange(len(seconds)) / cleaned.sampling_rate
    low, high = times - window / 2, times + window / 2
    readable = np.interp(high, edges, seconds) - np.interp(low, edges, seconds)
    found = analysis.response_times
    counts = np.searchsorted(found, high) - np.searchsorted(found, low)
    rate = np.full(len(times), np.nan)
    np.divide(60.0 * counts, readable, out=rate, where=readable >= window / 2)
    return rate


def _faults(signal: Signal, repaired: Repaired, step: float) -> dict[Fault, BoolArray]:
    """(S,) masks of what is wrong before cleaning; ``signal`` has NaN where samples are missing."""
    rate, values, missing = signal.sampling_rate, repaired.values, ~repaired.valid
    low, high = PLAUSIBLE
    margin = round(_CONTACT_MARGIN * rate)
    off = ~missing & ((values < low) | (values > high))
    saturated = np.zeros(len(values), dtype=bool)
    on_skin = values[~off & ~missing]
    if len(on_skin):
        at_maximum = ~off & (values >= on_skin.max() - step / 2)
        if repaired.excluded is not None:  # what is filled in between two maxima is no third one
            at_maximum &= ~repaired.excluded
        shortest = max(_FEWEST, window_samples(_SATURATED_DURATION, rate))
        saturated = widened(without_short_runs(at_maximum, shortest), margin)
    off = widened(off, margin)
    shortest = max(_FEWEST, window_samples(_FLAT_DURATION, rate))
    flat = swing_mask(values, shortest, 0.0, repaired.excluded)
    faults = {
        MISSING: missing,
        SKIN: off & ~missing,
        SATURATED: saturated & ~off & ~missing,
        FLAT: flat & ~saturated & ~off & ~missing,
    }
    return told_apart(faults, repaired.excluded)


def _check_plausible(measured: FloatArray, stated: str) -> None:
    """Refuse values (above zero, as measured, uS) whose median cannot be skin conductance."""
    if len(measured) == 0:
        return  # open circuit throughout: unusable for that reason
    low, high = PLAUSIBLE
    middle = float(np.median(measured))
    if not low <= middle <= high:
        raise InputError(
            "E_EDA_IMPLAUSIBLE",
            f"The EDA's median would be {middle:.4g} uS with the stated unit '{stated}'; skin "
            f"conductance lies between {low:g} and {high:g} uS.",
            "State the unit that the file is in (uS, nS, kOhm ...); raw converter counts need "
            "their device's reader.",
        )


def _cleaned(values: FloatArray, valid: BoolArray, sampling_rate: float) -> FloatArray:
    """(S,) each valid piece low-passed alone; straight lines between the pieces."""
    import neurokit2

    cleaned = values.copy()
    for start, stop in runs(valid):
        if sampling_rate >= _FILTERED_FROM and stop - start > 30:  # else too short for the filter
            cleaned[start:stop] = neurokit2.eda_clean(
                values[start:stop], sampling_rate=sampling_rate
            )
    return bridged(cleaned, valid)


def _too_fast(cleaned: FloatArray, valid: BoolArray, sampling_rate: float) -> BoolArray:
    """Spans around changes of more than 10 uS/s between neighbouring valid samples."""
    jump = np.zeros(len(cleaned), dtype=bool)
    jump[1:] = (np.abs(np.diff(cleaned)) * sampling_rate > _FASTEST) & valid[1:] & valid[:-1]
    return widened(jump, round(_MOVEMENT_MARGIN * sampling_rate))


def slower_than(
    frequency: float, cleaned: FloatArray, valid: BoolArray, sampling_rate: float
) -> FloatArray:
    """(S,) what changes slower than ``frequency`` Hz, each valid piece alone; lines between.

    Args:
        cleaned: (S,) uS, without anything above 8 Hz where ``sampling_rate`` is above 32 Hz.
    """
    slow = cleaned.copy()
    every = _every(sampling_rate)
    for start, stop in runs(valid):
        piece = cleaned[start:stop:every]
        level = _low_passed(frequency, piece, sampling_rate / every)
        slow[start:stop] = np.interp(np.arange(stop - start), np.arange(len(piece)) * every, level)
    return bridged(slow, valid)


def _every(sampling_rate: float) -> int:
    """Of how many samples one is enough for a cleaned EDA, which holds nothing above 3 Hz."""
    return max(1, int(sampling_rate // _SEPARATED_AT)) if sampling_rate > 32.0 else 1


def _low_passed(frequency: float, piece: FloatArray, sampling_rate: float) -> FloatArray:
    """One piece; its median where it is too short or too slow to be separated."""
    import neurokit2

    reflected = min(len(piece) - 1, round(_REFLECTION * sampling_rate))
    padded = np.pad(piece, reflected, mode="reflect", reflect_type="odd")
    if len(padded) < 20 or sampling_rate < 10 * frequency:
        return np.full(len(piece), np.median(piece))
    # The tonic part of its ``eda_phasic(method="highpass")``, without the phasic one.
    level = neurokit2.signal_filter(
        padded, sampling_rate=sampling_rate, highcut=frequency, method="butterworth"
    )
    return np.asarray(level)[reflected : reflected + len(piece)]


def _all_responses(
    cleaned: FloatArray, valid: BoolArray, sampling_rate: float, minimum: float
) -> tuple[FloatArray, FloatArray]:
    """Times of the responses (R,) in seconds from the first sample, and amplitudes (R,)."""
    times, amplitudes = [np.empty(0)], [np.empty(0)]
    every = _every(sampling_rate)
    rate = sampling_rate / every
    for start, stop in runs(valid) if sampling_rate >= RESPONSE_RATE else ():
        peaks, sizes = _responses(cleaned[start:stop:every], rate, minimum)
        times.append(start / sampling_rate + peaks / rate)
        amplitudes.append(sizes)
    return np.concatenate(times), np.concatenate(amplitudes)


def _responses(
    piece: FloatArray, sampling_rate: float, minimum: float
) -> tuple[FloatArray, FloatArray]:
    """Peaks (R,) in samples, and their amplitudes (R,): the rise within the 5 s before, uS."""
    peaks, _ = find_peaks(piece, prominence=minimum)
    before = round(RISE * sampling_rate)
    onsets = [
        piece[max(0, peak - before, last) : peak + 1].min()
        for last, peak in zip(np.append(0, peaks), peaks, strict=False)
    ]
    rise = piece[peaks] - np.array(onsets)
    return peaks[rise >= minimum].astype(np.float64), rise[rise >= minimum]


def _doubts(valid: BoolArray, signal: Signal) -> list[Notice]:
    doubts: list[Notice] = []
    span = (signal.start_time, signal.end_time)
    readable = float(valid.sum() / signal.sampling_rate)
    if readable < MINIMUM_FOR_RESPONSES:
        sentence = (
            f"Only {readable:.1f} s of the EDA can be read; responses per minute need "
            f"{MINIMUM_FOR_RESPONSES:.0f} s."
        )
        doubts.append(Notice("W_TOO_SHORT", sentence, "eda", *span))
    if signal.sampling_rate < RESPONSE_RATE:
        sentence = (
            f"The EDA has {signal.sampling_rate:g} samples per second; skin conductance responses "
            f"can be told from {RESPONSE_RATE:.0f} on. The level is still given."
        )
        doubts.append(Notice("W_LOW_RATE", sentence, "eda", *span))
    return doubts
