"""ECG and EDA of a synthetic person, driven by a known course of arousal.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. The signals follow rules that we wrote down; a
system that reads them well has shown that it works as software, and nothing else.

The rules, and where their direction and size come from (figures rounded, quoted from memory of the
sources; check them before relying on one):
1. Heart rate rises with arousal, within seconds. Individual size is a trait. Kreibig, "Autonomic
   nervous system activity in emotion: a review", Biological Psychology 84 (2010).
2. Respiratory sinus arrhythmia falls with arousal (vagal withdrawal) and breathing quickens.
   Berntson et al., "Heart rate variability: origins, methods, and interpretive caveats",
   Psychophysiology 34 (1997); Kreibig 2010.
3. The beats come from an integral pulse model: a beat falls wherever the integral of the momentary
   heart rate reaches the next whole number. Berger et al., IEEE Trans. Biomed. Eng. 33 (1986).
4. A beat is a sum of Gaussians (P, Q, R, S, T) whose places follow the beat-to-beat interval.
   McSharry et al., "A dynamical model for generating synthetic electrocardiogram signals",
   IEEE Trans. Biomed. Eng. 50 (2003).
5. EDA = a tonic level that follows arousal slowly + skin-conductance responses, whose rate rises
   with arousal from 1-3 per minute to about 20; latency 1-3 s, amplitude 0.1-1 uS, quick rise and
   slow fall (Bateman function). Boucsein, "Electrodermal Activity" (2012); Bradley & Lang on
   pictures (conductance follows arousal whatever the valence); the Bateman shape after Benedek &
   Kaernbach, J. Neurosci. Methods 190 (2010).
Valence does not reach these signals: in this model the body tells arousal, the face mostly valence.

Legend: S samples of a signal, G points of the inner time grid, B beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve, lfilter

from affectscope.records import TARGETS, FloatArray, Labels

_GRID_RATE = 50.0  # Hz; breathing, heart rate and skin conductance hold nothing above 25 Hz
_MARGIN = 4.0  # s simulated before and after, so that the ends look like the middle
_WAVES = (
    # place relative to R (s, at a beat interval of 1 s), amplitude (mV), width sigma (s)
    (-0.180, 0.12, 0.022),  # P
    (-0.030, -0.12, 0.009),  # Q
    (0.000, 1.10, 0.010),  # R
    (0.030, -0.22, 0.010),  # S
    (0.270, 0.22, 0.045),  # T, rising limb
    (0.310, 0.16, 0.030),  # T, falling limb: steeper, as in a real T wave
)


@dataclass(frozen=True)
class BodyTraits:
    """What a synthetic person's heart and skin do.

    Attributes:
        resting_heart_rate: beats per minute at arousal 0.
        heart_rate_reactivity: beats per minute per unit of arousal, so half of the whole range.
        rmssd: heart-rate variability at arousal 0 as the root mean square of successive
            differences of beat intervals, ms.
        ecg_gain: amplitude of the ECG, 1 = an R wave of about 1 mV.
        eda_level: tonic skin conductance at arousal 0, uS.
        eda_reactivity: tonic change per unit of arousal, uS.
        response_amplitude: median amplitude of a skin-conductance response, uS.
    """

    resting_heart_rate: float
    heart_rate_reactivity: float
    rmssd: float
    ecg_gain: float
    eda_level: float
    eda_reactivity: float
    response_amplitude: float


def draw_body(generator: np.random.Generator) -> BodyTraits:
    """One person's traits, spread as resting adults are (sources in the module's head).

    Heart rate 70 +- 9 bpm; RMSSD 42 +- 15 ms (short-term norms of Nunan et al., Pacing Clin.
    Electrophysiol. 33, 2010); conductance log-normal within 2-20 uS; heart-rate range 12-20 bpm.
    """
    level = float(np.clip(np.exp(generator.normal(np.log(6.0), 0.5)), 2.0, 20.0))
    return BodyTraits(
        resting_heart_rate=float(np.clip(generator.normal(70.0, 9.0), 50.0, 95.0)),
        heart_rate_reactivity=float(generator.uniform(6.0, 10.0)),
        rmssd=float(np.clip(generator.normal(42.0, 15.0), 15.0, 85.0)),
        ecg_gain=float(generator.uniform(0.7, 1.4)),
        eda_level=level,
        eda_reactivity=level * float(generator.uniform(0.15, 0.30)),
        response_amplitude=float(generator.uniform(0.2, 0.5)),
    )


def wander(
    generator: np.random.Generator, samples: int, sampling_rate: float, *, time_scale: float
) -> FloatArray:
    """Smooth random drift (samples,): mean 0 and variance 1 over many draws.

    ``time_scale`` in seconds is the sigma of the Gaussian that smooths white noise.
    """
    coarse_rate = min(sampling_rate, 6.0 / time_scale)  # six points per sigma, the rest is linear
    sigma = time_scale * coarse_rate
    edge = int(np.ceil(4 * sigma))
    count = int(np.ceil(samples * coarse_rate / sampling_rate)) + 2
    noise = generator.standard_normal(count + 2 * edge)
    smooth = gaussian_filter1d(noise, sigma)[edge : edge + count]
    smooth *= np.sqrt(2.0 * sigma * np.sqrt(np.pi))  # white noise loses this much
    at = np.arange(samples) * (coarse_rate / sampling_rate)
    return np.asarray(np.interp(at, np.arange(count), smooth), dtype=np.float64)


def beat_times(
    traits: BodyTraits, labels: Labels, *, duration: float, generator: np.random.Generator
) -> FloatArray:
    """(B,) times of the R waves in seconds, a little beyond both ends of [0, duration]."""
    grid = _grid(duration)
    return _beats(grid, _beat_interval(traits, labels, grid, generator)[0])


def ecg_values(
    traits: BodyTraits,
    labels: Labels,
    *,
    duration: float,
    sampling_rate: float,
    generator: np.random.Generator,
) -> FloatArray:
    """(S,) ECG in mV. The same generator state gives the beats that ``beat_times`` tells."""
    grid = _grid(duration)
    interval, breathing = _beat_interval(traits, labels, grid, generator)
    samples = round(duration * sampling_rate)
    clean = _beat_waves(_beats(grid, interval), samples, sampling_rate)
    times = np.arange(samples) / sampling_rate
    hum = 0.008 * np.sin(2 * np.pi * 50.0 * times + generator.uniform(0, 2 * np.pi))
    baseline = 0.05 * np.interp(times, grid, np.sin(breathing))
    baseline += 0.07 * wander(generator, samples, sampling_rate, time_scale=3.0)
    bursts = np.exp(0.5 * wander(generator, samples, sampling_rate, time_scale=2.0))
    muscle = 0.010 * bursts * generator.standard_normal(samples)
    return np.asarray(traits.ecg_gain * clean + baseline + hum + muscle, dtype=np.float64)


def eda_values(
    traits: BodyTraits,
    labels: Labels,
    *,
    duration: float,
    sampling_rate: float,
    generator: np.random.Generator,
) -> FloatArray:
    """(S,) skin conductance in uS, always above 0.2 uS."""
    grid = _grid(duration)
    tonic = traits.eda_level * (
        1.0 + 0.03 * wander(generator, len(grid), _GRID_RATE, time_scale=40.0)
    )
    tonic += traits.eda_reactivity * _lagged_arousal(labels, grid, delay=1.0, time_constant=20.0)
    onsets = response_onsets(labels, duration=duration, generator=generator)
    phasic = _responses(traits, grid, onsets, generator)
    times = np.arange(round(duration * sampling_rate)) / sampling_rate
    values = np.interp(times, grid, np.maximum(tonic, 0.3) + phasic)
    noise = 0.004 * generator.standard_normal(len(times))
    return np.asarray(np.maximum(values + noise, 0.2), dtype=np.float64)


def response_onsets(
    labels: Labels, *, duration: float, generator: np.random.Generator
) -> FloatArray:
    """Onset times in seconds of skin-conductance responses: a Poisson process.

    The rate is 1.5 per minute at arousal -1, 5.5 at 0 and 20 at +1; a response starts 1-3 s after
    the moment that called for it.
    """
    grid = _grid(duration)
    arousal = labels.at(grid)[:, TARGETS.index("arousal")]
    per_minute = np.exp(np.interp(arousal, [-1.0, 1.0], np.log([1.5, 20.0])))
    called = grid[generator.random(len(grid)) < per_minute / 60.0 / _GRID_RATE]
    return np.sort(called + generator.uniform(1.0, 3.0, len(called)))


def _grid(duration: float) -> FloatArray:
    """(G,) times from a little before 0 to a little after ``duration``."""
    return np.arange(-_MARGIN, duration + _MARGIN, 1.0 / _GRID_RATE)


def _lagged_arousal(
    labels: Labels, grid: FloatArray, *, delay: float, time_constant: float
) -> FloatArray:
    """Arousal as the body follows it: delayed, then through a first-order low pass (seconds)."""
    arousal = labels.at(grid - delay)[:, TARGETS.index("arousal")]
    pole = np.exp(-1.0 / (_GRID_RATE * time_constant))
    lagged, _ = lfilter([1.0 - pole], [1.0, -pole], arousal, zi=[pole * arousal[0]])
    return np.asarray(lagged, dtype=np.float64)


def _beat_interval(
    traits: BodyTraits, labels: Labels, grid: FloatArray, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Momentary beat interval in s and breathing phase in rad, both (G,)."""
    arousal = _lagged_arousal(labels, grid, delay=0.7, time_constant=1.3)
    drift = wander(generator, len(grid), _GRID_RATE, time_scale=20.0)
    heart_rate = traits.resting_heart_rate + traits.heart_rate_reactivity * arousal + 1.2 * drift
    breaths = 0.25 + 0.04 * arousal
    breaths += 0.012 * wander(generator, len(grid), _GRID_RATE, time_scale=5.0)
    breathing = 2 * np.pi * np.cumsum(breaths) / _GRID_RATE + generator.uniform(0, 2 * np.pi)
    # A sine of amplitude A at 0.25 Hz, sampled by beats 0.85 s apart, has an RMSSD of about 0.88 A.
    amplitude = traits.rmssd / 1000.0 / 0.88 * np.exp(-0.5 * arousal)
    mayer = np.sin(2 * np.pi * 0.1 * grid + 1.5 * wander(generator, len(grid), _GRID_RATE,
                                                         time_scale=15.0))  # fmt: skip
    interval = 60.0 / heart_rate + amplitude * (np.sin(breathing) + 0.5 * mayer)
    return np.clip(interval, 0.33, 1.7), breathing


