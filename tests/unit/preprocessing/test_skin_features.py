"""Skin features against known shapes: ramps, waves, responses of known size and rise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.preprocessing.eda import EdaAnalysis, analyse_eda, responses_per_minute
from affectscope.preprocessing.skin_features import SKIN_FEATURES, skin_features
from affectscope.records import Signal

NOWHERE = (-20.0, -10.0)
RATES = (4.0, 16.0, 128.0)


def recording(
    values: np.ndarray, rate: float, peaks: tuple[float, ...] = (), amplitude: float = 0.3
) -> EdaAnalysis:
    """An analysed EDA whose level is the signal itself."""
    values = np.asarray(values, dtype=np.float64)
    return EdaAnalysis(
        Signal(values, rate, "uS", 0.0), np.ones(len(values), dtype=bool), values,
        np.zeros(len(values)), np.array(peaks), np.full(len(peaks), amplitude), (),
    )  # fmt: skip


def clock(seconds: float, rate: float) -> np.ndarray:
    return np.arange(round(seconds * rate)) / rate


def told(
    analysis: EdaAnalysis, start: float, end: float, reference: tuple[float, float] = NOWHERE
) -> dict[str, float]:
    values = skin_features(analysis, np.array([[start, end]]), reference=reference)[0]
    return {name.removeprefix("skin_"): v for name, v in zip(SKIN_FEATURES, values, strict=True)}


def wandering(seed: int, rate: float, seconds: float) -> EdaAnalysis:
    """A slow random walk, smooth as a cleaned EDA, with some responses in its list."""
    random = np.random.default_rng(seed)
    knots = 5.0 + np.cumsum(0.1 * random.standard_normal(round(seconds) + 1))
    values = np.interp(clock(seconds, rate), np.arange(len(knots)), knots)
    return recording(values, rate, tuple(np.sort(random.uniform(0, seconds, 12)).round(2)))


def test_names_are_unique_and_say_where_they_come_from() -> None:
    assert len(set(SKIN_FEATURES)) == len(SKIN_FEATURES)
    assert all(name.startswith("skin_") for name in SKIN_FEATURES)


@pytest.mark.parametrize("rate", RATES)
def test_a_ramp(rate: float) -> None:
    found = told(recording(2.0 + 0.01 * clock(100.0, rate), rate), 20.0, 60.0)
    assert found["mean"] == pytest.approx(2.4, abs=0.002)
    assert found["mean_derivative"] == pytest.approx(0.01)
    assert found["tonic_slope"] == pytest.approx(0.01)
    assert (found["share_rising"], found["share_falling"]) == (1.0, 0.0)
    assert np.isnan(found["mean_falling_derivative"])
    assert found["minima_per_minute"] == 0.0
    assert found["slow_crossings"] == found["very_slow_crossings"] == 0.0
    assert found["responses_per_minute"] == 0.0
    assert np.isnan([found["response_amplitude"], found["rise_time"], found["level_change"]]).all()


@pytest.mark.parametrize("rate", RATES)
def test_a_slow_wave(rate: float) -> None:
    time = clock(200.0, rate)
    wave = 5.0 + 0.4 * np.cos(2 * np.pi * 0.05 * time)
    found = told(recording(wave, rate), 80.0, 120.0)  # two periods of 20 s, from crest to crest
    assert found["sd"] == pytest.approx(0.4 / np.sqrt(2), rel=0.01)
    assert found["q50"] == pytest.approx(5.0, abs=0.02)
    assert found["q75"] - found["q25"] == pytest.approx(0.8 / np.sqrt(2), rel=0.02)
    assert found["minima_per_minute"] == pytest.approx(3.0)
    assert found["share_rising"] == pytest.approx(0.5, abs=0.02)
    mean_fall = -2 * 0.4 * 0.05 * 2  # from crest to trough, in half a period
    assert found["mean_falling_derivative"] == pytest.approx(mean_fall, rel=0.03)
    assert found["slow_crossings"] == pytest.approx(6.0)
    assert found["slow_peak"] == pytest.approx(0.4, rel=0.02)
    assert found["power_0-0.24"] * 0.24 == pytest.approx(0.4**2 / 2, rel=0.1)


def test_very_slow_is_slower_than_slow() -> None:
    time = clock(300.0, 16.0)
    wave = 5.0 + 0.2 * np.sin(2 * np.pi * 0.16 * time)
    found = told(recording(wave, 16.0), 100.0, 150.0)  # eight periods
    assert found["slow_crossings"] == pytest.approx(16 * 60 / 50, rel=0.1)
    assert found["very_slow_peak"] < 0.3 * found["slow_peak"]


def test_a_wave_of_one_hertz_is_in_its_band() -> None:
    wave = 5.0 + 0.1 * np.sin(2 * np.pi * 1.08 * clock(100.0, 128.0))
    found = told(recording(wave, 128.0), 20.0, 60.0)
    assert found["power_0.96-1.2"] * 0.24 == pytest.approx(
        0.1**2 / 2, rel=0.1
    )  # a band holds 9 or 10 lines
    assert found["power_1.2-1.44"] < 1e-3 * found["power_0.96-1.2"]
    four_hertz = told(recording(wave[::32], 4.0), 20.0, 60.0)
    above_half_the_rate = [four_hertz["power_1.92-2.16"], four_hertz["power_2.16-2.4"]]
    assert np.isnan(above_half_the_rate).all()
    assert np.isfinite(four_hertz["power_1.68-1.92"])


@pytest.mark.parametrize("rate", RATES)
def test_responses_of_known_size_and_rise(rate: float) -> None:
    time = clock(200.0, rate)
    values = 5.0 - 0.0005 * time  # falls, so that a response begins at the lowest point before it
    for onset in (20.0, 50.0, 80.0, 110.0, 140.0, 170.0):
        late = np.maximum(time - onset, 0.0)
        values += 0.5 * (late / 2.0) ** 2 * np.exp(2.0 - late)  # peak after 2 s
    noise = 0.0002 * np.random.default_rng(0).standard_normal(len(time))
    analysis = analyse_eda(Signal(values + noise, rate, "uS", 0.0))
    found = told(analysis, 40.0, 100.0)
    assert found["responses_per_minute"] == pytest.approx(2.0)
    assert found["responses_per_minute"] == responses_per_minute(analysis, 40.0, 100.0).per_minute
    assert found["response_amplitude"] == pytest.approx(0.5, rel=0.03)
    assert found["rise_time"] == pytest.approx(2.0, abs=0.35)


def test_quartiles_are_numpys_and_leave_out_what_is_masked() -> None:
    analysis = wandering(3, 4.0, 120.0)
    analysis.valid[200:230] = False
    span = slice(160, 320)
    seen = analysis.cleaned.values[span][analysis.valid[span]]
    found = told(analysis, 40.0, 80.0)
    assert found["mean"] == pytest.approx(seen.mean())
    assert found["sd"] == pytest.approx(seen.std(ddof=1))
    expected = np.percentile(seen, [25, 50, 75])
    assert np.allclose([found["q25"], found["q50"], found["q75"]], expected)
    assert told(replace(analysis, response_times=np.array([50.0, 70.0]),
                        response_amplitudes=np.array([0.2, 0.4])), 40.0, 80.0)[
        "responses_per_minute"
    ] == pytest.approx(2 * 60 / (len(seen) / 4.0))  # fmt: skip


def test_minima_on_a_level_count_once() -> None:
    coarse = np.array([3, 2, 2, 2, 3, 3, 2, 1, 1, 2, 2, 3] * 20, dtype=float)  # two in 3 s
    found = told(recording(coarse, 4.0), 9.0, 39.0)
    assert found["minima_per_minute"] == pytest.approx(40.0, rel=0.06)
    assert found["share_rising"] == pytest.approx(3 / 12, abs=0.01)
    assert found["share_falling"] == pytest.approx(3 / 12, abs=0.01)


def test_the_level_is_compared_with_that_before_the_stimulus() -> None:
    analysis = recording(np.repeat([2.0, 3.5], 400), 4.0)  # steps up at 100 s
    assert told(analysis, 120.0, 160.0, (-np.inf, 100.0))["level_change"] == pytest.approx(1.5)
    assert told(analysis, 20.0, 60.0, (-np.inf, 100.0))["level_change"] == pytest.approx(0.0)
    assert np.isnan(told(analysis, 120.0, 160.0, (-np.inf, 0.0))["level_change"])
    analysis.valid[:400] = False
    assert np.isnan(told(analysis, 120.0, 160.0, (-np.inf, 100.0))["level_change"])


def test_what_was_not_measured_is_nan() -> None:
    analysis = wandering(0, 16.0, 100.0)
    spans = np.array([[-50.0, -10.0], [-25.0, 15.0], [30.0, 70.0], [90.0, 130.0]])
    found = skin_features(analysis, spans, reference=(0.0, 10.0))
    assert np.isnan(found[[0, 1, 3]]).all()
    assert np.isfinite(found[2]).all()
    slow = told(wandering(0, 1.0, 100.0), 30.0, 70.0)
    assert np.isnan([slow["responses_per_minute"], slow["slow_crossings"]]).all()
    assert np.isfinite(slow["mean"])
    empty = skin_features(analysis, spans[:0], reference=(0.0, 10.0))
    assert empty.shape == (0, len(SKIN_FEATURES))


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 50),
    rate=st.sampled_from(RATES),
    shift=st.integers(-100_000, 100_000),
    start=st.integers(0, 60),
)
def test_the_zero_of_time_does_not_matter(seed: int, rate: float, shift: int, start: int) -> None:
    analysis = wandering(seed, rate, 120.0)
    span = np.array([[start, start + 40.0]])
    moved = replace(
        analysis,
        cleaned=replace(analysis.cleaned, start_time=float(shift)),
        response_times=analysis.response_times + shift,
    )
    before = skin_features(analysis, span, reference=(0.0, 5.0))
    after = skin_features(moved, span + shift, reference=(shift, shift + 5.0))
    assert np.allclose(before, after, rtol=1e-6, atol=1e-9, equal_nan=True)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 50), rate=st.sampled_from(RATES), count=st.integers(1, 6))
def test_a_span_does_not_know_of_the_others(seed: int, rate: float, count: int) -> None:
    random = np.random.default_rng(seed)
    starts = random.uniform(-20.0, 100.0, count)
    spans = np.column_stack([starts, starts + random.choice([20.0, 40.0, 41.3], count)])
    analysis = wandering(seed, rate, 120.0)
    together = skin_features(analysis, spans, reference=(0.0, 5.0))
    alone = [skin_features(analysis, span[None], reference=(0.0, 5.0)) for span in spans]
    assert np.allclose(together, np.concatenate(alone), rtol=1e-9, atol=1e-12, equal_nan=True)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 50), rate=st.sampled_from(RATES))
def test_a_recording_twice_as_long_changes_no_span(seed: int, rate: float) -> None:
    once = wandering(seed, rate, 300.0)
    values = once.cleaned.values
    twice = recording(np.concatenate([values, values[::-1]]), rate, tuple(once.response_times))
    # Far from the end: the slow courses are filtered forwards and backwards.
    spans = np.array([[0.0, 40.0], [100.0, 140.0], [120.0, 180.0]])
    found = [skin_features(each, spans, reference=(0.0, 5.0)) for each in (once, twice)]
    assert np.allclose(found[0], found[1], rtol=1e-6, atol=1e-6, equal_nan=True)
