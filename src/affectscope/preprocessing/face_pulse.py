"""The heartbeat in the skin's colour, and where it lies against the R peaks of an ECG.

Remote photoplethysmography by POS: Wang, den Brinker, Stuijk & de Haan, "Algorithmic principles of
remote PPG", IEEE Trans. Biomedical Engineering 64:1479 (2017), algorithm 1. The pulse is compared
with a train of bumps, one per R peak, by their cross-correlation; what tells one offset from
another is that the intervals between beats vary.

Where the literature is silent, and what we do:
1. POS falls while the blood volume rises, since all colours are absorbed more (their eq. 5): it is
   turned round.
2. Skin is the forehead and both cheeks of the aligned crop, without a search for its colour.
3. Between the R peak and the pulse's crest in the face lie 0.1 to 0.35 s (electromechanical delay,
   transit, rise), and the filtered course has its crest up to 0.05 s later, since a pulse falls
   more slowly than it rises. The middle is taken, and half of the range is in the uncertainty.
4. The peak of the correlation counts where it exceeds all of 99 that the same beats give with the
   order of their intervals dealt anew in blocks of eight and turned by a random time (a circular
   shift alone leaves too few independent places in short recordings): p = 0.01.
5. It must also stay: blocks of 10 s are drawn anew 200 times, and where more than 5 % of the peaks
   lie on another beat (0.3 s away), the offset is not told.

Legend: F frames, C crop size in pixels, B beats, G samples of the pulse's grid, L lags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, fftconvolve, sosfiltfilt

from affectscope.picture import ImageArray
from affectscope.records import BoolArray, FloatArray

PULSE_DELAY = (0.1, 0.4)
"""Seconds from an R peak to the crest of the face's filtered pulse, at least and at most."""
LEAST_SPAN = 60.0
"""Seconds of pulse with beats beside it that an alignment needs."""
_RATE = 25.0  # Hz of the pulse's grid
_POS_WINDOW = 1.6  # s, as in the paper
_BAND = (0.7, 3.0)  # Hz: 42 to 180 beats per minute
_LONGEST_HOLE = 0.2  # s without a face that is bridged
_BUMP = 0.08  # s, standard deviation
_BLOCK = 10.0  # s
_SURROGATES = 99
_SHUFFLED_BEATS = 8
_DRAWS = 200
_OTHER_BEAT = 0.3  # s
_STRAY = 0.05
_SKIN = ((0.36, 0.64, 0.22, 0.32), (0.26, 0.40, 0.52, 0.66), (0.60, 0.74, 0.52, 0.66))
"""Forehead and cheeks: left, right, top, bottom as shares of the aligned crop."""


@dataclass(frozen=True, eq=False)
class Pulse:
    """A pulse course on an even grid: values (G,) without a unit, 0 where not ``valid`` (G,);
    ``start`` in seconds."""

    values: FloatArray
    valid: BoolArray
    start: float
    sampling_rate: float = _RATE


@dataclass(frozen=True)
class PulseFit:
    """Add ``offset`` seconds to the pulse's time to come to the beats'.

    ``uncertainty``: s, half of the 95 % interval, the delay's included; ``spread``: ms, standard
    deviation of the offset over the draws; ``seconds`` of pulse that were compared.
    """

    offset: float
    uncertainty: float
    spread: float
    seconds: float


def skin_colour(crops: ImageArray) -> FloatArray:
    """Mean red, green and blue (F, 3) of forehead and cheeks of (F, 3, C, C) aligned crops."""
    size = crops.shape[-1]
    patches = [
        crops[
            :, :, round(top * size) : round(bottom * size), round(left * size) : round(right * size)
        ]
        for left, right, top, bottom in _SKIN
    ]
    pixels = [patch.reshape(len(crops), 3, -1) for patch in patches]
    return np.asarray(np.concatenate(pixels, axis=2).mean(axis=2, dtype=np.float64))


def face_pulse(times: FloatArray, colours: FloatArray) -> Pulse | None:
    """The pulse from (F, 3) skin colours at (F,) rising times in seconds, NaN without a face.

    None where no stretch of the face is as long as twice POS' window.
    """
    seen = np.isfinite(colours).all(axis=1) & (colours > 0).all(axis=1)
    if seen.sum() < 4:
        return None
    times, colours = times[seen], colours[seen]
    start = float(times[0])
    grid = start + np.arange(int((times[-1] - start) * _RATE) + 1) / _RATE
    even = np.column_stack([np.interp(grid, times, colour) for colour in colours.T])
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    valid = times[after] - times[after - 1] <= _LONGEST_HOLE
    values = np.zeros(len(grid))
    kept = np.zeros(len(grid), dtype=np.bool_)
    sections = butter(2, _BAND, btype="bandpass", fs=_RATE, output="sos")
    for first, last in _runs(valid):
        if last - first < 2 * _POS_WINDOW * _RATE:
            continue
        course = sosfiltfilt(sections, -_pos(even[first:last]))
        usual = np.sqrt(gaussian_filter1d(course**2, 5 * _RATE))
        values[first:last] = np.clip(course / np.maximum(usual, 1e-12), -3, 3)  # moving is no pulse
        kept[first:last] = True
    return Pulse(values, kept, start) if kept.any() else None


