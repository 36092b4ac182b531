"""Before against after, and the words around it."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.evaluation.phases import first_and_last
from affectscope.evaluation.statistics import Estimate
from affectscope.io.reliability import Reliability
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES, TARGETS, Labels, Phase, Prediction
from affectscope.therapy.measures import (
    Quantity,
    affect_quantities,
    against_truth,
    averaged,
    compared,
    estimate_text,
    measured,
    quadrant,
    summarise,
)

PHASES = first_and_last(0, 600, 200)


def prediction(valence: np.ndarray, arousal: np.ndarray) -> Prediction:
    values = np.zeros((len(valence), len(TARGETS)))
    values[:, 0], values[:, 1] = valence, arousal
    preprocessing = Preprocessing()
    return Prediction(
        keys=tuple(preprocessing.key("s", "t", float(second)) for second in range(len(valence))),
        values=values,
        present=np.ones((len(valence), len(MODALITIES)), dtype=bool),
        population="people",
        checkpoint_id="0" * 12,
        simulated_person=False,
    )


def noisy(level: float, seed: int = 0, rate: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """600 s that stand at 0 in the first half and at ``level`` in the second, with noise."""
    times = np.arange(600 * rate) / rate
    noise = np.random.default_rng(seed).normal(size=len(times))
    return times, np.where(times < 300, 0.0, level) + noise


def test_a_planted_change_is_found_with_its_size() -> None:
    (found,) = measured([averaged("level", "points", noisy(2.0))], PHASES, {})
    assert found.change.mean == pytest.approx(2.0, abs=0.3)
    assert found.change.low > 0
    assert found.hedges_g_av.mean == pytest.approx(2.0, abs=0.4)
    # Of two normal values one standard deviation and two means apart: P(after > before) = 0.921
    assert found.nonoverlap.mean == pytest.approx(0.921, abs=0.04)
    assert found.reliable_change is None
    assert found.effect_note == "one value per second"


def test_effect_sizes_do_not_grow_with_the_rate_of_analysis() -> None:
    """Of noise that lasts a second, thirty frames a second tell nothing more than one does."""
    times, values = noisy(1.0)
    (slow,) = measured([averaged("level", "points", (times, values))], PHASES, {})
    fast = (np.arange(6000) / 10, np.repeat(values, 10))
    (often,) = measured([averaged("level", "points", fast)], PHASES, {})
    assert often.hedges_g_av.mean == pytest.approx(slow.hedges_g_av.mean)
    assert often.nonoverlap == slow.nonoverlap


def test_slower_courses_are_compared_at_their_own_step() -> None:
    times = np.arange(0, 600, 4.0)
    quantity = averaged("level", "points", (times, times))
    assert quantity.step == 4.0
    assert quantity.course is not None
    np.testing.assert_array_equal(quantity.course(Phase("part", 100, 140)), np.arange(100, 140, 4))
    assert "4.0 s" in quantity.course_note


def test_the_reliable_change_index_needs_a_stated_reliability() -> None:
    quantities = [averaged(name, "points", noisy(2.0)) for name in ("known", "unknown")]
    known, unknown = measured(quantities, PHASES, {"known": Reliability(0.5, 0.75)})
    assert unknown.reliable_change is None
    # Jacobson and Truax: change / (s sqrt(2 (1 - r)))
    assert known.reliable_change.index == pytest.approx(known.change.mean / (0.5 * 0.5**0.5))
    assert known.reliable_change.reliable


def test_a_phase_without_any_value_leaves_out_the_change_and_says_which() -> None:
    times, values = noisy(2.0)
    values[times >= 400] = np.nan
    (found,) = measured([averaged("level", "points", (times, values))], PHASES, {})
    assert found.before is not None
    assert (found.after, found.change, found.hedges_g_av, found.nonoverlap) == (None,) * 4
    assert found.reason == "after: nothing usable"
    values[:] = np.nan
    (nothing,) = measured([averaged("level", "points", (times, values))], PHASES, {})
    assert nothing.reason == "before and after: nothing usable"


def test_a_handful_of_values_has_no_effect_sizes() -> None:
    (found,) = measured([averaged("level", "points", noisy(9.0))], first_and_last(0, 600, 7), {})
    assert found.change is not None
    assert (found.hedges_g_av, found.nonoverlap) == (None, None)
    assert "too little" in found.effect_note


def test_a_course_without_any_spread_still_tells_which_values_are_higher() -> None:
    times = np.arange(600.0)
    steps = np.where(times < 300, 0.0, 1.0)
    (found,) = measured([averaged("level", "points", (times, steps))], PHASES, {})
    assert found.hedges_g_av is None
    assert found.nonoverlap.mean == 1.0


def test_a_quantity_without_a_course_says_why_it_has_no_effect_sizes() -> None:
    alone = Quantity("x", "", 1, lambda _: (Estimate(1.0, 0.5, 1.5, 9), ""), None, 1.0, "no course")
    (found,) = measured([alone], PHASES, {"x": Reliability(1.0, 0.5)})
    assert (found.hedges_g_av, found.nonoverlap, found.effect_note) == (None, None, "no course")
    assert found.reliable_change.index == 0.0


def test_adjacent_and_unequal_phases_share_no_value() -> None:
    times = np.arange(100.0)
    phases = (Phase("before", 0, 30), Phase("after", 30, 100))
    found = compared(averaged("time", "s", (times, times)), phases)
    assert (found.before.mean, found.before.count) == (14.5, 30)
    assert (found.after.mean, found.after.count) == (64.5, 70)


def test_affect_is_valence_and_arousal() -> None:
    ramp = np.linspace(-0.6, 0.6, 600)
    valence, arousal = affect_quantities(prediction(ramp, -ramp))
    assert (valence.name, arousal.name) == ("valence", "arousal")
    assert compared(valence, PHASES).change.mean == pytest.approx(0.8, abs=0.01)
    assert compared(arousal, PHASES).change.mean == pytest.approx(-0.8, abs=0.01)


def test_quadrants() -> None:
    assert quadrant(0.5, 0.5).startswith("I ")
    assert quadrant(-0.5, 0.5).startswith("II ")
    assert quadrant(-0.5, -0.5).startswith("III ")
    assert quadrant(0.5, -0.5).startswith("IV ")


def test_a_summary_says_who_how_and_how_sure() -> None:
    ramp = np.linspace(-0.6, 0.6, 600)
    text = summarise(prediction(ramp, -ramp))
    assert "valence: -0.40" in text
    assert "arousal: 0.40" in text
    assert "not a medical device" in text
    assert "third" in text
    empty = prediction(np.full(10, np.nan), np.full(10, np.nan))
    empty.values[:] = np.nan
    assert "Nothing" in summarise(empty)


def test_against_truth_equals_its_definition() -> None:
    random = np.random.default_rng(0)
    truth = np.sin(np.arange(600) / 20)
    estimate = np.clip(truth + 0.3 * random.normal(size=600), -1, 1)
    estimate[:10] = np.nan
    labels = np.full((600, len(TARGETS)), 0.0)
    labels[:, 0] = labels[:, 1] = truth
    rows = against_truth(prediction(estimate, truth + 0.1), Labels(np.arange(600.0), labels))
    valence, arousal = rows
    seen = slice(10, None)
    assert valence.correlation.mean == pytest.approx(np.corrcoef(estimate[seen], truth[seen])[0, 1])
    assert valence.error == pytest.approx(np.abs(estimate - truth)[seen].mean())
    assert arousal.correlation.mean == pytest.approx(1.0)
    assert arousal.error == pytest.approx(0.1)


def test_estimates_as_text() -> None:
    assert estimate_text(None) == "–"
    assert estimate_text(Estimate(0.5, None, None, 3)) == "0.50"
    assert estimate_text(Estimate(0.5, 0.25, 0.75, 3), sign="+") == "+0.50 [+0.25, +0.75]"
