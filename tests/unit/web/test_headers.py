"""What every answer bears, and which requests are refused before anything reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from affectscope.web import headers
from affectscope.web.access import USER, needs
from affectscope.web.gate import add_routes
from affectscope.web.headers import (
    LARGEST_BODY,
    LARGEST_PIECE,
    POLICY,
    SECURITY,
    Hosts,
    is_loopback,
)
from affectscope.web.settings import Settings

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def _ways(site: Any) -> dict[str, Any]:
    """A kind of answer -> one of that kind."""
    anna, nobody = site.client("anna"), site.client()
    return {
        "page": anna.get("/"),
        "style": anna.get("/static/style.css"),
        "answer": anna.get("/api/users"),
        "redirect": nobody.get("/", headers={"Accept": "text/html"}, follow_redirects=False),
        "not found": anna.get("/no/such/page"),
        "not allowed": anna.delete("/login"),
        "nobody": nobody.get("/api/users"),
        "malformed": anna.post("/api/projects", content=b"{", headers={"Content-Type": "a/b"}),
        "foreign": anna.post("/api/projects", json={}, headers={"Origin": "null"}),
        "host": anna.get("/", headers={"Host": "evil.example"}),
        "large": anna.post("/api/projects", content=b" " * (LARGEST_BODY + 1)),
    }


def test_W09_every_kind_of_answer_bears_the_policy_and_the_other_headers(site: Any) -> None:
    for kind, answer in _ways(site).items():
        for name, value in SECURITY.items():
            assert answer.headers[name] == value, kind
        assert "strict-transport-security" not in answer.headers, "this page has no TLS"
        expected = "no-cache" if kind == "style" else "no-store"
        assert answer.headers["cache-control"] == expected, kind
    for unsafe in ("unsafe", "http:", "https:", "*"):
        assert unsafe not in POLICY


def test_W24_an_unexpected_fault_bears_them_too_and_tells_nothing(site: Any) -> None:
    router = APIRouter()

    @router.get("/fault", dependencies=needs(USER))
    def fail() -> None:
        raise ValueError("/a/path of somebody")

    add_routes(site.app, router.routes)
    client = site.client("anna")
    answer = TestClient(
        site.app, base_url=client.base_url, cookies=client.cookies, raise_server_exceptions=False
    ).get("/fault")
    assert answer.status_code == 500
    assert answer.headers["content-security-policy"] == POLICY
    assert "somebody" not in answer.text
    assert "ValueError" not in answer.text


def test_a_route_may_have_a_policy_of_its_own(site: Any) -> None:
    router = APIRouter()

    @router.get("/report", dependencies=needs(USER))
    def report() -> Response:
        return Response("r", headers={"Content-Security-Policy": REPORT_POLICY})

    add_routes(site.app, router.routes)
    answer = site.client("anna").get("/report")
    assert answer.headers.get_list("content-security-policy") == [REPORT_POLICY]


@pytest.mark.parametrize(
    "stated",
    [
        "127.0.0.1",
        "127.0.0.1:8421",
        "127.0.0.1:80",
        "[::1]",
        "::1:8420",
        "evil.example",
        "evil.example:8420",
        "127.0.0.1.evil.example:8420",
        "127.0.0.1:8420@evil.example",
        "evil.example:8420,127.0.0.1:8420",
        "",
        ":8420",
        "0.0.0.0:8420",
        "10.0.0.7:8420",
        "127.0.0.1:8420\x00",
    ],
)
def test_W27_a_host_that_is_not_ours_is_none_of_ours(stated: str) -> None:
    assert not _is_ours("127.0.0.1", stated)


@pytest.mark.parametrize(
    ("bound", "stated", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:8420", True),
        ("127.0.0.1", "LOCALHOST:8420", True),
        ("127.0.0.1", "[::1]:8420", True),
        ("192.0.2.1", "192.0.2.1:8420", True),
        ("192.0.2.1", "127.0.0.1:8420", False),
        ("practice.example", "practice.example:8420", True),
        ("practice.example", "evil.example:8420", False),
        ("0.0.0.0", "192.0.2.1:8420", True),
        ("0.0.0.0", "[2001:db8::1]:8420", True),
        ("0.0.0.0", "localhost:8420", True),
        ("0.0.0.0", "evil.example:8420", False),
        ("2001:db8::1", "[2001:db8::1]:8420", True),
    ],
)
def test_W27_what_counts_as_our_host(bound: str, stated: str, expected: bool) -> None:
    assert _is_ours(bound, stated) is expected


def _is_ours(bound: str, stated: str) -> bool:
    settings = Settings(Path("data"), Path("keys"), host=bound)
    return Hosts(settings).are_ours(Headers({"Host": stated}))


def test_W27_a_usual_port_need_not_be_stated() -> None:
    plain = Settings(Path("data"), Path("keys"), port=80)
    secure = Settings(Path("data"), Path("keys"), port=443, tls=(Path("c"), Path("k")))
    for settings in (plain, secure):
        for stated in ("127.0.0.1", "[::1]", f"localhost:{settings.port}"):
            assert Hosts(settings).are_ours(Headers({"Host": stated}))
        assert not Hosts(settings).are_ours(Headers({"Host": "evil.example"}))
    assert not Hosts(plain).are_ours(Headers(raw=[(b"host", b"localhost")] * 2))
    assert not Hosts(plain).are_ours(Headers())


def test_W27_only_our_own_host_is_answered(site: Any) -> None:
    anna = site.client("anna")
    for stated, status in (("127.0.0.1:8420", 200), ("evil.example:8420", 400), ("x", 400)):
        assert anna.get("/", headers={"Host": stated}).status_code == status


def test_W27_no_answer_repeats_the_host_that_was_stated(site: Any) -> None:
    client = site.client()
    for path in ("/", "/login", "/no/such"):
        for name in ("Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL"):
            answer = client.get(
                path,
                headers={name: "evil.example", "Accept": "text/html"},
                follow_redirects=False,
            )
            assert "evil" not in answer.text + str(answer.headers)


def _pieces(size: int) -> Iterator[bytes]:
    """Sent in chunks, without a length."""
    for _ in range(size // 65536):
        yield b" " * 65536
    yield b"{}"


def test_W08_a_body_that_is_too_large_is_refused_by_its_length_and_while_it_is_read(
    site: Any,
) -> None:
    anna = site.client("anna")
    for content in (b" " * (LARGEST_BODY + 1), _pieces(LARGEST_BODY + 65536)):
        answer = anna.post(
            "/api/projects", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "E_TOO_LARGE")
    for length in ("99999999999999999999999", "-1", "1e3", "0x10", "٣"):
        answer = anna.post("/api/projects", headers={"Content-Length": length.encode()})
        assert answer.status_code == 413
    below = anna.post("/api/projects", content=b" " * LARGEST_BODY)
    assert below.status_code == 422


def test_W08_the_piece_of_an_upload_has_a_limit_of_its_own(site: Any) -> None:
    router = APIRouter()

    @router.put("/api/uploads/test/piece", dependencies=needs(USER))
    async def take(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    add_routes(site.app, router.routes)
    anna = site.client("anna")
    path = "/api/uploads/test/piece"
    assert anna.put(path, content=bytes(LARGEST_PIECE)).json() == {"size": LARGEST_PIECE}
    assert anna.put(path, content=bytes(LARGEST_PIECE + 1)).status_code == 413
    assert anna.put(path, content=_pieces(LARGEST_PIECE + 65536)).status_code == 413


def test_W08_a_change_without_a_length_or_one_that_stops_arriving_is_refused(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anyio

    monkeypatch.setattr(headers, "LONGEST_PAUSE", 0.05)
    client = site.client("anna")
    sent: list[Any] = []

    async def never() -> Any:
        await anyio.sleep_forever()

    async def keep(message: Any) -> None:
        sent.append(message)

    def scope(**added: str) -> dict[str, Any]:
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        stated = {**client.headers, "Cookie": cookies, "Host": "127.0.0.1:8420", **added}
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": "/api/projects", "raw_path": b"/api/projects",
            "query_string": b"", "server": ("127.0.0.1", 8420), "client": ("127.0.0.1", 5),
            "headers": [(n.lower().encode(), v.encode()) for n, v in stated.items()],
        }  # fmt: skip

    anyio.run(site.app, scope(), never, keep)
    assert sent[0]["status"] == 411
    sent.clear()
    anyio.run(site.app, scope(**{"Content-Length": "10"}), never, keep)
    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.0.2", False), ("localhost.evil", False),
     ("", False), ("practice", False)],
)  # fmt: skip
def test_W32_which_addresses_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
