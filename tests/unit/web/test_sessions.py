"""A session: what its page shows, its marks, and asking for its estimation."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from affectscope.errors import AffectScopeError
from affectscope.io.session_exclusions import excluded_spans
from affectscope.io.session_file import KEYS, NAME, session_toml
from affectscope.io.session_phases import phases_entry
from affectscope.io.toml_table import TomlTable
from affectscope.store.jobs import ask_inspection, cancel_job
from affectscope.store.running_jobs import begin_job, end_job
from affectscope.store.sessions import session_head
from affectscope.store.tables import Job, RecordedSession, Result, StoredFile
from affectscope.store.users import end_logins
from affectscope.web import gate
from affectscope.web.marks import Marks, marks_of, tables_of

SOCKETS = "ws://127.0.0.1:8420/ws/jobs"
SPANS = {"before": [0, 8], "after": [16, 24]}


def saved(site: Any) -> dict[str, Any]:
    with site.store.reading() as session:
        return marks_of(session_head(session, site.session_id).settings)


def put_marks(site: Any, version: int = 1, who: str = "edgar", **marks: Any) -> Any:
    body = {"version": version, "phases": None, "marked": [], "excluded": [], **marks}
    return site.client(who).put(f"/api/sessions/{site.session_id}/marks", json=body)


def ask_score(site: Any, client: Any, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    path = f"/api/sessions/{site.session_id}/jobs"
    return client.post(path, json={"kind": "score"}, headers=headers)


# Marks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [None, SPANS, {"minutes": 0.1}, {"thirds": True}])
def test_marks_are_saved_and_given_back_as_they_were(ready: Any, phases: Any) -> None:
    marks = {
        "phases": phases,
        "marked": [["exposure", 8, 12.5]],
        "excluded": [["all", 1, 2, "a break"], ["eda", 20.25, 23, "the sensor moved"]],
    }
    assert put_marks(ready, **marks).json() == {"version": 2}
    answer = ready.client("rita").get(f"/api/sessions/{ready.session_id}/marks").json()
    assert answer == {"version": 2, **marks}
    assert put_marks(ready, version=2).json() == {"version": 3}
    assert saved(ready) == {"phases": None, "marked": [], "excluded": []}
    with ready.store.reading() as session:
        settings = session_head(session, ready.session_id).settings
    assert settings.keys() == {"ecg", "eda", "simulated"}


def test_W20_marks_over_newer_ones_are_refused_with_both_versions(ready: Any) -> None:
    assert put_marks(ready, phases={"thirds": True}).status_code == 200
    answer = put_marks(ready, who="olga", marked=[["mine", 1, 2]])
    assert answer.status_code == 409
    told = answer.json()
    assert told["version"] == 2
    assert told["theirs"] == {"phases": {"thirds": True}, "excluded": None}
    assert told["yours"] == {"phases": {"marked": [["mine", 1.0, 2.0]]}, "excluded": None}
    assert saved(ready)["phases"] == {"thirds": True}
    assert put_marks(ready, who="olga", version=2, marked=[["mine", 1, 2]]).status_code == 200


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"phases": {"before": [0, 5]}}, "Mark both"),
    ({"phases": {"before": [0, 9], "after": [8, 20]}}, "one after the other"),
    ({"phases": {"before": [5, 5], "after": [8, 20]}}, "ends before it begins"),
    ({"phases": {**SPANS, "minutes": 1}}, "Two ways"),
    ({"phases": {"minutes": 0}}, "greater than 0"),
    ({"marked": [["a", 1, 2], ["a", 3, 4]]}, "same name"),
    ({"marked": [["before", 1, 2]]}, "called before or after"),
    ({"marked": [["  ", 1, 2]]}, "empty"),
    ({"marked": [["a\x00b", 1, 2]]}, "cannot be shown"),
    ({"marked": [["a", 2, 1]]}, "ends before it begins"),
    ({"excluded": [["nose", 1, 2, "x"]]}, "all"),
    ({"excluded": [["all", 1, 2, ""]]}, "at least 1 character"),
    ({"excluded": [["all", 3, 1, "x"]]}, "ends before it begins"),
    ({"excluded": [["all", 1, 2, "x"]] * 201}, "at most 200"),
    ({"excluded": [["all", 1, 1e9, "x"]]}, "less than or equal"),
    ({"unknown": 1}, "not permitted"),
]


def test_marks_that_a_scoring_would_refuse_are_not_saved(ready: Any) -> None:
    before, wrong = saved(ready), []
    for marks, word in REFUSED:
        answer = put_marks(ready, **marks)
        told = answer.json()
        if (answer.status_code, told.get("code")) != (422, "E_VALUE"):
            wrong.append((marks, answer.status_code))
        elif word not in told["sentence"] + told["remedy"]:
            wrong.append((marks, told["sentence"]))
    assert wrong == []
    assert saved(ready) == before


def test_a_rule_that_says_nothing_is_none(ready: Any) -> None:
    assert put_marks(ready, phases={}).status_code == 200
    assert saved(ready)["phases"] is None


OUTSIDE: list[dict[str, Any]] = [
    {"phases": {"before": [0, 8], "after": [30, 40]}},
    {"marked": [["late", 25, 26]]},
    {"excluded": [["all", -5, 0, "x"]]},
    {"phases": {"minutes": 0.5}},
]


def test_marks_outside_of_the_session_are_refused_once_its_length_is_known(
    ready: Any, scored: str
) -> None:
    for marks in OUTSIDE:
        answer = put_marks(ready, **marks)
        assert answer.status_code == 422, marks
        assert "the session" in answer.json()["sentence"]


def test_what_is_saved_is_what_session_toml_reads() -> None:
    marks = Marks(
        version=1,
        phases=SPANS,  # type: ignore[arg-type]
        marked=[(' "x" \\ ü', 1, 2)],
        excluded=[("face", 3, 4, "she said: 'no' ]]")],
    )
    tables = tables_of(marks, (0, 24))
    text = session_toml({"format": 1, "subject_id": "P01", **tables})
    read = tomllib.loads(text)
    phases = phases_entry(TomlTable(NAME, KEYS, "phases", read["phases"]))
    assert (phases.before, phases.after) == ((0, 8), (16, 24))
    assert phases.marked[0].name == '"x" \\ ü'
    (span,) = excluded_spans(TomlTable(NAME, KEYS, "excluded", read["excluded"]))
    assert span.reason == "she said: 'no' ]]"


def test_a_session_is_called_otherwise_unless_somebody_did_so_meanwhile(site: Any) -> None:
    path, client = f"/api/sessions/{site.session_id}", site.client("edgar")
    assert client.patch(path, json={"label": "intake", "version": 1}).json() == {"version": 2}
    answer = client.patch(path, json={"label": "other", "version": 1})
    assert answer.status_code == 409
    assert answer.json()["theirs"] == {"label": "intake"}
    with site.store.writing(None) as change:
        other = RecordedSession(
            subject_id=site.subject_id, label="second", settings={}, created_at=change.at
        )
        change.session.add(other)
    assert client.patch(path, json={"label": "second", "version": 2}).status_code == 409
    assert client.patch(path, json={"label": "intake", "version": 2}).json() == {"version": 2}


# Asking for an estimation -------------------------------------------------------------------


def test_W21_a_double_click_gives_one_job(ready: Any) -> None:
    client = ready.client("edgar")
    first, again = ask_score(ready, client, "k1"), ask_score(ready, client, "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert ask_score(ready, client, "k2").status_code == 409
    assert ask_score(ready, ready.client("olga")).status_code == 409
    with ready.store.reading() as session:
        assert session.scalars(select(func.count()).select_from(Job)).one() == 1


def test_a_session_that_is_not_set_up_is_not_estimated(site: Any) -> None:
    answer = ask_score(site, site.client("edgar"))
    assert (answer.status_code, answer.json()["code"]) == (422, "E_VALUE")
    assert "not set up" in answer.json()["sentence"]


def test_a_reader_may_look_and_nothing_else(ready: Any, scored: str) -> None:
    rita = ready.client("rita")
    assert ask_score(ready, rita).status_code == 403
    assert put_marks(ready, who="rita").status_code == 403
    page = rita.get(f"/sessions/{ready.session_id}").text
    for word in ("data-estimate", "data-mark", "Reject", "save-marks", "<dialog"):
        assert word not in page
        assert word in ready.client("edgar").get(f"/sessions/{ready.session_id}").text


# The page in every state --------------------------------------------------------------------


class Page(HTMLParser):
    """What must hold of every page: an id is there once, what has a label has its field."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        stated = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.labels += [stated["for"] or ""] if tag == "label" and "for" in stated else []
        self.inline += [name for name in stated if name == "style" or name.startswith("on")]


