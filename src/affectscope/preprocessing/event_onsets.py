"""Events that two recorders can both see: a lamp's flash, a clap, a marker channel's rising edge.

Where the literature is silent, and what we do:
1. A flash is a rise of the mean brightness by eight times its usual change from picture to picture,
   and by half a step of 8 bit, that is gone again within two seconds: a cut or a room light stays.
   Usual is a normal deviation with the 90 % quantile of the changes: coding makes most of them 0.
2. A camera gathers light over its exposure. Where the first bright picture is only partly bright,
   the flash began within its exposure, which is taken to fill the frame interval from the stamp
   on: onset = stamp + (1 - partial brightness) x interval. A flash that is over before the next
   picture shows no plateau, and begins at the stamp.
3. What a camera's stamp means (start, middle or end of the exposure) is not in the file; half a
   frame interval stays in the uncertainty however many flashes there are.
4. A clap is a rise of the sound's level by 20 dB within 10 ms that has fallen by 10 dB 0.1 s later.
   Speech has such rises too: the loudest hundred count, and the matching sorts them out.
5. A marker channel has two levels: a tenth of its samples at most lie away from both.

Legend: F frames, S samples, E events.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np

from affectscope.records import FloatArray, Signal

LONGEST_FLASH = 2.0
"""Seconds; a rise of the brightness that stays longer is no flash."""
_FLASH_CHANGES = 8.0
_FLASH_STEP = 0.5  # of 255
_CLAP_RISE = 20.0  # dB
_CLAP_FALL = 10.0  # dB
_CLAP_LENGTH = 0.1  # s
_MOST_CLAPS = 100
_QUIET = 1e-10  # mean square of full scale 1, -100 dB
_LEVEL_MARGIN = 0.2  # of the distance between a marker channel's two levels
_BETWEEN_LEVELS = 0.1  # share of samples


@dataclass(frozen=True, eq=False)
class Onsets:
    """(E,) times in s, rising; ``precision``: standard deviation in s of one of them;
    ``systematic``: s, half of the interval in which all of them may lie beside the truth."""

    times: FloatArray
    precision: float
    systematic: float = 0.0


def flash_onsets(times: FloatArray, brightness: FloatArray) -> Onsets:
    """Flashes in a course of mean brightness (F,), 0 to 255, at (F,) rising times in seconds."""
    if len(times) < 4:
        return Onsets(np.empty(0), math.inf)
    interval = float(np.median(np.diff(times)))
    steps = np.diff(brightness)
    usual = float(np.quantile(np.abs(steps - np.median(steps)), 0.9)) / 1.645
    least = max(_FLASH_CHANGES * usual, _FLASH_STEP)
    found: list[float] = []
    ends = -math.inf
    for frame in np.flatnonzero(steps > least / 2) + 1:
        if times[frame] <= ends:
            continue
        base = float(np.median(brightness[max(0, frame - 5) : frame]))
        plateau = float(brightness[frame : frame + 2].max())
        if plateau - base < least:
            continue
        dark = brightness[frame:] < base + 0.5 * (plateau - base)
        dark[0] = False  # the first picture may be half bright
        fall = int(frame + dark.argmax()) if dark.any() else len(times) - 1
        if not dark.any() or times[fall] - times[frame] > LONGEST_FLASH:
            continue
        share = (float(brightness[frame]) - base) / (plateau - base)
        found.append(float(times[frame]) + (1.0 - share) * interval)
        ends = float(times[fall])
    return Onsets(np.array(found), interval / math.sqrt(12), interval / 2)


def rising_edges(signal: Signal) -> Onsets | None:
    """Where a marker channel goes from its low to its high level; None where it is none."""
    values = signal.values[np.isfinite(signal.values)]
    precision = 1 / signal.sampling_rate / math.sqrt(12)
    if not len(values) or np.ptp(values) == 0:
        return Onsets(np.empty(0), precision)
    low, span = float(values.min()), float(np.ptp(values))
    level = (signal.values - low) / span  # NaN stays NaN and is neither
    away = (level > _LEVEL_MARGIN) & (level < 1 - _LEVEL_MARGIN)
    if away.mean() > _BETWEEN_LEVELS:
        return None
    state = np.where(level >= 1 - _LEVEL_MARGIN, 1, np.where(level <= _LEVEL_MARGIN, 0, -1))
    known = np.flatnonzero(state >= 0)
    rises = np.flatnonzero(np.diff(state[known]) == 1)
    middle = (known[rises] + known[rises + 1]) / 2
    return Onsets(signal.start_time + middle / signal.sampling_rate, precision)


@dataclass
class ClapFinder:
    """Claps in sound that arrives piece by piece; what it keeps does not grow with the sound.

    ``hop``: seconds from one level to the next.
    """

    hop: float
    _recent: list[float] = field(default_factory=list)  # levels, dB
    _first: float = 0.0  # time of the first recent level
    _loudest: list[tuple[float, float]] = field(default_factory=list)  # (level, time), a heap

    def add(self, power: FloatArray, start: float) -> None:
        """Mean squares (S,) of hops from ``start`` (s) on; full scale is 1."""
        expected = self._first + len(self._recent) * self.hop
        if self._recent and abs(start - expected) > self.hop:
            self._recent = []  # a hole in the sound
        if not self._recent:
            self._first = start
        self._recent += (10 * np.log10(np.maximum(power, _QUIET))).tolist()
        self._look()

    @property
    def onsets(self) -> Onsets:
        return Onsets(np.sort([time for _, time in self._loudest]), self.hop)

    def _look(self) -> None:
        """Find the rises whose surroundings are complete, and forget what lies behind."""
        before, after = round(0.2 / self.hop), round(_CLAP_LENGTH / self.hop)
        rise = max(1, round(0.01 / self.hop))
        levels = np.array(self._recent)
        last = len(levels) - 2 * after
        done = before
        for place in np.flatnonzero(levels[rise:] - levels[:-rise] >= _CLAP_RISE) + rise:
            usual = np.median(levels[max(0, place - before) : place - rise + 1])
            if not done <= place < last or levels[place] - usual < _CLAP_RISE:
                continue
            peak = float(levels[place : place + after].max())
            if peak - levels[place + after : place + 2 * after].mean() >= _CLAP_FALL:
                self._keep(peak, self._first + float(place) * self.hop)
            done = int(place) + after
        gone = max(0, max(done, last) - before)
        self._recent = self._recent[gone:]
        self._first += gone * self.hop

    def _keep(self, level: float, time: float) -> None:
        heapq.heappush(self._loudest, (level, time))
        if len(self._loudest) > _MOST_CLAPS:
            heapq.heappop(self._loudest)
