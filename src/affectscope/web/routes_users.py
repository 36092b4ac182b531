"""For administrators: who may log in, and the audit trail."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from affectscope.errors import WebError
from affectscope.store.audit_check import check
from affectscope.store.audit_pages import audit_rows
from affectscope.store.passwords import SHORTEST_PASSWORD
from affectscope.store.users import ListedUser, UserChange, add_user, change_user, users
from affectscope.web.access import ADMINISTRATOR, TheStore, TheVisitor, needs
from affectscope.web.bodies import LARGEST_NUMBER, Body, Version
from affectscope.web.routes_accounts import Name, Password, passwords_of
from affectscope.web.templates import page

router = APIRouter()

_IDENTITY = re.compile("[0-9a-f]{32}")
_ROWS = 100
"""Of the audit trail on a page."""


class NewUser(Body):
    name: Name
    password: Password
    administrator: bool = False


class ChangedUser(Body):
    version: Version
    administrator: bool | None = None
    disabled: bool | None = None
    password: Password | None = None


@router.get("/users", dependencies=needs(ADMINISTRATOR), response_class=HTMLResponse)
def users_page(request: Request, store: TheStore) -> HTMLResponse:
    """All users; adding, changing and disabling them."""
    with store.reading() as session:
        content = {"users": users(session), "shortest": SHORTEST_PASSWORD}
    return page(request, "users", content)


@router.get("/api/users", dependencies=needs(ADMINISTRATOR))
def list_users(store: TheStore) -> dict[str, Any]:
    """All users, by name."""
    with store.reading() as session:
        return {"users": [_told(user) for user in users(session)]}


@router.post("/api/users", dependencies=needs(ADMINISTRATOR), status_code=201)
def make_user(
    body: NewUser, request: Request, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """A new user, who may see no project until an owner makes him a member."""
    passwords = passwords_of(request)
    with store.writing(visitor.user_id) as change:
        user = add_user(
            change,
            body.name,
            body.password,
            administrator=body.administrator,
            passwords=passwords,
        )
        return {"id": user.id}


@router.patch("/api/users/{user_id}", dependencies=needs(ADMINISTRATOR))
def alter_user(
    user_id: str, body: ChangedUser, request: Request, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Another role, password or state; it takes effect at the user's next request."""
    if not _IDENTITY.fullmatch(user_id):
        raise WebError("E_NOT_FOUND", "There is no such user.", "Load the page again.")
    asked = UserChange(body.administrator, body.disabled, body.password)
    passwords = passwords_of(request)
    with store.writing(visitor.user_id) as change:
        version = change_user(
            change, user_id, asked, seen_version=body.version, passwords=passwords
        )
        return {"version": version}


@router.get("/audit", dependencies=needs(ADMINISTRATOR), response_class=HTMLResponse)
def audit_trail(
    request: Request,
    store: TheStore,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)] = None,
) -> HTMLResponse:
    """Who did what, newest first; with the newest stands whether the trail is whole (W23)."""
    with store.reading() as session:
        rows = audit_rows(session, before=before, count=_ROWS + 1)
    shown = [{"row": row, "detail": _facts(row.detail)} for row in rows[:_ROWS]]
    older = rows[_ROWS - 1].sequence if len(rows) > _ROWS else None
    state = check(store) if before is None else None
    content = {"rows": shown, "older": older, "newest": before is None, "state": state}
    return page(request, "audit", content)


def _facts(detail: str) -> list[tuple[str, str]]:
    """An audit row's detail as names and values."""
    found: dict[str, Any] = json.loads(detail)
    return [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in found.items()
    ]


def _told(user: ListedUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "administrator": user.administrator,
        "disabled": user.disabled,
        "created_at": user.created_at.isoformat(),
        "version": user.version,
    }
