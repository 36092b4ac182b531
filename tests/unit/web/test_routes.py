"""Every route of the application, as the application itself lists them: who comes through its gate.

The gates are the real ones; what lies behind each is a small answer, so that no route has an effect
and what answers is never taken for the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from sqlalchemy import func, select
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from affectscope.store.tables import AuditRow, Job, Product, Result, Role, Upload
from affectscope.web.access import CSRF, Need, check_needs, need_of
from affectscope.web.gate import CLOSED, Gate, SocketGate

ROLES = {"rita": Role.READER, "edgar": Role.EDITOR, "olga": Role.OWNER}
THROUGH = 204


async def _behind(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await websocket.close(1000)
    else:
        await Response(status_code=THROUGH)(scope, receive, send)


@pytest.fixture
def gates(site: Any) -> Any:
    """The site with nothing behind its gates."""
    for route in site.app.routes:
        if isinstance(getattr(route, "app", None), Gate | SocketGate):
            route.app.inner = _behind
    return site


def _identities(site: Any) -> dict[str, str]:
    """One thing of each kind in the site's project, by path parameter."""
    with site.store.writing(None) as change:
        rows: dict[str, Any] = {
            "upload_id": Upload(
                session_id=site.session_id, name="a.csv", size=1, touched_at=change.at,
                created_at=change.at,
            ),
            "job_id": Job(kind="inspect", project_id=site.project_id, created_at=change.at),
            "result_id": Result(
                session_id=site.session_id, settings={}, settings_version=1, status="OK",
                created_at=change.at,
            ),
            "product_id": Product(kind="study", project_id=site.project_id, created_at=change.at),
        }  # fmt: skip
        change.session.add_all(rows.values())
        change.session.flush()
        made = {name: row.id for name, row in rows.items()}
    return {
        **made,
        "project_id": site.project_id,
        "subject_id": site.subject_id,
        "session_id": site.session_id,
    }


def _path(route: APIRoute | APIWebSocketRoute, identities: dict[str, str]) -> str:
    path = route.path
    for name, convertor in route.param_convertors.items():
        kind = type(convertor).__name__
        stand_in = "7" if kind in ("IntegerConvertor", "FloatConvertor") else "x"
        suffix = {"PathConvertor": ":path", "IntegerConvertor": ":int"}.get(kind, "")
        path = path.replace(f"{{{name}{suffix}}}", identities.get(name, stand_in))
    return path


def _routes(app: FastAPI, fits: Callable[[Need, str], bool]) -> list[tuple[APIRoute, str]]:
    found = [
        (route, method)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
        if fits(_need(route), method)
    ]
    assert found
    return found


def _need(route: APIRoute | APIWebSocketRoute) -> Need:
    need = need_of(route)
    assert need is not None
    return need


def _denials(site: Any) -> int:
    with site.store.reading() as session:
        count: int = session.scalars(
            select(func.count()).select_from(AuditRow).where(AuditRow.action == "denied")
        ).one()
        return count


def test_W11_no_change_is_made_without_our_origin_and_the_logins_own_token(gates: Any) -> None:
    paths, token = _identities(gates), CSRF
    tried: set[str] = set()
    anna, olga = (gates.client(name) for name in ("anna", "olga"))
    for route, method in _routes(gates.app, lambda _, method: method not in ("GET", "HEAD")):
        path, need = _path(route, paths), _need(route)
        client, other = (olga, anna) if need.who == "member" else (anna, olga)
        right = client.headers[token]
        wrong: list[dict[str, str]] = [
            {"Origin": ""},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:8421"},
            {"Origin": "https://127.0.0.1:8420"},
            {"Origin": "http://evil.example"},
            {"Origin": "http://["},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ]
        if need.who != "anyone":
            wrong += [{token: ""}, {token: right[:-1]}, {token: other.headers[token]}]
        if need.who in tried:  # each way was tried at a gate of this kind
            wrong = [{"Origin": "http://evil.example"}, *wrong[8:9]]
        tried.add(need.who)
        for headers in wrong:
            answer = client.request(method, path, json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "E_ORIGIN"), (path, headers)
        for missing in ["Origin"] + ([token] if need.who != "anyone" else []):
            kept = client.headers.pop(missing)
            assert client.request(method, path, json={}).status_code == 403, (path, missing)
            client.headers[missing] = kept
        assert client.request(method, path, json={}).status_code == THROUGH, path


