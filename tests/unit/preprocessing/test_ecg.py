"""Heartbeats, heart rate and its variability, against annotations, known rhythms and NeuroKit2."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from affectscope.errors import AffectScopeError, InputError
from affectscope.preprocessing.ecg import (
    EcgAnalysis,
    analyse_ecg,
    heart_rate_at,
    heart_rate_variability,
    rmssd_at,
    rr_intervals,
)
from affectscope.preprocessing.rr_intervals import intervals_between
from affectscope.preprocessing.signal_quality import valid_at
from affectscope.records import Signal

RECORDS = ("100", "102", "104", "106", "114", "116", "121", "123")


@cache
def record(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """mV, annotated beats in seconds, Hz."""
    with np.load(folder / "mitbih" / f"{name}.npz") as held:
        rate = float(held["sampling_rate"])
        return held["ecg_mv"].astype(np.float64), held["r_peaks"] / rate, rate


@cache
def record_analysis(folder: Path, name: str) -> EcgAnalysis:
    values, _, rate = record(folder, name)
    return analysed(values, rate)


def analysed(values: np.ndarray, rate: float, unit: str = "mV", start: float = 0.0) -> EcgAnalysis:
    return analyse_ecg(Signal(np.asarray(values, dtype=np.float64), rate, unit, start))


def made_ecg(beats: np.ndarray, seconds: float, rate: float) -> np.ndarray:
    """An ECG in mV with R peaks at known times: P, Q, R, S, T as bells, wander and some noise."""
    time = np.arange(round(seconds * rate)) / rate
    squeeze = np.sqrt(min(1.0, np.diff(beats).mean())) if len(beats) > 1 else 1.0
    bells = (  # offset, amplitude, width; P and T come closer in a fast heart
        (-0.16 * squeeze, 0.12, 0.02 * squeeze),
        (-0.03, -0.10, 0.008),
        (0.0, 1.10, 0.011),
        (0.03, -0.22, 0.010),
        (0.25 * squeeze, 0.25, 0.04 * squeeze),
    )
    values = 0.1 * np.sin(2 * np.pi * 0.21 * time)
    values += 0.01 * np.random.default_rng(7).standard_normal(len(time))
    for beat in beats:
        near = slice(max(0, round((beat - 0.6) * rate)), max(0, round((beat + 0.8) * rate)))
        for offset, amplitude, width in bells:
            values[near] += amplitude * np.exp(-0.5 * ((time[near] - beat - offset) / width) ** 2)
    return values


def steady(heart_rate: float, seconds: float) -> np.ndarray:
    return np.arange(0.4, seconds - 0.3, 60.0 / heart_rate)


def given_beats(peak_times: np.ndarray, seconds: float, rate: float = 1000.0) -> EcgAnalysis:
    """An analysis with chosen beats, for the arithmetic of the measures."""
    count = round(seconds * rate)
    return EcgAnalysis(
        cleaned=Signal(np.zeros(count), rate, "mV", 0.0),
        valid=np.ones(count, dtype=bool),
        peak_times=np.asarray(peak_times, dtype=np.float64),
        inverted=False,
        notices=(),
    )


def matched(found: np.ndarray, known: np.ndarray, tolerance: float) -> int:
    """How many beats pair up one to one, in order, within the tolerance."""
    count = first = second = 0
    while first < len(found) and second < len(known):
        gap = found[first] - known[second]
        count += abs(gap) <= tolerance
        first += gap <= tolerance
        second += gap >= -tolerance
    return count


def codes(analysis: EcgAnalysis) -> set[str]:
    return {notice.code for notice in analysis.notices}


# beats against annotations ------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_beats_of_every_arrhythmia_record(real_data: Path, name: str) -> None:
    """Against all annotated beats of the whole record; masked spans count as missed."""
    _, known, _ = record(real_data, name)
    analysis = record_analysis(real_data, name)
    hits = matched(analysis.peak_times, known, 0.1)
    assert hits / len(known) >= 0.99
    assert hits / len(analysis.peak_times) >= 0.99
    assert analysis.valid.mean() >= 0.99


def test_beats_agree_with_the_devices_own(real_data: Path) -> None:
    """PLUX's software stored the R peaks of the 5 min recording in the same file."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(real_data / "plux" / "ecg_5_min.h5") as held:
        device = held[next(iter(held))]
        counts = device["raw/channel_1"][:, 0].astype(np.float64)
        known = device["plugin/hrv/RR_peaks1"][()] / 1000.0
    found = analysed(((counts / 65536 - 0.5) * 3.0) / 1019 * 1000, 1000.0).peak_times
    assert matched(found, known, 0.02) >= len(known) - 1
    assert len(found) <= len(known) + 1


