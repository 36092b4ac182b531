"""What heart and skin did in the parts of a session. Simulated people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.evaluation.phases import Phases, default_phases
from affectscope.preprocessing.eda import EdaAnalysis
from affectscope.records import Phase
from affectscope.therapy.measures import Measure, Quantity, measured
from affectscope.therapy.physiology import body_quantities, course_of_body

SECONDS = 240.0
SPAN = (0.0, SECONDS)


@pytest.fixture(scope="module")
def body() -> BodyAnalysis:
    return analyse_body(
        synthetic_recording(
            synthetic_person("simulated-01", 3),
            random_course(SECONDS, 3),
            settings=SyntheticSettings(sampling_rate=128.0),
        )
    )


def quantities(body: BodyAnalysis) -> dict[str, Quantity]:
    return {each.name: each for each in body_quantities(body, course_of_body(SPAN, body))}


def measures(body: BodyAnalysis, phases: Phases) -> dict[str, Measure]:
    found = measured(tuple(quantities(body).values()), phases, {})
    return {measure.name: measure for measure in found}


def test_the_body_is_measured_in_both_phases_with_intervals(body: BodyAnalysis) -> None:
    found = measures(body, default_phases(*SPAN)[0])
    assert list(found) == ["heart rate", "RMSSD", "SDNN", "EDA level", "skin responses"]
    for name, measure in found.items():
        for part in (measure.before, measure.after):
            assert part is not None, name
            assert part.low is not None, name
            assert part.high is not None, name
            assert 0 <= part.low <= part.mean <= part.high, name
    assert 40 < found["heart rate"].before.mean < 130


def test_a_phase_too_short_for_variability_says_so(body: BodyAnalysis) -> None:
    found = measures(body, (Phase("before", 0, 40), Phase("after", 100, 240)))
    assert found["RMSSD"].before is None
    assert found["RMSSD"].after is not None
    assert found["RMSSD"].change is None
    assert "before" in found["RMSSD"].reason
    assert "60 s" in found["RMSSD"].reason
    assert found["RMSSD"].effect_note == ""


def test_effect_sizes_compare_courses_and_say_which(body: BodyAnalysis) -> None:
    found = measures(body, default_phases(*SPAN)[0])
    for name in ("heart rate", "EDA level"):
        assert found[name].effect_note == "one value per second"
        assert found[name].hedges_g_av is not None, name
        assert found[name].nonoverlap is not None, name
        assert found[name].hedges_g_av.mean * found[name].change.mean > 0, name
    assert found["skin responses"].effect_note == "counts in 10 s"
    # 80 s hold one whole window of 60 s: no effect size from that
    assert "windows of 60 s" in found["RMSSD"].effect_note
    assert found["RMSSD"].nonoverlap is None
    assert found["SDNN"].nonoverlap is None
    assert "length" in found["SDNN"].effect_note


def test_rmssd_windows_lie_side_by_side_within_the_phase(body: BodyAnalysis) -> None:
    course = quantities(body)["RMSSD"].course
    assert course is not None
    assert len(course(Phase("all", 0, 240))) == 4
    assert len(course(Phase("less", 0, 239))) == 3
    assert len(course(Phase("short", 0, 59))) == 0
    assert np.isfinite(course(Phase("all", 0, 240))).all()


def test_a_bin_of_skin_responses_counts_where_half_of_it_was_read(body: BodyAnalysis) -> None:
    eda = body.eda
    assert isinstance(eda, EdaAnalysis)
    valid = eda.valid.copy()
    rate = eda.cleaned.sampling_rate
    start = round((20 - eda.cleaned.start_time) * rate)
    valid[start : start + round(6 * rate)] = False  # 20 s to 26 s of the session
    masked = replace(body, eda=replace(eda, valid=valid))
    course = quantities(masked)["skin responses"].course
    assert course is not None
    rates = course(Phase("part", 10, 70))
    assert list(np.isnan(rates)) == [False, True, False, False, False, False]
    times = eda.response_times
    assert rates[0] == 6 * ((times >= 10) & (times < 20)).sum()
    # A phase partly outside the recording: what is not there was not read.
    assert list(np.isnan(course(Phase("end", 220, 260)))) == [False, False, True, True]


def test_nothing_usable_gives_reasons_and_no_numbers(body: BodyAnalysis) -> None:
    course = course_of_body(SPAN, body)
    nothing = pd.DataFrame(dict.fromkeys(course.columns, np.nan), index=course.index)
    nothing["time"] = course["time"]
    for quantity in body_quantities(body, nothing):
        if quantity.name in ("heart rate", "EDA level"):
            assert quantity.over(Phase("all", *SPAN)) == (None, "nothing usable")
    assert body_quantities(BodyAnalysis(None, None, ()), nothing) == ()
