"""What is made of a project or a person: the study's page, and exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from affectscope.errors import StoreError, WebError
from affectscope.store.database import Store
from affectscope.store.exports import (
    AskedExport,
    ask_project_export,
    ask_subject_export,
    check_still_allowed,
)
from affectscope.store.products import ListedProduct, newest_study, products_of, ready_product
from affectscope.store.projects import project_head
from affectscope.store.studies import ask_study, choose_results
from affectscope.store.tables import Product
from affectscope.web.access import TheStore, TheVisitor, editor, needs, owner, reader
from affectscope.web.bodies import Body
from affectscope.web.downloads import download_name
from affectscope.web.routes_results import REPORT_POLICY
from affectscope.web.templates import page

router = APIRouter()

STUDY_PAGE = "study.html"
STUDY_FILES: dict[str, tuple[str, str]] = {
    "study.pdf": ("Page as PDF", "application/pdf"),
    "figure5.svg": ("Figure, drawing (SVG)", "image/svg+xml"),
    "figure5.png": ("Figure, picture (PNG)", "image/png"),
    "patients.csv": ("Patients", "text/csv; charset=utf-8"),
    "sessions.csv": ("Sessions", "text/csv; charset=utf-8"),
    "statistics.csv": ("Statistics", "text/csv; charset=utf-8"),
    "agreement.csv": ("Agreement", "text/csv; charset=utf-8"),
    "exclusions.csv": ("Exclusions", "text/csv; charset=utf-8"),
}
"""File of a study -> what it is, and its media type. Nothing else is handed out (W15)."""
_FIGURE = "figure5.png"


class ProjectExport(Body):
    purpose: Literal["handing out", "training"]


class SubjectExport(Body):
    purpose: Literal["own copy", "handing out", "training"]


@router.get(
    "/projects/{project_id}/study",
    dependencies=needs(reader("project_id")),
    response_class=HTMLResponse,
)
def show_study(request: Request, project_id: str, store: TheStore) -> HTMLResponse:
    """The newest study, and what a new one would hold."""
    with store.reading() as session:
        head = project_head(session, project_id)
        study = newest_study(session, project_id)
        choice = choose_results(session, project_id, store.clock())
        attempts = products_of(session, project_id, "study")
    folder = None if study is None else store.places.study(study.id)
    there = [name for name in STUDY_FILES if folder is not None and (folder / name).is_file()]
    content = {
        "project": head,
        "tab": "study",
        "study": study,
        "files": {name: STUDY_FILES[name][0] for name in there},
        "figure": _FIGURE if _FIGURE in there else None,
        "choice": choice,
        "attempt": attempts[0] if attempts and attempts[0].state != "ready" else None,
    }
    return page(request, "study", content)


@router.get(
    "/projects/{project_id}/exports",
    dependencies=needs(owner("project_id")),
    response_class=HTMLResponse,
)
def show_exports(request: Request, project_id: str, store: TheStore) -> HTMLResponse:
    """Exports that were asked for."""
    with store.reading() as session:
        head = project_head(session, project_id)
        exports = products_of(session, project_id, "export")
    return page(request, "exports", {"project": head, "tab": "exports", "exports": exports})


@router.post(
    "/api/projects/{project_id}/studies",
    dependencies=needs(editor("project_id")),
    status_code=202,
)
def make_study(project_id: str, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """Make the study's page anew."""
    with store.writing(visitor.user_id) as change:
        job = ask_study(change, project_id)
        return {"id": job.detail["product_id"], "job_id": job.id}


@router.get("/api/projects/{project_id}/studies", dependencies=needs(reader("project_id")))
def list_studies(project_id: str, store: TheStore) -> dict[str, Any]:
    """How far each study is, the newest first."""
    with store.reading() as session:
        return {"studies": [_told(found) for found in products_of(session, project_id, "study")]}


