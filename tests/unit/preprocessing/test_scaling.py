"""Resampling against analytic signals, masks by brute force, scaling by its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.preprocessing.scaling import network_signal, resample, scaled
from affectscope.records import Signal

RATES = [4.0, 25.0, 32.0, 100.0, 128.0, 250.0, 256.0, 360.0, 700.0, 800.0, 1000.0, 4000.0]


def sine(time: np.ndarray, frequency: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * time + 0.7)


def signal(values: np.ndarray, rate: float, start: float = 0.0) -> Signal:
    return Signal(np.asarray(values, dtype=np.float64), rate, "mV", start)


def all_valid(values: np.ndarray) -> np.ndarray:
    return np.ones(len(values), dtype=bool)


@pytest.mark.parametrize("rate", [*RATES, 255.3, 127.97, 128.003, 512.1, np.pi * 100, 3.97])
def test_a_sine_comes_out_at_the_same_times(rate: float) -> None:
    """Value and phase against the analytic sine: an error of half a sample would show at once."""
    frequency = 1.0 if rate < 20 else 5.0
    seconds = 40.0
    time = np.arange(int(seconds * rate)) / rate
    found = resample(sine(time, frequency), rate, 128.0)
    target = np.arange(len(found)) / 128.0
    assert abs(len(found) - len(time) / rate * 128.0) <= 1.0
    inner = (target > 3.0) & (target < seconds - 3.0)
    assert np.abs(found - sine(target, frequency))[inner].max() < 0.01


@pytest.mark.parametrize("rate", [255.3, 360.0, 799.92])
def test_no_drift_over_an_hour(rate: float) -> None:
    time = np.arange(int(3600 * rate)) / rate
    found = resample(sine(time, 3.0), rate, 128.0)
    target = np.arange(len(found)) / 128.0
    late = (target > 3590.0) & (target < 3597.0)
    assert np.abs(found - sine(target, 3.0))[late].max() < 0.01


def test_800_to_128_hz_is_exactly_4_to_25() -> None:
    assert len(resample(np.zeros(800 * 60), 800.0, 128.0)) == 128 * 60


def test_what_128_hz_cannot_hold_does_not_fold_back() -> None:
    time = np.arange(8000) / 800.0
    assert np.abs(resample(sine(time, 100.0), 800.0, 128.0))[50:-50].max() < 0.01


@pytest.mark.parametrize("rate", [100.0, 255.3, 800.0])
def test_the_ends_do_not_ring(rate: float) -> None:
    """A far-off level with a slope stays itself to the last sample."""
    time = np.arange(int(20 * rate)) / rate
    found = resample(1000.0 + 3.0 * time, rate, 128.0)
    target = np.minimum(np.arange(len(found)) / 128.0, time[-1])
    assert np.abs(found - (1000.0 + 3.0 * target)).max() < 0.05


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=200),
    rate=st.one_of(st.sampled_from(RATES), st.floats(1.0, 4000.0)),
    mode=st.sampled_from(["minmax", "quantile"]),
    data=st.data(),
)
def test_any_signal_gives_a_network_signal(
    values: list[float], rate: float, mode: str, data: st.DataObject
) -> None:
    valid = np.array(data.draw(st.lists(st.booleans(), min_size=len(values),
                                        max_size=len(values))))  # fmt: skip
    source = signal(np.array(values), rate, start=12.5)
    result = network_signal(source, valid, scaling=mode, sampling_rate=128.0)  # type: ignore[arg-type]
    assert result.values.dtype == np.float32
    assert np.isfinite(result.values).all()
    assert ((result.values >= 0.0) & (result.values <= 1.0)).all()
    assert result.start_time == 12.5
    assert result.sampling_rate == 128.0
    assert abs(len(result.values) - len(values) / rate * 128.0) <= 1.0
    times = np.arange(len(result.values)) / 128.0
    period = max(1.0 / rate, 1.0 / 128.0)
    for k in np.flatnonzero(result.valid):
        near = np.abs(np.arange(len(values)) / rate - times[k]) <= period * (1 - 1e-9)
        assert valid[near].all()
    if valid.all():
        assert result.valid.all()
    if not valid.any():
        assert not result.valid.any()


@pytest.mark.parametrize("rate", [32.0, 128.0, 360.0, 800.0])
def test_the_mask_keeps_its_place(rate: float) -> None:
    valid = np.ones(int(10 * rate), dtype=bool)
    valid[int(4 * rate) : int(5 * rate)] = False
    values = np.random.default_rng(0).standard_normal(len(valid))
    result = network_signal(signal(values, rate), valid, scaling="minmax", sampling_rate=128.0)
    bad = np.flatnonzero(~result.valid) / 128.0
    margin = 2.0 / min(rate, 128.0)
    assert 4.0 - margin <= bad.min() <= 4.0
    assert 5.0 - 1.0 / rate <= bad.max() <= 5.0 + margin
    assert len(bad) == np.rint((bad.max() - bad.min()) * 128.0) + 1  # one run


def test_masked_rubbish_changes_nothing_else() -> None:
    time = np.arange(8000) / 800.0
    clean = sine(time, 2.0)
    valid = all_valid(clean)
    valid[3000:4000] = False
    dirty = np.where(valid, clean, 1e6 * (-1.0) ** np.arange(8000))
    one = network_signal(signal(clean, 800.0), valid, scaling="minmax", sampling_rate=128.0)
    other = network_signal(signal(dirty, 800.0), valid, scaling="minmax", sampling_rate=128.0)
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.valid, other.valid)


def test_minmax_maps_the_valid_extremes_to_0_and_1() -> None:
    values = np.array([2.0, 4.0, 3.0, 100.0])
    valid = np.array([True, True, True, False])
    assert scaled(values, valid, "minmax").tolist() == [0.0, 1.0, 0.5, 1.0]


def test_quantile_is_not_squeezed_by_one_artefact() -> None:
    values = np.linspace(0.0, 1.0, 2001)
    values[1000] = 1e4
    valid = all_valid(values)
    found = scaled(values, valid, "quantile")
    assert found.min() == 0.0
    assert found.max() == 1.0
    low, high = np.quantile(values, [0.005, 0.995])
    assert np.allclose(found, np.clip((values - low) / (high - low), 0, 1))
    assert 0.45 < found[990] < 0.55
    assert scaled(values, valid, "minmax")[990] < 1e-3


@pytest.mark.parametrize("mode", ["minmax", "quantile"])
@pytest.mark.parametrize("constant", [0.0, 0.1, -3.7e5])
def test_a_constant_signal_is_all_zeros(mode: str, constant: float) -> None:
    source = signal(np.full(1000, constant), 250.0)
    result = network_signal(
        source, all_valid(source.values), scaling=mode, sampling_rate=128.0  # type: ignore[arg-type]
    )  # fmt: skip
    assert not result.values.any()


def test_scaling_keeps_the_order_of_values() -> None:
    values = np.random.default_rng(1).standard_normal(500)
    found = scaled(values, all_valid(values), "minmax")
    assert np.array_equal(np.argsort(found), np.argsort(values))
