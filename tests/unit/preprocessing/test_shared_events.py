"""Two clocks that saw the same events: matched, fitted with an honest interval, or not matched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.preprocessing.shared_events import EventFit, match_events
from affectscope.records import FloatArray

NOISE = 0.008  # s


def fitted(events: FloatArray, markers: FloatArray, precision: float = NOISE) -> EventFit:
    found = match_events(events, markers, precision=precision)
    assert isinstance(found, EventFit), found
    return found


def two_clocks(seed: int, duration: float) -> tuple[FloatArray, FloatArray, float, float]:
    """Events with misses and false ones on two clocks; the true offset in their middle, and ppm."""
    generator = np.random.default_rng(seed)
    true = np.sort(generator.uniform(0, duration, 14))
    offset, fast = generator.uniform(-500, 500), generator.uniform(-100, 100)
    seen = true[generator.random(14) > 0.15] + 0.0
    marked = offset + true[generator.random(14) > 0.15] / (1 + fast * 1e-6)
    seen = seen + generator.normal(0, NOISE, len(seen))
    false = generator.uniform(0, duration, (2, 3))
    return (
        np.concatenate([seen, false[0]]),
        np.concatenate([marked, offset + false[1]]),
        offset,
        fast,
    )


@pytest.mark.parametrize("duration", [3600.0, 36_000.0])
def test_P18_offset_and_drift_come_back_with_intervals_that_hold_the_truth(
    duration: float,
) -> None:
    inside = []
    for seed in range(40):
        events, markers, offset, fast = two_clocks(seed, duration)
        fit = fitted(events, markers)
        middle = np.sort(events)[fit.pairs[:, 0]].mean()
        error = fit.at(np.array([middle]))[0] - (offset + middle / (1 + fast * 1e-6))
        assert abs(error) < 0.03
        assert fit.drift is not None
        assert fit.drift_uncertainty is not None
        inside += [abs(error) <= fit.uncertainty, abs(fit.drift - fast) <= fit.drift_uncertainty]
    assert np.mean(inside) > 0.9  # of 80, 95 % expected


def test_unrelated_events_are_not_matched() -> None:
    matched = 0
    for seed in range(100):
        generator = np.random.default_rng([1, seed])
        events, markers = (generator.uniform(0, 600, generator.integers(2, 15)) for _ in range(2))
        matched += isinstance(match_events(events, markers, precision=NOISE), EventFit)
    assert matched <= 2


def test_a_regular_pattern_fits_everywhere_and_is_refused() -> None:
    flashes = np.arange(10) * 10.0
    found = match_events(flashes, flashes[2:] + 5.0, precision=NOISE)
    assert isinstance(found, str)
    assert "two offsets" in found


def test_one_event_on_each_side_gives_an_offset_without_a_drift() -> None:
    fit = fitted(np.array([7.0]), np.array([19.5]))
    assert (fit.offset, fit.rate, fit.drift, fit.residual) == (12.5, 1.0, None, 0.0)
    assert fit.uncertainty == pytest.approx(1.96 * NOISE, rel=1e-3)


def test_one_flash_against_several_markers_cannot_be_matched() -> None:
    assert isinstance(match_events(np.array([7.0]), np.array([1.0, 9.0]), precision=NOISE), str)
    assert isinstance(match_events(np.array([]), np.array([1.0]), precision=NOISE), str)
    assert isinstance(match_events(np.array([np.nan]), np.array([1.0]), precision=NOISE), str)


def test_events_close_together_do_not_show_a_drift() -> None:
    events = np.array([0.0, 3.1, 7.7, 12.3])
    fit = fitted(events, 100 + events * (1 + 80e-6))
    assert fit.drift is None
    assert fit.rate == 1.0
    assert fit.drift_uncertainty is not None
    assert fit.drift_uncertainty > 50


@pytest.mark.parametrize("step", [0.06, -0.3, 3.0, -20.0])
def test_P19_a_step_of_the_clock_is_told_with_its_size_and_place(step: float) -> None:
    generator = np.random.default_rng(5)
    events = np.sort(generator.uniform(0, 3600, 14))
    markers = events * (1 - 30e-6) + 4.0 + np.where(events > 1500, step, 0.0)
    fit = fitted(events + generator.normal(0, 0.004, 14), markers, 0.004)
    assert fit.step is not None
    assert fit.step.size == pytest.approx(step, abs=0.015)
    assert fit.step.after <= 1500.1
    assert fit.step.before >= 1499.9
    assert len(fit.pairs) >= 12


def test_a_small_jitter_is_no_step() -> None:
    generator = np.random.default_rng(6)
    for _ in range(30):
        events = np.sort(generator.uniform(0, 3600, 10))
        seen = events + generator.normal(0, 0.01, 10)
        fit = fitted(seen, events + 4.0, 0.01)
        assert fit.step is None


@given(st.lists(st.floats(-3e4, 3e4), max_size=8), st.lists(st.floats(-3e4, 3e4), max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_two_lists_end_in_a_fit_or_a_reason(one: list[float], other: list[float]) -> None:
    found = match_events(np.array(one), np.array(other), precision=0.01)
    if isinstance(found, EventFit):
        assert np.isfinite([found.offset, found.rate, found.residual, found.uncertainty]).all()
        assert abs(found.rate - 1) < 1e-3
    else:
        assert found
