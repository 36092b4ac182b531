"""Masks, repair and notices, against brute force and hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from affectscope.preprocessing.signal_quality import (
    MISSING,
    Fault,
    bridged,
    mask_notices,
    rail_mask,
    repair,
    rolling_swing,
    runs,
    share_within,
    smallest_step,
    spans,
    swing_mask,
    unusable,
    usable,
    valid_at,
    valid_duration,
    widened,
    without_sentinels,
    without_short_runs,
)
from affectscope.records import Signal

masks = st.lists(st.booleans(), max_size=40).map(lambda bits: np.array(bits, dtype=bool))


def signal(values: np.ndarray, rate: float = 10.0, start: float = 0.0) -> Signal:
    return Signal(np.asarray(values, dtype=np.float64), rate, "mV", start)


def wave(length: int) -> np.ndarray:
    return np.sin(np.arange(length) / 7.0)


@pytest.mark.parametrize("sentinel", [-9999.0, -999.9, 32768.0, -32768.0])
def test_P07_sentinels_are_missing(sentinel: float) -> None:
    values = wave(100)
    values[[3, 50, 51]] = sentinel
    marked = without_sentinels(values)
    assert np.flatnonzero(np.isnan(marked)).tolist() == [3, 50, 51]


def test_P07_a_converter_that_clips_at_0x8000_is_not_missing() -> None:
    values = 20000.0 * wave(400)
    values[100:120] = -32768.0
    assert not np.isnan(without_sentinels(values)).any()


def test_P07_a_number_that_only_looks_like_a_sentinel_within_the_range_is_kept() -> None:
    values = np.linspace(-20000.0, 0.0, 20001)
    assert not np.isnan(without_sentinels(values)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -9999.0])
def test_P07_short_runs_are_interpolated_and_long_ones_masked(bad: float) -> None:
    rate = 100.0
    values = np.arange(1000.0)
    values[200:225] = bad  # 0.25 s
    values[400:426] = bad  # 0.26 s
    repaired = repair(values, rate)
    assert np.allclose(repaired.values, np.arange(1000.0))  # a straight line comes back exactly
    expected = np.ones(1000, dtype=bool)
    expected[400:426] = False
    assert np.array_equal(repaired.valid, expected)


def test_P07_missing_ends_are_masked_and_held() -> None:
    values = np.array([np.nan, 1.0, 2.0, 3.0, np.nan])
    repaired = repair(values, 100.0)
    assert repaired.values.tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]
    assert repaired.valid.tolist() == [False, True, True, True, False]


def test_P07_a_second_that_is_mostly_missing_is_not_made_up_from_crumbs() -> None:
    rate = 100.0
    values = np.arange(1000.0)
    lost = np.arange(300, 600)
    values[lost[lost % 5 != 0]] = np.nan  # every fifth sample of 3 s survives, 40 ms apart
    valid = repair(values, rate).valid
    assert valid[:295].all()
    assert valid[605:].all()
    assert not valid[lost[lost % 5 != 0]][60:-60].any()


def test_P07_numbers_beyond_any_sensor_are_missing() -> None:
    values = np.array([1.0, 1e300, -1e13, 2.0, np.inf])
    assert np.isnan(without_sentinels(values)).tolist() == [False, True, True, False, True]


@pytest.mark.parametrize("bad", [np.nan, -9999.0])
def test_P07_all_missing_gives_no_number(bad: float) -> None:
    repaired = repair(np.full(50, bad), 10.0)
    assert not repaired.valid.any()
    assert np.array_equal(repaired.values, np.zeros(50))


@given(
    values=arrays(np.float64, st.integers(1, 120), elements=st.floats(-1e3, 1e3)),
    data=st.data(),
    rate=st.sampled_from([1.0, 4.0, 16.0, 100.0]),
)
def test_P07_repair_never_invents_validity(
    values: np.ndarray, data: st.DataObject, rate: float
) -> None:
    lost = data.draw(arrays(np.bool_, len(values)))
    values = np.where(lost, np.nan, values)
    repaired = repair(values, rate)
    assert np.isfinite(repaired.values).all()
    measured = np.isfinite(without_sentinels(values))
    assert np.array_equal(repaired.values[measured], values[measured])
    assert repaired.valid[measured].all()
    for start, stop in runs(~measured):
        if (stop - start) / rate > 0.25:
            assert not repaired.valid[start:stop].any()
        if repaired.valid[start:stop].any():  # interpolated: between its neighbours
            low, high = sorted([values[start - 1], values[stop]])
            filled = repaired.values[start:stop]
            assert ((filled >= low - 1e-9) & (filled <= high + 1e-9)).all()


@given(masks, st.integers(1, 9))
def test_windows_over_masks_agree_with_brute_force(mask: np.ndarray, width: int) -> None:
    length = len(mask)
    share = [
        np.mean(mask[max(0, i - width // 2) : max(0, i - width // 2 + width)])
        for i in range(length)
    ]
    assert np.allclose(share_within(mask, width), share)
    grown = [mask[max(0, i - width) : i + width + 1].any() for i in range(length)]
    assert widened(mask, width).tolist() == grown
    found = [tuple(pair) for pair in runs(mask).tolist()]
    rebuilt = np.zeros(length, dtype=bool)
    for start, stop in found:
        rebuilt[start:stop] = True
        assert stop > start
    assert np.array_equal(rebuilt, mask)
    kept = without_short_runs(mask, width)
    assert {tuple(p) for p in runs(kept).tolist()} == {p for p in found if p[1] - p[0] >= width}


@given(
    arrays(np.float64, st.integers(0, 40), elements=st.integers(-3, 3).map(float)),
    st.integers(1, 8),
    st.sampled_from([0.0, 1.0, 2.0]),
)
def test_swing_agrees_with_brute_force(values: np.ndarray, width: int, largest: float) -> None:
    swing = [np.ptp(values[i : i + width]) for i in range(len(values) - width + 1)]
    assert rolling_swing(values, width).tolist() == swing
    expected = np.zeros(len(values), dtype=bool)
    for i, one in enumerate(swing):
        if one <= largest:
            expected[i : i + width] = True
    assert np.array_equal(swing_mask(values, width, largest), expected)


def test_smallest_step_is_the_converters() -> None:
    counts = np.array([5.0, 5.0, 7.0, 8.0, np.nan, 3.0])
    assert smallest_step(0.25 * counts) == 0.25
    assert smallest_step(np.full(9, 3.0)) == 0.0


def test_P03_rails_are_runs_at_the_extremes_entered_at_speed() -> None:
    values = np.clip(10.0 * wave(200), -8.0, 8.0)
    mask = rail_mask(values, 3, step=0.01)
    assert np.array_equal(mask, np.abs(values) == 8.0)


def test_P03_the_rounded_top_of_a_coarse_wave_is_no_rail() -> None:
    coarse = np.round(4.0 * np.sin(np.arange(2000) / 100.0))  # long runs at +-4, one step away
    assert (coarse == 4.0).sum() > 50
    assert not rail_mask(coarse, 3, step=1.0).any()


def test_bridged_draws_straight_lines() -> None:
    valid = np.array([False, True, False, False, True, False])
    values = np.array([9.0, 1.0, 9.0, 9.0, 4.0, 9.0])
    assert bridged(values, valid).tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    assert bridged(values, ~np.ones(6, dtype=bool)) is values


def test_usable_leaves_out_fragments_but_not_a_short_signal() -> None:
    bad = np.zeros(100, dtype=bool)
    bad[40:42] = bad[48:50] = True  # 0.6 s of signal between two faults, at 10 Hz
    valid = usable({MISSING: bad}, 10.0)
    assert np.flatnonzero(~valid).tolist() == list(range(40, 50))
    assert usable({MISSING: np.zeros(4, dtype=bool)}, 10.0).all()


def test_spans_and_durations_are_on_the_session_axis() -> None:
    mask = np.zeros(100, dtype=bool)
    mask[10:20] = mask[50:51] = True
    assert spans(mask, 10.0, 5.0) == [(6.0, 7.0), (10.0, 10.1)]
    recording = signal(np.zeros(100), start=5.0)
    assert valid_duration(~mask, recording, 5.5, 7.5) == pytest.approx(1.0)
    assert valid_duration(~mask, recording, -100.0, 100.0) == pytest.approx(8.9)
    times = np.array([4.0, 5.0, 6.0, 6.9, 7.0, 14.9, 15.2, np.nan])
    assert valid_at(~mask, recording, times).tolist() == [
        False, True, False, False, True, True, False, False,
    ]  # fmt: skip


def test_few_spans_get_a_notice_each_and_close_ones_are_told_together() -> None:
    mask = np.zeros(1000, dtype=bool)
    mask[100:120] = mask[125:150] = mask[500:600] = True
    notices = mask_notices(mask, signal(np.zeros(1000)), fault=Fault("W_FLAT", "is flat"),
                           modality="ecg")  # fmt: skip
    assert [(n.code, n.modality, n.start, n.end) for n in notices] == [
        ("W_FLAT", "ecg", 10.0, 15.0),
        ("W_FLAT", "ecg", 50.0, 60.0),
    ]
    assert notices[0].sentence == "The ECG is flat from 10.00 s to 15.00 s; this span is masked."


def test_hundreds_of_spans_become_one_notice_with_their_total() -> None:
    mask = np.zeros(20000, dtype=bool)
    mask[::50] = True
    mask[7000:7100] = True
    (notice,) = mask_notices(mask, signal(np.zeros(20000)), fault=MISSING, modality="eda")
    assert (notice.start, notice.end) == (0.0, 1995.1)
    assert "398 spans" in notice.sentence
    assert f"{mask.sum() / 10:.1f} s in total" in notice.sentence
    assert "longest lasts 10.1 s, from 700.0 s" in notice.sentence


def test_no_span_no_notice() -> None:
    empty = np.zeros(10, dtype=bool)
    assert mask_notices(empty, signal(np.zeros(10)), fault=MISSING, modality="eda") == ()


def test_P01_the_error_names_the_fault_that_took_most() -> None:
    some, most = np.zeros(10, dtype=bool), np.ones(10, dtype=bool)
    error = unusable({MISSING: some, Fault("W_FLAT", "is flat"): most}, "eda")
    assert error.code == "E_SIGNAL_UNUSABLE"
    assert error.sentence == "The EDA holds no usable span: for 100 % of the time it is flat."
    assert unusable({MISSING: some}, "ecg").sentence.endswith("it is too short.")
