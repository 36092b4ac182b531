"""Baselines without signals: each against its definition worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.baselines.mixed_model import (
    Ratings,
    Variances,
    estimate_left_out,
    fit_variances,
)
from affectscope.baselines.trivial import TRIVIAL, shuffled_rows
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples

CLIPS = ("a", "b", "c")
LENGTHS = {"a": 60.0, "b": 60.0, "c": 150.0}
VALENCE = np.array([
    [0.5, -0.25, 0.75],
    [0.25, -0.75, 1.0],
    [0.5, -0.5, -0.25],
    [-1.0, -0.5, 0.25],
    [0.75, 0.5, 0.5],
])  # fmt: skip
JOY = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]], dtype=float)
"""(person, clip). P0-P2 train, P3 validates, P4 is tested."""


def samples() -> Samples:
    """Trial c has three rows, the others one."""
    rows = [(p, c) for p in range(5) for c in (0, 1, 2, 2, 2)]
    truth = np.array([[VALENCE[p, c], JOY[p, c]] for p, c in rows])
    onset = np.tile([0.0, 0, 0, 1, 2], 5)
    clips = np.array([CLIPS[c] for _, c in rows])
    duration = np.array([LENGTHS[clip] for clip in clips])
    names = np.array([f"P{p}" for p, _ in rows])
    return Samples(names, clips, onset, 7.8, duration, truth, ("valence", "joy"))


ALL = samples()
TEST = np.arange(20, 25)
FOLD = Fold("P4", np.arange(15), np.arange(15, 20), TEST)
FIRST_OF_TRIAL = [0, 1, 2]


def scores(name: str, seed: int = 0) -> np.ndarray:
    """(3, 2) scores of P4's clips a, b, c."""
    system = TRIVIAL[name]
    given_samples = ALL if system.oracle else ALL.hidden(np.arange(len(ALL)) < 20)
    found = system.fit(Task(given_samples, FOLD, seed)).predict(TEST)
    np.testing.assert_array_equal(found[2:4], found[3:5])
    return found[FIRST_OF_TRIAL]


def test_they_are_all_there_in_order() -> None:
    assert list(TRIVIAL) == [
        "majority", "stratified", "training prior", "stimulus mean", "duration only",
        "clip one-hot", "personal mean (oracle)", "person + clip mixed model (oracle)",
    ]  # fmt: skip
    assert all(name == system.name for name, system in TRIVIAL.items())
    assert [name for name, system in TRIVIAL.items() if system.oracle] == list(TRIVIAL)[-2:]


def test_training_prior_weighs_trials_equally() -> None:
    expected = [VALENCE[:3].mean(), JOY[:3].mean()]
    np.testing.assert_allclose(scores("training prior"), np.tile(expected, (3, 1)))


def test_majority_is_the_mean_of_the_larger_class() -> None:
    high = VALENCE[:3][VALENCE[:3] > 0]
    assert len(high) == 5
    # Joy is absent in 5 of 9.
    np.testing.assert_allclose(scores("majority"), np.tile([high.mean(), 0.0], (3, 1)))


def test_stratified_draws_a_class_for_a_trial_as_often_as_in_training() -> None:
    np.testing.assert_array_equal(scores("stratified", 1), scores("stratified", 1))
    drawn = np.array([scores("stratified", seed) for seed in range(300)])
    assert np.mean(drawn[..., 0] > 0) == pytest.approx(5 / 9, abs=0.05)
    assert np.mean(drawn[..., 1] >= 0.5) == pytest.approx(4 / 9, abs=0.05)
    assert set(np.unique(drawn[..., 1])) == {0.0, 1.0}


def test_stimulus_mean_is_what_others_gave_the_clip() -> None:
    expected = np.column_stack([VALENCE[:3].mean(axis=0), JOY[:3].mean(axis=0)])
    np.testing.assert_allclose(scores("stimulus mean"), expected)


