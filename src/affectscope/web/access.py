"""Who may do what. Every route states its need; an app with a route that states none is refused.

A need names the least role and the path parameter whose project counts. Who is no member of that
project is told that there is no such thing (404, W14); a member with a lesser role is refused
(403). Both are put on the audit trail. A request that changes something must come from our own
page: same origin, and the login's own token in the header X-CSRF-Token (W11). ``gate`` asks all
this before anything else of a request is read. A WebSocket route states its need in the same way
(``dependencies=needs(reader("session_id"))``), and its handler may accept at once: the gate has
looked at origin, login and role, and closes the socket when they no longer hold (W13, W19).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal, NoReturn

from fastapi import Depends, FastAPI, Request
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute, APIWebSocketRoute

from affectscope.errors import StoreError, WebError
from affectscope.store.database import Store
from affectscope.store.membership import project_of, role_in
from affectscope.store.tables import Role
from affectscope.store.users import known_login, note_seen
from affectscope.web.settings import Settings

Who = Literal["anyone", "user", "administrator", "member"]
Of = Literal[
    "project_id", "subject_id", "session_id", "upload_id", "job_id", "result_id", "product_id"
]
COOKIE = "affectscope_login"
CSRF = "X-CSRF-Token"
SEEN_EVERY = timedelta(minutes=1)
"""How often a login that is in use is noted as such: not at every request, which costs a write."""
_READS = ("GET", "HEAD")
_IDENTITY = re.compile("[0-9a-f]{32}")


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


class Stated:
    """A route's need, as a dependency of it; it refuses where the gate was not passed."""

    def __init__(self, need: Need) -> None:
        self.need = need

    async def __call__(self, connection: HTTPConnection) -> None:
        if getattr(connection.state, "need", None) is not self.need:
            raise WebError("E_INTERNAL", "The request did not come through the gate.")


def needs(need: Need) -> list[Any]:
    """For ``dependencies=`` of a route or a WebSocket route."""
    return [Depends(Stated(need))]


def need_of(route: object) -> Need | None:
    """What a route states; None where it states nothing."""
    if not isinstance(route, APIRoute | APIWebSocketRoute):
        return None
    for dependency in route.dependencies:
        if isinstance(dependency.dependency, Stated):
            return dependency.dependency.need
    return None


def admit(connection: HTTPConnection, need: Need) -> Visitor | None:
    """Who asks, where the need is met; None: nobody is logged in, and nobody need be.

    Raises:
        WebError: E_ORIGIN, E_LOGIN, E_NOT_FOUND, E_ACCESS.
    """
    changes = isinstance(connection, Request) and connection.method not in _READS
    if changes or connection.scope["type"] == "websocket":
        check_origin(connection)
    visitor = visitor_of(connection)
    if need.who == "anyone":
        return visitor
    if visitor is None:
        raise WebError("E_LOGIN", "Nobody is logged in.", "Log in.")
    connection.state.visitor = visitor  # the page of a refusal tells who is logged in
    if changes:
        check_token(connection, visitor)
    try:
        return permitted(connection, need, visitor)
    except WebError as error:
        _note_denial(connection, visitor, error.code)
        raise


def still_allowed(connection: HTTPConnection, need: Need) -> bool:
    """Whether who was admitted would be so now: for connections that last."""
    visitor = visitor_of(connection)
    if visitor is None:
        return False
    try:
        permitted(connection, need, visitor)
    except WebError:
        return False
    return True


def permitted(connection: HTTPConnection, need: Need, visitor: Visitor) -> Visitor:
    """The visitor with his role. Raises WebError E_NOT_FOUND or E_ACCESS."""
    if need.who == "administrator" and not visitor.administrator:
        raise WebError("E_ACCESS", "This is for administrators.", "Ask one of them for it.")
    if need.who != "member":
        return visitor
    assert need.of is not None
    assert need.role is not None
    identity = connection.path_params[need.of]
    if not _IDENTITY.fullmatch(identity):
        _deny_existence()
    with store_of(connection).reading() as session:
        project_id = project_of(session, need.of.removesuffix("_id"), identity)
        role = None if project_id is None else role_in(session, visitor.user_id, project_id)
    if role is None:
        _deny_existence()
    if role < need.role:
        raise WebError(
            "E_ACCESS", "Your role does not allow this.", "Ask an owner of the project for it."
        )
    return replace(visitor, role=role, project_id=project_id)


def _deny_existence() -> NoReturn:
    raise WebError("E_NOT_FOUND", "There is no such thing here.", "Go back to the projects.")


def _note_denial(connection: HTTPConnection, visitor: Visitor, code: str) -> None:
    method = connection.scope.get("method", "WEBSOCKET")
    with store_of(connection).writing(visitor.user_id) as change:
        route = connection.scope["route"].path
        change.audit("denied", "route", route, {"method": method, "code": code})


def store_of(connection: HTTPConnection) -> Store:
    store: Store = connection.app.state.store
    return store


async def _store(connection: HTTPConnection) -> Store:
    return store_of(connection)


def settings_of(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


async def _visitor(connection: HTTPConnection) -> Visitor:
    visitor = connection.state.visitor
    assert isinstance(visitor, Visitor), "the route's need is a user at least"
    return visitor


TheStore = Annotated[Store, Depends(_store)]
TheVisitor = Annotated[Visitor, Depends(_visitor)]


def cookie_name(settings: Settings) -> str:
    """With TLS the prefix makes browsers refuse the cookie of any other host or path."""
    return COOKIE if settings.tls is None else f"__Host-{COOKIE}"


def token_of(connection: HTTPConnection) -> str | None:
    """The login's token as the browser sent it."""
    return connection.cookies.get(cookie_name(settings_of(connection))) or None


def visitor_of(connection: HTTPConnection) -> Visitor | None:
    """Who is logged in; None where nobody is. That the login is in use is noted now and then."""
    token = token_of(connection)
    if token is None:
        return None
    store = store_of(connection)
    at = store.clock()
    with store.reading() as session:
        known = known_login(session, token, at)
    if known is None:
        return None
    if connection.scope["type"] == "http" and abs(at - known.seen_at) >= SEEN_EVERY:
        _note_seen(store, token)
    return Visitor(known.user_id, known.name, known.administrator, known.csrf_token)


def _note_seen(store: Store, token: str) -> None:
    try:
        with store.writing(None) as change:
            note_seen(change, token)
    except StoreError:  # the next request will
        return


def check_origin(connection: HTTPConnection) -> None:
    """The browser's own word on where the request comes from. Raises WebError E_ORIGIN."""
    scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
    ours = f"{scheme}://{connection.headers.get('host', '')}"
    site = connection.headers.get("sec-fetch-site", "same-origin")
    if connection.headers.get("origin") != ours or site != "same-origin":
        raise WebError("E_ORIGIN", "The request comes from another page.", "Use the page itself.")


def check_token(connection: HTTPConnection, visitor: Visitor) -> None:
    """Raises WebError E_ORIGIN."""
    sent = connection.headers.get(CSRF, "")
    if not secrets.compare_digest(sent.encode(), visitor.csrf_token.encode()):
        raise WebError(
            "E_ORIGIN", "The page is no longer valid.", "Load it again; nothing was changed."
        )


def check_needs(app: FastAPI, without: Sequence[str] = ()) -> None:
    """Refuse an app in which a route states no need; ``without``: paths of mounted files."""
    for route in app.routes:
        path = getattr(route, "path", "")
        if path not in without:
            assert need_of(route) is not None, f"{path} is no route that states its need"
