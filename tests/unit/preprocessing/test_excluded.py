"""What the user left out is looked at by nothing: masks, and both signals' analyses.

Simulated people: no number here is about a human being.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.picture import Picture
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.ecg import heart_rate_at
from affectscope.preprocessing.eda import tonic_at
from affectscope.preprocessing.excluded import excluded_at, excluded_samples, without_samples
from affectscope.preprocessing.face import FaceDetection
from affectscope.preprocessing.face_quality import UNSEEN
from affectscope.preprocessing.face_tracking import FaceSample, unseen
from affectscope.preprocessing.picture_checks import PictureChecks
from affectscope.preprocessing.signal_quality import rolling_swing, swing_mask, valid_at
from affectscope.records import (
    ExcludedSpan,
    FloatArray,
    Frame,
    Notice,
    PersonChoice,
    Recording,
    Signal,
)

SPANS = (
    ExcludedSpan(None, 12.5, 30.0, "sensor moved"),
    ExcludedSpan("ecg", 41.0, 41.1, "cough"),
    ExcludedSpan("eda", 60.0, 66.0, "dropped"),
)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return synthetic_recording(
        synthetic_person("simulated-01", 3),
        random_course(90.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )


@pytest.fixture(scope="module")
def body(recording: Recording) -> BodyAnalysis:
    return analyse_body(recording, SPANS)


def garbage(signal: Signal, spans: tuple[ExcludedSpan, ...], name: str, kind: str) -> Signal:
    """The signal with other samples wherever a span is about it."""
    values, times = signal.values.copy(), signal.times
    random = np.random.default_rng(5)
    for span in spans:
        inside = (times >= span.start) & (times < span.end) & (span.modality in (None, name))
        count = int(inside.sum())
        values[inside] = {
            "flat": np.zeros(count),
            "wild": 1e5 * random.standard_normal(count),
            "missing": np.full(count, np.nan),
            "copied": np.resize(signal.values[: 5 * 128], count),
        }[kind]
    return replace(signal, values=values)


# --- which times, which samples


def test_a_span_is_half_open_and_about_its_modality() -> None:
    times = np.array([12.4, 12.5, 29.9, 30.0, 41.0, 60.0])
    assert excluded_at(SPANS, "face", times).tolist() == [False, True, True, False, False, False]
    assert excluded_at(SPANS, "ecg", times).tolist() == [False, True, True, False, True, False]
    assert excluded_at((), "ecg", times).tolist() == [False] * 6
    signal = Signal(np.ones(40), 4.0, "uS", 0.0)
    assert excluded_samples(SPANS[1:2], "eda", signal) is None
    assert without_samples(signal, None) is signal


@settings(max_examples=80)
@given(
    st.floats(0.3, 200.0), st.floats(-50, 50), st.floats(-60, 60), st.floats(1e-3, 60),
    st.floats(0, 1, exclude_max=True),
)  # fmt: skip
def test_no_time_of_a_span_is_told_from_a_sample_beside_it(
    rate: float, start_time: float, start: float, length: float, share: float
) -> None:
    signal = Signal(np.arange(200.0), rate, "uS", start_time)
    spans = (ExcludedSpan("eda", start, start + length, "x"),)
    mask = excluded_samples(spans, "eda", signal)
    assert mask is not None
    within = np.array([start, start + share * length])
    within = within[within < start + length]
    assert not valid_at(~mask, signal, within).any()
    assert np.isnan(without_samples(signal, mask).values[mask]).all()
    outside = (signal.times < start - 0.51 / rate) | (signal.times > start + length + 0.51 / rate)
    assert not mask[outside].any()


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=25), st.integers(1, 6), st.data())
def test_a_window_with_left_out_samples_tells_nothing(
    levels: list[int], width: int, data: st.DataObject
) -> None:
    values = np.array(levels, dtype=np.float64)
    apart = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    count = max(0, len(values) - width + 1)
    expected = [
        np.inf if apart[k : k + width].any() else np.ptp(values[k : k + width])
        for k in range(count)
    ]
    assert rolling_swing(values, width, apart).tolist() == expected
    assert not (swing_mask(values, width, 2.0, apart) & apart).any()


# --- the signals' analyses


@pytest.mark.parametrize("kind", ["flat", "wild", "missing", "copied"])
def test_what_lies_in_a_span_changes_nothing(
    kind: str, recording: Recording, body: BodyAnalysis
) -> None:
    assert recording.ecg is not None
    assert recording.eda is not None
    assert body.ecg is not None
    assert body.eda is not None
    other = replace(
        recording,
        ecg=garbage(recording.ecg, SPANS, "ecg", kind),
        eda=garbage(recording.eda, SPANS, "eda", kind),
    )
    again = analyse_body(other, SPANS)
    assert again.ecg is not None
    assert again.eda is not None
    assert again.notices == body.notices == ()
    pairs: list[tuple[FloatArray, FloatArray]] = [
        (body.ecg.cleaned.values, again.ecg.cleaned.values),
        (body.ecg.valid, again.ecg.valid),
        (body.ecg.peak_times, again.ecg.peak_times),
        (body.eda.tonic, again.eda.tonic),
        (body.eda.valid, again.eda.valid),
        (body.eda.response_times, again.eda.response_times),
        (body.eda.response_amplitudes, again.eda.response_amplitudes),
    ]
    for name, factor in body.ecg.course.factors.items():
        pairs.append((factor, again.ecg.course.factors[name]))
    for name, factor in body.eda.course.factors.items():
        pairs.append((factor, again.eda.course.factors[name]))
    for one, other_one in pairs:
        np.testing.assert_array_equal(one, other_one)


def test_without_the_span_the_same_samples_do_change_it(
    recording: Recording, body: BodyAnalysis
) -> None:
    assert recording.ecg is not None
    assert body.ecg is not None
    spoiled = replace(recording, ecg=garbage(recording.ecg, SPANS, "ecg", "wild"))
    without = analyse_body(spoiled)
    assert without.notices
    assert without.ecg is None or len(without.ecg.peak_times) != len(body.ecg.peak_times)


def test_nothing_of_a_span_is_valid_and_the_rest_stays_so(body: BodyAnalysis) -> None:
    assert body.ecg is not None
    assert body.eda is not None
    times = np.arange(0.0, 90.0, 0.01)
    for name, analysis in (("ecg", body.ecg), ("eda", body.eda)):
        left_out = excluded_at(SPANS, name, times)  # type: ignore[arg-type]
        valid = valid_at(analysis.valid, analysis.cleaned, times)
        assert not valid[left_out].any()
        assert valid[~left_out].mean() > 0.999
    left_out = excluded_at(SPANS, "ecg", times)
    rate = heart_rate_at(body.ecg, times)
    assert np.isnan(rate[left_out]).all()
    assert np.isfinite(rate[~left_out]).mean() > 0.9
    assert np.isnan(tonic_at(body.eda, times)[excluded_at(SPANS, "eda", times)]).all()
    assert not excluded_at(SPANS, "ecg", body.ecg.peak_times).any()
    assert not excluded_at(SPANS, "eda", body.eda.response_times).any()


def test_a_left_out_second_is_recorded_and_has_no_factors(body: BodyAnalysis) -> None:
    assert body.eda is not None
    course = body.eda.course
    assert course.seconds[course.excluded].tolist() == [*range(12, 30), *range(60, 66)]
    assert course.recorded.all()
    assert (course.used == ~course.excluded).all()
    for factor in course.factors.values():
        assert np.isnan(factor[course.excluded]).all()
        assert (factor[~course.excluded] >= 0.5).all()


def test_a_coarse_eda_beside_a_span_is_neither_flat_nor_saturated() -> None:
    """The straight line over the span joins two equal values: it is no reading of the sensor."""
    rate = 4.0
    times = np.arange(120 * 4) / rate
    level = 2.0 + 0.4 * np.sin(times / 4)
    level[(times > 30) & (times < 34)] = 2.0
    level[(times > 50) & (times < 54)] = 2.0
    spans = (ExcludedSpan("eda", 31.0, 53.0, "moved"), ExcludedSpan("eda", 80.0, 81.0, "moved"))
    level[(times > 79.2) & (times < 82)] = 3.0  # the record's maximum, but for the span under 2 s
    recording = Recording("P01", "one", False, eda=Signal(np.round(level, 1), rate, "uS", 0.0))
    whole = analyse_body(recording)
    assert {notice.code for notice in whole.notices} == {"W_SATURATED"}
    assert analyse_body(recording, spans).notices == ()


def test_a_signal_that_is_left_out_whole_is_absent_without_a_notice(recording: Recording) -> None:
    found = analyse_body(recording, (ExcludedSpan("ecg", -5, 500, "wrong person"),))
    assert found.ecg is None
    assert found.eda is not None
    assert found.notices == ()


# --- who is the person after a span that was not looked at


def face_at(x: float, size: float = 100.0) -> FaceDetection:
    return FaceDetection((x - size / 2, 200 - size / 2, size, size), np.zeros((6, 2)), 0.95)


def test_after_a_hole_nobody_is_taken_while_a_second_face_is_in_the_picture() -> None:
    tracker = PersonTracker(PersonChoice())
    for step in range(5):
        assert tracker.update([face_at(300)], step / 10) is not None
    for step in range(20):  # the therapist, who is nearer to the camera, stayed
        assert tracker.update([face_at(300), face_at(600, 200)], 15 + step / 10) is None
    assert [notice.code for notice in tracker.notices()] == ["W_PERSON_LOST"]


def test_after_a_hole_the_only_face_is_taken_again() -> None:
    tracker = PersonTracker(PersonChoice())
    for step in range(5):
        tracker.update([face_at(300)], step / 10)
    assert tracker.update([face_at(310)], 15.0) is not None
    assert tracker.notices() == []


# --- pictures that are not looked at


def test_pictures_that_are_alike_on_both_sides_of_a_hole_did_not_stand_still() -> None:
    rgb = np.tile(np.arange(128, dtype=np.uint8)[:, None], (72, 1, 3)).reshape(72, 128, 3)
    frames = [
        Frame(index, index / 2, Picture(rgb)) for index in range(34)
    ]  # 17 s, 6 to 11 s left out

    def checked(excluded: Callable[[float], bool]) -> tuple[list[FaceSample], list[Notice]]:
        checks = PictureChecks(excluded)
        crop = np.zeros((8, 8, 3), np.uint8)
        samples = (
            unseen(frame.time)
            if excluded(frame.time)
            else FaceSample(frame.time, crop, UNSEEN, None, 1)
            for frame in checks.watched(frames)
        )
        return list(checks.masked(samples)), checks.notices

    samples, notices = checked(lambda time: 6 <= time < 11)
    assert [sample.time for sample in samples] == [frame.time for frame in frames]
    assert notices == []
    assert [s.time for s in samples if s.crop is None] == [6 + step / 2 for step in range(10)]
    samples, notices = checked(lambda _time: False)
    assert [notice.code for notice in notices] == ["W_FROZEN"]
    assert all(sample.crop is None for sample in samples)