def test_an_unseen_clip_gets_the_mean_of_all() -> None:
    fold = Fold("P4/c", np.flatnonzero(ALL.trial[:15] != "c"), np.arange(15, 17), np.arange(22, 25))
    task = Task(ALL.hidden(np.arange(len(ALL)) < 17), fold, 0)
    for name in ("stimulus mean", "clip one-hot"):
        found = TRIVIAL[name].fit(task).predict(fold.test)
        rate = (VALENCE[:3, :2] > 0).mean()
        expected = VALENCE[:3, :2].mean() if name == "stimulus mean" else 2 * rate - 1
        np.testing.assert_allclose(found[:, 0], expected)


def test_clip_one_hot_is_the_smoothed_rate_of_the_clip() -> None:
    high = np.stack([VALENCE[:3] > 0, JOY[:3] >= 0.5], axis=-1)
    rate = (high.sum(axis=0) + high.mean(axis=(0, 1))) / 4
    expected = np.column_stack([2 * rate[:, 0] - 1, rate[:, 1]])
    np.testing.assert_allclose(scores("clip one-hot"), expected)


def test_duration_only_cannot_tell_clips_of_one_length_apart_and_finds_the_long_one() -> None:
    found = scores("duration only")
    np.testing.assert_allclose(found[0], [VALENCE[:3, :2].mean(), JOY[:3, :2].mean()])
    np.testing.assert_allclose(found[1], found[0])
    np.testing.assert_allclose(found[2], [VALENCE[:3, 2].mean(), JOY[:3, 2].mean()])


def test_personal_mean_leaves_the_trial_itself_out() -> None:
    expected = [[(VALENCE[4].sum() - v) / 2, (JOY[4].sum() - j) / 2]
                for v, j in zip(VALENCE[4], JOY[4], strict=True)]  # fmt: skip
    np.testing.assert_allclose(scores("personal mean (oracle)"), expected)


@pytest.mark.parametrize("name", list(TRIVIAL)[-2:])
def test_an_oracle_does_not_see_the_trial_that_it_estimates(name: str) -> None:
    fit = TRIVIAL[name].fit
    before = fit(Task(ALL, FOLD, 0)).predict(TEST)
    truth = ALL.truth.copy()
    truth[22:25] = [[-1.0, 0.0]]
    changed = Samples(
        ALL.subject, ALL.trial, ALL.onset, 7.8, ALL.trial_duration, truth, ALL.targets
    )
    after = fit(Task(changed, FOLD, 0)).predict(TEST)
    np.testing.assert_allclose(after[2:], before[2:])
    assert (np.abs(after[:2] - before[:2]) > 1e-6).any()


def crossed(people: int, clips: int, variances: Variances, seed: int) -> Ratings:
    random = np.random.default_rng(seed)
    person, clip = np.repeat(np.arange(people), clips), np.tile(np.arange(clips), people)
    value = (
        0.2
        + random.normal(0, np.sqrt(variances.person), people)[person]
        + random.normal(0, np.sqrt(variances.clip), clips)[clip]
        + random.normal(0, np.sqrt(variances.rest), people * clips)
    )
    return Ratings(value, person, clip, people, clips)


def test_variances_of_balanced_ratings_are_those_of_the_analysis_of_variance() -> None:
    """For balanced data with positive estimates, REML equals the mean squares' solution."""
    people, clips = 20, 12
    ratings = crossed(people, clips, Variances(0.3, 0.5, 0.4), 0)
    table = ratings.value.reshape(people, clips)
    row, column = table.mean(axis=1), table.mean(axis=0)
    residual = table - row[:, None] - column + table.mean()
    rest = (residual**2).sum() / ((people - 1) * (clips - 1))
    expected = Variances(
        (clips * row.var(ddof=1) - rest) / clips,
        (people * column.var(ddof=1) - rest) / people,
        rest,
    )
    found = fit_variances(ratings)
    assert found.person == pytest.approx(expected.person, rel=2e-3)
    assert found.clip == pytest.approx(expected.clip, rel=2e-3)
    assert found.rest == pytest.approx(expected.rest, rel=2e-3)


