"""Where an ECG can be read: faults before cleaning, and whether heartbeats can be told after it.

**The readability test.** The valid signal is cut into stretches of 10 s. A stretch is sound where
the first five of these hold, and clear where all seven do; d is the derivative of the cleaned
signal, a beat is what NeuroKit2 found:

=============  ============================================================  =======================
quantity       definition                                                    limit
=============  ============================================================  =======================
beats          in the stretch                                                >= 3
kurtosis       of d; Gaussian noise of any colour has 3                      >= 4.8
contrast       geometric mean over beats of the energy of d within 60 ms of  >= 4.0; >= 12 where
               the beat, over that 120-300 ms away (less far in a fast       sampled below 60 Hz
               heart)
likeness       median over beats of the mean correlation of d (+-100 ms)     >= 0.77
               with the more similar half of the stretch's other beats
template       median likeness of the beats to the record's clearest         >= 0.6; >= 0.75 where
               (``beat_template``)                                           irregular, below 12
energy spread  interquartile range of the log energy of the beats            <= 1.6
RR variation   standard deviation / mean of the RR intervals                 <= 0.6; <= 0.2 where
                                                                             the contrast is < 8
=============  ============================================================  =======================

A clear stretch is read beside another clear one (one alone is chance); a sound one of likeness
>= 0.95 between two clear ones too (a pacemaker that sets in). Limits were set on the eight records
of ``mitbih`` with their ectopic beats, and those of ``neurokit``, ``plux``, ``biosppy`` and
``heartpy`` (noise to 0 dB), against 14 kinds of synthetic noise (up to 750 stretches each, at 100
to 800 Hz): 12 kinds never passed; the tests repeat ten. What passes wrongly: jumps of the baseline
(0.5 % of the stretches), random spikes shaped like a QRS complex (13 %), since irregular beats look
the same, and single movement artefacts of ``heartpy`` at 12 and 6 dB. Beats that are artefacts
(``beat_template``) are masked with the intervals beside them. Measurements: docs/quality.md.

Legend: S samples, B beats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, percentile_filter

from affectscope.preprocessing.beat_template import (
    NO_BEATS,
    BeatQuality,
    template_likeness,
    without_artefacts,
)
from affectscope.preprocessing.signal_quality import (
    MISSING,
    Fault,
    Repaired,
    rail_mask,
    rolling_swing,
    runs,
    share_within,
    smallest_step,
    swing_mask,
    told_apart,
    window_samples,
)
from affectscope.records import BoolArray, FloatArray, Signal

IntArray = NDArray[np.int64]

SHORTEST_RR, LONGEST_RR = 0.24, 3.0
"""Seconds: 250 and 20 beats per minute (P28); intervals beyond are not used."""

FLAT = Fault("W_FLAT", "is flat")
CLIPPED = Fault("W_SATURATED", "is clipped at the converter's limits")
NO_CONTACT = Fault("W_SATURATED", "shows no heart activity (electrode loose or off)")
NOISE = Fault("W_NOISE", "is too noisy for heartbeats to be found")

ECG_FACTORS = {
    "ecg_flat": (FLAT, NO_CONTACT),
    "ecg_saturation": (CLIPPED,),
    "ecg_noise": (NOISE,),
}
"""The faults that each factor of ``quality_course`` explains."""

_FLAT_DURATION = 1.0  # seconds
_LARGEST_CLIPPED = 0.01  # share of a second
_STRETCH = 10.0  # seconds
_JUDGED = 5.0  # seconds: less signal than this cannot be judged for noise
_MINIMUM_KURTOSIS = 4.8
_MINIMUM_CONTRAST = 4.0
_MINIMUM_CONTRAST_SLOW = 12.0  # there QRS complexes hardly stand above T waves
_SLOW = 60.0  # Hz
_MINIMUM_LIKENESS = 0.77
_MINIMUM_TEMPLATE = 0.6
_FAINT_TEMPLATE = 0.75  # where the rhythm is irregular and the contrast below the next
_FAINT_CONTRAST = 12.0
_NEIGHBOUR_LIKENESS = 0.95
_LARGEST_SPREAD = 1.6
_LARGEST_VARIATION = 0.6
_IRREGULAR = 0.2  # RR variation from which on
_FAINT = 0.01
_IRREGULAR_CONTRAST = 8.0  # beats must stand out more


def ecg_faults(signal: Signal, repaired: Repaired) -> dict[Fault, BoolArray]:
    """(S,) masks of what is wrong before cleaning; no sample belongs to two of them.

    Flat: for 1 s constant, or within one step of the converter (P01). Clipped: more than 1 % of the
    second around a sample lies in runs at the record's extremes (P03). No contact: for 3 s, the
    longest RR interval, nothing but mains hum moves by a tenth of what is usual (P02).

    Args:
        signal: with NaN where samples are missing.
        repaired: the same, filled in.
    """
    rate, values, missing = signal.sampling_rate, repaired.values, ~repaired.valid
    excluded = repaired.excluded
    step = smallest_step(signal.values)
    quiet = _without_mains(values, rate)
    beat_width = window_samples(LONGEST_RR, rate)
    swing = rolling_swing(quiet, beat_width, excluded)
    swing = swing[np.isfinite(swing)]
    usual = float(np.median(swing)) if len(swing) else 0.0
    # A dead lead may flicker by one step either way; in a coarse record that may be a heartbeat.
    flicker = 2.5 * step
    still = 0.0 if 0.05 * usual < flicker < usual else flicker
    still = max(still, 0.005 * usual)
    flat = swing_mask(values, window_samples(_FLAT_DURATION, rate), still, excluded)
    rails = rail_mask(values, max(3, math.ceil(0.01 * rate)), step=step)
    clipped = share_within(rails, window_samples(1.0, rate)) > _LARGEST_CLIPPED
    loose = swing_mask(quiet, beat_width, 0.1 * usual, excluded)
    faults = {
        MISSING: missing,
        FLAT: flat & ~missing,
        CLIPPED: clipped & ~flat & ~missing,
        NO_CONTACT: loose & ~clipped & ~flat & ~missing,
    }
    return told_apart(faults, excluded)


def readable(
    cleaned: FloatArray, valid: BoolArray, beats: IntArray, *, sampling_rate: float, slow: bool
) -> tuple[BoolArray, BeatQuality]:
    """(S,) the valid samples that pass the readability test, are not more than 3 s from a beat and
    not beside an artefact; and what the beats are like.

    Less than 5 s of signal cannot be judged and passes.

    Args:
        cleaned: (S,) upright.
        valid: (S,) bool.
        beats: (B,) samples of the R peaks.
        sampling_rate: Hz of ``cleaned``.
        slow: whether it was sampled below 60 Hz, and upsampled.
    """
    places = np.flatnonzero(valid)
    if len(places) < _JUDGED * sampling_rate:
        return valid, NO_BEATS
    passed, quality = np.zeros(len(valid), dtype=bool), NO_BEATS
    if len(beats) >= 3:
        count = max(1, int(len(places) / (_STRETCH * sampling_rate)))
        edges = np.linspace(0, len(places), count + 1).astype(np.int64)
        change = np.where(valid, np.gradient(cleaned), 0.0)
        energy, contrast = _beat_energy(change, valid, beats, sampling_rate)
        likeness = template_likeness(change, beats, contrast=contrast, sampling_rate=sampling_rate)
        quality = BeatQuality(beats / sampling_rate, likeness, contrast)
        stretches = _stretches(
            change, places, quality, edges=edges, sampling_rate=sampling_rate, energy=energy
        )
        trusted = _trusted(stretches, _MINIMUM_CONTRAST_SLOW if slow else _MINIMUM_CONTRAST)
        passed[places] = np.repeat(trusted, np.diff(edges))
    passed = _without_beatless(passed, beats, sampling_rate)
    artefacts = quality.is_artefact if len(beats) >= 3 else np.zeros(len(beats), dtype=bool)
    return without_artefacts(passed, beats, artefacts, sampling_rate), quality


def without_faint(
    beats: IntArray, cleaned: FloatArray, valid: BoolArray, sampling_rate: float
) -> IntArray:
    """The beats (B,) without T waves and ripples that NeuroKit2 takes for beats in long pauses.

    A beat is faint where the energy of the derivative within 60 ms of it is less than a hundredth
    of the upper quartile of 31 beats around.
    """
    if len(beats) < 3:
        return beats
    change = np.where(valid, np.gradient(cleaned), 0.0)
    energy, _ = _beat_energy(change, valid, beats, sampling_rate)
    usual = percentile_filter(energy, 75, size=31, mode="nearest")
    return np.asarray(beats[energy >= _FAINT * usual])


def sampled_slowly(sampling_rate: float) -> bool:
    """Whether QRS complexes hardly stand above T waves, and more contrast is asked for."""
    return sampling_rate < _SLOW


@dataclass(frozen=True)
class _Stretch:
    """The quantities of the module's table."""

    kurtosis: float
    contrast: float
    likeness: float
    template: float
    spread: float
    variation: float

    def is_sound(self, minimum_contrast: float) -> bool:
        return (
            self.kurtosis >= _MINIMUM_KURTOSIS
            and self.contrast >= minimum_contrast
            and self.likeness >= _MINIMUM_LIKENESS
            and self.template >= (_FAINT_TEMPLATE if self.is_doubtful() else _MINIMUM_TEMPLATE)
        )

    def is_doubtful(self) -> bool:
        return self.contrast < _FAINT_CONTRAST and self.variation > _IRREGULAR

    def is_even(self) -> bool:
        regular = self.variation <= _IRREGULAR or self.contrast >= _IRREGULAR_CONTRAST
        return self.spread <= _LARGEST_SPREAD and self.variation <= _LARGEST_VARIATION and regular


