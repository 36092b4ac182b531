"""Which parts of a session are compared."""

from __future__ import annotations

from affectscope.records import Phase

Phases = tuple[Phase, Phase]

FULL_PHASE = 15 * 60.0
"""Seconds of the first and the last part in the paper's therapy sessions."""
WINDOW_LENGTHS = (300.0, 600.0, 900.0, 1200.0)
"""Seconds of the first and the last part with which a change is looked at again ..."""
WINDOW_SHARES = (1 / 6, 1 / 4, 1 / 3, 1 / 2)
"""... and shares of the session, where fewer than two of those fit into it twice."""


def default_phases(start: float, end: float) -> tuple[Phases, str]:
    """The first and the last 15 minutes; the outer thirds where those would overlap."""
    length = FULL_PHASE
    rule = "the first and the last 15 minutes"
    if end - start < 2 * FULL_PHASE:
        length = (end - start) / 3
        rule = "the first and the last third, since the session is shorter than 30 minutes"
    return first_and_last(start, end, length), rule


def first_and_last(start: float, end: float, length: float) -> Phases:
    """The first and the last ``length`` seconds of a session."""
    return Phase("before", start, start + length), Phase("after", end - length, end)


def window_lengths(duration: float) -> tuple[float, ...]:
    """Seconds, ascending: ``WINDOW_LENGTHS`` that fit twice into a session, else
    ``WINDOW_SHARES`` of it."""
    fitting = tuple(length for length in WINDOW_LENGTHS if 2 * length <= duration)
    return fitting if len(fitting) > 1 else tuple(share * duration for share in WINDOW_SHARES)
