"""What the session page draws. Simulated people, untrained weights: no number is about anyone."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
    therapy_course,
    write_session,
)
from affectscope.errors import SessionError
from affectscope.inference.predictor import Predictor
from affectscope.io.session import Session, open_session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.face import FaceDetector
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import FloatArray, Phase
from affectscope.therapy import results, session_walk
from affectscope.therapy.assessment import assess
from affectscope.therapy.courses import (
    BOX,
    QUALITY,
    TIMELINE,
    bin_edges,
    binned,
    boxes,
    courses,
)

NAMES = {"valence", "arousal", "heart_rate", "eda", "quality_ecg", "quality_eda"}
GAP = (60.0, 90.0)
Result = dict[str, Any]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of 150 s without a video; the EDA is off the skin for half a minute."""
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        therapy_course(150.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0, eda_gaps=(GAP,)),
    )
    marked = (Phase("talk", 50, 90),)
    session = Session(Path("s"), recording, None, "largest", {"s.csv": "ab" * 32}, marked=marked)
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    done = assess(session, Predictor(BMMN(config).eval(), checkpoint, "5f" * 32), rate=4.0)
    folder = tmp_path_factory.mktemp("scored")
    results.write_tables(done, folder)
    results.write_result(results.result(done), folder)
    return folder


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, detector: FaceDetector) -> Path:
    """A session of 12 s with a video that starts 2.5 s late and loses the face for 3 s."""
    assert detector is not None
    folder = tmp_path_factory.mktemp("filmed")
    asked = SyntheticSettings(sampling_rate=128.0, frame_rate=4.0, face_gaps=((5.0, 8.0),))
    write_session(
        folder / "in", synthetic_person("simulated-02", 4), therapy_course(12.0, 4), settings=asked
    )
    stated = folder / "in" / "session.toml"
    stated.write_text(stated.read_text().replace("clock_offset = 0.0", "clock_offset = 2.5"))
    done = assess(open_session(folder / "in"))
    results.write_tables(done, folder)
    results.write_result(results.result(done), folder)
    return folder


def column(folder: Path, name: str, table: str = TIMELINE) -> FloatArray:
    return pd.read_parquet(folder / table)[name].to_numpy(np.float64)


def numbers(values: list[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values])


def copied(folder: Path, target: Path) -> Path:
    target.mkdir()
    for name in (TIMELINE, QUALITY, "result.json"):
        shutil.copy(folder / name, target / name)
    return target


def refusal(call: Callable[[], object]) -> SessionError:
    with pytest.raises(SessionError) as caught:
        call()
    return caught.value


# --- bins

VALUES = st.lists(
    st.one_of(st.just(math.nan), st.floats(-1e6, 1e6, allow_subnormal=False)), min_size=1
)


@given(VALUES, st.integers(0, 200), st.integers(10, 30))
@settings(max_examples=60)
def test_bins_hold_every_row_once_and_gaps_stay_gaps(
    values: list[float], first: int, points: int
) -> None:
    array = np.array(values * 4)
    edges = bin_edges(first, first + len(array), points)
    assert edges[0] == 0
    assert np.all(np.diff(edges) > 0)
    assert len(edges) <= points
    assert len(edges) == len(array) or len(array) > points
    bins = binned(array, edges)
    parts = np.split(array, edges[1:])
    for part, low, mean, high in zip(parts, *bins, strict=True):
        known = part[np.isfinite(part)]
        if not len(known):
            assert np.isnan([low, mean, high]).all()
            continue
        assert low == known.min()
        assert high == known.max()
        assert low <= mean <= high
        assert mean == pytest.approx(known.mean(), abs=1e-6 * (1 + abs(known).max()))
    counts = np.array([np.isfinite(part).sum() for part in parts])
    if counts.sum():
        total = np.nansum(bins.mean * counts) / counts.sum()
        assert total == pytest.approx(np.nanmean(array), abs=1e-6 * (1 + np.nanmax(abs(array))))


def test_what_a_bin_holds_does_not_depend_on_where_the_view_begins() -> None:
    whole = bin_edges(0, 5000, 300)
    length = whole[1] - whole[0]
    for first in (17, 400, 1203):
        moved = first + bin_edges(first, first + 4900, 300)
        assert set(moved[1:] % length) == {0}


# --- courses