@router.post(
    "/api/projects/{project_id}/exports",
    dependencies=needs(owner("project_id")),
    status_code=202,
)
def export_project(
    project_id: str, body: ProjectExport, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Export everybody who allows it; the answer names who is left out, and why."""
    with store.writing(visitor.user_id) as change:
        return _asked(ask_project_export(change, project_id, body.purpose))


@router.get("/api/projects/{project_id}/exports", dependencies=needs(owner("project_id")))
def list_exports(project_id: str, store: TheStore) -> dict[str, Any]:
    """How far each export is, the newest first."""
    with store.reading() as session:
        return {"exports": [_told(found) for found in products_of(session, project_id, "export")]}


@router.post(
    "/api/subjects/{subject_id}/exports",
    dependencies=needs(owner("subject_id")),
    status_code=202,
)
def export_subject(
    subject_id: str, body: SubjectExport, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Export one person."""
    with store.writing(visitor.user_id) as change:
        return _asked(ask_subject_export(change, subject_id, body.purpose))


@router.get(
    "/products/{product_id}/export.zip",
    dependencies=needs(owner("product_id")),
    response_class=FileResponse,
)
def take_export(product_id: str, store: TheStore, visitor: TheVisitor) -> FileResponse:
    """The zip, while all in it allow that; that it was fetched is put on the audit trail."""
    with store.reading() as session:
        product = ready_product(session, product_id, "export")
        check_still_allowed(session, product, store.clock())
        name = project_head(session, product.project_id).name
    path = store.places.export(product_id)
    if not path.is_file():
        raise StoreError("E_NOT_FOUND", "The export is not there any more.", "Ask for it anew.")
    with store.writing(visitor.user_id) as change:
        change.audit("export.fetched", "product", product_id)
    called = download_name(name, "export", product.created_at, suffix=".zip")
    return FileResponse(path, media_type="application/zip", filename=called)


@router.get(
    "/products/{product_id}/study.html",
    dependencies=needs(reader("product_id")),
    response_class=FileResponse,
)
def show_study_page(product_id: str, store: TheStore) -> FileResponse:
    """The page as it was written, with its own style and nothing that could run."""
    path = _study_file(store, product_id, STUDY_PAGE)[0]
    return FileResponse(
        path,
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": REPORT_POLICY},
    )


@router.get(
    "/products/{product_id}/figure",
    dependencies=needs(reader("product_id")),
    response_class=FileResponse,
)
def show_figure(product_id: str, store: TheStore) -> FileResponse:
    """Figure 5, to be shown."""
    path, _ = _study_file(store, product_id, _FIGURE)
    return FileResponse(path, media_type=STUDY_FILES[_FIGURE][1])


@router.get(
    "/products/{product_id}/files/{name}",
    dependencies=needs(reader("product_id")),
    response_class=FileResponse,
)
def take_study_file(product_id: str, name: str, store: TheStore) -> FileResponse:
    """One of the study's files, to be kept."""
    if name not in STUDY_FILES:
        raise WebError("E_NOT_FOUND", "A study has no such file.")
    path, product = _study_file(store, product_id, name)
    with store.reading() as session:
        project = project_head(session, product.project_id).name
    called = download_name(project, product.created_at, path.stem, suffix=path.suffix)
    return FileResponse(path, media_type=STUDY_FILES[name][1], filename=called)


def _study_file(store: Store, product_id: str, name: str) -> tuple[Path, Product]:
    with store.reading() as session:
        product = ready_product(session, product_id, "study")
    path = store.places.study(product_id) / name
    if not path.is_file():
        raise WebError("E_NOT_FOUND", "The study has no such file.", "Make the page anew.")
    return path, product


def _asked(asked: AskedExport) -> dict[str, Any]:
    return {
        "id": asked.product_id,
        "job_id": asked.job_id,
        "people": asked.people,
        "left_out": asked.left_out,
    }


def _told(found: ListedProduct) -> dict[str, Any]:
    return {
        "id": found.id,
        "state": found.state,
        "share": found.share,
        "job_id": found.job_id,
        "sentence": found.sentence,
        "remedy": found.remedy,
    }
