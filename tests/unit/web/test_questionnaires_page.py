"""Questionnaires over the page: filled in, checked, scored, taken out; by mouse or by keyboard."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from sqlalchemy import delete

from affectscope.store.answers import answers_of, save_answers
from affectscope.store.tables import Consent, Result
from affectscope.therapy.questionnaires.keys import FORMS
from affectscope.web.access import COOKIE
from affectscope.web.questionnaire_form import parts_of, steps_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
GAD = {str(item): item % 4 for item in range(1, 8)}


@pytest.fixture
def put(site: Any) -> Callable[..., Any]:
    """``put("GAD-7/before", version, answers, name=...)`` -> the answer of saving."""

    def save(place: str, version: int, answers: Any, *, name: str = "edgar") -> Any:
        path = f"/api/sessions/{site.session_id}/questionnaires/{place}"
        return site.client(name).put(path, json={"version": version, "answers": answers})

    return save


def page_of(site: Any, place: str = "", name: str = "edgar") -> str:
    answer = site.client(name).get(f"/sessions/{site.session_id}/questionnaires{place}")
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def scores_of(site: Any) -> dict[str, Any]:
    path = f"/api/sessions/{site.session_id}/questionnaires/score"
    told = site.client("rita").get(path).json()["scores"]
    return {score["measure"]: score for score in told}


def test_totals_before_and_after_and_why_one_lacks(site: Any, put: Any) -> None:
    assert "No questionnaire is filled in yet" in page_of(site)
    assert put("GAD-7/before", 0, GAD).json() == {"version": 1}
    state = {str(item): 4 for item in range(1, 21)}
    assert put("STAI/after", 0, {**state, "3": None, "21": None}).status_code == 200
    assert put("GAD-7/after", 0, {**GAD, "7": None}).status_code == 200
    scores = scores_of(site)
    assert scores.keys() == {"GAD-7", "STAI-S"}
    assert (scores["GAD-7"]["before"], scores["GAD-7"]["band_before"]) == (12, "moderate")
    assert scores["GAD-7"]["after"] is None
    assert "item 7 of 7 missing" in scores["GAD-7"]["reason"]
    # Ten items as marked, less the one that lacks, and ten reversed: 9 * 4 + 10 * 1, over 19 of 20.
    assert scores["STAI-S"]["after"] == 49
    text = page_of(site, name="rita")
    assert "item 7 of 7 missing" in text
    assert "6 of 7 answered" in text
    assert "19 of 20 answered" in text
    assert "Fill in</a>" not in text
    assert "data-remove" not in text


def test_an_answer_that_the_form_does_not_have_is_refused(site: Any, put: Any) -> None:
    refused: list[tuple[str, Any, int]] = [
        ("GAD-7/before", {"1": 4}, 422),
        ("GAD-7/before", {"1": 1.5}, 422),
        ("GAD-7/before", {"8": 1}, 422),
        ("GAD-7/before", {"0": 1}, 422),
        ("GAD-7/before", {"one": 1}, 422),
        ("GAD-7/before", {"1": "NaN"}, 422),
        ("GAD-7/before", {"1": None}, 422),
        ("GAD-7/before", {}, 422),
        ("GAD-7/during", {"1": 1}, 404),
        ("BDI/before", {"1": 1}, 404),
        ("SUDS/before", {"1": 100.5}, 422),
    ]
    for place, answers, status in refused:
        assert put(place, 0, answers).status_code == status, (place, answers)
    assert scores_of(site) == {}
    assert put("SUDS/before", 0, {"1": 37.5}).status_code == 200
    assert scores_of(site)["SUDS"]["before"] == 37.5


def test_W20_answers_of_two_people_are_never_merged(site: Any, put: Any) -> None:
    assert put("GAD-7/before", 0, GAD).status_code == 200
    answer = put("GAD-7/before", 0, {"1": 0}, name="olga")
    assert answer.status_code == 409
    told = answer.json()
    assert (told["theirs"], told["yours"], told["version"]) == (GAD, {"1": 0}, 1)
    assert scores_of(site)["GAD-7"]["before"] == 12
    editor, path = site.client("edgar"), f"/api/sessions/{site.session_id}/questionnaires/GAD-7"
    assert editor.request("DELETE", f"{path}/before", json={"version": 2}).status_code == 409
    assert editor.request("DELETE", f"{path}/before", json={"version": 1}).status_code == 200
    assert editor.request("DELETE", f"{path}/after", json={"version": 1}).status_code == 409
    assert scores_of(site) == {}


def test_W14_readers_see_answers_and_change_none(site: Any, put: Any) -> None:
    assert put("GAD-7/before", 0, GAD).status_code == 200
    assert put("GAD-7/before", 1, {"1": 0}, name="rita").status_code == 403
    assert put("GAD-7/before", 1, {"1": 0}, name="mallory").status_code == 404
    path = f"/api/sessions/{site.session_id}/questionnaires/GAD-7/before"
    removed = site.client("rita").request("DELETE", path, json={"version": 1})
    assert removed.status_code == 403
    text = page_of(site, "/GAD-7/before", "rita")
    assert text.count("disabled") == len(GAD)
    assert 'id="save"' not in text


def test_G01_no_answers_are_taken_without_consent(site: Any, put: Any) -> None:
    with site.store.writing(None) as change:
        change.session.execute(delete(Consent))
    answer = put("GAD-7/before", 0, GAD)
    assert (answer.status_code, answer.json()["code"]) == (403, "E_CONSENT")
    assert scores_of(site) == {}


def test_a_report_made_with_other_answers_is_told_to_be_outdated(site: Any, put: Any) -> None:
    with site.store.writing(None) as change:
        change.session.add(
            Result(
                session_id=site.session_id, settings={}, settings_version=1, status="OK",
                created_at=change.at,
            )
        )  # fmt: skip
    assert "Compute the session again" not in page_of(site)
    put("GAD-7/before", 0, GAD)
    assert "Compute the session again" in page_of(site)


def test_every_form_shows_each_item_once_and_all_its_steps(site: Any) -> None:
    for form in FORMS.values():
        items = [item for part in parts_of(form) for item in part.items]
        assert items == [str(item) for item in form.items]
        text = page_of(site, f"/{form.name}/after")
        assert text.count("data-item=") == len(form.items)
        assert text.count('type="radio"') == len(form.items) * len(steps_of(form))
    assert [part.title[:6] for part in parts_of(FORMS["STAI"])] == ["STAI-S", "STAI-T"]
    assert "Item 2: arousal" in page_of(site, "/SAM/before")


@pytest.fixture
def browser_page(make_site: Callable[..., Any]) -> Iterator[tuple[Any, Page, str]]:
    """A served site, and a browser in which edgar is logged in; skipped without a browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("/usr/bin/chromium is not on this machine")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        site = make_site(port=port)
        config = uvicorn.Config(site.app, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{port}"
        with playwright.sync_playwright() as started:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            token = site.client("edgar").cookies[COOKIE]
            page.context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
            yield site, page, f"{address}/sessions/{site.session_id}/questionnaires"
            browser.close()
        server.should_exit = True
        thread.join()


def kept(site: Any) -> list[float]:
    with site.store.reading() as session:
        (sheet,) = answers_of(session, site.session_id)
    return [sheet.scores[str(item)] for item in range(1, 8)]


def test_a_questionnaire_is_filled_in_with_the_keyboard_alone(
    browser_page: tuple[Any, Page, str],
) -> None:
    site, page, address = browser_page
    page.goto(f"{address}/GAD-7/before")
    progress = page.locator("[data-progress]")
    page.keyboard.type("9")  # no step of the form
    page.keyboard.type("01230")
    assert progress.inner_text() == "5 of 7 answered"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#missing").inner_text().startswith("Not answered: items 6, 7.")
    assert page.locator(".item.missing").count() == 2
    page.keyboard.type("33")
    page.keyboard.press("Delete")
    assert progress.inner_text() == "6 of 7 answered"
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_url(address)
    assert kept(site) == [0, 1, 2, 3, 1, 3, 2]
    page.goto(f"{address}/GAD-7/before")
    with site.store.writing(None) as change:
        save_answers(
            change, site.session_id, questionnaire="GAD-7", time="before", seen_version=1,
            scores=GAD,
        )  # fmt: skip
    page.locator("#item-1 label").nth(2).click()
    page.locator("#save").click()
    page.locator("#versions-theirs li").first.wait_for()
    assert "Item 1: 1" in page.locator("#versions-theirs").inner_text()
    assert "Item 1: 2" in page.locator("#versions-yours").inner_text()
    page.locator("#versions-mine").click()
    page.wait_for_url(address)
    assert kept(site) == [2, 1, 2, 3, 1, 3, 2]
