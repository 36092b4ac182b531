"""Exchanged channels: every pair of real recordings, and what only looks like one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.body_analysis import analyse_body
from affectscope.io.biosignals import SignalSource, read_signal
from affectscope.preprocessing.channel_identity import LEAST_OF_A_HEART, heart_share, swap_notices
from affectscope.records import Recording, Signal


def column(values: np.ndarray, rate: float, unit: str, seconds: float = 70.0) -> Signal:
    return Signal(np.asarray(values, dtype=np.float64)[: round(seconds * rate)], rate, unit, 0.0)


def table(path: Path, channel: str | int, rate: float, unit: str) -> Signal:
    return read_signal(path, SignalSource(channel, rate, unit))[0]


def real_ecgs(data: Path) -> dict[str, Signal]:
    found = {}
    for path in sorted((data / "mitbih").glob("*.npz")):
        with np.load(path) as held:
            found[path.stem] = column(held["ecg_mv"], float(held["sampling_rate"]), "mV")
    neurokit = data / "neurokit"
    found["event"] = table(neurokit / "bio_eventrelated_100hz.csv", "ECG", 100.0, "mV")
    found["rest"] = table(neurokit / "bio_resting_5min_100hz.csv", "ECG", 100.0, "mV")
    found["1000"] = table(neurokit / "ecg_1000hz.csv", 1, 1000.0, "mV")
    found["plux"] = read_signal(data / "plux" / "ecg_20_sec_1000_Hz.h5", SignalSource(1))[0]
    found["biosppy"] = column(np.loadtxt(data / "biosppy" / "ecg.txt"), 1000.0, "mV")
    return found


def real_edas(data: Path) -> dict[str, Signal]:
    found = {}
    for path in sorted((data / "stress_predict").glob("S*/EDA.csv")):
        found[path.parent.name] = column(np.loadtxt(path, max_rows=500)[2:], 4.0, "uS")
    neurokit = data / "neurokit" / "bio_eventrelated_100hz.csv"
    found["event"] = table(neurokit, "EDA", 100.0, "uS")
    for name in ("eda_hot_surface", "eda_slow_signal"):
        found[name] = read_signal(data / "plux" / f"{name}.txt", SignalSource(1))[0]
    found["biosppy"] = column(np.loadtxt(data / "biosppy" / "eda.txt"), 1000.0, "uS")
    return found


def test_P09_every_pair_of_real_recordings_is_caught_when_exchanged(real_data: Path) -> None:
    """A pair is judged by each signal's own share, so that all pairs follow from all signals."""
    hearts = {name: heart_share(ecg) for name, ecg in real_ecgs(real_data).items()}
    skins = {name: heart_share(eda) for name, eda in real_edas(real_data).items()}
    assert (len(hearts), len(skins)) == (13, 29)
    assert min(hearts.values()) > 2 * LEAST_OF_A_HEART, hearts
    assert max(skins.values()) == 0.0, skins


@pytest.fixture
def pair() -> tuple[Signal, Signal]:
    """A made-up ECG and EDA at one rate, 60 s."""
    random = np.random.default_rng(3)
    time = np.arange(0, 60, 1 / 250)
    ecg = 0.02 * random.standard_normal(len(time))
    for beat in np.cumsum(0.8 + 0.04 * random.standard_normal(72)):
        ecg += np.exp(-0.5 * ((time - beat) / 0.012) ** 2)
    eda = 4 + 0.3 * np.sin(time / 9) + 0.002 * random.standard_normal(len(time))
    return column(ecg, 250.0, "mV"), column(eda, 250.0, "uS")


def swapped(pair: tuple[Signal, Signal]) -> tuple[Signal, Signal]:
    ecg, eda = pair
    return replace(eda, unit="mV"), replace(ecg, values=ecg.values + 2, unit="uS")


def test_P09_exchanged_channels_are_told_and_not_analysed(pair: tuple[Signal, Signal]) -> None:
    ecg, eda = swapped(pair)
    body = analyse_body(Recording("P01", "t", False, ecg=ecg, eda=eda))
    assert (body.ecg, body.eda) == (None, None)
    told = [(notice.code, notice.modality) for notice in body.notices]
    assert told == [("W_CHANNELS_SWAPPED", "ecg"), ("W_CHANNELS_SWAPPED", "eda")]


def test_P09_right_channels_are_not_told(pair: tuple[Signal, Signal]) -> None:
    assert swap_notices(*pair) == ()
    ecg, eda = pair
    body = analyse_body(Recording("P01", "t", False, ecg=ecg, eda=eda))
    assert body.ecg is not None
    assert body.eda is not None


def test_P09_a_heart_in_the_eda_is_told_without_or_beside_an_ecg(
    pair: tuple[Signal, Signal],
) -> None:
    ecg, _ = pair
    for beside in (None, ecg):
        (notice,) = swap_notices(beside, replace(ecg, unit="uS"))
        assert (notice.code, notice.modality) == ("W_CHANNELS_SWAPPED", "eda")


def test_P09_a_heart_that_leaks_into_the_skin_is_no_ecg(pair: tuple[Signal, Signal]) -> None:
    ecg, eda = pair
    leaking = replace(eda, values=eda.values + 0.02 * ecg.values)
    assert heart_share(leaking) == 0.0
    assert heart_share(ecg) > LEAST_OF_A_HEART


def test_P09_below_30_hz_and_below_ten_seconds_nothing_is_told(pair: tuple[Signal, Signal]) -> None:
    ecg, _ = pair
    assert heart_share(replace(ecg, sampling_rate=4.0)) == 0.0
    assert swap_notices(None, column(ecg.values, 250.0, "uS", 9.0)) == ()
