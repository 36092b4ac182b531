"""Uploads through a real server process: killed, stalled, and fed with malformed requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from affectscope.web.access import COOKIE, CSRF
from real_server import RealServer, begin, finish, send
from server_kills import Trial

STALLED = 60
"""More than the server has threads."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A server that was killed while it wrote, and runs again."""
    trial = Trial(tmp_path_factory.mktemp("server"), seed=5)
    trial.round(40)
    with trial.server:
        yield trial


@pytest.fixture
def server(trial: Trial) -> RealServer:
    return trial.server


def test_W02_a_server_that_is_killed_while_it_writes_loses_nothing_it_acknowledged(
    trial: Trial,
) -> None:
    trial.look_at_contents()
    assert trial.lost == 0
    assert trial.writes["send"] > 0
    assert trial.writes["marks"] > 0


def raw_request(server: RealServer, upload_id: str, *headers: str) -> socket.socket:
    """The head of a piece's request; the body is the caller's."""
    entry, host = server.entry, f"127.0.0.1:{server.port}"
    connection = socket.create_connection(("127.0.0.1", server.port))
    head = [
        f"PUT /api/uploads/{upload_id}?offset=0 HTTP/1.1",
        f"Host: {host}",
        f"Origin: http://{host}",
        f"Cookie: {COOKIE}={entry.cookie}",
        f"{CSRF}: {entry.csrf_token}",
        *headers,
    ]
    connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
    return connection


def test_W08_browsers_that_send_nothing_more_hold_nobody_up(server: RealServer) -> None:
    octets = "Content-Type: application/octet-stream"
    with server.client() as client:
        session_id = server.entry.session_id
        upload_id = begin(client, session_id, "stalled.bin", 1000)["id"]
        stalled = [
            raw_request(server, upload_id, octets, "Content-Length: 1000") for _ in range(STALLED)
        ]
        for connection in stalled:
            connection.sendall(b"x" * 10)
        other = begin(client, session_id, "a.bin", 4)["id"]
        assert send(client, other, 0, b"data") == 4
        assert finish(client, other)["name"] == "a.bin"
        for connection in stalled:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):  # it waits still: nothing above waited for it
                connection.recv(1)
            connection.close()
        client.delete(f"/api/uploads/{upload_id}").raise_for_status()
    assert not list((server.data / "uploads").glob(f"{upload_id}*"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Content-Type: application/octet-stream",), b"411"),
        (("Content-Type: application/octet-stream", "Content-Length: 99999999999999"), b"413"),
        (("Content-Type: application/octet-stream", "Content-Length: 8388609"), b"413"),
        (("Content-Type: application/octet-stream", "Content-Length: -1"), b"400"),
        (("Content-Type: application/octet-stream", "Transfer-Encoding: chunked"), b"400"),
        (("Content-Type: multipart/form-data; boundary=x", "Content-Length: 1000000"), b"400"),
    ],
)
def test_W08_a_request_that_is_no_piece_is_refused_before_its_body_comes(
    server: RealServer, headers: tuple[str, ...], status: bytes
) -> None:
    with server.client() as client:
        upload_id = begin(client, server.entry.session_id, "b.bin", 1000)["id"]
        with raw_request(server, upload_id, *headers) as connection:
            answer = connection.recv(12)
        client.delete(f"/api/uploads/{upload_id}").raise_for_status()
    assert answer == b"HTTP/1.1 " + status
    assert not list((server.data / "uploads").glob(f"{upload_id}*"))
