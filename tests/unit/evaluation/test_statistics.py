"""Intervals for courses that resemble themselves from one moment to the next."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import t, ttest_ind

from affectscope.evaluation.statistics import (
    Estimate,
    correlation_over_time,
    difference,
    effective_size,
    joint_mean_draws,
    mean_over_time,
    moving_block_means,
)


def autoregressive(count: int, memory: float, seed: int) -> np.ndarray:
    """A course with unit variance whose neighbours correlate with ``memory``."""
    noise = np.random.default_rng([seed, count]).normal(size=count + 600)
    return lfilter([1], [1, -memory], noise * np.sqrt(1 - memory**2))[600:]


def session(count: int, memory: float, seed: int, *, change: float = 0.0) -> list[np.ndarray]:
    """Two phases of one course, the second moved by ``change``."""
    return [
        autoregressive(count, memory, 2 * seed),
        autoregressive(count, memory, 2 * seed + 1) + change,
    ]


def change_of(phases: list[np.ndarray], step: float = 1.0) -> Estimate:
    before, after = (mean_over_time(phase, step) for phase in phases)
    assert before is not None
    assert after is not None
    return difference(before, after)


def held(estimates: list[Estimate], truth: float) -> float:
    """Share of the intervals that hold ``truth``, of those that exist."""
    known = [each for each in estimates if each.low is not None and each.high is not None]
    return float(np.mean([each.low <= truth <= each.high for each in known]))


def test_mean_is_the_mean_of_what_is_there() -> None:
    values = np.arange(300.0)
    values[::3] = np.nan
    estimate = mean_over_time(values, 1.0)
    assert estimate is not None
    assert estimate.mean == pytest.approx(np.nanmean(values))
    assert estimate.count == 200


def test_nothing_usable_gives_no_mean_and_little_gives_no_interval() -> None:
    assert mean_over_time(np.full(10, np.nan), 1.0) is None
    assert mean_over_time(np.array([]), 1.0) is None
    half_missing = autoregressive(300, 0.5, 1)
    half_missing[10:170] = np.nan
    trend = np.linspace(0, 1, 300)
    for values in (np.ones(300), np.arange(7.0) % 3, np.array([2.0]), half_missing, trend):
        estimate = mean_over_time(values, 1.0)
        assert estimate is not None
        assert (estimate.low, estimate.high, estimate.degrees) == (None, None, None)
    for seconds, known in ((7, False), (9, True)):
        dense = mean_over_time(autoregressive(25 * seconds, 0.1, 1), 1 / 25)
        assert dense is not None
        assert (dense.low is not None) == known


@pytest.mark.parametrize(
    ("count", "memory"), [(120, 0.5), (120, 0.8), (300, 0.9), (900, 0.5), (900, 0.95)]
)
def test_intervals_of_a_session_without_change_hold_the_truth(count: int, memory: float) -> None:
    phases = [session(count, memory, seed) for seed in range(150)]
    changes = [change_of(each) for each in phases]
    means = [mean_over_time(phase, 1.0) for each in phases for phase in each]
    # Nominal 95 %; 150 sessions leave 1.8 % of chance in either direction.
    assert 0.90 <= held(changes, 0.0) <= 0.985
    assert 0.90 <= held([mean for mean in means if mean is not None], 0.0) <= 0.985
    assert np.mean([change.low is not None for change in changes]) > 0.85
    alarms = np.mean([ttest_ind(*each).pvalue < 0.05 for each in phases])
    assert alarms > 0.2


def test_dense_rows_and_gaps_do_not_narrow_the_interval() -> None:
    dense, gapped = [], []
    for seed in range(150):
        random = np.random.default_rng(seed)
        # 25 rows a second that correlate 0.9 after a second, with noise on each row.
        dense.append(session(25 * 300, 0.9 ** (1 / 25), seed))
        for phase in dense[-1]:
            phase += random.normal(size=len(phase))
        gapped.append(session(300, 0.9, seed))
        for phase in gapped[-1]:
            for start in random.integers(0, 280, 3):
                phase[start : start + 20] = np.nan
    assert 0.90 <= held([change_of(each, 1 / 25) for each in dense], 0.0) <= 0.985
    assert 0.90 <= held([change_of(each) for each in gapped], 0.0) <= 0.985


def test_a_course_that_hardly_moves_within_its_phase_gets_few_intervals() -> None:
    # Neighbours that correlate 0.99: a memory of 100 s in a phase of 120 s.
    changes = [change_of(session(120, 0.99, seed)) for seed in range(100)]
    assert np.mean([change.low is not None for change in changes]) < 0.35


def test_a_planted_change_is_found_and_measured() -> None:
    changes = [change_of(session(900, 0.9, seed, change=1.0)) for seed in range(60)]
    assert np.mean([change.low is not None and change.low > 0 for change in changes]) > 0.9
    assert np.mean([change.mean for change in changes]) == pytest.approx(1.0, abs=0.1)
    assert held(changes, 1.0) >= 0.90


def test_difference_of_two_estimates_is_welchs() -> None:
    # Lower bounds cut at 0.9 and at 0 must not narrow the change.
    before = Estimate(1.0, 0.9, 1 + t.ppf(0.975, 5) * 0.3, 50, 5.0)
    after = Estimate(2.0, 0.0, 2 + t.ppf(0.975, 9) * 0.4, 40, 9.0)
    change = difference(before, after)
    degrees = 0.25**2 / (0.3**4 / 5 + 0.4**4 / 9)
    assert change.degrees == pytest.approx(degrees)
    assert change.mean == 1.0
    assert change.count == 40
    assert change.high == pytest.approx(1 + t.ppf(0.975, degrees) * 0.5)
    assert change.low == pytest.approx(1 - t.ppf(0.975, degrees) * 0.5)


def test_difference_without_degrees_adds_half_widths_in_squares() -> None:
    change = difference(Estimate(1.0, 0.7, 1.3, 5), Estimate(3.0, 2.6, 3.4, 6))
    assert change.low == pytest.approx(2 - 0.5)
    assert change.high == pytest.approx(2 + 0.5)
    assert difference(Estimate(1.0, None, None, 5), Estimate(3.0, 2.6, 3.4, 6)).low is None


def test_effective_size_of_known_courses() -> None:
    # An autoregressive course of n values holds n (1 - memory) / (1 + memory).
    for memory, expected in ((0.0, 900), (0.5, 300), (0.9, 47)):
        found = [effective_size(autoregressive(900, memory, seed), 1.0) for seed in range(40)]
        assert np.median([size for size in found if size is not None]) == pytest.approx(
            expected, rel=0.25
        )
    assert effective_size(np.ones(900), 1.0) is None


def test_joint_draws_spread_as_each_interval_and_keep_courses_together() -> None:
    first = autoregressive(600, 0.9, 1)
    second = 0.5 * first + 0.2 * autoregressive(600, 0.3, 2)
    draws = joint_mean_draws(np.stack([first, second], axis=1), 1.0)
    assert draws is not None
    assert draws.shape == (2000, 2)
    for course, column in zip((first, second), draws.T, strict=True):
        mean = mean_over_time(course, 1.0)
        assert mean is not None
        assert mean.low is not None
        assert mean.high is not None
        assert column.mean() == pytest.approx(mean.mean)
        assert 2 * 1.96 * column.std() == pytest.approx(mean.high - mean.low)
    assert np.corrcoef(draws.T)[0, 1] > 0.9
    assert joint_mean_draws(np.stack([first, np.ones(600)], axis=1), 1.0) is None


def test_correlation_equals_numpy_and_its_interval_holds_the_truth() -> None:
    found = []
    for seed in range(150):
        truth, error = session(300, 0.95, seed)
        found.append(correlation_over_time(truth + error, truth, 1.0))
        assert found[-1].mean == pytest.approx(np.corrcoef(truth + error, truth)[0, 1])
    # The moves of r alone would forget too fast, and hold it in fewer than 90 %.
    assert 0.93 <= held(found, math.sqrt(0.5)) <= 0.995
    short = correlation_over_time(np.arange(6.0), np.arange(6.0) ** 2, 1.0)
    assert (short.low, short.high) == (None, None)


@settings(max_examples=20, deadline=None)
@given(
    scale=st.floats(0.01, 100),
    shift=st.floats(-100, 100),
    gap=st.integers(0, 60),
    seed=st.integers(0, 50),
)
def test_the_unit_of_a_course_is_the_unit_of_its_interval(
    scale: float, shift: float, gap: int, seed: int
) -> None:
    values = autoregressive(200, 0.7, seed)
    values[:gap] = np.nan
    first, moved = mean_over_time(values, 1.0), mean_over_time(scale * values + shift, 1.0)
    assert first is not None
    assert moved is not None
    if first.low is None or first.high is None:
        assert moved.low is None
        return
    expected = [scale * each + shift for each in (first.mean, first.low, first.high)]
    found = [moved.mean, moved.low, moved.high]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * (scale + abs(shift)))


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), max_size=40))
def test_any_course_gives_an_ordered_interval_or_none(values: list[float]) -> None:
    estimate = mean_over_time(np.array(values, dtype=np.float64), 1.0)
    if estimate is None:
        assert not np.isfinite(values).any()
    elif estimate.low is not None and estimate.high is not None:
        assert estimate.low <= estimate.mean <= estimate.high


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
