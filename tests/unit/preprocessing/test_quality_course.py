"""Quality second by second: it explains the masks, falls with noise, and what is used is right."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from affectscope.errors import InputError
from affectscope.preprocessing.ecg import EcgAnalysis, analyse_ecg, rr_intervals
from affectscope.preprocessing.eda import EdaAnalysis, analyse_eda
from affectscope.preprocessing.quality_course import LIMIT, QualityCourse
from affectscope.records import FloatArray, Signal


def assert_explains(analysis: EcgAnalysis | EdaAnalysis) -> None:
    """A second is used exactly where all its factors reach the limit, and as the mask says."""
    course, signal = analysis.course, analysis.cleaned
    factors = np.array(list(course.factors.values()))
    lowest = np.nanmin(np.where(np.isnan(factors), 1.0, factors), axis=0)
    np.testing.assert_array_equal((lowest >= LIMIT)[course.recorded], course.used[course.recorded])
    assert not course.used[~course.recorded].any()
    assert np.isnan(factors[:, ~course.recorded]).all()
    assert np.nanmin(factors) >= 0
    assert np.nanmax(factors) <= 1
    for second, used, recorded in zip(course.seconds, course.used, course.recorded, strict=True):
        inside = (signal.times >= second - 1e-9) & (signal.times < second + 1 - 1e-9)
        if recorded:
            assert used == (analysis.valid[inside].mean() > 0.5)


def lowest_factor(course: QualityCourse, second: int) -> str:
    return min(course.factors, key=lambda name: course.factors[name][second])


def made_ecg(duration: float, rate: float, seed: int = 0) -> FloatArray:
    """Beats at about 70 per minute with P, QRS and T waves, mV, and a little noise."""
    random = np.random.default_rng(seed)
    beats = 0.4 + np.cumsum(0.85 + 0.04 * random.standard_normal(int(duration * 1.3)))
    time = np.arange(round(duration * rate)) / rate
    ecg = 0.01 * random.standard_normal(len(time))
    for beat in beats[beats < duration - 0.5]:
        for lag, size, width in ((-0.17, 0.1, 0.025), (0.0, 1.0, 0.012), (0.25, 0.25, 0.05)):
            near = slice(*np.searchsorted(time, [beat + lag - 0.3, beat + lag + 0.3]))
            ecg[near] += size * np.exp(-0.5 * ((time[near] - beat - lag) / width) ** 2)
    return ecg


def made_eda(duration: float, rate: float, level: float = 3.0) -> FloatArray:
    time = np.arange(round(duration * rate)) / rate
    random = np.random.default_rng(3)
    return level * (1 + 0.1 * np.sin(time / 9) + 0.02 * random.standard_normal(len(time)))


def noise(kind: str, count: int, rate: float) -> FloatArray:
    """Of variance 1."""
    random = np.random.default_rng(5)
    if kind == "hum":
        return np.sqrt(2) * np.sin(2 * np.pi * 50.0 * np.arange(count) / rate)
    band = {"wander": (0.05, 0.5), "emg": (20.0, min(150.0, 0.45 * rate))}[kind]
    sections = butter(2, band, "band", fs=rate, output="sos")
    made = sosfiltfilt(sections, random.standard_normal(count))
    return np.asarray(made / made.std())


def heart_rate_errors(analysis: EcgAnalysis, beats: FloatArray) -> FloatArray:
    """bpm, for each 10 s: intervals found against known beats in the same time."""
    intervals = rr_intervals(analysis)
    starts = intervals.starts[intervals.plausible]
    lengths = intervals.durations[intervals.plausible]
    errors = []
    for low in np.arange(0.0, analysis.cleaned.end_time - 9.9, 10.0):
        mine = (starts >= low) & (starts < low + 10.0)
        if lengths[mine].sum() >= 5.0:
            ends = starts[mine] + lengths[mine] + 0.1
            known = np.searchsorted(beats, ends) - np.searchsorted(beats, starts[mine] + 0.1)
            errors.append(60 * abs(mine.sum() - known.sum()) / lengths[mine].sum())
    return np.array(errors)


@pytest.mark.parametrize("kind", ["hum", "wander", "emg"])
def test_P11_quality_falls_with_noise_and_the_heart_rate_stays_right(
    real_data: Path, kind: str
) -> None:
    with np.load(real_data / "mitbih" / "100.npz") as held:
        values = held["ecg_mv"][: 60 * 360].astype(np.float64)
        beats = held["r_peaks"] / 360.0
    spread = analyse_ecg(Signal(values, 360.0, "mV", 0.0)).cleaned.values.std()
    qualities, used = [], []
    for snr in (24, 12, 6, 0):
        spoiled = values + noise(kind, len(values), 360.0) * spread / 10 ** (snr / 20)
        analysis = analyse_ecg(Signal(spoiled, 360.0, "mV", 0.0))
        assert_explains(analysis)
        qualities.append(analysis.course.factors["ecg_noise"].mean())
        used.append(analysis.course.used.mean())
        assert heart_rate_errors(analysis, beats).max(initial=0.0) <= 2.0
    assert all(a > b for a, b in pairwise(qualities)), qualities
    assert all(a >= b for a, b in pairwise(used)), used


def test_P11_movement_of_the_electrodes_is_masked_where_it_makes_beats(real_data: Path) -> None:
    """MIT-BIH 118 with recorded electrode motion; the first 40 s are clean in all of them."""
    used, template = [], []
    for name in ("118e24", "118e12", "118e06", "118e00"):
        values = np.loadtxt(real_data / "heartpy" / f"{name}.csv")
        beats = np.loadtxt(real_data / "heartpy" / f"{name}_ann.csv") / 360.0
        analysis = analyse_ecg(Signal(values, 360.0, "mV", 0.0))
        assert_explains(analysis)
        assert analysis.course.used[1:39].all()
        assert heart_rate_errors(analysis, beats).mean() <= 2.0
        used.append(analysis.course.used.mean())
        template.append(analysis.course.factors["ecg_template"].mean())
    for falling in (used, template):
        assert all(a > b for a, b in pairwise(falling)), falling


def test_the_lowest_factor_names_the_fault_of_an_ecg() -> None:
    values = made_ecg(90.0, 250.0)
    values[30 * 250 : 40 * 250] = values[30 * 250]
    values[60 * 250 : 66 * 250] = np.random.default_rng(1).standard_normal(6 * 250)
    values[70 * 250 : 80 * 250] = np.clip(values[70 * 250 : 80 * 250] * 20, -6.0, 6.0)
    analysis = analyse_ecg(Signal(values, 250.0, "mV", 0.0))
    assert_explains(analysis)
    course = analysis.course
    assert not course.used[[35, 63, 75]].any()
    assert lowest_factor(course, 35) == "ecg_flat"
    assert lowest_factor(course, 63) in ("ecg_noise", "ecg_template")
    assert lowest_factor(course, 75) == "ecg_saturation"
    assert course.used[[10, 20, 50]].all()


def test_P30_a_wrist_device_that_is_taken_off_is_masked() -> None:
    """It then reads a little more than nothing: too much to be an open circuit."""
    rate = 4.0
    values = made_eda(240.0, rate)
    off = slice(100 * 4, 170 * 4)
    values[off] = 0.02 + 0.008 * np.random.default_rng(2).standard_normal(70 * 4)
    analysis = analyse_eda(Signal(np.maximum(values, 0.011), rate, "uS", 0.0))
    assert_explains(analysis)
    course = analysis.course
    assert not course.used[101:169].any()
    assert course.used[:97].all()
    assert course.used[173:].all()
    assert {lowest_factor(course, second) for second in range(105, 165)} == {"eda_motion"}
    assert any("taken off" in notice.sentence for notice in analysis.notices)


def test_P30_a_device_that_is_not_put_on_again_stays_masked() -> None:
    values = made_eda(120.0, 4.0)
    values[70 * 4 :] = 0.03
    values[70 * 4 :: 3] += 0.002
    course = analyse_eda(Signal(values, 4.0, "uS", 0.0)).course
    assert not course.used[71:].any()
    assert course.used[:67].all()


def test_a_new_level_after_a_knock_is_used_and_told() -> None:
    values = made_eda(120.0, 4.0)
    values[60 * 4 :] *= 0.3
    course = analyse_eda(Signal(values, 4.0, "uS", 0.0)).course
    assert course.used.all()
    assert course.factors["eda_motion"][60] == LIMIT
    assert np.median(course.factors["eda_motion"]) > 0.9


def test_dry_skin_without_a_fall_is_used() -> None:
    analysis = analyse_eda(Signal(made_eda(120.0, 4.0, level=0.03), 4.0, "uS", 0.0))
    assert analysis.course.used.all()


def test_the_lowest_factor_names_the_fault_of_an_eda() -> None:
    values = made_eda(200.0, 4.0)
    values[40 * 4 : 60 * 4] = 0.0
    values[80 * 4 : 110 * 4] = values[80 * 4]
    values[150 * 4 : 150 * 4 + 2] += 20.0
    analysis = analyse_eda(Signal(values, 4.0, "uS", 0.0))
    assert_explains(analysis)
    course = analysis.course
    assert lowest_factor(course, 50) == "eda_range"
    assert lowest_factor(course, 95) == "eda_flat"
    assert not course.used[150]


@given(
    start=st.floats(-3.0, 500.0),
    rate=st.sampled_from([64.0, 100.0, 250.0]),
    holes=st.lists(st.tuples(st.integers(0, 28), st.floats(0.05, 6.0)), max_size=4),
)
@settings(max_examples=6, deadline=None)
def test_the_course_explains_the_mask_whatever_is_missing(
    start: float, rate: float, holes: list[tuple[int, float]]
) -> None:
    values = made_ecg(30.0, rate)
    for second, length in holes:
        values[round(second * rate) : round((second + length) * rate)] = np.nan
    try:
        analysis = analyse_ecg(Signal(values, rate, "mV", start))
    except InputError:  # nothing is left
        return
    assert_explains(analysis)
    course = analysis.course
    assert course.seconds[0] == np.floor(start)
    assert (np.diff(course.seconds) == 1).all()
