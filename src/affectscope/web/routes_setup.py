"""Setting a session up: which file shows the face, which channels are the ECG and the EDA."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from affectscope.store.database import Store
from affectscope.store.files import ListedFile, files_of
from affectscope.store.jobs import ask_inspection, newest_job
from affectscope.store.session_folder import check_settings
from affectscope.store.sessions import SessionHead, save_settings, session_head
from affectscope.store.tables import Job
from affectscope.web.access import TheStore, TheVisitor, editor, needs, reader
from affectscope.web.inspected import Inspected, read_inspected
from affectscope.web.setup_form import SetUp, tables_of
from affectscope.web.setup_page import page_content, state_of
from affectscope.web.templates import page

router = APIRouter()


@router.get(
    "/sessions/{session_id}/setup",
    dependencies=needs(reader("session_id")),
    response_class=HTMLResponse,
)
def show_setup(request: Request, session_id: str, store: TheStore) -> HTMLResponse:
    """The form, with what is saved or proposed."""
    head, files, job = _known(store, session_id)
    inspected = _inspected(store, session_id, files)
    content = page_content(head, files=files, job=job, inspected=inspected)
    return page(request, "session_setup", content)


@router.put("/api/sessions/{session_id}/setup", dependencies=needs(editor("session_id")))
def save_setup(
    session_id: str, body: SetUp, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Set the session up; it counts from the next scoring on."""
    with store.writing(visitor.user_id) as change:
        head = session_head(change.session, session_id)
        files = files_of(change.session, session_id)
        tables = tables_of(
            body, head.settings, files=files, inspected=_inspected(store, session_id, files)
        )
        version = save_settings(change, session_id, seen_version=body.version, tables=tables)
        check_settings(change.session, session_id)
    return {"version": version}


@router.get("/api/sessions/{session_id}/inspection", dependencies=needs(reader("session_id")))
def tell_inspection(session_id: str, store: TheStore) -> dict[str, Any]:
    """How far looking at the files is, and what was found: see ``inspected.Inspected``."""
    _, files, job = _known(store, session_id)
    inspected = _inspected(store, session_id, files)
    return {
        "state": state_of(files, job, inspected),
        "job_id": None if job is None else job.id,
        "found": None if inspected is None else _told(inspected),
    }


@router.post(
    "/api/sessions/{session_id}/inspection",
    dependencies=needs(editor("session_id")),
    status_code=201,
)
def look_again(session_id: str, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """Look at the files once more."""
    with store.writing(visitor.user_id) as change:
        return {"id": ask_inspection(change, session_id).id}


def _known(store: Store, session_id: str) -> tuple[SessionHead, list[ListedFile], Job | None]:
    with store.reading() as session:
        return (
            session_head(session, session_id),
            files_of(session, session_id),
            newest_job(session, session_id, "inspect"),
        )


def _inspected(store: Store, session_id: str, files: list[ListedFile]) -> Inspected | None:
    return read_inspected(store.places.inspection(session_id), {file.name for file in files})


def _told(inspected: Inspected) -> dict[str, Any]:
    return {name: sorted(v) if isinstance(v, set) else v for name, v in asdict(inspected).items()}
