"""EDA against synthesised skin conductance with known level and responses, and real wristbands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import AffectScopeError, InputError
from affectscope.preprocessing.eda import (
    EdaAnalysis,
    analyse_eda,
    responses_per_minute,
    responses_per_minute_at,
    slower_than,
    tonic_at,
)
from affectscope.records import Signal

ONSETS = np.array([20.0, 45.0, 62.0, 95.0, 118.0, 140.0, 170.0, 200.0, 222.0, 260.0])
AMPLITUDES = np.array([0.5, 0.2, 0.8, 0.1, 0.4, 0.05, 0.6, 0.3, 0.15, 0.7])


PEAK_DELAY = 2.0
"""Seconds from a response's onset to its peak."""


def response(time: np.ndarray) -> np.ndarray:
    """A skin conductance response of height 1: t^2 exp(-t), with its peak at 2 s."""
    late = np.maximum(time, 0.0)
    return (late / PEAK_DELAY) ** 2 * np.exp(PEAK_DELAY - late)


def level(time: np.ndarray) -> np.ndarray:
    return 5.0 + 0.3 * np.sin(2 * np.pi * time / 600.0)


def made_eda(rate: float, seconds: float = 300.0, noise: float = 0.0005) -> np.ndarray:
    """uS: a slow level, ten responses, a little noise."""
    time = np.arange(round(seconds * rate)) / rate
    values = level(time) + noise * np.random.default_rng(5).standard_normal(len(time))
    for onset, amplitude in zip(ONSETS, AMPLITUDES, strict=True):
        values += amplitude * response(time - onset)
    return values


def analysed(values: np.ndarray, rate: float, unit: str = "uS", start: float = 0.0) -> EdaAnalysis:
    return analyse_eda(Signal(np.asarray(values, dtype=np.float64), rate, unit, start))


def codes(analysis: EdaAnalysis) -> set[str]:
    return {notice.code for notice in analysis.notices}


@pytest.mark.parametrize("rate", [4.0, 10.0, 32.0, 100.0, 128.0, 800.0, 1000.0])
def test_known_responses_are_found_at_any_rate(rate: float) -> None:
    analysis = analysed(made_eda(rate), rate, start=1000.0)
    assert analysis.notices == ()
    assert analysis.valid.all()
    expected = 1000.0 + ONSETS + PEAK_DELAY
    assert len(analysis.response_times) == len(ONSETS)
    assert np.abs(analysis.response_times - expected).max() < 0.5
    relative = analysis.response_amplitudes / AMPLITUDES
    assert (
        np.abs(relative - 1.0) < np.maximum(0.1, 0.03 / AMPLITUDES)
    ).all()  # the level moves too
    found = responses_per_minute(analysis, 1000.0, 1300.0)
    assert found.per_minute == pytest.approx(2.0)


@pytest.mark.parametrize("rate", [4.0, 100.0, 800.0])
def test_known_level_is_found(rate: float) -> None:
    time = np.arange(round(600 * rate)) / rate
    analysis = analysed(level(time), rate, start=50.0)
    ask = np.arange(0.0, 599.0, 7.0)
    assert np.abs(tonic_at(analysis, 50.0 + ask) - level(ask)).max() < 0.02
    assert np.isnan(tonic_at(analysis, np.array([40.0, 651.0]))).all()
    assert len(analysis.response_times) == 0


def test_level_plus_responses_is_the_cleaned_signal() -> None:
    analysis = analysed(made_eda(50.0), 50.0)
    assert np.allclose(analysis.tonic + analysis.phasic, analysis.cleaned.values)
    assert analysis.tonic.shape == analysis.cleaned.values.shape


def test_cleaning_leaves_the_signal_and_takes_noise_above_three_hertz() -> None:
    rate = 200.0
    time = np.arange(round(300 * rate)) / rate
    hum = 0.2 * np.sin(2 * np.pi * 50.0 * time)
    cleaned = analysed(made_eda(rate, noise=0.0) + hum, rate).cleaned.values
    inner = slice(400, -400)
    assert np.abs(cleaned - made_eda(rate, noise=0.0))[inner].max() < 0.01


def test_responses_agree_with_neurokit_on_its_own_recording(real_data: Path) -> None:
    """Event-related recording: every response of NeuroKit2's (a tenth of the largest) is found."""
    table = np.loadtxt(
        real_data / "neurokit" / "bio_eventrelated_100hz.csv", delimiter=",", skiprows=1
    )
    import neurokit2

    _, theirs = neurokit2.eda_process(table[:, 1], sampling_rate=100)
    ours = analysed(table[:, 1], 100.0).response_times
    for peak in np.asarray(theirs["SCR_Peaks"]) / 100.0:
        assert np.abs(ours - peak).min() < 0.5


