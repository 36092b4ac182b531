"""Which samples of a signal can be trusted: repair, masks, and the notices that go with them.

A mask is a (S,) bool array. Masks of faults are True where something is wrong; ``valid`` masks are
True where the samples may be used. Every rule is relative to the signal's own steps and amplitude,
so that a change of unit changes nothing.

Legend: S samples of a signal, R runs of a mask, N times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from affectscope.errors import InputError
from affectscope.records import BoolArray, FloatArray, Modality, Notice, Signal

SENTINELS: tuple[float, ...] = (-9999.0, -999.9, -999.0, 32768.0, -32768.0)
"""Numbers that recorders write for "no value"; 32768 is 0x8000, a 16 bit word used so."""

LONGEST_INTERPOLATION = 0.25
"""Seconds: a longer missing run is masked (P07)."""

_BEYOND_ANY_SENSOR = 1e12
_SHOWN_SPANS = 3  # more spans of one fault than this are told in one notice
_FRAGMENT = 1.0  # seconds: shorter pieces between masked spans are masked too
_MERGED_GAP = 1.0  # seconds: spans of one fault closer than this are told as one


@dataclass(frozen=True, eq=False)
class Repaired:
    """values (S,) without NaN; valid (S,) bool, False where the values are only filled in;
    excluded (S,) bool, True where the user left samples out, None where nothing was."""

    values: FloatArray
    valid: BoolArray
    excluded: BoolArray | None = None


@dataclass(frozen=True)
class Fault:
    """A kind of bad span: its stable code, and what the signal does there ("is constant")."""

    code: str
    does: str


MISSING = Fault("W_MISSING", "has missing or non-numeric samples")
EXCLUDED = Fault("W_EXCLUDED", "is left out by the user")
"""No fault of the signal; where it is told, the user's reason stands (``therapy.assessment``)."""


def without_sentinels(values: FloatArray) -> FloatArray:
    """A copy with NaN for +-Inf, for sentinels, and for numbers beyond any sensor (1e12).

    A number of ``SENTINELS`` counts as one where it occurs exactly and lies beyond the range of all
    other samples by more than half that range; a converter that clips at -32768 is not touched.
    """
    result = np.where(np.abs(values) < _BEYOND_ANY_SENSOR, values, np.nan)
    is_sentinel = np.isin(result, SENTINELS)
    if not is_sentinel.any():
        return result
    rest = result[~is_sentinel & ~np.isnan(result)]
    if len(rest) == 0:
        return np.full_like(result, np.nan)
    low, high = rest.min(), rest.max()
    margin = (high - low) / 2
    for sentinel in SENTINELS:
        if sentinel > high + margin or sentinel < low - margin:
            result[result == sentinel] = np.nan
    return result


def repair(values: FloatArray, sampling_rate: float, excluded: BoolArray | None = None) -> Repaired:
    """Fill what is missing by straight lines and say which samples stay usable.

    Missing runs of at most 0.25 s between two measured samples stay valid, unless more than half of
    the second around them is missing. Longer runs, and runs at either end, are filled and masked.
    Where nothing was measured, all values are 0 and none is valid.

    Args:
        excluded: (S,) True where the user left samples out: NaN in ``values``, and never valid.
    """
    marked = without_sentinels(values)
    missing = np.isnan(marked)
    if missing.all():
        return Repaired(np.zeros_like(marked), np.zeros(len(marked), dtype=bool), excluded)
    valid = ~missing
    filled = bridged(marked, valid)
    gaps = runs(missing)
    crowded = share_within(missing, window_samples(1.0, sampling_rate)) > 0.5
    crowds = np.concatenate([[0], np.cumsum(crowded)])
    short = (gaps[:, 1] - gaps[:, 0]) / sampling_rate <= LONGEST_INTERPOLATION
    inner = (gaps[:, 0] > 0) & (gaps[:, 1] < len(missing))
    alone = crowds[gaps[:, 1]] == crowds[gaps[:, 0]]
    valid |= _mask_of(gaps[short & inner & alone], len(missing))
    return Repaired(filled, valid if excluded is None else valid & ~excluded, excluded)


def told_apart(
    faults: Mapping[Fault, BoolArray], excluded: BoolArray | None
) -> dict[Fault, BoolArray]:
    """The faults, with what the user left out under ``EXCLUDED`` and no longer ``MISSING``."""
    if excluded is None:
        return dict(faults)
    return {**faults, MISSING: faults[MISSING] & ~excluded, EXCLUDED: excluded}


