"""Samples that are there twice: a packet that was stored again, a span that was copied (P15).

A stretch counts as repeated where it comes again sample for sample, over at least a second and 64
samples, and could not do so by chance. What chance does follows from the signal's own steps: a
stretch of n changes, each as frequent as in the whole record, is worth -sum(log2 share) bits, and
300 bits are asked for. So a flat, coarse or slow signal, whose few kinds of steps come again and
again, has no repeated blocks however long they are, and neither has a signal of which more than
half comes again, which is a computed wave.

To find them in an hour or in ten, stretches that start at chosen places are compared. A place is
chosen by its own 32 samples, about one in 32, so that both copies choose alike.

Legend: S samples, K chosen places, R repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.preprocessing.signal_quality import window_samples
from affectscope.records import FloatArray, Modality, Notice, Signal

_ANCHOR = 32  # samples
_CHOSEN = 32  # one place in so many
_SHORTEST = 1.0  # seconds
_FEWEST = 64  # samples
_BITS = 300.0
_COMPUTED = 0.5  # share of the record
_BLOCK = 1 << 20  # samples hashed at a time
_TOLD = 3
_COUNTED, _STRETCH = 500_000, 1000  # samples whose changes are counted, in stretches of so many
_DIGITS = 9

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Repeat:
    """``length`` samples that begin at ``first`` and again at ``again``."""

    first: int
    again: int
    length: int


def repeated_blocks(values: FloatArray, sampling_rate: float) -> tuple[Repeat, ...]:
    """The stretches of (S,) values that are there twice, in the order of their second place."""
    shortest = max(_FEWEST, window_samples(_SHORTEST, sampling_rate))
    if len(values) < 2 * shortest:
        return ()
    pairs = _pairs(values)
    if not len(pairs):
        return ()
    steps = _steps(values)
    found: list[Repeat] = []
    reached: dict[int, int] = {}  # of each shift, the end of the last repeat
    for first, again in pairs.tolist():
        if again < reached.get(again - first, 0):
            continue
        repeat = _extended(values, first, again)
        reached[again - first] = repeat.again + repeat.length
        part = values[repeat.again : repeat.again + repeat.length]
        if repeat.length >= shortest and steps.worth(part) >= _BITS:
            found.append(repeat)
    if sum(repeat.length for repeat in found) > _COMPUTED * len(values):
        return ()
    return tuple(found)


def repeat_notices(signal: Signal, modality: Modality) -> tuple[Notice, ...]:
    """W_REPEATED for each repeated stretch, or one for all where there are more than three."""
    start, rate = signal.start_time, signal.sampling_rate
    found = repeated_blocks(signal.values, rate)
    if len(found) > _TOLD:
        total = sum(repeat.length for repeat in found) / rate
        first, last = found[0], found[-1]
        sentence = f"{len(found)} stretches of the {modality.upper()}, {total:.1f} s in total, are"
        sentence += " there twice; times behind a copy may be late by its length."
        end = start + (last.again + last.length) / rate
        return (Notice("W_REPEATED", sentence, modality, start + first.again / rate, end),)
    return tuple(
        Notice(
            "W_REPEATED",
            f"{repeat.length / rate:.2f} s of the {modality.upper()} from"
            f" {start + repeat.first / rate:.2f} s are there again from"
            f" {start + repeat.again / rate:.2f} s on; times behind the copy may be late by that.",
            modality,
            start + repeat.again / rate,
            start + (repeat.again + repeat.length) / rate,
        )
        for repeat in found
    )


def _pairs(values: FloatArray) -> Places:
    """(K, 2) places with the same anchor: each with the one before it, by the later place."""
    places, marks = _anchors(values)
    order = np.lexsort((places, marks))
    same = marks[order][1:] == marks[order][:-1]
    pairs = np.stack([places[order][:-1][same], places[order][1:][same]], axis=1)
    return pairs[np.argsort(pairs[:, 1], kind="stable")]


def _anchors(values: FloatArray) -> tuple[Places, NDArray[np.uint64]]:
    """(K,) chosen places and the hashes of the samples there; none where the signal is flat."""
    factors = np.random.default_rng(0).integers(1, 1 << 63, _ANCHOR, dtype=np.uint64) | 1
    places, marks = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(values) - _ANCHOR + 1, _BLOCK):
        part = values[start : start + _BLOCK + _ANCHOR - 1] + 0.0  # -0.0 becomes 0.0
        words = part.view(np.uint64)
        words = (words ^ words >> np.uint64(29)) * np.uint64(0xBF58476D1CE4E5B9)
        count = len(part) - _ANCHOR + 1
        mark = np.zeros(count, dtype=np.uint64)
        for lag, factor in enumerate(factors):
            mark += words[lag : lag + count] * factor
        moves = np.concatenate([[0], np.cumsum(np.diff(part) != 0)])
        lively = moves[_ANCHOR - 1 :][:count] - moves[:count] >= _ANCHOR // 2
        chosen = np.flatnonzero((mark >> np.uint64(40)) % np.uint64(_CHOSEN) == 0)
        chosen = chosen[lively[chosen] & np.isfinite(part[chosen])]
        places.append(start + chosen)
        marks.append(mark[chosen])
    return np.concatenate(places), np.concatenate(marks)


def _extended(values: FloatArray, first: int, again: int) -> Repeat:
    """The longest stretch around two places that agree, without reaching the second one."""
    step, apart = 256, again - first
    low = 0
    while True:  # backwards
        size = min(step, first - low, apart - low)
        same = values[first - low - size : first - low] == values[again - low - size : again - low]
        agree = size if same.all() else int(np.argmin(same[::-1]))
        low += agree
        if agree < size or not size:
            break
    high = 0
    while True:
        size = min(step, len(values) - again - high, apart - low - high)
        same = values[first + high : first + high + size] == values[again + high :][:size]
        agree = size if same.all() else int(np.argmin(same))
        high += agree
        if agree < size or not size:
            break
    return Repeat(first - low, again - low, low + high)


@dataclass(frozen=True, eq=False)
class _Steps:
    """How frequent each kind of change between neighbours is, from some stretches of the record."""

    kinds: FloatArray
    bits: FloatArray

    def worth(self, part: FloatArray) -> float:
        """Bits of the changes of a stretch: the rarer they are in the record, the more."""
        steps = np.round(np.diff(part), _DIGITS)
        place = np.minimum(np.searchsorted(self.kinds, steps), len(self.kinds) - 1)
        return float(np.where(self.kinds[place] == steps, self.bits[place], self.bits.max()).sum())


def _steps(values: FloatArray) -> _Steps:
    starts = range(0, len(values), max(len(values) // _COUNTED, 1) * _STRETCH)
    steps = np.concatenate([np.diff(values[start : start + _STRETCH]) for start in starts])
    steps = np.round(steps[np.isfinite(steps)], _DIGITS)
    kinds, number = np.unique(steps, return_counts=True)
    return _Steps(kinds, np.log2(max(len(steps), 1) / number))
