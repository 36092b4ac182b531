"""Band power against what physics says of noise and sines; spans, holes, asymmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import periodogram

from affectscope.preprocessing.eeg import (
    BANDS,
    EegPower,
    eeg_feature_names,
    eeg_features,
    eeg_power,
)
from affectscope.records import Eeg, FloatArray

RATE = 128.0
PAIR = ("F3", "F4")


def recorded(
    values: FloatArray, channels: tuple[str, ...] = PAIR, rate: float = RATE, start: float = -5.0
) -> Eeg:
    return Eeg(values, channels, rate, start)


def noise(seconds: float, channels: int = 2, seed: int = 0, rate: float = RATE) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))


def test_white_noise_has_its_density_in_every_band() -> None:
    power = eeg_power(recorded(10.0 * noise(400)))
    assert power.density.dtype == np.float32
    assert power.density.shape == (399, 2, len(BANDS))
    assert power.times[0] == -4.0  # the middle of the first 2 s
    np.testing.assert_allclose(np.diff(power.times), 1.0)
    stated = 2 * 10.0**2 / RATE  # one-sided, uV^2/Hz
    found = (10.0 ** power.density.astype(np.float64)).mean(axis=0)
    np.testing.assert_allclose(found, stated, rtol=0.1)


def test_a_place_has_the_mean_density_of_scipys_periodogram() -> None:
    values = 5.0 * noise(6) + np.outer(np.linspace(0, 900, 6 * 128), [1.0, -2.0]) + 4000.0
    power = eeg_power(recorded(values))
    frequencies, expected = periodogram(
        values[3 * 128 : 5 * 128], RATE, window="hann", detrend="linear", axis=0
    )
    for number, (low, high) in enumerate(BANDS.values()):
        inside = (frequencies >= low) & (frequencies <= high)
        np.testing.assert_allclose(
            power.density[3, :, number], np.log10(expected[inside].mean(axis=0)), atol=1e-5
        )


def test_a_sine_shows_in_its_band_with_its_power_and_an_offset_in_none() -> None:
    times = np.arange(20 * 128) / RATE
    sine = 5.0 * np.sin(2 * np.pi * 11.0 * times)
    power = eeg_power(recorded(np.column_stack([sine, sine + 4200.0 + 3.0 * times])))
    inside = 11  # bins of 0.5 Hz from 8 to 13 Hz, both included
    expected = 5.0**2 / 2 / 0.5 / inside
    density = 10.0 ** power.density.astype(np.float64)
    np.testing.assert_allclose(density[..., list(BANDS).index("alpha")], expected, rtol=0.02)
    for name in ("theta", "slow_alpha", "beta", "gamma"):
        assert (density[..., list(BANDS).index(name)] < 1e-3 * expected).all(), name


def test_missing_samples_take_out_their_places_in_their_channel_only() -> None:
    values = noise(30)
    values[10 * 128 + 5, 1] = np.nan  # 10.04 s after the start, so in the spectra from 9 and 10 s
    values[20 * 128 : 22 * 128, 0] = np.inf
    whole, holed = (eeg_power(recorded(v)).density for v in (noise(30), values))
    assert np.flatnonzero(np.isnan(holed[:, 1, 0])).tolist() == [9, 10]
    assert np.flatnonzero(np.isnan(holed[:, 0, 0])).tolist() == [19, 20, 21]
    kept = np.isfinite(holed)
    np.testing.assert_array_equal(holed[kept], whole[kept])


def test_bands_above_half_the_sampling_rate_are_not_measured() -> None:
    density = eeg_power(recorded(noise(10, rate=80.0), rate=80.0)).density
    assert np.isnan(density[..., list(BANDS).index("gamma")]).all()
    assert np.isfinite(density[..., : list(BANDS).index("gamma")]).all()


@pytest.mark.parametrize("rate", [100.4, 127.7, 250.0])
def test_places_stay_a_second_apart_at_any_rate(rate: float) -> None:
    values = 1e-3 * noise(120, rate=rate)
    burst = round(100.5 * rate)
    values[burst : burst + round(rate)] *= 1e4
    power = eeg_power(recorded(values, rate=rate, start=0.0))
    loudest = power.times[power.density[:, 0].sum(axis=1).argmax()]
    assert loudest == pytest.approx(101.0, abs=0.6)
    assert len(power.density) == int((len(values) - round(2 * rate)) / rate) + 1


def test_too_short_a_recording_has_no_places_and_no_features() -> None:
    power = eeg_power(recorded(noise(1.9)))
    assert len(power.density) == 0
    features = eeg_features(power, np.array([[-5.0, 0.0], [0.0, 1.0]]))
    assert features.shape == (2, len(eeg_feature_names(PAIR)))
    assert np.isnan(features).all()


def test_names_pair_opposite_channels() -> None:
    emotiv = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8",
              "AF4")  # fmt: skip
    names = eeg_feature_names(emotiv)
    assert len(names) == len(set(names)) == (14 + 7) * len(BANDS)
    assert names[0] == "eeg_AF3_theta"
    pairs = {name.split("_")[1] for name in names if "-" in name}
    assert pairs == {"AF3-AF4", "F7-F8", "F3-F4", "FC5-FC6", "T7-T8", "P7-P8", "O1-O2"}
    assert eeg_feature_names(("Fz", "Cz")) == tuple(
        f"eeg_{channel}_{band}" for channel in ("Fz", "Cz") for band in BANDS
    )
    assert eeg_feature_names(()) == ()


def test_asymmetry_is_the_log_ratio_left_to_right() -> None:
    one = noise(60, channels=1)
    power = eeg_power(recorded(np.hstack([3.0 * one, one])))
    (features,) = eeg_features(power, np.array([[0.0, 40.0]]))
    asymmetry = features[-len(BANDS) :]
    np.testing.assert_allclose(asymmetry, 2 * np.log10(3.0), atol=1e-5)


def test_a_span_is_the_mean_of_the_places_inside_it_and_nothing_else() -> None:
    values = noise(60)
    spans = np.array([[10.0, 20.0], [30.0, 30.5]])
    power = eeg_power(recorded(values, start=0.0))
    found, nothing = eeg_features(power, spans)
    inside = (power.times >= 11.0) & (power.times <= 19.0)
    expected = power.density[inside].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(found[: 2 * len(BANDS)], expected.ravel(), atol=2e-6)
    assert np.isnan(nothing).all()  # no 2 s lie in half a second
    values[: 10 * 128] = values[20 * 128 :][: 10 * 128] * 50.0
    values[20 * 128 :] *= 50.0
    again, _ = eeg_features(eeg_power(recorded(values, start=0.0)), spans)
    np.testing.assert_array_equal(again, found)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    spans=st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 60)), min_size=1, max_size=6),
)
def test_spans_give_means_of_finite_places_or_nan(
    seed: int, spans: list[tuple[float, float]]
) -> None:
    generator = np.random.default_rng(seed)
    density = generator.normal(1.0, 0.5, (int(generator.integers(0, 40)), 2, 5)).astype(np.float32)
    density[generator.random(density.shape) < 0.3] = np.nan
    power = EegPower(density, PAIR, 0.5)
    asked = np.array([(start, start + length) for start, length in spans])
    features = eeg_features(power, asked)
    for (start, end), row in zip(asked, features, strict=True):
        inside = (power.times - 1.0 >= start - 0.01) & (power.times + 1.0 <= end + 0.01)
        for number, value in enumerate(row[:10]):
            column = density[inside].reshape(-1, 10)[:, number].astype(np.float64)
            column = column[np.isfinite(column)]
            expected = column.mean() if len(column) else np.nan
            np.testing.assert_allclose(value, expected, atol=2e-6)


def test_what_repeats_gives_the_same_features_wherever_it_is_measured() -> None:
    pattern = np.round(20 * np.sin(2 * np.pi * np.outer(np.arange(128) / 128, [6, 11])))
    power = eeg_power(recorded(np.resize(pattern, (160 * 128, 2))))
    starts = np.linspace(0.0, 100.0, 77)
    features = eeg_features(power, np.column_stack([starts, starts + 40.0]))
    assert (features == features[0]).all()
