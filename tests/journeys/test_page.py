"""A therapist's whole way through the page, in a real browser against a real server.

Every page is photographed; ``AFFECTSCOPE_SCREENSHOTS=FOLDER`` keeps the pictures. The recordings
are real ones of ../shared/data, or those of a simulated person where they are absent. Nothing is
scored by a model: heart, skin and quality only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from . import page_steps as steps
from .page_browser import Browser, PageServer, browser, page_server
from .page_sources import SIGNALS, VIDEO, real_sources, simulated_sources

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Walk:
    """What came of it.

    Attributes:
        first, second: the result before and after a part was left out.
        secrets: tokens of the logins and of the first start.
        window, server: both closed by now.
    """

    first: steps.Shown
    second: steps.Shown
    answered: str
    report: str
    pdf: bytes
    exported: list[str]
    audit: str
    window: Browser
    server: PageServer
    secrets: list[str]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("page")
    sources = (
        real_sources(folder, SHARED_DATA) if SHARED_DATA.is_dir() else simulated_sources(folder)
    )
    with browser(folder) as window, page_server(folder) as server:
        steps.first_start(window, server.address, server.first_token)
        steps.out_and_in_again(window)
        steps.new_project(window)
        steps.new_person(window)
        steps.new_session(window)
        steps.upload(window, sources)
        steps.set_up(window, sources)
        steps.estimate(window)
        steps.watch(window, sources)
        first = steps.shown(window)
        steps.mark(window, sources)
        steps.compute_again(window)
        second = steps.shown(window)
        answered = steps.fill_in(window)
        report = steps.open_report(window)
        pdf = steps.download(window, "Report as PDF")
        steps.reject_and_take_back(window)
        steps.make_study(window)
        exported = steps.check_manifest(steps.export(window, folder / "export.zip"))
        secrets = [server.first_token, *_tokens(window)]
        steps.erase(window)
        audit = steps.look_at_the_rest(window)
        _misuse(server.address, secrets)
    return Walk(first, second, answered, report, pdf, exported, audit, window, server, secrets)


def _tokens(window: Browser) -> list[str]:
    """What lets somebody in: of the cookie, and of the page."""
    cookies = [cookie["value"] for cookie in window.page.context.cookies()]
    return [*cookies, window.page.locator("meta[name=csrf-token]").get_attribute("content")]


def _misuse(address: str, secrets: list[str]) -> None:
    """Requests that are refused, each with a name or a token where none belongs."""
    with httpx2.Client(base_url=address, headers={"Origin": address}) as client:
        for name in (*steps.CANARIES, *secrets):
            client.get(f"/{name}", params={"search": name}, headers={"Referer": name})
            client.post("/api/login", json={"name": name, "password": steps.PASSWORD, name: name})
            client.post("/api/owner", content=f'{{"token": "{name}'.encode())
            client.get("/", headers={"Cookie": f"affectscope_login={name}", "Host": name[:9]})


def _left(data: Path) -> list[tuple[str, str]]:
    return [
        (name, path.relative_to(data).as_posix())
        for path in data.rglob("*")
        if path.is_file()
        for name in steps.OF_THE_PERSON
        if name.encode() in path.read_bytes() or name in path.name
    ]


def test_a_part_that_is_left_out_is_told_and_changes_the_result(walk: Walk) -> None:
    assert walk.first.result_id != walk.second.result_id
    assert "W_EXCLUDED" not in walk.first.notices
    assert "W_EXCLUDED" in walk.second.notices
    assert set(walk.first.measures) == set(walk.second.measures)
    assert walk.first.measures != walk.second.measures
    assert walk.first.usable != walk.second.usable


def test_the_report_opens_with_its_limits_and_is_a_PDF_too(walk: Walk) -> None:
    assert steps.LEFT_OUT in walk.report
    assert "diagnosis" in walk.report
    assert walk.pdf.startswith(b"%PDF")


def test_a_questionnaire_is_filled_in_by_the_keyboard_alone(walk: Walk) -> None:
    assert "GAD-7" in walk.answered
    assert "\t9" in walk.answered


def test_the_export_holds_all_of_the_person_and_what_its_manifest_says(walk: Walk) -> None:
    assert any(name.endswith(VIDEO) for name in walk.exported)
    assert any(name.endswith(SIGNALS) for name in walk.exported)
    assert any(name.endswith("report.pdf") for name in walk.exported)


def test_G02_a_person_erased_on_the_page_is_in_no_file_any_more(walk: Walk) -> None:
    assert _left(walk.server.data) == []


def test_W23_the_audit_trail_of_all_that_is_whole(walk: Walk) -> None:
    assert "whole" in walk.audit


def test_no_request_leaves_the_machine_and_no_page_complains(walk: Walk) -> None:
    assert walk.window.asked == {walk.server.address.removeprefix("http://")}
    assert walk.window.said == []


def test_no_page_is_wider_than_the_window_at_1280_and_at_768_pixels(walk: Walk) -> None:
    assert walk.window.cut == []


def test_W25_no_name_and_no_token_is_in_any_log(walk: Walk) -> None:
    logged = walk.server.said().casefold()
    assert "job " in logged, "the worker's jobs are told"
    for secret in (*steps.CANARIES, *walk.secrets):
        assert secret.casefold() not in logged
