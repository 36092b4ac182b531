"""Clocks from time stamps that jitter, drift, stop and are set, against the true times.

Legend: S samples.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.io.clock_fit import FittedClock, fit_clock

MS = 1e-3


def sampled(rate: float, seconds: float, *drifts: float) -> np.ndarray:
    """(S,) true times of a sensor whose drift (ppm) goes through ``drifts``, evenly spread."""
    samples = int(rate * seconds)
    at = np.linspace(0, 1, samples)
    drift = np.interp(at, np.linspace(0, 1, len(drifts)), drifts)
    return np.cumsum((1 - drift * 1e-6) / rate)


def fitted(stamps: np.ndarray, rate: float | None) -> FittedClock:
    clock = fit_clock(stamps.copy(), rate)
    assert clock is not None
    return clock


def off(clock: FittedClock, true: np.ndarray) -> np.ndarray:
    """Seconds that each sample lies off its true time, apart from a constant lateness."""
    found = np.concatenate([s.at(np.arange(s.start, s.end, dtype=float)) for s in clock.stretches])
    error = found - true
    return np.asarray(error - (error.max() + error.min()) / 2)


def starts(clock: FittedClock) -> list[int]:
    return [stretch.start for stretch in clock.stretches[1:]]


JITTER = {
    "none": lambda random, true: true,
    "even, 30 ms": lambda random, true: true + random.uniform(-0.03, 0.03, len(true)),
    "normal, 10 ms": lambda random, true: true + random.normal(0, 0.01, len(true)),
    "late by 5 ms": lambda random, true: true + random.exponential(0.005, len(true)),
    "rounded to 1 ms": lambda random, true: np.round(true, 3),
    "bursts of 8": lambda random, true: true[7::8].repeat(8),
}


@pytest.mark.parametrize("jitter", JITTER)
@pytest.mark.parametrize("drifts", [(200.0,), (-200.0,), (20.0, 80.0), (20.0, 20.0, 80.0, 80.0)])
def test_P19_a_clock_is_found_within_a_millisecond_under_its_jitter(
    jitter: str, drifts: tuple[float, ...]
) -> None:
    true = sampled(125.0, 1200.0, *drifts)
    clock = fitted(JITTER[jitter](np.random.default_rng(3), true), 125.0)
    assert starts(clock) == []
    assert np.abs(off(clock, true)).max() < MS
    if jitter in ("even, 30 ms", "rounded to 1 ms"):
        width = {"even, 30 ms": 60.0, "rounded to 1 ms": 1.0}[jitter]
        assert clock.residual == pytest.approx(width / np.sqrt(12), rel=0.02)


@pytest.mark.parametrize("hours", [1, 10])
def test_P18_a_drift_of_100_ppm_is_measured_and_leaves_no_millisecond(hours: int) -> None:
    true = sampled(4.0, 3600.0 * hours, 100.0)
    stamps = true + np.random.default_rng(1).normal(0, 0.005, len(true))
    clock = fitted(stamps, 4.0)
    assert (1 / clock.period / 4.0 - 1) * 1e6 == pytest.approx(100.0, abs=0.1)
    assert np.abs(off(clock, true)).max() < MS


def test_P19_the_drift_is_told_over_time() -> None:
    rates = fitted(sampled(16.0, 7200.0, 20.0, 80.0), 16.0).rates()
    drifts = (rates / 16.0 - 1) * 1e6
    assert drifts[0] == pytest.approx(21.25, abs=4.0)
    assert drifts[-1] == pytest.approx(78.75, abs=4.0)
    assert (np.diff(drifts) > -0.01).all()


@pytest.mark.parametrize("size", [0.05, -0.05, 0.4, 3.0, -3.0, -900.0])
@pytest.mark.parametrize("jitter", ["none", "normal, 10 ms", "late by 5 ms", "rounded to 1 ms"])
def test_P16_P19_steps_of_50_ms_or_more_are_found_where_they_are(size: float, jitter: str) -> None:
    true = sampled(250.0, 300.0, 20.0, 80.0)
    at = 31_415
    shown = true + size * (np.arange(len(true)) >= at)
    clock = fitted(JITTER[jitter](np.random.default_rng(6), shown), 250.0)
    (found,) = starts(clock)
    if abs(size) > 0.1 or jitter in ("none", "rounded to 1 ms"):
        assert found == at
    assert abs(found - at) / 250.0 < 0.1
    before, behind = clock.stretches
    step = before.times[-1] + clock.period - behind.times[0]
    assert -step == pytest.approx(size, abs=2 * MS)


def test_no_step_is_found_in_mere_jitter() -> None:
    random = np.random.default_rng(8)
    true = sampled(100.0, 3600.0, 50.0)
    for jitter in JITTER.values():
        assert starts(fitted(jitter(random, true), 100.0)) == []


@settings(max_examples=20, deadline=None)
@given(
    rate=st.sampled_from([4.0, 32.0, 128.0, 250.0, 511.9]),
    at=st.lists(st.integers(200, 3800), max_size=4, unique=True),
    lost=st.integers(1, 20_000),
    drift=st.floats(-200, 200),
)
def test_P14_lost_samples_are_located_to_the_sample(
    rate: float, at: list[int], lost: int, drift: float
) -> None:
    at = [k for n, k in enumerate(sorted(at)) if n == 0 or k - sorted(at)[n - 1] > 100]
    index = np.arange(4000)
    for k in at:
        index[k:] += lost
    stamps = index / rate * (1 + drift * 1e-6) + 77.0
    clock = fitted(stamps, rate)
    assert starts(clock) == at
    np.testing.assert_allclose(
        np.concatenate([s.at(np.arange(s.start, s.end, dtype=float)) for s in clock.stretches]),
        stamps,
        atol=1e-6,
    )


def test_late_deliveries_and_bad_stamps_do_not_bend_the_clock() -> None:
    true = sampled(100.0, 200.0, 30.0)
    stamps = true.copy()
    stamps[4000:4150] = true[4150]  # held up for 1.5 s
    stamps[9000:9025] -= 12.75  # a flipped bit
    stamps[15_000] += 1e6
    clock = fitted(stamps, 100.0)
    assert starts(clock) == []
    assert np.abs(off(clock, true)).max() < 1e-6


def test_stamps_without_a_steady_clock_under_them_count_as_they_are() -> None:
    random = np.random.default_rng(2)
    stamps = np.cumsum(0.0107 + random.normal(0, 0.0004, 8000))
    clock = fitted(stamps, 100.0)
    assert np.abs(off(clock, stamps)).max() < 1e-9


def test_P16_stamps_that_never_move_on_are_no_clock() -> None:
    assert fit_clock(np.full(100, 5.0), 100.0) is None
    uneven = np.cumsum(np.random.default_rng(1).exponential(1.0, 300))
    assert fit_clock(uneven, None, only_even=True) is None
