"""A session: its page, its marks, and the jobs that estimate it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from affectscope.errors import AffectScopeError
from affectscope.store.database import Store
from affectscope.store.jobs import OPEN, ask_scoring, cancel_job, held_job, open_jobs_of_project
from affectscope.store.results import usable_result
from affectscope.store.session_folder import check_settings
from affectscope.store.session_view import session_view
from affectscope.store.sessions import rename_session, save_settings, session_head
from affectscope.store.tables import Job
from affectscope.web.access import TheStore, TheVisitor, editor, needs, reader, store_of
from affectscope.web.bodies import Body, Version
from affectscope.web.marks import Marks, Span, marks_of, tables_of
from affectscope.web.runner import Runner, runner_of
from affectscope.web.session_page import page_content
from affectscope.web.templates import page

router = APIRouter()

PUSH_SECONDS = 0.5
"""So often at most a WebSocket is told how its jobs are."""


class Label(Body):
    label: str = Field(min_length=1, max_length=200)
    version: Version


class AskedJob(Body):
    kind: Literal["score"]


@router.get(
    "/sessions/{session_id}", dependencies=needs(reader("session_id")), response_class=HTMLResponse
)
def show_session(
    request: Request, session_id: str, store: TheStore, result: str = ""
) -> HTMLResponse:
    """The session with its newest result, or with the one that is asked for."""
    with store.reading() as session:
        view = session_view(session, session_id)
    return page(request, "session", page_content(store.places, view, result[:32]))


@router.patch("/api/sessions/{session_id}", dependencies=needs(editor("session_id")))
def change_session(
    session_id: str, body: Label, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Call the session otherwise."""
    with store.writing(visitor.user_id) as change:
        version = rename_session(change, session_id, body.label, seen_version=body.version)
    return {"version": version}


@router.get("/api/sessions/{session_id}/marks", dependencies=needs(reader("session_id")))
def show_marks(session_id: str, store: TheStore) -> dict[str, Any]:
    """The marks as they are saved, and the version that a change must state."""
    with store.reading() as session:
        head = session_head(session, session_id)
    return {"version": head.version, **marks_of(head.settings)}


@router.put("/api/sessions/{session_id}/marks", dependencies=needs(editor("session_id")))
def save_marks(
    session_id: str, body: Marks, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Replace the marks; they count from the next scoring on."""
    tables = tables_of(body, _whole(store, session_id))
    with store.writing(visitor.user_id) as change:
        version = save_settings(change, session_id, seen_version=body.version, tables=tables)
        check_settings(change.session, session_id)
    return {"version": version}


@router.post(
    "/api/sessions/{session_id}/jobs", dependencies=needs(editor("session_id")), status_code=201
)
def ask_job(
    session_id: str, body: AskedJob, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Estimate the session; refused without consent, and while that is under way."""
    with store.writing(visitor.user_id) as change:
        return {"id": ask_scoring(change, session_id).id}


@router.get("/api/jobs/{job_id}", dependencies=needs(reader("job_id")))
def show_job(request: Request, job_id: str, store: TheStore) -> dict[str, Any]:
    """How the job is."""
    with store.reading() as session:
        return told(held_job(session, job_id), runner_of(request))


@router.post("/api/jobs/{job_id}/cancel", dependencies=needs(editor("job_id")))
def end_job(request: Request, job_id: str, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """The job is not wanted any more."""
    with store.writing(visitor.user_id) as change:
        cancel_job(change, job_id)
        return told(held_job(change.session, job_id), runner_of(request))


@router.websocket("/ws/jobs/{project_id}", dependencies=needs(reader("project_id")))
async def follow_jobs(websocket: WebSocket, project_id: str) -> None:
    """Tell how the project's jobs are: each time that one has come further, or has ended."""
    await websocket.accept()
    listening = asyncio.ensure_future(_until_closed(websocket))
    store, runner = store_of(websocket), runner_of(websocket)
    known: dict[str, dict[str, Any]] = {}
    try:
        while not listening.done():
            jobs = await run_in_threadpool(_jobs, store, runner, project_id, set(known))
            for job_id, job in jobs.items():
                if job != known.get(job_id):
                    await websocket.send_json(job)
            known = {job_id: job for job_id, job in jobs.items() if job["ended"] is False}
            await asyncio.wait({listening}, timeout=PUSH_SECONDS)
    except WebSocketDisconnect:
        return
    finally:
        listening.cancel()


def told(job: Job, runner: Runner) -> dict[str, Any]:
    """A job as pages get it."""
    now = runner.progress
    runs = now is not None and now.job_id == job.id and job.state == "running"
    return {
        "id": job.id,
        "kind": job.kind,
        "session_id": job.session_id,
        "state": job.state,
        "ended": job.state not in OPEN,
        "share": round(now.share if runs and now else job.share, 3),
        "seconds_left": round(now.seconds_left) if runs and now and now.seconds_left else None,
        "code": job.code,
        "sentence": job.sentence,
        "remedy": job.remedy,
    }


def _jobs(
    store: Store, runner: Runner, project_id: str, known: set[str]
) -> dict[str, dict[str, Any]]:
    """The project's open jobs, and those that were open before."""
    with store.reading() as session:
        jobs = {job.id: job for job in open_jobs_of_project(session, project_id)}
        for job_id in known - jobs.keys():
            ended = session.get(Job, job_id)
            if ended is not None:
                jobs[job_id] = ended
        return {job_id: told(job, runner) for job_id, job in jobs.items()}


async def _until_closed(websocket: WebSocket) -> None:
    """What a page says is not heeded; that it has gone is."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _whole(store: Store, session_id: str) -> Span | None:
    """The session's start and end in s as its result tells them; None before there is one."""
    from affectscope.therapy.courses import FEWEST_POINTS, courses

    with store.reading() as session:
        result = usable_result(session, session_id)
    if result is None:
        return None
    folder: Path = store.places.result(session_id, result.id)
    try:
        found = courses(folder, points=FEWEST_POINTS)
    except AffectScopeError:  # its files are damaged: scoring will tell
        return None
    return found["start"], found["end"]