def align_by_pulse(
    pulse: Pulse, beats: FloatArray, *, furthest: float, generator: np.random.Generator
) -> PulseFit | str:
    """Where a face's pulse lies against (B,) rising times of R peaks; a text says why not.

    ``furthest``: seconds by which the two may lie apart.
    """
    reach = pulse.start + len(pulse.values) / pulse.sampling_rate
    near = beats[(beats > pulse.start - furthest) & (beats < reach + furthest)]
    seconds = float(pulse.valid.sum() / pulse.sampling_rate)
    if seconds < LEAST_SPAN or len(near) < LEAST_SPAN / 2:
        return f"{seconds:.0f} s of pulse and {len(near)} beats are too little"
    reach, size = round(furthest * pulse.sampling_rate), round(_BLOCK * pulse.sampling_rate)
    bumps = _bumps(pulse, near, reach)
    total = _product(pulse.values, bumps)
    chance = max(
        float(_product(pulse.values, _bumps(pulse, _dealt(near, generator), reach)).max())
        for _ in range(_SURROGATES)
    )
    if total.max() <= chance:
        return "the pulse in the face follows the ECG's beats no better than beats dealt anew do"
    lags = np.arange(-reach, reach + 1) / pulse.sampling_rate
    best = float(lags[total.argmax()])
    starts = range(0, len(pulse.values), size)
    parts = [pulse.values[first : first + size] for first in starts]
    blocks = np.array(
        [
            _product(part, bumps[first : first + len(part) + 2 * reach])
            for first, part in zip(starts, parts, strict=True)
        ]
    )
    often = generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), _DRAWS)
    drawn = lags[(often @ blocks).argmax(axis=1)]
    stray = np.abs(drawn - best) > _OTHER_BEAT
    if stray.mean() > _STRAY:
        return "the pulse in the face fits the ECG's beats at more than one offset"
    spread = float(drawn[~stray].std())
    own = max(1.96 * spread, 0.5 / pulse.sampling_rate)
    delay = sum(PULSE_DELAY) / 2
    half = (PULSE_DELAY[1] - PULSE_DELAY[0]) / 2
    return PulseFit(delay - best, own + half, 1000 * spread, seconds)


def _pos(colours: FloatArray) -> FloatArray:
    """POS over (G, 3) red, green and blue: windows normalised, projected, tuned, overlap-added."""
    length = math.ceil(_POS_WINDOW * _RATE)
    windows = np.lib.stride_tricks.sliding_window_view(colours, length, axis=0)  # (n, 3, length)
    normal = windows / windows.mean(axis=2, keepdims=True)
    one = normal[:, 1] - normal[:, 2]
    two = normal[:, 1] + normal[:, 2] - 2 * normal[:, 0]
    spread = two.std(axis=1, keepdims=True)
    mixed = one + one.std(axis=1, keepdims=True) / np.maximum(spread, 1e-12) * two
    mixed -= mixed.mean(axis=1, keepdims=True)
    course = np.zeros(len(colours))
    for place in range(length):
        course[place : place + len(mixed)] += mixed[:, place]
    return course


def _runs(valid: BoolArray) -> NDArray[np.int64]:
    """(n, 2) first and one past the last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(np.int8), [0]])))
    return edges.reshape(-1, 2).astype(np.int64)


def _bumps(pulse: Pulse, beats: FloatArray, reach: int) -> FloatArray:
    """(G + 2 reach,) filtered bumps at the beats, from ``reach`` samples before the pulse on."""
    rate, length = pulse.sampling_rate, len(pulse.values) + 2 * reach
    place = np.rint((beats - pulse.start) * rate).astype(np.int64) + reach
    train = np.bincount(place[(place >= 0) & (place < length)], minlength=length)
    bumps = gaussian_filter1d(train.astype(np.float64), _BUMP * rate)
    return np.asarray(sosfiltfilt(butter(2, _BAND, btype="bandpass", fs=rate, output="sos"), bumps))


def _product(part: FloatArray, bumps: FloatArray) -> FloatArray:
    """(L,) sums of pulse x bumps, at lags of the pulse behind its beats from least to most."""
    return np.asarray(fftconvolve(bumps, part[::-1], mode="valid")[::-1])


def _dealt(beats: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Beats with the same intervals in another order, turned by a random time."""
    intervals = np.diff(beats)
    blocks = np.array_split(intervals, max(2, len(intervals) // _SHUFFLED_BEATS))
    order = generator.permutation(len(blocks))
    dealt = beats[0] + np.concatenate(
        [[0.0], np.cumsum(np.concatenate([blocks[n] for n in order]))]
    )
    span = beats[-1] - beats[0] + float(np.median(intervals))
    return np.sort(beats[0] + (dealt - beats[0] + generator.uniform(0, span)) % span)