@pytest.mark.parametrize("rate", [128.0, 250.0, 500.0, 800.0, 1000.0])
def test_beats_of_a_known_rhythm_at_any_rate(rate: float) -> None:
    beats = 0.5 + np.cumsum(0.8 + 0.05 * np.sin(np.arange(70) / 3.0))
    analysis = analysed(made_ecg(beats, 58.0, rate), rate, start=100.0)
    assert len(analysis.peak_times) == (beats < 58.0).sum()
    error = analysis.peak_times - 100.0 - beats[: len(analysis.peak_times)]
    assert np.abs(error).max() <= 1.5 / rate + 0.002
    assert analysis.notices == () or codes(analysis) == {"W_TOO_SHORT"}


def test_cleaned_is_upright_millivolts_at_the_original_rate() -> None:
    values = made_ecg(steady(60.0, 60.0), 60.0, 250.0)
    cleaned = analysed(values + 3.0, 250.0).cleaned
    assert (cleaned.unit, cleaned.sampling_rate, len(cleaned.values)) == ("mV", 250.0, len(values))
    assert abs(np.median(cleaned.values)) < 0.1  # offset and wander are gone
    assert 0.7 < cleaned.values.max() < 1.3


@pytest.mark.parametrize("name", ["100", "102", "104", "114", "116"])
def test_P10_inverted_polarity_gives_the_same_beats(real_data: Path, name: str) -> None:
    values, _, rate = record(real_data, name)
    piece = values[: round(300 * rate)]
    upright, inverted = analysed(piece, rate), analysed(-piece, rate)
    assert upright.inverted != inverted.inverted
    assert len(upright.peak_times) == len(inverted.peak_times)
    assert np.abs(upright.peak_times - inverted.peak_times).max() <= 1.0 / rate
    assert np.allclose(upright.cleaned.values, inverted.cleaned.values)


def test_P10_a_normal_lead_is_not_turned() -> None:
    values = made_ecg(steady(70.0, 30.0), 30.0, 250.0)
    assert not analysed(values, 250.0).inverted
    assert analysed(-values, 250.0).inverted


# units and rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e-3), ("mV", 1.0), ("uV", 1e3)])
def test_P06_right_units_give_the_same_result(unit: str, factor: float) -> None:
    values = made_ecg(steady(66.0, 70.0), 70.0, 250.0)
    analysis = analysed(values * factor, 250.0, unit)
    assert "W_UNIT" not in codes(analysis)
    assert np.allclose(analysis.cleaned.values, analysed(values, 250.0).cleaned.values)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
def test_P06_a_wrong_unit_is_told_and_leaves_the_heart_rate_alone(factor: float) -> None:
    values = made_ecg(steady(66.0, 70.0), 70.0, 250.0)
    right, wrong = analysed(values, 250.0), analysed(values * factor, 250.0)
    assert "W_UNIT" in codes(wrong)
    assert np.array_equal(wrong.peak_times, right.peak_times)


def test_P06_raw_counts_in_millivolts_are_told(real_data: Path) -> None:
    counts = np.loadtxt(real_data / "biosppy" / "ecg.txt")
    assert "W_UNIT" in codes(analysed(counts, 1000.0))


def test_unit_that_is_no_voltage_is_refused() -> None:
    with pytest.raises(InputError, match="E_UNIT"):
        analysed(np.zeros(100), 250.0, "uS")


@pytest.mark.parametrize("factor", [1 / 3, 3.0])
def test_P08_heart_rate_betrays_a_wrong_sampling_rate(factor: float) -> None:
    values = made_ecg(steady(78.0, 120.0), 120.0, 250.0)
    assert "W_SAMPLING_RATE" not in codes(analysed(values, 250.0))
    wrong = analysed(values, 250.0 * factor)
    assert "W_SAMPLING_RATE" in codes(wrong)


@pytest.mark.parametrize("name", ["100", "116", "123"])
def test_P13_eight_bit_ecg_keeps_its_heart_rate(real_data: Path, name: str) -> None:
    values, known, rate = record(real_data, name)
    step = 10.24 / 256
    analysis = analysed(np.round(values[: round(300 * rate)] / step) * step, rate)
    expected = 60.0 / np.diff(known[known < 300.0]).mean()
    found = heart_rate_variability(analysis, 0.0, 300.0).mean_heart_rate
    assert found == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("name", ["100", "102", "106", "116", "121", "123"])
