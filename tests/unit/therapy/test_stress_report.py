"""The report's section on the stress likelihood. A simulated person and invented courses: no number
here is about a human being."""

from __future__ import annotations

import re
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
from affectscope.io.session import Session
from affectscope.pages import environment
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.report import content, summary_lines
from affectscope.therapy.results import result
from affectscope.therapy.stress_figure import stress_over_time
from affectscope.therapy.stress_report import stress_content
from affectscope.therapy.study.reading import read_session

from .invented_stress import FAR, PHASES, course, moved

EXPERIMENTAL = "tress likelihood (experimental)"


@pytest.fixture(scope="module")
def done() -> Assessment:
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        therapy_course(900.0, 3),
        settings=SyntheticSettings(sampling_rate=64.0),
    )
    session = Session(Path("session"), replace(recording, video=None), None, "largest", {})
    return replace(assess(session, rate=0.2), phases=PHASES)


@pytest.fixture(scope="module")
def values(done: Assessment) -> dict[str, Any]:
    """What the report's template fills in: figures are drawn once for all tests."""
    return content(done)


def section(assessment: Assessment) -> str:
    """The section's HTML with single spaces."""
    page = environment().get_template("therapy/stress.html.jinja")
    return " ".join(page.render(stress=stress_content(assessment)).split())


def words(page: str) -> str:
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL).split())


@pytest.fixture(scope="module")
def higher(done: Assessment) -> str:
    return section(replace(done, stress=moved(0.2, 0.8)))


def test_the_section_says_what_it_is_and_what_it_is_not(higher: str) -> None:
    told = words(higher)
    assert told.startswith(f"S{EXPERIMENTAL}")
    assert "It is not arousal, not valence and no diagnosis." in told
    assert "How much heart and skin look, 60 s at a time, as in 2 healthy adults" in told
    assert "compared with all of this session" in told


def test_the_section_shows_the_course_both_means_and_both_intervals(higher: str) -> None:
    assert "<svg" in higher
    assert re.search(r"before 0\.2\d 0\.1\d to 0\.3\d 0\.\d\d to 0\.\d\d 25 of 25", words(higher))
    assert "Of ten people, nine lie within it." in higher


def test_the_section_bears_the_card_with_the_elapsed_time_baseline_and_the_limits(
    higher: str,
) -> None:
    card = words(higher[higher.index("<details") :])
    assert "stress_predict, 2 people: Somebody (2022). Licence: MIT." in card
    assert "elapsed time alone 0.83" in card
    assert "this model 0.71 [0.66, 0.76]" in card
    assert "Healthy adults at rest or under acute stress." in card
    assert "5f5f5f5f5f5f" in card
    assert "not a medical device" in card


def test_no_change_is_claimed_where_the_intervals_overlap(done: Assessment, higher: str) -> None:
    overlapping = words(section(replace(done, stress=moved(0.2, 0.8, width=0.4))))
    assert "looked more like stress" in higher
    assert "nor what the person felt" in higher
    assert "looked more like stress" not in overlapping
    assert "no sign that anything changed" in overlapping


def test_where_only_one_signal_was_read_the_section_says_which(done: Assessment) -> None:
    skin = [measure for measure in done.body if measure.name.startswith(("EDA", "skin"))]
    heart = [measure for measure in done.body if measure not in skin]
    for body, found in ((skin, "the skin looks, 60 s"), (heart, "the heart looks, 60 s")):
        told = words(section(replace(done, stress=moved(0.2, 0.8), body=tuple(body))))
        assert f"How much {found}" in told
        assert f"Nothing of the {'heart' if body is skin else 'skin'} could be read" in told


def test_where_the_model_abstains_everywhere_the_section_says_why_and_the_first_page_nothing(
    done: Assessment, values: dict[str, Any]
) -> None:
    silent = replace(done, stress=course(np.full(88, np.nan)))
    assert stress_over_time(course(np.full(88, np.nan)), PHASES, (0, 900)) is None
    told = words(section(silent))
    assert "No part of this session could be estimated." in told
    assert f"{FAR}: 100 %" in told
    assert 'href="#stress"' not in page_of(values, silent)
    assert 'id="stress"' in page_of(values, silent)


def test_the_first_page_links_to_the_section_only_where_something_was_estimated(
    done: Assessment, values: dict[str, Any]
) -> None:
    shown = page_of(values, replace(done, stress=moved(0.2, 0.8)))
    assert shown.count('href="#stress"') == 1
    assert 'id="stress"' not in page_of(values, replace(done, stress=None))


def test_the_command_line_tells_it_by_its_whole_name(done: Assessment) -> None:
    values = np.full(88, 0.4)
    values[60:82] = np.nan
    (line,) = stress_lines_of(replace(done, stress=course(values)))
    assert line.startswith("  stress likelihood (experimental): 0.40 [0.30, 0.50] before")
    assert line.endswith(f"none for 25 % of the spans ({FAR})")
    (silent,) = stress_lines_of(replace(done, stress=course(np.full(88, np.nan))))
    assert "before: no estimate in it" in silent
    assert stress_lines_of(replace(done, stress=None)) == []


def test_the_figure_has_gaps_where_the_model_abstains_and_marks_lonely_spans() -> None:
    values = np.full(88, 0.4)
    values[10:20] = np.nan
    values[40] = values[42] = np.nan
    figure = stress_over_time(course(values), PHASES, (0, 900))
    assert figure is not None
    line, lonely = figure.axes[0].get_lines()
    assert np.isnan(np.asarray(line.get_ydata(), float)).sum() == 12
    np.testing.assert_array_equal(lonely.get_xdata(), [30 + 41 * 10])


def test_the_result_calls_it_by_its_whole_name_and_never_affect(done: Assessment) -> None:
    told = result(replace(done, stress=moved(0.2, 0.8)))
    assert told["stress_likelihood"]["name"] == "stress likelihood (experimental)"
    assert told["affect"] is None
    assert result(replace(done, stress=None))["stress_likelihood"] is None


def test_a_study_reads_a_result_that_bears_it_and_makes_no_measure_of_it(done: Assessment) -> None:
    bearing, without = (
        read_session("s", result(replace(done, stress=stress)), 1)
        for stress in (moved(0.2, 0.8), None)
    )
    assert bearing.measures == without.measures
    assert not any("stress" in measure.name for measure in bearing.measures)


def page_of(values: dict[str, Any], assessment: Assessment) -> str:
    page = environment().get_template("therapy/report.html.jinja")
    return page.render({**values, "stress": stress_content(assessment)})


def stress_lines_of(assessment: Assessment) -> list[str]:
    return [line for line in summary_lines(assessment) if EXPERIMENTAL in line]
