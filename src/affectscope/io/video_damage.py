"""Which pictures of a video hang on a packet that could not be read cleanly.

A picture hangs on those before it, back to the last key frame. So from the first packet that cannot
be read cleanly to the next key frame no picture may be used, and the span is reported.

Legend: packets are numbered in decoding order; times are seconds on the session's axis.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

_REORDERED_PICTURES = 16
"""No codec shows more pictures out of the order in which they are coded (H.264, annex A)."""


@dataclass
class _Broken:
    """A run of packets that must not be used: from ``first`` up to the key frame ``until``."""

    first: int
    until: float = math.inf
    key_time: float = math.inf

    def holds(self, number: int, time: float) -> bool:
        """Also what a later packet shows before that key frame, since it hangs on both sides."""
        return self.first <= number and (number < self.until or time < self.key_time)


@dataclass
class Damage:
    """Which pictures hang on a packet that could not be read cleanly, and the spans they cover."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    runs: deque[_Broken] = field(default_factory=lambda: deque(maxlen=_REORDERED_PICTURES))
    key: tuple[int, float] = (-1, -math.inf)

    @property
    def open(self) -> bool:
        return bool(self.runs) and self.runs[-1].until == math.inf

    def key_frame(self, number: int, time: float) -> None:
        """A key frame arrives: nothing from it on hangs on what was before."""
        self.key = (number, time)
        if self.open:
            self._close()

    def error(self, number: int, time: float) -> None:
        """Packet ``number``, shown at ``time``, could not be read cleanly."""
        if self.runs and number < self.runs[-1].until:
            return
        self.runs.append(_Broken(number))
        if not self.spans or time > self.spans[-1][1]:
            self.spans.append((time, time))
        if number < self.key[0]:  # heard of late: the key frame behind it has already arrived
            self._close()

    def hides(self, number: int, time: float) -> bool:
        """True for a picture that must not be used; the last span grows to hold it."""
        hidden = any(run.holds(number, time) for run in self.runs)
        if hidden:
            self._reach(time)
        return hidden

    def reach(self, time: float) -> None:
        """Whatever lies at ``time`` belongs to the open span, if there is one."""
        if self.open:
            self._reach(time)

    def _close(self) -> None:
        self.runs[-1].until, self.runs[-1].key_time = self.key
        self._reach(self.key[1])

    def _reach(self, time: float) -> None:
        start, end = self.spans[-1]
        self.spans[-1] = (min(start, time), max(end, time))
