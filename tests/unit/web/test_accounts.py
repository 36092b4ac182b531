"""First start, log-in, passwords, users and the audit trail through the page's operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from affectscope.store.first_start import new_first_token
from affectscope.store.opening import open_store
from affectscope.store.passwords import Passwords
from affectscope.store.tables import AuditRow, Login, User
from affectscope.store.users import ABSOLUTE, IDLE
from affectscope.web.access import COOKIE, CSRF
from affectscope.web.app import create_app
from affectscope.web.login_limits import FREE, LoginLimits, TooManyTriesError
from affectscope.web.routes_accounts import local_path
from affectscope.web.settings import Settings

ORIGIN = "http://127.0.0.1:8420"
PASSWORD = "nine green bottles"
CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


class Counted(PasswordHasher):
    """argon2's own hasher; counts how often a password is looked at."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture
def place(site: Any) -> Any:
    """The site, where everybody has the same password, under cheap parameters."""
    hasher = Counted(**CHEAP)  # type: ignore[arg-type]
    site.hasher = hasher
    site.app.state.passwords = Passwords(hasher)
    site.app.state.login_limits = LoginLimits(lambda: site.clock().timestamp())
    with site.store.writing(None) as change:
        change.session.execute(update(User).values(password_hash=hasher.hash(PASSWORD)))
    return site


def _log_in(client: TestClient, name: str, password: str = PASSWORD) -> Any:
    return client.post("/api/login", json={"name": name, "password": password})


def _with_token(client: TestClient) -> TestClient:
    """As a page that was loaded does."""
    page = client.get("/account").text
    client.headers[CSRF] = page.split('csrf-token" content="')[1].split('"')[0]
    return client


def _browser(site: Any, name: str, password: str = PASSWORD) -> TestClient:
    client: TestClient = site.client()
    assert _log_in(client, name, password).status_code == 200
    return _with_token(client)


def _actions(site: Any) -> list[str]:
    with site.store.reading() as session:
        return list(session.scalars(select(AuditRow.action).order_by(AuditRow.sequence)))


@pytest.fixture
def fresh(tmp_path: Path) -> Any:
    """A page without users: client, its store."""
    data, keys = tmp_path / "fresh", tmp_path / "its keys"
    store = open_store(data, keys)
    app = create_app(store, Settings(data, keys))
    app.state.passwords = Passwords(PasswordHasher(**CHEAP))  # type: ignore[arg-type]
    yield TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN}), store
    store.close()


def test_W31_the_first_start_needs_the_link_that_was_printed_and_works_once(fresh: Any) -> None:
    client, store = fresh
    assert client.get("/", headers={"Accept": "text/html"}).url.path == "/start"
    asked = {"name": "Anna", "password": PASSWORD}
    assert client.post("/api/owner", json={"token": "none", **asked}).status_code == 401
    old, token = new_first_token(store.places), new_first_token(store.places)
    assert client.post("/api/owner", json={"token": old, **asked}).status_code == 401
    for weak in ("short", "x" * 11):
        answer = client.post("/api/owner", json={"token": token, "name": "A", "password": weak})
        assert answer.json()["code"] == "E_VALUE"
    kept = b"".join(file.read_bytes() for file in store.places.keys.iterdir())
    assert token.encode() not in kept
    answer = client.post("/api/owner", json={"token": token, **asked})
    assert answer.status_code == 201
    assert "Audit trail" in client.get("/").text  # logged in, as an administrator
    assert client.get("/start").url.path == "/"
    again = client.post("/api/owner", json={"token": token, "name": "Eve", "password": PASSWORD})
    assert again.status_code == 401
    later = new_first_token(store.places)
    refused = client.post("/api/owner", json={"token": later, "name": "E", "password": PASSWORD})
    assert refused.json()["code"] == "E_CONFLICT"


def test_W31_nobody_comes_in_with_a_usual_password_at_the_first_start(fresh: Any) -> None:
    client, _ = fresh
    client.app.state.login_limits = LoginLimits(iter(range(0, 10**6, 1000)).__next__)
    for name in ("admin", "root", "affectscope"):
        for password in ("admin", "password", "affectscope", " "):
            assert _log_in(client, name, password).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(place: Any) -> None:
    cookie = _log_in(place.client(), "Anna").headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert not {"max-age", "expires", "domain"} & {
        part.split("=")[0].lower() for part in cookie.split("; ")
    }


