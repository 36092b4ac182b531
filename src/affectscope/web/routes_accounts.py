"""The first start, logging in and out, and one's own password."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from affectscope.errors import StoreError, WebError
from affectscope.store.database import Change
from affectscope.store.first_start import forget_first_token, is_first_token
from affectscope.store.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD, Passwords
from affectscope.store.users import (
    ABSOLUTE,
    IDLE,
    Credentials,
    add_user,
    begin_login,
    credentials_of,
    end_login,
    has_users,
    renew_hash,
    set_password,
    still_holds,
    typed,
)
from affectscope.web.access import (
    ANYONE,
    USER,
    TheStore,
    TheVisitor,
    cookie_name,
    needs,
    settings_of,
    store_of,
    token_of,
)
from affectscope.web.bodies import Body
from affectscope.web.login_limits import LoginLimits
from affectscope.web.templates import page

router = APIRouter()

Name = Annotated[str, Field(min_length=1, max_length=100)]
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


class Owner(Body):
    token: str = Field(min_length=1, max_length=200)
    name: Name
    password: Password


class LogIn(Body):
    name: Name
    password: Password


class NewPassword(Body):
    old: Password
    new: Password


@router.get("/start", dependencies=needs(ANYONE), response_class=HTMLResponse)
def start_page(request: Request, store: TheStore) -> Response:
    """Makes the first user, for who has the link that the program printed."""
    with store.reading() as session:
        if has_users(session):
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    return page(request, "start", {"shortest": SHORTEST_PASSWORD})


@router.post("/api/owner", dependencies=needs(ANYONE), status_code=201)
def make_owner(
    body: Owner, request: Request, response: Response, store: TheStore
) -> dict[str, Any]:
    """The first user, an administrator, who is then logged in. It works once."""
    if not is_first_token(store.places, body.token):
        raise WebError(
            "E_LOGIN",
            "The link of the first start is not valid, or no longer.",
            "Start the program again and open the link that it prints.",
        )
    with store.writing(None) as change:
        if has_users(change.session):
            raise StoreError("E_CONFLICT", "There is a user already.", "Log in.")
        user = add_user(
            change, body.name, body.password, administrator=True, passwords=passwords_of(request)
        )
        _begin(request, response, change, user.id)
    forget_first_token(store.places)
    return {"id": user.id}


@router.get("/login", dependencies=needs(ANYONE), response_class=HTMLResponse)
def login_page(
    request: Request,
    store: TheStore,
    asked: Annotated[str, Query(alias="next", max_length=2000)] = "",
) -> Response:
    """Name and password; then on to where the visitor wanted to go."""
    if request.state.visitor is not None:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    with store.reading() as session:
        if not has_users(session):
            return RedirectResponse("/start", HTTPStatus.SEE_OTHER)
    return page(request, "login", {"next": local_path(asked)})


@router.post("/api/login", dependencies=needs(ANYONE))
def log_in(body: LogIn, request: Request, response: Response, store: TheStore) -> dict[str, Any]:
    """Begins a new login and ends the one that this browser had."""
    tried = _tried(request, body.name, body.password)
    renewed = passwords_of(request).renewed(tried.password_hash, body.password)
    with store.writing(tried.user_id) as change:
        if not still_holds(change, tried):
            raise _refused()
        if renewed is not None:
            renew_hash(change, tried.user_id, renewed)
        _begin(request, response, change, tried.user_id)
    return {}


@router.post("/api/logout", dependencies=needs(USER))
def log_out(
    request: Request, response: Response, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Ends the login of this browser."""
    token = token_of(request)
    assert token is not None, "the visitor was known by it"
    with store.writing(visitor.user_id) as change:
        end_login(change, token)
    response.delete_cookie(**_cookie(request))
    return {}


@router.get("/account", dependencies=needs(USER), response_class=HTMLResponse)
def account_page(request: Request) -> HTMLResponse:
    """One's own name and password."""
    content = {
        "shortest": SHORTEST_PASSWORD,
        "idle_minutes": IDLE // timedelta(minutes=1),
        "hours": ABSOLUTE // timedelta(hours=1),
    }
    return page(request, "account", content)


@router.post("/api/password", dependencies=needs(USER))
def change_password(
    body: NewPassword, request: Request, response: Response, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """A password of one's own choice; all other logins end, this one gets a new token."""
    try:
        _tried(request, visitor.name, body.old)
    except WebError as error:
        if error.code != "E_LOGIN":
            raise
        raise StoreError("E_VALUE", "The present password is another one.") from None
    password_hash = passwords_of(request).hash(visitor.name, body.new)
    with store.writing(visitor.user_id) as change:
        set_password(change, visitor.user_id, password_hash)
        _begin(request, response, change, visitor.user_id)
    return {}


def _tried(request: Request, name: str, password: str) -> Credentials:
    """Whose name and password these are. All refusals look and cost alike (W12).

    Raises:
        WebError: E_LOGIN, E_TOO_MANY.
    """
    address = request.client.host if request.client else ""
    limits, store = limits_of(request), store_of(request)
    limits.begin(typed(name), address)
    with store.reading() as session:
        found = credentials_of(session, name)
    fits = passwords_of(request).fits(None if found is None else found.password_hash, password)
    if found is None or not fits or found.disabled:
        with store.writing(None) as change:
            change.audit("login.failed", "user", "" if found is None else found.user_id)
        raise _refused()
    limits.succeeded(typed(name), address)
    return found


def _refused() -> WebError:
    return WebError("E_LOGIN", "Name and password do not fit.", "Check both and try again.")


def _begin(request: Request, response: Response, change: Change, user_id: str) -> None:
    """A new token at every login: one that was there before is worth nothing (W13)."""
    old = token_of(request)
    if old is not None:
        end_login(change, old)
    response.set_cookie(**_cookie(request), value=begin_login(change, user_id))


def _cookie(request: Request) -> dict[str, Any]:
    """The login's cookie: for this host alone, out of reach of scripts and other pages."""
    settings = settings_of(request)
    return {
        "key": cookie_name(settings),
        "path": "/",
        "httponly": True,
        "secure": settings.tls is not None,
        "samesite": "strict",
    }


def local_path(asked: str) -> str:
    """Where to go after logging in: a path of this page, never another address (W27)."""
    return asked if _LOCAL_PATH.fullmatch(asked) else "/"


def passwords_of(request: Request) -> Passwords:
    state = request.app.state
    if not hasattr(state, "passwords"):
        state.passwords = Passwords()
    passwords: Passwords = state.passwords
    return passwords


def limits_of(request: Request) -> LoginLimits:
    limits: LoginLimits = request.app.state.login_limits
    return limits