def test_the_whole_session_is_told_and_every_row_lies_in_its_bin(scored: Path) -> None:
    found = courses(scored, points=100)
    json.dumps(found, allow_nan=False)
    times = column(scored, "time")
    assert (found["start"], found["end"]) == (times[0], times[-1])
    assert found["series"].keys() == NAMES
    units = {name: series["unit"] for name, series in found["series"].items()}
    assert units == dict.fromkeys(NAMES, "") | {"heart_rate": "1/min", "eda": "uS"}
    for name, source in (("valence", "valence"), ("eda", "eda_tonic")):
        series, values = found["series"][name], column(scored, source)
        assert len({len(series[key]) for key in ("times", "low", "mean", "high")}) == 1
        assert 50 < len(series["times"]) <= 100
        low, mean, high = (numbers(series[key]) for key in ("low", "mean", "high"))
        known = np.isfinite(mean)
        assert np.all((low <= mean)[known] & (mean <= high)[known])
        assert np.all(np.diff(series["times"]) > 0)
        assert np.nanmean(mean) == pytest.approx(np.nanmean(values), abs=0.02)
        assert np.nanmin(low) == pytest.approx(np.nanmin(values), abs=1e-5)
        assert np.nanmax(high) == pytest.approx(np.nanmax(values), abs=1e-5)


def test_a_close_view_shows_each_row_as_it_is_and_one_beyond_each_end(scored: Path) -> None:
    found = courses(scored, start=20.0, end=40.0)
    assert (found["start"], found["end"]) == (20.0, 40.0)
    series = found["series"]["heart_rate"]
    times, rate = column(scored, "time"), column(scored, "heart_rate")
    rows = (times > 19.75 - 1e-6) & (times < 40.25 + 1e-6)
    np.testing.assert_allclose(series["times"], times[rows], atol=1e-5)
    np.testing.assert_allclose(numbers(series["mean"]), rate[rows], atol=1e-5)
    assert series["low"] == series["mean"] == series["high"]


def test_a_gap_is_null_and_never_zero(scored: Path) -> None:
    series = courses(scored, points=60)["series"]
    times = np.array(series["eda"]["times"])
    inside = (times > GAP[0] + 5) & (times < GAP[1] - 5)
    assert inside.sum() > 5
    for key in ("low", "mean", "high"):
        values = numbers(series["eda"][key])
        assert np.isnan(values[inside]).all()
        assert np.isfinite(values[(times > 10) & (times < 50)]).all()
        assert not (values == 0).any()
    used, seconds = numbers(series["quality_eda"]["mean"]), np.array(series["quality_eda"]["times"])
    assert (used[(seconds > GAP[0] + 5) & (seconds < GAP[1] - 5)] == 0).all()  # recorded, not used
    assert (used[(seconds > 10) & (seconds < 50)] == 1).all()


def test_phases_marks_notices_and_whom_it_is_about_come_along(scored: Path) -> None:
    found, stored = courses(scored), json.loads((scored / "result.json").read_text())
    assert [phase["name"] for phase in found["phases"]] == ["before", "after"]
    assert {p["name"]: {"start": p["start"], "end": p["end"]} for p in found["phases"]} == (
        stored["phases"]
    )
    assert found["marked"] == [{"name": "talk", "start": 50.0, "end": 90.0}]
    assert len(found["notices"]) == len(stored["notices"]) > 0
    keys = {"code", "sentence", "modality", "start", "end"}
    assert all(notice.keys() == keys for notice in found["notices"])
    assert any(n["start"] is not None and n["modality"] == "eda" for n in found["notices"])
    assert found["simulated_person"] is True
    assert found["population"] == "simulated people"


def test_a_modality_without_seconds_and_a_session_without_a_score_have_no_series(
    scored: Path, tmp_path: Path
) -> None:
    folder = copied(scored, tmp_path / "made")
    timeline = pd.read_parquet(folder / TIMELINE)
    timeline[["valence", "arousal", "eda_tonic"]] = np.nan
    timeline.to_parquet(folder / TIMELINE, index=False)
    quality = pd.read_parquet(folder / QUALITY)
    quality["eda_recorded"] = quality["eda_used"] = False
    quality.loc[quality["time"] < 30, "ecg_recorded"] = False
    quality.to_parquet(folder / QUALITY, index=False)
    content = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**content, "model": None}))
    found = courses(folder)
    assert found["series"].keys() == {"heart_rate", "quality_ecg"}
    assert found["population"] is None
    share = numbers(found["series"]["quality_ecg"]["mean"])
    assert np.isnan(share[:30]).all()  # not recorded is not the same as not used
    assert np.isfinite(share[30:150]).all()


