"""What the session's page shows, by how far the session is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affectscope.errors import AffectScopeError
from affectscope.records import MODALITIES
from affectscope.store.places import Places
from affectscope.store.results import is_stale
from affectscope.store.session_view import SessionView
from affectscope.store.tables import Job, Result
from affectscope.web.marks import marks_of
from affectscope.web.result_view import ResultContent, result_content


@dataclass(frozen=True)
class ListedResult:
    """A result in the list of all, with what was changed since the one before it."""

    result: Result
    changed: list[str]


def page_content(places: Places, view: SessionView, asked: str) -> dict[str, Any]:
    """What ``pages/session.html.jinja`` fills in.

    Args:
        asked: the id of the result to show; any other text: the newest.
    """
    shown = next((result for result in view.results if result.id == asked), None)
    shown = shown or (view.results[0] if view.results else None)
    content, problem = _content(places, view, shown)
    return {
        "head": view.head,
        "tab": "view",
        "state": state_of(view),
        "scoring": _open(view, "score"),
        "inspecting": _open(view, "inspect"),
        "failed": _failed(view),
        "result": shown,
        "newest": shown is not None and shown.id == view.results[0].id,
        "content": content,
        "problem": problem,
        "stale": shown is not None and is_stale(shown, view.head.settings),
        "rejected_by": view.names.get(shown.rejected_by or "", "") if shown else "",
        "results": _listed(view.results),
        "modalities": [name for name in MODALITIES if name in view.head.settings],
    }


def state_of(view: SessionView) -> str:
    """How far it is: "no files", "not set up" or "ready"."""
    if not view.files:
        return "no files"
    return "ready" if view.head.is_set_up else "not set up"


def changes_between(older: Result, newer: Result) -> list[str]:
    """What was set otherwise for the newer one, in words."""
    before, after = marks_of(older.settings), marks_of(newer.settings)
    words = {"phases": "before and after", "marked": "named parts", "excluded": "parts left out"}
    found = [word for name, word in words.items() if before[name] != after[name]]
    if older.settings.get("questionnaires") != newer.settings.get("questionnaires"):
        found.append("answers to questionnaires")
    told = {"phases", "excluded", "questionnaires"}
    names = (older.settings.keys() | newer.settings.keys()) - told
    if any(older.settings.get(name) != newer.settings.get(name) for name in names):
        found.append("set-up")
    return found


def _content(
    places: Places, view: SessionView, shown: Result | None
) -> tuple[ResultContent | None, str]:
    """What the result holds; None where it holds nothing to show, and what is wrong with it."""
    if shown is None or shown.status == "REJECTED":
        return None, ""
    try:
        return result_content(places.result(view.head.id, shown.id)), ""
    except AffectScopeError as error:
        return None, f"{error.sentence} {error.remedy}"


def _open(view: SessionView, kind: str) -> Job | None:
    return next((job for job in view.open_jobs if job.kind == kind), None)


def _failed(view: SessionView) -> Job | None:
    """The newest scoring where it failed and no result came after it."""
    failed = view.failed
    if failed is None or failed.ended_at is None:
        return None
    newest = view.results[0].created_at if view.results else None
    return failed if newest is None or newest < failed.ended_at else None


def _listed(results: list[Result]) -> list[ListedResult]:
    older = [*results, None][1:]
    return [
        ListedResult(result, [] if before is None else changes_between(before, result))
        for result, before in zip(results, older, strict=True)
    ]
