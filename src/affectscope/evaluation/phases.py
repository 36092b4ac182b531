"""Which parts of a session are compared."""

from __future__ import annotations

from affectscope.records import Phase

Phases = tuple[Phase, Phase]

FULL_PHASE = 15 * 60.0
"""Seconds of the first and the last part in the paper's therapy sessions."""


def default_phases(start: float, end: float) -> tuple[Phases, str]:
    """The first and the last 15 minutes; the outer thirds where those would overlap."""
    length = FULL_PHASE
    rule = "the first and the last 15 minutes"
    if end - start < 2 * FULL_PHASE:
        length = (end - start) / 3
        rule = "the first and the last third, since the session is shorter than 30 minutes"
    return (Phase("before", start, start + length), Phase("after", end - length, end)), rule
