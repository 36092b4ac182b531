"""What every request must be like and every answer bears, around the whole application.

Answers bear the headers of ``SECURITY``; a route that set one of them keeps its own. A request
whose Host is none of ours is refused (400, W27): a foreign name that leads to this machine must not
make a browser take a stranger's page for ours. So is one that is too large (413), states no length
(411), or stops arriving (408, W08).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from http import HTTPStatus

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affectscope.web.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self' blob:; connect-src 'self'; font-src 'self'; form-action 'self';"
    " frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)
SECURITY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
LARGEST_BODY = 1 << 20
LARGEST_PIECE = 16 << 20
"""Bytes of a request's body; the second is for ``PUT /api/uploads/...``."""
LONGEST_PAUSE = 20.0
"""Seconds within which the next part of a body must come."""
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REFUSED = {
    HTTPStatus.BAD_REQUEST: ("E_REQUEST", "This address is not the page's own."),
    HTTPStatus.LENGTH_REQUIRED: ("E_REQUEST", "The request does not say how long it is."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("E_TOO_LARGE", "The request is too large."),
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Frontier:
    """The application inside; nothing leaves it without the headers, nothing too large comes in."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = Hosts(settings)
        self._added = dict(SECURITY)
        if settings.tls is not None:
            self._added["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket" and not self._hosts.are_ours(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 4400})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        largest = _largest(scope)
        refused = None if self._hosts.are_ours(headers) else HTTPStatus.BAD_REQUEST
        refused = refused or _unfit_length(scope["method"], headers, largest)
        if refused is not None:
            code, sentence = _REFUSED[refused]
            told = {"code": code, "sentence": sentence, "remedy": ""}
            await JSONResponse(told, refused, {"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, _limited(receive, largest), send)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        static = scope["path"].startswith("/static/")

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._added.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache" if static else "no-store")
            await send(message)

        return add


class Hosts:
    """What the header Host may say: how a browser names the address that we listen at.

    On loopback that is any of its names. An address of all networks (0.0.0.0) has no name of its
    own: then any literal address will do, and this machine's name. A foreign name never does.
    """

    def __init__(self, settings: Settings) -> None:
        host = settings.host
        self._names = {f"[{host}]" if ":" in host else host.lower()}
        self._any_address = host in ("0.0.0.0", "::")
        if self._any_address or is_loopback(host):
            self._names |= _LOCAL
        if self._any_address:
            self._names |= {socket.gethostname().lower()}
        self._port = str(settings.port)
        self._no_port = settings.port == (80 if settings.tls is None else 443)

    def are_ours(self, headers: Headers) -> bool:
        stated = headers.getlist("host")
        if len(stated) != 1:
            return False
        name, colon, port = stated[0].lower().rpartition(":")
        if not colon or port.endswith("]"):  # [::1] without a port
            name, port = stated[0].lower(), self._port if self._no_port else ""
        return port == self._port and (name in self._names or self._is_address(name))

    def _is_address(self, name: str) -> bool:
        if not self._any_address:
            return False
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


def _largest(scope: Scope) -> int:
    piece = scope["method"] == "PUT" and scope["path"].startswith("/api/uploads/")
    return LARGEST_PIECE if piece else LARGEST_BODY


def _unfit_length(method: str, headers: Headers, largest: int) -> HTTPStatus | None:
    length = headers.get("content-length")
    if length is None:
        open_end = method in ("POST", "PUT", "PATCH") and "transfer-encoding" not in headers
        return HTTPStatus.LENGTH_REQUIRED if open_end else None
    if not length.isascii() or not length.isdigit() or len(length) > 18:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if int(length) > largest else None


def _limited(receive: Receive, largest: int) -> Receive:
    """What comes, until it is too much or does not go on; then HTTPException 413 or 408."""
    taken, whole = 0, False

    async def take() -> Message:
        nonlocal taken, whole
        if whole:  # what is awaited now is the end of the connection
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), LONGEST_PAUSE)
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > largest:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return take