def bridged(values: FloatArray, valid: BoolArray) -> FloatArray:
    """The values with straight lines where they are not valid; the ends hold the nearest value."""
    if valid.all() or not valid.any():
        return values
    known = np.flatnonzero(valid)
    result = values.copy()
    result[~valid] = np.interp(np.flatnonzero(~valid), known, values[known])
    return result


def smallest_step(values: FloatArray) -> float:
    """Smallest change between neighbouring samples, the converter's step (LSB); 0.0 for none."""
    steps = np.abs(np.diff(values))
    steps = steps[steps > 0]  # NaN compares as False
    return float(steps.min()) if len(steps) else 0.0


def swing_mask(
    values: FloatArray, width: int, largest: float, apart: BoolArray | None = None
) -> BoolArray:
    """True for samples of any window of ``width`` samples with maximum - minimum <= ``largest``.

    ``apart``: see ``rolling_swing``.
    """
    bounds = runs(rolling_swing(values, width, apart) <= largest)
    return _mask_of(np.add(bounds, (0, width - 1)), len(values))


def rolling_swing(values: FloatArray, width: int, apart: BoolArray | None = None) -> FloatArray:
    """(S - width + 1,) maximum - minimum of each window of ``width`` samples; else empty.

    ``apart`` (S,): a window that holds one of these samples, which are only filled in, tells
    nothing about what the signal did; it has infinity.
    """
    count = len(values) - width + 1
    if count <= 0:
        return np.empty(0)
    first = (
        width // 2
    )  # the filters are centred: output i covers i - first .. i - first + width - 1
    swing: FloatArray = maximum_filter1d(values, width) - minimum_filter1d(values, width)
    swing = swing[first : first + count]
    if apart is not None:
        before = np.concatenate([[0], np.cumsum(apart)])
        swing[before[width:] > before[:-width]] = np.inf
    return swing


def rail_mask(values: FloatArray, minimum_samples: int, *, step: float) -> BoolArray:
    """Runs of at least ``minimum_samples`` at the record's own maximum or minimum: its rails.

    A run counts only where the signal enters or leaves it by more than two steps of the converter:
    the rounded top of a coarsely quantised wave is none.
    """
    mask = np.zeros(len(values), dtype=bool)
    if len(values) == 0 or values.max() == values.min():
        return mask
    jump = np.abs(np.diff(values, prepend=values[0], append=values[-1]))  # (S + 1,)
    for rail in (values.max(), values.min()):
        found = runs(np.abs(values - rail) <= step / 2)
        long_enough = found[:, 1] - found[:, 0] >= minimum_samples
        abrupt = jump[found].max(axis=1) > 2.5 * step
        mask |= _mask_of(found[long_enough & abrupt], len(values))
    return mask


