"""What nobody expected: the answer bears a number only, the log no text of the fault (W24)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from affectscope.web.access import ANYONE, needs
from affectscope.web.gate import add_routes

MESSAGE = "cannot read /home/mercedes/patients/Anna Meier.csv"
SECRETS = ("mercedes", "Meier", "/home", "patients", "Traceback", "ValueError", "test_faults")


class UnreadableError(Exception):
    """Whose text is asked for by nobody, for it holds a name."""

    def __str__(self) -> str:
        return MESSAGE


def _plain() -> None:
    raise ValueError(MESSAGE)


def _chained() -> None:
    try:
        raise UnreadableError
    except UnreadableError as error:
        raise KeyError(MESSAGE) from error


def _grouped() -> None:
    raise ExceptionGroup(MESSAGE, [ValueError(MESSAGE)])


def _noted() -> None:
    error = OSError(2, MESSAGE, "/home/mercedes")
    error.add_note(MESSAGE)
    raise error


@pytest.fixture(params=[_plain, _chained, _grouped, _noted])
def faulty(request: pytest.FixtureRequest, site: Any) -> TestClient:
    """A browser, and a page on which something fails inside the program."""

    def fail() -> None:
        request.param()

    router = APIRouter()
    for path in ("/broken/{name}", "/api/broken/{name}"):
        router.add_api_route(path, fail, methods=["GET", "POST"], dependencies=needs(ANYONE))
    add_routes(site.app, router.routes)
    client: TestClient = site.client("olga")
    return TestClient(
        site.app,
        base_url=str(client.base_url),
        headers=dict(client.headers),
        cookies=dict(client.cookies),
        raise_server_exceptions=False,
    )


@pytest.mark.parametrize("path", ["/api/broken/Meier", "/broken/Meier?name=Meier"])
def test_W24_a_fault_is_answered_with_a_number_which_the_log_tells_more_about(
    faulty: TestClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = faulty.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 500
    numbers = re.findall(r"fault ([0-9a-f]{12})", answer.text)
    assert len(set(numbers)) == 1
    logged = [record for record in caplog.records if record.name.startswith("affectscope")]
    assert [record.levelname for record in logged] == ["ERROR"]
    written = logging.Formatter().format(logged[0])
    assert numbers[0] in written
    assert "/broken/{name}" in written, "the route, not the address that was asked for"
    assert "test_faults.py" in written, "where it came from"
    for secret in SECRETS:
        assert secret not in answer.text
        assert secret not in str(answer.headers)
    for secret in ("mercedes", "Meier", "patients"):
        assert secret not in written


def test_W24_a_fault_bears_the_headers_of_every_page(faulty: TestClient) -> None:
    answer = faulty.get("/broken/x", headers={"Accept": "text/html"})
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_W24_a_fault_in_a_change_is_told_to_the_script_that_asked(faulty: TestClient) -> None:
    told = faulty.post("/api/broken/x", json={"name": "Meier"}).json()
    assert told.keys() == {"code", "sentence", "remedy", "fault"}
    assert told["code"] == "E_INTERNAL"
    assert told["fault"] in told["sentence"]


def _unlucky(raised: Exception) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise raised

    return fail


def test_W24_a_fault_in_the_runner_of_jobs_is_kept_without_its_text(
    ready: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job of a route fails likewise: the page tells the job's number."""
    from affectscope.web.job_kinds import KINDS, InspectJob

    class Broken(InspectJob):
        task = _unlucky(ValueError(MESSAGE))  # type: ignore[assignment]

    monkeypatch.setitem(KINDS, "inspect", Broken())
    client, path = ready.client("edgar"), f"/api/sessions/{ready.session_id}/inspection"
    job_id = client.post(path).json()["id"]
    with caplog.at_level(logging.DEBUG):
        assert ready.app.state.runner.step()
    told = client.get(f"/api/jobs/{job_id}").json()
    assert (told["state"], told["code"]) == ("failed", "E_INTERNAL")
    assert job_id in told["sentence"]
    written = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert job_id in written
    assert "ValueError" in written
    assert "Meier" not in written
    assert "Meier" not in str(told)


def test_W24_an_expected_refusal_is_no_fault_and_is_not_logged(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = site.client("olga").get("/subjects/" + "0" * 32)
    assert answer.status_code == 404
    assert [r for r in caplog.records if r.name.startswith("affectscope")] == []
