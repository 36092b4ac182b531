"""EDA -> hand-crafted features of spans, such as 40 s around a moment.

Which features: those that Gjoreski et al. take (METHOD.md section 7), then what AMIGOS' own
baseline adds (Miranda-Correa et al., IEEE Trans. Affective Computing 12, 2021), then one of ours.

====================================  =========================================================
name, after "skin_"                   what it is
====================================  =========================================================
mean, sd, q25, q50, q75               of the cleaned EDA, uS
mean_derivative                       uS/s
share_rising                          share of samples above the one before
tonic_slope                           of the straight line through the level, uS/s
responses_per_minute                  skin conductance responses (``eda``)
response_amplitude                    their mean amplitude, uS; NaN without any
share_falling                         share of samples below the one before
mean_falling_derivative               mean of the negative derivatives, uS/s; NaN without any
minima_per_minute                     local minima of the cleaned EDA
rise_time                             mean seconds from a response's lowest point within the 5 s
                                      before, or since the response before, to its peak; NaN
                                      without any
power_0-0.24 ... power_2.16-2.4       mean spectral density, uS^2/Hz
slow_crossings, very_slow_crossings   zero crossings per minute of the slow (0-0.2 Hz) and very slow
                                      (0-0.08 Hz) EDA, less its straight line over the span
slow_peak, very_slow_peak             mean distance of their local maxima from that line, uS; NaN
                                      without any
level_change                          mean level less that of a span before the stimulus, uS
====================================  =========================================================

What one must know:
1. Nothing counts or adds up over time: every feature is a mean, a share, a deviation, a rate per
   minute or a density, so that none carries the length of the clip. Rates are per minute of
   readable signal.
2. A feature is NaN where less than half of the span can be read, and where it was not measured:
   responses and slow courses below 2 Hz, bands above half the sampling rate, a level without its
   reference.
3. From 32 Hz on only every n-th sample is taken, so that 16 to 32 Hz are left: the cleaned EDA
   holds nothing above 3 Hz. The slow courses are taken at 4 to 8 Hz.
4. Derivatives, minima and rises of a noisy sensor are those of its noise up to 3 Hz: they tell one
   device from another before they tell anything of a person.
5. AMIGOS' paper takes zero crossings and does not say what was taken off before [?]; without that
   a conductance, which is above zero, has none. The number of its bands is DEAP's, ten [?].

Legend: S samples, N spans, n some of them, L samples of a span, R responses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from affectscope.preprocessing.ecg_quality import IntArray
from affectscope.preprocessing.eda import RESPONSE_RATE, RISE, EdaAnalysis, slower_than
from affectscope.preprocessing.span_statistics import (
    LEAST_SHARE,
    EqualBands,
    masked_mean,
    ratio,
    span_power,
    span_samples,
)
from affectscope.records import BoolArray, FloatArray, Signal

EDA_BANDS = EqualBands(0.24, 10)
SLOW_BANDS: dict[str, float] = {"slow": 0.2, "very_slow": 0.08}
"""Hz up to which each is low-passed."""
LEAST_REFERENCE = 1.0
"""Seconds of readable signal that a reference needs."""

_COURSE = (
    "mean", "sd", "q25", "q50", "q75", "mean_derivative", "share_rising", "share_falling",
    "mean_falling_derivative", "minima_per_minute", "tonic_slope", "level_change",
)  # fmt: skip
_RESPONSES = ("responses_per_minute", "response_amplitude", "rise_time")
_SLOW = ("slow_crossings", "slow_peak", "very_slow_crossings", "very_slow_peak")

SKIN_FEATURES: tuple[str, ...] = (
    *(f"skin_{name}" for name in (*_COURSE, *_RESPONSES, *_SLOW)),
    *(f"skin_power_{name}" for name in EDA_BANDS.names),
)
"""In the order of ``skin_features``."""

_COURSE_RATE, _SLOW_RATE = 16.0, 4.0
"""Hz: no fewer samples per second are taken, where there are as many."""
_NOTHING = 1e-9  # uS: what is left of a straight line by rounding


def skin_features(
    analysis: EdaAnalysis, spans: FloatArray, *, reference: tuple[float, float]
) -> FloatArray:
    """Features of an EDA over spans.

    Args:
        spans: (N, 2) start and end in seconds on the session's axis, finite.
        reference: start and end, in seconds, of what ``skin_level_change`` is compared with; may
            begin at -inf.

    Returns:
        (N, F) in the order of ``SKIN_FEATURES``; NaN where not measured.
    """
    signal, rate = analysis.cleaned, analysis.cleaned.sampling_rate
    found = {name: np.full(len(spans), np.nan) for name in (*_COURSE, *_RESPONSES, *_SLOW)}
    every = _every(rate, _COURSE_RATE)
    for block in span_samples(analysis.valid, signal, spans, every=every):
        piece = _Piece.of(signal.values[::every][block.index], block.readable, rate / every)
        level = _Piece.of(analysis.tonic[::every][block.index], block.readable, rate / every)
        described = _course(piece) | {
            "tonic_slope": level.slope,
            "level_change": level.mean - _level(analysis, reference),
        }
        for name, values in described.items():
            found[name][block.rows] = values
    found |= _responses(analysis, spans)
    for band, highest in SLOW_BANDS.items():
        found |= _slow(analysis, spans, band, highest)
    power = span_power(analysis.valid, signal, spans, bands=EDA_BANDS, every=every)
    return np.column_stack([*found.values(), power])


def _every(sampling_rate: float, wanted: float) -> int:
    """Each how many samples suffice for ``wanted`` Hz."""
    return max(1, int(sampling_rate // wanted))


@dataclass(frozen=True, eq=False)
class _Piece:
    """A signal over some spans: values (n, L), readable (n, L), number (n,) of readable samples."""

    values: FloatArray
    readable: BoolArray
    number: IntArray
    rate: float

    @classmethod
    def of(cls, values: FloatArray, readable: BoolArray, rate: float) -> _Piece:
        return cls(values, readable, readable.sum(axis=1), rate)

    @property
    def mean(self) -> FloatArray:
        """(n,)"""
        return masked_mean(self.values, self.readable)

    @property
    def slope(self) -> FloatArray:
        """(n,) of the least-squares line, per second."""
        return _line(self)[1]

    @property
    def steps(self) -> tuple[FloatArray, BoolArray]:
        """(n, L - 1) change from each sample to the next, and whether both can be read."""
        return np.diff(self.values, axis=1), self.readable[:, 1:] & self.readable[:, :-1]


def _course(piece: _Piece) -> dict[str, FloatArray]:
    """(n,) each of what the signal itself tells."""
    mean = piece.mean
    squares = np.where(piece.readable, (piece.values - mean[:, None]) ** 2, 0.0).sum(axis=1)
    steps, both = piece.steps
    rising, falling = (steps > 0) & both, (steps < 0) & both
    q25, q50, q75 = _quartiles(piece)
    return {
        "mean": mean,
        "sd": np.sqrt(ratio(squares, piece.number - 1)),
        "q25": q25,
        "q50": q50,
        "q75": q75,
        "mean_derivative": masked_mean(steps, both) * piece.rate,
        "share_rising": masked_mean(rising, both),
        "share_falling": masked_mean(falling, both),
        "mean_falling_derivative": masked_mean(steps, falling) * piece.rate,
        "minima_per_minute": ratio(
            _turns(steps, both, -1.0).sum(axis=1) * 60.0 * piece.rate, piece.number
        ),
    }


def _turns(steps: FloatArray, both: BoolArray, before: float) -> BoolArray:
    """(n, L - 1) True at the step that turns away from direction ``before`` (-1: a minimum).

    A level stretch counts once, and only between a fall and a rise.
    """
    direction = np.sign(steps)
    direction[~both] = np.nan  # nothing turns across a masked sample
    place = np.where(direction != 0, np.arange(steps.shape[1]), 0)
    last = np.maximum.accumulate(place, axis=1)
    held = np.take_along_axis(direction, last, axis=1)  # level steps keep the last direction
    turns = np.zeros(steps.shape, dtype=bool)
    turns[:, 1:] = (held[:, :-1] == before) & (direction[:, 1:] == -before)
    return turns


def _quartiles(piece: _Piece) -> FloatArray:
    """(3, n) of the readable values, between neighbours by straight lines, as NumPy has them."""
    ordered = np.sort(np.where(piece.readable, piece.values, np.inf), axis=1)
    rows, last = np.arange(len(ordered)), piece.number - 1
    found = np.empty((3, len(ordered)))
    for place, share in enumerate((0.25, 0.5, 0.75)):
        exact = share * last
        low = np.floor(exact).astype(np.int64)
        below, above = ordered[rows, low], ordered[rows, np.minimum(low + 1, last)]
        found[place] = below + (above - below) * (exact - low)
    return found


def _line(piece: _Piece) -> tuple[FloatArray, FloatArray]:
    """The least-squares line of each span: its values (n, L) and its slope (n,) per second."""
    times = np.arange(piece.values.shape[1]) / piece.rate
    weights = piece.readable.astype(np.float64)
    middle, mean = ratio(weights @ times, piece.number), piece.mean
    apart = times - middle[:, None]
    slope = ratio(
        (weights * apart * (piece.values - mean[:, None])).sum(axis=1),
        (weights * apart**2).sum(axis=1),
    )
    return mean[:, None] + slope[:, None] * apart, slope


def _level(analysis: EdaAnalysis, reference: tuple[float, float]) -> float:
    """Mean level over the reference, uS; NaN where less than a second of it can be read."""
    times = analysis.cleaned.times
    inside = analysis.valid & (times >= reference[0]) & (times < reference[1])
    if inside.sum() < LEAST_REFERENCE * analysis.cleaned.sampling_rate:
        return float("nan")
    return float(analysis.tonic[inside].mean())


def _responses(analysis: EdaAnalysis, spans: FloatArray) -> dict[str, FloatArray]:
    """(N,) each of what the responses tell whose peak lies in a span."""
    signal, peaks = analysis.cleaned, analysis.response_times
    first, stop = np.searchsorted(peaks, spans.T)
    number = np.maximum(stop - first, 0)
    readable = _readable_seconds(analysis.valid, signal, spans)
    told = readable >= LEAST_SHARE * (spans[:, 1] - spans[:, 0])
    told &= (readable > 0) & (signal.sampling_rate >= RESPONSE_RATE)

    def mean(values: FloatArray) -> FloatArray:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return np.where(told, ratio(sums[first + number] - sums[first], number), np.nan)

    return {
        "responses_per_minute": np.where(told, 60.0 * ratio(number, readable), np.nan),
        "response_amplitude": mean(analysis.response_amplitudes),
        "rise_time": mean(_rise_times(analysis)),
    }


def _readable_seconds(valid: BoolArray, signal: Signal, spans: FloatArray) -> FloatArray:
    """(N,) seconds of each span that can be read, by ``signal_quality.valid_duration``."""
    place = np.rint((spans - signal.start_time) * signal.sampling_rate)
    edges = np.clip(place, 0, len(valid)).astype(np.int64)
    seen = np.concatenate([[0], np.cumsum(valid)])
    return np.asarray((seen[edges[:, 1]] - seen[edges[:, 0]]) / signal.sampling_rate)


def _rise_times(analysis: EdaAnalysis) -> FloatArray:
    """(R,) seconds from each response's lowest point to its peak."""
    signal = analysis.cleaned
    peaks = np.rint((analysis.response_times - signal.start_time) * signal.sampling_rate)
    peaks = np.clip(peaks.astype(np.int64), 0, len(signal.values) - 1)
    before = round(RISE * signal.sampling_rate)
    index = peaks[:, None] - np.arange(before + 1)  # (R, before + 1) from the peak back
    earliest = np.concatenate([[0], peaks[:-1]])[: len(peaks)]
    usable = (index >= earliest[:, None]) & analysis.valid[np.maximum(index, 0)]
    usable = np.logical_and.accumulate(usable, axis=1)
    depth = np.where(usable, signal.values[np.maximum(index, 0)], np.inf)
    return np.asarray(depth.argmin(axis=1) / signal.sampling_rate)


