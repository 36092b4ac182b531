"""Which two parts of a session are compared: as stated, else by the default rule."""

from __future__ import annotations

import math
from dataclasses import replace

from affectscope.errors import SessionError
from affectscope.evaluation.phases import Phases, default_phases
from affectscope.io.session import Session
from affectscope.io.session_phases import PhasesEntry, stated_phases

COMMAND_LINE = "the command line"


def compared_phases(session: Session) -> tuple[Phases, str]:
    """The two spans to compare, and the rule in words."""
    if session.phases is not None:
        return session.phases, session.phase_rule
    return default_phases(*session.recording.span)


def check_asked(minutes: float | None, thirds: bool) -> None:
    """Raises SessionError E_CONFIG where both are asked for, or ``minutes`` is no length."""
    if minutes is not None and not 0 < minutes < math.inf:
        raise SessionError(
            "E_CONFIG", f"--minutes is {minutes:g}.", "Give a number of minutes greater than 0."
        )
    if minutes is not None and thirds:
        raise SessionError(
            "E_CONFIG",
            f"--minutes {minutes:g} and --thirds ask for different parts of the session.",
            "Give one of them.",
        )


def with_asked_phases(session: Session, minutes: float | None, thirds: bool) -> Session:
    """The session with the parts that the command line asks for, in place of what its file says.

    Raises:
        SessionError: E_CONFIG as ``check_asked``; E_SESSION for minutes that do not fit in.
    """
    check_asked(minutes, thirds)
    found = stated_phases(
        PhasesEntry(minutes=minutes, thirds=thirds), session.recording, COMMAND_LINE
    )
    if found is None:
        return session
    phases, rule = found
    return replace(session, phases=phases, phase_rule=rule)
