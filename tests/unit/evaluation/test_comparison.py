"""Bootstrap over people, rank tests and permutations against brute force and published figures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import wilcoxon
from sklearn import metrics as sk

from affectscope.evaluation.cluster_bootstrap import draw_people, estimates, interval, resampled
from affectscope.evaluation.comparison import (
    average_ranks,
    critical_difference,
    friedman_p,
    holm,
    permutation_p,
    wilcoxon_p,
)
from affectscope.evaluation.metrics import METRICS, Items, person_sums
from affectscope.evaluation.scores import Scores

PEOPLE, CLIPS = 12, 8


def scored(effect: float, seed: int = 0, *, person_effect: float = 0.0) -> Scores:
    """One rating for each person and clip, and a score that holds ``effect`` of it."""
    random = np.random.default_rng(seed)
    person, clip = np.repeat(np.arange(PEOPLE), CLIPS), np.tile(np.arange(CLIPS), PEOPLE)
    known = random.normal(size=PEOPLE)[person] * person_effect
    truth = random.normal(size=PEOPLE * CLIPS) + known
    score = effect * (truth - known) + known + random.normal(size=PEOPLE * CLIPS)
    items = Items(truth, score, truth > 0, score > 0, np.ones(len(truth)), person, PEOPLE)
    half = np.full(len(truth), 0.5)
    return Scores("m", "valence", seed, items, clip, half, half)


def test_each_draw_is_the_metric_on_the_drawn_people() -> None:
    items = scored(0.5).items
    draws = draw_people(PEOPLE, draws=6, seed=1)
    assert (draws.people.sum(axis=1) == PEOPLE).all()
    found = resampled([person_sums(items)], draws, METRICS)
    for number, taken in enumerate(draws.people.astype(int)):
        rows = np.concatenate(
            [np.flatnonzero(items.person == p) for p in range(PEOPLE) for _ in range(taken[p])]
        )
        high, called, score = items.high[rows], items.called_high[rows], items.score[rows]
        expected = {
            "auroc": sk.roc_auc_score(high, score),
            "macro_f1": sk.f1_score(high, called, average="macro"),
            "mcc": sk.matthews_corrcoef(high, called),
            "pearson": np.corrcoef(score, items.truth[rows])[0, 1],
            "mae": np.abs(score - items.truth[rows]).mean(),
        }
        for name, value in expected.items():
            assert found[name][number] == pytest.approx(value), name


def test_people_who_resemble_themselves_widen_the_interval() -> None:
    """With whole people right or wrong, the interval is that of 12 people, not of 96 trials."""
    truth = np.tile([-0.5, 0.5], PEOPLE * CLIPS // 2)
    person = np.repeat(np.arange(PEOPLE), CLIPS)
    score = np.where(person % 2 == 0, truth, -truth)
    items = Items(truth, score, truth > 0, score > 0, np.ones(len(truth)), person, PEOPLE)
    drawn = resampled([person_sums(items)], draw_people(PEOPLE, draws=4000), ["accuracy"])
    low, high = interval(drawn["accuracy"], PEOPLE)
    # Binomial(12, 1/2) / 12: standard deviation 0.144; 12 people widen it from 1.96 to 2.30.
    assert high - low == pytest.approx(2 * 2.30 * 0.144, rel=0.12)


def test_seeds_are_nested_in_every_draw() -> None:
    good, bad = person_sums(scored(3.0, 1).items), person_sums(scored(-3.0, 1).items)
    draws = draw_people(PEOPLE, draws=3000, seed=2)
    share = draws.of_seeds(2)
    assert set(np.unique(share)) == {0, 0.5, 1}
    np.testing.assert_allclose(share.sum(axis=1), 1)
    one, two = (resampled([s], draws, ["auroc"])["auroc"] for s in (good, bad))
    both = resampled([good, bad], draws, ["auroc"])["auroc"]
    np.testing.assert_allclose(both, share[:, 0] * one + share[:, 1] * two)
    value = estimates([good, bad], ["auroc"])["auroc"]
    expected = (estimates([good], ["auroc"])["auroc"] + estimates([bad], ["auroc"])["auroc"]) / 2
    assert value == pytest.approx(expected)


def test_an_interval_needs_enough_defined_draws() -> None:
    drawn = np.linspace(0, 1, 1001)
    assert interval(drawn, 100_000) == pytest.approx((0.025, 0.975), abs=1e-5)
    assert np.isnan(interval(drawn, 1)).all(), "one person shows no spread"
    drawn[:600] = np.nan
    assert np.isnan(interval(drawn, 40)).all()
    assert np.isnan(interval(np.full(5, np.nan), 40)).all()


def test_the_interval_of_few_people_holds_what_it_promises() -> None:
    """Means of 6 normal values: 95 % intervals hold the truth in 91 to 98 of 100 samples."""
    random = np.random.default_rng(5)
    held = 0
    for seed in range(400):
        own = random.normal(size=6)
        low, high = interval(draw_people(6, draws=1000, seed=seed).people @ own / 6, 6)
        held += low <= 0 <= high
    assert 0.91 <= held / 400 <= 0.98


@pytest.mark.parametrize(("models", "expected"), [(3, 0.52), (5, 0.96)])
def test_critical_difference_at_40_people_is_that_of_the_method(
    models: int, expected: float
) -> None:
    assert critical_difference(models, 40) == pytest.approx(expected, abs=0.005)


def test_critical_difference_is_demsars() -> None:
    # Demsar 2006, section 3.2.2: four classifiers on 14 data sets, q = 2.569.
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)


def test_holm_steps_down_and_leaves_out_what_was_not_tested() -> None:
    corrected = holm([0.01, 0.04, np.nan, 0.03, 0.005])
    np.testing.assert_allclose(corrected, [0.03, 0.06, np.nan, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert len(holm([])) == 0


def test_wilcoxon_over_people() -> None:
    assert wilcoxon_p(np.zeros(5)) == 1
    assert np.isnan(wilcoxon_p(np.full(3, np.nan)))
    # All six differences positive: 2 / 2^6.
    assert wilcoxon_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, np.nan])) == pytest.approx(2 / 64)


@pytest.mark.parametrize("people", [7, 25, 60])
def test_wilcoxon_equals_scipy_without_ties(people: int) -> None:
    difference = np.random.default_rng(people).normal(0.2, 1, people)
    assert wilcoxon_p(difference) == pytest.approx(wilcoxon(difference).pvalue, rel=1e-9)


def test_wilcoxon_with_ties_and_zeros_counts_all_signs() -> None:
    difference = np.array([0.1 + 0.2, 0.3, -0.3, 0.5, 0.5, 0.0, 0.7, -0.1])
    size, sign = np.abs(difference[difference != 0]), np.sign(difference[difference != 0])
    ranks = np.array([3, 3, 3, 5.5, 5.5, 7, 1])
    assert size.argmax() == 5
    signs = np.array(list(itertools.product([0, 1], repeat=7)))
    sums, found = signs @ ranks, ranks[sign > 0].sum()
    tail = min((sums <= found).mean(), (sums >= found).mean())
    assert wilcoxon_p(difference) == pytest.approx(2 * tail)


def test_friedman_tells_a_better_model_from_equal_ones() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(30, 3))
    assert friedman_p(noise) > 0.05
    assert friedman_p(noise + np.array([0, 0, 2])) < 1e-4
    assert friedman_p(np.ones((8, 4))) == 1
    assert np.isnan(friedman_p(noise[:, :2]))
    np.testing.assert_allclose(average_ranks(np.array([[3.0, 1, 1], [2, 5, 1]])), [1.5, 1.75, 2.75])


def test_permutations_find_a_planted_effect_and_not_an_absent_one() -> None:
    _, found = permutation_p([scored(0.7)], "auroc", within="participant", draws=400)
    assert found < 0.01
    absent = [
        permutation_p([scored(0.0, seed)], "auroc", within="participant", draws=100, seed=seed)[1]
        for seed in range(40)
    ]
    # p is uniform without an effect: about 2 of 40 lie below 0.05.
    assert np.mean(np.array(absent) < 0.05) <= 0.15
    assert 0.3 < np.mean(absent) < 0.7


def test_knowing_the_person_is_no_effect_within_participants() -> None:
    runs = [scored(0.0, 5, person_effect=2.0)]
    value, within = permutation_p(runs, "pearson", within="participant", draws=300)
    assert value > 0.4
    assert within > 0.05
    assert permutation_p(runs, "pearson", within="clip", draws=300)[1] < 0.01


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_permuted(metric: str) -> None:
    runs = [scored(1.0, 1), scored(1.0, 1)]
    value, p = permutation_p(runs, metric, within="participant", draws=200)
    assert value == pytest.approx(estimates([person_sums(runs[0].items)], [metric])[metric])
    assert p < 0.05
