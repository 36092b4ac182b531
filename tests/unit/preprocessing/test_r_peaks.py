"""R peaks are NeuroKit2's, to the sample: on real records, on noise, and where there are none."""

from __future__ import annotations

import warnings
from pathlib import Path

import neurokit2
import numpy as np
import pytest

from affectscope.preprocessing.r_peaks import r_peaks


def neurokits(cleaned: np.ndarray, rate: float, delay: float) -> list[int]:
    with warnings.catch_warnings():
        # Without a complete QRS complex it averages an empty list, and then finds no beat.
        warnings.filterwarnings("ignore", "Mean of empty slice|invalid value", RuntimeWarning)
        found = neurokit2.ecg_findpeaks(cleaned, sampling_rate=rate, mindelay=delay)
    return np.asarray(found["ECG_R_Peaks"], dtype=int).tolist()


@pytest.mark.parametrize("name", ["100", "106", "114", "123"])
@pytest.mark.parametrize("delay", [0.18, 0.3])
def test_real_beats(real_data: Path, name: str, delay: float) -> None:
    with np.load(real_data / "mitbih" / f"{name}.npz") as held:
        values, rate = held["ecg_mv"][:108_000].astype(np.float64), float(held["sampling_rate"])
    cleaned = neurokit2.ecg_clean(values, sampling_rate=rate)
    expected = neurokits(cleaned, rate, delay)
    assert len(expected) > 200
    assert r_peaks(cleaned, rate, minimum_delay=delay).tolist() == expected


@pytest.mark.parametrize("rate", [100.0, 128.0, 360.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_and_coarse_steps(rate: float, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(round(60 * rate))
    for values in (noise, np.round(noise), np.round(np.cumsum(noise) / 5), np.abs(noise) ** 3):
        assert r_peaks(values, rate, minimum_delay=0.18).tolist() == neurokits(values, rate, 0.18)


def test_nothing_to_find() -> None:
    for values in (np.zeros(500), np.ones(500), np.linspace(0, 1, 500), np.eye(1, 500, 499)[0]):
        assert r_peaks(values, 100.0, minimum_delay=0.18).tolist() == []
        assert neurokits(values, 100.0, 0.18) == []
