"""Heart features against hand-computed series, pure rhythms, SciPy and NeuroKit2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal
from scipy import stats

from affectscope.preprocessing.ecg import (
    EcgAnalysis,
    analyse_ecg,
    heart_rate_variability,
    rr_intervals,
)
from affectscope.preprocessing.heart_features import (
    ECG_BANDS,
    HEART_FEATURES,
    RR_FEATURES,
    heart_features,
    rr_features,
)
from affectscope.preprocessing.rr_intervals import RrIntervals, intervals_between
from affectscope.records import Signal


def series(milliseconds: np.ndarray | list[float], start: float = 0.0) -> RrIntervals:
    """Intervals of these lengths, one after another, all seen."""
    beats = start + np.concatenate([[0.0], np.cumsum(milliseconds)]) / 1000.0
    return intervals_between(beats, np.ones(len(milliseconds), dtype=bool))


def rhythm(seed: int = 0, count: int = 200) -> np.ndarray:
    """ms: a rhythm with breathing, all of it normal."""
    random = np.random.default_rng(seed)
    breathing = 30.0 * np.sin(0.25 * 2 * np.pi * 0.8 * np.arange(count))
    return 800.0 + breathing + 12.0 * random.standard_normal(count)


def told(intervals: RrIntervals, start: float, end: float) -> dict[str, float]:
    values = rr_features(intervals, np.array([[start, end]]))[0]
    return {name.removeprefix("heart_"): v for name, v in zip(RR_FEATURES, values, strict=True)}


def modulated(frequency: float, amplitude: float, seconds: float) -> RrIntervals:
    """RR = 800 ms + a sine of the time of the interval's middle."""
    beats = [0.0]
    while beats[-1] < seconds:
        length = 0.8
        for _ in range(50):  # fixed point: the sine stands where the interval's middle is
            middle = beats[-1] + length / 2
            length = 0.8 + amplitude / 1000.0 * np.sin(2 * np.pi * frequency * middle)
        beats.append(beats[-1] + length)
    return intervals_between(np.array(beats), np.ones(len(beats) - 1, dtype=bool))


def recording(values: np.ndarray, rate: float = 128.0) -> EcgAnalysis:
    """An analysed ECG without a heartbeat."""
    return EcgAnalysis(
        Signal(values, rate, "mV", 0.0), np.ones(len(values), dtype=bool), np.empty(0), False, ()
    )


def test_names_are_unique_and_say_where_they_come_from() -> None:
    assert len(set(HEART_FEATURES)) == len(HEART_FEATURES)
    assert all(name.startswith("heart_") for name in HEART_FEATURES)
    assert HEART_FEATURES[: len(RR_FEATURES)] == RR_FEATURES
    assert HEART_FEATURES[-1] == "heart_ecg_power_5.7-6"


def test_a_series_computed_by_hand() -> None:
    # Differences: +40, -60, +40, -20 and again; deviations of RR from 800: 0, 40, -20, 20, ...
    found = told(series([800.0, 840.0, 780.0, 820.0] * 5), 0.0, 16.2)
    assert found["mean_rate"] == pytest.approx(60000 / 810)
    assert found["mean_rr"] == pytest.approx(810.0)
    assert found["sdnn"] == pytest.approx(np.sqrt(20 * 500.0 / 19))
    differences = np.array([40.0, -60.0, 40.0, -20.0] * 5)[:-1]
    assert found["rmssd"] == pytest.approx(np.sqrt(np.mean(differences**2)))
    assert found["sdsd"] == pytest.approx(differences.std(ddof=1))
    assert found["sd1"] == pytest.approx(differences.std(ddof=1) / np.sqrt(2))
    assert found["pnn20"] == pytest.approx(15 / 19)  # a difference of 20 ms is not beyond 20 ms
    assert found["pnn50"] == pytest.approx(5 / 19)
    assert found["rate_share_high"] == pytest.approx(5 / 20)  # the 780s
    assert found["rate_share_low"] == pytest.approx(5 / 20)  # the 840s


