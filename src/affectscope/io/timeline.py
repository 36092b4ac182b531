"""A file's own clock: time stamps, packet counters, and the samples that they show to be lost.

Lost samples are put back as NaN in place, so that everything after a gap keeps its true time.

Legend: S samples in the file, L >= S samples after gaps were filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectscope.io.channels import MAXIMUM_SAMPLES, Gap
from affectscope.io.clock_breaks import IntArray
from affectscope.io.clock_fit import fit_clock
from affectscope.io.even_axis import EvenAxis, even_axis
from affectscope.records import FloatArray

SECONDS = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6,
    "ns": 1e-9, "nanosecond": 1e-9, "nanoseconds": 1e-9,
}  # fmt: skip
"""Spellings of a unit of time, and the unit in seconds."""

_LARGEST_LOSS = 100  # samples lost per sample that is there
_UNIX_YEARS = (9.5e8, 4.1e9)  # Unix times of the years 2000 to 2099, in seconds


@dataclass(frozen=True, eq=False)
class Timeline:
    """When a file's rows were sampled.

    Attributes:
        sampling_rate: Hz measured on the clock with gaps left out; None where the clock's unit is
            not known.
        first_time: seconds at the first row, 0.0 for a Unix clock.
        unix_start: the first row's Unix time in seconds, None for any other clock.
        gaps: where rows are missing, as indices after filling.
        jumps: rows (counted from 0) before which the clock jumped and no rows could be filled.
        axis: where the rows lie, for a clock of time stamps.
    """

    sampling_rate: float | None
    first_time: float = 0.0
    unix_start: float | None = None
    gaps: tuple[Gap, ...] = ()
    jumps: tuple[int, ...] = ()
    axis: EvenAxis | None = None


def place(values: FloatArray, gaps: tuple[Gap, ...]) -> FloatArray:
    """(S,) -> (L,): the values with NaN where samples were lost."""
    if not gaps:
        return values
    filled = np.full(len(values) + sum(gap.samples for gap in gaps), np.nan)
    source = target = 0
    for gap in gaps:
        length = gap.start - target
        filled[target : target + length] = values[source : source + length]
        source, target = source + length, gap.start + gap.samples
    filled[target:] = values[source:]
    return filled


def gaps_at(missing: IntArray) -> tuple[Gap, ...]:
    """Gaps from the number of samples missing before each row; missing (S,) >= 0."""
    rows = np.flatnonzero(missing)
    before = np.cumsum(missing)[rows] - missing[rows]
    return tuple(
        Gap(int(row + filled), int(missing[row])) for row, filled in zip(rows, before, strict=True)
    )


def counter_timeline(counter: IntArray, bits: int | None = None) -> Timeline:
    """Lost packets from a sequence counter that wraps at 2^bits (P14, P32).

    Without ``bits`` the smallest of 4, 8, 16 and 32 that holds the largest count is taken. A
    counter that stands still (OpenSignals writes 65535 for ever once 16 bits are full) shows
    nothing. With 16 bits or more, a step of more than half the range, or back to 0 or 1, is a
    restart and not a loss.

    Args:
        counter: (S,) as the file holds it.
    """
    if bits is None:
        largest = int(counter.max(initial=0))
        bits = next((b for b in (4, 8, 16, 32) if largest < 1 << b), 62)
    steps = np.diff(counter, prepend=counter[:1] - 1)
    lost = np.where(steps == 0, 0, (steps - 1) % (1 << bits))
    from_start = (steps < 0) & (counter <= 1) & (lost > 0)
    restarted = ((lost > 1 << bits - 1) | from_start) & (bits >= 16)
    lost[restarted] = 0
    # More lost than 100 times what is there: no counter of packets, or one that is damaged.
    if lost.sum() > min(MAXIMUM_SAMPLES, _LARGEST_LOSS * len(lost)) - len(lost):
        return Timeline(None, jumps=tuple(np.flatnonzero(lost)[:1].tolist()))
    return Timeline(None, gaps=gaps_at(lost), jumps=tuple(np.flatnonzero(restarted).tolist()))


def stamp_timeline(
    stamps: FloatArray, unit: float | None, *, stated_rate: float | None = None
) -> Timeline:
    """Rate, gaps and bends from time stamps.

    Args:
        stamps: (S,) finite, S >= 2; overwritten with seconds since the first row.
        unit: seconds per unit of the stamps where their column says it. A Unix time tells its own
            unit, since 2000 to 2099 in s, ms, us and ns do not overlap. Otherwise, the unit is
            the one that comes nearest to ``stated_rate``; without either it stays unknown.
    """
    first = float(stamps[0])
    unix_unit = _unix_unit(first, unit)
    scale = unix_unit or unit or _nearest_unit(stamps, stated_rate)
    if scale is None:
        return Timeline(None)
    stamps -= first
    stamps *= scale
    clock = fit_clock(stamps, None)
    if clock is None:
        return Timeline(None)
    axis = even_axis(clock, stated_rate)
    start = first * scale + axis.first_time
    return Timeline(
        axis.sampling_rate,
        first_time=0.0 if unix_unit else start,
        unix_start=start if unix_unit else None,
        gaps=axis.gaps,
        jumps=tuple(jump.sample for jump in axis.jumps),
        axis=axis,
    )


def is_row_number(stamps: FloatArray) -> bool:
    """Whether the column counts 0, 1, 2, ... or 1, 2, 3, ...: it then says nothing about time."""
    return float(stamps[0]) in (0.0, 1.0) and bool((np.diff(stamps) == 1.0).all())


def _unix_unit(first: float, unit: float | None) -> float | None:
    for candidate in (unit,) if unit else (1.0, 1e-3, 1e-6, 1e-9):
        if _UNIX_YEARS[0] <= first * candidate <= _UNIX_YEARS[1]:
            return candidate
    return None


def _nearest_unit(stamps: FloatArray, stated_rate: float | None) -> float | None:
    span = float(stamps[-1] - stamps[0])
    if not stated_rate or span <= 0:
        return None
    rates = {unit: (len(stamps) - 1) / (span * unit) for unit in (1.0, 1e-3, 1e-6, 1e-9)}
    return min(rates, key=lambda unit: abs(np.log(rates[unit] / stated_rate)))