def no_files(site: Any) -> None:
    with site.store.writing(None) as change:
        change.session.query(StoredFile).delete()
        change.session.query(RecordedSession).one().settings = {}


def not_set_up(site: Any) -> None:
    with site.store.writing(None) as change:
        change.session.query(RecordedSession).one().settings = {}


def being_looked_at(site: Any) -> None:
    not_set_up(site)
    with site.store.writing(None) as change:
        ask_inspection(change, site.session_id)


def waiting(site: Any) -> None:
    ask_score(site, site.client("edgar"))


def running(site: Any) -> None:
    job_id = ask_score(site, site.client("edgar")).json()["id"]
    with site.store.writing(None) as change:
        job = begin_job(change, job_id)
        assert job is not None
        job.share = 0.42


def failed(site: Any) -> None:
    job_id = ask_score(site, site.client("edgar")).json()["id"]
    with site.store.writing(None) as change:
        begin_job(change, job_id)
        end_job(change, job_id, AffectScopeError("E_MODEL_MISSING", "No model.", "Fetch it."))


def refused(site: Any) -> None:
    with site.store.writing(None) as change:
        change.session.add(
            Result(
                session_id=site.session_id, settings={}, settings_version=1, status="REJECTED",
                code="E_NO_USABLE_MODALITY", sentence="Nothing <can> be used.", remedy="Check it.",
                created_at=change.at,
            )
        )  # fmt: skip


