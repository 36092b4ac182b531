"""Synthetic people and courses, and the session folders that they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    AffectCourse,
    SyntheticSettings,
    affect_labels,
    known_beats,
    random_course,
    synthetic_person,
    synthetic_recording,
    therapy_course,
    write_session,
)
from affectscope.errors import OutputError, SessionError
from affectscope.io.session import open_session
from affectscope.records import TARGETS

GAPS = SyntheticSettings(
    sampling_rate=128.0,
    frame_rate=5.0,
    face_gaps=((2.0, 4.0),),
    ecg_gaps=((1.0, 3.0),),
    eda_gaps=((5.0, 7.5), (0.0, 0.5)),
)


@pytest.fixture(scope="module")
def course() -> AffectCourse:
    return random_course(8.0, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, course: AffectCourse) -> Path:
    folder = tmp_path_factory.mktemp("sessions") / "first"
    return write_session(folder, synthetic_person("S-1", 11), course, settings=GAPS)


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "signals.csv")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(-(2**40), 2**40), duration=st.floats(5.0, 400.0))
def test_courses_are_bounded_and_end_where_asked(seed: int, duration: float) -> None:
    for make in (random_course, therapy_course):
        course = make(duration, seed)
        assert course.duration == duration
        assert np.abs(course.valence).max() <= 1.0
        assert np.abs(course.arousal).max() <= 1.0
        assert len(course.times) == len(course.valence) == len(course.arousal)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
        min_size=1,
        max_size=20,
    )
)
def test_labels_stay_in_their_ranges(points: list[tuple[float, float]]) -> None:
    values = affect_labels(*np.array(points, dtype=np.float64).T)
    assert values.shape == (len(points), 10)
    assert np.abs(values[:, :3]).max() <= 1.0
    assert values[:, 3:].min() >= 0.0
    assert values[:, 3:].max() <= 1.0


@pytest.mark.parametrize(
    ("valence", "arousal", "strongest"),
    [
        (0.8, 0.5, "joy"),
        (-0.7, -0.6, "sadness"),
        (-0.8, 0.6, "anger"),
        (-0.4, 0.9, "fear"),
        (-0.6, 0.1, "disgust"),
        (0.15, 0.9, "surprise"),
        (0.0, 0.0, "neutral"),
    ],
)
def test_each_emotion_rules_its_region(valence: float, arousal: float, strongest: str) -> None:
    values = affect_labels(np.array([valence]), np.array([arousal]))[0]
    assert TARGETS[3 + int(values[3:].argmax())] == strongest
    assert np.sign(values[TARGETS.index("liking")]) == np.sign(valence)


def test_random_course_covers_the_plane_without_trend_or_correlation() -> None:
    corners = np.zeros((2, 2))
    related = []
    for seed in range(60):
        course = random_course(120.0, seed)
        table = np.corrcoef([course.valence, course.arousal, course.times])
        related.append([table[0, 1], table[0, 2], table[1, 2]])
        high = (course.valence > 0).astype(int), (course.arousal > 0).astype(int)
        np.add.at(corners, high, 1.0)
    assert np.abs(related).max() < 0.3
    assert np.abs(np.mean(related, axis=0)).max() < 0.04
    assert (corners / corners.sum()).min() > 0.2
    assert np.diff(random_course(120.0, 1).valence).std() < 0.03  # smooth: steps of 0.1 s


def test_therapy_course_goes_from_quadrant_two_to_quadrant_four() -> None:
    first, last = [], []
    for seed in range(30):
        course = therapy_course(600.0, seed)
        first.append([course.valence[:1500].mean(), course.arousal[:1500].mean()])
        last.append([course.valence[-1500:].mean(), course.arousal[-1500:].mean()])
    assert np.mean(first, axis=0) == pytest.approx([-0.6, 0.6], abs=0.05)
    assert np.mean(last, axis=0) == pytest.approx([0.6, -0.6], abs=0.05)
    assert np.std(first, axis=0).min() > 0.01


def test_seeds_decide_everything() -> None:
    person, course = synthetic_person("a", 5), random_course(20.0, 6)
    assert synthetic_person("a", 5) == person
    assert synthetic_person("a", 6) != person
    one = synthetic_recording(person, course, settings=TRAINING_SETTINGS)
    again = synthetic_recording(
        synthetic_person("a", 5), random_course(20.0, 6), settings=TRAINING_SETTINGS
    )
    other = synthetic_recording(person, random_course(20.0, 7), settings=TRAINING_SETTINGS)
    assert one.ecg is not None
    assert again.ecg is not None
    assert other.ecg is not None
    assert one.eda is not None
    assert again.eda is not None
    assert one.ecg.values.tobytes() == again.ecg.values.tobytes()
    assert one.eda.values.tobytes() == again.eda.values.tobytes()
    assert not np.array_equal(one.ecg.values, other.ecg.values)


def test_recording_holds_signals_and_labels_in_memory(course: AffectCourse) -> None:
    recording = synthetic_recording(synthetic_person("a", 1), course, settings=GAPS)
    assert recording.simulated
    assert set(recording.tracks) == {"ecg", "eda"}
    assert recording.span == (0.0, 8.0)
    assert recording.labels is not None
    now = recording.labels.at(np.array([4.0]))[0]
    assert now[0] == pytest.approx(np.interp(4.0, course.times, course.valence))


def test_known_beats_are_the_ones_in_the_recording() -> None:
    person, course = synthetic_person("a", 2), random_course(30.0, 4)
    beats = known_beats(person, course)
    recording = synthetic_recording(person, course, settings=SyntheticSettings())
    assert recording.ecg is not None
    ecg = recording.ecg
    for beat in beats[(beats > 1) & (beats < 29)]:  # the highest sample of a beat is its R wave
        near = np.abs(ecg.times - beat) < 0.2
        highest = ecg.times[near][ecg.values[near].argmax()]
        assert abs(highest - beat) <= 0.008


def test_session_folder_opens_in_the_normal_program(folder: Path, course: AffectCourse) -> None:
    session = open_session(folder)
    recording = session.recording
    assert recording.simulated
    assert recording.subject_id == "S-1"
    assert recording.notices == ()
    assert set(recording.tracks) == {"face", "ecg", "eda"}
    assert recording.span == pytest.approx((0.0, 8.0))
    written = synthetic_recording(synthetic_person("S-1", 11), course, settings=GAPS)
    assert recording.ecg is not None
    assert written.ecg is not None
    assert (recording.ecg.unit, recording.ecg.sampling_rate) == ("mV", 128.0)
    np.testing.assert_allclose(recording.ecg.values, written.ecg.values, atol=1e-6)
    assert recording.eda is not None
    assert recording.eda.unit == "uS"
    assert recording.labels is not None
    assert written.labels is not None
    np.testing.assert_allclose(recording.labels.values, written.labels.values, atol=1e-6)


def test_gaps_are_where_they_were_asked_for(folder: Path) -> None:
    table = rows(folder)
    time, ecg, eda = (table[name].to_numpy() for name in table.columns)
    assert (ecg[(time >= 1.0) & (time < 3.0)] == 0.0).all()
    assert ecg[(time < 1.0)].std() > 0.05
    assert ecg[(time >= 3.0)].std() > 0.05
    zero = eda == 0.0
    np.testing.assert_array_equal(zero, ((time >= 5.0) & (time < 7.5)) | (time < 0.5))


def test_the_same_seeds_write_the_same_bytes(
    folder: Path, course: AffectCourse, tmp_path: Path
) -> None:
    again = write_session(tmp_path / "first", synthetic_person("S-1", 11), course, settings=GAPS)
    for name in ("signals.csv", "truth.csv", "session.toml", "face.mp4"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_truth_table_has_time_and_the_ten_targets(folder: Path) -> None:
    table = pd.read_csv(folder / "truth.csv")
    assert tuple(table.columns) == ("time", *TARGETS)
    assert table["time"].iloc[-1] == 8.0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"sampling_rate": 10.0}, "sampling_rate = 10.0"),
        ({"sampling_rate": float("nan")}, "sampling_rate = nan"),
        ({"frame_rate": 0.5}, "frame_rate = 0.5"),
        ({"ecg_gaps": ((3.0, 2.0),)}, "3.0 s to 2.0 s"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, float], named: str) -> None:
    with pytest.raises(SessionError) as caught:
        SyntheticSettings(**values)  # type: ignore[arg-type]
    assert caught.value.code == "E_CONFIG"
    assert named in caught.value.sentence
    assert caught.value.remedy


def test_courses_too_short_are_refused() -> None:
    with pytest.raises(SessionError, match=r"duration = 1\.0"):
        random_course(1.0, 1)


def test_folder_that_cannot_be_written_is_an_output_error(
    tmp_path: Path, course: AffectCourse
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        write_session(
            tmp_path / "file" / "session", synthetic_person("a", 1), course, settings=GAPS
        )
    assert caught.value.code == "E_OUTPUT"