def test_left_out_estimates_equal_generalised_least_squares() -> None:
    variances = Variances(0.3, 0.5, 0.4)
    full = crossed(5, 4, variances, 1)
    keep = np.arange(20) != 7
    ratings = Ratings(full.value[keep], full.person[keep], full.clip[keep], 5, 4)
    asked = [(2, 1), (1, 3), (0, 0)]
    found = estimate_left_out(
        ratings, variances, person=np.array([p for p, _ in asked]),
        clip=np.array([c for _, c in asked]),
    )  # fmt: skip
    for (p, c), value in zip(asked, found, strict=True):
        other = (ratings.person != p) | (ratings.clip != c)
        person, clip, y = ratings.person[other], ratings.clip[other], ratings.value[other]
        covariance = (
            variances.person * (person[:, None] == person)
            + variances.clip * (clip[:, None] == clip)
            + variances.rest * np.eye(len(y))
        )
        weights = np.linalg.solve(covariance, np.ones(len(y)))
        mean = weights @ y / weights.sum()
        toward = variances.person * (person == p) + variances.clip * (clip == c)
        assert value == pytest.approx(mean + toward @ np.linalg.solve(covariance, y - mean))


def test_constant_ratings_have_no_variance_and_no_failure() -> None:
    constant = Ratings(np.full(6, 0.5), np.repeat([0, 1], 3), np.tile([0, 1, 2], 2), 2, 3)
    found = fit_variances(constant)
    estimate = estimate_left_out(constant, found, person=np.array([0]), clip=np.array([1]))
    assert estimate[0] == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=5), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_shuffled_rows_come_from_another_trial_of_the_same_person(
    lengths: list[list[int]], seed: int
) -> None:
    keys = [(f"P{p}", f"c{c}", r) for p, trials in enumerate(lengths)
            for c, count in enumerate(trials) for r in range(count)]  # fmt: skip
    subject, trial, onset = (np.array(column) for column in zip(*keys, strict=True))
    shuffled = Samples(subject, trial, onset.astype(float), 7.8, np.ones(len(keys)),
                       np.zeros((len(keys), 1)), ("valence",))  # fmt: skip
    rows = shuffled_rows(shuffled, seed)
    np.testing.assert_array_equal(subject[rows], subject)
    assert (trial[rows] != trial).all()
    for person, clip in {(p, c) for p, c, _ in keys}:
        own = (subject == person) & (trial == clip)
        assert len(set(trial[rows[own]])) == 1
        assert (np.diff(rows[own]) >= 0).all()
    np.testing.assert_array_equal(rows, shuffled_rows(shuffled, seed))


def test_the_ceiling_beats_the_stimulus_where_people_differ() -> None:
    """Through the same folds, on ratings with person and clip effects."""
    ratings = crossed(9, 6, Variances(0.15, 0.15, 0.02), 3)
    subject = np.array([f"P{p}" for p in ratings.person])
    trial = np.array([f"c{c}" for c in ratings.clip])
    count = len(subject)
    data = Samples(subject, trial, np.zeros(count), 7.8, np.ones(count), ratings.value[:, None],
                   ("valence",))  # fmt: skip
    errors = dict.fromkeys(("training prior", "stimulus mean", *list(TRIVIAL)[-2:]), 0.0)
    for fold in PROTOCOLS["A"].split(data, 0, None):
        for name in errors:
            visible = np.isin(np.arange(count), fold.test, invert=True) | TRIVIAL[name].oracle
            found = TRIVIAL[name].fit(Task(data.hidden(visible), fold, 0)).predict(fold.test)
            errors[name] += float(((found - data.truth[fold.test]) ** 2).sum())
    ceiling = errors.pop("person + clip mixed model (oracle)")
    assert all(ceiling < 0.5 * error for error in errors.values())
