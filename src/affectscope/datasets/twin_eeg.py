"""EEG of simulated people: a pattern that holds nothing, or one that follows affect.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. What ``affect_eeg`` shows is our own rule, so
that systems which take an EEG can be seen to find what is there:

1. Every channel has a background whose power falls with frequency (standard deviation 8 uV), an
   alpha rhythm of 8-13 Hz (8 uV) and a beta rhythm of 14-29 Hz (4 uV): independent noise.
2. Alpha asymmetry follows valence: the rhythm's amplitude is exp(-0.5 valence) on the left, where
   channels have odd numbers, and exp(0.5 valence) on the right.
3. Beta follows arousal: its amplitude is exp(0.5 arousal) in every channel.

Legend: S samples, C channels.
"""

from __future__ import annotations

import numpy as np

from affectscope.records import TARGETS, FloatArray, Labels

_BACKGROUND, _ALPHA, _BETA = 8.0, 8.0, 4.0  # uV
_ALPHA_BAND, _BETA_BAND, _BACKGROUND_BAND = (8.0, 13.0), (14.0, 29.0), (2.0, 45.0)  # Hz
_STRENGTH = 0.5  # of the logarithm of an amplitude, per unit of affect


def repeated_pattern(sampling_rate: int, channels: int) -> FloatArray:
    """(sampling_rate, C) uV: one second that repeats, whole numbers, so that it packs well.

    Channel c is a sine of 6 + c Hz.
    """
    seconds = np.arange(sampling_rate) / float(sampling_rate)
    phase = 2 * np.pi * np.outer(seconds, np.arange(6, 6 + channels))
    return np.round(20.0 * np.sin(phase))


def affect_eeg(
    course: Labels,
    channels: tuple[str, ...],
    *,
    samples: int,
    sampling_rate: float,
    generator: np.random.Generator,
) -> FloatArray:
    """(S, C) uV over a course of affect that begins with the first sample."""
    affect = course.at(np.arange(samples) / sampling_rate)
    valence, arousal = (affect[:, TARGETS.index(name), None] for name in ("valence", "arousal"))
    side = np.array([_side(channel) for channel in channels])
    shape = (samples, len(channels))
    background = _rhythm(shape, _BACKGROUND_BAND, sampling_rate, generator, slope=1.0)
    alpha = _rhythm(shape, _ALPHA_BAND, sampling_rate, generator)
    beta = _rhythm(shape, _BETA_BAND, sampling_rate, generator)
    values = _BACKGROUND * background
    values += _ALPHA * alpha * np.exp(_STRENGTH * side * valence)
    values += _BETA * beta * np.exp(_STRENGTH * arousal)
    return values


def _side(channel: str) -> float:
    """-1 on the left, 1 on the right, 0 in the middle (10-20 system)."""
    number = channel[len(channel.rstrip("0123456789")) :]
    return 0.0 if not number else (1.0 if int(number) % 2 == 0 else -1.0)


def _rhythm(
    shape: tuple[int, int],
    band: tuple[float, float],
    sampling_rate: float,
    generator: np.random.Generator,
    *,
    slope: float = 0.0,
) -> FloatArray:
    """Noise (S, C) within a band, standard deviation 1; its power goes as frequency ** -slope."""
    spectrum = np.fft.rfft(generator.standard_normal(shape), axis=0)
    frequency = np.fft.rfftfreq(shape[0], 1.0 / sampling_rate)
    gain = np.zeros(len(frequency))
    inside = (frequency >= band[0]) & (frequency <= band[1])
    gain[inside] = frequency[inside] ** (-slope / 2)
    # Of white noise, a share of the power passes: the gain's mean square over both half-spectra.
    gain /= np.sqrt(max(np.sum(gain**2) * 2 / shape[0], 1e-12))
    return np.asarray(np.fft.irfft(spectrum * gain[:, None], shape[0], axis=0))
