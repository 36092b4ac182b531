"""Samples on an even axis: kept where they fit, interpolated where their clock bends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affectscope.io.clock_fit import fit_clock
from affectscope.io.even_axis import EvenAxis, between, even_axis


def axis_of(stamps: np.ndarray, rate: float | None) -> EvenAxis:
    clock = fit_clock(stamps.copy(), rate)
    assert clock is not None
    return even_axis(clock, rate)


def placed_times(axis: EvenAxis, times: np.ndarray) -> np.ndarray:
    """By how many seconds samples that hold their own time lie off the axis."""
    values = axis.place(times)
    held = axis.first_time + np.arange(len(values)) / axis.sampling_rate
    return np.asarray((values - held)[np.isfinite(values)])


def test_samples_of_a_steady_clock_are_kept_as_they_are() -> None:
    values = np.random.default_rng(1).normal(size=5000)
    for rate in (250.0, 250.03):
        axis = axis_of(np.arange(5000) / rate, 250.0)
        assert axis.sampling_rate == pytest.approx(rate, rel=1e-9)
        assert not axis.resampled
        assert axis.place(values) is values
    axis = axis_of(np.arange(5000) / 250 * (1 + 4e-5), 250.0)  # 0.8 ms in 20 s
    assert axis.sampling_rate == 250.0


def test_P19_a_clock_that_bends_is_interpolated_to_within_a_millisecond() -> None:
    times = np.cumsum((1 + np.linspace(20, 400, 300_000) * 1e-6) / 250)
    axis = axis_of(times, 250.0)
    assert axis.resampled
    assert np.abs(placed_times(axis, times)).max() < 0.7e-3
    fit = axis.fit(250.0)
    assert fit.drift == pytest.approx(-210, abs=1)
    assert fit.drift_range == pytest.approx((-353, -67), abs=10)


def test_P14_samples_behind_a_gap_lie_where_their_stamps_say() -> None:
    """Two gaps that end between samples of the axis: what lies off it is interpolated."""
    times = np.r_[np.arange(3000), np.arange(3000) + 5000.5, np.arange(3000) + 9000.1] / 100
    axis = axis_of(times, 100.0)
    assert [gap.samples for gap in axis.gaps] == pytest.approx([2000, 1000], abs=2)
    assert axis.resampled
    assert np.abs(placed_times(axis, times)).max() < 1.001e-3
    assert axis.seconds_at(3000) + axis.first_time == pytest.approx(50.005)


@pytest.mark.parametrize(("size", "rate"), [(-0.05, 250.0), (-3.0, 250.0), (0.05, 4.0)])
def test_P16_a_clock_that_was_set_is_bridged_and_told(size: float, rate: float) -> None:
    times = np.arange(6000) / rate
    axis = axis_of(times + size * (np.arange(6000) >= 2500), rate)
    assert axis.gaps == ()
    assert np.abs(placed_times(axis, times)).max() < 1e-3
    ((at, seconds),) = axis.fit(rate).steps
    assert (at, seconds) == (pytest.approx(2500 / rate, abs=1e-3), pytest.approx(size, abs=1e-6))


def test_missing_values_stay_where_they_are() -> None:
    values = np.sin(np.arange(100) / 5)
    values[40] = np.nan
    found = between(values, np.arange(99) + 0.25)
    assert np.flatnonzero(np.isnan(found)).tolist() == [39, 40]
    near, held = np.r_[10:37, 44:90], np.flatnonzero(np.isfinite(found))
    np.testing.assert_allclose(found[near], np.sin((near + 0.25) / 5), atol=1e-6)
    np.testing.assert_allclose(found[held], np.sin((held + 0.25) / 5), atol=0.006)
    np.testing.assert_array_equal(between(values, np.arange(100.0)), values)


def test_an_ecg_is_interpolated_to_a_third_of_a_percent(real_data: Path) -> None:
    """A real ECG at 3000 Hz, limited to 112 Hz; the samples between those of 250 Hz are known."""
    ecg = np.loadtxt(real_data / "neurokit" / "ecg_3000hz.csv", skiprows=1)
    low_pass = np.sinc(np.arange(-240, 241) * 0.9 / 12) * np.hamming(481)
    smooth = np.convolve(ecg, low_pass / low_pass.sum(), "same")
    values = smooth[::12]
    at = np.arange(50, len(values) - 50)
    worst = max(
        np.abs(between(values, at + shift / 12) - smooth[at * 12 + shift]).max()
        for shift in range(12)
    )
    assert worst / np.ptp(values) < 0.003
