"""A cleaned signal -> what the network sees: 128 Hz (or another rate), scaled to [0, 1].

Where the paper is silent, and what we do:
1. Resampling is polyphase with SciPy's Kaiser low-pass (800 -> 128 Hz is exactly 4/25); the
   straight line through the first and last sample is taken off before and put back after, so that
   the ends do not ring. A rate without a small ratio goes to the nearest one, then by splines.
2. Masked spans are replaced by straight lines first, so that nothing of them leaks in.
3. The scale is one per recording, taken over valid samples: the rest of a recording never changes
   what a window looks like relative to its neighbours, and dense evaluation stays exact.

Legend: S samples of the source, S' of the result.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly

from affectscope.preprocessing.signal_quality import bridged
from affectscope.preprocessing.windows import NetworkSignal, Scaling
from affectscope.records import BoolArray, FloatArray, Signal

QUANTILES = (0.005, 0.995)
"""What "quantile" scaling maps to 0 and 1; values beyond are clipped."""

_LARGEST_RATIO_TERM = 1000
_EXACT = 1e-12  # relative error of a rate up to which a ratio counts as exact


def network_signal(
    cleaned: Signal, valid: BoolArray, *, scaling: Scaling, sampling_rate: float
) -> NetworkSignal:
    """Resample to ``sampling_rate`` (Hz) and scale to [0, 1].

    Sample k lies at ``cleaned.start_time + k / sampling_rate``. It is valid only if every source
    sample within one period (of the slower of both rates) around it is. Without a valid sample, or
    where all valid samples are equal, all values are 0.

    Args:
        cleaned: (S,) without NaN.
        valid: (S,) bool.
        scaling: "minmax", or "quantile" (0.5 % and 99.5 %, clipped).
        sampling_rate: Hz of the result.
    """
    assert valid.shape == cleaned.values.shape
    values = bridged(cleaned.values, valid)
    resampled = resample(values, cleaned.sampling_rate, sampling_rate)
    usable = _resampled_mask(valid, len(resampled), cleaned.sampling_rate / sampling_rate)
    return NetworkSignal(
        scaled(resampled, usable, scaling).astype(np.float32),
        usable,
        sampling_rate,
        cleaned.start_time,
    )


def resample(values: FloatArray, source_rate: float, target_rate: float) -> FloatArray:
    """(S',) the signal at another rate; both begin at the same instant, S' = ceil(S * ratio)."""
    if len(values) == 0:
        return values
    ratio = Fraction(target_rate / source_rate).limit_denominator(_LARGEST_RATIO_TERM)
    if ratio == 0:  # more than a thousand times slower
        ratio = Fraction(1, _LARGEST_RATIO_TERM)
    reached = source_rate * ratio.numerator / ratio.denominator
    resampled = _polyphase(values, ratio)
    if abs(reached / target_rate - 1.0) <= _EXACT:
        return resampled
    length = int(np.ceil(len(values) / source_rate * target_rate - 1e-9))
    fine = _polyphase(resampled, Fraction(4))  # a spline is exact enough at four times the rate
    if len(fine) < 2:
        return np.resize(resampled, length)
    times = np.minimum(np.arange(length) / target_rate, (len(fine) - 1) / (4 * reached))
    return np.asarray(CubicSpline(np.arange(len(fine)) / (4 * reached), fine)(times))


def scaled(values: FloatArray, valid: BoolArray, scaling: Scaling) -> FloatArray:
    """Mapped to [0, 1] by what the valid samples span, and clipped there."""
    used = values[valid]
    if len(used) == 0:
        return np.zeros_like(values)
    low, high = np.quantile(used, QUANTILES) if scaling == "quantile" else (used.min(), used.max())
    if high - low <= np.finfo(np.float64).eps * 16 * max(abs(low), abs(high)):
        return np.zeros_like(values)  # constant but for rounding
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0))


def _polyphase(values: FloatArray, ratio: Fraction) -> FloatArray:
    if ratio == 1:
        return values
    slope = (values[-1] - values[0]) / max(1, len(values) - 1)
    rest = values - (values[0] + slope * np.arange(len(values)))
    resampled = np.asarray(resample_poly(rest, ratio.numerator, ratio.denominator))
    line = values[0] + slope * np.arange(len(resampled)) / float(ratio)
    return np.asarray(resampled + line)


def _resampled_mask(valid: BoolArray, length: int, source_per_target: float) -> BoolArray:
    """(S',) True where all source samples within one period of the slower rate are valid."""
    bad_before = np.concatenate([[0], np.cumsum(~valid)])
    centre = np.arange(length) * source_per_target
    reach = max(1.0, source_per_target)
    low = np.clip(np.floor(centre - reach), 0, len(valid) - 1).astype(np.int64)
    high = np.clip(np.ceil(centre + reach) + 1, 1, len(valid)).astype(np.int64)
    return np.asarray(bad_before[high] - bad_before[low] == 0)
