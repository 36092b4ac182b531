"""Samples that are there twice are found; what repeats by nature is not taken for that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.synthetic import affect_labels
from affectscope.datasets.synthetic_signals import draw_body, ecg_values, eda_values
from affectscope.preprocessing.repeated_blocks import repeat_notices, repeated_blocks
from affectscope.records import Labels, Signal

RATE = 100.0


def noise(seconds: float, rate: float = RATE, seed: int = 1) -> np.ndarray:
    """A slow course with the noise of a 12 bit converter."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    return np.round(np.sin(time / 3) * 300 + 20 * random.standard_normal(len(time)))


def real(data: Path) -> list[tuple[str, np.ndarray, float]]:
    found = []
    for path in sorted((data / "mitbih").glob("*.npz"))[:4]:
        with np.load(path) as held:
            values = held["ecg_mv"][:100_000].astype(np.float64)
            found.append((path.stem, values, float(held["sampling_rate"])))
    skins = sorted((data / "stress_predict").glob("S*/EDA.csv"))[::3]
    found += [(path.parent.name, np.loadtxt(path)[2:], 4.0) for path in skins]
    found.append(("biosppy", np.loadtxt(data / "biosppy" / "eda.txt"), 1000.0))
    return found


@pytest.mark.parametrize("at", [0, 1234, 5300])
@pytest.mark.parametrize("later", [0, 2000])
def test_P15_a_copied_stretch_is_found_to_the_sample(at: int, later: int) -> None:
    values = noise(80)
    place = at + 300 + later
    copied = np.concatenate([values[:place], values[at : at + 300], values[place:]])
    (found,) = repeated_blocks(copied, RATE)
    assert abs(found.first - at) <= 2  # neighbours may agree by chance
    assert abs(found.again - place) <= 2
    assert abs(found.length - 300) <= 4


def test_P15_the_notice_gives_the_span_on_the_sessions_axis() -> None:
    values = noise(60)
    doubled = np.concatenate([values[:3000], values[2700:]])
    (notice,) = repeat_notices(Signal(doubled, RATE, "mV", 5.0), "ecg")
    assert notice.code == "W_REPEATED"
    assert notice.start == pytest.approx(35.0, abs=0.05)
    assert notice.end == pytest.approx(38.0, abs=0.05)


def test_P15_many_copies_are_told_in_one_notice() -> None:
    values = noise(300)
    parts = [values[n * 3000 : (n + 1) * 3000] for n in range(10)]
    doubled = np.concatenate([np.concatenate([part, part[-200:]]) for part in parts])
    (notice,) = repeat_notices(Signal(doubled, RATE, "uS", 0.0), "eda")
    assert notice.sentence.startswith("10 stretches of the EDA, 20.")


def test_P15_no_real_recording_has_any_and_copies_in_them_are_found(real_data: Path) -> None:
    random = np.random.default_rng(2)
    missed = []
    for name, values, rate in real(real_data):
        assert repeated_blocks(values, rate) == (), name
        length = max(round(2 * rate), 200)
        at = int(random.integers(0, len(values) - length))
        copied = np.concatenate([values[: at + length], values[at:]])
        if not any(abs(r.again - at - length) <= 64 for r in repeated_blocks(copied, rate)):
            missed.append(name)
    assert len(missed) <= 2, missed


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(20_000),
        np.tile([1.0, 2.0, 3.0, 2.0], 5000),
        np.round(3 * np.sin(np.arange(20_000) / 50)),
        np.sin(2 * np.pi * np.arange(20_000) / 80),
        np.random.default_rng(1).integers(0, 2, 20_000).cumsum() % 2.0,
        np.full(20_000, np.nan),
        np.repeat(np.random.default_rng(1).standard_normal(200), 100),
        np.zeros(10),
    ],
    ids=["flat", "square", "coarse", "sine", "one bit", "missing", "steps", "short"],
)
def test_P15_what_repeats_by_nature_is_no_copy(values: np.ndarray) -> None:
    assert repeated_blocks(values, RATE) == ()


def test_P15_simulated_people_have_none() -> None:
    traits = draw_body(np.random.default_rng(1))
    ends = np.array([0.0, 125.0])
    course = Labels(ends, affect_labels(*np.array([[0.3, 0.3], [0.5, -0.5]])))
    for make, rate in ((ecg_values, 256.0), (eda_values, 32.0)):
        random = np.random.default_rng(4)
        values = make(traits, course, duration=120.0, sampling_rate=rate, generator=random)
        assert repeated_blocks(values, rate) == ()


def test_P15_a_gap_is_no_copy() -> None:
    values = noise(60)
    values[1000:1500] = np.nan
    values[4000:4500] = np.nan
    assert repeated_blocks(values, RATE) == ()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    period=st.integers(1, 900),
    length=st.integers(0, 6000),
    copied=st.integers(0, 2000),
)
def test_P15_any_numbers_give_repeats_that_are_true(
    seed: int, period: int, length: int, copied: int
) -> None:
    """Noise, periodic stretches, copies and holes in any mixture."""
    random = np.random.default_rng(seed)
    values = np.round(random.standard_normal(length) * 50)
    if length > 3 * period:
        start = int(random.integers(0, length - 2 * period))
        values[start:] = np.resize(values[start : start + period], length - start)
    values = np.concatenate([values, values[:copied], np.round(random.standard_normal(50) * 50)])
    values[random.random(len(values)) < 0.001 * (seed % 3)] = np.nan
    for found in repeated_blocks(values, RATE):
        assert found.first + found.length <= found.again
        first, again = (values[at : at + found.length] for at in (found.first, found.again))
        assert found.length >= 100
        np.testing.assert_array_equal(first, again)
