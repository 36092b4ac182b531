"""Studies and exports through the page's operations, made by what the worker does."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from affectscope.errors import StoreError
from affectscope.store.running_jobs import begin_job, end_job
from affectscope.store.tables import (
    Answers,
    AuditRow,
    Consent,
    Product,
    RecordedSession,
    Result,
    StoredFile,
    Subject,
)
from affectscope.web.product_jobs import named

FORMULA = '=HYPERLINK("http://x","open")'


def add_person(site: Any, pseudonym: str, scopes: list[str]) -> str:
    with site.store.writing(None) as change:
        person = Subject(project_id=site.project_id, pseudonym=pseudonym, created_at=change.at)
        change.session.add(person)
        change.session.flush()
        change.session.add(
            Consent(
                subject_id=person.id, scopes=scopes, given_at=change.at, notice_shown_at=change.at
            )
        )
        return str(person.id)


def add_session(site: Any, subject_id: str, label: str) -> str:
    """With an original, a result with a file, and answers."""
    places = site.store.places
    with site.store.writing(None) as change:
        held = RecordedSession(
            subject_id=subject_id, label=label, created_at=change.at, settings={"ecg": {"a": 1}}
        )
        change.session.add(held)
        change.session.flush()
        content = f"samples of {held.id}".encode()
        digest = hashlib.sha256(content).hexdigest()
        places.content(digest).parent.mkdir(parents=True, exist_ok=True)
        places.content(digest).write_bytes(content)
        result = Result(
            session_id=held.id, settings={}, settings_version=1, status="OK",
            created_at=change.at, rejected_at=change.at, rejection_reason="moved",
        )  # fmt: skip
        change.session.add_all(
            [
                StoredFile(
                    session_id=held.id, name="ecg.csv", sha256=digest, size=len(content),
                    created_at=change.at,
                ),
                Answers(
                    session_id=held.id, questionnaire="PHQ-9", time="before", answers={"1": 2}
                ),
                result,
            ]
        )  # fmt: skip
        change.session.flush()
        folder = places.result(held.id, result.id)
        folder.mkdir(parents=True)
        (folder / "report.html").write_text("the report")
        places.input(held.id).mkdir(parents=True)
        (places.input(held.id) / "session.toml").write_text("format = 1")
        return str(held.id)


def export(site: Any, path: str, purpose: str) -> tuple[dict[str, Any], zipfile.ZipFile]:
    """The answer, and the zip as an owner downloads it."""
    client = site.client("olga")
    answer = client.post(f"/api/{path}/exports", json={"purpose": purpose})
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    site.carry_out(asked["job_id"])
    taken = client.get(f"/products/{asked['id']}/export.zip")
    assert taken.status_code == 200
    return asked, zipfile.ZipFile(io.BytesIO(taken.content))


def test_G06_an_export_of_a_person_holds_everything_of_that_person_and_nobody_else(
    site: Any,
) -> None:
    session_id = add_session(site, site.subject_id, "second")
    other = add_person(site, "OTHER", ["export"])
    add_session(site, other, "OTHER session")
    _, archive = export(site, f"subjects/{site.subject_id}", "own copy")
    names = set(archive.namelist())
    folder = "people/P01/second"
    assert names == {
        "manifest.json",
        "sessions.csv",
        "people/P01/person.json",
        "people/P01/first/session.json",
        *(f"{folder}/{name}" for name in ("session.json", "session.toml", "originals/ecg.csv")),
        f"{folder}/results/1/report.html",
    }
    assert not [name for name in names if b"OTHER" in archive.read(name)]
    told = json.loads(archive.read(f"{folder}/session.json"))
    assert told["answers"][0]["answers"] == {"1": 2}
    assert told["results"][0]["rejection_reason"] == "moved"
    assert archive.read(f"{folder}/originals/ecg.csv") == f"samples of {session_id}".encode()
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["asked_by"] == "olga"
    assert manifest["people"] == ["P01"]
    assert manifest["format"] == 1
    for name in names - {"manifest.json"}:
        digest = hashlib.sha256(archive.read(name)).hexdigest()
        assert manifest["files"][name]["sha256"] == digest


@pytest.mark.parametrize("purpose", ["handing out", "training"])
def test_G01_an_export_leaves_out_who_does_not_allow_it_and_says_whom_and_why(
    site: Any, purpose: str
) -> None:
    add_person(site, "P02", ["ingest"])
    asked, archive = export(site, f"projects/{site.project_id}", purpose)
    reason = {"P02": "the person's consent does not cover it"}
    assert asked["left_out"] == reason
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["people"], manifest["left_out"]) == (["P01"], {reason["P02"]: 1})
    assert not [name for name in archive.namelist() if "P02" in name]


def test_G02_an_export_holds_no_trace_of_whom_it_leaves_out(site: Any) -> None:
    """He did not allow it, and erasing him would not find it there."""
    add_session(site, add_person(site, "P02-Canary", ["ingest"]), "first")
    _, archive = export(site, f"projects/{site.project_id}", "handing out")
    assert not [name for name in archive.namelist() if b"Canary" in archive.read(name)]


@pytest.mark.parametrize(
    ("purpose", "scope"), [("handing out", "export"), ("training", "training")]
)
def test_G01_without_the_fitting_consent_nothing_is_exported(
    site: Any, purpose: str, scope: str
) -> None:
    with site.store.writing(None) as change:
        consent = change.session.scalars(select(Consent)).one()
        consent.scopes = [held for held in consent.scopes if held != scope]
    client = site.client("olga")
    for path in (f"projects/{site.project_id}", f"subjects/{site.subject_id}"):
        answer = client.post(f"/api/{path}/exports", json={"purpose": purpose})
        assert answer.status_code == 403
        assert "does not cover it" in answer.json()["sentence"]


def test_G01_a_consent_withdrawn_while_the_export_waits_counts(site: Any) -> None:
    client = site.client("olga")
    path = f"/api/projects/{site.project_id}/exports"
    asked = client.post(path, json={"purpose": "training"}).json()
    with site.store.writing(None) as change:
        change.session.scalars(select(Consent)).one().withdrawn_at = change.at
    with pytest.raises(StoreError, match="Nobody allows"):
        site.carry_out(asked["job_id"])


@pytest.mark.parametrize(("purpose", "status"), [("training", 403), ("own copy", 200)])
def test_G01_an_export_is_not_handed_out_after_a_consent_for_it_was_withdrawn(
    site: Any, purpose: str, status: int
) -> None:
    asked, _ = export(site, f"subjects/{site.subject_id}", purpose)
    with site.store.writing(None) as change:
        change.session.scalars(select(Consent)).one().withdrawn_at = change.at
    taken = site.client("olga").get(f"/products/{asked['id']}/export.zip")
    assert taken.status_code == status
    if status == 403:
        assert (taken.json()["code"], "P01" in taken.text) == ("E_CONSENT", False)


def test_W10_no_cell_of_an_exported_table_runs_as_a_formula(site: Any) -> None:
    person = add_person(site, FORMULA, ["export"])
    add_session(site, person, "@SUM(1)")
    _, archive = export(site, f"projects/{site.project_id}", "handing out")
    rows = list(csv.reader(io.StringIO(archive.read("sessions.csv").decode())))
    assert [f"'{FORMULA}", "'@SUM(1)"] in [row[:2] for row in rows]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_W15_names_that_lead_out_of_a_folder_stay_inside_the_zip(site: Any) -> None:
    for number, name in enumerate(("../../etc/passwd", "..", "a/b", "A_b", "C:x", "\\\\x", ".")):
        add_session(site, add_person(site, name, ["export"]), f"{name}{number % 2 * '/..'}")
    _, archive = export(site, f"projects/{site.project_id}", "handing out")
    assert archive.testzip() is None
    for name in archive.namelist():
        assert not {"", ".", ".."} & set(name.split("/"))
    assert len({name.casefold() for name in archive.namelist()}) == len(archive.namelist())


def test_exports_are_for_owners_and_each_download_is_on_the_audit_trail(site: Any) -> None:
    asked, _ = export(site, f"projects/{site.project_id}", "handing out")
    path = f"/products/{asked['id']}/export.zip"
    assert site.client("edgar").get(path).status_code == 403
    assert site.client("mallory").get(path).status_code == 404
    taken = site.client("olga").get(path)
    assert taken.headers["content-disposition"].startswith("attachment; filename")
    with site.store.reading() as session:
        actions = session.scalars(select(AuditRow.action)).all()
    assert actions.count("export.fetched") == 2
    assert "Download" in site.client("olga").get(f"/projects/{site.project_id}/exports").text


def test_two_exports_are_not_made_at_once(site: Any) -> None:
    client, path = site.client("olga"), f"/api/projects/{site.project_id}/exports"
    assert client.post(path, json={"purpose": "training"}).status_code == 202
    assert client.post(path, json={"purpose": "training"}).status_code == 409
    assert client.get(path).json()["exports"][0]["state"] == "waiting"
    assert "waiting" in client.get(f"/projects/{site.project_id}/exports").text


def keep_result(site: Any, session_id: str, assessed: Path, **facts: Any) -> str:
    with site.store.writing(None) as change:
        result = Result(
            session_id=session_id, settings={}, settings_version=1,
            **{"status": "OK", "created_at": change.at, **facts},
        )  # fmt: skip
        change.session.add(result)
        change.session.flush()
    folder = site.store.places.result(session_id, result.id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(assessed / "r0")
    return str(result.id)


@pytest.mark.usefixtures("without_pdf")
def test_a_study_is_made_over_the_newest_results_and_shown(site: Any, assessed: Path) -> None:
    keep_result(site, site.session_id, assessed)
    add_session(site, site.subject_id, "set aside")
    quiet = add_person(site, "P03", ["ingest"])
    keep_result(site, add_session(site, quiet, "unasked"), assessed)
    client = site.client("edgar")
    page = f"/projects/{site.project_id}/study"
    before = client.get(page).text
    assert "No study page yet" in before
    assert "would hold <strong>1</strong> result:" in before
    assert "a person rejected its result" in before
    assert "consent does not cover it" in before
    asked = client.post(f"/api/projects/{site.project_id}/studies").json()
    site.carry_out(asked["job_id"])
    after = client.get(page).text
    assert f'src="/products/{asked["id"]}/study.html"' in after
    shown = client.get(f"/products/{asked['id']}/study.html")
    assert "script-src" not in shown.headers["content-security-policy"]
    assert "style-src 'unsafe-inline'" in shown.headers["content-security-policy"]
    assert "P01 first" in shown.text
    table = client.get(f"/products/{asked['id']}/files/sessions.csv")
    assert table.headers["content-disposition"].startswith("attachment")
    assert len(table.text.splitlines()) == 2
    assert site.client("mallory").get(f"/products/{asked['id']}/study.html").status_code == 404
    with site.store.reading() as session:
        assert session.get(Product, asked["id"]).detail["subjects"] == [site.subject_id]


@pytest.mark.parametrize(
    "name", ["study.json", "..%2Fstudy.html", "%2e%2e", "study.pdf%00", "sessions/x/result.json"]
)
def test_W15_only_files_of_the_list_are_handed_out(site: Any, name: str) -> None:
    with site.store.writing(None) as change:
        product = Product(
            kind="study", project_id=site.project_id, ready=True, created_at=change.at
        )
        change.session.add(product)
        change.session.flush()
    folder = site.store.places.study(product.id)
    folder.mkdir(parents=True)
    (folder / "study.json").write_text("{}")
    answer = site.client("rita").get(f"/products/{product.id}/files/{name}")
    assert answer.status_code == 404


def test_a_study_without_any_result_is_refused_and_says_what_to_do(site: Any) -> None:
    answer = site.client("edgar").post(f"/api/projects/{site.project_id}/studies")
    assert answer.status_code == 422
    assert "Score sessions first" in answer.json()["remedy"]


def test_a_failed_study_tells_why_on_its_page(site: Any, assessed: Path) -> None:
    keep_result(site, site.session_id, assessed)
    client = site.client("edgar")
    asked = client.post(f"/api/projects/{site.project_id}/studies").json()
    with site.store.writing(None) as change:
        begin_job(change, asked["job_id"])
        end_job(change, asked["job_id"], StoreError("E_DISK_FULL", "The disk is full.", "Tidy."))
    text = client.get(f"/projects/{site.project_id}/study").text
    assert "The disk is full. Tidy." in text


def test_a_study_takes_a_result_that_the_program_rejected_only_where_there_is_no_other(
    site: Any, assessed: Path
) -> None:
    from affectscope.store.studies import choose_results

    at = site.clock()
    kept = keep_result(site, site.session_id, assessed, created_at=at)
    keep_result(
        site, site.session_id, assessed, created_at=at + timedelta(hours=1), status="REJECTED"
    )
    with site.store.reading() as session:
        choice = choose_results(session, site.project_id, at)
    assert [(found.result_id, found.refused) for found in choice.results] == [(kept, False)]
    with site.store.writing(None) as change:
        change.session.get(Result, kept).rejected_at = at
    with site.store.reading() as session:
        choice = choose_results(session, site.project_id, at)
    assert [found.refused for found in choice.results] == [True]
    assert choice.usable == 0


def test_sessions_of_one_name_get_names_of_their_own_in_a_study(site: Any) -> None:
    from affectscope.store.studies import ChosenResult

    results = [
        ChosenResult("r", "s", "p", "A/b", label, False) for label in ("1", "1", "x" * 900, "..")
    ]
    names = list(named(results))
    assert names[:2] == ["A_b 1", "A_b 1 (2)"]
    assert all(len(name.encode()) <= 210 and "/" not in name for name in names)
