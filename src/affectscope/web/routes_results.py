"""A result: what the page draws of it, its files, and that a person rejects it (G11)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import FileResponse, HTMLResponse
from markupsafe import escape
from pydantic import Field

from affectscope.errors import WebError
from affectscope.store.database import Store
from affectscope.store.results import held_result, reject_result, restore_result
from affectscope.store.sessions import SessionHead, session_head
from affectscope.store.tables import Result
from affectscope.web.access import TheStore, TheVisitor, editor, needs, reader
from affectscope.web.bodies import Body, Second, Version
from affectscope.web.downloads import download_name
from affectscope.web.plain_words import plain
from affectscope.web.result_view import FILES
from affectscope.web.score_task import VIDEO

router = APIRouter()

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
)
"""The report brings its style with it and nothing else; no script of it could ever run."""
MOST_RANGES = 100
"""Of a video, in one request (W16)."""
_MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".pdf": "application/pdf",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}


class Decision(Body):
    version: Version
    reason: str = Field(min_length=1, max_length=2000)


@router.post("/api/results/{result_id}/rejection", dependencies=needs(editor("result_id")))
def reject(result_id: str, body: Decision, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """A person decides that the result must not be used."""
    with store.writing(visitor.user_id) as change:
        version = reject_result(change, result_id, seen_version=body.version, reason=body.reason)
    return {"version": version}


@router.delete("/api/results/{result_id}/rejection", dependencies=needs(editor("result_id")))
def restore(result_id: str, body: Decision, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """A person takes a rejection back."""
    with store.writing(visitor.user_id) as change:
        version = restore_result(change, result_id, seen_version=body.version, reason=body.reason)
    return {"version": version}


@router.get("/api/results/{result_id}/courses", dependencies=needs(reader("result_id")))
def show_courses(
    result_id: str,
    store: TheStore,
    start: Second | None = None,
    end: Second | None = None,
    points: Annotated[int, Query(ge=10, le=4000)] = 1200,
) -> dict[str, Any]:
    """Curves of the session, in s on its axis."""
    from affectscope.therapy.courses import courses

    found = courses(_folder(store, result_id), start=start, end=end, points=points)
    for notice in found["notices"]:
        notice["sentence"] = plain(notice["sentence"])
    return found


@router.get("/api/results/{result_id}/boxes", dependencies=needs(reader("result_id")))
def show_boxes(
    result_id: str,
    store: TheStore,
    start: Second,
    end: Second,
) -> dict[str, Any]:
    """Where the face is, in shares of the picture; at most a minute."""
    from affectscope.therapy.courses import boxes

    return boxes(_folder(store, result_id), start=start, end=end)


@router.get(
    "/results/{result_id}/video",
    dependencies=needs(reader("result_id")),
    response_class=FileResponse,
)
def show_video(
    result_id: str,
    store: TheStore,
    ranges: Annotated[str | None, Header(alias="Range", max_length=4000)] = None,
) -> FileResponse:
    """The session's video as a browser shows it."""
    if ranges is not None and ranges.count(",") >= MOST_RANGES:
        raise WebError("E_REQUEST", f"More than {MOST_RANGES} ranges were asked for.")
    path = _folder(store, result_id) / VIDEO
    if not path.is_file():
        raise WebError("E_NOT_FOUND", "The session has no video to show.")
    return FileResponse(path, media_type="video/mp4")


@router.get(
    "/results/{result_id}/report.html",
    dependencies=needs(reader("result_id")),
    response_class=HTMLResponse,
)
def show_report(result_id: str, store: TheStore) -> HTMLResponse:
    """The report as a page of its own; one that a person rejected says so."""
    result, _ = _held(store, result_id)
    path = _file(store, result, "report.html")
    text = path.read_text(encoding="utf-8")
    if result.rejected_at is not None:
        told = escape(f"REJECTED on {result.rejected_at:%Y-%m-%d}: {result.rejection_reason}")
        text = text.replace("<body>", f'<body>\n<div class="banner">{told}</div>', 1)
    return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})


@router.get(
    "/results/{result_id}/report.pdf",
    dependencies=needs(reader("result_id")),
    response_class=FileResponse,
)
def take_report(result_id: str, store: TheStore) -> FileResponse:
    """The report to print."""
    return _download(store, result_id, "report.pdf")


@router.get(
    "/results/{result_id}/files/{name}",
    dependencies=needs(reader("result_id")),
    response_class=FileResponse,
)
def take_file(result_id: str, name: str, store: TheStore) -> FileResponse:
    """One of the files that assessing writes (W15)."""
    if name not in FILES:
        raise WebError("E_NOT_FOUND", "A result has no such file.")
    return _download(store, result_id, name)


def _download(store: Store, result_id: str, name: str) -> FileResponse:
    result, head = _held(store, result_id)
    path = _file(store, result, name)
    rejected = "" if result.rejected_at is None else "REJECTED"
    called = download_name(
        head.pseudonym, head.label, result.created_at, path.stem, rejected, suffix=path.suffix
    )
    return FileResponse(path, media_type=_MEDIA[path.suffix], filename=called)


def _held(store: Store, result_id: str) -> tuple[Result, SessionHead]:
    with store.reading() as session:
        result = held_result(session, result_id)
        return result, session_head(session, result.session_id)


def _folder(store: Store, result_id: str) -> Path:
    result, _ = _held(store, result_id)
    return store.places.result(result.session_id, result.id)


def _file(store: Store, result: Result, name: str) -> Path:
    path = store.places.result(result.session_id, result.id) / name
    if not path.is_file():
        raise WebError("E_NOT_FOUND", "The result has no such file.", "Compute the session again.")
    return path
