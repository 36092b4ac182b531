"""Probabilities, intervals and their measures against known worlds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from affectscope.evaluation.calibration import (
    brier,
    conformal_half_width,
    conformal_over_people,
    equal_weights,
    expected_calibration_error,
    fit_platt,
    negative_log_likelihood,
    people_needed,
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


def test_every_person_weighs_the_same_in_a_width_for_windows() -> None:
    person = np.array(["a"] * 1000 + [f"p{number}" for number in range(19)])
    residual = np.concatenate([np.full(1000, 9.0), np.full(19, 1.0)])
    assert conformal_over_people(residual, person, coverage=0.9) == 1.0
    assert equal_weights(person).sum() == pytest.approx(1)
    assert equal_weights(person)[:1000].sum() == pytest.approx(1 / 20)


def test_one_more_person_counts_as_infinitely_far_off() -> None:
    person = np.array([f"p{number}" for number in range(20)])
    residual = np.arange(1.0, 21.0)
    # 0.9 of 21 people are 18.9: the 19th, not the 18th
    assert conformal_over_people(residual, person, coverage=0.9) == 19.0


@pytest.mark.parametrize(("coverage", "people"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_a_width_is_finite_from_the_people_that_are_needed_on(coverage: float, people: int) -> None:
    assert people_needed(coverage) == people
    names = np.array([f"p{number}" for number in range(people)])
    assert np.isfinite(conformal_over_people(np.ones(people), names, coverage=coverage))
    fewer = conformal_over_people(np.ones(people - 1), names[1:], coverage=coverage)
    assert np.isinf(fewer)


def test_widths_hold_for_windows_of_new_people_who_differ_in_how_far_off_they_are() -> None:
    random = np.random.default_rng(3)
    person = np.repeat([f"p{number}" for number in range(25)], 20)
    shares = []
    for _ in range(200):
        spread = np.exp(random.normal(0, 0.5, 26))
        residual = np.abs(random.normal(0, np.repeat(spread[:25], 20)))
        width = conformal_over_people(residual, person, coverage=0.9)
        shares.append((np.abs(random.normal(0, spread[25], 200)) <= width).mean())
    assert 0.89 < np.mean(shares) < 0.95


def test_a_label_between_0_and_1_is_likely_in_proportion() -> None:
    probability = np.array([0.8])
    between = negative_log_likelihood(np.array([0.25]), probability)
    sure = [negative_log_likelihood(np.array([label]), probability) for label in (0.0, 1.0)]
    assert between == pytest.approx(0.75 * sure[0] + 0.25 * sure[1])


def test_the_risk_of_weighted_items_is_that_of_so_many_copies() -> None:
    wrong, confidence = np.array([0.2, 0.9, 0.4]), np.array([3.0, 1.0, 2.0])
    coverage, rate = risk_coverage(wrong, confidence, np.array([2.0, 1.0, 1.0]))
    np.testing.assert_allclose(coverage, [0.5, 0.75, 1.0])
    np.testing.assert_allclose(rate, [0.2, 0.8 / 3, 1.7 / 4])
    area = risk_coverage_area(wrong, confidence, np.array([2.0, 1.0, 1.0]))
    assert area == pytest.approx(0.5 * 0.2 + 0.25 * 0.8 / 3 + 0.25 * 1.7 / 4)
