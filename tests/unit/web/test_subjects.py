"""A person's page and operations: sessions, consents, erasure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from affectscope.store.consents import SCOPES, why_not
from affectscope.store.tables import Consent, Subject


def forget_consents(site: Any) -> None:
    with site.store.writing(None) as change:
        change.session.execute(delete(Consent).where(Consent.subject_id == site.subject_id))


def give(site: Any, scopes: list[str], **dates: Any) -> Any:
    given = {"scopes": scopes, "given_at": site.clock().isoformat(), **dates}
    return site.client("olga").post(f"/api/subjects/{site.subject_id}/consents", json=given)


def allowed(site: Any) -> set[str]:
    """As the page's rules say now."""
    with site.store.reading() as session:
        return {
            scope
            for scope in SCOPES
            if not why_not(session, [site.subject_id], scope, site.clock())[site.subject_id]
        }


def add_session(site: Any, label: str) -> Any:
    path = f"/api/subjects/{site.subject_id}/sessions"
    return site.client("edgar").post(path, json={"label": label})


def test_G01_without_a_consent_no_session_is_added(site: Any) -> None:
    forget_consents(site)
    answer = add_session(site, "second")
    assert answer.status_code == 403
    assert answer.json()["code"] == "E_CONSENT"
    assert "no consent of this person is on record" in answer.json()["sentence"]


def test_G01_a_consent_of_another_scope_does_not_count(site: Any) -> None:
    forget_consents(site)
    assert give(site, ["training", "export"]).status_code == 201
    assert "does not cover it" in add_session(site, "second").json()["sentence"]
    assert allowed(site) == {"training", "export"}


def test_G01_a_withdrawn_consent_does_not_count_and_the_page_says_since_when(site: Any) -> None:
    client = site.client("olga")
    with site.store.reading() as session:
        (consent,) = session.scalars(select(Consent)).all()
    path = f"/api/subjects/{site.subject_id}/consents/{consent.id}/withdrawal"
    assert client.post(path).status_code == 200
    assert client.post(path).status_code == 200, "twice is the same as once"
    assert "was withdrawn on 2026-03-01" in add_session(site, "second").json()["sentence"]
    assert "withdrawn 2026-03-01" in client.get(f"/subjects/{site.subject_id}").text
    assert allowed(site) == set()


def test_G01_an_expired_consent_does_not_count_from_its_last_day_on(site: Any) -> None:
    forget_consents(site)
    ends = (site.clock() + timedelta(hours=2)).isoformat()
    assert give(site, ["ingest"], expires_at=ends).status_code == 201
    assert add_session(site, "second").status_code == 201
    site.clock.turn(hours=2)
    assert "expired on 2026-03-01" in add_session(site, "third").json()["sentence"]


def test_G09_scoring_is_not_allowed_before_the_person_was_told(site: Any) -> None:
    forget_consents(site)
    give(site, ["scoring", "ingest"])
    assert allowed(site) == {"ingest"}
    assert "Article 50(3)" in site.client("rita").get(f"/subjects/{site.subject_id}").text
    give(site, ["scoring"], notice_shown_at=site.clock().isoformat())
    assert allowed(site) == {"ingest", "scoring"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["ingest"], "given_at": "2026-03-01T00:00:00"},
        {"scopes": ["ingest"], "given_at": "0001-01-01T00:00:00+14:00"},
        {"scopes": ["ingest"], "expires_at": "9999-12-31T23:59:59-12:00"},
        {"scopes": ["ingest"], "expires_at": "1999-01-01T00:00:00Z"},
        {"scopes": ["ingest"], "by": "me"},
    ],
)
def test_W18_a_consent_that_cannot_be_is_refused(site: Any, wrong: dict[str, Any]) -> None:
    given = {"given_at": "2026-03-01T00:00:00Z", **wrong}
    path = f"/api/subjects/{site.subject_id}/consents"
    assert site.client("olga").post(path, json=given).status_code == 422


def test_a_consent_of_somebody_else_cannot_be_withdrawn_through_this_person(site: Any) -> None:
    client = site.client("olga")
    made = client.post(f"/api/projects/{site.project_id}/subjects", json={"pseudonym": "P02"})
    with site.store.reading() as session:
        (consent,) = session.scalars(select(Consent)).all()
    for consent_id in (consent.id, "f" * 32, "x"):
        path = f"/api/subjects/{made.json()['id']}/consents/{consent_id}/withdrawal"
        assert client.post(path).status_code in (404, 422)
    assert "ingest" in allowed(site)


def test_W20_a_stale_pseudonym_is_not_saved_and_both_are_told(site: Any) -> None:
    client, path = site.client("edgar"), f"/api/subjects/{site.subject_id}"
    assert client.patch(path, json={"pseudonym": "P09", "version": 1}).json() == {"version": 2}
    answer = client.patch(path, json={"pseudonym": "P10", "version": 1})
    assert answer.status_code == 409
    assert answer.json()["theirs"] == "P09"


def test_editors_cannot_give_consent_nor_erase(site: Any) -> None:
    client, path = site.client("edgar"), f"/api/subjects/{site.subject_id}"
    given = {"scopes": ["ingest"], "given_at": site.clock().isoformat()}
    assert client.post(f"{path}/consents", json=given).status_code == 403
    assert client.request("DELETE", path, json={"pseudonym": "P01"}).status_code == 403
    text = client.get(f"/subjects/{site.subject_id}").text
    assert "Record consent" not in text
    assert "Erase" not in text
    assert "Add session" in text


def test_a_wrong_pseudonym_erases_nobody(site: Any) -> None:
    client, path = site.client("olga"), f"/api/subjects/{site.subject_id}"
    answer = client.request("DELETE", path, json={"pseudonym": "P02"})
    assert answer.status_code == 422
    assert "Nothing was erased" in answer.json()["sentence"]
    assert client.get(f"/subjects/{site.subject_id}").status_code == 200


def test_G02_an_erased_person_is_gone_from_every_page(site: Any) -> None:
    client, path = site.client("olga"), f"/api/subjects/{site.subject_id}"
    assert client.request("DELETE", path, json={"pseudonym": "P01"}).status_code == 200
    assert client.get(f"/subjects/{site.subject_id}").status_code == 404
    assert client.get(f"/sessions/{site.session_id}").status_code == 404
    assert ">P01<" not in client.get(f"/projects/{site.project_id}/people").text
    with site.store.reading() as session:
        assert session.get(Subject, site.subject_id) is None
