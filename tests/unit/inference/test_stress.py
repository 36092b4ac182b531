"""The stress likelihood: what it says, when it says nothing, and that no feature carries the time.

The people are simulated; the model is the one that ships.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.synthetic_signals import draw_body, ecg_values, eda_values
from affectscope.errors import ModelError
from affectscope.inference.stress import StressCourse, stress_course
from affectscope.inference.stress_features import (
    FEATURES,
    SpanFeatures,
    ecg_course,
    span_features,
    spans_within,
)
from affectscope.inference.stress_model import (
    BASELINE,
    REFERENCES,
    Reference,
    model_of,
    stress_inputs,
)
from affectscope.records import TARGETS, ExcludedSpan, FloatArray, Labels, Recording, Signal

DURATION = 900.0
AROUSAL = TARGETS.index("arousal")


def recording(duration: float = DURATION, start: float = 0.0) -> Recording:
    """A simulated person who is aroused from 500 to 700 s on."""
    times = np.arange(0.0, DURATION + 1.0)
    values = np.zeros((len(times), len(TARGETS)))
    values[:, AROUSAL] = np.where((times > 500) & (times < 700), 0.9, -0.5)
    labels = Labels(times, values)
    random = np.random.default_rng(5)
    traits = draw_body(random)
    ecg = ecg_values(traits, labels, duration=DURATION, sampling_rate=125.0, generator=random)
    eda = eda_values(traits, labels, duration=DURATION, sampling_rate=4.0, generator=random)
    return Recording(
        "simulated-01",
        "1",
        True,
        ecg=Signal(ecg[: round(duration * 125)], 125.0, "mV", start),
        eda=Signal(eda[: round(duration * 4)], 4.0, "uS", start),
    )


@pytest.fixture(scope="module")
def body() -> BodyAnalysis:
    return analyse_body(recording())


def features(body: BodyAnalysis, span: tuple[float, float]) -> SpanFeatures:
    assert body.ecg is not None
    return span_features(ecg_course(body.ecg), body.eda, spans_within(*span))


def told(body: BodyAnalysis, reference: Reference, **options: object) -> StressCourse:
    course = stress_course(body, (0.0, DURATION), reference=reference, **options)  # type: ignore[arg-type]
    assert course is not None
    return course


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_course_has_probabilities_inside_their_intervals(
    body: BodyAnalysis, reference: Reference
) -> None:
    course = told(body, reference)
    assert len(course.times) == 85, "a span of 60 s every 10 s of 900 s"
    assert course.times[0] == 30.0
    known = np.isfinite(course.probability)
    first = 30 if reference == "first minutes" else 0
    assert known[first:].mean() > 0.8
    assert not known[:first].any()
    assert all("belongs to the baseline" in reason for reason in course.reasons[:first])
    assert ((course.low <= course.probability) & (course.probability <= course.high))[known].all()
    assert (course.low[known] >= 0).all()
    assert (course.high[known] <= 1).all()
    assert [reason == "" for reason in course.reasons] == known.tolist()
    assert "90 %" in course.interval
    aroused = (course.times > 530) & (course.times < 670) & known
    calm = (course.times > 300) & (course.times < 470) & known
    assert course.probability[aroused].mean() > course.probability[calm].mean() + 0.2


def test_nothing_is_told_without_heart_and_skin() -> None:
    assert stress_course(BodyAnalysis(None, None, ()), (0.0, DURATION)) is None


@pytest.mark.parametrize(("absent", "left"), [("ecg", "skin"), ("eda", "heart")])
def test_one_modality_is_enough(body: BodyAnalysis, absent: str, left: str) -> None:
    course = told(replace(body, **{absent: None}), "first minutes")
    assert np.isfinite(course.probability).mean() > 0.5, left
    both = told(body, "first minutes")
    assert not np.allclose(course.probability, both.probability, equal_nan=True)


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_short_session_has_no_baseline(body: BodyAnalysis, reference: Reference) -> None:
    course = stress_course(body, (0.0, 200.0), reference=reference)
    assert course is not None
    assert np.isnan(course.probability).all()
    assert all("baseline is missing" in reason for reason in course.reasons)
    assert course.baseline is None
    assert {notice.code for notice in course.notices} == {"W_NO_STRESS_LIKELIHOOD"}


def test_a_session_shorter_than_a_span_says_so(body: BodyAnalysis) -> None:
    course = stress_course(body, (0.0, 40.0))
    assert course is not None
    assert len(course.times) == len(course.reasons) == 0
    assert "40 s" in course.notices[0].sentence


def test_what_the_user_left_out_has_no_likelihood(body: BodyAnalysis) -> None:
    out = ExcludedSpan(None, 400.0, 500.0, "left the room")
    course = told(body, "whole session", excluded=(out,))
    inside = (course.times >= 400) & (course.times < 500)
    assert np.isnan(course.probability[inside]).all()
    assert {course.reasons[row] for row in np.flatnonzero(inside)} == {
        "neither heart nor skin was measured there"
    }
    assert np.isfinite(course.probability[~inside]).mean() > 0.8


def test_far_out_of_the_training_the_model_abstains(body: BodyAnalysis) -> None:
    assert body.eda is not None
    values = body.eda.cleaned.values.copy()
    values[-800:] *= 40.0  # conductance that no training person reached
    eda = replace(body.eda, cleaned=replace(body.eda.cleaned, values=values), tonic=values)
    course = told(BodyAnalysis(None, eda, ()), "first minutes")
    far = [reason for reason in course.reasons if "out of the range" in reason]
    assert far
    assert "out of the range" in course.notices[-1].sentence


def test_no_feature_changes_when_the_zero_of_the_axis_moves(body: BodyAnalysis) -> None:
    moved = 86400.0
    later = analyse_body(recording(start=moved))
    here = features(body, (0.0, DURATION))
    there = features(later, (moved, moved + DURATION))
    for name in FEATURES:
        assert np.allclose(here.of(name), there.of(name), atol=1e-5, equal_nan=True), name
    course = stress_course(later, (moved, moved + DURATION), reference="first minutes")
    assert course is not None
    first = told(body, "first minutes")
    assert np.allclose(course.probability, first.probability, atol=1e-4, equal_nan=True)
    assert np.allclose(course.times - moved, first.times)


def test_no_feature_of_a_span_changes_when_the_recording_goes_on(body: BodyAnalysis) -> None:
    shorter = analyse_body(recording(duration=600.0))
    spans = spans_within(0.0, 540.0)  # the last 30 s meet the filters' edge
    assert body.ecg is not None
    assert shorter.ecg is not None
    whole = span_features(ecg_course(body.ecg), body.eda, spans)
    part = span_features(ecg_course(shorter.ecg), shorter.eda, spans)
    for name in FEATURES:
        assert np.allclose(whole.of(name), part.of(name), atol=0.02, equal_nan=True), name


def test_beside_the_first_minutes_nothing_later_enters(body: BodyAnalysis) -> None:
    found = features(body, (0.0, DURATION))
    cut = SpanFeatures(found.spans[:50], found.of("heart")[:50], found.of("skin")[:50])
    whole, part = (stress_inputs(each, "first minutes") for each in (found, cut))
    assert np.allclose(whole.of("both", 120.0)[:50], part.of("both", 120.0), equal_nan=True)
    offline, cut_off = (stress_inputs(each, "whole session") for each in (found, cut))
    assert not np.allclose(
        offline.of("both", 120.0)[:50], cut_off.of("both", 120.0), equal_nan=True
    )


def naive(values: FloatArray, first: int) -> FloatArray:
    rows = []
    for row in range(len(values)):
        before = values[: max(row + 1, first)]
        rows.append((values[row] - np.nanmean(before, axis=0)) / np.nanstd(before, axis=0))
    return np.array(rows)


def test_a_span_is_compared_with_the_first_minutes_and_all_since() -> None:
    random = np.random.default_rng(0)
    spans = spans_within(0.0, 1000.0)
    skin = random.normal(5.0, 1.0, (len(spans), 6))
    skin[[3, 40]] = np.nan
    inputs = stress_inputs(SpanFeatures(spans, None, skin), "first minutes")
    first = int((spans[:, 1] <= BASELINE).sum())
    assert first == 25
    assert np.allclose(inputs.compared["skin"], naive(skin, first), equal_nan=True)
    taken = inputs.of("skin", 60.0)
    around = inputs.compared["skin"][55:61]  # spans that end in the 60 s up to the end of the 61st
    assert np.allclose(taken[60, 6:], around.mean(axis=0))
    assert np.isnan(inputs.compared["heart"]).all()
    assert "baseline" in inputs.reason["heart"]


def test_a_damaged_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no arrays"):
        model_of({}, "first minutes", "both")