def test_with_tls_the_cookie_is_bound_to_the_host_and_the_browser_to_tls(make_site: Any) -> None:
    site = make_site(tls=(Path("cert.pem"), Path("key.pem")))
    site.app.state.passwords = Passwords(PasswordHasher(**CHEAP))  # type: ignore[arg-type]
    with site.store.writing(None) as change:
        user = change.session.get(User, site.users["anna"])
        user.password_hash = site.app.state.passwords.hash("anna", PASSWORD)
    origin = ORIGIN.replace("http", "https")
    client = TestClient(site.app, base_url=origin, headers={"Origin": origin})
    answer = _log_in(client, "anna")
    assert answer.headers["set-cookie"].startswith(f"__Host-{COOKIE}=")
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert client.get("/account").status_code == 200


def test_W12_a_known_and_an_unknown_name_get_the_same_answer_for_the_same_work(place: Any) -> None:
    answers = []
    for name in ("anna", "nobody-of-this-name"):
        before, rows = place.hasher.verified, len(_actions(place))
        answer = _log_in(place.client(), name, "a wrong password")
        done = (place.hasher.verified - before, _actions(place)[rows:])
        answers.append((answer.status_code, answer.json(), *done))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert answers[0][2:] == (1, ["login.failed"])


def test_W12_the_hash_of_nobody_has_the_parameters_of_the_others() -> None:
    passwords = Passwords()
    kept = passwords.hash("anna", PASSWORD)
    assert kept.rsplit("$", 2)[0] == passwords._nobodys.rsplit("$", 2)[0]
    assert kept.startswith("$argon2id$")


def test_only_the_right_password_fits_and_none_fits_nobody() -> None:
    passwords = Passwords(PasswordHasher(**CHEAP))  # type: ignore[arg-type]
    kept = passwords.hash("anna", PASSWORD)
    assert passwords.fits(kept, PASSWORD)
    for hash_, typed in ((kept, PASSWORD + "s"), (None, PASSWORD), ("-", "-"), (kept, "\ud800")):
        assert not passwords.fits(hash_, typed)


def test_W12_wrong_tries_wait_longer_and_longer_and_the_right_one_comes_in_after(
    place: Any,
) -> None:
    client, waits = place.client(), []
    for _ in range(FREE):
        assert _log_in(client, "anna", "a wrong password").status_code == 401
    for _ in range(4):
        refused = _log_in(client, "anna", PASSWORD)
        assert (refused.status_code, refused.json()["code"]) == (429, "E_TOO_MANY")
        waits.append(int(refused.headers["retry-after"]))
        place.clock.turn(seconds=waits[-1])
        assert _log_in(client, "anna", "a wrong password").status_code == 401
    assert waits == [1, 2, 4, 8]
    assert _log_in(place.client(), "olga").status_code == 200
    place.clock.turn(seconds=16)
    assert _log_in(client, "anna").status_code == 200
    assert _log_in(client, "anna", "a wrong password").status_code == 401  # and is free again


def test_W12_the_password_that_a_login_asks_for_anew_is_limited_too(place: Any) -> None:
    anna = _browser(place, "anna")
    asked = {"old": "a wrong password", "new": "another good password"}
    codes = [anna.post("/api/password", json=asked).json()["code"] for _ in range(FREE + 1)]
    assert codes == ["E_VALUE"] * FREE + ["E_TOO_MANY"]


def test_a_hash_under_older_parameters_is_renewed_at_the_next_login(place: Any) -> None:
    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    with place.store.writing(None) as change:
        change.session.get(User, place.users["anna"]).password_hash = old
    assert _log_in(place.client(), "anna", "a wrong password").status_code == 401
    for _ in range(2):
        assert _log_in(place.client(), "anna").status_code == 200
    with place.store.reading() as session:
        assert "t=1" in session.get(User, place.users["anna"]).password_hash


def test_W13_each_login_has_a_new_token_and_the_one_before_is_worth_nothing(place: Any) -> None:
    client = _browser(place, "anna")
    first = client.cookies[COOKIE]
    assert _log_in(client, "anna").status_code == 200
    assert client.cookies[COOKIE] != first
    planted = place.client()
    planted.cookies.set(COOKIE, first)
    assert planted.get("/account").status_code == 401
    fixed = place.client()
    fixed.cookies.set(COOKIE, "a-token-that-somebody-chose")
    _log_in(fixed, "rita")
    thief = place.client()
    thief.cookies.set(COOKIE, "a-token-that-somebody-chose")
    assert thief.get("/account").status_code == 401


def test_W13_after_a_logout_the_token_is_worth_nothing(place: Any) -> None:
    client = _browser(place, "anna")
    token = client.cookies[COOKIE]
    assert client.post("/api/logout").status_code == 200
    assert COOKIE not in client.cookies
    client.cookies.set(COOKIE, token)
    assert client.get("/account").status_code == 401