@pytest.mark.parametrize("seed", range(3))
def test_time_measures_are_those_of_neurokit(seed: int) -> None:
    import neurokit2

    peaks = np.rint(np.cumsum(rhythm(seed))).astype(int)  # at 1000 Hz
    beats = peaks / 1000.0
    intervals = intervals_between(beats, np.ones(len(beats) - 1, dtype=bool))
    found = told(intervals, beats[0], beats[-1])
    theirs = neurokit2.hrv_time(peaks, sampling_rate=1000).iloc[0]
    count = len(beats) - 2  # NeuroKit2 divides by one more than there are differences
    assert found["mean_rr"] == pytest.approx(theirs["HRV_MeanNN"])
    assert found["sdnn"] == pytest.approx(theirs["HRV_SDNN"])
    assert found["rmssd"] == pytest.approx(theirs["HRV_RMSSD"])
    assert found["sdsd"] == pytest.approx(theirs["HRV_SDSD"])
    assert 100 * found["pnn20"] * count / (count + 1) == pytest.approx(theirs["HRV_pNN20"])
    assert 100 * found["pnn50"] * count / (count + 1) == pytest.approx(theirs["HRV_pNN50"])
    lengths = np.diff(beats) * 1000
    assert found["sd2"] == pytest.approx(np.std(lengths[1:] + lengths[:-1], ddof=1) / np.sqrt(2))
    assert found["rr_skewness"] == pytest.approx(stats.skew(lengths))
    assert found["rr_kurtosis"] == pytest.approx(stats.kurtosis(lengths))
    assert found["rate_sd"] == pytest.approx((60000 / lengths).std(ddof=1))
    assert found["rate_skewness"] == pytest.approx(stats.skew(60000 / lengths))
    assert found["rate_kurtosis"] == pytest.approx(stats.kurtosis(60000 / lengths))


@pytest.mark.parametrize(("frequency", "band"), [(0.1, "lf"), (0.25, "hf"), (0.3, "hf")])
def test_a_pure_rhythm_has_all_its_power_in_its_band(frequency: float, band: str) -> None:
    amplitude = 40.0
    intervals = modulated(frequency, amplitude, 130.0)
    found = told(intervals, 5.0, 125.0)
    other = "hf" if band == "lf" else "lf"
    assert found[band] == pytest.approx(amplitude**2 / 2, rel=0.05)
    assert found[other] < 0.02 * found[band]
    assert found["lf_hf"] == pytest.approx(found["lf"] / found["hf"])
    middle = told(intervals, 40.0, 80.0)  # a third as long: the same power, less sharply
    assert middle[band] == pytest.approx(amplitude**2 / 2, rel=0.15)


def test_amigos_bands_are_densities_of_the_same_power() -> None:
    found = told(modulated(0.1, 40.0, 130.0), 5.0, 125.0)
    assert found["rr_power_0.08-0.15"] * 0.07 == pytest.approx(800.0, rel=0.1)
    assert found["rr_power_0.15-0.5"] * 0.35 < 10.0
    assert found["rr_power_0.01-0.08"] * 0.07 < 40.0


def test_powers_are_those_of_scipy_with_a_gap() -> None:
    intervals = series(rhythm(4))
    intervals.normal[30:42] = intervals.plausible[30:42] = False  # a gap inside the span
    first, stop = 10, 60
    span = (intervals.starts[first], intervals.starts[stop])
    used = np.flatnonzero(intervals.normal[first:stop]) + first
    length = 1000 * intervals.durations[used]
    middle = intervals.starts[used] + intervals.durations[used] / 2
    frequencies = np.arange(0.15, 0.3999, 0.005)
    power = scipy_signal.lombscargle(middle, length - length.mean(), 2 * np.pi * frequencies)
    density = 2 * power * length.mean() / 1000
    assert told(intervals, *span)["hf"] == pytest.approx(0.25 * density.mean(), rel=1e-6)


def test_a_span_says_what_the_report_says() -> None:
    seconds, rate = 90.0, 250.0
    beats = np.cumsum(rhythm(2)) / 1000.0
    time = np.arange(round(seconds * rate)) / rate
    shape = np.exp(-0.5 * ((time[:, None] - beats) / 0.011) ** 2).sum(axis=1)
    shape -= 0.2 * np.exp(-0.5 * ((time[:, None] - beats - 0.03) / 0.01) ** 2).sum(axis=1)
    shape += 0.2 * np.exp(-0.5 * ((time[:, None] - beats - 0.25) / 0.04) ** 2).sum(axis=1)
    noise = 0.005 * np.random.default_rng(0).standard_normal(len(time))
    analysis = analyse_ecg(Signal(shape + noise, rate, "mV", 100.0))
    report = heart_rate_variability(analysis, 110.0, 175.0)
    values = heart_features(analysis, np.array([[110.0, 175.0]]))[0]
    found = dict(zip(HEART_FEATURES, values, strict=True))
    assert report.rmssd is not None
    assert found["heart_mean_rate"] == pytest.approx(report.mean_heart_rate)
    assert found["heart_rmssd"] == pytest.approx(report.rmssd)
    assert found["heart_sdnn"] == pytest.approx(report.sdnn)
    assert np.isfinite(values).all()
    slow = replace(analysis, cleaned=replace(analysis.cleaned, sampling_rate=90.0))
    coarse = heart_features(slow, np.array([[110.0, 150.0]]))[0]
    assert np.isfinite(coarse).tolist() == [True, *[False] * 21, *[True] * 20]


