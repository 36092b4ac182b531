"""Before against after, and the words around it."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.datasets.window_dataset import BodyAnalysis, analyse_body
from affectscope.evaluation.phases import default_phases
from affectscope.evaluation.statistics import Estimate
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES, TARGETS, Labels, Phase, Prediction, Recording
from affectscope.therapy.measures import (
    against_truth,
    body_measures,
    course_of_body,
    estimate_text,
    quadrant,
    summarise,
)

SECONDS = 240.0


@pytest.fixture(scope="module")
def body() -> BodyAnalysis:
    return analyse_body(person())


def person() -> Recording:
    return synthetic_recording(
        synthetic_person("simulated-01", 3),
        random_course(SECONDS, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )


def prediction(valence: np.ndarray, arousal: np.ndarray) -> Prediction:
    values = np.zeros((len(valence), len(TARGETS)))
    values[:, 0], values[:, 1] = valence, arousal
    preprocessing = Preprocessing()
    return Prediction(
        keys=tuple(preprocessing.key("s", "t", float(second)) for second in range(len(valence))),
        values=values,
        present=np.ones((len(valence), len(MODALITIES)), dtype=bool),
        population="people",
        checkpoint_id="0" * 12,
        simulated_person=False,
    )


def test_phases_are_fifteen_minutes_or_thirds() -> None:
    (before, after), rule = default_phases(0, 3600)
    assert (before.end, after.start) == (900, 2700)
    assert "15 minutes" in rule
    (before, after), rule = default_phases(10, 610)
    assert (before.end, after.start) == (pytest.approx(210), pytest.approx(410))
    assert "third" in rule
    (before, after), _ = default_phases(0, 1800)
    assert before.end == after.start == 900


def test_the_body_is_measured_in_both_phases_with_intervals(body: BodyAnalysis) -> None:
    recording = person()
    course = course_of_body(recording.span, body)
    measures = {m.name: m for m in body_measures(body, course, default_phases(0, SECONDS)[0])}
    assert list(measures) == ["heart rate", "RMSSD", "SDNN", "EDA level", "skin responses"]
    for name, measure in measures.items():
        for part in (measure.before, measure.after):
            assert part is not None, name
            assert part.low is not None, name
            assert part.high is not None, name
            assert 0 <= part.low <= part.mean <= part.high, name
    assert 40 < measures["heart rate"].before.mean < 130


def test_a_phase_too_short_for_variability_says_so(body: BodyAnalysis) -> None:
    course = course_of_body(person().span, body)
    phases = (Phase("before", 0, 40), Phase("after", 100, 240))
    measures = {m.name: m for m in body_measures(body, course, phases)}
    assert measures["RMSSD"].before is None
    assert measures["RMSSD"].after is not None
    assert measures["RMSSD"].change is None
    assert "before" in measures["RMSSD"].reason
    assert "60 s" in measures["RMSSD"].reason


def test_quadrants() -> None:
    assert quadrant(0.5, 0.5).startswith("I ")
    assert quadrant(-0.5, 0.5).startswith("II ")
    assert quadrant(-0.5, -0.5).startswith("III ")
    assert quadrant(0.5, -0.5).startswith("IV ")


def test_a_summary_says_who_how_and_how_sure() -> None:
    ramp = np.linspace(-0.6, 0.6, 600)
    text = summarise(prediction(ramp, -ramp))
    assert "valence: -0.40" in text
    assert "arousal: 0.40" in text
    assert "not a medical device" in text
    assert "third" in text
    empty = prediction(np.full(10, np.nan), np.full(10, np.nan))
    empty.values[:] = np.nan
    assert "Nothing" in summarise(empty)


def test_against_truth_equals_its_definition() -> None:
    random = np.random.default_rng(0)
    truth = np.sin(np.arange(600) / 20)
    estimate = np.clip(truth + 0.3 * random.normal(size=600), -1, 1)
    estimate[:10] = np.nan
    labels = np.full((600, len(TARGETS)), 0.0)
    labels[:, 0] = labels[:, 1] = truth
    rows = against_truth(prediction(estimate, truth + 0.1), Labels(np.arange(600.0), labels))
    valence, arousal = rows
    seen = slice(10, None)
    assert valence.correlation.mean == pytest.approx(np.corrcoef(estimate[seen], truth[seen])[0, 1])
    assert valence.error == pytest.approx(np.abs(estimate - truth)[seen].mean())
    assert arousal.correlation.mean == pytest.approx(1.0)
    assert arousal.error == pytest.approx(0.1)


def test_estimates_as_text() -> None:
    assert estimate_text(None) == "–"
    assert estimate_text(Estimate(0.5, None, None, 3)) == "0.50"
    assert estimate_text(Estimate(0.5, 0.25, 0.75, 3), sign="+") == "+0.50 [+0.25, +0.75]"
