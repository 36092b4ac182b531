"""A request that is sent twice has one effect (W21).

A request that changes something may bear the header Idempotency-Key. The key is noted in the same
transaction as the change; the answer is kept after it, so that a repeated request gets the same
answer and changes nothing. Pieces of uploads need no key: they state their place in the file.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Send

from affectscope.errors import StoreError, WebError
from affectscope.store.database import OnceKey, Store, once_key
from affectscope.store.once import KeptAnswer, keep_answer, kept_answer
from affectscope.web.access import store_of, token_of

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
_LARGEST_ANSWER = 1 << 16
"""Bytes of an answer that is kept; a longer one is not."""


async def once(app: ASGIApp, request: Request, user_id: str, send: Send) -> None:
    """Serve a request that has passed the gate; a repeated one gets the answer of the first.

    Raises:
        WebError: E_REQUEST for a key that is none.
        StoreError: E_DONE_ALREADY where the answer was not kept; E_VALUE where the key came with
            another request before.
    """
    key = request.headers.get(HEADER)
    if key is None or not _may_bear_key(request):
        await app(request.scope, request.receive, send)
        return
    if not _KEY.fullmatch(key):
        raise WebError("E_REQUEST", f"{HEADER} has 1 to 100 printable ASCII characters.")
    try:
        body = await request.body()
    except ClientDisconnect:
        return
    asked = OnceKey(user_id, key, _hash(request, body))
    store = store_of(request)
    kept = await run_in_threadpool(_kept, store, asked)
    if kept is not None:
        await _replay(kept)(request.scope, request.receive, send)
        return
    recorder = _Recorder(send)
    mark = once_key.set(asked)
    try:
        await app(request.scope, _again(body, request.receive), recorder)
    finally:
        once_key.reset(mark)
    if recorder.answer is not None:
        await run_in_threadpool(_keep, store, asked, recorder.answer)


def _may_bear_key(request: Request) -> bool:
    kind = request.headers.get("content-type", "application/json")
    return request.method not in ("GET", "HEAD") and kind.startswith("application/json")


def _hash(request: Request, body: bytes) -> str:
    """Keyed with the login's token, which is kept nowhere: a body may hold a password, and what is
    kept of it must not help to guess that."""
    token = token_of(request) or ""
    digest = hmac.new(token.encode(errors="surrogatepass"), digestmod=hashlib.sha256)
    for part in (request.method.encode(), str(request.url).encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _kept(store: Store, asked: OnceKey) -> KeptAnswer | None:
    with store.reading() as session:
        return kept_answer(session, asked)


def _keep(store: Store, asked: OnceKey, answer: KeptAnswer) -> None:
    try:
        with store.writing(asked.user_id) as change:
            keep_answer(change, asked, answer)
    except StoreError:  # a repeated request is then told that it was done
        return


def _replay(kept: KeptAnswer) -> Response:
    return Response(kept.text, kept.status, media_type="application/json" if kept.text else None)


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """The body that was read already, then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give


class _Recorder:
    """Passes an answer on and keeps a copy. ``answer``: None until it is whole, where it is a fault
    of the server, or too long."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status, self._body = 0, b""
        self.answer: KeptAnswer | None = None

    async def __call__(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            if len(self._body) <= _LARGEST_ANSWER:
                self._body += message.get("body", b"")
            whole = not message.get("more_body", False)
            if whole and self._status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._keep()

    def _keep(self) -> None:
        if len(self._body) <= _LARGEST_ANSWER:
            self.answer = KeptAnswer(self._status, self._body.decode(errors="replace"))