def test_P13_ecg_at_32_hz_keeps_heart_rate_and_loses_variability(
    real_data: Path, name: str
) -> None:
    values, known, _ = record(real_data, name)
    slow = resample_poly(values[: 360 * 300], 4, 45, padtype="line")  # 360 -> 32 Hz
    analysis = analysed(slow, 32.0)
    measures = heart_rate_variability(analysis, 0.0, 300.0)
    expected = 60.0 / np.diff(known[known < 300.0]).mean()
    assert measures.mean_heart_rate == pytest.approx(expected, abs=2.0)
    assert measures.rmssd is None
    assert measures.sdnn is None
    assert "100 Hz" in measures.reason
    assert "W_LOW_RATE" in codes(analysis)
    assert np.isnan(rmssd_at(analysis, np.array([150.0]))).all()


def test_P13_a_small_qrs_at_32_hz_is_read_only_where_it_stands_out(real_data: Path) -> None:
    """At 32 Hz the QRS complexes of record 114 are lower than its T waves for most of the time."""
    values, known, _ = record(real_data, "114")
    analysis = analysed(resample_poly(values, 4, 45, padtype="line"), 32.0)
    assert analysis.valid.mean() < 0.5
    readable = known[valid_at(analysis.valid, analysis.cleaned, known)]
    hits = matched(analysis.peak_times, readable, 0.1)
    assert hits / len(readable) >= 0.95
    assert hits / len(analysis.peak_times) >= 0.95


def test_P13_below_30_hz_no_beats_are_sought(real_data: Path) -> None:
    values, _, _ = record(real_data, "100")
    analysis = analysed(values[: 360 * 60 : 36], 10.0)
    assert len(analysis.peak_times) == 0
    assert "W_LOW_RATE" in codes(analysis)
    assert heart_rate_variability(analysis, 0.0, 60.0).mean_heart_rate is None
    assert np.isnan(heart_rate_at(analysis, np.array([30.0]))).all()


# too short, too slow, too fast --------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 50, 249, 250, 251, 800])
@pytest.mark.parametrize("rate", [1.0, 10.0, 30.0, 250.0, 1000.0])
def test_P21_tiny_signals_never_break(count: int, rate: float) -> None:
    values = made_ecg(steady(60.0, 1000.0)[:5], max(1.0, count / rate), rate)[:count]
    try:
        analysis = analysed(values, rate)
    except AffectScopeError as refused:
        assert refused.code == "E_SIGNAL_UNUSABLE"  # noqa: PT017 - either ending is right
        return
    if count / rate < 10.0:
        assert "W_TOO_SHORT" in codes(analysis)
        assert heart_rate_variability(analysis, 0.0, 1e6).mean_heart_rate is None
        assert np.isnan(heart_rate_at(analysis, np.arange(3.0))).all()


def test_P21_below_ten_seconds_no_heart_rate_below_sixty_no_variability() -> None:
    values = made_ecg(steady(60.0, 90.0), 90.0, 250.0)
    nine = analysed(values[: 250 * 9], 250.0)
    measures = heart_rate_variability(nine, 0.0, 90.0)
    assert (measures.mean_heart_rate, measures.rmssd, measures.sdnn) == (None, None, None)
    assert "9.0 s" in measures.reason
    assert np.isnan(heart_rate_at(nine, np.arange(9.0))).all()
    thirty = analysed(values[: 250 * 30], 250.0)
    measures = heart_rate_variability(thirty, 0.0, 90.0)
    assert measures.mean_heart_rate == pytest.approx(60.0, abs=0.5)
    assert (measures.rmssd, measures.sdnn) == (None, None)
    assert "60 s" in measures.reason
    assert np.isnan(rmssd_at(thirty, np.arange(30.0))).all()
    whole = analysed(values, 250.0)
    assert heart_rate_variability(whole, 0.0, 90.0).reason == ""
    assert heart_rate_variability(whole, 40.0, 49.0).mean_heart_rate is None


@pytest.mark.parametrize("heart_rate", [20.5, 30.0, 45.0, 75.0, 120.0, 180.0, 205.0, 230.0, 245.0])
def test_P28_heart_rates_inside_the_range_are_given(heart_rate: float) -> None:
    analysis = analysed(made_ecg(steady(heart_rate, 90.0), 90.0, 500.0), 500.0)
    found = heart_rate_variability(analysis, 0.0, 90.0).mean_heart_rate
    assert found == pytest.approx(heart_rate, rel=0.01)
    unusual = not 30.0 <= heart_rate <= 220.0
    assert ("W_SAMPLING_RATE" in codes(analysis)) == unusual


