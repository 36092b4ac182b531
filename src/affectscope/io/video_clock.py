"""A video's time stamps -> session time that never goes back.

Legend: stamps are seconds of the file's own clock; times are seconds on the session's axis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CLOCK_RESTART = 1.0
"""A step back of the time stamps by more seconds than this is a restarted clock, not a glitch."""


@dataclass
class Clock:
    """Session time = ``offset`` + ``rate`` x stamp, never going back (V06).

    Where stamps restart, the new run is placed right behind the last frame; a smaller step back, or
    a repeated stamp, keeps the last time. The first and the last of these places are kept.
    ``interval``: session seconds from one picture to the next, where no stamp says it.
    """

    offset: float
    interval: float
    rate: float = 1.0
    last: float | None = None
    furthest: float | None = None  # that any picture reached, also a masked one
    resets: list[float] = field(default_factory=list)

    def time(self, stamp: float | None) -> float:
        """Session time of the next picture; ``stamp`` in the file's clock, None: it has none."""
        raw = self._behind if stamp is None else self.offset + self.rate * stamp
        time = raw
        if self.last is not None and (stamp is None or raw <= self.last):
            time = self.last
            if stamp is None or self.last - raw > CLOCK_RESTART:
                time = self._behind
                self.offset += time - raw
            self.resets = [*self.resets[:1], time]
        self.last = time
        self.masked(time)
        return time

    def masked(self, time: float) -> None:
        """A picture lies at ``time`` and is not shown."""
        self.furthest = time if self.furthest is None else max(self.furthest, time)

    def ahead(self, stamp: float | None) -> float:
        """Where a packet not yet shown will lie: never before what was shown."""
        time = self._behind if stamp is None else self.offset + self.rate * stamp
        return time if self.last is None else max(time, self.last)

    @property
    def _behind(self) -> float:
        return self.offset if self.furthest is None else self.furthest + self.interval
