"""Effect sizes against known answers, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gamma

from affectscope.evaluation.effect_sizes import (
    ReliableChange,
    hedges_g_av,
    nonoverlap,
    reliable_change,
)
from affectscope.evaluation.statistics import effective_size


def noise(seed: int, count: int = 600) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


def test_g_of_independent_values_is_the_textbook_number() -> None:
    before, after = noise(1), 2 * noise(2) + 1.5
    found = hedges_g_av(before, after, 1.0)
    assert found is not None
    spread = (before.std(ddof=1) + after.std(ddof=1)) / 2
    # J is close to 1 with hundreds of effective values, so only rounding of their number remains.
    assert found.mean == pytest.approx((after.mean() - before.mean()) / spread, rel=0.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1.0 < found.high
    assert found.high - found.low < 0.5


def test_few_effective_values_widen_the_spread_and_shrink_g() -> None:
    before, after = np.repeat(noise(1, 40), 15), np.repeat(noise(2, 40) + 2, 15)
    found = hedges_g_av(before, after, 1.0)
    assert found is not None
    sizes = [effective_size(course, 1.0) for course in (before, after)]
    assert 15 < min(sizes) < max(sizes) < 80
    spreads = [
        course.std() * np.sqrt(size / (size - 1))
        for course, size in zip((before, after), sizes, strict=True)
    ]
    # J with the exact gamma function (Hedges 1981), of which the formula is an approximation.
    degrees = sum(sizes) - 2
    exact = gamma(degrees / 2) / (np.sqrt(degrees / 2) * gamma((degrees - 1) / 2))
    expected = exact * (after.mean() - before.mean()) / np.mean(spreads)
    assert found.mean == pytest.approx(expected, rel=1e-3)


def test_g_is_absent_where_the_spread_is_unknown() -> None:
    assert hedges_g_av(noise(1, 7), noise(2), 1.0) is None
    assert hedges_g_av(noise(1).cumsum(), noise(2), 1.0) is None
    assert hedges_g_av(np.full(600, np.nan), noise(2), 1.0) is None
    assert hedges_g_av(np.zeros(600), np.ones(600), 1.0) is None


def test_separated_courses_do_not_overlap_and_equal_ones_do() -> None:
    up = nonoverlap(noise(1), noise(2) + 100, 1.0)
    down = nonoverlap(noise(1), noise(2) - 100, 1.0)
    same = nonoverlap(noise(1), noise(2), 1.0)
    assert up is not None
    assert down is not None
    assert same is not None
    assert (up.mean, up.low, up.high) == (1.0, None, None)
    assert (down.mean, down.low, down.high) == (0.0, None, None)
    assert same.low is not None
    assert same.high is not None
    assert same.low < 0.5 < same.high
    assert same.mean == pytest.approx(0.5, abs=0.05)
    assert nonoverlap(np.ones(20), np.ones(30), 1.0).mean == 0.5


def test_nonoverlap_counts_pairs_and_ties_half() -> None:
    before, after = np.array([1.0, 2, 2, np.nan, 5]), np.array([2.0, np.nan, 3, 6])
    pairs = [
        (late > early) + 0.5 * (late == early)
        for early in before[np.isfinite(before)]
        for late in after[np.isfinite(after)]
    ]
    found = nonoverlap(before, after, 1.0)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(pairs))
    assert found.count == 3
    assert found.low is None
    assert nonoverlap(np.full(4, np.nan), after, 1.0) is None


def test_jacobson_and_truax_work_their_example() -> None:
    # Jacobson and Truax 1991, page 14: before 47.5, after 32.5, s 7.5, r .80: -15 / 4.74 = -3.16.
    found = reliable_change(47.5, 32.5, standard_deviation=7.5, reliability=0.80)
    assert found.index == pytest.approx(-3.16, abs=0.005)
    assert found.reliable
    assert reliable_change(47.5, 40.0, standard_deviation=7.5, reliability=0.80) == ReliableChange(
        pytest.approx(-1.58, abs=0.005), False
    )
    for deviation, reliability in ((0.0, 0.8), (7.5, 1.0), (7.5, -0.1), (np.nan, 0.8)):
        with pytest.raises(ValueError, match="no standard error"):
            reliable_change(1, 2, standard_deviation=deviation, reliability=reliability)


@settings(max_examples=10, deadline=None)
@given(
    scale=st.floats(0.01, 100),
    shift=st.floats(-100, 100),
    gap=st.integers(0, 100),
    seed=st.integers(0, 100),
)
def test_effect_sizes_do_not_depend_on_the_unit(
    scale: float, shift: float, gap: int, seed: int
) -> None:
    before, after = noise(seed, 300), noise(seed + 1, 300) + 0.5
    before[:gap] = np.nan
    first, again = (
        hedges_g_av(before, after, 1.0),
        hedges_g_av(scale * before + shift, scale * after + shift, 1.0),
    )
    assert first is not None
    assert again is not None
    assert [again.mean, again.low, again.high] == pytest.approx(
        [first.mean, first.low, first.high], rel=1e-5, abs=1e-5
    )
    # NAP only knows the order, so any increasing function leaves it alone.
    assert nonoverlap(np.exp(before), np.exp(after), 1.0) == nonoverlap(before, after, 1.0)
