"""Calibration of made-up estimates whose errors are known: coverage, fusion, temperature.

Legend: every person is drawn here; no number is about a human being.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from affectscope.inference.calibration import Calibration, tempered
from affectscope.inference.predictor import Predictor
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.calibration_fit import (
    Fitted,
    ScoredRows,
    fit_calibration,
    fit_fusion,
    fit_temperature,
)
from affectscope.records import EMOTIONS, TARGETS, FloatArray

WINDOWS = 30


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """Its estimates are the sum of what ECG and EDA add."""
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    model = BMMN(config).eval()
    with torch.no_grad():
        dict(model.named_parameters())["head.0.bias"].zero_()
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    return Predictor(model, checkpoint, "0" * 12)


def rows_of(people: int, seed: int, *, spoilt: float = 0.0, noise: float = 0.1) -> ScoredRows:
    """Each signal adds half of the truth with a person's own bias and noise; the ECG adds
    ``spoilt`` more noise as its quality falls to 0, for half of the windows."""
    random = np.random.default_rng(seed)
    count = people * WINDOWS
    person = np.repeat([f"p{number:03d}" for number in range(people)], WINDOWS)
    truth = random.uniform(-0.6, 0.6, (count, len(TARGETS)))
    truth[:, 3:] = np.abs(truth[:, 3:])
    quality = np.ones((count, 3))
    quality[:, 1] = np.where(random.random(count) < 0.5, random.random(count), 1.0)
    bias = np.repeat(random.normal(0, noise / 2, (people, len(TARGETS))), WINDOWS, axis=0)
    ecg = truth / 2 + bias + random.normal(0, noise, truth.shape)
    ecg += spoilt * (1 - quality[:, 1:2]) * random.normal(0, 1, truth.shape)
    eda = truth / 2 + random.normal(0, noise, truth.shape)
    shares = {"ecg": ecg.astype(np.float32), "eda": eda.astype(np.float32)}
    present = np.tile([False, True, True], (count, 1))
    return ScoredRows(person, shares, present, quality, truth)  # type: ignore[arg-type]


def calibration(fitted: Fitted) -> Calibration:
    return Calibration(
        checkpoint_id="0" * 12,
        population="simulated people",
        coverage=0.9,
        people_needed=9,
        modalities=("ecg", "eda"),
        people=(),
        windows=0,
        sessions={},
        intervals=fitted.intervals,
        fusion=fitted.fusion,
        temperature=fitted.temperature,
        risk=fitted.risk,
    )


def covered(predictor: Predictor, learnt: Calibration, rows: ScoredRows) -> FloatArray:
    """(N, 3) whether the truth of valence, arousal and liking lies in the interval."""
    shares = learnt.weighed(rows.shares, rows.quality)
    values = rows.estimates(predictor, shares)
    widths = learnt.half_widths(rows.present, rows.quality)
    return np.asarray((np.abs(values - rows.truth) <= widths)[:, :3], float)


@pytest.fixture(scope="module")
def spoilt(predictor: Predictor) -> Calibration:
    rows = rows_of(40, 1, spoilt=0.5)
    return calibration(fit_calibration(predictor, rows, coverage=0.9))


def test_intervals_hold_for_the_share_of_new_people_s_windows_that_was_asked_for(
    predictor: Predictor, spoilt: Calibration
) -> None:
    rows = rows_of(100, 2, spoilt=0.5)
    inside = covered(predictor, spoilt, rows)
    assert (np.abs(inside.mean(axis=0) - 0.91) < 0.03).all(), inside.mean(axis=0)
    bad = rows.quality[:, 1] < 0.5
    assert (np.abs(inside[bad].mean(axis=0) - 0.9) < 0.08).all(), inside[bad].mean(axis=0)


def test_worse_quality_widens_and_a_missing_signal_widens_too(spoilt: Calibration) -> None:
    present = np.array([[0, 1, 1], [0, 1, 1], [0, 0, 1]], dtype=bool)
    good, bad, eda_alone = spoilt.half_widths(
        present, np.array([[1, 1, 1], [1, 0.1, 1], [1, 1, 1]])
    )
    assert (bad[:3] > 1.1 * good[:3]).all()
    assert (eda_alone[:3] > 1.1 * good[:3]).all()


def test_a_bad_signal_counts_for_less_where_that_lowers_the_error(
    predictor: Predictor, spoilt: Calibration
) -> None:
    assert spoilt.fusion["ecg"].good > 0
    assert spoilt.fusion["eda"].good == 0
    rows = rows_of(50, 3, spoilt=0.5)
    bad = rows.quality[:, 1] < 0.5
    plain = rows.estimates(predictor, rows.shares)
    weighed = rows.estimates(predictor, spoilt.weighed(rows.shares, rows.quality))
    errors = [np.abs(values - rows.truth)[bad, :3].mean() for values in (plain, weighed)]
    assert errors[1] < 0.9 * errors[0], errors


def test_a_quality_that_says_nothing_about_the_error_changes_nothing(predictor: Predictor) -> None:
    rules = fit_fusion(predictor, rows_of(20, 4))
    assert {name: rule.good for name, rule in rules.items()} == {"ecg": 0.0, "eda": 0.0}


def test_what_lowers_the_error_of_a_few_people_only_by_chance_is_not_kept(
    predictor: Predictor,
) -> None:
    rule = fit_fusion(predictor, rows_of(4, 15, spoilt=0.25))["ecg"]
    assert rule.error.after < rule.error.before
    assert rule.error.low < 0 < rule.error.high
    assert rule.good == 0


def test_the_widest_intervals_are_left_out_to_lower_the_error(spoilt: Calibration) -> None:
    risk = spoilt.risk["valence"]
    assert risk.coverage[-1] == 1.0
    assert risk.error[9] < 0.95 * risk.error[-1]
    assert risk.area < risk.error[-1]


@pytest.mark.parametrize(("people", "given"), [(8, False), (9, True)])
def test_fewer_than_nine_people_give_no_interval(
    predictor: Predictor, people: int, given: bool
) -> None:
    fitted = fit_calibration(predictor, rows_of(people, 5), coverage=0.9)
    assert bool(fitted.intervals) is given
    assert bool(fitted.risk) is given


def test_a_sentence_says_how_many_people_are_needed(predictor: Predictor) -> None:
    few = calibration(fit_calibration(predictor, rows_of(3, 5), coverage=0.9))
    text = "\n".join(replace(few, people=("a", "b", "c")).lines)
    assert "3 people are too few" in text
    assert "at least 9 people" in text


def test_the_temperature_of_emotions_that_are_too_sure_is_found() -> None:
    random = np.random.default_rng(6)
    probability = random.uniform(0.05, 0.95, (1500, len(EMOTIONS)))
    happened = (random.random(probability.shape) < probability).astype(float)
    person = np.repeat([f"p{number}" for number in range(30)], 50)
    found = fit_temperature(tempered(probability, 0.5), happened, person)
    assert found.value == pytest.approx(2.0, abs=0.15)
    assert found.likelihood.after < found.likelihood.before
    assert found.people == 30
    right = fit_temperature(probability, happened, person)
    assert right.value == 1.0


def test_emotions_that_nobody_rated_keep_their_temperature() -> None:
    nothing = np.full((20, len(EMOTIONS)), np.nan)
    found = fit_temperature(np.zeros_like(nothing), nothing, np.repeat(["a", "b"], 10))
    assert (found.value, found.people) == (1.0, 0)