@pytest.mark.parametrize("subject", ["S05", "S13", "S25"])
def test_wristbands_are_read_with_their_lost_contacts_masked(real_data: Path, subject: str) -> None:
    """4 Hz; each file begins with one 0.0, and S13 and S25 lose the skin for a second at times."""
    lines = np.loadtxt(real_data / "stress_predict" / subject / "EDA.csv")
    values = lines[2:]
    analysis = analysed(values, lines[1])
    assert analysis.valid.mean() > 0.99
    assert not analysis.valid[values <= 0.0].any()
    assert codes(analysis) == {"W_SATURATED"}
    found = responses_per_minute(analysis, 0.0, 1e6)
    assert found.per_minute is not None
    assert 0.5 < found.per_minute < 20.0  # 1-3 at rest, to 20 in stress (Boucsein)


# P04: saturated, open circuit ---------------------------------------------------------------------


@pytest.mark.parametrize("rate", [4.0, 100.0, 800.0])
@pytest.mark.parametrize("resting", [0.0, -0.002])
def test_P04_an_open_circuit_is_masked(rate: float, resting: float) -> None:
    values = made_eda(rate)
    values[round(100 * rate) : round(160 * rate)] = resting
    analysis = analysed(values, rate)
    bad = np.flatnonzero(~analysis.valid) / rate
    assert bad.min() == pytest.approx(100.0, abs=0.6)
    assert bad.max() == pytest.approx(160.0, abs=0.6)
    (notice,) = analysis.notices
    assert notice.code == "W_SATURATED"
    assert "not on skin" in notice.sentence
    assert np.isnan(tonic_at(analysis, np.array([130.0]))).all()
    assert not ((analysis.response_times > 99) & (analysis.response_times < 161)).any()
    assert tonic_at(analysis, np.array([80.0]))[0] == pytest.approx(5.22, abs=0.06)


@pytest.mark.parametrize("rate", [4.0, 100.0, 800.0])
def test_P04_a_sensor_at_its_maximum_is_masked(rate: float) -> None:
    values = made_eda(rate)
    limit = 5.45
    assert (values > limit).mean() > 0.02
    analysis = analysed(np.minimum(values, limit), rate)
    assert "W_SATURATED" in codes(analysis)
    assert any("sensor saturated or not on skin" in n.sentence for n in analysis.notices)
    held = np.flatnonzero(values > limit) / rate
    for onset in (62.0, 170.0):  # the responses that stay above the limit for more than 2 s
        inside = held[(held > onset) & (held < onset + 10.0)]
        assert np.ptp(inside) > 2.0
        assert not analysis.valid[np.rint(inside * rate).astype(int)].any()
    assert analysis.valid[round(25 * rate) : round(60 * rate)].all()


def test_P04_a_wave_that_peaks_is_not_saturated() -> None:
    coarse = np.round(made_eda(1000.0) / 0.025) * 0.025  # 10 bit: the peak lasts many samples
    assert "W_SATURATED" not in codes(analysed(coarse, 1000.0))


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_P04_nothing_but_an_open_or_dead_sensor_is_rejected(value: float) -> None:
    with pytest.raises(InputError) as refused:
        analysed(np.full(2000, value), 10.0)
    assert refused.value.code == "E_SIGNAL_UNUSABLE"


def test_P01_a_dead_sensor_is_masked_and_a_calm_one_is_not() -> None:
    values = np.round(made_eda(4.0) / 0.001) * 0.001
    values[400:412] = values[400]  # 3 s without a change: a wristband at rest
    assert analysed(values, 4.0).valid.all()
    values[400:480] = values[400]  # 20 s
    analysis = analysed(values, 4.0)
    assert codes(analysis) == {"W_FLAT"}
    assert not analysis.valid[401:479].any()


# P05: units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "convert"),
    [
        ("uS", lambda eda: eda),
        ("µS", lambda eda: eda),
        ("nS", lambda eda: 1e3 * eda),
        ("S", lambda eda: 1e-6 * eda),
        ("kOhm", lambda eda: 1e3 / eda),
        ("MOhm", lambda eda: 1.0 / eda),
    ],
)
def test_P05_stated_units_give_the_same_conductance(unit: str, convert) -> None:  # type: ignore[no-untyped-def]
    values = made_eda(20.0)
    analysis = analysed(convert(values), 20.0, unit)
    assert analysis.cleaned.unit == "uS"
    assert np.allclose(analysis.cleaned.values, analysed(values, 20.0).cleaned.values, atol=1e-6)
    assert len(analysis.response_times) == len(ONSETS)