STATES: list[tuple[Callable[[Any], None], list[str]]] = [
    (no_files, ["Add the recordings", "/files"]),
    (not_set_up, ["Say what the files hold", "/setup"]),
    (being_looked_at, ["The files are being looked at"]),
    (lambda _site: None, ["Ready to estimate", "the ECG and the skin conductance", ">Estimate<"]),
    (waiting, ["waiting for its turn", "Cancel"]),
    (running, ['value="0.42"', "Cancel"]),
    (failed, ["The last estimation stopped.", "No model.", "Try again"]),
    (refused, ["Nothing could be estimated.", "Nothing &lt;can&gt; be used.", "Check it."]),
]


@pytest.mark.parametrize(("make", "words"), STATES, ids=[make.__name__ for make, _ in STATES])
def test_the_page_says_in_every_state_what_to_do_next(
    ready: Any, make: Callable[[Any], None], words: list[str]
) -> None:
    make(ready)
    for who in ("edgar", "rita"):
        answer = ready.client(who).get(f"/sessions/{ready.session_id}")
        assert answer.status_code == 200
        page = Page(answer.text)
        assert len(page.ids) == len(set(page.ids))
        assert set(page.labels) <= set(page.ids)
        assert page.inline == []
    text = ready.client("edgar").get(f"/sessions/{ready.session_id}").text
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("video", [False, True])
@pytest.mark.parametrize("who", ["edgar", "rita"])
def test_the_page_of_a_result_holds_together(
    ready: Any, scored: str, who: str, video: bool
) -> None:
    if video:
        folder = ready.store.places.result(ready.session_id, scored)
        (folder / "preview.mp4").write_bytes(b"-")
        (folder / "preview.json").write_text(
            '{"clock_offset": 1.5, "clock_rate": 1.0, "first_time": 0.25}'
        )
    text = ready.client(who).get(f"/sessions/{ready.session_id}").text
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labels) <= set(page.ids)
    assert page.inline == []
    assert ('data-offset="1.5"' in text) == video
    assert "plots" in page.ids


