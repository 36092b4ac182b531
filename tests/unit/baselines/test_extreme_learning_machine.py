"""The random layer stays random, the output is a weighted ridge fit, and classes are found."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from affectscope.baselines.extreme_learning_machine import ExtremeLearningMachine

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.standard_normal((240, 4))
CROSSED = (VALUES[:, 0] * VALUES[:, 1] > 0).astype(np.int64)
"""Classes that no straight line parts."""


def test_finds_what_a_linear_model_cannot() -> None:
    machine = ExtremeLearningMachine(hidden=300, ridge=1e-4).fit(VALUES[:160], CROSSED[:160])
    linear = LogisticRegression().fit(VALUES[:160], CROSSED[:160])
    assert machine.score(VALUES[160:], CROSSED[160:]) > 0.8
    assert linear.score(VALUES[160:], CROSSED[160:]) < 0.65


def test_probabilities_are_the_logistic_of_twice_the_fitted_output() -> None:
    machine = ExtremeLearningMachine(random_state=3).fit(VALUES, CROSSED)
    hidden = 1 / (1 + np.exp(-(VALUES @ machine.weights_ + machine.offsets_)))
    coded = 2.0 * CROSSED - 1.0
    centred = hidden - hidden.mean(axis=0)
    penalty = 0.01 * len(VALUES) * np.eye(200)
    output = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (coded - coded.mean()))
    expected = 1 / (1 + np.exp(-2 * (centred @ output + coded.mean())))
    np.testing.assert_allclose(machine.predict_proba(VALUES)[:, 1], expected, atol=1e-8)


def test_several_classes_keep_their_names() -> None:
    names = np.array(["calm", "glad", "sad"])[np.digitize(VALUES[:, 0], [-0.5, 0.5])]
    machine = ExtremeLearningMachine().fit(VALUES, names)
    probabilities = machine.predict_proba(VALUES)
    assert probabilities.shape == (240, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert machine.score(VALUES, names) > 0.8


def test_a_weight_of_two_is_a_sample_twice() -> None:
    weights = np.where(np.arange(240) < 100, 2.0, 1.0)
    weighted = ExtremeLearningMachine().fit(VALUES, CROSSED, weights)
    twice = np.concatenate([np.arange(240), np.arange(100)])
    repeated = ExtremeLearningMachine().fit(VALUES[twice], CROSSED[twice])
    np.testing.assert_allclose(
        weighted.predict_proba(VALUES), repeated.predict_proba(VALUES), atol=1e-8
    )


def test_the_seed_alone_decides_the_hidden_layer() -> None:
    one, other = (ExtremeLearningMachine().fit(VALUES, labels) for labels in (CROSSED, 1 - CROSSED))
    np.testing.assert_array_equal(one.weights_, other.weights_)
    np.testing.assert_array_equal(
        one.predict_proba(VALUES), clone(one).fit(VALUES, CROSSED).predict_proba(VALUES)
    )
    third = ExtremeLearningMachine(random_state=1).fit(VALUES, CROSSED)
    assert not np.array_equal(one.weights_, third.weights_)


def test_one_class_is_certain() -> None:
    machine = ExtremeLearningMachine().fit(VALUES, np.ones(240, dtype=np.int64))
    np.testing.assert_array_equal(machine.predict_proba(VALUES), 1.0)


def test_missing_values_are_refused() -> None:
    holes = VALUES.copy()
    holes[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ExtremeLearningMachine().fit(holes, CROSSED)
    machine = ExtremeLearningMachine().fit(VALUES, CROSSED)
    with pytest.raises(ValueError, match="NaN"):
        machine.predict_proba(holes)
