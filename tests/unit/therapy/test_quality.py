"""What was used of a session: the table, the figure, the section of the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
from affectscope.datasets.window_dataset import WindowBatch
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Recording, Signal, VideoTrack
from affectscope.therapy.quality_figure import COLUMNS, quality_over_time
from affectscope.therapy.quality_report import quality_content
from affectscope.therapy.quality_table import FACTOR_NAMES, REASONS, session_quality, use_of


@pytest.fixture(scope="module")
def recording() -> Recording:
    made = SyntheticSettings(
        sampling_rate=128.0, ecg_gaps=((20.0, 35.0),), eda_gaps=((40.0, 46.0),)
    )
    person = synthetic_person("simulated-01", 3)
    recording = synthetic_recording(person, random_course(60.0, 3), settings=made)
    return replace(
        recording, video=VideoTrack(Path("face.mp4"), 64, 64, "h264", 10.0, 50.0, 5.0, 0.0)
    )


@pytest.fixture(scope="module")
def body(recording: Recording) -> BodyAnalysis:
    return analyse_body(recording)


def batch(recording: Recording) -> WindowBatch:
    """Two pictures per second from 5 to 55 s: covered from 10 s, no face from 20 to 30 s."""
    times = np.arange(5.25, 55.0, 0.5)
    factors = np.ones((len(times), 6))
    covered = (times > 10) & (times < 20)
    factors[covered, 5] = 0.1
    factors[(times > 20) & (times < 30)] = 0.0
    present = factors.prod(axis=1) >= 0.3
    keys = tuple(Preprocessing().key(recording.subject_id, "t", float(time)) for time in times)
    seen, boxes = np.ones(len(times), dtype=np.int64), np.full((len(times), 4), np.nan, np.float32)
    return WindowBatch(keys, {}, {"face": present}, factors, seen, boxes)


@pytest.fixture(scope="module")
def table(recording: Recording, body: BodyAnalysis) -> pd.DataFrame:
    return session_quality(recording, body, [batch(recording)])


def test_one_row_per_second_with_every_modality(table: pd.DataFrame, body: BodyAnalysis) -> None:
    assert table["time"].tolist() == list(range(60))
    for name, factors in FACTOR_NAMES.items():
        assert {f"{name}_recorded", f"{name}_used", *factors} <= set(table.columns)
        assert set(factors) <= set(REASONS)
    assert body.ecg is not None
    np.testing.assert_array_equal(table["ecg_used"], body.ecg.course.used)
    assert not table["ecg_used"][21:34].any()
    assert not table["eda_used"][41:45].any()


def test_the_face_is_recorded_where_the_video_is_and_says_what_was_wrong(
    table: pd.DataFrame,
) -> None:
    assert table["face_recorded"].tolist() == [5 <= second < 55 for second in range(60)]
    assert table["face_used"].tolist() == [
        5 <= second < 10 or 30 <= second < 55 for second in range(60)
    ]
    use = use_of(table, "face")
    assert (use.used, use.masked, use.not_recorded) == (30.0, 20.0, 10.0)
    assert use.reasons == {"eyes or mouth covered": 10, "no face, or hardly one": 10}


def test_P22_a_signal_without_heartbeats_was_recorded_and_not_used(recording: Recording) -> None:
    noise = np.random.default_rng(0).standard_normal(60 * 128)
    spoiled = replace(recording, ecg=Signal(noise, 128.0, "mV", 0.0))
    body = analyse_body(spoiled)
    assert body.ecg is None
    table = session_quality(spoiled, body, [batch(recording)])
    use = use_of(table, "ecg")
    assert use.used == 0.0
    assert use.reasons == {"rejected as a whole": 60}


def test_the_section_shows_the_figure_and_the_reasons(table: pd.DataFrame) -> None:
    content = quality_content(table)
    assert content["figure"].startswith("<svg")
    rows = {row["name"]: row for row in content["rows"]}
    assert rows.keys() == {"Face", "ECG", "EDA"}
    assert rows["Face"]["why"] == "eyes or mouth covered 0:10, no face, or hardly one 0:10"
    assert rows["ECG"]["why"].startswith("flat, or no contact 0:1")


def test_without_any_modality_there_is_no_figure(table: pd.DataFrame) -> None:
    nothing = table.copy()
    nothing[[name for name in table if name.endswith("_recorded")]] = False
    assert quality_over_time(nothing) is None
    assert quality_content(nothing)["figure"] is None


@pytest.mark.parametrize("times", [1, 25])
def test_a_long_session_is_drawn_in_few_columns_and_keeps_its_shares(
    table: pd.DataFrame, times: int
) -> None:
    long = pd.concat([table] * times, ignore_index=True)
    long["time"] = np.arange(len(long), dtype=np.float64)
    figure = quality_over_time(long)
    assert figure is not None
    (axes,) = figure.axes
    bars = [patch.get_data() for patch in axes.patches if hasattr(patch, "get_data")]
    assert len(bars) == 7  # used and masked of each, not recorded of the face
    assert all(len(bar.values) <= COLUMNS for bar in bars)
    heights = [(bar.baseline - bar.values) @ np.diff(bar.edges) for bar in bars[:3]]
    whole = sum(heights)
    assert np.array(heights) / whole == pytest.approx([30 / 60, 20 / 60, 10 / 60], abs=1e-6)
