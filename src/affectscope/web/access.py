"""Who may do what. Every route states its need; an app with a route that states none is refused.

A need names the least role and the path parameter whose project counts. Who is no member of that
project is told that there is no such thing (404, W14); a member with a lesser role is refused
(403). Both are put on the audit trail. A request that changes something must come from our own
page: same origin, and the login's own token in the header X-CSRF-Token (W11).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute

from affectscope.errors import WebError
from affectscope.store.database import Store
from affectscope.store.membership import project_of, role_in
from affectscope.store.tables import Role
from affectscope.store.users import known_login

Who = Literal["anyone", "user", "administrator", "member"]
Of = Literal[
    "project_id", "subject_id", "session_id", "upload_id", "job_id", "result_id", "product_id"
]
COOKIE = "affectscope_login"
CSRF = "X-CSRF-Token"


@dataclass(frozen=True)
class Visitor:
    """Who is logged in. ``role`` is the role in the project that the route is about, ``project_id``
    that project; None where it is about none. ``csrf_token`` goes into pages."""

    user_id: str
    name: str
    administrator: bool
    csrf_token: str
    role: Role | None = None
    project_id: str | None = None


@dataclass(frozen=True)
class Need:
    """What a route asks of who calls it; ``role`` and ``of`` for members only."""

    who: Who
    role: Role | None = None
    of: Of | None = None


ANYONE = Need("anyone")
USER = Need("user")
ADMINISTRATOR = Need("administrator")


def reader(of: Of) -> Need:
    return Need("member", Role.READER, of)


def editor(of: Of) -> Need:
    return Need("member", Role.EDITOR, of)


def owner(of: Of) -> Need:
    return Need("member", Role.OWNER, of)


class Guard:
    """The dependency that checks a need, before anything of the request is read."""

    def __init__(self, need: Need) -> None:
        self.need = need

    def __call__(self, request: Request) -> None:
        changes = request.method not in ("GET", "HEAD")
        if changes:
            check_origin(request)
        visitor = visitor_of(request)
        request.state.visitor = visitor
        if self.need.who == "anyone":
            return
        if visitor is None:
            raise WebError("E_LOGIN", "Nobody is logged in.", "Log in.")
        if changes:
            check_token(request, visitor)
        if self.need.who == "administrator" and not visitor.administrator:
            self._deny(request, visitor, "E_ACCESS")
        if self.need.who == "member":
            request.state.visitor = self._member(request, visitor)

    def _member(self, request: Request, visitor: Visitor) -> Visitor:
        need = self.need
        assert need.of is not None
        assert need.role is not None
        with store_of(request).reading() as session:
            identity = request.path_params[need.of]
            project_id = project_of(session, need.of.removesuffix("_id"), identity)
            role = None if project_id is None else role_in(session, visitor.user_id, project_id)
        if role is None:
            self._deny(request, visitor, "E_NOT_FOUND")
        elif role < need.role:
            self._deny(request, visitor, "E_ACCESS")
        return replace(visitor, role=role, project_id=project_id)

    def _deny(self, request: Request, visitor: Visitor, code: str) -> None:
        with store_of(request).writing(visitor.user_id) as change:
            route = request.scope["route"].path
            change.audit("denied", "route", route, {"method": request.method, "code": code})
        if code == "E_NOT_FOUND":
            raise WebError(code, "There is no such thing here.", "Go back to the projects.")
        raise WebError(
            code, "Your role does not allow this.", "Ask an owner of the project for it."
        )


def needs(need: Need) -> list[Any]:
    """For ``dependencies=`` of a route."""
    return [Depends(Guard(need))]


def need_of(route: APIRoute) -> Need | None:
    """What a route states; None where it states nothing."""
    for dependency in route.dependencies:
        if isinstance(dependency.dependency, Guard):
            return dependency.dependency.need
    return None


def store_of(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _visitor(request: Request) -> Visitor:
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor), "the route's need is a user at least"
    return visitor


TheStore = Annotated[Store, Depends(store_of)]
TheVisitor = Annotated[Visitor, Depends(_visitor)]


def visitor_of(request: Request) -> Visitor | None:
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    store = store_of(request)
    with store.reading() as session:
        known = known_login(session, token, store.clock())
    if known is None:
        return None
    return Visitor(known.user_id, known.name, known.administrator, known.csrf_token)


def check_origin(request: Request) -> None:
    """The browser's own word on where the request comes from. Raises WebError E_ORIGIN."""
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise WebError("E_ORIGIN", "The request comes from another page.", "Use the page itself.")


def check_token(request: Request, visitor: Visitor) -> None:
    """Raises WebError E_ORIGIN."""
    sent = request.headers.get(CSRF, "")
    if not secrets.compare_digest(sent.encode(), visitor.csrf_token.encode()):
        raise WebError(
            "E_ORIGIN", "The page is no longer valid.", "Load it again; nothing was changed."
        )


def check_needs(app: FastAPI, without: Sequence[str] = ()) -> None:
    """Refuse an app in which a route states no need; ``without``: paths of mounted files."""
    for route in app.routes:
        path = getattr(route, "path", "")
        if path in without:
            continue
        assert isinstance(route, APIRoute), f"{path} is no route that states its need"
        assert need_of(route) is not None, f"{path} states no need"
