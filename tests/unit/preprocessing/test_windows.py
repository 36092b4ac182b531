"""The windowing: where a window lies, what it holds, and when it may be used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows

PAPER = Preprocessing()
SMALL = Preprocessing(sampling_rate=4.0, window_samples=8, minimum_valid=0.75)


def ramp(seconds: float, start: float = 0.0, rate: float = 128.0) -> NetworkSignal:
    """A signal whose value is the time in seconds since its first sample."""
    count = round(seconds * rate)
    values = (np.arange(count) / rate).astype(np.float32)
    return NetworkSignal(values, np.ones(count, dtype=bool), rate, start)


def test_the_papers_window_is_1000_samples_at_128_hz() -> None:
    assert PAPER.window_samples == 1000
    assert PAPER.sampling_rate == 128.0
    assert PAPER.window_duration == 7.8125
    windows, usable = cut_windows(ramp(60.0), np.array([30.0]), PAPER)
    assert windows.shape == (1, 1, 1000)
    assert windows.dtype == np.float32
    assert usable.tolist() == [True]


@pytest.mark.parametrize("start", [0.0, -250.0, 1234.5])
def test_a_window_is_centred_on_its_frame(start: float) -> None:
    centres = start + np.array([10.0, 25.25, 40.5])
    windows, _ = cut_windows(ramp(60.0, start), centres, PAPER)
    offsets = (np.arange(1000) - 500) / 128.0
    assert np.allclose(windows[:, 0], (centres - start)[:, None] + offsets, atol=1e-5)


def test_a_frame_between_samples_takes_the_nearest() -> None:
    centres = 20.0 + np.linspace(-0.02, 0.02, 41)
    windows, _ = cut_windows(ramp(60.0), centres, PAPER)
    assert np.abs(windows[:, 0, 500] - centres).max() <= 0.5 / 128.0 + 1e-6


def test_the_key_says_where_the_window_lies() -> None:
    key = PAPER.key("P01", "session", 30.0)
    windows, _ = cut_windows(ramp(60.0), np.array([key.centre]), PAPER)
    assert key.centre == pytest.approx(30.0)
    assert windows[0, 0, 0] == pytest.approx(key.onset, abs=1e-5)
    assert key.duration == 7.8125


def test_ends_repeat_the_last_value_and_do_not_count_as_valid() -> None:
    lenient = Preprocessing(minimum_valid=0.0)
    windows, usable = cut_windows(ramp(60.0), np.array([0.0, 59.99]), lenient)
    assert (windows[0, 0, :500] == 0.0).all()
    assert windows[0, 0, 501] > 0.0
    last = np.float32(60.0 - 1.0 / 128.0)
    assert (windows[1, 0, 501:] == last).all()
    assert usable.all()
    # 800 of 1000 samples: a window may reach 200 samples past an end, no more
    edge = np.array([300.0, 299.0]) / 128.0
    assert cut_windows(ramp(60.0), edge, PAPER)[1].tolist() == [True, False]


def test_P20_a_frame_outside_the_signal_has_no_window() -> None:
    lenient = Preprocessing(minimum_valid=0.0)
    centres = np.array([-1e9, -1.0, -0.01, 60.0, 61.0, 1e9, np.nan, np.inf])
    windows, usable = cut_windows(ramp(60.0), centres, lenient)
    assert not usable.any()
    assert not windows.any()


def test_an_unusable_window_is_all_zeros() -> None:
    signal = ramp(60.0)
    signal.valid[25 * 128 : 35 * 128] = False
    windows, usable = cut_windows(signal, np.array([10.0, 30.0, 50.0]), PAPER)
    assert usable.tolist() == [True, False, True]
    assert not windows[1].any()
    assert windows[0].any()


def test_exactly_the_asked_share_is_enough() -> None:
    signal = ramp(60.0)
    signal.valid[3000:3200] = False  # 200 of the window's 1000 samples
    centre = np.array([3100 / 128.0])
    assert cut_windows(signal, centre, PAPER)[1].tolist() == [True]
    signal.valid[3200] = False
    assert cut_windows(signal, centre, PAPER)[1].tolist() == [False]


def test_the_signal_itself_is_left_alone() -> None:
    signal = ramp(60.0)
    signal.valid[:] = False
    before = signal.values.copy()
    cut_windows(signal, np.array([30.0]), PAPER)
    assert np.array_equal(signal.values, before)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_signal_shorter_than_a_window_is_never_usable(count: int) -> None:
    signal = NetworkSignal(np.ones(count, dtype=np.float32), np.ones(count, dtype=bool), 128.0, 0.0)
    windows, usable = cut_windows(signal, np.array([0.0, 0.01]), PAPER)
    assert windows.shape == (2, 1, 1000)
    assert not usable.any()


def test_no_times_no_windows() -> None:
    windows, usable = cut_windows(ramp(60.0), np.empty(0), PAPER)
    assert windows.shape == (0, 1, 1000)
    assert usable.shape == (0,)


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=40),
    data=st.data(),
    positions=st.lists(st.integers(-10, 50), min_size=1, max_size=6),
    start=st.sampled_from([0.0, -3.25, 100.5]),
)
def test_windows_agree_with_a_loop(
    values: list[float], data: st.DataObject, positions: list[int], start: float
) -> None:
    """One sample at a time: padded by the end values, usable by counting."""
    length = len(values)
    valid = np.array(data.draw(st.lists(st.booleans(), min_size=length, max_size=length)))
    signal = NetworkSignal(np.array(values, dtype=np.float32), valid, 4.0, start)
    centres = start + np.array(positions) / 4.0
    windows, usable = cut_windows(signal, centres, SMALL)
    for window, use, position in zip(windows[:, 0], usable, positions, strict=True):
        indices = range(position - 4, position + 4)
        held = [signal.values[min(max(i, 0), length - 1)] for i in indices]
        good = sum(0 <= i < length and bool(valid[i]) for i in indices)
        expected = 0 <= position < length and good / 8 >= 0.75
        assert use == expected
        assert window.tolist() == (held if expected else [0.0] * 8)


@settings(max_examples=50, deadline=None)
@given(st.floats(-20.0, 80.0), st.integers(0, 7680), st.integers(0, 2000))
def test_a_usable_window_holds_enough_valid_samples(centre: float, first: int, length: int) -> None:
    signal = ramp(60.0)
    signal.valid[first : first + length] = False
    windows, usable = cut_windows(signal, np.array([centre]), PAPER)
    if usable[0]:
        assert 0.0 - 0.5 / 128 <= centre <= 60.0
        inside = np.abs(np.arange(7680) / 128.0 - centre) <= 500 / 128.0 + 0.01
        assert signal.valid[inside].sum() >= 800
    else:
        assert not windows.any()


def test_batches_cut_together_or_apart_are_the_same() -> None:
    random = np.random.default_rng(4)
    values = random.random(7680).astype(np.float32)
    signal = NetworkSignal(values, random.random(7680) > 0.15, 128.0, 7.0)
    centres = 7.0 + random.random(50) * 60.0
    together, usable = cut_windows(signal, centres, PAPER)
    apart = [cut_windows(signal, centres[i : i + 1], PAPER) for i in range(50)]
    assert np.array_equal(together, np.concatenate([w for w, _ in apart]))
    assert np.array_equal(usable, np.concatenate([u for _, u in apart]))
