"""Which times, and which samples of a signal, the user left out.

A span holds the times from its start up to, and without, its end. A sample stands for half a step
of its signal on both sides: it is left out where any of that is, so that no time of a span is told
from a sample beside it.

Legend: N times, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from affectscope.records import BoolArray, ExcludedSpan, FloatArray, Modality, Signal


def excluded_at(spans: Sequence[ExcludedSpan], modality: Modality, times: FloatArray) -> BoolArray:
    """(N,) True at the times at which a modality is left out."""
    inside = np.zeros(len(times), dtype=np.bool_)
    for span in _of(spans, modality):
        inside |= (times >= span.start) & (times < span.end)
    return inside


def excluded_samples(
    spans: Sequence[ExcludedSpan], modality: Modality, signal: Signal
) -> BoolArray | None:
    """(S,) True for the samples of a signal that are left out; None where no span is about it."""
    found = _of(spans, modality)
    if not found:
        return None
    mask = np.zeros(len(signal.values), dtype=np.bool_)
    for span in found:
        first, stop = (
            math.ceil((time - signal.start_time) * signal.sampling_rate + half)
            for time, half in ((span.start, -0.5), (span.end, 0.5))
        )
        mask[max(0, first) : max(0, stop)] = True
    return mask


def without_samples(signal: Signal, mask: BoolArray | None) -> Signal:
    """The signal with NaN where the mask (S,) is True."""
    if mask is None:
        return signal
    return replace(signal, values=np.where(mask, np.nan, signal.values))


def _of(spans: Sequence[ExcludedSpan], modality: Modality) -> list[ExcludedSpan]:
    return [span for span in spans if span.modality in (None, modality)]
