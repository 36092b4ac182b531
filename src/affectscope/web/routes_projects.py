"""Projects: the list, a project's page, and what changes them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from affectscope.store.projects import add_project, projects_of
from affectscope.store.purposes import FORBIDDEN, PURPOSES
from affectscope.web.access import USER, TheStore, TheVisitor, needs
from affectscope.web.templates import page

router = APIRouter()


class NewProject(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    purpose: str = Field(max_length=50)
    justification: str = Field(default="", max_length=2000)


@router.get("/", dependencies=needs(USER), response_class=HTMLResponse)
def home(request: Request, store: TheStore, visitor: TheVisitor) -> HTMLResponse:
    """All projects of the user."""
    with store.reading() as session:
        projects = projects_of(session, visitor.user_id)
    content = {"projects": projects, "purposes": {**PURPOSES, **FORBIDDEN}}
    return page(request, "projects", content)


@router.post("/api/projects", dependencies=needs(USER), status_code=201)
def make_project(body: NewProject, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """A new project; who asks owns it."""
    with store.writing(visitor.user_id) as change:
        project = add_project(
            change, body.name, purpose=body.purpose, justification=body.justification
        )
        return {"id": project.id}
