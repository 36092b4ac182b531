"""Errors as answers: a stable code, what is wrong, what to do; never a path, a stack or a name."""

from __future__ import annotations

import logging
import secrets
import traceback
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from affectscope.errors import AffectScopeError
from affectscope.web.templates import page

log = logging.getLogger(__name__)

STATUS: dict[str, HTTPStatus] = {
    "E_BUSY": HTTPStatus.SERVICE_UNAVAILABLE,
    "E_DATABASE": HTTPStatus.SERVICE_UNAVAILABLE,
    "E_DISK_FULL": HTTPStatus.INSUFFICIENT_STORAGE,
    "E_DONE_ALREADY": HTTPStatus.CONFLICT,
    "E_CONFLICT": HTTPStatus.CONFLICT,
    "E_NOT_FOUND": HTTPStatus.NOT_FOUND,
    "E_VALUE": HTTPStatus.UNPROCESSABLE_ENTITY,
    "E_CONSENT": HTTPStatus.FORBIDDEN,
    "E_PURPOSE": HTTPStatus.UNPROCESSABLE_ENTITY,
    "E_LOGIN": HTTPStatus.UNAUTHORIZED,
    "E_ACCESS": HTTPStatus.FORBIDDEN,
    "E_ORIGIN": HTTPStatus.FORBIDDEN,
    "E_TOO_MANY": HTTPStatus.TOO_MANY_REQUESTS,
    "E_TOO_LARGE": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "E_UPLOAD": HTTPStatus.CONFLICT,
    "E_REQUEST": HTTPStatus.BAD_REQUEST,
    "E_INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Codes with a status of their own; all others are 422: what was handed in cannot be used."""
_RETRY = {"E_BUSY": 2, "E_TOO_MANY": 30}
"""Seconds to wait before another try, where the error itself does not say (``wait``)."""
_CODES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "E_TOO_LARGE"}


def install(app: FastAPI) -> None:
    """Every error of this app becomes an answer."""
    app.add_exception_handler(AffectScopeError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def refusal(
    request: Request, error: AffectScopeError, detail: dict[str, Any] | None = None
) -> Response:
    """JSON for programs, a page for people."""
    status = STATUS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY)
    wait = getattr(error, "wait", _RETRY.get(error.code))
    headers = {} if wait is None else {"Retry-After": str(wait)}
    told = {"code": error.code, "sentence": error.sentence, "remedy": error.remedy}
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({**told, **(detail or {})}, status, headers)
    return page(request, "problem", {"problem": told}, status=status, headers=headers)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, AffectScopeError)
    return refusal(request, error, getattr(error, "detail", None))


async def _malformed(request: Request, error: Exception) -> Response:
    """Which field is wrong and how; not what was sent, which may be a password."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"field": ".".join(str(part) for part in found["loc"][1:]), "problem": found["msg"]}
        for found in error.errors()[:20]
    ]
    named = "; ".join(f"{fault['field'] or 'request'}: {fault['problem']}" for fault in wrong[:3])
    told = AffectScopeError("E_VALUE", f"The request is not as expected ({named}).")
    return refusal(request, told, {"fields": wrong})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    told = AffectScopeError(_CODES.get(status, "E_REQUEST"), status.phrase + ".")
    if status == HTTPStatus.NOT_FOUND:
        told = AffectScopeError("E_NOT_FOUND", "There is no such page.", "Go back to the projects.")
    answer = refusal(request, told)
    answer.status_code = error.status_code
    answer.headers.update(error.headers or {})
    return answer


async def _unexpected(request: Request, error: Exception) -> Response:
    """An id for whoever reports it; what happened stands in the log under the same id."""
    number = secrets.token_hex(6)
    where = "".join(traceback.format_tb(error.__traceback__))  # its message may hold a name
    route = getattr(request.scope.get("route"), "path", "?")
    log.error("fault %s at %s: %s\n%s", number, route, type(error).__name__, where)
    told = AffectScopeError(
        "E_INTERNAL",
        f"Something failed inside the program (fault {number}). Nothing that was saved is lost.",
        "Try again; if it stays, report the fault's number.",
    )
    return refusal(request, told, {"fault": number})