@pytest.mark.parametrize(
    ("wrong", "unit"),
    [
        (lambda eda: 1e3 * eda, "uS"),  # nS taken for uS
        (lambda eda: eda, "nS"),  # uS taken for nS
        (lambda eda: 1e3 / eda, "uS"),  # kOhm taken for uS
        (lambda eda: np.round(eda / 25.0 * 4095), "uS"),  # 12 bit counts
        (lambda eda: np.round(eda / 25.0 * 65535), "uS"),  # 16 bit counts
        (lambda eda: 1e3 / eda, "Ohm"),  # kOhm taken for Ohm
    ],
)
def test_P05_wrong_units_are_refused(wrong, unit: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as refused:
        analysed(wrong(made_eda(20.0)), 20.0, unit)
    assert refused.value.code == "E_EDA_IMPLAUSIBLE"
    assert "0.01" in refused.value.sentence
    assert "100" in refused.value.sentence
    assert refused.value.remedy


def test_P05_counts_have_no_unit() -> None:
    with pytest.raises(InputError, match="E_UNIT"):
        analysed(made_eda(20.0), 20.0, "counts")


def test_P05_wrong_unit_is_refused_even_with_the_sensor_off_for_long() -> None:
    values = 1e3 * made_eda(20.0)
    values[:4000] = 0.0
    with pytest.raises(InputError, match="E_EDA_IMPLAUSIBLE"):
        analysed(values, 20.0)


@pytest.mark.parametrize("implausible", [0.004, 250.0])
def test_P05_an_implausible_part_is_masked_never_silent(implausible: float) -> None:
    values = made_eda(20.0)
    values[2000:2600] = implausible + 1e-4 * np.sin(np.arange(600))
    analysis = analysed(values, 20.0)
    assert not analysis.valid[2000:2600].any()
    assert analysis.valid[:1980].all()
    assert "W_SATURATED" in codes(analysis)


def test_P05_resistance_at_or_below_zero_is_missing() -> None:
    values = 1e3 / made_eda(20.0)
    values[2000:2600] = 0.0
    analysis = analysed(values, 20.0, "kOhm")
    assert codes(analysis) == {"W_MISSING"}
    assert not analysis.valid[2000:2600].any()


# P07, P21, P22, P29 -------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -9999.0, -32768.0])
def test_P07_missing_samples_in_an_eda(bad: float) -> None:
    values = made_eda(20.0)
    values[2000:2005] = bad  # 0.25 s
    values[3000:4200] = bad  # a minute
    analysis = analysed(values, 20.0)
    assert np.isfinite(analysis.cleaned.values).all()
    assert np.isfinite(analysis.tonic).all()
    assert analysis.valid[2000:2005].all()
    assert np.flatnonzero(~analysis.valid).tolist() == list(range(3000, 4200))
    assert codes(analysis) == {"W_MISSING"}


def test_P07_a_hole_does_not_bend_the_level_beside_it() -> None:
    time = np.arange(6000) / 20.0
    values = level(time)
    values[3000:4200] = np.nan
    found = tonic_at(analysed(values, 20.0), time)
    assert np.nanmax(np.abs(found - level(time))) < 0.02


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 31, 100])
@pytest.mark.parametrize("rate", [0.05, 0.5, 1.0, 4.0, 8.0, 100.0])
def test_P21_tiny_signals_never_break(count: int, rate: float) -> None:
    values = 5.0 + 0.1 * np.sin(np.arange(count))
    try:
        analysis = analysed(values, rate)
    except AffectScopeError as refused:
        assert refused.code == "E_SIGNAL_UNUSABLE"  # noqa: PT017 - either ending is right
        assert count == 0
        return
    assert analysis.tonic.shape == (count,)
    assert np.isfinite(analysis.tonic).all()
    if count / rate < 30.0:
        assert "W_TOO_SHORT" in codes(analysis)
        assert responses_per_minute(analysis, 0.0, 1e6).per_minute is None
    assert responses_per_minute_at(analysis, np.arange(3.0)).shape == (3,)