def _stretches(
    change: FloatArray,
    places: IntArray,
    quality: BeatQuality,
    *,
    edges: IntArray,
    sampling_rate: float,
    energy: FloatArray,
) -> list[_Stretch | None]:
    """Each stretch's quantities, None where it has fewer than three beats.

    ``change`` is the derivative; stretch i holds the samples ``places[edges[i] : edges[i + 1]]``.
    """
    beats = np.rint(quality.seconds * sampling_rate).astype(np.int64)
    home = np.searchsorted(edges, np.searchsorted(places, beats), side="right") - 1  # (B,)
    found: list[_Stretch | None] = []
    for index in range(len(edges) - 1):
        mine = home == index
        if mine.sum() < 3:
            found.append(None)
            continue
        low, high = np.percentile(np.log(energy[mine]), [25, 75])
        found.append(
            _Stretch(
                kurtosis=_kurtosis(change[places[edges[index] : edges[index + 1]]]),
                contrast=float(np.exp(np.log(quality.contrast[mine]).mean())),
                likeness=_likeness(change, beats[mine], sampling_rate),
                template=float(np.median(quality.likeness[mine])),
                spread=float(high - low),
                variation=_variation(beats[mine] / sampling_rate),
            )
        )
    return found


def _trusted(stretches: list[_Stretch | None], minimum_contrast: float) -> BoolArray:
    """One bool per stretch: clear with a clear neighbour, or sound and alike between two."""
    sound: BoolArray = np.array([s is not None and s.is_sound(minimum_contrast) for s in stretches])
    clear: BoolArray = sound & np.array([s is not None and s.is_even() for s in stretches])
    alike = sound & np.array(
        [s is not None and s.likeness >= _NEIGHBOUR_LIKENESS for s in stretches]
    )
    if len(stretches) == 1:
        return clear
    before, after = np.append(False, clear[:-1]), np.append(clear[1:], False)
    return np.asarray((clear & (before | after)) | (alike & before & after))


