"""The gate: sockets, the way to the log-in page, the note that a login is in use."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, WebSocket
from sqlalchemy import update
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from affectscope.store.tables import Membership, User
from affectscope.store.users import IDLE, known_login
from affectscope.web import gate, patient_protocol
from affectscope.web.access import COOKIE, needs, reader
from affectscope.web.serving import LARGEST_FRAME, config_of, listen

SOCKET = "ws://127.0.0.1:8420/ws/echo/"


@pytest.fixture
def echo(site: Any) -> Any:
    """The site with a socket that gives back what it is sent."""
    router = APIRouter()

    @router.websocket("/ws/echo/{session_id}", dependencies=needs(reader("session_id")))
    async def give_back(websocket: WebSocket, session_id: str) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(await websocket.receive_text())

    gate.add_routes(site.app, router.routes)
    return site


def _refusal(client: Any, address: str, **headers: str) -> int:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect(address, headers=headers),
    ):
        pass
    code: int = closed.value.code
    return code


def test_W19_a_socket_needs_our_origin_a_login_and_membership(echo: Any) -> None:
    address = SOCKET + echo.session_id
    assert _refusal(echo.client(), address) == 4401
    assert _refusal(echo.client("mallory"), address) == 4404
    rita = echo.client("rita")
    for origin in ("http://evil.example", "null", "", "ws://127.0.0.1:8420", "http://127.0.0.1"):
        assert _refusal(rita, address, Origin=origin) == 4403
    assert _refusal(rita, address, Host="evil.example:8420") == 4400
    with rita.websocket_connect(address) as socket:
        socket.send_text("here")
        assert socket.receive_text() == "here"


def _log_out(site: Any, name: str, client: Any) -> None:
    assert client.post("/api/logout").status_code == 200


def _leave(site: Any, name: str, client: Any) -> None:
    with site.store.writing(None) as change:
        change.session.delete(change.session.get(Membership, (site.project_id, site.users[name])))


def _disable(site: Any, name: str, client: Any) -> None:
    with site.store.writing(None) as change:
        question = update(User).where(User.id == site.users[name])
        change.session.execute(question.values(disabled=True))


def _idle(site: Any, name: str, client: Any) -> None:
    site.clock.turn(seconds=IDLE.total_seconds() + 1)


def test_W13_an_open_socket_ends_with_the_login_the_role_or_the_account(
    echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate.CHECK_EVERY <= 4, "closed within 5 s"
    monkeypatch.setattr(gate, "CHECK_EVERY", 0.02)
    ends = {"rita": _log_out, "edgar": _leave, "olga": _disable, "anna": _idle}
    for name, end in ends.items():
        client = echo.client(name)
        with client.websocket_connect(SOCKET + echo.session_id) as socket:
            socket.send_text("here")
            assert socket.receive_text() == "here"
            end(echo, name, client)
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
        assert closed.value.code == 4401, name


def test_W19_a_user_and_all_users_together_have_so_many_sockets_and_get_them_back() -> None:
    sockets = gate.OpenSockets()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "SOCKETS_OF_A_USER", 2)
        patch.setattr(gate, "SOCKETS", 3)
        with sockets.one_more("a") as first, sockets.one_more("a") as second:
            assert (first, second) == (True, True)
            with sockets.one_more("a") as third:
                assert not third
            with sockets.one_more("b") as other, sockets.one_more("c") as too_many:
                assert (other, too_many) == (True, False)
            with sockets.one_more("c") as again:
                assert again
    assert not sockets.of_users


def test_W19_the_socket_beyond_the_cap_is_refused(
    echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "SOCKETS_OF_A_USER", 1)
    rita, address = echo.client("rita"), SOCKET + echo.session_id
    with rita.websocket_connect(address):
        assert _refusal(rita, address) == 4429
        with echo.client("edgar").websocket_connect(address):
            pass
    with rita.websocket_connect(address):
        pass


@pytest.fixture
def served(make_site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real server over the site: its port, and the site."""
    monkeypatch.setattr(patient_protocol, "HEAD_SECONDS", 0.2)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        site = make_site(port=port)
        server = uvicorn.Server(config_of(site.app, site.app.state.settings))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield site, port
        server.should_exit = True
        thread.join()


def test_W19_W08_a_large_frame_and_a_request_that_never_ends_are_cut_off(served: Any) -> None:
    site, port = served
    router = APIRouter()

    @router.websocket("/ws/echo/{session_id}", dependencies=needs(reader("session_id")))
    async def give_back(websocket: WebSocket, session_id: str) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(str(len(await websocket.receive_text())))

    gate.add_routes(site.app, router.routes)
    origin = f"http://127.0.0.1:{port}"
    cookie = site.client("rita").cookies[COOKIE]
    with connect(
        f"ws://127.0.0.1:{port}/ws/echo/{site.session_id}",
        origin=origin,  # type: ignore[arg-type]
        additional_headers={"Cookie": f"{COOKIE}={cookie}"},
    ) as open_socket:
        open_socket.send("x" * LARGEST_FRAME)
        assert open_socket.recv() == str(LARGEST_FRAME)
        with suppress(ConnectionClosed):  # before all of it is sent, or after
            open_socket.send("x" * (10 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            open_socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
    with socket.create_connection(("127.0.0.1", port)) as long:
        long.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (1 << 17))
        assert long.recv(1000).startswith(b"HTTP/1.1 4")


def test_a_page_leads_to_the_log_in_and_an_operation_says_that_nobody_is_logged_in(
    site: Any,
) -> None:
    client = site.client()
    client.headers["Accept"] = "text/html"
    answer = client.get(f"/projects/{site.project_id}?a=1&b=%2F", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        f"/login?next=%2Fprojects%2F{site.project_id}%3Fa%3D1%26b%3D%252F"
    )
    assert client.get("/", follow_redirects=False).headers["location"] == "/login"
    assert client.get("/api/users", follow_redirects=False).status_code == 401
    assert client.post("/api/projects", json={}).status_code == 401


def test_a_login_in_use_is_noted_once_a_minute(site: Any) -> None:
    client = site.client("rita")
    token = client.cookies[COOKIE]

    def seen() -> Any:
        with site.store.reading() as session:
            known = known_login(session, token, site.clock())
        return None if known is None else known.seen_at

    begun = site.clock()
    site.clock.turn(seconds=59)
    client.get("/")
    assert seen() == begun
    site.clock.turn(seconds=1)
    client.get("/")
    assert seen() == site.clock()