def test_a_view_beyond_the_session_is_cut_to_it(scored: Path) -> None:
    times = column(scored, "time")
    found = courses(scored, start=-50.0, end=5000.0)
    assert (found["start"], found["end"]) == (times[0], times[-1])
    beyond = courses(scored, start=4000.0, end=5000.0)
    assert beyond["start"] == beyond["end"] == times[-1]
    assert all(len(series["times"]) <= 2 for series in beyond["series"].values())


def test_ten_hours_are_read_by_columns_and_binned_without_a_loop(
    scored: Path, tmp_path: Path
) -> None:
    folder = copied(scored, tmp_path / "long")
    rows = 10 * 3600 * 25
    times = np.arange(rows) / 25
    course = np.sin(times / 1000)
    course[200_000:300_000] = np.nan
    made = dict.fromkeys(("valence", "arousal", "heart_rate", "eda_tonic"), course)
    pd.DataFrame({"time": times, **made}).to_parquet(folder / TIMELINE, index=False)
    found = courses(folder, points=4000)["series"]["valence"]
    assert 3900 < len(found["times"]) <= 4000
    middles, mean = np.array(found["times"]), numbers(found["mean"])
    inside = (middles > 8010) & (middles < 11990)
    outside = (middles < 7990) | (middles > 12010)
    assert np.isnan(mean[inside]).all()
    np.testing.assert_allclose(mean[outside], np.sin(middles[outside] / 1000), atol=0.001)


@pytest.mark.parametrize("points", [9, 4001, -1])
def test_a_number_of_points_that_is_not_allowed_is_refused(scored: Path, points: int) -> None:
    error = refusal(lambda: courses(scored, points=points))
    assert error.code == "E_CONFIG"
    assert f"{points}" in error.sentence
    assert "10 to 4000" in error.remedy


@pytest.mark.parametrize(("start", "end"), [(50.0, 40.0), (math.nan, 40.0), (1.0, math.nan)])
def test_a_span_without_a_length_is_refused(scored: Path, start: float, end: float) -> None:
    assert refusal(lambda: courses(scored, start=start, end=end)).code == "E_CONFIG"
    assert refusal(lambda: boxes(scored, start=start, end=end)).code == "E_CONFIG"
    assert refusal(lambda: boxes(scored, start=0.0, end=60.1)).code == "E_CONFIG"


# --- folders that hold no result, or a damaged one


def test_a_folder_without_a_result_and_a_refused_session_are_told(
    scored: Path, tmp_path: Path
) -> None:
    for call in (courses, lambda folder: boxes(folder, start=0.0, end=1.0)):
        error = refusal(lambda call=call: call(tmp_path / "none"))  # type: ignore[misc]
        assert error.code == "E_SESSION"
        assert "'none' holds no result" in error.sentence
    folder = copied(scored, tmp_path / "refused")
    refused = results.rejection(SessionError("E_SESSION", "No ECG.", "Look again."), "s")
    (folder / "result.json").write_text(json.dumps(refused))
    error = refusal(lambda: courses(folder))
    assert "refused. No ECG." in error.sentence


def damage_columns(folder: Path) -> None:
    pd.read_parquet(folder / TIMELINE).drop(columns="heart_rate").to_parquet(folder / TIMELINE)


def damage_times(folder: Path) -> None:
    table = pd.read_parquet(folder / QUALITY)
    table["time"] = table["time"][::-1].to_numpy()
    table.to_parquet(folder / QUALITY)


def damage_kind(folder: Path) -> None:
    table = pd.read_parquet(folder / TIMELINE)
    table["valence"] = "much"
    table.to_parquet(folder / TIMELINE)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (TIMELINE, lambda folder: (folder / TIMELINE).unlink()),
        (TIMELINE, lambda folder: (folder / TIMELINE).write_bytes(b"PAR1" + b"\0" * 400)),
        (QUALITY, lambda folder: (folder / QUALITY).write_bytes(b"")),
        (TIMELINE, damage_columns),
        (TIMELINE, damage_kind),
        (QUALITY, damage_times),
        ("result.json", lambda folder: (folder / "result.json").write_text("{")),
        ("result.json", lambda folder: (folder / "result.json").write_text("[]")),
        ("result.json", lambda folder: (folder / "result.json").write_text('{"status": "OK"}')),
    ],
)
def test_a_damaged_result_is_told_with_the_files_name(
    scored: Path, tmp_path: Path, name: str, damage: Callable[[Path], object]
) -> None:
    folder = copied(scored, tmp_path / "damaged")
    damage(folder)
    error = refusal(lambda: courses(folder))
    assert error.code == "E_SESSION"
    assert error.sentence == f"{name} in 'damaged' is missing or damaged."


