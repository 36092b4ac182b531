"""Rank correlation and limits of agreement against scipy and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test, spearmanr

from affectscope.evaluation.agreement import bland_altman, rank_correlation, rank_correlation_p
from affectscope.evaluation.statistics import Estimate

WRIGHT = np.array(
    [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427], float
)
MINI_WRIGHT = np.array(
    [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451], float
)
"""First readings of 17 people, l/min (Bland and Altman, Lancet 327:307, 1986, table)."""


def bounds(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def test_bland_and_altmans_peak_flow() -> None:
    """Published: mean -2.1 [-22.0, 17.8], deviation 38.8, limits with 2 deviations -79.7, 75.5."""
    found = bland_altman(WRIGHT, MINI_WRIGHT, on_scale="l/min")
    assert found is not None
    assert round(found.bias.mean, 1) == -2.1
    assert np.round(bounds(found.bias), 1).tolist() == [-22.0, 17.8]
    deviation = (found.high.mean - found.low.mean) / (2 * 1.96)
    assert round(deviation, 1) == 38.8
    assert found.bias.mean - 2 * deviation == pytest.approx(-79.7, abs=0.1)
    # Their approximate interval of the lower limit is -114.3 to -45.1; the exact one lies further
    # out on the far side than it lies further in on the near side.
    low, high = bounds(found.low)
    assert low == pytest.approx(-124.16, abs=0.01)
    assert high == pytest.approx(-53.09, abs=0.01)
    assert found.on_scale == "l/min"


def test_the_interval_of_a_limit_holds_the_limit_in_95_of_100_samples() -> None:
    standard = np.array([-1.0, -1, 0, 0, 1, 1]) / math.sqrt(4 / 5)
    found = bland_altman(standard, np.zeros(6), on_scale="")
    assert found is not None
    near, far = bounds(found.high)
    samples = np.random.default_rng(0).normal(size=(100_000, 6))
    mean, deviation = samples.mean(axis=1), samples.std(axis=1, ddof=1)
    below, above = mean + near * deviation > 1.959964, mean + far * deviation < 1.959964
    assert below.mean() == pytest.approx(0.025, abs=0.0015)
    assert above.mean() == pytest.approx(0.025, abs=0.0015)
    assert bounds(found.low) == pytest.approx((-far, -near))


def test_limits_need_five_people_and_have_no_interval_without_spread() -> None:
    assert bland_altman(np.arange(4.0), np.zeros(4), on_scale="") is None
    found = bland_altman(np.arange(5.0) + 1, np.arange(5.0), on_scale="")
    assert found is not None
    assert found.bias == found.low == found.high == Estimate(1.0, None, None, 5)


@pytest.mark.parametrize("people", [3, 6, 20])
def test_the_rank_correlation_is_scipys_with_ties(people: int) -> None:
    first, second = np.random.default_rng(people).integers(0, 6, (2, people)).astype(float)
    found = rank_correlation(first, second)
    assert found is not None
    assert found.mean == pytest.approx(spearmanr(first, second).statistic)
    assert (found.low is None) == (people < 5)


def test_bonett_and_wrights_interval_by_hand() -> None:
    """Squared differences 16: r = 1 - 6 * 16 / (8 * 63) = 0.8095, atanh 1.1257, error 0.5153."""
    first, second = np.arange(1.0, 9), np.array([3.0, 1, 2, 6, 5, 4, 8, 7])
    found = rank_correlation(first, second)
    assert found is not None
    assert found.mean == pytest.approx(0.8095, abs=1e-4)
    low, high = math.tanh(1.1257 - 1.96 * 0.5153), math.tanh(1.1257 + 1.96 * 0.5153)
    assert bounds(found) == pytest.approx((low, high), abs=2e-4)


def test_whole_agreement_of_ranks_keeps_an_interval() -> None:
    first = np.arange(8.0)
    rising, falling = rank_correlation(first, first**3), rank_correlation(first, -first)
    assert rising is not None
    assert falling is not None
    nearly = rank_correlation(first, np.array([0.0, 1, 2, 3, 4, 5, 7, 6]))
    assert nearly is not None
    assert bounds(rising) == (pytest.approx(bounds(nearly)[0]), 1.0)
    assert bounds(falling) == (-1.0, pytest.approx(-bounds(nearly)[0]))


@pytest.mark.parametrize("people", [5, 6])
def test_the_exact_p_is_scipys(people: int) -> None:
    first, second = np.random.default_rng(people).normal(size=(2, people)).round(0)
    found = rank_correlation_p(first, second)
    expected = permutation_test(
        (first,), lambda values: abs(spearmanr(values, second).statistic),
        permutation_type="pairings", alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    assert found == pytest.approx(expected.pvalue)


def test_a_drawn_p_is_seeded_and_near_the_large_sample_one() -> None:
    first, second = np.random.default_rng(4).normal(size=(2, 30))
    second = second + 0.4 * first
    found = rank_correlation_p(first, second, seed=1)
    assert found == rank_correlation_p(first, second, seed=1)
    assert found == pytest.approx(spearmanr(first, second).pvalue, abs=0.005)
    assert rank_correlation_p(first, first) == pytest.approx(1 / 20_001), "never zero"
    seven = np.arange(7.0)
    assert rank_correlation_p(seven, -seven) == pytest.approx(2 / math.factorial(7)), "counted"


def test_too_few_people_or_no_spread_give_nothing() -> None:
    assert rank_correlation(np.arange(2.0), np.arange(2.0)) is None
    assert rank_correlation(np.ones(9), np.arange(9.0)) is None
    assert rank_correlation_p(np.arange(4.0), np.arange(4.0)) is None
    assert rank_correlation_p(np.arange(9.0), np.ones(9)) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=5, max_size=12))
def test_the_interval_holds_the_correlation_within_minus_one_and_one(
    pairs: list[tuple[int, int]],
) -> None:
    first, second = np.array(pairs, dtype=float).T
    found = rank_correlation(first, second)
    if found is not None:
        low, high = bounds(found)
        assert -1 <= low <= found.mean <= high <= 1