def test_W14_only_members_with_the_role_come_through_to_what_belongs_to_a_project(
    gates: Any,
) -> None:
    paths = _identities(gates)
    clients = {name: gates.client(name) for name in (*ROLES, "mallory", None)}
    told = _denials(gates)
    for route, method in _routes(gates.app, lambda need, _: need.who == "member"):
        need, path = _need(route), _path(route, paths)
        for name, client in clients.items():
            answer = client.request(method, path, json={} if method != "GET" else None)
            now = _denials(gates)
            noted, told = now - told, now
            who = (name, method, path)
            if name is None:
                assert (answer.status_code, noted) == (401, 0), who
            elif name == "mallory":
                assert (answer.status_code, noted) == (404, 1), who
                assert answer.json()["code"] == "E_NOT_FOUND"
            elif need.role is not None and ROLES[name] < need.role:
                assert (answer.status_code, noted) == (403, 1), who
                assert answer.json()["code"] == "E_ACCESS"
            else:
                assert (answer.status_code, noted) == (THROUGH, 0), who


def test_W14_what_does_not_exist_looks_like_what_is_not_ones_own(gates: Any) -> None:
    mallory = gates.client("mallory")
    paths = _identities(gates)
    routes = _routes(gates.app, lambda need, method: need.who == "member" and method == "GET")
    not_hers = mallory.get(_path(routes[0][0], paths)).json()
    for number, (route, _) in enumerate(routes):
        identity = ("0" * 32, "x", "%00", "'", "A" * 5000)[number % 5]
        answer = mallory.get(_path(route, dict.fromkeys(paths, identity)))
        assert (answer.status_code, answer.json()) == (404, not_hers), (route.path, identity)


def test_W14_only_administrators_come_through_to_users_and_the_audit_trail(gates: Any) -> None:
    for route, method in _routes(gates.app, lambda need, _: need.who == "administrator"):
        path, body = _path(route, {}), {} if method != "GET" else None
        expected = {"olga": 403, "mallory": 403, "anna": THROUGH, None: 401}
        for name, status in expected.items():
            before = _denials(gates)
            assert gates.client(name).request(method, path, json=body).status_code == status, path
            assert _denials(gates) - before == (status == 403)


def test_W14_W19_web_sockets_are_refused_by_the_same_rules(gates: Any) -> None:
    paths = _identities(gates)
    for route in gates.app.routes:
        if not isinstance(route, APIWebSocketRoute):
            continue
        path, need = _path(route, paths), _need(route)
        for name in (*ROLES, "mallory", None):
            client = gates.client(name)
            address = f"ws://127.0.0.1:8420{path}"
            with (
                pytest.raises(WebSocketDisconnect) as closed,
                client.websocket_connect(address) as socket,
            ):
                socket.receive_text()
            assert need.role is not None
            expected = {None: CLOSED["E_LOGIN"], "mallory": CLOSED["E_NOT_FOUND"]}.get(
                name, 1000 if ROLES.get(name, 0) >= need.role else CLOSED["E_ACCESS"]
            )
            assert closed.value.code == expected, (name, path)


def test_W11_a_route_without_a_stated_need_keeps_the_application_from_starting(site: Any) -> None:
    site.app.add_api_route("/api/open", lambda: {})
    with pytest.raises(AssertionError, match="/api/open"):
        check_needs(site.app, without=["/static"])


def test_W11_what_is_open_to_all_is_the_first_start_and_the_log_in(site: Any) -> None:
    opened = {route.path for route, _ in _routes(site.app, lambda need, _: need.who == "anyone")}
    assert opened == {"/start", "/api/owner", "/login", "/api/login"}


def test_W31_the_frameworks_own_pages_are_closed(site: Any) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"):
        assert site.client("anna").get(path).status_code == 404
    assert site.app.debug is False
