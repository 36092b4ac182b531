"""The pulse in simulated skin colours against known beats. Simulated: no number here is about a
human being."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.preprocessing.face_pulse import (
    PULSE_DELAY,
    Pulse,
    PulseFit,
    align_by_pulse,
    face_pulse,
    skin_colour,
)
from affectscope.records import FloatArray

SECONDS = 150.0


def beats(seed: int) -> FloatArray:
    """Times of R peaks whose intervals breathe and wander."""
    generator = np.random.default_rng([seed, 1])
    intervals, phase, slow = [], generator.uniform(0, 6), 0.0
    while sum(intervals) < SECONDS:
        slow = 0.95 * slow + generator.normal(0, 0.012)
        breath = 0.04 * np.sin(2 * np.pi * 0.25 * sum(intervals) + phase)
        intervals.append(0.82 + breath + slow)
    return np.cumsum(intervals)


def colours(own: FloatArray, seed: int, noise: float) -> tuple[FloatArray, FloatArray]:
    """Skin that darkens 0.22 s after each beat as Wang et al. say, at 25 uneven frames a second,
    in light that wanders."""
    generator = np.random.default_rng([seed, 2])
    times = np.arange(round(SECONDS * 25)) / 25 + generator.uniform(-0.004, 0.004, 3750)
    volume = np.zeros(len(times))
    for beat in own:
        after = times - beat - 0.22
        volume += np.exp(-((after / np.where(after < 0, 0.08, 0.18)) ** 2) / 2)
    light = 1 + 0.02 * np.cumsum(generator.normal(0, 1, len(times))) / np.sqrt(len(times))
    seen = 1 - 0.004 * volume[:, None] * np.array([0.43, 1.0, 0.69])
    values = np.array([150.0, 110.0, 90.0]) * light[:, None] * seen
    return times, values + generator.normal(0, noise, values.shape)


def pulse(own: FloatArray, seed: int, *, noise: float, shift: float = 0.0) -> Pulse:
    times, values = colours(own, seed, noise)
    found = face_pulse(times - shift, values)
    assert found is not None
    return found


def aligned(course: Pulse, own: FloatArray) -> PulseFit | str:
    return align_by_pulse(course, own, furthest=20.0, generator=np.random.default_rng(0))


@pytest.mark.parametrize(("seed", "shift"), [(1, 0.0), (2, 7.31), (3, -12.5)])
def test_the_offset_comes_back_within_its_interval(seed: int, shift: float) -> None:
    found = aligned(pulse(beats(seed), seed, noise=0.2, shift=shift), beats(seed))
    assert isinstance(found, PulseFit), found
    assert abs(found.offset - shift) <= found.uncertainty
    assert (PULSE_DELAY[1] - PULSE_DELAY[0]) / 2 < found.uncertainty < 0.3


def test_another_persons_beats_are_not_aligned() -> None:
    for seed in (11, 12):
        found = aligned(pulse(beats(seed), seed, noise=0.2), beats(seed + 100))
        assert isinstance(found, str)


def test_noise_alone_is_not_aligned() -> None:
    assert isinstance(aligned(pulse(np.array([-9.0]), 4, noise=0.2), beats(4)), str)


def test_a_metronome_fits_at_every_beat_and_is_not_aligned() -> None:
    even = np.arange(1, SECONDS, 0.8)
    assert isinstance(aligned(pulse(even, 5, noise=0.1), even), str)


def test_too_little_is_said_to_be_too_little() -> None:
    times, values = colours(beats(6), 6, 0.2)
    short = face_pulse(times[:1000], values[:1000])
    assert short is not None
    found = aligned(short, beats(6))
    assert isinstance(found, str)
    assert "too little" in found
    assert face_pulse(times[:50], values[:50]) is None
    assert face_pulse(times, np.full_like(values, np.nan)) is None


def test_holes_in_the_face_are_no_pulse() -> None:
    times, values = colours(beats(7), 7, 0.2)
    values[1000:1200] = np.nan
    found = face_pulse(times, values)
    assert found is not None
    seconds = found.start + np.arange(len(found.values)) / found.sampling_rate
    hole = (seconds > 40.1) & (seconds < 47.8)
    assert not found.valid[hole].any()
    assert not found.values[hole].any()
    assert found.valid[~hole].mean() > 0.98


def test_skin_is_forehead_and_cheeks() -> None:
    crops = np.zeros((2, 3, 100, 100), dtype=np.uint8)
    crops[1, :, 22:32, 36:64] = np.array([200, 150, 100], dtype=np.uint8)[:, None, None]
    crops[1, :, 52:66, 26:40] = np.array([200, 150, 100], dtype=np.uint8)[:, None, None]
    crops[1, :, 52:66, 60:74] = np.array([200, 150, 100], dtype=np.uint8)[:, None, None]
    np.testing.assert_array_equal(skin_colour(crops), [[0, 0, 0], [200, 150, 100]])
