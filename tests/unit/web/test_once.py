"""A request that is sent twice has one effect (W21)."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select

from affectscope.store.once import KEPT_FOR
from affectscope.store.tables import DoneOnce, Project
from affectscope.web.access import USER, TheStore, TheVisitor, needs
from affectscope.web.gate import add_routes

ASKED = {"name": "Sleep", "purpose": "therapy"}


def _projects(site: Any) -> int:
    with site.store.reading() as session:
        count: int = session.scalars(select(func.count()).select_from(Project)).one()
        return count


def _post(client: Any, key: str, asked: Any = ASKED, path: str = "/api/projects") -> Any:
    return client.post(path, json=asked, headers={"Idempotency-Key": key})


def test_W21_a_repeated_request_has_one_effect_and_the_same_answer(site: Any) -> None:
    client, before = site.client("anna"), _projects(site)
    first, again = _post(client, "a-key"), _post(client, "a-key")
    assert first.status_code == 201
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["content-type"] == "application/json"
    assert _projects(site) == before + 1
    assert _post(client, "another-key").json() != first.json()
    assert _projects(site) == before + 2


def test_W21_equal_requests_at_the_same_time_have_one_effect(site: Any) -> None:
    before = _projects(site)
    first = site.client("anna")
    clients = [first, *(site.client() for _ in range(7))]
    for client in clients[1:]:  # tabs of one browser
        client.cookies, client.headers = first.cookies, first.headers
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: _post(client, "a-key"), clients))
    assert _projects(site) == before + 1
    done = [answer.json() for answer in answers if answer.status_code == 201]
    assert done
    assert all(answer == done[0] for answer in done)
    late = [answer for answer in answers if answer.status_code != 201]
    assert all(answer.json()["code"] == "E_DONE_ALREADY" for answer in late)


def test_W21_a_key_is_for_one_request_of_one_user(site: Any) -> None:
    anna, olga = site.client("anna"), site.client("olga")
    assert _post(anna, "a-key").status_code == 201
    for asked, path in (
        ({**ASKED, "name": "Other"}, "/api/projects"),
        (ASKED, "/api/projects?x=1"),
    ):
        refused = _post(anna, "a-key", asked, path)
        assert (refused.status_code, refused.json()["code"]) == (422, "E_VALUE")
    assert _post(olga, "a-key").status_code == 201


def test_W21_a_refused_request_may_be_mended_by_time_and_sent_again(site: Any) -> None:
    client = site.client("anna")
    wrong = {"name": "Staff", "purpose": "workplace"}
    assert _post(client, "a-key", wrong).status_code == 422
    with site.store.reading() as session:
        assert session.scalars(select(func.count()).select_from(DoneOnce)).one() == 0
    assert _post(client, "a-key").status_code == 201


def test_W21_a_repeated_request_passes_the_gate_again(site: Any) -> None:
    client = site.client("anna")
    assert _post(client, "a-key").status_code == 201
    client.headers["Origin"] = "http://evil.example"
    assert _post(client, "a-key").status_code == 403
    client.headers["Origin"] = "http://127.0.0.1:8420"
    client.cookies.clear()
    assert _post(client, "a-key").status_code == 401


def test_W21_where_the_answer_was_not_kept_it_is_told_that_it_was_done(site: Any) -> None:
    router, client = APIRouter(), site.client("anna")

    @router.post("/api/test", dependencies=needs(USER))
    def change_and_tell_much(store: TheStore, visitor: TheVisitor) -> dict[str, str]:
        with store.writing(visitor.user_id) as change:
            change.audit("tested", "thing", "x")
        return {"much": "x" * (1 << 17)}

    add_routes(site.app, router.routes)
    assert _post(client, "a-key", path="/api/test").status_code == 200
    again = _post(client, "a-key", path="/api/test")
    assert (again.status_code, again.json()["code"]) == (409, "E_DONE_ALREADY")


def test_W21_keys_are_forgotten_after_a_day(site: Any) -> None:
    client = site.client("anna")
    assert _post(client, "a-key").status_code == 201
    site.clock.turn(seconds=KEPT_FOR.total_seconds() + 1)
    client = site.client("anna")
    assert _post(client, "another-key").status_code == 201
    with site.store.reading() as session:
        assert list(session.scalars(select(DoneOnce.key))) == ["another-key"]


def test_W12_what_is_kept_of_a_request_does_not_let_its_password_be_guessed(site: Any) -> None:
    """A plain hash of the body could be tried with millions of passwords a second."""
    client, asked = site.client("anna"), {"name": "new", "password": "a long enough password"}
    assert _post(client, "a-key", asked, "/api/users").status_code == 201
    assert _post(client, "a-key", asked, "/api/users").status_code == 201
    with site.store.reading() as session:
        kept = session.scalars(select(DoneOnce.question_hash)).one()
    body = json.dumps(asked, separators=(",", ":")).encode()
    digest = hashlib.sha256()
    for part in (b"POST", b"http://127.0.0.1:8420/api/users", body):
        digest.update(len(part).to_bytes(8, "big") + part)
    assert kept != digest.hexdigest()


def test_W21_a_key_that_is_none_is_refused(site: Any) -> None:
    client, before = site.client("anna"), _projects(site)
    for key in ("", "a b", "a" * 101, "\tx"):
        assert _post(client, key).status_code == 400
    assert _projects(site) == before
