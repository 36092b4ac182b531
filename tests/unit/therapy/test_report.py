"""The page: everything from outside is inert, and the first things come first."""

from __future__ import annotations

import html.parser
import json
from dataclasses import replace
from pathlib import Path

import pytest

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.errors import SessionError
from affectscope.io.session import Session
from affectscope.records import Notice
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.report import render, write_rejection
from affectscope.therapy.results import result, write_results

NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        random_course(60.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )
    session = Session(Path("session"), recording, None, "largest", {"signals.csv": "ab" * 32})
    return assess(session, rate=1.0)


class Elements(html.parser.HTMLParser):
    """Counts elements and event attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]


def test_W09_names_and_notices_are_inert(assessment: Assessment) -> None:
    recording = replace(assessment.session.recording, subject_id=NASTY, trial_id=NASTY)
    session = replace(assessment.session, recording=recording, input_hashes={NASTY: NASTY})
    spoiled = replace(
        assessment, session=session, notices=(Notice("W_UNIT", NASTY, "ecg", 1.0, 2.0),)
    )
    elements = Elements(render(spoiled))
    assert "script" not in elements.tags
    assert "img" not in elements.tags
    assert elements.events == []
    assert "49" not in render(spoiled).split("<title>")[1].split("</title>")[0]


def test_status_and_coverage_come_before_any_number_about_the_person(
    assessment: Assessment,
) -> None:
    page = render(assessment)
    assert page.index("What could be used") < page.index("What the body did")
    assert page.index(assessment.status) < page.index("heart rate")


def test_G10_limits_versions_and_simulation_are_on_the_page(assessment: Assessment) -> None:
    page = render(assessment)
    for words in ("not a medical device", "not a diagnosis", "neurokit2", "95 %"):
        assert words in page
    assert page.index("Simulated people") < page.index("<main>")


def test_the_result_is_plain_json_without_nan(assessment: Assessment, tmp_path: Path) -> None:
    write_results(assessment, tmp_path)
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    content = json.loads(text)
    assert content["status"] == assessment.status
    assert content["affect"] is None
    assert content["simulated_person"] is True
    assert content["inputs"] == {"signals.csv": "ab" * 32}
    assert content["physiology"].keys() == result(assessment)["physiology"].keys()


def test_a_rejection_is_a_page_with_code_and_remedy(tmp_path: Path) -> None:
    error = SessionError("E_SESSION", f"No session in {NASTY}.", "Write a session.toml.")
    write_rejection(error, NASTY, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "E_SESSION" in page
    assert "Write a session.toml." in page
    assert "script" not in Elements(page).tags
