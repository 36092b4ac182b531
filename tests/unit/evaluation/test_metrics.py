"""Metrics from sums against scikit-learn, their bounds, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from affectscope.evaluation.metrics import (
    METRICS,
    Items,
    PersonSums,
    from_moments,
    midpoints,
    overall,
    person_sums,
    person_values,
    positive,
    prevalence,
    within_subject_people,
)


def items(truth: np.ndarray, score: np.ndarray, weight: np.ndarray, person: np.ndarray) -> Items:
    """Ratings, with the threshold at 0."""
    return Items(truth, score, truth > 0, score > 0, weight, person, int(person.max()) + 1)


def sums(truth: object, score: object) -> PersonSums:
    truth, score = np.asarray(truth, float), np.asarray(score, float)
    return person_sums(items(truth, score, np.ones(len(truth)), np.zeros(len(truth), np.int64)))


@st.composite
def random_items(draw: st.DrawFn) -> Items:
    count = draw(st.integers(4, 40))
    # Coarse values, so that ties are common.
    coarse = st.integers(-4, 4).map(lambda value: value / 4)
    truth = draw(hnp.arrays(np.float64, count, elements=coarse))
    score = draw(hnp.arrays(np.float64, count, elements=coarse))
    weight = draw(hnp.arrays(np.float64, count, elements=st.integers(1, 8).map(lambda w: w / 4)))
    person = draw(hnp.arrays(np.int64, count, elements=st.integers(0, 4)))
    truth[:2] = [-0.5, 0.5]
    return items(truth, score, weight, person)


@settings(max_examples=25, deadline=None)
@given(random_items())
def test_metrics_equal_scikit_learn_with_weights(given_items: Items) -> None:
    i, found = given_items, overall(person_sums(given_items))
    w, y, called = i.weight, i.high, i.called_high
    precision = {"sample_weight": w, "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(y, called, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called, sample_weight=w),
        "mcc": sk.matthews_corrcoef(y, called, sample_weight=w),
        "macro_f1": sk.f1_score(y, called, average="macro", **precision),
        "precision_positive": sk.precision_score(y, called, **precision),
        "precision_macro": sk.precision_score(y, called, average="macro", **precision),
        "precision_weighted": sk.precision_score(y, called, average="weighted", **precision),
        "auroc": sk.roc_auc_score(y, i.score, sample_weight=w),
        "mae": sk.mean_absolute_error(i.truth, i.score, sample_weight=w),
        "rmse": np.sqrt(sk.mean_squared_error(i.truth, i.score, sample_weight=w)),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert prevalence(person_sums(i)) == pytest.approx(np.average(y, weights=w))


@settings(max_examples=25, deadline=None)
@given(random_items())
def test_ccc_is_lins_and_lies_between_minus_and_plus_pearson(given_items: Items) -> None:
    i, found = given_items, overall(person_sums(given_items))
    mean_x, mean_y = (np.average(v, weights=i.weight) for v in (i.score, i.truth))
    covariance = np.average((i.score - mean_x) * (i.truth - mean_y), weights=i.weight)
    variance_x = np.average((i.score - mean_x) ** 2, weights=i.weight)
    variance_y = np.average((i.truth - mean_y) ** 2, weights=i.weight)
    ccc = 2 * covariance / (variance_x + variance_y + (mean_x - mean_y) ** 2)
    assert found["ccc"] == pytest.approx(ccc, abs=1e-9)
    assert -1 <= found["ccc"] <= 1
    if variance_x > 0:
        assert found["pearson"] == pytest.approx(covariance / np.sqrt(variance_x * variance_y))
        assert abs(found["ccc"]) <= abs(found["pearson"]) + 1e-9
    else:
        assert np.isnan(found["pearson"])


def test_ccc_of_itself_is_one_and_a_shift_costs() -> None:
    truth = np.linspace(-1, 1, 9)
    assert overall(sums(truth, truth))["ccc"] == pytest.approx(1)
    assert overall(sums(truth, -truth))["ccc"] == pytest.approx(-1)
    shifted = overall(sums(truth, truth + 0.5))
    assert shifted["pearson"] == pytest.approx(1)
    # 2 v / (2 v + 0.25) with v the variance.
    variance = truth.var()
    assert shifted["ccc"] == pytest.approx(2 * variance / (2 * variance + 0.25))


def test_within_subject_ccc_is_the_mean_over_people_whose_truth_varies() -> None:
    truth = np.array([-0.5, 0.5, 0.1, 0.3, 0.2, 0.2])
    score = np.array([-0.5, 0.5, 0.2, 0.2, 0.0, 0.4])
    person = np.array([0, 0, 1, 1, 2, 2])
    found = person_sums(items(truth, score, np.ones(6), person))
    # Person 0 is right, person 1's estimate is flat (0), person 2's truth does not vary.
    assert overall(found)["ccc_within"] == pytest.approx(0.5)
    assert within_subject_people(found) == 2
    np.testing.assert_allclose(person_values(found, "ccc_within"), [1, 0, np.nan])
    np.testing.assert_allclose(person_values(found, "accuracy"), [1, 1, 0.5])
    np.testing.assert_allclose(person_values(found, "auroc"), [1, np.nan, np.nan])


def test_one_class_only_is_undefined_not_a_number_from_nowhere() -> None:
    found = overall(sums([0.2, 0.4, 0.6], [0.1, -0.1, 0.3]))
    for name in ("macro_f1", "balanced_accuracy", "mcc", "auroc"):
        assert np.isnan(found[name]), name
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["precision_positive"] == 1


def test_constant_prediction_follows_the_documented_convention() -> None:
    found = overall(sums([-0.5, 0.1, 0.4, -0.2], [-0.3] * 4))
    assert found["precision_positive"] == 0
    assert found["precision_macro"] == pytest.approx(0.25)
    assert found["mcc"] == 0
    assert found["auroc"] == 0.5
    assert found["ccc"] == 0
    assert np.isnan(found["pearson"])
    assert found["macro_f1"] == pytest.approx((0 + 2 / 3) / 2)


def test_constant_truth_has_no_correlation() -> None:
    found = overall(sums([0.3] * 4, [0.1, 0.2, 0.3, 0.4]))
    assert np.isnan(found["pearson"])
    assert np.isnan(found["ccc"])


def test_nothing_is_not_a_number_and_no_warning() -> None:
    empty = np.array([])
    found = person_sums(Items(empty, empty, empty > 0, empty > 0, empty, empty.astype(int), 2))
    assert all(np.isnan(value) for value in overall(found).values())
    assert np.isnan(prevalence(found))
    assert np.isnan(from_moments(np.zeros((3, 8)))["rmse"]).all()


def test_more_scores_than_bins_cost_little_auroc() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=30_000)
    score = truth + random.normal(0, 2, 30_000)
    person = random.integers(0, 5, 30_000)
    found = overall(person_sums(items(truth, score, np.ones(30_000), person)), ["auroc"])
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(truth > 0, score), abs=2e-4)


def test_a_rating_must_exceed_five_and_an_emotion_reach_one_half() -> None:
    targets = ("valence", "liking", "joy")
    np.testing.assert_array_equal(midpoints(targets), [0, 0, 0.5])
    values = np.array([[0.0, 1e-6, 0.5], [np.nan, -1e-6, 0.49]])
    np.testing.assert_array_equal(positive(values, targets), [[0, 1, 1], [np.nan, 0, 0]])


def test_all_metrics_have_a_value() -> None:
    assert set(overall(sums([-0.5, 0.5], [-0.2, 0.1]))) == set(METRICS)