def _beats(grid: FloatArray, interval: FloatArray) -> FloatArray:
    """Where the integral of 1 / interval passes a whole number (integral pulse model)."""
    cycles = np.cumsum(1.0 / interval) / _GRID_RATE
    whole = np.arange(np.ceil(cycles[0]), np.floor(cycles[-1]) + 1)
    return np.asarray(np.interp(whole, cycles, grid), dtype=np.float64)


def _beat_waves(beats: FloatArray, samples: int, sampling_rate: float) -> FloatArray:
    """(S,) the sum of all beats' Gaussians, mV."""
    interval = np.diff(beats, append=2 * beats[-1] - beats[-2])
    stretch = np.sqrt(interval)  # the QT interval goes with the root of the beat interval (Bazett)
    values = np.zeros(samples)
    for place, amplitude, width in _WAVES:
        sigma = width * stretch if place > 0.1 else np.full_like(stretch, width)
        centre = beats + place * stretch
        reach = int(np.ceil(5 * sigma.max() * sampling_rate))
        index = np.rint(centre * sampling_rate).astype(np.int64)[:, None]
        index = index + np.arange(-reach, reach + 1)
        wave = (index / sampling_rate - centre[:, None]) / sigma[:, None]
        wave = amplitude * np.exp(-0.5 * wave**2)
        inside = (index >= 0) & (index < samples)
        values += np.bincount(index[inside], weights=wave[inside], minlength=samples)
    return values


def _responses(
    traits: BodyTraits, grid: FloatArray, onsets: FloatArray, generator: np.random.Generator
) -> FloatArray:
    """(G,) skin-conductance responses of random amplitude, each of the Bateman shape."""
    spread = np.exp(generator.normal(0.0, 0.5, len(onsets)))
    amplitude = np.clip(traits.response_amplitude * spread, 0.1, 1.2)
    rise, fall = 0.75, 3.0  # s
    since = np.arange(0.0, 30.0, 1.0 / _GRID_RATE)
    bateman = np.exp(-since / fall) - np.exp(-since / rise)
    place = np.rint((onsets - grid[0]) * _GRID_RATE).astype(np.int64)
    kept = place < len(grid)
    impulses = np.bincount(place[kept], weights=amplitude[kept], minlength=len(grid))
    phasic = fftconvolve(impulses, bateman / bateman.max())[: len(grid)]
    return np.asarray(np.maximum(phasic, 0.0), dtype=np.float64)
