"""Faults and noise in the ECG: what is masked, how exactly, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from affectscope.errors import InputError
from affectscope.preprocessing.ecg import EcgAnalysis, analyse_ecg, heart_rate_variability
from affectscope.records import Signal

RATE = 250.0
NOISES = ("white", "walk", "pink", "emg", "bursts", "hum", "flutter", "motion", "band", "flicker")


def record(real_data: Path, name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """mV, annotated beats in seconds, Hz."""
    with np.load(real_data / "mitbih" / f"{name}.npz") as held:
        rate = float(held["sampling_rate"])
        return held["ecg_mv"].astype(np.float64), held["r_peaks"] / rate, rate


def minute(real_data: Path, name: str = "100", seconds: float = 60.0) -> tuple[np.ndarray, float]:
    values, _, rate = record(real_data, name)
    return values[: round(seconds * rate)].copy(), rate


def analysed(values: np.ndarray, rate: float) -> EcgAnalysis:
    return analyse_ecg(Signal(np.asarray(values, dtype=np.float64), rate, "mV", 0.0))


def masked_span(analysis: EcgAnalysis, code: str) -> tuple[float, float]:
    """From the first to the last masked moment of one kind."""
    found = [n for n in analysis.notices if n.code == code]
    assert found, [n.code for n in analysis.notices]
    return min(n.start for n in found), max(n.end for n in found)  # type: ignore[type-var]


def noise(kind: str, rate: float, seconds: float, seed: int) -> np.ndarray:
    """An artefact-only recording, of unit size."""
    random = np.random.default_rng(seed)
    count = round(rate * seconds)
    time = np.arange(count) / rate
    white = random.standard_normal(count)

    def band(low: float, high: float) -> np.ndarray:
        edges = [low, min(high, 0.45 * rate)]
        return np.asarray(sosfilt(butter(4, edges, "band", fs=rate, output="sos"), white))

    def slow(per_second: float) -> np.ndarray:
        knots = np.arange(0.0, seconds + 1.0, 1.0 / per_second)
        return np.interp(time, knots, random.standard_normal(len(knots)))

    def pink() -> np.ndarray:
        weight = np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / rate), 1 / seconds))
        return np.fft.irfft(np.fft.rfft(white) / weight, count)

    kinds: dict[str, Callable[[], np.ndarray]] = {
        "white": lambda: white,
        "walk": lambda: np.cumsum(white),
        "pink": pink,
        "emg": lambda: band(20.0, 150.0),
        "bursts": lambda: band(20.0, 150.0) * np.abs(slow(1.5)) ** 1.5 + 0.02 * white,
        "hum": lambda: np.sin(2 * np.pi * 50.0 * time) + 0.01 * white,
        "flutter": lambda: np.sin(2 * np.pi * 60.02 * time) * (1 + 0.3 * slow(1.0)),
        "motion": lambda: band(0.5, 8.0),
        "band": lambda: band(5.0, 20.0),
        "flicker": lambda: random.integers(-1, 2, count) * 0.005,
    }
    return kinds[kind]()


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("rate", [100.0, 128.0, 360.0, 800.0])
def test_P22_artefacts_alone_give_no_heart_rate(kind: str, rate: float) -> None:
    for seed in range(3):
        with pytest.raises(InputError) as refused:
            analysed(noise(kind, rate, 60.0, seed), rate)
        assert refused.value.code == "E_SIGNAL_UNUSABLE"


@pytest.mark.parametrize("kind", NOISES)
def test_P22_ten_seconds_of_artefact_give_no_heart_rate(kind: str) -> None:
    for seed in range(5):
        with pytest.raises(InputError, match="E_SIGNAL_UNUSABLE"):
            analysed(noise(kind, RATE, 12.0, seed), RATE)


def test_P22_an_unworn_recorder_gives_no_heart_rate(real_data: Path) -> None:
    """A real recording of hum and handling: ``faros``, 78 s, electrodes not on a person."""
    counts = np.loadtxt(real_data / "faros" / "testdir_read" / "ECG.csv", skiprows=1)
    with pytest.raises(InputError, match="E_SIGNAL_UNUSABLE"):
        analysed(counts / 1000.0, 500.0)


@pytest.mark.parametrize("kind", ["white", "emg", "motion", "walk"])
def test_P22_noise_within_a_recording_is_masked_and_the_rest_kept(
    real_data: Path, kind: str
) -> None:
    values, rate = minute(real_data, seconds=120.0)
    start, stop = round(40 * rate), round(80 * rate)
    amount = 1.0 if kind != "walk" else 0.2
    values[start:stop] = amount * noise(kind, rate, 40.0, 1)[: stop - start]
    analysis = analysed(values, rate)
    low, high = masked_span(analysis, "W_NOISE")
    assert 30.0 <= low <= 50.0
    assert 70.0 <= high <= 90.0
    inside = analysis.valid[round(50 * rate) : round(70 * rate)]
    assert not inside.any()
    assert analysis.valid[: round(30 * rate)].all()
    assert analysis.valid[round(90 * rate) :].all()
    assert not ((analysis.peak_times > 50) & (analysis.peak_times < 70)).any()


@pytest.mark.parametrize("seconds", [1.0, 10.0])
def test_P01_a_flat_span_is_masked_exactly(real_data: Path, seconds: float) -> None:
    values, rate = minute(real_data)
    start, stop = round(20 * rate), round((20 + seconds) * rate)
    values[start:stop] = values[start]
    low, high = masked_span(analysed(values, rate), "W_FLAT")
    assert low == pytest.approx(20.0, abs=0.05)
    assert high == pytest.approx(20.0 + seconds, abs=0.05)


def test_P01_a_flat_line_that_flickers_by_one_step_is_masked(real_data: Path) -> None:
    values, rate = minute(real_data, seconds=180.0)
    start, stop = round(60 * rate), round(120 * rate)
    step = np.diff(np.unique(values)).min()
    values[start:stop] = values[start] + step * np.random.default_rng(0).integers(
        -1, 2, stop - start
    )
    analysis = analysed(values, rate)
    assert masked_span(analysis, "W_FLAT") == (
        pytest.approx(60.0, abs=0.05),
        pytest.approx(120.0, abs=0.05),
    )
    rate_of_rest = heart_rate_variability(analysis, 0.0, 180.0).mean_heart_rate
    untouched, _ = minute(real_data, seconds=180.0)
    expected = heart_rate_variability(analysed(untouched, rate), 0.0, 180.0).mean_heart_rate
    assert rate_of_rest == pytest.approx(expected, abs=2.0)


@pytest.mark.parametrize("flicker", [0.0, 0.005])
def test_P01_an_all_flat_ecg_is_rejected(flicker: float) -> None:
    values = 1.0 + flicker * np.random.default_rng(0).integers(-1, 2, 15000)
    with pytest.raises(InputError) as refused:
        analysed(values, RATE)
    assert refused.value.code == "E_SIGNAL_UNUSABLE"
    assert "flat" in refused.value.sentence


@pytest.mark.parametrize("mains", [50.0, 60.0])
@pytest.mark.parametrize("shape", ["rail", "clipped hum", "hum alone"])
def test_P02_electrode_off_is_masked_within_half_a_second(
    real_data: Path, mains: float, shape: str
) -> None:
    values, rate = minute(real_data)
    start, stop = round(20 * rate), round(35 * rate)
    hum = np.sin(2 * np.pi * mains * np.arange(stop - start) / rate)
    if shape == "rail":
        values[start:stop] = 5.0 + 0.02 * hum
    elif shape == "clipped hum":
        values[start:stop] = np.clip(4.9 + 0.4 * hum, None, 5.0)
    else:
        values[start:stop] = values[start] + 0.8 * hum
    analysis = analysed(values, rate)
    bad = np.flatnonzero(~analysis.valid) / rate
    assert bad.min() == pytest.approx(20.0, abs=0.5)
    assert bad.max() == pytest.approx(35.0, abs=0.5)
    assert not ((analysis.peak_times > 20.0) & (analysis.peak_times < 35.0)).any()
    after = analysis.peak_times[analysis.peak_times > 35.0]
    assert after.min() < 37.0  # the return is seen
    assert len(after) >= 29  # about 75 beats per minute for 25 s


@pytest.mark.parametrize("clipped", [0.05, 0.2, 0.5])
def test_P03_clipped_windows_are_masked(real_data: Path, clipped: float) -> None:
    values, rate = minute(real_data, seconds=120.0)
    with pytest.raises(InputError) as refused:
        analysed(np.minimum(values, np.quantile(values, 1.0 - clipped)), rate)
    assert "clipped" in refused.value.sentence


def test_P03_clipping_at_times_is_masked_where_it_happens(real_data: Path) -> None:
    """Record 116 hits its amplifier's limits three times in half an hour, 0.7 to 1.2 s each."""
    values, _, rate = record(real_data, "116")
    analysis = analysed(values, rate)
    spans = [(n.start, n.end) for n in analysis.notices if n.code == "W_SATURATED"]
    assert len(spans) == 3
    at_limit = (values == values.max()) | (values == values.min())
    runs_at_limit = at_limit & np.roll(at_limit, 1) & np.roll(at_limit, -1)
    assert not analysis.valid[runs_at_limit].any()
    assert sum(end - start for start, end in spans) < 6.0  # type: ignore[operator]


