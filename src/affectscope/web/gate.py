"""The gate of every route: nothing of a request is read before the route's need is met.

Pages that nobody is logged in for lead to the log-in page. A WebSocket is refused with code 4401
(no login), 4403 (other origin, or role), 4404 (no such thing) or 4429 (too many); it is asked again
every ``CHECK_EVERY`` seconds whether it may stay, so that it ends soon after a logout, a change of
role, or the end of the account (W13, W19). Its handler need not see to any of this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from urllib.parse import quote

import anyio
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from affectscope.errors import WebError
from affectscope.store.users import has_users
from affectscope.web.access import Need, admit, need_of, still_allowed, store_of
from affectscope.web.once import once

CHECK_EVERY = 2.0
"""Seconds between two looks at whether a WebSocket may stay."""
SOCKETS_OF_A_USER = 20
SOCKETS = 200
CLOSED = {"E_LOGIN": 4401, "E_ORIGIN": 4403, "E_ACCESS": 4403, "E_NOT_FOUND": 4404}
_TOO_MANY = 4429


def add_routes(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Put routes into an app, each behind its gate; the app's list stays flat, so that each can be
    asked its need."""
    sockets = getattr(app.state, "sockets", None) or OpenSockets()
    app.state.sockets = sockets
    for route in routes:
        need = need_of(route)
        assert need is not None, f"{getattr(route, 'path', route)} states no need"
        gated = copy(route)  # the module's own route may stand in several apps
        if isinstance(gated, APIWebSocketRoute):
            assert need.who != "anyone", f"{gated.path} is open to all"
            gated.app = SocketGate(gated.app, need, sockets)
        else:
            assert isinstance(gated, APIRoute)
            gated.app = Gate(gated.app, need)
        app.router.routes.append(gated)


class Gate:
    """Around an HTTP route."""

    def __init__(self, app: ASGIApp, need: Need) -> None:
        self.inner, self._need = app, need

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            visitor = await run_in_threadpool(admit, request, self._need)
        except WebError as refused:
            if refused.code != "E_LOGIN" or not asks_for_page(request):
                raise
            response = RedirectResponse(await run_in_threadpool(_way_in, request), 303)
            await response(scope, receive, send)
            return
        request.state.visitor, request.state.need = visitor, self._need
        if visitor is None:
            await self.inner(scope, receive, send)
        else:
            await once(self.inner, request, visitor.user_id, send)


def asks_for_page(request: Request) -> bool:
    """Whether a person's browser wants to show what comes."""
    return (
        request.method == "GET"
        and "text/html" in request.headers.get("accept", "")
        and not request.url.path.startswith("/api/")
    )


def _way_in(request: Request) -> str:
    """Where somebody who is not logged in goes first."""
    with store_of(request).reading() as session:
        if not has_users(session):
            return "/start"
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/login" if asked == "/" else f"/login?next={quote(asked, safe='')}"


class OpenSockets:
    """How many WebSockets are open, of each user and in all; they belong to one event loop."""

    def __init__(self) -> None:
        self.of_users: Counter[str] = Counter()

    @contextmanager
    def one_more(self, user_id: str) -> Iterator[bool]:
        """Whether there is room; the place is held until the block ends."""
        room = self.of_users[user_id] < SOCKETS_OF_A_USER and self.of_users.total() < SOCKETS
        self.of_users[user_id] += room
        try:
            yield room
        finally:
            self.of_users[user_id] -= room
            self.of_users += Counter()  # drops those at 0


class SocketGate:
    """Around a WebSocket route."""

    def __init__(self, app: ASGIApp, need: Need, sockets: OpenSockets) -> None:
        self.inner, self._need, self._sockets = app, need, sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        try:
            visitor = await run_in_threadpool(admit, websocket, self._need)
        except WebError as refused:
            await _close(send, CLOSED.get(refused.code, 4403))
            return
        assert visitor is not None
        websocket.state.visitor, websocket.state.need = visitor, self._need
        with self._sockets.one_more(visitor.user_id) as room:
            if room:
                await self._while_admitted(websocket, receive, send)
            else:
                await _close(send, _TOO_MANY)

    async def _while_admitted(self, websocket: WebSocket, receive: Receive, send: Send) -> None:
        fault: Exception | None = None
        refused = False

        async def watch() -> None:
            nonlocal refused
            while await run_in_threadpool(still_allowed, websocket, self._need):
                await anyio.sleep(CHECK_EVERY)
            refused = True
            together.cancel_scope.cancel()

        async with anyio.create_task_group() as together:
            together.start_soon(watch)
            try:
                await self.inner(websocket.scope, receive, send)
            except WebSocketDisconnect:  # the browser's own end
                pass
            except Exception as error:  # raised below, not as one of a group
                fault = error
            together.cancel_scope.cancel()
        if fault is not None:
            raise fault
        if refused:
            await _close(send, CLOSED["E_LOGIN"])


async def _close(send: Send, code: int) -> None:
    await send({"type": "websocket.close", "code": code})
