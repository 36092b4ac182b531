"""Members of a project and their roles."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from affectscope.errors import StoreError
from affectscope.store.members import members_of, put_member, remove_member
from affectscope.store.projects import project_head
from affectscope.store.tables import Role
from affectscope.web.access import TheStore, TheVisitor, needs, owner, reader
from affectscope.web.bodies import Body
from affectscope.web.templates import page

router = APIRouter()

ROLES: dict[str, str] = {
    "reader": "sees sessions, results, reports and the study",
    "editor": "also uploads, sets up, marks, scores, rejects results, fills in questionnaires",
    "owner": "also records consent, exports, erases, and says who is a member",
}


class NamedMember(Body):
    name: str = Field(min_length=1, max_length=100)
    role: Literal["reader", "editor", "owner"]


@router.get(
    "/projects/{project_id}/members",
    dependencies=needs(reader("project_id")),
    response_class=HTMLResponse,
)
def show_members(request: Request, project_id: str, store: TheStore) -> HTMLResponse:
    """Who belongs to the project."""
    with store.reading() as session:
        head = project_head(session, project_id)
        members = members_of(session, project_id)
    content = {"project": head, "tab": "members", "members": members, "roles": ROLES}
    return page(request, "members", content)


@router.put("/api/projects/{project_id}/members", dependencies=needs(owner("project_id")))
def set_member(
    project_id: str, body: NamedMember, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Add a user by his name, or change a member's role."""
    with store.writing(visitor.user_id) as change:
        user_id = put_member(change, project_id, body.name, Role[body.role.upper()])
    if user_id is None:
        raise StoreError(
            "E_NOT_FOUND", "No user has this name.", "An administrator makes accounts, at Users."
        )
    return {"user_id": user_id, "role": body.role}


@router.delete(
    "/api/projects/{project_id}/members/{user_id}", dependencies=needs(owner("project_id"))
)
def drop_member(
    project_id: str, user_id: str, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """The user is no member any more."""
    with store.writing(visitor.user_id) as change:
        remove_member(change, project_id, user_id)
    return {"removed": user_id}
