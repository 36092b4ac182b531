"""Means, sign flips and effect sizes over people against scipy, brute force and hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nct, permutation_test, ttest_1samp, wilcoxon

from affectscope.evaluation.comparison import wilcoxon_p
from affectscope.evaluation.group_changes import (
    all_same,
    hedges_g_av_over_people,
    holm_of_tested,
    mean_over_people,
    sign_flip_p,
    smallest_sign_flip_p,
)

DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
"""Eighths of an inch by which Darwin's crossed plants of maize outgrew self-fertilised ones (1876).

Fisher, The Design of Experiments (1935), section 21: 863 of the 2^15 flips give as much upwards."""


def test_the_flips_of_darwins_plants_are_those_that_fisher_counted() -> None:
    assert sign_flip_p(DARWIN) == pytest.approx(2 * 863 / 2**15)


@pytest.mark.parametrize("people", [2, 5, 9, 12])
def test_the_exact_permutation_test_is_scipys(people: int) -> None:
    changes = np.random.default_rng(people).normal(0.5, 1, people).round(1)
    expected = permutation_test(
        (changes,), lambda values, axis: values.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    assert sign_flip_p(changes) == pytest.approx(min(1.0, expected.pvalue))


def test_many_people_give_a_seeded_p_near_that_of_the_t_test() -> None:
    changes = np.random.default_rng(3).normal(0.35, 1, 40)
    found = sign_flip_p(changes, seed=1)
    assert found == sign_flip_p(changes, seed=1)
    assert found != sign_flip_p(changes, seed=2)
    assert found == pytest.approx(ttest_1samp(changes, 0).pvalue, abs=0.006)
    assert sign_flip_p(np.full(40, 1.0)) == pytest.approx(1 / 20_001), "never zero"


def test_so_few_people_cannot_fall_under_a_level() -> None:
    for people in range(1, 8):
        most = np.arange(1.0, people + 1)
        assert sign_flip_p(most) == smallest_sign_flip_p(most) == 2 / 2**people
    assert smallest_sign_flip_p(np.array([0.0, 0.0, 2.0])) == 1.0
    assert smallest_sign_flip_p(np.zeros(4)) == sign_flip_p(np.zeros(4)) == 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9), st.floats(0.001, 1000))
def test_p_lies_between_its_bounds_and_knows_no_unit_and_no_sign(
    whole: list[int], unit: float
) -> None:
    changes = np.array(whole, dtype=float)
    p = sign_flip_p(changes)
    assert smallest_sign_flip_p(changes) <= p <= 1
    assert sign_flip_p(changes * unit) == p
    assert sign_flip_p(-changes) == p


def test_signed_ranks_are_scipys_where_nothing_is_tied() -> None:
    changes = np.random.default_rng(0).normal(0.4, 1, 12)
    assert wilcoxon_p(changes) == pytest.approx(wilcoxon(changes, method="exact").pvalue)


def test_the_mean_has_students_interval() -> None:
    found = mean_over_people(DARWIN)
    expected = ttest_1samp(DARWIN, 0).confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx(
        (DARWIN.mean(), expected.low, expected.high)
    )
    assert (found.count, found.degrees) == (15, 14)


@pytest.mark.parametrize("values", [[2.0], [0.1 + 0.2, 0.3, 0.3], [0.0, 0.0]])
def test_no_interval_without_spread(values: list[float]) -> None:
    found = mean_over_people(np.array(values))
    assert (found.low, found.high, found.count) == (None, None, len(values))


def test_hedges_g_by_hand() -> None:
    """Means 4 and 7; deviations 2 and 4, on average 3; J(2) = 1 / (sqrt(1) gamma(1 / 2))."""
    before, after = np.array([2.0, 4, 6]), np.array([3.0, 7, 11])
    found = hedges_g_av_over_people(before, after)
    assert found is not None
    assert found.mean == pytest.approx(1 / math.sqrt(math.pi) * 3 / 3)


def test_the_interval_of_g_holds_the_effects_under_which_the_t_is_not_rare() -> None:
    random = np.random.default_rng(5)
    before = random.normal(size=9)
    after = before + random.normal(0.8, 0.7, 9)
    found = hedges_g_av_over_people(before, after)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    changes = after - before
    t = ttest_1samp(changes, 0).statistic
    average = (before.std(ddof=1) + after.std(ddof=1)) / 2
    per_effect = average / (changes.std(ddof=1) / 3)
    assert nct.cdf(t, 8, found.low * per_effect) == pytest.approx(0.975, abs=1e-6)
    assert nct.cdf(t, 8, found.high * per_effect) == pytest.approx(0.025, abs=1e-6)
    # J(8) as in Hedges (1981), table 1.
    assert found.mean == pytest.approx(0.9027 * changes.mean() / average, rel=1e-4)


def test_g_without_spread_or_people_is_absent() -> None:
    assert hedges_g_av_over_people(np.array([1.0, 2]), np.array([2.0, 5])) is None
    assert hedges_g_av_over_people(np.ones(5), np.full(5, 2.0)) is None
    same = hedges_g_av_over_people(np.arange(5.0), np.arange(5.0) + 1)
    assert same is not None
    assert (same.low, same.high) == (None, None)
    nearly = np.arange(5.0) + 1 + 1e-5 * np.array([1, -1, 1, -1, 0])
    found = hedges_g_av_over_people(np.arange(5.0), nearly)
    assert found is not None
    assert found.low is None, "a t beyond what can be inverted"


def test_holm_counts_only_what_was_tested() -> None:
    assert holm_of_tested([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert holm_of_tested([None]) == [None]


def test_rounding_is_no_spread() -> None:
    assert all_same(np.array([0.1 + 0.2, 0.3]))
    assert not all_same(np.array([0.3, 0.3001]))
