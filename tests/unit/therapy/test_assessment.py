"""One session from end to end, without a video. Simulated people and untrained weights: no number
here is about a human being."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
    therapy_course,
)
from affectscope.datasets.window_dataset import WindowBatch
from affectscope.errors import SessionError
from affectscope.inference.predictor import Predictor
from affectscope.io.reliability import Reliability
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Phase, Recording, Signal, VideoTrack
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.compared import compared_phases, with_asked_phases
from affectscope.therapy.measures import AFFECT
from affectscope.therapy.physiology import BODY
from affectscope.therapy.results import result, write_result
from affectscope.therapy.session_walk import Walk

SECONDS = 300.0
MARKED = (Phase("talk", 100, 180), Phase("late", 280, 400))


def made(seconds: float = SECONDS, **settings: Any) -> Recording:
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        therapy_course(seconds, 3),
        settings=SyntheticSettings(sampling_rate=128.0, **settings),
    )
    return replace(recording, video=None)


def session(recording: Recording, **more: Any) -> Session:
    return Session(Path("session"), recording, None, "largest", {"signals.csv": "ab" * 32}, **more)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    return Predictor(BMMN(config).eval(), checkpoint, "0" * 12)


@pytest.fixture(scope="module")
def scored(predictor: Predictor) -> Assessment:
    stated = session(made(), marked=MARKED, reliability={"heart rate": Reliability(8.0, 0.9)})
    return assess(stated, predictor, rate=1.0)


@pytest.fixture(scope="module")
def gappy() -> Assessment:
    """Without a score; the EDA was off the skin for all of the first part."""
    return assess(session(made(eda_gaps=((0.0, 101.0),))), rate=1.0)


def test_everything_is_told_of_a_scored_session(scored: Assessment) -> None:
    assert [measure.name for measure in scored.affect] == ["valence", "arousal"]
    assert scored.phase_coverage["before"].keys() == {"ecg", "eda"}
    assert min(min(part.values()) for part in scored.phase_coverage.values()) > 0.9
    names = {measure.name for measure in (*scored.affect, *scored.body)}
    assert names == {*AFFECT, *BODY}
    assert set(scored.sensitivity.changes) == names
    assert {mean.name for part in scored.marked for mean in part.means} == names
    assert (scored.marked[1].end, scored.marked[1].stated) == (
        pytest.approx(300, abs=0.1),
        (280, 400),
    )
    for probability in scored.quadrant_probability.values():
        assert sum(probability.values()) == pytest.approx(1)
    for phase in ("before", "after"):
        assert sum(e.mean for e in scored.quadrant_time[phase].values()) == pytest.approx(1)
    assert scored.questionnaires == ()
    assert scored.influence is not None


def test_only_a_stated_reliability_gives_a_reliable_change_index(scored: Assessment) -> None:
    given = [m.name for m in (*scored.affect, *scored.body) if m.reliable_change is not None]
    assert given == ["heart rate"]


def test_a_reliability_that_no_measure_has_the_name_of_is_told() -> None:
    known = dict.fromkeys(("SDNN", "STAI-S", "valence"), Reliability(1.0, 0.5))
    stated = session(made(40.0), reliability={**known, "SDN": Reliability(1.0, 0.5)})
    (notice,) = [n for n in assess(stated, rate=1.0).notices if n.code == "W_LEFT_OUT"]
    assert "names 'SDN'" in notice.sentence


def test_without_a_score_quadrants_are_absent_and_the_body_stays(gappy: Assessment) -> None:
    assert gappy.affect == ()
    assert gappy.quadrant_probability is None
    assert gappy.quadrant_time is None
    assert gappy.quadrants is None
    assert gappy.influence is None
    measures = {measure.name: measure for measure in gappy.body}
    assert measures["heart rate"].change is not None


def test_a_phase_without_usable_data_is_told_and_left_out(gappy: Assessment) -> None:
    measures = {measure.name: measure for measure in gappy.body}
    level = measures["EDA level"]
    assert (level.before, level.change, level.hedges_g_av) == (None, None, None)
    assert level.after is not None
    assert level.reason == "before: nothing usable"
    assert gappy.phase_coverage["before"]["eda"] < 0.02
    (notice,) = [n for n in gappy.notices if n.code == "W_PHASE_COVERAGE"]
    assert (notice.modality, notice.start, notice.end) == ("eda", 0.0, pytest.approx(100, abs=0.1))
    assert gappy.status == "DEGRADED"


def test_result_json_is_of_format_2_and_says_everything(scored: Assessment, tmp_path: Path) -> None:
    write_result(result(scored), tmp_path)
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["format"] == 2
    heart = content["physiology"]["heart rate"]
    assert set(heart) == {
        "unit", "before", "after", "change", "reason", "digits", "hedges_g_av", "nonoverlap",
        "reliable_change", "effect_note",
    }  # fmt: skip
    assert set(heart["before"]) == {"mean", "low", "high", "count"}
    assert set(heart["reliable_change"]) == {"index", "reliable"}
    assert heart["nonoverlap"]["mean"] == scored.body[0].nonoverlap.mean
    assert content["phase_coverage"]["after"]["ecg"] > 0.9
    assert content["quadrant_probability"] == scored.quadrant_probability
    assert set(content["quadrant_time"]["after"]["I"]) == {"mean", "low", "high", "count"}
    assert content["sensitivity"]["minutes"] == pytest.approx(
        [5 / 6, 5 / 4, 5 / 3, 5 / 2], abs=0.01
    )
    assert len(content["sensitivity"]["changes"]["valence"]) == 4
    assert content["marked"][0]["means"]["heart rate"]["estimate"]["mean"] > 40
    assert (content["questionnaires"], content["status"]) == ([], scored.status)
    assert content["influence"]["rows"] > 0


def test_not_a_number_is_null_everywhere(scored: Assessment, tmp_path: Path) -> None:
    gone = np.full_like(scored.prediction.values, np.nan)
    spoiled = replace(
        scored,
        phase_coverage={"before": {"ecg": float("nan")}, "after": {"ecg": float("inf")}},
        prediction=replace(scored.prediction, values=gone),
    )
    write_result(result(spoiled), tmp_path)
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["phase_coverage"] == {"before": {"ecg": None}, "after": {"ecg": None}}


def test_a_session_shorter_than_a_minute_has_means_and_says_what_it_lacks() -> None:
    done = assess(session(made(40.0)), rate=1.0)
    measures = {measure.name: measure for measure in done.body}
    assert measures["heart rate"].change is not None
    assert measures["RMSSD"].change is None
    assert "W_TOO_SHORT" in {notice.code for notice in done.notices}
    json.dumps(result(done))


def test_a_session_in_which_nothing_is_usable_is_refused() -> None:
    flat = Recording("P01", "one", False, ecg=Signal(np.zeros(128 * 60), 128.0, "mV", 0.0))
    with pytest.raises(SessionError, match="Nothing in this session can be used") as caught:
        assess(session(flat), rate=1.0)
    assert caught.value.code == "E_NO_USABLE_MODALITY"


# --- which parts are compared ---------------------------------------------------------------------


def test_stated_phases_count_and_the_command_line_overrides_them() -> None:
    recording = made(120.0)
    stated = (Phase("before", 0, 10), Phase("after", 110, 120))
    opened = replace(session(recording), phases=stated, phase_rule="as session.toml says")
    assert compared_phases(opened) == (stated, "as session.toml says")
    assert with_asked_phases(opened, None, thirds=False) is opened
    (before, after), rule = compared_phases(with_asked_phases(opened, 0.5, thirds=False))
    assert (before.end - before.start, after.end - after.start) == pytest.approx((30, 30))
    assert rule == "the first and the last 0.5 minutes, as the command line says"
    (before, after), rule = compared_phases(with_asked_phases(opened, None, thirds=True))
    assert before.end == pytest.approx(40, abs=0.1)
    assert "third" in rule
    _, rule = compared_phases(session(recording))
    assert "shorter than 30 minutes" in rule


@pytest.mark.parametrize(
    ("minutes", "thirds", "code", "words"),
    [
        (1.0, True, "E_CONFIG", "different parts"),
        (0.0, False, "E_CONFIG", "--minutes is 0"),
        (float("nan"), False, "E_CONFIG", "--minutes is nan"),
        (float("inf"), False, "E_CONFIG", "--minutes is inf"),
        (5.0, False, "E_SESSION", "do not fit"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    minutes: float, thirds: bool, code: str, words: str
) -> None:
    with pytest.raises(SessionError, match=words) as caught:
        with_asked_phases(session(made(120.0)), minutes, thirds)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_video_of_unknown_length_ends_where_it_ended() -> None:
    video = VideoTrack(Path("v.mjpeg"), 64, 64, "mjpeg", 10.0, 0.0, 2.0, 0.0)
    recording = Recording("P01", "one", False, video=video)
    walk = Walk()
    assert walk.ended(recording) is recording
    key = Preprocessing().key
    factors, faces = np.ones((2, len(FACTORS))), np.ones(2, dtype=np.int64)
    keys, boxes = (key("s", "t", 2.0), key("s", "t", 61.9)), np.full((2, 4), np.nan, np.float32)
    walk.add(WindowBatch(keys, {}, {}, factors, faces, boxes), None)
    assert walk.ended(recording).video.duration == pytest.approx(60.0)
    known = replace(recording, video=replace(video, duration=9.0))
    assert walk.ended(known) is known