def test_a_change_after_the_result_is_told(ready: Any, scored: str) -> None:
    path, client = f"/sessions/{ready.session_id}", ready.client("edgar")

    def is_told() -> bool:  # hidden, it waits for marks that the open page saves
        text = client.get(path).text
        assert text.count("changed after this result") == 1
        return 'id="stale" hidden' not in text

    assert not is_told()
    put_marks(ready, phases={"thirds": True})
    assert is_told()
    put_marks(ready, version=2)
    assert not is_told()


@pytest.mark.parametrize("page", ["", "/files", "/setup", "/questionnaires"])
def test_every_page_of_a_simulated_session_says_so(ready: Any, page: str) -> None:
    told = "Simulated person: no human data"
    path = f"/sessions/{ready.session_id}{page}"
    assert told in ready.client("rita").get(path).text
    with ready.store.writing(None) as change:
        session = change.session.get(RecordedSession, ready.session_id)
        session.settings = {**session.settings, "simulated": False}
    assert told not in ready.client("rita").get(path).text


def test_who_is_refused_a_page_still_sees_who_is_logged_in(ready: Any) -> None:
    refused = ready.client("rita").get("/users", headers={"Accept": "text/html"})
    assert refused.status_code == 403
    assert 'href="/account">rita<' in refused.text
    unknown = ready.client("rita").get("/nowhere", headers={"Accept": "text/html"})
    assert (unknown.status_code, "There is no such page." in unknown.text) == (404, True)


def test_results_say_what_was_set_otherwise(ready: Any, add_scored: Callable[[], str]) -> None:
    add_scored()
    put_marks(ready, phases={"thirds": True}, excluded=[["all", 1, 2, "x"]])
    add_scored()
    page = ready.client("rita").get(f"/sessions/{ready.session_id}").text
    assert "changed: before and after, parts left out" in page


# Following jobs -----------------------------------------------------------------------------


def told(socket: WebSocketTestSession) -> tuple[str, str]:
    job = socket.receive_json()
    assert job.keys() == {
        "id", "kind", "session_id", "state", "ended", "share", "seconds_left", "code", "sentence",
        "remedy",
    }  # fmt: skip
    return job["id"], job["state"]


def test_a_page_is_told_of_each_job_until_it_has_ended(ready: Any) -> None:
    client = ready.client("edgar")
    job_id = ask_score(ready, client).json()["id"]
    with client.websocket_connect(f"{SOCKETS}/{ready.project_id}") as socket:
        assert told(socket) == (job_id, "waiting")
        with ready.store.writing(None) as change:
            begin_job(change, job_id)
        assert told(socket) == (job_id, "running")
        with ready.store.writing(None) as change:
            cancel_job(change, job_id)
        assert told(socket) == (job_id, "cancelled")
    assert client.get(f"/api/jobs/{job_id}").json()["ended"] is True


def closed_with(site: Any, who: str | None, **headers: str) -> int:
    client = site.client(who)
    path = f"{SOCKETS}/{site.project_id}"
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        client.websocket_connect(path, headers=headers) as socket,
    ):
        socket.receive_json()
    return caught.value.code


def test_W19_a_socket_of_another_origin_or_without_a_login_or_role_is_refused(ready: Any) -> None:
    assert closed_with(ready, None) == 4401
    assert closed_with(ready, "mallory") == 4404
    assert closed_with(ready, "edgar", Origin="https://example.org") == 4403


def test_W13_a_socket_is_closed_soon_after_the_logout(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate.CHECK_EVERY <= 5
    monkeypatch.setattr(gate, "CHECK_EVERY", 0.05)
    client = ready.client("edgar")
    with client.websocket_connect(f"{SOCKETS}/{ready.project_id}") as socket:
        with ready.store.writing(None) as change:
            end_logins(change, ready.users["edgar"])
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
    assert caught.value.code == 4401
