"""The page: everything from outside is inert, and the first things come first. Simulated people
and untrained weights: no number here is about a human being."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from markupsafe import Markup

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
    therapy_course,
)
from affectscope.errors import SessionError
from affectscope.evaluation.effect_sizes import ReliableChange
from affectscope.evaluation.statistics import Estimate
from affectscope.inference.predictor import Predictor
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.pages import environment, write_page
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Notice, Phase
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.first_page import MOST_NOTICES, condensed, headline, key_row
from affectscope.therapy.measures import Measure, percent_text
from affectscope.therapy.questionnaires.scores import QuestionnaireScore
from affectscope.therapy.report import (
    content,
    render,
    summary_lines,
    write_rejection,
    write_report,
)
from affectscope.therapy.results import result, write_result

RAN = "document.documentElement.setAttribute('data-ran','yes')"
NASTY = f'<script>{RAN}</script>"><img src=x onerror={RAN}>{{{{ 7*7 }}}}'
CLOSERS = ("", '"', "'", '">', "'>", "</td>", "</p></main>", "</style>", "</title>", "--><!--")
LIVE = (
    f"<script>{RAN}</script>",
    f"<img src=x onerror={RAN}>",
    f"<svg/onload={RAN}>",
    f"<a href=\"javascript:{RAN}\">x</a><iframe srcdoc='<script>parent.{RAN}</script>'></iframe>",
    f" onmouseover={RAN} style=background:url(http://127.0.0.1:9/x) ",
    "<link rel=attachment href=file:///etc/passwd><style>@page{size:9cm}*{display:none}</style>",
)
PAYLOADS = [closer + live for closer in CLOSERS for live in LIVE]


@pytest.fixture(scope="module")
def session() -> Session:
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        therapy_course(240.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )
    return Session(
        Path("session"),
        replace(recording, video=None),
        None,
        "largest",
        {"signals.csv": "ab" * 32},
        marked=(Phase("talk", 50, 90),),
    )


@pytest.fixture(scope="module")
def assessment(session: Session) -> Assessment:
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    torch.manual_seed(0)
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    done = assess(session, Predictor(BMMN(config).eval(), checkpoint, "5f" * 32), rate=1.0)
    said = QuestionnaireScore(
        "STAI-S", "points", 20, 80, 52, 41, -11, "more anxiety", "", "", ReliableChange(-2.4, True),
        "an item was estimated",
    )  # fmt: skip
    notices = (Notice("W_NOISE", "Too noisy.", "ecg", 1.0, 4.0), Notice("W_UNIT", "?", "eda"))
    return replace(done, status="DEGRADED", notices=notices, questionnaires=(said,))


@pytest.fixture(scope="module")
def without_score(session: Session) -> str:
    """The page of the same session without a checkpoint."""
    return render(replace(assess(session, rate=1.0), notices=(), status="OK"))


@pytest.fixture(scope="module")
def values(assessment: Assessment) -> dict[str, Any]:
    """What the template fills in: figures are drawn once for all tests."""
    return content(assessment)


def filled_in(values: Mapping[str, Any]) -> str:
    return environment().get_template("therapy/report.html.jinja").render(values)


@pytest.fixture(scope="module")
def page(values: dict[str, Any]) -> str:
    return filled_in(values)


class Elements(html.parser.HTMLParser):
    """All elements with the names of their attributes; the text of the section "first"."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.first = ""
        self._within = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))
        self._within = self._within or ("class", "first") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._within = self._within and tag != "section"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.first += f" {data.strip()}"