def _beat_energy(
    change: FloatArray, valid: BoolArray, beats: IntArray, sampling_rate: float
) -> tuple[FloatArray, FloatArray]:
    """(B,) mean squared derivative within 60 ms of each beat, and its ratio to the flanks'."""
    squares = np.concatenate([[0.0], np.cumsum(change**2)])
    counts = np.concatenate([[0], np.cumsum(valid)])
    floor = 1e-9 * squares[-1] / max(1, counts[-1]) + np.finfo(float).tiny

    def total(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        first = np.clip(beats + np.rint(low * sampling_rate).astype(np.int64), 0, len(change))
        stop = np.clip(beats + np.rint(high * sampling_rate).astype(np.int64), 0, len(change))
        return squares[stop] - squares[first], counts[stop] - counts[first]

    # Flanks end 100 ms before the next beat of the usual rhythm, so that a fast heart has any.
    rhythm = median_filter(np.diff(beats) / sampling_rate, size=11, mode="nearest")
    reach = np.clip(np.append(rhythm, rhythm[-1:]) - 0.1, 0.13, 0.3)
    edge = np.full(len(beats), 0.12)
    near, near_count = total(-edge / 2, edge / 2)
    before, before_count = total(-reach, -edge)
    after, after_count = total(edge, reach)
    energy = np.maximum(near / np.maximum(near_count, 1), 0.0) + floor
    flank = np.maximum((before + after) / np.maximum(before_count + after_count, 1), 0.0) + floor
    return energy, energy / flank


def _kurtosis(change: FloatArray) -> float:
    """E[d^4] / E[d^2]^2 of a derivative d, whose mean is next to 0."""
    squares = change**2
    power = float(squares.mean())
    return float((squares**2).mean()) / power**2 if power > 0 else 0.0


def _variation(beat_times: FloatArray) -> float:
    durations = np.diff(beat_times)
    durations = durations[durations <= LONGEST_RR]
    return float(durations.std() / durations.mean()) if len(durations) else np.inf


def _likeness(change: FloatArray, beats: IntArray, sampling_rate: float) -> float:
    """Median over beats of the mean correlation with the more similar half of the other beats."""
    half = round(0.1 * sampling_rate)
    beats = beats[(beats >= half) & (beats < len(change) - half)]
    if len(beats) < 2:
        return 0.0
    shapes = change[beats[:, None] + np.arange(-half, half + 1)]
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True) + np.finfo(float).tiny
    alike = shapes @ shapes.T
    np.fill_diagonal(alike, -np.inf)
    nearest = max(1, (len(beats) - 1) // 2)
    return float(np.median(np.sort(alike, axis=1)[:, -nearest:].mean(axis=1)))


def _without_beatless(mask: BoolArray, beats: IntArray, sampling_rate: float) -> BoolArray:
    """The mask without what lies between two beats, or a beat and an end, more than 3 s apart.

    Half a second around the beats is kept.
    """
    result = mask.copy()
    kept = round(0.5 * sampling_rate)
    for start, stop in runs(mask):
        inner = beats[(beats >= start) & (beats < stop)]
        lows = np.concatenate([[start], inner + kept])
        highs = np.concatenate([inner - kept, [stop]])
        gaps = np.diff(np.concatenate([[start], inner, [stop]])) > LONGEST_RR * sampling_rate
        for low, high in zip(lows[gaps], highs[gaps], strict=True):
            result[low:high] = False
    return result


def _without_mains(values: FloatArray, sampling_rate: float) -> FloatArray:
    """Smoothed over a period of 50 Hz and one of 60 Hz, which removes both and their harmonics."""
    for mains in (50.0, 60.0):
        width = sampling_rate / mains
        if width < 2 or len(values) == 0:
            return values
        whole = int(width)
        edge = (width - whole) / 2
        kernel = np.array([edge, *[1.0] * whole, edge]) / width
        padded = np.pad(values, (len(kernel) // 2, (len(kernel) - 1) // 2), mode="edge")
        values = np.convolve(padded, kernel, mode="valid")
    return values