def test_bytes_that_change_in_a_table_never_lead_to_another_error(
    scored: Path, tmp_path: Path
) -> None:
    folder = copied(scored, tmp_path / "changed")
    whole, random = (folder / QUALITY).read_bytes(), np.random.default_rng(0)
    codes = []
    for _ in range(30):
        content = np.frombuffer(whole, np.uint8).copy()
        content[random.integers(0, len(content), 4)] ^= random.integers(1, 256, 4, np.uint8)
        (folder / QUALITY).write_bytes(content.tobytes())
        try:
            json.dumps(courses(folder), allow_nan=False)
        except SessionError as error:
            codes.append(error.code)
    assert len(codes) > 5
    assert set(codes) == {"E_SESSION"}


# --- the face


def test_names_are_those_that_are_written() -> None:
    assert (results.TIMELINES[0], results.QUALITIES[0]) == (TIMELINE, QUALITY)
    assert session_walk.FACE_BOX == BOX


def test_boxes_follow_the_face_and_are_null_without_it(filmed: Path) -> None:
    found = boxes(filmed, start=0.0, end=14.5)
    json.dumps(found, allow_nan=False)
    times = np.array(found["times"])
    stored = column(filmed, "time")
    np.testing.assert_allclose(times, stored[stored <= 14.5], atol=1e-5)
    seen = np.array([box is not None for box in found["boxes"]])
    assert not seen[times < 2.4].any()  # before the video
    lost = (times > 2.5 + 5.3) & (times < 2.5 + 7.7)
    assert lost.sum() > 5
    assert not seen[lost].any()
    assert seen[(times > 3.0) & (times < 7.0)].all()
    places = np.array([box for box in found["boxes"] if box is not None])
    assert ((places >= 0) & (places <= 1)).all()
    assert (places[:, :2] + places[:, 2:] <= 1 + 1e-4).all()
    part = boxes(filmed, start=4.0, end=5.0)
    assert 3 <= len(part["times"]) <= 5
    assert 4.0 <= min(part["times"]) <= max(part["times"]) <= 5.0
    assert boxes(filmed, start=500.0, end=510.0) == {"times": [], "boxes": []}


def test_boxes_are_thinned_to_thirty_a_second_and_absent_where_none_were_kept(
    scored: Path, tmp_path: Path
) -> None:
    folder = copied(scored, tmp_path / "fast")
    table = pd.DataFrame({"time": np.arange(6000) / 100, **dict.fromkeys(BOX, 0.25)})
    table.to_parquet(folder / TIMELINE, index=False)
    found = boxes(folder, start=10.0, end=20.0)
    assert 200 < len(found["times"]) <= 301
    assert found["boxes"][0] == [0.25, 0.25, 0.25, 0.25]
    table[["time"]].to_parquet(folder / TIMELINE, index=False)
    assert boxes(folder, start=10.0, end=20.0) == {}


def test_the_videos_clock_leads_from_file_time_to_session_time(filmed: Path, scored: Path) -> None:
    video = open_session(filmed / "in").recording.video
    assert video is not None
    assert json.loads((filmed / "result.json").read_text())["video"] == {
        "file": "face.mp4",
        "clock_offset": 2.5,
        "clock_rate": 1.0,
        "start_time": video.start_time,
        "width": video.width,
        "height": video.height,
    }
    assert json.loads((scored / "result.json").read_text())["video"] is None
    assert "quality_face" in courses(filmed)["series"]


def test_a_video_elsewhere_is_told_by_its_name_only(filmed: Path, tmp_path: Path) -> None:
    done = assess(replace_video(open_session(filmed / "in"), tmp_path / "elsewhere" / "a.mp4"))
    assert results.result(done)["video"]["file"] == "a.mp4"


def replace_video(session: Session, path: Path) -> Session:
    recording = session.recording
    assert recording.video is not None
    return replace(session, recording=replace(recording, video=replace(recording.video, path=path)))
