"""Yang & Lee: who is paired with whom, what pulls, and that a planted effect is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from affectscope.baselines import yang_lee
from affectscope.baselines.compared import ComparedData
from affectscope.baselines.yang_lee import (
    YANG_LEE,
    AttributeInvariance,
    LabelledRows,
    VariationalAutoencoder,
    invariance_loss,
    opposition,
)
from affectscope.datasets.body_features import BodyFeatures
from affectscope.evaluation.crossval import Fitted, Task, cross_validate
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold

A = PROTOCOLS["A"]
PEOPLE = np.array(["P1", "P2", "P3", "P4"])


def test_the_table_of_the_head_states_the_parameters() -> None:
    for features in (7, 40):
        network = VariationalAutoencoder(features, torch.Generator())
        count = sum(weight.numel() for weight in network.parameters())
        assert count == 129 * features + 3232
        mean, log_variance = network.encode(torch.zeros(3, features))
        assert mean.shape == log_variance.shape == (3, 16)
        assert network.decoder(mean).shape == (3, features)


def test_without_personality_every_two_people_are_apart() -> None:
    np.testing.assert_array_equal(opposition({}, PEOPLE, PEOPLE[:2]), 1 - np.eye(4))


def test_traits_are_split_at_the_median_of_the_training_people() -> None:
    nan = np.nan
    personality = {
        "P1": np.array([1.0, 1.0, 1.0, nan, 2.0]),
        "P2": np.array([2.0, 1.0, 3.0, nan, 2.0]),
        "P3": np.array([3.0, 1.0, nan, nan, 2.0]),
        # Not trained on, so the medians stay 2, 1, 2, none and 2; nobody is above the last.
        "P4": np.array([9.0, 9.0, 9.0, 9.0, 1.0]),
    }
    expected = np.array(
        [
            [0, 1, 1, 3],  # P1: low low low
            [1, 0, 1, 2],  # P2: low low high
            [1, 1, 0, 1],  # P3: high low unknown
            [3, 2, 1, 0],  # P4: high high high
        ]
    )
    found = opposition(personality, PEOPLE, PEOPLE[:3])
    np.testing.assert_allclose(found, expected / 5)
    without = opposition({"P1": personality["P1"]}, PEOPLE, PEOPLE)
    np.testing.assert_array_equal(without, 0)


def labelled(high: list[float], person: list[int], apart: np.ndarray) -> LabelledRows:
    random = torch.Generator().manual_seed(1)
    values = torch.randn(len(high), 6, generator=random)
    measured = (torch.rand(values.shape, generator=random) < 0.8).float()
    return LabelledRows(
        values * measured, measured, torch.tensor(high), torch.tensor(person),
        torch.from_numpy(apart.astype(np.float32)),
    )  # fmt: skip


def test_the_loss_is_what_its_formula_says() -> None:
    apart = np.array([[0.0, 0.4, 1.0], [0.4, 0.0, 0.0], [1.0, 0.0, 0.0]])
    high, person = [1.0, 1.0, 0.0, float("nan"), 0.0, 1.0], [0, 1, 0, 1, 2, 2]
    rows = labelled(high, person, apart)
    network = VariationalAutoencoder(6, torch.Generator().manual_seed(0)).eval()
    settings = AttributeInvariance(divergence=0.3, pull=0.7)
    with torch.inference_mode():
        found = float(invariance_loss(network, settings, rows))
        mean, log_variance = (part.double().numpy() for part in network.encode(rows.values))
        rebuilt = network.decoder(network.encode(rows.values)[0]).double().numpy()
    error = np.mean(np.sum((rebuilt - rows.values.numpy()) ** 2 * rows.measured.numpy(), axis=1))
    normal = np.mean(0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1))
    total = weight = over_all = 0.0
    for one, other in product(range(6), repeat=2):
        distance = np.sum((mean[one] - mean[other]) ** 2)
        over_all += distance / 36
        if high[one] == high[other]:
            share = apart[person[one], person[other]]
            total, weight = total + share * distance, weight + share
    assert weight > 0
    expected = error + 0.3 * normal + 0.7 * total / weight / over_all
    assert found == pytest.approx(expected, rel=1e-4)


def test_rows_without_pairs_are_not_pulled() -> None:
    rows = labelled([1.0, 0.0, float("nan")], [0, 1, 1], 1 - np.eye(2))
    network = VariationalAutoencoder(6, torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        free, pulled = (
            float(invariance_loss(network, AttributeInvariance(pull=pull), rows))
            for pull in (0.0, 100.0)
        )
    assert free == pulled


def test_a_planted_effect_is_found_among_larger_differences_of_people(
    compared_data: Callable[..., Any],
) -> None:
    data = compared_data(people=4, epochs=30, hop=10.0)
    samples, random = data.samples, np.random.default_rng(0)
    values = random.normal(0, 0.3, (len(samples), 8))
    values[:, :2] += np.sign(samples.truth[:, [1]])
    for person in np.unique(samples.subject):
        values[samples.subject == person, 2:] += random.normal(0, 2, 6)
    names = tuple(f"heart_{number}" for number in range(8))
    data = replace(data, features=BodyFeatures(names, values))
    folds = A.split(samples, 0, None)
    table = cross_validate(YANG_LEE.system(data), samples, folds=folds, protocol=A)
    table = table[table["target"] == "arousal"]
    trials = table.groupby(["subject", "trial"], observed=True)[["truth", "prediction"]].mean()
    high, called = trials["truth"] > 0, trials["prediction"] > 0
    assert (called[high].mean() + (~called[~high]).mean()) / 2 > 0.8


def hand_made(data: ComparedData) -> Task:
    """P01 and P02 train, P03 validates, P04 is tested."""
    subject = data.samples.subject
    sides = [np.flatnonzero(np.isin(subject, who)) for who in (["P01", "P02"], ["P03"], ["P04"])]
    return Task(data.samples, Fold("by hand", *sides), 0)


def scores(fitted: Fitted, task: Task) -> np.ndarray:
    return fitted.predict(task.fold.test)[:, :3]


def test_what_is_not_measured_is_masked(compared_data: Callable[..., Any]) -> None:
    data = compared_data(people=4, epochs=1, hop=2.0)  # each row by itself
    task, features = hand_made(data), data.features
    values = features.values.copy()
    test, skin = task.fold.test, [name.startswith("skin") for name in features.names]
    first, rest = test[: len(test) // 2], test[len(test) // 2 :]
    values[np.ix_(first, np.flatnonzero(skin))] = np.nan
    values[rest] = np.nan
    masked = replace(data, features=BodyFeatures(features.names, values))
    found, whole = (scores(YANG_LEE.fit(some, task), task) for some in (masked, data))
    assert np.isfinite(whole).all()
    assert np.isfinite(found[: len(first)]).all()
    assert (found[: len(first)] != whole[: len(first)]).any()
    assert np.isnan(found[len(first) :]).all()


def test_a_feature_that_training_never_measured_says_nothing(
    compared_data: Callable[..., Any],
) -> None:
    data = compared_data(people=4, epochs=1)
    task, values = hand_made(data), data.features.values.copy()
    values[task.fold.train, 0] = np.nan
    other = values.copy()
    other[:, 0] *= -1000.0
    first, second = (
        scores(YANG_LEE.fit(replace(data, features=features), task), task)
        for features in (BodyFeatures(data.features.names, given) for given in (values, other))
    )
    np.testing.assert_array_equal(first, second)


def test_personality_decides_the_pairs(
    compared_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = compared_data(people=4, epochs=5)
    task = hand_made(plain)
    alike = {f"P0{number}": np.ones(5) for number in range(1, 5)}
    unlike = alike | {"P02": np.full(5, 2.0)}
    found = {
        name: scores(YANG_LEE.fit(replace(plain, personality=given), task), task)
        for name, given in (("none", {}), ("alike", alike), ("unlike", unlike))
    }
    # With two training people, the opposite ones and the different ones are the same.
    np.testing.assert_array_equal(found["unlike"], found["none"])
    assert (found["alike"] != found["none"]).any()
    monkeypatch.setattr(yang_lee, "SETTINGS", replace(yang_lee.SETTINGS, pull=0.0))
    np.testing.assert_array_equal(scores(YANG_LEE.fit(plain, task), task), found["alike"])