def test_P03_peaks_that_touch_the_maximum_once_are_not_clipped(real_data: Path) -> None:
    values, rate = minute(real_data)
    assert not [n for n in analysed(values, rate).notices if n.code == "W_SATURATED"]


@pytest.mark.parametrize("seconds", [0.2, 5.0])
def test_P07_missing_samples_in_an_ecg(real_data: Path, seconds: float) -> None:
    values, rate = minute(real_data)
    start, stop = round(30 * rate), round((30 + seconds) * rate)
    values[start:stop] = np.nan
    analysis = analysed(values, rate)
    assert np.isfinite(analysis.cleaned.values).all()
    if seconds <= 0.25:
        assert analysis.valid.all()
    else:
        assert masked_span(analysis, "W_MISSING") == (
            pytest.approx(30.0, abs=0.01),
            pytest.approx(35.0, abs=0.01),
        )
        assert not ((analysis.peak_times > 30.0) & (analysis.peak_times < 35.0)).any()


def test_P07_a_masked_hole_does_not_spoil_its_surroundings(real_data: Path) -> None:
    """Rubbish of 300 mV next to a beat: no beat outside it moves or goes missing."""
    values, rate = minute(real_data)
    clean = analysed(values, rate).peak_times
    values[round(30 * rate) : round(34 * rate)] = np.inf
    values[round(34 * rate) :] += 3.0  # and the electrode comes back with another offset
    hurt = analysed(values, rate).peak_times
    outside = clean[(clean < 29.9) | (clean > 34.1)]
    nearest = np.abs(outside[:, None] - hurt[None, :]).min(axis=1)
    assert nearest.max() <= 1.0 / rate + 1e-9
