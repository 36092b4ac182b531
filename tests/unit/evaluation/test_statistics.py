"""Intervals for courses that resemble themselves from one moment to the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectscope.evaluation.statistics import (
    correlation_over_time,
    difference,
    mean_over_time,
    moving_block_means,
)


def autoregressive(count: int, memory: float, seed: int) -> np.ndarray:
    """A course with unit variance whose neighbours correlate with ``memory``."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=count) * np.sqrt(1 - memory**2)
    course = np.empty(count)
    course[0] = random.normal()
    for index in range(1, count):
        course[index] = memory * course[index - 1] + noise[index]
    return course


def test_mean_is_the_mean_of_what_is_there() -> None:
    values = np.arange(300.0)
    values[::3] = np.nan
    estimate = mean_over_time(values, 1.0)
    assert estimate is not None
    assert estimate.mean == pytest.approx(np.nanmean(values))
    assert estimate.count == 200


def test_nothing_usable_gives_no_mean_and_short_gives_no_interval() -> None:
    assert mean_over_time(np.full(10, np.nan), 1.0) is None
    short = mean_over_time(np.ones(40), 1.0)
    assert short is not None
    assert short.low is None
    assert short.high is None


def test_interval_covers_the_true_mean_of_dependent_data_and_the_naive_one_does_not() -> None:
    covered = naive = 0
    for seed in range(200):
        course = autoregressive(900, 0.9, seed)
        estimate = mean_over_time(course, 1.0, seed=seed)
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0 <= estimate.high
        half = 1.96 * course.std() / np.sqrt(len(course))
        naive += abs(course.mean()) <= half
    # Nominal 95 %; neighbours that correlate 0.9 over 15 blocks leave it a little under.
    assert 0.88 * 200 <= covered <= 0.99 * 200
    assert naive <= 0.60 * 200


def test_difference_finds_a_planted_change() -> None:
    before, after = autoregressive(900, 0.5, 1), autoregressive(900, 0.5, 2) + 1.0
    first, second = mean_over_time(before, 1.0), mean_over_time(after, 1.0)
    assert first is not None
    assert second is not None
    change = difference(first, second)
    assert change.low is not None
    assert change.high is not None
    assert change.low < 1.0 < change.high
    assert change.low > 0


def test_correlation_equals_numpy_and_its_interval_holds_it() -> None:
    truth = autoregressive(1200, 0.9, 3)
    estimate = truth + 0.5 * autoregressive(1200, 0.9, 4)
    found = correlation_over_time(estimate, truth, 1.0)
    assert found.mean == pytest.approx(np.corrcoef(estimate, truth)[0, 1])
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.mean < found.high


@given(
    values=st.lists(st.floats(-10, 10), min_size=1, max_size=80),
    block=st.integers(1, 100),
    seed=st.integers(0, 5),
)
def test_resampled_means_stay_within_the_data(values: list[float], block: int, seed: int) -> None:
    course = np.array(values)
    means = moving_block_means(course, block, draws=20, seed=seed)
    assert means.shape == (20,)
    assert np.all(means >= course.min() - 1e-9)
    assert np.all(means <= course.max() + 1e-9)
