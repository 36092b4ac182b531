"""Quadrants of a phase: probabilities and shares of time."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.evaluation.quadrants import QUADRANTS, quadrant_probability, quadrant_time
from affectscope.evaluation.statistics import mean_over_time


def noise(seed: int, count: int = 600) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


def test_a_clear_quadrant_is_certain_and_a_phase_at_the_origin_is_not() -> None:
    for name, valence, arousal in (("I", 1, 1), ("II", -1, 1), ("III", -1, -1), ("IV", 1, -1)):
        found = quadrant_probability(noise(1) + valence, noise(2) + arousal, 1.0)
        assert found is not None
        assert tuple(found) == QUADRANTS
        assert found[name] == 1.0
    course = noise(1)
    course -= course.mean()
    other = noise(2)
    other -= other.mean()
    found = quadrant_probability(course, other, 1.0)
    assert found is not None
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) > 0.12


def test_valence_and_arousal_are_drawn_together() -> None:
    course = noise(1)
    course -= course.mean()
    together = quadrant_probability(course, course + 1e-9, 1.0)
    against = quadrant_probability(course, -course - 1e-9, 1.0)
    assert together is not None
    assert against is not None
    assert together["I"] + together["III"] > 0.99
    assert against["II"] + against["IV"] > 0.99


def test_the_probability_spreads_as_the_interval_of_the_mean() -> None:
    course = noise(3)
    mean = mean_over_time(course, 1.0)
    assert mean is not None
    assert mean.low is not None
    # With 0 at the lower end of the interval, 2.5 % of the draws are unpleasant.
    found = quadrant_probability(course - mean.low, noise(4) + 1, 1.0)
    assert found is not None
    assert found["II"] == pytest.approx(0.025, abs=0.015)


def test_unscored_moments_are_left_out_and_nothing_gives_nothing() -> None:
    valence, arousal = np.ones(600), -np.ones(600)
    valence[:60], arousal[:60] = -1, 1
    valence[60:160], arousal[160:200] = np.nan, np.nan
    found = quadrant_time(valence, arousal, 1.0)
    assert found is not None
    assert {name: part.count for name, part in found.items()} == dict.fromkeys(QUADRANTS, 460)
    assert found["II"].mean == pytest.approx(60 / 460)
    assert found["IV"].mean == pytest.approx(400 / 460)
    assert (found["I"].mean, found["I"].low) == (0.0, None)
    nothing = np.full(600, np.nan)
    assert quadrant_time(nothing, arousal, 1.0) is None
    assert quadrant_probability(nothing, arousal, 1.0) is None
    assert quadrant_probability(noise(1, 4), noise(2, 4), 1.0) is None


def test_shares_of_time_stay_within_0_and_1_and_hold_the_truth() -> None:
    found = quadrant_time(noise(5), noise(6), 1.0)
    assert found is not None
    for part in found.values():
        assert part.low is not None
        assert part.high is not None
        assert 0 <= part.low < 0.25 < part.high <= 1
    once = np.ones(600)
    once[300:330] = -1
    rare = quadrant_time(once, np.ones(600), 1.0)
    assert rare is not None
    assert (rare["II"].low, rare["I"].high) == (0.0, 1.0)