def test_W13_a_login_ends_when_it_is_idle_and_when_it_is_old(place: Any) -> None:
    client = _browser(place, "anna")
    place.clock.turn(seconds=IDLE.total_seconds())
    assert client.get("/account").status_code == 200
    place.clock.turn(seconds=IDLE.total_seconds() + 1)
    assert client.get("/account").status_code == 401
    client = _browser(place, "anna")
    for _ in range(ABSOLUTE // IDLE):
        place.clock.turn(seconds=IDLE.total_seconds())
        assert client.get("/account").status_code == 200
    place.clock.turn(seconds=1)
    assert client.get("/account").status_code == 401
    _browser(place, "anna")
    with place.store.reading() as session:
        assert len(session.scalars(select(Login)).all()) == 1  # what ended was removed


def _version(site: Any, name: str) -> int:
    with site.store.reading() as session:
        return session.get(User, site.users[name]).version  # type: ignore[no-any-return]


def _alter(site: Any, client: TestClient, name: str, **asked: Any) -> Any:
    body = {"version": _version(site, name), **asked}
    return client.patch(f"/api/users/{site.users[name]}", json=body)


def test_W13_another_role_takes_effect_at_once(place: Any) -> None:
    anna, olga = _browser(place, "anna"), _browser(place, "olga")
    assert olga.get("/users").status_code == 403
    assert _alter(place, anna, "olga", administrator=True).status_code == 200
    assert olga.get("/users").status_code == 200
    assert _alter(place, anna, "olga", administrator=False).status_code == 200
    assert olga.get("/audit").status_code == 403


def test_W13_a_disabled_user_or_a_password_set_by_others_ends_all_logins(place: Any) -> None:
    anna = _browser(place, "anna")
    for name, asked in {"rita": {"disabled": True}, "olga": {"password": "quite another"}}.items():
        here, there = _browser(place, name), _browser(place, name)
        assert _alter(place, anna, name, **asked).status_code == 200
        assert [client.get("/account").status_code for client in (here, there)] == [401, 401]
        assert _log_in(here, name).status_code == 401
    rita = place.client()
    assert _alter(place, anna, "rita", disabled=False).status_code == 200
    assert rita.get("/account").status_code == 401, "old logins do not come back"
    assert _log_in(rita, "rita").status_code == 200


def test_W13_a_new_password_of_ones_own_ends_the_other_logins(place: Any) -> None:
    here, there = _browser(place, "rita"), _browser(place, "rita")
    token, page_token = here.cookies[COOKIE], here.headers[CSRF]
    asked = {"old": PASSWORD, "new": "another good password"}
    assert here.post("/api/password", json=asked).status_code == 200
    assert here.cookies[COOKIE] != token
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 401
    assert here.headers[CSRF] == page_token
    assert here.post("/api/logout").status_code == 403  # the page must be loaded again
    assert _log_in(place.client(), "rita").status_code == 401
    assert _log_in(place.client(), "rita", "another good password").status_code == 200


def test_the_last_administrator_stays_one(place: Any) -> None:
    anna = _browser(place, "anna")
    for asked in ({"disabled": True}, {"administrator": False}):
        refused = _alter(place, anna, "anna", **asked)
        assert (refused.status_code, refused.json()["code"]) == (422, "E_VALUE")
    assert _alter(place, anna, "olga", administrator=True).status_code == 200
    assert _alter(place, anna, "anna", administrator=False).status_code == 200
    assert anna.get("/users").status_code == 403


def test_W20_a_user_who_was_changed_meanwhile_is_not_overwritten(place: Any) -> None:
    anna = _browser(place, "anna")
    path, seen = f"/api/users/{place.users['rita']}", _version(place, "rita")
    assert anna.patch(path, json={"version": seen, "disabled": True}).status_code == 200
    refused = anna.patch(path, json={"version": seen, "administrator": True})
    assert (refused.status_code, refused.json()["version"]) == (409, seen + 1)
    assert refused.json()["theirs"] == {"administrator": False, "disabled": True}


def test_users_are_added_with_a_name_of_their_own_and_a_good_password(place: Any) -> None:
    anna = _browser(place, "anna")
    good = {"name": "Nora B.", "password": "a b c d e f g h"}
    assert anna.post("/api/users", json=good).status_code == 201
    wrong = {
        409: {**good, "name": " nora b. "},
        422: {**good, "name": "nina\u202e"},
    }
    for status, asked in wrong.items():
        assert anna.post("/api/users", json=asked).status_code == status
    same = {"name": "a long long name", "password": "A long long name"}
    assert anna.post("/api/users", json=same).status_code == 422
    assert anna.post("/api/users", json={**good, "email": "n@example.org"}).status_code == 422
    assert _log_in(place.client(), "NORA B.", good["password"]).status_code == 200
    names = [user["name"] for user in anna.get("/api/users").json()["users"]]
    assert names == sorted(names)
    assert "nora b." in names


def test_W09_names_are_inert_in_the_pages_that_show_them(place: Any) -> None:
    anna = _browser(place, "anna")
    name = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    assert anna.post("/api/users", json={"name": name, "password": PASSWORD}).status_code == 201
    nora = _browser(place, name)
    for page in (anna.get("/users").text, nora.get("/account").text, anna.get("/audit").text):
        assert "<img" not in page
    assert "{{7*7}}" in anna.get("/users").text


def test_W22_a_clock_that_is_set_back_leaves_logins_and_the_trails_order_right(
    place: Any,
) -> None:
    before = _browser(place, "anna")
    place.clock.turn(seconds=-60)
    assert before.get("/account").status_code == 200  # a small correction ends nothing
    place.clock.turn(hours=-3)
    assert before.get("/account").status_code == 401  # it would last three hours longer
    after = _browser(place, "anna")
    assert _log_in(place.client(), "rita").status_code == 200
    with place.store.reading() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.sequence)).all()
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1].at < rows[0].at, "the clock went back"
    shown = after.get("/audit").text
    assert "The audit trail is whole" in shown
    assert shown.index(f'"number">{len(rows)}<') < shown.index('"number">1<')