def with_every_text(value: Any, text: str) -> Any:
    """The template's values with ``text`` in place of every text that it may fill in."""
    if isinstance(value, Markup):
        return Markup("<svg></svg>")
    if isinstance(value, str):
        return text if value else value
    if isinstance(value, Mapping):
        return {key: with_every_text(item, text) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(with_every_text(item, text) for item in value)
    return value


@pytest.fixture(scope="module")
def filled(values: dict[str, Any]) -> Callable[[str], str]:
    """The report with one text in every place that takes a text."""
    return lambda text: filled_in(with_every_text(values, text))


def test_W09_sixty_payloads_in_every_text_add_no_element_and_no_attribute(
    filled: Callable[[str], str],
) -> None:
    assert len(set(PAYLOADS)) == 60
    clean = Elements(filled("clean " * 12)).found
    assert len(clean) > 300
    for payload in PAYLOADS:
        spoiled = filled(payload)
        assert Elements(spoiled).found == clean, payload
        assert spoiled.count(str(Markup.escape(payload))) > 100  # shown as it is, not dropped


def test_W09_every_stored_text_comes_through_the_templates(
    assessment: Assessment, tmp_path: Path
) -> None:
    recording = replace(assessment.session.recording, subject_id=NASTY, trial_id=NASTY)
    marked = tuple(replace(part, name=NASTY) for part in assessment.marked)
    assert assessment.predictor is not None
    checkpoint = replace(assessment.predictor.checkpoint, population=NASTY, intended_use=NASTY)
    (said,) = assessment.questionnaires
    spoiled = replace(
        assessment,
        session=replace(assessment.session, recording=recording, input_hashes={NASTY: NASTY}),
        notices=(Notice("W_UNIT", NASTY, "ecg", 1.0, 2.0), Notice("W_FORCED_SCORE", NASTY)),
        phase_rule=NASTY,
        marked=marked,
        predictor=replace(assessment.predictor, checkpoint=checkpoint),
        questionnaires=(replace(said, higher_means=NASTY, reason=NASTY),),
    )
    (written,) = write_report(spoiled, tmp_path / "report.html", pdf=False)
    assert written == tmp_path / "report.html"
    page = written.read_text()
    elements = Elements(page).found
    assert {"script", "img", "iframe", "link"}.isdisjoint(tag for tag, *_ in elements)
    assert not [name for _, *names in elements for name in names if name.startswith("on")]
    assert "49" not in page.split("<title>")[1].split("</title>")[0]


@pytest.mark.usefixtures("weasyprint")
def test_W09_payloads_do_nothing_in_the_pdf_and_are_shown(
    tmp_path: Path, pdf_content: Callable[[bytes], Any]
) -> None:
    """The same template engine and style, a short page: names go into the margins as well."""
    name = ' "} @page { size: 9cm } </style><link rel=attachment href=file:///etc/passwd>'
    error = SessionError("E_SESSION", "\n".join(PAYLOADS), "".join(PAYLOADS))
    for path in write_rejection(error, name, tmp_path / "report.html"):
        assert path.exists()
    found = pdf_content((tmp_path / "report.pdf").read_bytes())
    for sign in (b"/JavaScript", b"/JS", b"/Launch", b"/EmbeddedFile", b"/URI", b"root:x"):
        assert sign not in found.objects
    boxes = set(re.findall(rb"/MediaBox \[([^\]]*)\]", found.objects))
    assert boxes == {b"0 0 595.275591 841.889764"}
    letters = re.sub(r"\s", "", found.text)
    assert re.sub(r"\s", "", name) in letters
    for live in LIVE:
        assert re.sub(r"\s", "", live) in letters, live


def test_W09_a_browser_runs_nothing_of_it(filled: Callable[[str], str], tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    marked = "<html data-"
    for name, page in (
        ("report", filled("".join(PAYLOADS))),
        ("live", f"<!doctype html><html><body>{LIVE[0]}</body></html>"),
    ):
        (tmp_path / f"{name}.html").write_text(page)
        asked = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        asked += [f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / f"{name}.html").as_uri()]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0 or "<body" not in done.stdout:
            pytest.skip(f"Chromium does not run here ({done.stderr[-200:]})")
        assert (f'{marked}ran="yes"' in done.stdout) == (name == "live")


def test_status_and_coverage_come_before_any_number_about_the_person(page: str) -> None:
    places = [page.index(text) for text in (">DEGRADED<", "What could be used", "What changed")]
    assert places == sorted(places)
    assert places[-1] < page.index("heart rate")


def test_G10_the_first_page_bears_intervals_model_limits_and_no_diagnosis(
    page: str, without_score: str
) -> None:
    first = Elements(page).first
    for words in (
        "not a medical device",
        "not a diagnosis",
        "95 % interval",
        "5f5f5f5f5f5f",
        "fitted on 1 simulated people",
        "affectscope 0.",
        "not what the person feels",
        "STAI-S",
        "too noisy to be read",
    ):
        assert words in first, words
    assert re.search(r"\[[+-]\d+\.\d+, [+-]\d+\.\d+\]", first)
    bare = Elements(without_score).first
    for words in ("not a diagnosis", "Model: none", "95 % interval"):
        assert words in bare, words
    assert page.index("Simulated people") < page.index("<main>")


@pytest.mark.usefixtures("weasyprint")
def test_the_first_page_fits_on_one_sheet_and_the_pdf_says_what_the_page_says(
    values: dict[str, Any], tmp_path: Path, pdf_content: Callable[[bytes], Any]
) -> None:
    (said,) = values["questionnaires"]["rows"]
    many = [{**said, "measure": f"Form {number}"} for number in range(10)]
    more = {**values, "questionnaires": {**values["questionnaires"], "rows": many}}
    _, pdf = write_page(filled_in(more), tmp_path / "report")
    first, *others = pdf_content(pdf.read_bytes()).pages
    for words in ("DEGRADED", "What changed", "Form 9", "not a diagnosis", "page 1 of"):
        assert words in first, words
    assert "Model, versions, files" in first  # the last words of the first section
    assert "Research use, not a medical device" in others[0]
    assert "simulated-01, session" in others[0]  # who it is, in every margin
    assert any("ab" * 32 in re.sub(r"\s", "", page) for page in others)


def test_a_report_without_a_score_has_no_empty_sections(without_score: str) -> None:
    for part in ("affect", "truth", "questionnaires", "influence"):
        assert f'id="{part}"' not in without_score
        assert f'href="#{part}"' not in without_score
    assert "Nothing was masked or left out." in without_score
    assert re.search("<p>EDA level (rose|fell) by", without_score)


def test_every_anchor_of_the_contents_is_there(page: str) -> None:
    wanted = re.findall(r'href="#([a-z]+)"', page)
    assert len(wanted) > 8
    assert set(wanted) <= set(re.findall(r'<section id="([a-z]+)"', page))


def test_notices_are_told_by_kind_the_gravest_first() -> None:
    notices = [
        *(Notice("W_NOISE", "n", "ecg", 10.0 * k, 10.0 * k + 5) for k in range(5)),
        Notice("W_FACE_GAPS", "g", "face", 0.0, 40.0),
        Notice("W_UNIT", "u", "eda"),
        Notice("W_SEVERAL_FACES", "s", "face"),
        Notice("W_NOT_ALIGNED", "a", "face"),
        Notice("E_NO_FACE", "f", "face"),
    ]
    told = condensed(notices)
    codes = [line["code"] for line in told["lines"]]
    assert codes == ["E_NO_FACE", "W_NOT_ALIGNED", "W_FACE_GAPS", "W_NOISE"]
    assert told["lines"][-1]["facts"] == "5 times, 0:25 minutes"
    assert (told["more"], told["count"], len(codes)) == (2, 10, MOST_NOTICES)
    assert condensed(()) == {"lines": [], "more": 0, "count": 0}


@pytest.mark.parametrize(
    ("change", "sentence", "way"),
    [
        (Estimate(1.2, 0.4, 2.0, 9), "Heart rate rose by 1.2 bpm (95 % interval", "▲ rose"),
        (Estimate(-1.2, -2.0, -0.4, 9), "Heart rate fell by 1.2 bpm (95 % interval", "▼ fell"),
        (Estimate(-1.2, -3.0, 0.6, 9), "may not have changed at all", "not sure"),
        (Estimate(-1.2, None, None, 9), "too short for an interval", "no interval"),
        (None, "cannot be compared: nothing usable before", "no interval"),
    ],
)
def test_a_direction_is_claimed_only_beyond_doubt(
    change: Estimate | None, sentence: str, way: str
) -> None:
    reason = "nothing usable before" if change is None else ""
    measure = Measure("heart rate", "bpm", None, None, change, reason, digits=1)
    assert sentence in headline(measure)
    assert key_row(measure)["way"] == way


def test_a_mean_and_its_interval_stand_apart() -> None:
    measure = Measure("EDA level", "µS", Estimate(5.642, 5.4, 5.9, 9), None, None)
    row = key_row(measure)
    assert row["before"] == {"mean": "5.64", "interval": "[5.40, 5.90]"}
    assert row["after"] == {"mean": "–", "interval": ""}


def test_a_probability_of_a_bootstrap_is_never_certain() -> None:
    shares = (0.0, 0.004, 0.5, 0.97, 1.0)
    told = [percent_text(share) for share in shares]
    assert told == ["under 1 %", "under 1 %", "50 %", "97 %", "over 99 %"]


def test_the_command_line_says_status_coverage_measures_and_notices(
    assessment: Assessment,
) -> None:
    lines = summary_lines(assessment)
    assert lines[0] == "DEGRADED: simulated-01 (simulated person)"
    text = "\n".join(lines)
    for words in ("ECG: 100.0 % of 4:00 recorded", "heart rate (bpm)", "W_NOISE: ECG, 0:01 to"):
        assert words in text, words


def test_the_result_is_plain_json_without_nan(assessment: Assessment, tmp_path: Path) -> None:
    write_result(result(assessment), tmp_path)
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    found = json.loads(text)
    assert found["status"] == assessment.status
    assert found["simulated_person"] is True
    assert found["inputs"] == {"signals.csv": "ab" * 32}
    assert found["physiology"].keys() == result(assessment)["physiology"].keys()


def test_a_rejection_is_a_page_with_code_and_remedy(tmp_path: Path) -> None:
    error = SessionError("E_SESSION", f"No session in {NASTY}.", "Write a session.toml.")
    write_rejection(error, NASTY, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "E_SESSION" in page
    assert "Write a session.toml." in page
    assert "script" not in {tag for tag, *_ in Elements(page).found}