@pytest.mark.parametrize("heart_rate", [14.0, 17.0, 265.0, 300.0])
def test_P28_heart_rates_outside_the_range_are_flagged(heart_rate: float) -> None:
    try:
        analysis = analysed(made_ecg(steady(heart_rate, 90.0), 90.0, 500.0), 500.0)
    except InputError as refused:
        assert refused.code == "E_SIGNAL_UNUSABLE"  # noqa: PT017 - either ending is right
        return
    assert heart_rate_variability(analysis, 0.0, 90.0).mean_heart_rate is None
    assert codes(analysis) & {"W_SAMPLING_RATE", "W_NOISE"}


# the arithmetic of the measures -------------------------------------------------------------------


def test_rmssd_and_sdnn_of_a_list_worked_by_hand() -> None:
    """RR 800, 810, 790, 800 ms over and over: differences 10, -20, 10, 0."""
    durations = np.tile([0.800, 0.810, 0.790, 0.800], 20)
    measures = heart_rate_variability(
        given_beats(np.concatenate([[0.0], np.cumsum(durations)]), 65.0), 0.0, 65.0
    )
    assert measures.mean_heart_rate == pytest.approx(75.0)
    # 79 differences: 20 times 10, -20 and 10, 19 times 0
    assert measures.rmssd == pytest.approx(np.sqrt(20 * (100 + 400 + 100) / 79))
    assert measures.sdnn == pytest.approx(np.sqrt(20 * (100 + 100) / 79))
    assert np.allclose(measures.normal_intervals, 1000.0 * durations)
    assert np.allclose(measures.successive_differences, np.tile([10, -20, 10, 0], 20)[:79])


@settings(max_examples=40)
@given(st.lists(st.floats(0.75, 0.85), min_size=90, max_size=140))
def test_measures_agree_with_their_definitions(rr: list[float]) -> None:
    durations = np.array(rr)
    beats = np.concatenate([[0.5], 0.5 + np.cumsum(durations)])
    analysis = given_beats(beats, beats[-1] + 0.5)
    measures = heart_rate_variability(analysis, 0.0, beats[-1] + 1.0)
    assert measures.mean_heart_rate == pytest.approx(60.0 * len(durations) / durations.sum())
    steps = [(b - a) ** 2 for a, b in pairwise(rr)]
    assert measures.rmssd == pytest.approx(1e3 * (sum(steps) / len(steps)) ** 0.5, rel=1e-6)
    mean = sum(rr) / len(rr)
    variance = sum((d - mean) ** 2 for d in rr) / (len(rr) - 1)
    assert measures.sdnn == pytest.approx(1e3 * variance**0.5, rel=1e-6, abs=1e-6)


def test_an_extra_beat_does_not_reach_the_variability() -> None:
    durations = np.tile([0.80, 0.82], 50)
    beats = np.cumsum(durations)
    early = beats.copy()
    early[40] -= 0.3  # an extrasystole with its pause
    normal = heart_rate_variability(given_beats(beats, 85.0), 0.0, 85.0)
    measures = heart_rate_variability(given_beats(early, 85.0), 0.0, 85.0)
    assert measures.rmssd == pytest.approx(normal.rmssd, rel=0.02)
    assert measures.sdnn == pytest.approx(normal.sdnn, rel=0.02)
    assert measures.mean_heart_rate == pytest.approx(normal.mean_heart_rate)


def test_an_irregular_rhythm_has_no_variability(real_data: Path) -> None:
    """Record 106: a quarter of its beats are ventricular."""
    measures = heart_rate_variability(record_analysis(real_data, "106"), 0.0, 1800.0)
    assert measures.mean_heart_rate is not None
    assert (measures.rmssd, measures.sdnn) == (None, None)
    assert "irregular" in measures.reason


def test_heart_rate_follows_the_beats_between_two_rhythms() -> None:
    beats = np.concatenate([np.arange(0.0, 60.0, 1.0), np.arange(60.0, 120.0, 0.5)])
    rate = heart_rate_at(given_beats(beats, 120.0), np.array([-1.0, 30.0, 59.9, 90.0, 119.9]))
    assert rate[1] == pytest.approx(60.0)
    assert rate[3] == pytest.approx(120.0)
    assert 60.0 < rate[2] < 120.0
    assert np.isnan(rate[[0, 4]]).all()  # before the first beat, after the last


def test_heart_rate_is_absent_where_masked_or_between_distant_beats() -> None:
    beats = np.concatenate([np.arange(0.0, 30.0), np.arange(34.0, 60.0)])
    analysis = given_beats(beats, 60.0)
    times = np.array([10.0, 31.0, 49.5])
    assert np.isnan(heart_rate_at(analysis, times)).tolist() == [False, True, False]
    valid = analysis.valid.copy()
    valid[49_300:49_700] = False  # between two beats a second apart
    masked = replace(analysis, valid=valid)
    assert np.isnan(heart_rate_at(masked, times)).tolist() == [False, True, True]


