"""Projects: the list, a project's sessions and people, and what changes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from affectscope.store.projects import add_project, project_head, projects_of, rename_project
from affectscope.store.purposes import ARTICLE, FORBIDDEN, LEAST_JUSTIFICATION, PURPOSES
from affectscope.store.session_list import STATES, Asked, Direction, SortKey, sessions_of_project
from affectscope.store.subjects import PAGE_ROWS, add_subject, subjects_of
from affectscope.web.access import USER, TheStore, TheVisitor, editor, needs, owner, reader
from affectscope.web.bodies import Body, Version
from affectscope.web.templates import page

router = APIRouter()

PageNumber = Annotated[int, Query(ge=1, le=1_000_000, alias="page")]
Search = Annotated[str, Query(max_length=200)]


class NewProject(Body):
    name: str = Field(min_length=1, max_length=200)
    purpose: str = Field(max_length=50)
    justification: str = Field(default="", max_length=2000)


class ProjectName(Body):
    name: str = Field(min_length=1, max_length=200)
    version: Version


class NewSubject(Body):
    pseudonym: str = Field(min_length=1, max_length=200)


def printable(search: str) -> str:
    """What is searched for; what no name can hold finds nothing, and no database is asked it."""
    return "".join(letter for letter in search if letter.isprintable()).strip()


async def asked_sessions(
    number: PageNumber = 1,
    search: Search = "",
    sort: SortKey = "date",
    direction: Direction = "descending",
) -> Asked:
    return Asked(printable(search), sort, direction, number)


@router.get("/", dependencies=needs(USER), response_class=HTMLResponse)
def home(request: Request, store: TheStore, visitor: TheVisitor) -> HTMLResponse:
    """All projects of the user."""
    with store.reading() as session:
        projects = projects_of(session, visitor.user_id)
    content = {
        "projects": projects,
        "purposes": PURPOSES,
        "forbidden": FORBIDDEN,
        "article": ARTICLE,
        "least_justification": LEAST_JUSTIFICATION,
    }
    return page(request, "projects", content)


@router.get(
    "/projects/{project_id}",
    dependencies=needs(reader("project_id")),
    response_class=HTMLResponse,
)
def show_sessions(
    request: Request,
    project_id: str,
    store: TheStore,
    asked: Annotated[Asked, Depends(asked_sessions)],
) -> HTMLResponse:
    """The project's sessions."""
    with store.reading() as session:
        head = project_head(session, project_id)
        found = sessions_of_project(session, project_id, asked)
    content = {
        "project": head,
        "tab": "sessions",
        "found": found,
        "states": STATES,
        **asdict(asked),
        "pages": pages_of(found.count),
    }
    return page(request, "project", content)


@router.get(
    "/projects/{project_id}/people",
    dependencies=needs(reader("project_id")),
    response_class=HTMLResponse,
)
def show_people(
    request: Request,
    project_id: str,
    store: TheStore,
    number: PageNumber = 1,
    search: Search = "",
) -> HTMLResponse:
    """The project's people."""
    search = printable(search)
    with store.reading() as session:
        head = project_head(session, project_id)
        found = subjects_of(session, project_id, search=search, page=number)
    content = {
        "project": head,
        "tab": "people",
        "found": found,
        "search": search,
        "page": number,
        "pages": pages_of(found.count),
    }
    return page(request, "people", content)


@router.post("/api/projects", dependencies=needs(USER), status_code=201)
def make_project(body: NewProject, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """A new project; who asks owns it."""
    with store.writing(visitor.user_id) as change:
        project = add_project(
            change, body.name, purpose=body.purpose, justification=body.justification
        )
        return {"id": project.id}


@router.patch("/api/projects/{project_id}", dependencies=needs(owner("project_id")))
def change_project(
    project_id: str, body: ProjectName, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Another name for it."""
    with store.writing(visitor.user_id) as change:
        version = rename_project(change, project_id, body.name, seen_version=body.version)
    return {"version": version}


@router.post(
    "/api/projects/{project_id}/subjects",
    dependencies=needs(editor("project_id")),
    status_code=201,
)
def make_subject(
    project_id: str, body: NewSubject, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """A new person."""
    with store.writing(visitor.user_id) as change:
        return {"id": add_subject(change, project_id, body.pseudonym).id}


def pages_of(count: int) -> int:
    """How many pages a list of so many rows has; an empty one has one."""
    return max(1, -(-count // PAGE_ROWS))
