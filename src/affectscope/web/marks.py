"""Marks of a session: the parts that are compared, named, or left out; as the page sends them.

What is wrong with them is told in words of the page; ``store.session_folder.check_settings`` has
the last word, so that no later scoring is refused for what was saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from affectscope.errors import WebError
from affectscope.figures import clock
from affectscope.web.bodies import Body, Second, Version

MOST = 200
"""Named parts, and spans that are left out; session.toml stays small."""

Span = tuple[Second, Second]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Tables = dict[str, dict[str, Any] | None]


class PhaseRule(Body):
    """Two spans in seconds, or the minutes of the first and the last part, or thirds."""

    before: Span | None = None
    after: Span | None = None
    minutes: float | None = Field(default=None, gt=0, le=1e5, allow_inf_nan=False)
    thirds: Literal[True] | None = None


class Marks(Body):
    """``phases``: None leaves it to the program. ``marked``: name, start, end. ``excluded``:
    modality or "all", start, end, reason."""

    version: Version
    phases: PhaseRule | None
    marked: list[tuple[Text, Second, Second]] = Field(max_length=MOST)
    excluded: list[tuple[Literal["all", "face", "ecg", "eda"], Second, Second, Text]] = Field(
        max_length=MOST
    )


def tables_of(marks: Marks, whole: Span | None) -> Tables:
    """The tables [phases] and [excluded] of session.toml; None removes one.

    Args:
        whole: the session's start and end in s, None where nobody knows them yet.

    Raises:
        WebError: E_VALUE.
    """
    phases = {} if marks.phases is None else marks.phases.model_dump(exclude_none=True)
    for name in ("before", "after"):
        if name in phases:
            phases[name] = list(phases[name])
    _check_compared(phases)
    if marks.marked:
        phases["marked"] = [[name.strip(), *span] for name, *span in marks.marked]
    spans = [[modality, start, end, why.strip()] for modality, start, end, why in marks.excluded]
    tables: Tables = {"phases": phases or None, "excluded": {"spans": spans} if spans else None}
    _check_texts(tables)
    _check_spans(tables, whole)
    return tables


def marks_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same, as the page gets it: "phases", "marked" and "excluded"."""
    phases = dict(settings.get("phases") or {})
    marked = phases.pop("marked", [])
    excluded = (settings.get("excluded") or {}).get("spans", [])
    return {"phases": phases or None, "marked": marked, "excluded": excluded}


def _check_compared(phases: Mapping[str, Any]) -> None:
    spans = {"before", "after"} & phases.keys()
    if bool(spans) + ("minutes" in phases) + ("thirds" in phases) > 1:
        raise _refused("Two ways to compare were chosen at once.", "Choose one of them.")
    if len(spans) == 1:
        (known,) = spans
        missing = "after" if known == "before" else "before"
        raise _refused(f'"{known.capitalize()}" is marked, "{missing.capitalize()}" is not.',
                       "Mark both, or neither.")  # fmt: skip
    if spans and phases["before"][1] > phases["after"][0]:
        raise _refused(
            '"After" begins before "Before" has ended.', "Mark them one after the other."
        )


def _check_texts(tables: Tables) -> None:
    marked = (tables["phases"] or {}).get("marked", [])
    excluded = (tables["excluded"] or {}).get("spans", [])
    names = [name for name, _, _ in marked]
    for text in (*names, *(span[3] for span in excluded)):
        if not text or not text.isprintable():
            raise _refused(
                "A name or a reason is empty, or holds a character that cannot be shown.",
                "Write it as plain text on one line.",
            )
    if len({*names, "before", "after"}) < len(names) + 2:
        raise _refused(
            "Two parts have the same name, or one is called before or after.",
            "Give each named part a name of its own.",
        )


def _check_spans(tables: Tables, whole: Span | None) -> None:
    phases, excluded = tables["phases"] or {}, (tables["excluded"] or {}).get("spans", [])
    spans = [(f'"{name.capitalize()}"', *phases[name]) for name in ("before", "after")
             if name in phases]  # fmt: skip
    spans += [(f'"{name}"', start, end) for name, start, end in phases.get("marked", [])]
    spans += [("A part that is left out", start, end) for _, start, end, _ in excluded]
    for name, start, end in spans:
        if not start < end:
            raise _refused(f"{name} ends before it begins.", "Correct its times.")
        if whole is not None and (end <= whole[0] or start >= whole[1]):
            raise _refused(
                f"{name} ({clock(start)} to {clock(end)}) lies outside of the session, which lasts"
                f" from {clock(whole[0])} to {clock(whole[1])}.",
                "Correct its times.",
            )
    minutes = phases.get("minutes")
    if minutes is not None and whole is not None and 120 * minutes > whole[1] - whole[0]:
        raise _refused(
            f"Twice {minutes:g} minutes do not fit into the session's"
            f" {(whole[1] - whole[0]) / 60:.1f} minutes.",
            "State fewer minutes.",
        )


def _refused(sentence: str, remedy: str) -> WebError:
    return WebError("E_VALUE", sentence, f"{remedy} Nothing was saved.")
