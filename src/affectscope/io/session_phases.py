"""The table [phases]: which parts of a session are compared, and which are marked.

[phases]                                     # of session.toml, or of study.toml for all sessions
before = [0, 900]                            # seconds: two spans ...
after = [2700, 3600]
minutes = 15                                 # ... or the length of the first and the last part ...
thirds = true                                # ... or the first and the last third
marked = [["exposure", 1200, 1500]]          # optional: named parts that are reported beside them
"""

from __future__ import annotations

from dataclasses import dataclass

from affectscope.errors import SessionError
from affectscope.io.toml_table import Span, TomlTable, is_number
from affectscope.records import Phase, Recording

KEYS = ("before", "after", "minutes", "thirds", "marked")

Phases = tuple[Phase, Phase]


@dataclass(frozen=True)
class PhasesEntry:
    """Two spans in seconds, or the length in minutes of the first and the last part, or thirds;
    none of them leaves the default rule. ``marked``: named parts beside them."""

    before: Span | None = None
    after: Span | None = None
    minutes: float | None = None
    thirds: bool = False
    marked: tuple[Phase, ...] = ()


def phases_entry(table: TomlTable) -> PhasesEntry:
    """Read the table.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    entry = PhasesEntry(
        table.span("before"),
        table.span("after"),
        table.number("minutes", positive=True),
        table.flag("thirds"),
        _marked(table),
    )
    spans = (entry.before is not None) + (entry.after is not None)
    ways = (spans > 0) + (entry.minutes is not None) + entry.thirds
    if spans == 1 or ways > 1 or (not ways and not entry.marked):
        raise table.unusable("[phases] must hold either before and after, or minutes, or thirds")
    if entry.before and entry.after and entry.before[1] > entry.after[0]:
        raise table.wrong("after", f"a span that starts after {entry.before[1]:g} s")
    return entry


def _marked(table: TomlTable) -> tuple[Phase, ...]:
    stated = table.values.get("marked", [])
    expected = 'a list of [name, start, end] in seconds, such as [["exposure", 300, 900]]'
    if not isinstance(stated, list):
        raise table.wrong("marked", expected)
    found = []
    for item in stated:
        if not (isinstance(item, list) and len(item) == 3 and all(map(is_number, item[1:]))):
            raise table.wrong("marked", expected)
        name, start, end = item
        if not isinstance(name, str) or not name.strip() or not start < end:
            raise table.wrong("marked", expected)
        found.append(Phase(name, float(start), float(end)))
    if len({phase.name for phase in found} | {"before", "after"}) < len(found) + 2:
        raise table.wrong("marked", 'a list of different names, none of them "before" or "after"')
    return tuple(found)


def stated_phases(
    entry: PhasesEntry, recording: Recording, document: str
) -> tuple[Phases, str] | None:
    """The two parts to compare and the rule in words; None leaves it to the default rule.

    Args:
        document: the file that states them, for the sentences.

    Raises:
        SessionError: E_SESSION for parts that cannot lie in the session.
    """
    start, end = recording.span
    if end <= start and (entry.thirds or entry.minutes is not None):
        raise SessionError(
            "E_SESSION",
            f"The video does not state how long it is, so that the parts in {document} cannot be"
            " laid out.",
            "State before and after in seconds under [phases] in session.toml.",
        )
    if entry.thirds:
        third = (end - start) / 3
        phases = (Phase("before", start, start + third), Phase("after", end - third, end))
        return phases, f"the first and the last third, as {document} says"
    before, after = entry.before, entry.after
    rule = f"as {document} says"
    if before is None or after is None:
        if entry.minutes is None:
            return None
        length = entry.minutes * 60
        if 2 * length > end - start:
            raise SessionError(
                "E_SESSION",
                f"Twice {entry.minutes:g} minutes (phases in {document}) do not fit into the"
                f" session's {(end - start) / 60:.1f} minutes.",
                f"State at most {(end - start) / 120:.1f} minutes.",
            )
        before, after = (start, start + length), (end - length, end)
        rule = f"the first and the last {entry.minutes:g} minutes, as {document} says"
    phases = (Phase("before", *before), Phase("after", *after))
    check_inside(phases, recording, document)
    return phases, rule


def check_inside(phases: tuple[Phase, ...], recording: Recording, document: str) -> None:
    """Raises SessionError E_SESSION for a phase that shares nothing with the session."""
    start, end = recording.span
    if recording.video is not None and recording.video.duration == 0:
        return  # the end is not known
    for phase in phases:
        if phase.end <= start or phase.start >= end:
            raise SessionError(
                "E_SESSION",
                f"The phase {phase.name} ({phase.start:g} s to {phase.end:g} s) lies outside the"
                f" session, which lasts from {start:.1f} s to {end:.1f} s.",
                f"Correct [phases] in {document}.",
            )
