"""Flashes, claps and edges: found where they are, to a part of a frame, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.preprocessing.event_onsets import ClapFinder, flash_onsets, rising_edges
from affectscope.records import FloatArray, Signal

RATE = 25.0


def exposed(flashes: FloatArray, seconds: float, *, length: float, gain: float) -> FloatArray:
    """Mean brightness of each frame of a camera whose exposure fills the frame interval."""
    fine = np.arange(0, seconds, 1 / RATE / 100)
    lit = np.zeros(len(fine))
    for start in flashes:
        lit[(fine >= start) & (fine < start + length)] = gain
    noise = np.random.default_rng(0).normal(0, 0.05, round(seconds * RATE))
    return 80 + lit.reshape(-1, 100).mean(axis=1) + noise


def test_flashes_are_placed_within_the_exposure() -> None:
    truth = np.array([3.013, 11.47, 20.001, 41.239])
    times = np.arange(round(60 * RATE)) / RATE
    found = flash_onsets(times, exposed(truth, 60, length=0.2, gain=5.0))
    assert found.times == pytest.approx(truth, abs=0.003)
    assert found.precision == pytest.approx(0.04 / np.sqrt(12))
    assert found.systematic == pytest.approx(0.02)


def test_cuts_and_lights_that_stay_are_no_flashes() -> None:
    times = np.arange(round(60 * RATE)) / RATE
    brightness = exposed(np.array([]), 60, length=0.2, gain=5.0)
    brightness[500:] += 40
    brightness[900:1000] += 20  # 4 s
    assert len(flash_onsets(times, brightness).times) == 0
    assert len(flash_onsets(times[:3], brightness[:3]).times) == 0


def test_edges_of_a_marker_channel() -> None:
    values = np.zeros(1000)
    values[[*range(100, 120), *range(700, 705)]] = 5.0
    values[710:715] = np.nan
    found = rising_edges(Signal(values, 100.0, "V", 2.0))
    assert found is not None
    assert found.times == pytest.approx([2.995, 8.995])


def test_an_ordinary_signal_is_no_marker_channel() -> None:
    wave = np.sin(np.arange(1000) / 10)
    assert rising_edges(Signal(wave, 100.0, "mV", 0.0)) is None
    flat = rising_edges(Signal(np.zeros(10), 100.0, "V", 0.0))
    assert flat is not None
    assert len(flat.times) == 0


def sound(claps: list[float], seconds: float) -> FloatArray:
    """Mean squares of 2 ms hops: a quiet room, claps, and a hum that swells and stays."""
    generator = np.random.default_rng(1)
    times = np.arange(round(seconds / 0.002)) * 0.002
    power = 1e-6 * generator.uniform(0.5, 2.0, len(times))
    for clap in claps:
        after = times - clap
        power += np.where(after >= 0, 0.05 * np.exp(-np.maximum(after, 0) / 0.01), 0.0)
    power[times > seconds - 2] += 0.01
    return power


@pytest.mark.parametrize("piece", [7, 512, 100_000])
def test_claps_are_found_however_the_sound_is_cut(piece: int) -> None:
    claps = [1.5, 4.25, 7.0]
    power = sound(claps, 12.0)
    finder = ClapFinder(0.002)
    for start in range(0, len(power), piece):
        finder.add(power[start : start + piece], start * 0.002)
    assert finder.onsets.times == pytest.approx(claps, abs=0.004)


def test_only_the_loudest_claps_are_kept_in_bounded_memory() -> None:
    finder = ClapFinder(0.002)
    power = sound([0.5], 3.0)[:500]
    for n in range(150):
        finder.add(power * (1 + n / 100), n * 1.0)
    assert len(finder.onsets.times) == 100
    assert finder.onsets.times.min() >= 49
    assert len(finder._recent) <= 600
