"""Many spans of one signal at once: their samples, means over what can be read, spectral power.

Legend: S samples of a signal, N spans, n some of them, L samples of a span, B bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.fft import next_fast_len, rfft

from affectscope.preprocessing.ecg_quality import IntArray
from affectscope.records import BoolArray, FloatArray, Signal

LEAST_SHARE = 0.5
"""Of a span that must be readable; with less, a feature is not measured (NaN)."""

_LARGEST_BLOCK = 1 << 20
"""Numbers that are worked on at once, so that memory does not grow with the number of spans."""


@dataclass(frozen=True)
class EqualBands:
    """``count`` bands of ``width`` Hz, the first from 0 Hz on."""

    width: float
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        """Such as "0.3-0.6", in Hz."""
        edges = [f"{place * self.width:.4g}" for place in range(self.count + 1)]
        return tuple(f"{low}-{high}" for low, high in pairwise(edges))


@dataclass(frozen=True, eq=False)
class SpanSamples:
    """Which samples some spans hold.

    Attributes:
        rows: (n,) places of the spans among all N.
        index: (n, L) places of their samples in the signal.
        readable: (n, L) False where a sample is masked or lies outside the recording.
    """

    rows: IntArray
    index: IntArray
    readable: BoolArray


def span_samples(
    valid: BoolArray, signal: Signal, spans: FloatArray, *, every: int = 1
) -> Iterator[SpanSamples]:
    """The samples of spans (N, 2) in seconds, a block of equally long spans at a time.

    Spans of which less than half can be read are left out.

    Args:
        valid: (S,) which samples of ``signal`` may be read.
        every: only each such sample of the signal, counted from its first.
    """
    rate = signal.sampling_rate / every
    valid = valid[::every]
    # A millionth of a sample: the same sample begins a span wherever the time axis has its zero.
    place = np.ceil((spans - signal.start_time) * rate - 1e-6).astype(np.int64)
    lengths = np.maximum(place[:, 1] - place[:, 0], 0)
    for length in np.unique(lengths[lengths > 0]).tolist():
        same = np.flatnonzero(lengths == length)
        for rows in np.array_split(same, -(-len(same) * length // _LARGEST_BLOCK)):
            index = place[rows, :1] + np.arange(length)
            inside = (index >= 0) & (index < len(valid))
            index = np.clip(index, 0, len(valid) - 1)
            readable = valid[index] & inside
            enough = readable.mean(axis=1) >= LEAST_SHARE
            if enough.any():
                yield SpanSamples(rows[enough], index[enough], readable[enough])


def span_power(
    valid: BoolArray, signal: Signal, spans: FloatArray, *, bands: EqualBands, every: int = 1
) -> FloatArray:
    """(N, B) mean spectral density of each span in each band, unit^2/Hz.

    One periodogram of a span with a Hann window, of the signal less its mean there. Masked samples
    count as the mean, and the power is told of the others. NaN where less than half of a span can
    be read, and in bands above half the sampling rate. Zero frequency is in no band. The density
    does not depend on the length of the span, save that a short one blurs the bands.
    """
    values, rate = signal.values[::every], signal.sampling_rate / every
    result = np.full((len(spans), bands.count), np.nan)
    for block in span_samples(valid, signal, spans, every=every):
        readable, pieces = block.readable.astype(np.float64), values[block.index]
        mean = np.einsum("nl,nl->n", pieces, readable) / readable.sum(axis=1)
        window = readable * np.hanning(pieces.shape[1] + 1)[:-1]
        size = next_fast_len(pieces.shape[1], real=True)
        spectrum = rfft((pieces - mean[:, None]) * window, size, axis=1)
        energy = np.einsum("nl,nl->n", window, window)
        density = 2.0 * (spectrum.real**2 + spectrum.imag**2) / (rate * energy[:, None])
        result[block.rows] = _banded(density, rate / size, bands, rate / 2)
    return result


def masked_mean(values: FloatArray | BoolArray, mask: BoolArray) -> FloatArray:
    """(n,) of the values (n, L) where the mask is True; NaN where it nowhere is."""
    return ratio(np.where(mask, values, 0.0).sum(axis=1), mask.sum(axis=1))


def ratio(total: FloatArray | IntArray, number: FloatArray | IntArray) -> FloatArray:
    """(n,) total / number; NaN where the number is not above 0."""
    result = np.full(len(total), np.nan)
    np.divide(total, number, out=result, where=number > 0)
    return result


def _banded(density: FloatArray, step: float, bands: EqualBands, highest: float) -> FloatArray:
    """(n, B) means of (n, K) densities ``step`` Hz apart; NaN for a band above ``highest`` Hz."""
    frequencies = np.arange(density.shape[1]) * step
    means = np.full((len(density), bands.count), np.nan)
    for band in range(bands.count):
        low, high = band * bands.width, (band + 1) * bands.width
        inside = (frequencies >= low) & (frequencies < high) & (frequencies > 0)
        if inside.any() and high <= highest + 1e-9:
            means[:, band] = density[:, inside].mean(axis=1)
    return means
