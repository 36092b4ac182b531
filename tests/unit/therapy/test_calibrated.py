"""A calibrated network's intervals in the report, result.json and the timeline.

The person is simulated and the weights are drawn: no number here is about a human being.
"""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.inference.calibration import (
    Calibration,
    Change,
    FusionRule,
    IntervalRule,
    RiskCoverage,
    Temperature,
)
from affectscope.inference.predictor import Predictor
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.calibrated import calibration_sentences
from affectscope.therapy.report import render
from affectscope.therapy.results import result

NOTHING = Change(0.5, 0.5, -0.1, 0.1)
RULES = {"ecg+eda": IntervalRule(0.4, {"ecg": 1.0, "eda": 0.0}, 20, 400)}
CALIBRATION = Calibration(
    checkpoint_id="0" * 12,
    population="simulated people",
    coverage=0.9,
    people_needed=9,
    modalities=("ecg", "eda"),
    people=tuple(f"p{number}" for number in range(20)),
    windows=400,
    sessions={},
    intervals={"valence": RULES, "arousal": RULES},
    fusion={
        "ecg": FusionRule(0.5, (0.0,) * 10, NOTHING),
        "eda": FusionRule(0.0, (0.0,) * 10, NOTHING),
    },
    temperature=Temperature(1.0, 20, NOTHING),
    risk={"valence": RiskCoverage((0.5, 1.0), (0.1, 0.2), 0.15)},
)


@pytest.fixture(scope="module")
def plain() -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    return Predictor(BMMN(config).eval(), checkpoint, "0" * 12)


@pytest.fixture(scope="module")
def session() -> Session:
    settings = SyntheticSettings(sampling_rate=128.0)
    person = synthetic_person("simulated-01", 3)
    recording = synthetic_recording(person, random_course(60.0, 3), settings=settings)
    return Session(Path("session"), recording, None, "largest", {})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calibrated(plain: Predictor, session: Session) -> Assessment:
    return assess(session, replace(plain, calibration=CALIBRATION), rate=1.0)


def test_the_timeline_holds_both_ends_around_every_estimate(calibrated: Assessment) -> None:
    table = calibrated.timeline
    scored = table[table["ecg_valid"] & table["eda_valid"]]
    assert len(scored) > 30
    for name in ("valence", "arousal"):
        assert (scored[f"{name}_high"] - scored[f"{name}_low"] > 0.4 - 1e-9).all()
        assert (scored[f"{name}_low"] <= scored[name]).all()
        assert (scored[name] <= scored[f"{name}_high"]).all()
        assert scored[[f"{name}_low", f"{name}_high"]].abs().max().max() <= 1
    assert not {"liking_low", "joy_low"} & set(table.columns)


def test_result_json_says_on_whom_it_was_calibrated_and_how_wide_it_is(
    calibrated: Assessment,
) -> None:
    found = result(calibrated)["calibration"]
    assert (found["people"], found["windows"], found["coverage"]) == (20, 400, 0.9)
    assert found["population"] == "simulated people"
    assert found["median_half_width"].keys() == {"valence", "arousal"}
    assert 0.4 <= found["median_half_width"]["valence"] < 0.4 * np.e
    assert found["fusion"] == {"ecg": 0.5, "eda": 0.0}


def test_the_report_tells_a_moment_s_interval_from_that_of_a_mean(calibrated: Assessment) -> None:
    sentences = calibration_sentences(calibrated)
    width = result(calibrated)["calibration"]["median_half_width"]["valence"]
    assert f"±{width:.2f} (valence)" in sentences[0]
    assert "20 simulated people whom the network did not learn from" in sentences[0]
    assert "how sure a mean is within this session" in sentences[1]
    assert sentences[2] == "Where the quality is low, these count for less: ECG."
    page = unescape(render(calibrated))
    assert sentences[0] in page
    assert f"90 % of moments of such people lay within ±{width:.2f} (valence)" in page
    assert "its error for a new person is in no interval" not in page


def test_without_a_calibration_there_is_no_interval_and_the_page_says_so(
    plain: Predictor, session: Session
) -> None:
    bare = assess(session, plain, rate=1.0)
    assert "valence_low" not in bare.timeline.columns
    assert result(bare)["calibration"] is None
    assert calibration_sentences(bare) == []
    assert "its error for a new person is in no interval" in render(bare)


def test_a_calibration_of_simulated_people_says_nothing_about_people(
    plain: Predictor, session: Session
) -> None:
    person = replace(session, recording=replace(session.recording, simulated=False))
    forced = assess(person, replace(plain, calibration=CALIBRATION), rate=1.0, force=True)
    assert forced.prediction is not None
    assert "valence_low" not in forced.timeline.columns
    assert result(forced)["calibration"] is None