def test_P21_too_short_for_responses_per_minute_says_so() -> None:
    analysis = analysed(made_eda(20.0), 20.0)
    absent = responses_per_minute(analysis, 100.0, 120.0)
    assert absent.per_minute is None
    assert "20.0 s" in absent.reason
    outside = responses_per_minute(analysis, 1000.0, 1200.0)
    assert outside.per_minute is None


def test_sliding_responses_count_the_window_and_skip_what_is_masked() -> None:
    values = made_eda(20.0)
    values[3000:4200] = np.nan  # 150 to 210 s
    analysis = analysed(values, 20.0)
    found = responses_per_minute_at(analysis, np.array([60.0, 180.0, 270.0, 2000.0]), window=60.0)
    peaks = ONSETS + PEAK_DELAY
    assert found[0] == pytest.approx(((peaks >= 30) & (peaks < 90)).sum())
    assert np.isnan(found[[1, 3]]).all()
    assert found[2] == pytest.approx(((peaks >= 240) & (peaks < 300)).sum())


def test_P22_electrode_rattle_is_masked() -> None:
    rattle = 15.0 * np.random.default_rng(2).standard_normal(6000)
    values = 40.0 + made_eda(100.0)
    values[10000:16000] += rattle
    analysis = analysed(values, 100.0)
    assert "W_NOISE" in codes(analysis)
    assert analysis.valid[10200:15800].mean() < 0.05
    assert analysis.valid[:9700].all()
    with pytest.raises(InputError, match="E_SIGNAL_UNUSABLE"):
        analysed(60.0 + rattle, 100.0)


def test_P29_eda_at_one_hertz_has_a_level_and_no_responses() -> None:
    analysis = analysed(made_eda(1.0), 1.0)
    assert len(analysis.response_times) == 0
    assert "W_LOW_RATE" in codes(analysis)
    absent = responses_per_minute(analysis, 0.0, 300.0)
    assert absent.per_minute is None
    assert "2 Hz" in absent.reason
    assert np.isnan(responses_per_minute_at(analysis, np.array([100.0]))).all()
    assert tonic_at(analysis, np.array([10.0]))[0] == pytest.approx(5.03, abs=0.05)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 3000),
    rate=st.sampled_from([0.5, 4.0, 10.0, 31.0, 64.0, 128.0, 256.3, 1000.0]),
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e9]),
    lost=st.sampled_from([0.0, 0.01, 0.5, 1.0]),
)
def test_P07_any_numbers_end_in_an_analysis_or_a_typed_error(
    seed: int, count: int, rate: float, scale: float, lost: float
) -> None:
    random = np.random.default_rng(seed)
    shapes = [random.standard_normal(count), random.standard_t(1, count),
              np.cumsum(random.standard_normal(count)), random.integers(-2, 3, count),
              np.sign(random.standard_normal(count)), np.zeros(count)]  # fmt: skip
    values = 5.0 + scale * shapes[seed % len(shapes)]
    bad = random.random(count) < lost
    values[bad] = random.choice([np.nan, np.inf, -9999.0, 1e300, 0.0], bad.sum())
    try:
        analysis = analysed(values, rate)
    except AffectScopeError:
        return
    assert np.isfinite(analysis.cleaned.values).all()
    assert analysis.valid.any()
    times = np.array([-5.0, 0.0, 1.0, 10.0, 1e6])
    tonic_at(analysis, times)
    responses_per_minute_at(analysis, times)
    responses_per_minute(analysis, 0.0, 100.0)
    assert np.isfinite(analysis.tonic).all()
    assert (analysis.response_amplitudes >= 0.01).all()


@pytest.mark.parametrize("rate", [4.0, 128.0])
def test_slower_than_keeps_what_is_slow_and_bridges_what_is_masked(rate: float) -> None:
    time = np.arange(round(400 * rate)) / rate
    slow, fast = np.sin(2 * np.pi * 0.01 * time), np.sin(2 * np.pi * 1.0 * time)
    valid = np.ones(len(time), dtype=bool)
    valid[round(180 * rate) : round(190 * rate)] = False
    found = slower_than(0.1, 5.0 + slow + np.where(valid, fast, 100.0), valid, rate)
    inner = valid & (time > 30) & (time < 370) & (np.abs(time - 185) > 30)
    assert np.abs(found - 5.0 - slow)[inner].max() < 0.03
    edges = found[[round(180 * rate) - 1, round(190 * rate)]]
    middle = found[round(185 * rate)]
    assert middle == pytest.approx(edges.mean(), abs=0.02)
    assert slower_than(0.05, 5.0 + slow, valid, rate).shape == time.shape
