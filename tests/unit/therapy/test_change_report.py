"""The report's section on the change. Simulated people and made-up courses."""

from __future__ import annotations

import html.parser
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
    therapy_course,
)
from affectscope.evaluation.effect_sizes import ReliableChange
from affectscope.evaluation.quadrants import quadrant_probability, quadrant_time
from affectscope.evaluation.statistics import Estimate
from affectscope.io.session import Session
from affectscope.pages import environment
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES, TARGETS, Phase, Prediction
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.change import Sensitivity, in_phases, sensitivity
from affectscope.therapy.change_report import (
    change_content,
    directions_sentence,
    effect_notes,
    share_text,
)
from affectscope.therapy.measures import Measure, affect_quantities, measured

SECONDS = 300.0
NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'


@pytest.fixture(scope="module")
def body() -> Assessment:
    """No affect score; two marked parts, one with a hostile name."""
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        therapy_course(SECONDS, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )
    marked = (Phase("talk", 100, 150), Phase(NASTY, 250, 400))
    opened = Session(Path("s"), replace(recording, video=None), None, "largest", {}, marked=marked)
    return assess(opened, rate=1.0)


def with_affect(assessment: Assessment, valence: np.ndarray, arousal: np.ndarray) -> Assessment:
    """The assessment with these courses, one value a second, as its estimates."""
    values = np.zeros((len(valence), len(TARGETS)))
    values[:, 0], values[:, 1] = valence, arousal
    prediction = Prediction(
        keys=tuple(Preprocessing().key("s", "t", float(t)) for t in range(len(valence))),
        values=values,
        present=np.ones((len(valence), len(MODALITIES)), dtype=bool),
        population="simulated people",
        checkpoint_id="0" * 12,
        simulated_person=True,
    )
    quantities = affect_quantities(prediction)
    found = sensitivity(quantities, (0.0, SECONDS))
    changes = {**found.changes, **assessment.sensitivity.changes}
    return replace(
        assessment,
        prediction=prediction,
        affect=measured(quantities, assessment.phases, {}),
        quadrant_probability=in_phases(prediction, assessment.phases, quadrant_probability),
        quadrant_time=in_phases(prediction, assessment.phases, quadrant_time),
        sensitivity=Sensitivity(found.lengths, changes),
    )


@pytest.fixture(scope="module")
def scored(body: Assessment) -> Assessment:
    """From quadrant II to quadrant IV."""
    random = np.random.default_rng(0)
    ramp = np.linspace(-0.6, 0.6, int(SECONDS)) + 0.1 * random.normal(size=int(SECONDS))
    return with_affect(body, ramp, -ramp)


class Page(html.parser.HTMLParser):
    """The page's text, elements and event attributes."""

    def __init__(self, assessment: Assessment) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []
        self.text = ""
        template = environment().get_template("therapy/change.html.jinja")
        self.feed(template.render(change=change_content(assessment), simulated=True))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(scored: Assessment) -> Page:
    return Page(scored)


def test_the_section_tells_sizes_quadrants_windows_and_parts(page: Page) -> None:
    assert page.tags.count("svg") == 2
    for words in (
        "Hedges", "50 % is no difference", "unpleasant, aroused", "over 99 %", "0:50 min",
        "Valence", "rose whatever the length", "simulated person", "4:10 to 5:00, stated 4:10 to",
    ):  # fmt: skip
        assert words in page.text, words
    assert "Reliable change" not in page.text


def test_no_window_is_tested_and_no_p_value_stands_there(page: Page) -> None:
    text = page.text.casefold()
    for words in ("p <", "p =", "p-value", "t-test", "significant"):
        assert words not in text


def test_W09_names_of_marked_parts_are_inert(page: Page) -> None:
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.events == []
    assert "alert(1)" in page.text
    assert "{{ 7*7 }}" in page.text


def test_without_a_score_the_section_says_so(body: Assessment) -> None:
    page = Page(body)
    assert "No affect was scored" in page.text
    assert "probability" not in page.text.casefold()
    assert page.tags.count("svg") == 1


def test_nothing_but_nan_leaves_dashes_and_reasons(body: Assessment) -> None:
    nothing = np.full(int(SECONDS), np.nan)
    page = Page(with_affect(body, nothing, nothing))
    assert "before and after: nothing usable" in page.text
    assert "of valence and arousal too little is known" in page.text
    assert "nan" not in page.text.casefold()
    assert page.tags.count("svg") == 1


def test_one_phase_without_a_score_keeps_the_other(body: Assessment) -> None:
    half = np.where(np.arange(SECONDS) < 150, -0.4, np.nan)
    found = with_affect(body, half, -half)
    assert found.quadrant_time.keys() == {"before"}
    rows = change_content(found)["quadrants"]
    assert [row["number"] for row in rows] == ["I", "II", "III", "IV"]
    assert rows[1]["cells"][0][1] == "100 %"
    assert {row["cells"][1] for row in rows} == {("–", "–")}


def test_a_stated_reliability_adds_its_column(body: Assessment) -> None:
    first = replace(body.body[0], reliable_change=ReliableChange(-2.5, reliable=True))
    page = Page(replace(body, body=(first, *body.body[1:])))
    assert "-2.5: yes" in page.text
    assert "1.96" in page.text


def test_nothing_measured_at_all_is_said(body: Assessment) -> None:
    empty: dict[str, Any] = {"body": (), "marked": (), "sensitivity": Sensitivity((1.0, 2.0), {})}
    page = Page(replace(body, **empty))
    assert "Nothing could be compared" in page.text
    assert page.tags.count("svg") == 0


def test_directions_in_words() -> None:
    up, down = Estimate(1.0, None, None, 9), Estimate(-1.0, None, None, 9)
    changes = {"a": (up, up), "b": (down, down), "c": (up, down), "d": (None, up), "e": (up, up)}
    assert directions_sentence(Sensitivity((60.0, 90.0), changes)) == (
        "A and e rose whatever the length; b fell whatever the length; the direction of c depends"
        " on the length; of d too little is known. Lengths at which a part held nothing usable do"
        " not count."
    )


def test_one_direction_or_none_is_a_sentence_too() -> None:
    up = Estimate(1.0, None, None, 9)
    lengths = (60.0, 90.0)
    assert (
        directions_sentence(Sensitivity(lengths, {"a": (up, up)})) == "A rose whatever the length."
    )
    assert directions_sentence(Sensitivity(lengths, {})) == "Nothing could be compared."


def test_effect_notes_are_said_once() -> None:
    measures = [
        Measure(name, "", None, None, None, effect_note=note)
        for name, note in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "x"), ("e", ""))
    ]
    assert effect_notes(measures) == ["a, c and d: x", "b: y"]


def test_shares_as_text() -> None:
    assert share_text(None) == "–"
    assert share_text(Estimate(0.184, None, None, 9)) == "18 %"
    assert share_text(Estimate(0.184, 0.06, 0.41, 9)) == "18 % [6, 41]"
