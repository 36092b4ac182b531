"""A result: its curves, its files, and the people who reject it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from affectscope.store.results import usable_result
from affectscope.store.tables import AuditRow
from affectscope.web.downloads import download_name
from affectscope.web.result_view import FILES, result_content
from affectscope.web.routes_results import REPORT_POLICY


def audited(site: Any, action: str) -> list[AuditRow]:
    with site.store.reading() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action)))


def decide(site: Any, result_id: str, method: str, reason: str, version: int = 1) -> Any:
    path = f"/api/results/{result_id}/rejection"
    body = {"version": version, "reason": reason}
    return site.client("edgar").request(method, path, json=body)


# Rejection ----------------------------------------------------------------------------------


def test_G11_a_result_is_rejected_with_a_reason_that_stands_with_it_and_not_in_the_audit(
    ready: Any, scored: str
) -> None:
    assert decide(ready, scored, "POST", "the camera showed the sister").status_code == 200
    page = ready.client("rita").get(f"/sessions/{ready.session_id}").text
    assert "rejected by edgar" in page
    assert "the camera showed the sister" in page
    (row,) = audited(ready, "result.rejected")
    digest = hashlib.sha256(b"the camera showed the sister").hexdigest()
    assert json.loads(row.detail)["reason_sha256"] == digest
    assert row.actor_id == ready.users["edgar"]
    assert "sister" not in row.detail


def test_G11_a_rejected_result_is_not_used_until_the_rejection_is_taken_back(
    ready: Any, scored: str
) -> None:
    decide(ready, scored, "POST", "wrong person")
    with ready.store.reading() as session:
        assert usable_result(session, ready.session_id) is None
    answer = decide(ready, scored, "DELETE", "it was the right one", version=2)
    assert answer.json() == {"version": 3}
    with ready.store.reading() as session:
        found = usable_result(session, ready.session_id)
    assert found is not None
    assert found.rejection_reason is None
    assert len(audited(ready, "result.restored")) == 1


def test_W20_a_decision_over_a_newer_one_is_refused_and_tells_it(ready: Any, scored: str) -> None:
    decide(ready, scored, "POST", "first")
    answer = decide(ready, scored, "POST", "second")
    assert answer.status_code == 409
    assert answer.json()["theirs"] == {"rejected": True, "reason": "first"}
    assert answer.json()["yours"] == {"reason": "second"}


@pytest.mark.parametrize("reason", ["", "   "])
def test_G11_a_rejection_without_a_reason_is_refused(ready: Any, scored: str, reason: str) -> None:
    assert decide(ready, scored, "POST", reason).status_code == 422
    assert audited(ready, "result.rejected") == []


def test_a_rejected_report_says_so_itself_and_its_file_is_called_so(
    ready: Any, scored: str
) -> None:
    decide(ready, scored, "POST", "<b>no</b>")
    client = ready.client("rita")
    report = client.get(f"/results/{scored}/report.html").text
    assert '<div class="banner">REJECTED on 2026-03-01: &lt;b&gt;no&lt;/b&gt;</div>' in report
    answer = client.get(f"/results/{scored}/files/timeline.csv")
    assert "timeline-REJECTED.csv" in answer.headers["content-disposition"]


# Files --------------------------------------------------------------------------------------


def test_the_report_is_shown_under_a_policy_of_its_own_without_scripts(
    ready: Any, scored: str
) -> None:
    answer = ready.client("rita").get(f"/results/{scored}/report.html")
    assert answer.headers["content-security-policy"] == REPORT_POLICY
    assert "script" not in REPORT_POLICY
    assert "<style>" in answer.text
    assert "<script" not in answer.text


def test_what_assessing_wrote_can_be_taken_home_under_a_plain_name(ready: Any, scored: str) -> None:
    client, folder = (
        ready.client("rita"),
        ready.store.places.result(ready.session_id, scored),
    )
    there = result_content(folder).files
    assert {"report.html", "result.json", "timeline.csv", "quality.parquet"} <= set(there)
    for name in there:
        answer = client.get(f"/results/{scored}/files/{name}")
        assert answer.content == (folder / name).read_bytes()
        stem, suffix = name.split(".")
        assert (
            answer.headers["content-disposition"]
            == f'attachment; filename="P01-first-2026-03-01-{stem}.{suffix}"'
        )


NAMES = [
    "../result.json", "..%2fresult.json", "%2e%2e/result.json", "....//result.json",
    "/etc/passwd", "%2fetc%2fpasswd", "..\\result.json", "result.json%00.csv", "preview.json",
    ".affectscope-tmp-1", "session.toml", "", ".",
]  # fmt: skip


def test_W15_no_other_name_gives_a_file(ready: Any, scored: str) -> None:
    folder = ready.store.places.result(ready.session_id, scored)
    for path in (folder, folder.parent):
        for other in ("preview.json", ".affectscope-tmp-1", "session.toml", "result.json"):
            (path / other).write_text("secret")
    client = ready.client("rita")
    answers = {name: client.get(f"/results/{scored}/files/{name}") for name in NAMES}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        NAMES, 404
    )
    assert [name for name, answer in answers.items() if "secret" in answer.text] == []


def test_W26_names_of_downloads_hold_nothing_that_a_header_or_a_reader_could_take_amiss() -> None:
    bad = 'a"; x=\r\nSet-Cookie: y\u202efdp.exe/../ü'
    name = download_name(bad, "", suffix=".pdf")
    assert name == "a-x-Set-Cookie-y-fdp.exe-..-ü.pdf"
    assert download_name("../..", suffix=".csv") == ".csv"
    assert all(name not in FILES for name in ("", "."))


def test_a_result_whose_files_are_gone_is_told_as_such(ready: Any, scored: str) -> None:
    folder = ready.store.places.result(ready.session_id, scored)
    for path in folder.iterdir():
        path.unlink()
    client = ready.client("edgar")
    page = client.get(f"/sessions/{ready.session_id}")
    assert page.status_code == 200
    assert "cannot be shown" in page.text
    for path in ("report.html", "report.pdf", "video", "files/result.json"):
        assert client.get(f"/results/{scored}/{path}").status_code == 404
    assert client.get(f"/api/results/{scored}/courses").status_code == 422


# Curves and video ---------------------------------------------------------------------------


def test_curves_come_for_the_span_that_is_asked_for(ready: Any, scored: str) -> None:
    client = ready.client("rita")
    whole = client.get(f"/api/results/{scored}/courses").json()
    assert whole["end"] == pytest.approx(24, abs=1.5)
    assert whole["simulated_person"] is True
    assert {"heart_rate", "eda", "quality_ecg"} <= whole["series"].keys()
    part = client.get(f"/api/results/{scored}/courses?start=5&end=9&points=50").json()
    assert (part["start"], part["end"]) == (5, 9)
    boxes = client.get(f"/api/results/{scored}/boxes?start=0&end=30")
    assert boxes.status_code == 200


QUERIES = [
    "start=nan",
    "end=inf",
    "points=9",
    "points=4001",
    "points=x",
    "start=1e400",
    "start=9&end=5",
]


def test_W18_a_span_that_makes_no_sense_is_refused(ready: Any, scored: str) -> None:
    client = ready.client("rita")
    path = f"/api/results/{scored}/courses"
    answers = {query: client.get(f"{path}?{query}").status_code for query in QUERIES}
    assert answers == dict.fromkeys(QUERIES, 422)


@pytest.fixture
def with_video(ready: Any, scored: str) -> str:
    """The result, with 1000 bytes in the place of its video."""
    folder = ready.store.places.result(ready.session_id, scored)
    (folder / "preview.mp4").write_bytes(bytes(range(250)) * 4)
    return scored


def test_a_part_of_the_video_is_given(ready: Any, with_video: str) -> None:
    client = ready.client("rita")
    answer = client.get(f"/results/{with_video}/video", headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))
    assert answer.headers["content-range"] == "bytes 10-19/1000"
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(("count", "status"), [(100, 206), (101, 400), (10_000, 422)])
def test_W16_more_than_a_hundred_ranges_are_refused(
    ready: Any, with_video: str, count: int, status: int
) -> None:
    ranges = "bytes=" + ",".join(f"{3 * at}-{3 * at}" for at in range(count))
    answer = ready.client("rita").get(f"/results/{with_video}/video", headers={"Range": ranges})
    assert answer.status_code == status


def test_W14_nothing_of_a_result_is_given_to_somebody_of_another_project(
    ready: Any, with_video: str
) -> None:
    client = ready.client("mallory")
    for path in ("report.html", "report.pdf", "video", "files/result.json"):
        assert client.get(f"/results/{with_video}/{path}").status_code == 404
    for path in ("courses", "boxes?start=0&end=1"):
        assert client.get(f"/api/results/{with_video}/{path}").status_code == 404


# What the page tells ------------------------------------------------------------------------


def test_the_page_tells_what_changed_and_that_there_is_no_affect_score(
    ready: Any, scored: str
) -> None:
    page = ready.client("rita").get(f"/sessions/{ready.session_id}").text
    assert "No affect score" in page
    assert "Simulated person: no human data" in page
    told = json.loads(
        (ready.store.places.result(ready.session_id, scored) / "result.json").read_text()
    )
    before = told["physiology"]["EDA level"]["before"]["mean"]
    assert f"{before:.2f}" in page


def test_an_older_result_is_shown_as_such(ready: Any, add_scored: Callable[[], str]) -> None:
    older, newer = add_scored(), add_scored()
    client = ready.client("rita")
    path = f"/sessions/{ready.session_id}"
    assert "This is an older result" in client.get(f"{path}?result={older}").text
    assert "This is an older result" not in client.get(f"{path}?result={newer}").text
    newest = client.get(f"{path}?result={quote('../x')}").text
    assert f'data-result="{newer}"' in newest
    assert "computed again, nothing changed" in newest
