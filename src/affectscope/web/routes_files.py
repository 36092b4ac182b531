"""The files of a session: sent in pieces, listed, downloaded, removed.

A piece is read as it comes and written bit by bit in a thread: memory does not grow with it, and a
browser that sends nothing more holds nobody up (W08).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from affectscope.errors import AffectScopeError, WebError
from affectscope.store.database import Store
from affectscope.store.files import file_of, files_of, remove_file
from affectscope.store.sessions import session_head
from affectscope.store.tables import Upload
from affectscope.store.upload_parts import Piece, received, tail_of, upload_of
from affectscope.store.uploads import (
    Announced,
    begin_upload,
    drop_upload,
    finish_upload,
    uploads_of,
)
from affectscope.web.access import TheStore, TheVisitor, editor, needs, reader
from affectscope.web.bodies import Body
from affectscope.web.downloads import disposition
from affectscope.web.templates import page

router = APIRouter()

LARGEST_PIECE = 8 << 20
"""Bytes of one piece of an upload."""
_AT_ONCE = 1 << 20
"""Bytes that are gathered before they are written."""
_ENOUGH = 1 << 53
"""Sizes below are exact numbers in a browser."""


class NewUpload(Body):
    name: str = Field(max_length=1000)
    size: int = Field(ge=0, lt=_ENOUGH)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", max_length=64)


@router.get(
    "/sessions/{session_id}/files", dependencies=needs(reader("session_id")),
    response_class=HTMLResponse,
)  # fmt: skip
def show_files(request: Request, session_id: str, store: TheStore) -> HTMLResponse:
    """The page of a session's files."""
    with store.reading() as session:
        content = {
            "head": session_head(session, session_id),
            "tab": "files",
            "files": files_of(session, session_id),
            "uploads": uploads_of(session, store.places, session_id),
            "largest": request.app.state.settings.largest_upload,
            "largest_piece": LARGEST_PIECE,
        }
    return page(request, "session_files", content)


@router.get("/api/sessions/{session_id}/files", dependencies=needs(reader("session_id")))
def list_files(session_id: str, store: TheStore) -> dict[str, Any]:
    """A session's files, and those on their way."""
    with store.reading() as session:
        files = files_of(session, session_id)
        uploads = uploads_of(session, store.places, session_id)
    return {
        "files": [
            {"id": file.id, "name": file.name, "size": file.size, "sha256": file.sha256}
            for file in files
        ],
        "uploads": [
            {"id": row.id, "name": row.name, "size": row.size, "received": row.received}
            for row in uploads
        ],
    }


@router.post(
    "/api/sessions/{session_id}/uploads", dependencies=needs(editor("session_id")), status_code=201
)
def announce(
    request: Request, session_id: str, body: NewUpload, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """A file is about to be sent."""
    with store.writing(visitor.user_id) as change:
        upload = begin_upload(
            change,
            session_id,
            announced=Announced(body.name, body.size, body.sha256),
            places=store.places,
            largest=request.app.state.settings.largest_upload,
        )
        return _state(store, upload)


@router.get("/api/uploads/{upload_id}", dependencies=needs(reader("upload_id")))
def ask_upload(upload_id: str, store: TheStore) -> dict[str, Any]:
    """How much is there, and the sha256 of its end, by which the sender knows its file again."""
    start, sha256 = tail_of(store.places, upload_id)
    told = _state(store, upload_of(store, upload_id))
    return {**told, "tail": {"start": start, "sha256": sha256}}


@router.put("/api/uploads/{upload_id}", dependencies=needs(editor("upload_id")))
async def send_piece(
    upload_id: str,
    request: Request,
    store: TheStore,
    offset: Annotated[int, Query(ge=0, lt=_ENOUGH)],
) -> dict[str, Any]:
    """A piece of the file, as raw bytes; answered when it is safe on the disk."""
    _check_piece(request.headers)
    chunks = _chunks(request)
    try:
        with await run_in_threadpool(Piece, store, upload_id, offset) as piece:
            async for chunk in chunks:
                await run_in_threadpool(piece.write, chunk)
            return {"received": await run_in_threadpool(piece.keep)}
    except AffectScopeError:
        async for _ in chunks:  # a browser reads the answer only when it has sent everything
            pass
        raise


@router.post("/api/uploads/{upload_id}/finish", dependencies=needs(editor("upload_id")))
def finish(upload_id: str, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """All pieces are there: they become a file of the session."""
    stored = finish_upload(store, upload_id, visitor.user_id)
    return {"id": stored.id, "name": stored.name, "size": stored.size, "sha256": stored.sha256}


@router.delete("/api/uploads/{upload_id}", dependencies=needs(editor("upload_id")))
def cancel(upload_id: str, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """Give an upload up."""
    drop_upload(store, upload_id, visitor.user_id)
    return {}


@router.delete(
    "/api/sessions/{session_id}/files/{file_id}", dependencies=needs(editor("session_id"))
)
def remove(session_id: str, file_id: str, store: TheStore, visitor: TheVisitor) -> dict[str, Any]:
    """Take a file out of the session."""
    remove_file(store, visitor.user_id, session_id=session_id, file_id=file_id)
    return {}


@router.get(
    "/sessions/{session_id}/files/{file_id}/content", dependencies=needs(reader("session_id")),
    response_class=FileResponse,
)  # fmt: skip
def download(session_id: str, file_id: str, store: TheStore, visitor: TheVisitor) -> FileResponse:
    """The original, as it was sent; never shown by the browser itself. That it was fetched is put
    on the audit trail."""
    with store.reading() as session:
        file = file_of(session, session_id, file_id)
    content = store.places.content(file.sha256)
    if not content.is_file():
        raise WebError(
            "E_NOT_FOUND", "The file's content is missing in the data folder.", "Add it again."
        )
    with store.writing(visitor.user_id) as change:
        change.audit("file.fetched", "file", file_id, {"session_id": session_id})
    headers = {
        "Content-Disposition": disposition(file.name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return FileResponse(content, headers=headers, media_type="application/octet-stream")


def _state(store: Store, upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "name": upload.name,
        "size": upload.size,
        "received": received(store.places, upload.id),
    }


def _check_piece(headers: Headers) -> None:
    """Raises WebError before anything of the body is read."""
    kind, length = headers.get("content-type", ""), headers.get("content-length", "")
    if kind != "application/octet-stream":
        raise WebError("E_REQUEST", "A piece is sent as application/octet-stream, nothing else.")
    if not length.isascii() or not length.isdigit():
        raise WebError("E_REQUEST", "A piece must say how long it is (Content-Length).")
    if len(length) > 18 or int(length) > LARGEST_PIECE:
        raise WebError("E_TOO_LARGE", f"A piece has at most {LARGEST_PIECE >> 20} MiB.")


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body in parts of about ``_AT_ONCE``. Where the browser goes away it ends early: what came
    is kept, and the browser asks later how much that is."""
    gathered = bytearray()
    try:
        async for data in request.stream():
            gathered += data
            if len(gathered) >= _AT_ONCE:
                yield bytes(gathered)
                gathered.clear()
    except ClientDisconnect:
        pass
    if gathered:
        yield bytes(gathered)