def test_the_audit_trail_is_shown_in_pages_newest_first(place: Any) -> None:
    with place.store.writing(place.users["rita"]) as change:
        for number in range(150):
            change.audit("tested", "thing", f"number-{number}", {"count": number})
    anna = _browser(place, "anna")
    first = anna.get("/audit").text
    assert first.count("<tr>") == 1 + 100
    older = first.split('href="/audit?before=')[1].split('"')[0]
    second = anna.get(f"/audit?before={older}").text
    assert "number-149" in first
    assert "number-149" not in second
    assert "number-0<" in second
    assert "No older entries" in anna.get("/audit?before=1").text
    assert anna.get("/audit?before=x").status_code == 422


ELSEWHERE = (
    "", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "evil",
    "///x", "/\t/evil.example", "/\n//evil.example", "javascript:alert(1)", "/a\\b", "/ü", " /",
    "/ /evil",
)  # fmt: skip


def test_W27_the_log_in_page_leads_nowhere_else(place: Any) -> None:
    client = place.client()
    for asked in ELSEWHERE:
        assert local_path(asked) == "/"
        page = client.get("/login", params={"next": asked}).text
        assert 'data-next="/"' in page
        assert "evil" not in page


def test_W27_the_log_in_page_leads_back_to_where_one_was() -> None:
    for asked in ("/", "/projects/1?page=2&x=%2F", "/sessions/abc/files"):
        assert local_path(asked) == asked


def test_W12_a_thousand_tries_against_one_name_get_few_through_and_lock_nobody_out() -> None:
    time = [0.0]
    limits = LoginLimits(lambda: time[0])
    through, waits = 0, [0]
    for _ in range(1000):
        time[0] += 1.0
        try:
            limits.begin("anna", f"10.0.0.{through % 200}")
            through += 1
        except TooManyTriesError as error:
            waits.append(error.wait)
    assert through <= 16
    assert max(waits) <= 300
    time[0] += max(waits)
    limits.begin("anna", "10.0.0.1")  # never a lock for good


def test_W12_names_that_are_tried_in_turn_from_one_address_are_slowed_down(
    refused: Callable[..., bool],
) -> None:
    limits = LoginLimits(lambda: 0.0)
    tries = [refused(limits, f"name {number}", "10.0.0.1") for number in range(1000)]
    assert tries.count(False) == 20
    assert not refused(limits, "name 999", "10.0.0.2")


def test_W12_a_password_of_ones_own_does_not_clear_what_one_tries_for_others(
    refused: Callable[..., bool],
) -> None:
    limits = LoginLimits(lambda: 0.0)
    let_through = 0
    for number in range(100):
        let_through += not refused(limits, f"name {number}", "10.0.0.1")
        if not refused(limits, "mallory", "10.0.0.1"):
            limits.succeeded("mallory", "10.0.0.1")
    assert let_through <= 20


def test_W12_tries_at_the_same_time_get_no_further_than_one_after_the_other(
    refused: Callable[..., bool],
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    limits = LoginLimits(lambda: 0.0)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: refused(limits, "anna", "10.0.0.1"), range(64)))
    assert found.count(False) == FREE


def test_W12_what_is_remembered_of_tries_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affectscope.web.login_limits.MOST_KEPT", 50)
    limits = LoginLimits(lambda: 0.0)
    for number in range(500):
        limits.begin(f"name {number}", f"10.0.{number // 200}.{number % 200}")
    assert len(limits._kept) == 50


@pytest.fixture
def refused() -> Callable[..., bool]:
    def ask(limits: LoginLimits, name: str, address: str) -> bool:
        try:
            limits.begin(name, address)
        except TooManyTriesError:
            return True
        return False

    return ask