def _slow(
    analysis: EdaAnalysis, spans: FloatArray, band: str, highest: float
) -> dict[str, FloatArray]:
    """(N,) crossings per minute, and mean peak, of the EDA below ``highest`` Hz."""
    signal = analysis.cleaned
    crossings, peak = np.full(len(spans), np.nan), np.full(len(spans), np.nan)
    if signal.sampling_rate >= RESPONSE_RATE:
        every = _every(signal.sampling_rate, _SLOW_RATE)
        rate = signal.sampling_rate / every
        slow = slower_than(highest, signal.values, analysis.valid, signal.sampling_rate)[::every]
        for block in span_samples(analysis.valid, signal, spans, every=every):
            piece = _Piece.of(slow[block.index], block.readable, rate)
            crossings[block.rows], peak[block.rows] = _around_line(piece)
    return {f"{band}_crossings": crossings, f"{band}_peak": peak}


def _around_line(piece: _Piece) -> tuple[FloatArray, FloatArray]:
    """(n,) crossings of each span's own straight line per minute, and mean distance of maxima."""
    apart = piece.values - _line(piece)[0]
    apart[np.abs(apart) < _NOTHING] = 0.0
    steps, both = replace(piece, values=apart).steps
    above = apart > 0
    crossed = ((above[:, 1:] != above[:, :-1]) & both).sum(axis=1)
    # A maximum stands at the sample from which the first falling step leads away.
    height = masked_mean(np.abs(apart[:, :-1]), _turns(steps, both, 1.0))
    return ratio(crossed * 60.0 * piece.rate, piece.number), height