def test_what_was_not_measured_is_nan() -> None:
    spans = np.array([[-50.0, -10.0], [0.0, 9.0], [0.0, 40.0], [146.0, 186.0], [160.0, 1000.0]])
    found = np.isfinite(rr_features(series(rhythm()), spans))
    assert not found[0].any()  # nothing was recorded there
    assert not found[1].any()  # less than 10 s
    assert found[2].all()
    assert found[3, :2].all()  # recorded to about 160 s: 10 s tell the rate,
    assert not found[3, 2:].any()  # less than half of the span no variability
    assert not found[4].any()
    assert np.isnan(rr_features(series([]), spans)).all()
    assert rr_features(series(rhythm()), spans[:0]).shape == (0, len(RR_FEATURES))


def test_an_irregular_heart_has_a_rate_only() -> None:
    lengths = rhythm()
    lengths[2::4] = 500.0  # far from what is usual around: not normal-to-normal
    found = told(series(lengths), 0.0, 60.0)
    assert np.isfinite(found.pop("mean_rate"))
    assert np.isnan(list(found.values())).all()


def test_a_steady_rhythm_has_no_shape() -> None:
    found = told(series(np.full(60, 800.0)), 0.0, 40.0)
    assert found["sdnn"] == pytest.approx(0.0, abs=1e-9)
    assert found["hf"] == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(found["rr_skewness"])


@pytest.mark.parametrize("seconds", [20.0, 40.0, 60.0])
def test_a_wave_in_the_ecg_is_in_its_band_whatever_the_span(seconds: float) -> None:
    rate = 128.0
    values = 0.5 + 0.2 * np.sin(2 * np.pi * 2.55 * np.arange(round(100 * rate)) / rate)
    power = heart_features(recording(values), np.array([[10.0, 10.0 + seconds]]))[0, -20:]
    band = ECG_BANDS.names.index("2.4-2.7")
    assert power[band] * ECG_BANDS.width == pytest.approx(0.2**2 / 2, rel=0.05)
    assert np.delete(power, band).max() < 1e-3 * power[band]


def test_masked_samples_take_no_power_away() -> None:
    rate = 128.0
    values = np.random.default_rng(1).standard_normal(round(200 * rate))
    clean, masked = recording(values), recording(values.copy())
    masked.valid[round(60 * rate) : round(75 * rate)] = False
    masked.cleaned.values[~masked.valid] = 1e6
    span = np.array([[50.0, 90.0]])
    before, after = (heart_features(each, span)[0, -20:] for each in (clean, masked))
    assert before.mean() == pytest.approx(2 / rate, rel=0.15)  # white noise: 2 variance / rate
    assert after.mean() == pytest.approx(before.mean(), rel=0.25)
    masked.valid[round(50 * rate) : round(75 * rate)] = False
    assert np.isnan(heart_features(masked, span)[0, -20:]).all()


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 50), shift=st.floats(-1e5, 1e5), start=st.floats(0.0, 90.0))
def test_the_zero_of_time_does_not_matter(seed: int, shift: float, start: float) -> None:
    lengths = rhythm(seed)
    # The middle of a beat: on an edge, rounding decides whether the beat is inside.
    beats = np.cumsum(lengths) / 1000
    start = float(beats[np.searchsorted(beats, start)]) + 0.3
    span = np.array([[start, start + 40.0]])
    before = rr_features(series(lengths), span)
    after = rr_features(series(lengths, shift), span + shift)
    assert np.allclose(before, after, rtol=1e-5, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 50), count=st.integers(1, 8))
def test_a_span_does_not_know_of_the_others(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    starts = random.uniform(-20.0, 140.0, count)
    spans = np.column_stack([starts, starts + random.choice([20.0, 40.0, 41.3], count)])
    values = 0.1 * random.standard_normal(128 * 160)
    peaks = np.cumsum(rhythm(seed, 150)) / 1000
    analysis = replace(recording(values), peak_times=peaks)
    together = heart_features(analysis, spans)
    alone = np.concatenate([heart_features(analysis, span[None]) for span in spans])
    assert np.allclose(together, alone, rtol=1e-9, atol=1e-9, equal_nan=True)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 50))
def test_a_recording_twice_as_long_changes_no_span(seed: int) -> None:
    lengths = rhythm(seed, 120)
    spans = np.array([[0.0, 40.0], [20.0, 60.0], [33.3, 80.0]])
    once, twice = series(lengths), series(np.concatenate([lengths, lengths]))
    assert np.allclose(rr_features(once, spans), rr_features(twice, spans), rtol=1e-7, atol=1e-7)


def test_intervals_of_an_ecg_end_at_masked_spans() -> None:
    analysis = replace(recording(np.zeros(128 * 60)), peak_times=np.arange(1.0, 59.0))
    analysis.valid[128 * 20 + 40 : 128 * 20 + 60] = False
    intervals = rr_intervals(analysis)
    assert np.flatnonzero(~intervals.plausible).tolist() == [19]  # the one from 20 s to 21 s
    assert intervals.pairs.sum() == len(intervals.durations) - 3