def share_within(mask: BoolArray, width: int) -> FloatArray:
    """(S,) share of True samples in the window of ``width`` samples centred on each sample."""
    if not mask.any():
        return np.zeros(len(mask))
    sums = np.concatenate([[0], np.cumsum(mask)])
    index = np.arange(len(mask))
    low = np.maximum(index - width // 2, 0)
    high = np.minimum(index - width // 2 + width, len(mask))
    return np.asarray((sums[high] - sums[low]) / np.maximum(high - low, 1))


def widened(mask: BoolArray, samples: int) -> BoolArray:
    """The mask, grown by a number of samples on both sides of each run."""
    return _mask_of(np.clip(np.add(runs(mask), (-samples, samples)), 0, len(mask)), len(mask))


def without_short_runs(mask: BoolArray, minimum_samples: int) -> BoolArray:
    """The mask without its runs of fewer than ``minimum_samples`` True samples."""
    bounds = runs(mask)
    return _mask_of(bounds[bounds[:, 1] - bounds[:, 0] >= minimum_samples], len(mask))


def runs(mask: BoolArray) -> NDArray[np.int64]:
    """(R, 2) first sample, and sample after the last, of each run of True."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges.reshape(-1, 2).astype(np.int64)


def spans(mask: BoolArray, sampling_rate: float, start_time: float) -> list[tuple[float, float]]:
    """The runs of a mask as (start, end) in seconds on the session's axis."""
    return [
        (start_time + start / sampling_rate, start_time + stop / sampling_rate)
        for start, stop in runs(mask).tolist()
    ]


def fault_notices(
    faults: Mapping[Fault, BoolArray], signal: Signal, modality: Modality
) -> tuple[Notice, ...]:
    """``mask_notices`` of every fault; what the user left out is none."""
    return tuple(
        notice
        for fault, mask in faults.items()
        if fault is not EXCLUDED
        for notice in mask_notices(mask, signal, fault=fault, modality=modality)
    )


def mask_notices(
    mask: BoolArray, signal: Signal, *, fault: Fault, modality: Modality
) -> tuple[Notice, ...]:
    """What the user is told about the bad spans of one kind.

    Spans less than 1 s apart are told as one. Up to three spans get a notice each; more get one
    notice from the first start to the last end, with their number, total and longest duration.
    """
    name = modality.upper()
    masked_time = mask.sum() / signal.sampling_rate
    found = _merged(spans(mask, signal.sampling_rate, signal.start_time))
    if len(found) <= _SHOWN_SPANS:
        return tuple(
            Notice(
                fault.code,
                f"The {name} {fault.does} from {start:.2f} s to {end:.2f} s; this span is masked.",
                modality,
                start,
                end,
            )
            for start, end in found
        )
    longest = max(found, key=lambda span: span[1] - span[0])
    sentence = (
        f"The {name} {fault.does} in {len(found)} spans, {masked_time:.1f} s in total, between "
        f"{found[0][0]:.1f} s and {found[-1][1]:.1f} s; they are masked. The longest lasts "
        f"{longest[1] - longest[0]:.1f} s, from {longest[0]:.1f} s."
    )
    return (Notice(fault.code, sentence, modality, found[0][0], found[-1][1]),)


def usable(faults: Mapping[Fault, BoolArray], sampling_rate: float) -> BoolArray:
    """(S,) True where no fault is, in pieces of at least 1 s (or the whole of a shorter signal)."""
    valid = ~np.logical_or.reduce([*faults.values()], axis=0)
    fragment = min(window_samples(_FRAGMENT, sampling_rate), len(valid))
    return without_short_runs(np.asarray(valid, dtype=bool), fragment)


def unusable(faults: Mapping[Fault, BoolArray], modality: Modality) -> InputError:
    """E_SIGNAL_UNUSABLE for a recording without a usable span; it names the most frequent fault."""
    name = modality.upper()
    real = [fault for fault in faults if fault is not EXCLUDED]
    worst = max(real, key=lambda fault: int(faults[fault].sum()))
    mask = faults[worst]
    share = 100.0 * float(mask.mean()) if len(mask) else 0.0
    cause = f"for {share:.0f} % of the time it {worst.does}" if share else "it is too short"
    return InputError(
        "E_SIGNAL_UNUSABLE",
        f"The {name} holds no usable span: {cause}.",
        f"Check the electrodes and that the channel is the {name}; the session's other signals "
        "are not affected.",
    )


def valid_at(valid: BoolArray, signal: Signal, times: FloatArray) -> BoolArray:
    """(N,) True where the sample nearest to each time exists and is valid."""
    position = (np.asarray(times) - signal.start_time) * signal.sampling_rate
    inside = (position >= -0.5) & (position <= len(valid) - 0.5)  # False for NaN
    index = np.clip(np.rint(np.where(inside, position, 0)), 0, len(valid) - 1).astype(np.int64)
    return inside & valid[index]


def valid_duration(valid: BoolArray, signal: Signal, start: float, end: float) -> float:
    """Seconds of valid signal between two times."""
    first, stop = (
        int(np.clip(np.rint((time - signal.start_time) * signal.sampling_rate), 0, len(valid)))
        for time in (start, end)
    )
    return float(valid[first:stop].sum() / signal.sampling_rate)


def window_samples(duration: float, sampling_rate: float) -> int:
    """Samples in a duration in seconds, at least 1."""
    return max(1, round(duration * sampling_rate))


def _mask_of(bounds: NDArray[np.int64], length: int) -> BoolArray:
    """(length,) True within each [first, stop) of (R, 2) ``bounds``, which may overlap."""
    change = np.zeros(length + 1, dtype=np.int64)
    np.add.at(change, bounds[:, 0], 1)
    np.add.at(change, bounds[:, 1], -1)
    return np.cumsum(change[:-1]) > 0


def _merged(found: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in found:
        if merged and start - merged[-1][1] < _MERGED_GAP:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged
