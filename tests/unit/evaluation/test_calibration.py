"""Probabilities, intervals and their measures against known worlds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from affectscope.evaluation.calibration import (
    brier,
    conformal_half_width,
    expected_calibration_error,
    fit_platt,
    negative_log_likelihood,
    risk_coverage,
    risk_coverage_area,
)

BASE = np.array([0.3])


def test_platt_finds_the_sigmoid_that_made_the_labels() -> None:
    random = np.random.default_rng(0)
    score = random.normal(0.5, 0.4, 20_000)
    label = (random.random(20_000) < expit(3 * score - 1)).astype(float)
    platt = fit_platt(score[:, None], label[:, None], BASE)
    assert platt.slope[0] == pytest.approx(3, rel=0.05)
    assert platt.intercept[0] == pytest.approx(-1, rel=0.1)
    label[:10_000] = np.nan
    assert fit_platt(score[:, None], label[:, None], BASE).slope[0] == pytest.approx(3, rel=0.08)


@pytest.mark.parametrize(
    ("score", "label"),
    [
        ([0.1, 0.2, 0.3], [1.0, 1.0, 1.0]),
        ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0]),
        ([0.2, 0.2, 0.2], [0.0, 1.0, 0.0]),
        ([0.1, 0.2, 0.3], [1.0, 0.0, 0.0]),
        ([0.1, 0.2, 0.3], [np.nan, np.nan, np.nan]),
    ],
    ids=["all high", "all low", "constant score", "wrong way round", "not rated"],
)
def test_where_nothing_can_be_calibrated_the_base_rate_stands(
    score: list[float], label: list[float]
) -> None:
    platt = fit_platt(np.array(score)[:, None], np.array(label)[:, None], BASE)
    np.testing.assert_allclose(platt.probability(np.array([[-5.0], [5.0]])), 0.3)


def test_perfect_separation_stays_finite() -> None:
    score = np.array([-1.0, -0.9, 0.9, 1.0])[:, None]
    platt = fit_platt(score, np.array([0.0, 0, 1, 1])[:, None], BASE)
    probability = platt.probability(score)[:, 0]
    # Platt's smoothed labels are 1/4 and 3/4 here.
    assert probability[[0, 3]] == pytest.approx([0.25, 0.75], abs=0.02)


def test_scores_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(1)
    probability = random.uniform(0.01, 0.99, 300)
    label = (random.random(300) < probability).astype(float)
    assert brier(label, probability) == pytest.approx(brier_score_loss(label, probability))
    assert negative_log_likelihood(label, probability) == pytest.approx(
        log_loss(label, probability)
    )
    assert np.isfinite(negative_log_likelihood(np.array([1.0]), np.array([0.0])))


def test_calibration_error_of_a_constant_is_its_distance_from_the_rate() -> None:
    label = np.array([1.0] * 30 + [0.0] * 70)
    assert expected_calibration_error(label, np.full(100, 0.5)) == pytest.approx(0.2)
    assert expected_calibration_error(label, np.full(100, 0.3)) == pytest.approx(0, abs=1e-12)


def test_calibration_error_sees_overconfidence() -> None:
    random = np.random.default_rng(2)
    probability = random.uniform(0.05, 0.95, 30_000)
    label = (random.random(30_000) < probability).astype(float)
    assert expected_calibration_error(label, probability) < 0.02
    assert expected_calibration_error(label, np.round(probability)) > 0.2


def test_conformal_intervals_cover_new_people() -> None:
    random = np.random.default_rng(3)
    covered = []
    for _ in range(200):
        spread = random.uniform(0.2, 0.6, 13)
        residual = np.abs(random.normal(0, spread[:, None], (13, 16)))
        person = np.repeat([f"P{n}" for n in range(12)], 16)
        width = conformal_half_width(residual[:12].reshape(-1, 1), person)
        covered.append((residual[12] <= width[0]).mean())
    assert 0.87 < np.mean(covered) < 0.94


def test_conformal_widths_weigh_people_equally_and_need_enough_trials() -> None:
    # One person with 100 trials far off must not outweigh nine who are close.
    residual = np.concatenate([np.full(100, 1.0), np.full(180, 0.1)])[:, None]
    person = np.array(["loud"] * 100 + [f"P{n}" for n in range(9) for _ in range(20)])
    assert conformal_half_width(residual, person, coverage=0.85)[0] == pytest.approx(0.1)
    few = conformal_half_width(np.array([[0.1], [np.nan]]), np.array(["a", "b"]))
    assert np.isinf(few[0])
    assert np.isinf(conformal_half_width(np.full((3, 1), np.nan), np.array(["a", "b", "c"]))[0])


def test_risk_falls_when_confidence_knows_and_is_flat_when_it_does_not() -> None:
    wrong = np.array([1.0, 0, 0, 0, 1, 0, 0, 0])
    coverage, risk = risk_coverage(wrong, np.array([0.1, 0.9, 0.8, 0.7, 0.2, 0.6, 0.5, 0.4]))
    np.testing.assert_allclose(coverage, np.arange(1, 9) / 8)
    np.testing.assert_allclose(risk, [0, 0, 0, 0, 0, 0, 1 / 7, 2 / 8])
    np.testing.assert_allclose(risk_coverage(wrong, np.full(8, 0.3))[1], 0.25)
    assert risk_coverage_area(wrong, np.full(8, 0.3)) == pytest.approx(0.25)
