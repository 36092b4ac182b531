"""calibration.json: written and read as it was, refused where it was touched; its use by rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import ModelError
from affectscope.inference.calibration import (
    NAME,
    Calibration,
    Change,
    FusionRule,
    IntervalRule,
    RiskCoverage,
    Temperature,
    read_calibration,
    tempered,
    write_calibration,
)
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS

NOTHING = Change(0.5, 0.5, -0.1, 0.1)
CALIBRATION = Calibration(
    checkpoint_id="0" * 12,
    population="simulated people",
    coverage=0.9,
    people_needed=9,
    modalities=("ecg", "eda"),
    people=("a", "b"),
    windows=40,
    sessions={"a/1/signals.csv": "f" * 64},
    intervals={
        "valence": {
            "ecg+eda": IntervalRule(0.4, {"ecg": 1.0, "eda": 0.0}, 20, 40),
            "ecg": IntervalRule(0.6, {"ecg": 2.0}, 20, 40),
        }
    },
    fusion={
        "ecg": FusionRule(0.5, (0.0, 2.0), NOTHING),
        "eda": FusionRule(0.0, (1.0, 1.0), NOTHING),
    },
    temperature=Temperature(1.0, 2, NOTHING),
    risk={"valence": RiskCoverage((0.5, 1.0), (0.1, 0.2), 0.15)},
)


def test_what_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    write_calibration(tmp_path, CALIBRATION)
    assert read_calibration(tmp_path, "0" * 12) == CALIBRATION


def test_a_folder_without_a_calibration_gives_none(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, "0" * 12) is None


def test_a_calibration_of_other_weights_is_refused(tmp_path: Path) -> None:
    write_calibration(tmp_path, CALIBRATION)
    with pytest.raises(ModelError, match="of checkpoint 000000000000, and this one is 1") as caught:
        read_calibration(tmp_path, "1" * 12)
    assert caught.value.code == "E_CHECKPOINT"
    assert "affectscope calibrate" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace('"half_width": 0.4', '"half_width": 0.1'), "wrong sha256"),
        (lambda text: text[: len(text) // 2], "not strict JSON"),
        (lambda text: text.replace('"format_version": 1', '"format_version": 2'), "version 2"),
        (lambda _text: "", "holds no data"),
        (lambda _text: "[]", "holds no object"),
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path: Path, change: object, why: str) -> None:
    write_calibration(tmp_path, CALIBRATION)
    path = tmp_path / NAME
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(ModelError, match=why) as caught:
        read_calibration(tmp_path, "0" * 12)
    assert caught.value.code == "E_CHECKPOINT"


def test_a_rewritten_sha_does_not_save_fields_of_a_wrong_kind(tmp_path: Path) -> None:
    write_calibration(tmp_path, replace(CALIBRATION, windows="many"))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="windows is 'many', not a whole number"):
        read_calibration(tmp_path, "0" * 12)


def test_an_interval_is_that_of_what_was_there_and_widens_as_quality_falls() -> None:
    present = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
    quality = np.array([[0.1, 1.0, 0.2], [1.0, 0.5, 1.0], [1.0, 0.5, 1.0], [1, 1, 1], [1, 1, 1]])
    widths = CALIBRATION.half_widths(present, quality)
    valence = widths[:, TARGETS.index("valence")]
    np.testing.assert_allclose(valence[:3], [0.4, 0.4 * np.exp(0.5), 0.6 * np.exp(1.0)])
    assert np.isnan(valence[3:]).all()  # no rule for EDA alone, and nothing at all
    assert np.isnan(widths[:, 1:]).all()


def test_a_bad_share_is_drawn_to_the_mean_share_and_a_good_one_is_kept() -> None:
    shares = {name: np.full((3, 2), 4.0, np.float32) for name in CALIBRATION.modalities}
    quality = np.array([[1, 0.0, 0], [1, 0.25, 0], [1, 0.5, 0]])
    weighed = CALIBRATION.weighed(shares, quality)
    np.testing.assert_allclose(weighed["ecg"], [[0, 2], [2, 3], [4, 4]])
    assert weighed["eda"] is shares["eda"]


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0.2, 5))
def test_a_temperature_keeps_the_order_of_emotions_and_their_range(
    emotions: list[float], temperature: float
) -> None:
    values = np.sort(np.array(emotions))
    cooled = tempered(values, temperature)
    assert ((cooled >= 0) & (cooled <= 1)).all()
    assert (np.diff(cooled) >= 0).all()
    kept = np.clip(values, 0.01, 0.99)
    nearer = np.abs(cooled - 0.5) <= np.abs(kept - 0.5) + 1e-12
    assert nearer.all() if temperature >= 1 else (~nearer | np.isclose(cooled, kept)).all()


def checkpoint_in(folder: Path) -> str:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    return save_checkpoint(folder, BMMN(config), checkpoint)


def test_a_checkpoint_is_opened_with_its_calibration(tmp_path: Path) -> None:
    checkpoint_id = checkpoint_in(tmp_path)
    assert load_checkpoint(tmp_path).calibration is None
    write_calibration(tmp_path, replace(CALIBRATION, checkpoint_id=checkpoint_id))
    opened = load_checkpoint(tmp_path)
    assert opened.calibration is not None
    assert opened.calibration.checkpoint_id == opened.checkpoint_id
    assert load_checkpoint(tmp_path, calibrated=False).calibration is None


def test_a_checkpoint_beside_a_calibration_of_others_is_refused(tmp_path: Path) -> None:
    checkpoint_in(tmp_path)
    write_calibration(tmp_path, CALIBRATION)
    with pytest.raises(ModelError, match="it is of checkpoint"):
        load_checkpoint(tmp_path)


def test_the_temperature_reaches_the_emotions_and_nothing_else(tmp_path: Path) -> None:
    checkpoint_in(tmp_path)
    plain: Predictor = load_checkpoint(tmp_path)
    hot = replace(CALIBRATION, temperature=Temperature(4.0, 2, NOTHING))
    warm = replace(plain, calibration=hot)
    random = np.random.default_rng(0)
    names = plain.model.config.modalities
    shares = {n: random.normal(0, 0.5, (9, len(TARGETS))).astype(np.float32) for n in names}
    present = {name: np.ones(9, dtype=bool) for name in names}
    cold, drawn = plain.values(shares, present), warm.values(shares, present)
    np.testing.assert_array_equal(cold[:, :3], drawn[:, :3])
    np.testing.assert_allclose(drawn[:, 3:], tempered(cold[:, 3:], 4.0))
    assert not np.allclose(cold[:, 3:], drawn[:, 3:])
