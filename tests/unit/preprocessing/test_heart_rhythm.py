"""Rhythms that allow no heart rate variability: real pacemakers and ectopic beats, made-up AF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affectscope.preprocessing.ecg import (
    EcgAnalysis,
    analyse_ecg,
    heart_rate_at,
    heart_rate_variability,
    rmssd_at,
)
from affectscope.preprocessing.heart_rhythm import irregular, is_paced
from affectscope.preprocessing.rr_intervals import RrIntervals, intervals_between
from affectscope.records import Signal

SECONDS = 240.0


def analysed(real_data: Path, record: str) -> EcgAnalysis:
    with np.load(real_data / "mitbih" / f"{record}.npz") as held:
        rate = float(held["sampling_rate"])
        values = held["ecg_mv"][: round(SECONDS * rate)].astype(np.float64)
    return analyse_ecg(Signal(values, rate, "mV", 0.0))


def of_durations(durations: np.ndarray) -> RrIntervals:
    beats = np.cumsum(np.concatenate([[1.0], durations]))
    return intervals_between(beats, np.ones(len(durations), dtype=bool))


@pytest.mark.parametrize(
    ("record", "word"), [("102", "pacemaker"), ("104", "pacemaker"), ("106", "irregular")]
)
def test_P12_paced_and_ectopic_hearts_have_a_rate_and_no_variability(
    real_data: Path, record: str, word: str
) -> None:
    analysis = analysed(real_data, record)
    (notice,) = [n for n in analysis.notices if n.code == "W_RHYTHM"]
    assert word in notice.sentence
    found = heart_rate_variability(analysis, 0.0, SECONDS)
    assert found.mean_heart_rate is not None
    assert (found.rmssd, found.sdnn) == (None, None)
    assert word in found.reason
    times = np.arange(30.0, 200.0)
    assert np.isnan(rmssd_at(analysis, times)).all()
    assert np.isfinite(heart_rate_at(analysis, times)).mean() > 0.9


@pytest.mark.parametrize("record", ["100", "114", "116", "121", "123"])
def test_P12_sinus_rhythm_keeps_its_variability(real_data: Path, record: str) -> None:
    analysis = analysed(real_data, record)
    assert "W_RHYTHM" not in [n.code for n in analysis.notices]
    assert heart_rate_variability(analysis, 0.0, SECONDS).rmssd is not None


@pytest.mark.parametrize("seed", range(4))
def test_P12_irregular_irregularity_is_told(seed: int) -> None:
    """Intervals as of atrial fibrillation: drawn anew each time, of 15 % spread."""
    random = np.random.default_rng(seed)
    durations = np.clip(random.normal(0.75, 0.11, 400), 0.4, 1.2)
    everywhere = np.ones(400, dtype=bool)
    intervals = of_durations(durations)
    assert irregular(intervals, everywhere)
    calm = np.sort(durations[:200])  # the same intervals in order can be foreseen
    assert "fibrillation" not in irregular(of_durations(calm), everywhere[:200])


@pytest.mark.parametrize("beats_per_breath", [3.1, 4.3, 6.0])
def test_P12_breathing_is_no_arrhythmia(beats_per_breath: float) -> None:
    random = np.random.default_rng(1)
    phase = 2 * np.pi * np.arange(400) / beats_per_breath + np.cumsum(0.1 * random.normal(size=400))
    durations = 0.9 + 0.12 * np.sin(phase) + 0.01 * random.normal(size=400)
    assert irregular(of_durations(durations), np.ones(400, dtype=bool)) == ""


def test_P12_spikes_beside_most_beats_are_a_pacemaker() -> None:
    rate = 500.0
    random = np.random.default_rng(2)
    beats = np.round(np.arange(1.0, 58.0, 0.85) * rate).astype(np.int64)
    time = np.arange(round(60 * rate)) / rate
    values = 0.01 * random.standard_normal(len(time))
    for beat in beats / rate:
        values += np.exp(-0.5 * ((time - beat) / 0.02) ** 2)
    assert not is_paced(values, beats, rate)
    values[beats - 60] += 1.0
    assert is_paced(values, beats, rate)
    assert not is_paced(values[::5], beats // 5, rate / 5)  # too slow to see them
    some = values.copy()
    some[beats[::5] - 60] += 1.0
    some[beats - 60] -= 1.0
    assert not is_paced(some, beats, rate)