def test_sliding_rmssd_is_that_of_its_window() -> None:
    random = np.random.default_rng(3)
    beats = np.cumsum(0.8 + 0.02 * random.standard_normal(400))
    analysis = given_beats(beats, beats[-1] + 1.0)
    (found,) = rmssd_at(analysis, np.array([150.0]), window=60.0)
    inside = beats[(beats >= 120.0 - 0.5) & (beats <= 180.0 + 0.5)]
    expected = 1e3 * np.sqrt(np.mean(np.diff(np.diff(inside)) ** 2))
    assert found == pytest.approx(expected, rel=0.03)
    assert np.isnan(rmssd_at(analysis, np.array([-40.0, 1e4]))).all()


def test_sliding_rmssd_needs_half_a_minute_of_normal_beats() -> None:
    beats = np.arange(0.0, 200.0, 0.8)
    beats = beats[(beats < 80.0) | (beats > 120.0)]
    found = rmssd_at(given_beats(beats, 200.0), np.array([40.0, 100.0]), window=60.0)
    assert np.isnan(found).tolist() == [False, True]


# against NeuroKit2's own pipeline -----------------------------------------------------------------


def neurokit_rate(values: np.ndarray, rate: int) -> float:
    import neurokit2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its delineation warns about pandas
        signals, _ = neurokit2.ecg_process(values, sampling_rate=rate)
    return float(signals["ECG_Rate"].mean())


@pytest.mark.parametrize("name", ["bio_eventrelated_100hz", "bio_resting_5min_100hz"])
def test_heart_rate_agrees_with_neurokit(real_data: Path, name: str) -> None:
    table = np.loadtxt(real_data / "neurokit" / f"{name}.csv", delimiter=",", skiprows=1)
    values = table[:15000, 0]  # the whole of the first, half of the second: ecg_process is slow
    measures = heart_rate_variability(analysed(values, 100.0), 0.0, 150.0)
    assert measures.mean_heart_rate == pytest.approx(neurokit_rate(values, 100), abs=2.0)


def test_heart_rate_agrees_with_neurokit_on_a_plux_recording(real_data: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(real_data / "plux" / "ecg_5_min.h5") as held:
        counts = held[next(iter(held))]["raw/channel_1"][:, 0].astype(np.float64)
    values = ((counts / 65536 - 0.5) * 3.0) / 1019 * 1000
    measures = heart_rate_variability(analysed(values, 1000.0), 0.0, 60.0)
    assert measures.mean_heart_rate == pytest.approx(neurokit_rate(values[:60000], 1000), abs=2.0)


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
    heart_rate_at(analysis, times)
    rmssd_at(analysis, times)
    heart_rate_variability(analysis, 0.0, 100.0)
    assert valid_at(analysis.valid, analysis.cleaned, analysis.peak_times).all()


def test_intervals_follow_one_another_and_gaps_are_not_plausible() -> None:
    beats = np.array([1.0, 1.8, 2.6, 6.0, 6.8, 7.0, 7.8])
    seen = np.array([True, False, True, True, True, True])
    intervals = intervals_between(beats, seen)
    assert np.array_equal(intervals.starts, beats[:-1])
    assert np.allclose(intervals.durations, np.diff(beats))
    # Not seen; 3.4 s are longer and 0.2 s shorter than any heart beats.
    assert intervals.plausible.tolist() == [True, False, False, True, False, True]
    assert intervals.normal.tolist() == intervals.plausible.tolist()
    for few in (0, 1):
        nothing = intervals_between(beats[:few], np.zeros(0, dtype=bool))
        assert len(nothing.durations) == len(nothing.starts) == len(nothing.pairs) == 0


def test_an_early_beat_is_plausible_and_not_normal() -> None:
    durations = np.full(40, 0.8)
    durations[20], durations[21] = 0.5, 1.1
    intervals = intervals_between(np.cumsum(durations), np.ones(39, dtype=bool))
    assert intervals.plausible.all()
    assert np.flatnonzero(~intervals.normal).tolist() == [19, 20]
    assert np.flatnonzero(~intervals.pairs).tolist() == [18, 19, 20]


def test_intervals_are_between_the_beats_that_were_found(real_data: Path) -> None:
    analysis = record_analysis(real_data, "100")
    intervals = rr_intervals(analysis)
    assert np.array_equal(intervals.starts, analysis.peak_times[:-1])
    assert intervals.plausible.mean() > 0.99
