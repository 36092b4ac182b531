"""The synthetic body against independent readers: NeuroKit's peak finders and plain statistics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from affectscope.datasets.synthetic import affect_labels
from affectscope.datasets.synthetic_signals import (
    BodyTraits,
    beat_times,
    draw_body,
    ecg_values,
    eda_values,
    response_onsets,
    wander,
)
from affectscope.records import FloatArray, Labels

PERSON = BodyTraits(
    resting_heart_rate=70.0,
    heart_rate_reactivity=8.0,
    rmssd=42.0,
    ecg_gain=1.0,
    eda_level=6.0,
    eda_reactivity=1.2,
    response_amplitude=0.3,
)
DURATION = 180.0


def constant(arousal: float, valence: float = 0.0) -> Labels:
    times = np.array([0.0, DURATION])
    return Labels(times, affect_labels(np.full(2, valence), np.full(2, arousal)))


def r_peak_times(ecg: FloatArray, sampling_rate: float) -> FloatArray:
    import neurokit2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NeuroKit calls what NumPy and pandas deprecate
        cleaned = neurokit2.ecg_clean(ecg, sampling_rate=sampling_rate)
        _, found = neurokit2.ecg_peaks(cleaned, sampling_rate=sampling_rate)
    return np.asarray(found["ECG_R_Peaks"]) / sampling_rate


def response_count(eda: FloatArray, sampling_rate: float) -> int:
    """Rises of at least 0.05 uS, counted on the smoothed signal from each valley to its peak."""
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(eda, 0.2 * sampling_rate)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(smooth)))) + 1
    return int((np.diff(smooth[turns]) > 0.05).sum())


@pytest.mark.parametrize("sampling_rate", [256.0, 800.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neurokit_finds_the_beats_where_they_are_known(sampling_rate: float, seed: int) -> None:
    traits = draw_body(np.random.default_rng(seed))
    labels = constant(arousal=[-0.8, 0.0, 0.9][seed - 1])
    known = beat_times(traits, labels, duration=60.0, generator=np.random.default_rng(seed))
    ecg = ecg_values(
        traits,
        labels,
        duration=60.0,
        sampling_rate=sampling_rate,
        generator=np.random.default_rng(seed),
    )
    found = r_peak_times(ecg, sampling_rate)
    distance = np.abs(found[:, None] - known[None, :])
    assert (distance.min(axis=0)[(known > 0.5) & (known < 59.5)] <= 0.05).mean() >= 0.99
    # NeuroKit takes the last, cut beat's T wave for a peak now and then.
    assert (distance.min(axis=1)[(found > 0.5) & (found < 59.0)] <= 0.05).mean() >= 0.99


def test_arousal_raises_heart_rate_and_lowers_its_variability() -> None:
    rates, variabilities = [], []
    for arousal in (-1.0, 0.0, 1.0):
        ecg = ecg_values(
            PERSON,
            constant(arousal),
            duration=DURATION,
            sampling_rate=256.0,
            generator=np.random.default_rng(4),
        )
        intervals = np.diff(r_peak_times(ecg, 256.0))
        rates.append(60.0 / intervals.mean())
        variabilities.append(1000.0 * np.sqrt(np.mean(np.diff(intervals) ** 2)))
    assert rates == pytest.approx([62.0, 70.0, 78.0], abs=1.5)
    assert variabilities[0] > 1.3 * variabilities[1] > 1.3 * 1.3 * variabilities[2]
    assert variabilities[1] == pytest.approx(PERSON.rmssd, rel=0.25)


def test_arousal_raises_the_tonic_level_and_the_number_of_responses() -> None:
    low, high = (
        eda_values(
            PERSON,
            constant(arousal),
            duration=DURATION,
            sampling_rate=64.0,
            generator=np.random.default_rng(5),
        )
        for arousal in (-1.0, 1.0)
    )
    assert np.quantile(high, 0.1) - np.quantile(low, 0.1) > PERSON.eda_reactivity
    assert response_count(high, 64.0) > 4 * response_count(low, 64.0)


def test_response_rates_are_those_of_the_literature() -> None:
    hours = {
        arousal: response_onsets(
            constant(arousal), duration=36_000.0, generator=np.random.default_rng(6)
        )
        for arousal in (-1.0, 1.0)
    }
    assert len(hours[-1.0]) / 600 == pytest.approx(1.5, abs=0.25)  # five standard errors
    assert len(hours[1.0]) / 600 == pytest.approx(20.0, abs=0.9)


def test_valence_does_not_reach_the_body() -> None:
    ecg_a, ecg_b = (
        ecg_values(
            PERSON,
            constant(0.3, valence),
            duration=20.0,
            sampling_rate=128.0,
            generator=np.random.default_rng(7),
        )
        for valence in (-0.9, 0.9)
    )
    np.testing.assert_array_equal(ecg_a, ecg_b)


def test_heart_rate_follows_a_step_within_seconds() -> None:
    times = np.array([0.0, 59.99, 60.0, 120.0])
    labels = Labels(times, affect_labels(np.zeros(4), np.array([-1.0, -1.0, 1.0, 1.0])))
    before, early, late = [], [], []
    for seed in range(40):
        beats = beat_times(PERSON, labels, duration=120.0, generator=np.random.default_rng(seed))
        rate = 60.0 / np.diff(beats)
        before.append(rate[(beats[1:] > 45) & (beats[1:] < 60)].mean())
        early.append(rate[(beats[1:] > 60) & (beats[1:] < 61)].mean())
        late.append(rate[(beats[1:] > 66) & (beats[1:] < 80)].mean())
    assert np.mean(late) - np.mean(before) == pytest.approx(16.0, abs=1.5)
    assert np.mean(early) - np.mean(before) < 4.0


def test_people_differ_as_resting_adults_do() -> None:
    generator = np.random.default_rng(8)
    people = [draw_body(generator) for _ in range(1500)]
    rates = [p.resting_heart_rate for p in people]
    assert (np.mean(rates), np.std(rates)) == (pytest.approx(70, abs=1), pytest.approx(9, abs=1))
    rmssd = [p.rmssd for p in people]
    assert (np.mean(rmssd), np.std(rmssd)) == (pytest.approx(42, abs=2), pytest.approx(15, abs=2))
    levels = np.array([p.eda_level for p in people])
    assert levels.min() >= 2.0
    assert levels.max() <= 20.0
    assert all(12.0 <= 2 * p.heart_rate_reactivity <= 20.0 for p in people)


def test_signals_stay_plausible_for_extreme_people() -> None:
    for seed in range(20):
        traits = draw_body(np.random.default_rng(seed))
        for arousal in (-1.0, 1.0):
            eda = eda_values(
                traits,
                constant(arousal),
                duration=60.0,
                sampling_rate=32.0,
                generator=np.random.default_rng(seed),
            )
            assert eda.min() >= 0.2
            assert eda.max() < 60.0
            beats = beat_times(
                traits,
                constant(arousal),
                duration=60.0,
                generator=np.random.default_rng(seed),
            )
            intervals = np.diff(beats)
            assert intervals.min() > 0.33
            assert intervals.max() < 1.7


@pytest.mark.parametrize(("rate", "scale"), [(50.0, 1.5), (10.0, 8.0), (256.0, 3.0), (2.0, 0.4)])
def test_wander_has_unit_variance_and_the_stated_smoothness(rate: float, scale: float) -> None:
    generator = np.random.default_rng(9)
    samples = int(40 * scale * rate)
    draws = np.array([wander(generator, samples, rate, time_scale=scale) for _ in range(150)])
    assert draws.shape == (150, samples)
    assert draws.var() == pytest.approx(1.0, abs=0.12)
    lag = max(1, round(scale * rate))  # white noise smoothed by s correlates by exp(-lag^2 / 4 s^2)
    expected = np.exp(-((lag / rate / scale) ** 2) / 4)
    correlation = np.corrcoef(draws[:, :-lag].ravel(), draws[:, lag:].ravel())[0, 1]
    assert correlation == pytest.approx(expected, abs=0.06)
