"""Projects through the page's operations."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from affectscope.store.tables import Job, RecordedSession, Result, StoredFile, Subject


def test_G08_a_project_about_the_workplace_or_education_is_refused_with_the_article(
    site: Any,
) -> None:
    client = site.client("anna")
    for purpose in ("workplace", "education"):
        answer = client.post("/api/projects", json={"name": "Staff", "purpose": purpose})
        assert answer.status_code == 422
        assert answer.json()["code"] == "E_PURPOSE"
        assert "Article 5(1)(f)" in answer.json()["sentence"]
    assert "Staff" not in client.get("/").text


@pytest.mark.parametrize(("justification", "status"), [("", 422), ("fatigue of night pilots", 201)])
def test_G08_medical_or_safety_reasons_need_a_justification(
    site: Any, justification: str, status: int
) -> None:
    asked = {"name": "Pilots", "purpose": "medical or safety", "justification": justification}
    assert site.client("anna").post("/api/projects", json=asked).status_code == status


def test_the_form_for_a_project_lists_the_forbidden_purposes_with_the_article(site: Any) -> None:
    text = site.client("mallory").get("/").text
    assert "No projects yet" in text
    assert 'value="workplace"' in text
    assert "Article 5(1)(f)" in text


def test_the_list_shows_only_the_projects_that_one_is_a_member_of(site: Any) -> None:
    assert "Anxiety" in site.client("rita").get("/").text
    assert "Anxiety" not in site.client("mallory").get("/").text


def test_W20_a_project_renamed_by_two_people_keeps_the_first_name_and_tells_both(site: Any) -> None:
    first, second = site.client("olga"), site.client("anna")
    path = f"/api/projects/{site.project_id}"
    assert first.patch(path, json={"name": "Fear", "version": 1}).json() == {"version": 2}
    answer = second.patch(path, json={"name": "Worry", "version": 1})
    assert answer.status_code == 409
    assert (answer.json()["yours"], answer.json()["theirs"]) == ("Worry", "Fear")
    assert "Fear" in first.get(f"/projects/{site.project_id}").text


def test_a_person_is_added_under_a_pseudonym_once(site: Any) -> None:
    client = site.client("edgar")
    path = f"/api/projects/{site.project_id}/subjects"
    made = client.post(path, json={"pseudonym": " P02 "})
    assert made.status_code == 201
    assert "<h1>P02</h1>" in client.get(f"/subjects/{made.json()['id']}").text
    assert client.post(path, json={"pseudonym": "P02"}).json()["code"] == "E_CONFLICT"
    assert "P02" in client.get(f"/projects/{site.project_id}/people").text


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x\u202ey", "\ud800", "n" * 201, "nul\0"])
def test_W18_what_no_name_can_be_is_refused(site: Any, name: str) -> None:
    from json import dumps

    answer = site.client("edgar").post(
        f"/api/projects/{site.project_id}/subjects",
        content=dumps({"pseudonym": name}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422


def test_each_state_of_a_session_is_told(site: Any) -> None:
    with site.store.writing(None) as change:
        for number, state in enumerate(_STATES):
            held = RecordedSession(
                subject_id=site.subject_id,
                label=state,
                settings={"ecg": {}} if state == "ready" else {},
                created_at=change.at + timedelta(minutes=number + 1),
            )
            change.session.add(held)
            change.session.flush()
            for row in _rows(state, held.id, site.project_id, change.at):
                change.session.add(row)
    text = site.client("rita").get(f"/projects/{site.project_id}").text
    shown = dict(table_rows(text))
    assert {state: shown[state] for state in _STATES} == _STATES
    assert list(shown) == [*reversed(_STATES), "first"], "the newest stands first"


_STATES = {
    "empty": "no files yet",
    "to set up": "to set up",
    "ready": "ready to estimate",
    "waiting": "waiting",
    "running": "running, 40 %",
    "failed": "stopped by a fault",
    "OK": "usable",
    "DEGRADED": "usable, see the notices",
    "REJECTED": "not usable",
    "set aside": "result rejected by a person",
    "scored after a fault": "usable",
}


def _rows(state: str, session_id: str, project_id: str, at: Any) -> list[Any]:
    file = StoredFile(session_id=session_id, name="ecg.csv", sha256="0" * 64, size=1, created_at=at)
    rows: list[Any] = [] if state == "empty" else [file]
    job = {"waiting": "waiting", "running": "running", "failed": "failed"}.get(state)
    if state == "scored after a fault":
        job = "failed"
    if job:
        rows.append(
            Job(
                kind="score", state=job, share=0.4, project_id=project_id,
                session_id=session_id, created_at=at, ended_at=at,
            )
        )  # fmt: skip
    status = {"set aside": "OK", "scored after a fault": "OK"}.get(state, state)
    if status in ("OK", "DEGRADED", "REJECTED"):
        later = at + timedelta(minutes=1)
        rejected = later if state == "set aside" else None
        for created_at, found in ((at - timedelta(days=1), "REJECTED"), (later, status)):
            rows.append(
                Result(
                    session_id=session_id, settings={}, settings_version=1, status=found,
                    created_at=created_at, rejected_at=rejected if created_at == later else None,
                )
            )  # fmt: skip
    return rows


def test_the_list_is_cut_into_pages_and_nothing_is_on_two_or_none(site: Any) -> None:
    labels = {f"s{number:03}" for number in range(120)}
    with site.store.writing(None) as change:
        for label in sorted(labels):  # all at the same time: only the id tells them apart
            change.session.add(
                RecordedSession(
                    subject_id=site.subject_id, label=label, settings={}, created_at=change.at
                )
            )
    client = site.client("rita")
    for sort in ("date", "person", "state"):
        found = []
        for page in (1, 2, 3, 4):
            asked = f"/projects/{site.project_id}?page={page}&sort={sort}"
            found += [label for label, _ in table_rows(client.get(asked).text)]
        assert len(found) == 121
        assert set(found) == labels | {"first"}


def test_sessions_are_found_by_pseudonym_and_label_and_wildcards_are_letters(site: Any) -> None:
    with site.store.writing(None) as change:
        other = Subject(project_id=site.project_id, pseudonym="Q_7", created_at=change.at)
        change.session.add(other)
        change.session.flush()
        for label in ("exposure", "50%"):
            change.session.add(
                RecordedSession(subject_id=other.id, label=label, settings={}, created_at=change.at)
            )
    client = site.client("rita")

    def found(search: str) -> set[str]:
        answer = client.get(f"/projects/{site.project_id}", params={"search": search})
        return {label for label, _ in table_rows(answer.text)}

    assert found("q_7") == {"exposure", "50%"}
    assert found("XPOS") == {"exposure"}
    assert found("0%") == {"50%"}
    assert found("%") == {"50%"}
    assert found("P01") == {"first"}
    assert found("nobody") == set()
    assert found("\0") == {"exposure", "50%", "first"}, "nothing printable is asked for"


def test_pages_without_a_right_show_no_buttons(site: Any) -> None:
    path = f"/projects/{site.project_id}"
    reader, owner = site.client("rita").get(path).text, site.client("olga").get(path).text
    assert "Add person" not in reader
    assert "Rename" not in reader
    assert "Add person" in owner
    assert "Rename" in owner


class _Rows(HTMLParser):
    """The texts of each row's cells."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data.strip()


def table_rows(text: str) -> list[tuple[str, str]]:
    """(label, state) of each session in the list."""
    parser = _Rows()
    parser.feed(text.partition("<tbody>")[2].partition("</tbody>")[0])
    return [(row[1], row[3]) for row in parser.rows]
