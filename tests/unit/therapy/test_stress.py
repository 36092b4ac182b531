"""The stress likelihood as it is told. Invented courses: no number here is about a human being."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.records import Phase
from affectscope.therapy.results import plain
from affectscope.therapy.stress import (
    abstentions,
    compared_with,
    difference,
    phase_likelihoods,
    stress_at,
    stress_result,
)

from .invented_stress import FAR, PHASES, course, moved


def test_a_part_is_told_from_the_spans_that_lie_wholly_in_it() -> None:
    values = np.full(88, 0.5)
    values[25:57] = 0.99  # the spans that lie in neither part, or only half in one
    before, after = phase_likelihoods(course(values), PHASES)
    assert before.spans == before.estimated == 25  # middles 30, 40, ... 270
    assert after.spans == 25
    assert before.over_time is not None
    assert after.over_time is not None
    assert before.over_time.mean == after.over_time.mean == 0.5


def test_both_intervals_are_told_and_the_models_is_the_mean_of_its_bounds() -> None:
    found = stress_result(moved(0.2, 0.8), PHASES)
    assert found is not None
    told = json.loads(json.dumps(plain(found), allow_nan=False))
    for name, level in (("before", 0.2), ("after", 0.8)):
        part = told["phases"][name]
        assert part["mean"] == pytest.approx(level, abs=0.03)
        assert part["low"] == pytest.approx(part["mean"] - 0.1, abs=1e-6)
        assert part["high"] == pytest.approx(part["mean"] + 0.1, abs=1e-6)
        assert part["over_time"]["low"] < part["mean"] < part["over_time"]["high"]
    assert told["after_against_before"] == "higher"
    assert told["name"] == "stress likelihood (experimental)"
    assert told["interval"] == "Of ten people, nine lie within it."
    assert told["model"]["model_id"] == "5f" * 6
    assert told["model"]["training_people"] == 2
    assert told["baseline"] == [0.0, 930.0]
    assert told["notices"] == [{"code": "W_LOW_RATE", "sentence": "Sampled slowly."}]


@pytest.mark.parametrize(
    ("before", "after", "width", "said"),
    [
        (0.2, 0.8, 0.1, "higher"),
        (0.8, 0.2, 0.1, "lower"),
        (0.2, 0.8, 0.4, "not told apart"),
        (0.45, 0.55, 0.1, "not told apart"),
        (0.495, 0.505, 0.0001, "not told apart"),  # the means within the session are unsure
    ],
)
def test_parts_differ_only_where_the_intervals_lie_apart(
    before: float, after: float, width: float, said: str
) -> None:
    assert difference(phase_likelihoods(moved(before, after, width=width), PHASES)) == said


def test_where_an_interval_is_missing_nothing_is_said_about_a_difference() -> None:
    quick = course(np.r_[np.full(5, 0.1), np.full(5, 0.9)])
    parts = phase_likelihoods(quick, (Phase("before", 0, 100), Phase("after", 50, 150)))
    assert all(part.over_time is not None and part.over_time.low is None for part in parts)
    assert difference(parts) is None


def test_a_part_without_a_whole_span_or_without_an_estimate_says_so() -> None:
    values = np.full(88, 0.4)
    values[57:] = np.nan
    short, silent = phase_likelihoods(course(values), (Phase("before", 0, 59), PHASES[1]))
    assert short.reason == "no whole 60 s of the session lie in it"
    assert silent.reason == "no estimate in it"
    assert (silent.spans, silent.estimated) == (25, 0)
    assert short.over_time is silent.over_time is None


def test_a_part_with_an_estimate_in_less_than_half_of_its_spans_is_not_told() -> None:
    values = np.full(90, 0.4)
    values[: 25 - 12] = np.nan  # of the first part's 25 spans 12 have an estimate
    before, after = phase_likelihoods(course(values), PHASES)
    assert before.over_time is None
    assert before.reason == "an estimate in 12 of its 25 spans only"
    assert after.over_time is not None
    values[12] = 0.4
    assert phase_likelihoods(course(values), PHASES)[0].over_time is not None


def test_abstentions_are_told_by_reason_and_as_a_share_of_all_spans() -> None:
    values = np.full(8, 0.4)
    values[:2] = np.nan
    partly = course(values)
    assert abstentions(partly) == {FAR: 0.25}
    found = stress_result(partly, PHASES)
    assert found is not None
    assert found["abstained"] == 0.25
    partly = replace(partly, reasons=("b", "a", "a", *partly.reasons[3:]))
    assert list(abstentions(partly)) == ["a", "b"]


def test_a_course_without_any_span_can_be_told() -> None:
    nothing = course([])
    assert np.isnan(stress_at(nothing, np.arange(5.0))).all()
    found = stress_result(nothing, PHASES)
    assert found is not None
    assert found["phases"]["before"]["mean"] is None
    assert found["abstained"] == 1


def test_without_a_course_there_is_no_result_and_an_empty_column() -> None:
    assert stress_result(None, PHASES) is None
    assert np.isnan(stress_at(None, np.arange(5.0))).all()


def test_a_time_has_the_likelihood_of_the_nearest_span_that_holds_it() -> None:
    values = np.array([0.1, np.nan, 0.3])
    found = stress_at(course(values, step=100), np.array([-1.0, 0, 50, 60, 61, 130, 200, 260, 261]))
    np.testing.assert_array_equal(found, [np.nan, 0.1, 0.1, 0.1, np.nan, np.nan, 0.3, 0.3, np.nan])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1) | st.just(np.nan), max_size=40),
    st.sampled_from([5.0, 10.0, 60.0, 100.0]),
)
def test_every_time_gets_the_value_of_a_nearest_span(values: list[float], step: float) -> None:
    given_course = course(values, step=step)
    times = np.linspace(-50, 400, 91)
    for time, found in zip(times, stress_at(given_course, times), strict=True):
        apart = abs(given_course.times - time)
        nearest = apart <= apart.min(initial=np.inf) + 1e-9
        allowed = [
            value if near <= 30 + 1e-6 else np.nan
            for value, near in zip(given_course.probability[nearest], apart[nearest], strict=True)
        ]
        assert any(
            found == one or (np.isnan(found) and np.isnan(one)) for one in allowed or [np.nan]
        )


def test_what_the_moments_were_compared_with_is_said_in_words() -> None:
    whole = course([0.5])
    assert compared_with(whole) == "all of this session"
    early = replace(whole, reference="first minutes", baseline=(0.0, 300.0))
    since = "the first minutes (0:00 to 5:00) of this session, and all that came since"
    assert compared_with(early) == since
