"""What is said of one channel: length, gaps, range, what stands still, what can be used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from affectscope.inspection.channels import (
    PARTS,
    channel_facts,
    envelope,
    modality_of,
    with_quality,
)
from affectscope.io.biosignals import TimedSignal
from affectscope.io.channels import ChannelData, ChannelInfo
from affectscope.records import FloatArray, Signal


def told(values: FloatArray, rate: float = 10.0, start: float = 0.0) -> TimedSignal:
    return TimedSignal(Signal(values, rate, "uS", start), (), None)


def info(values: FloatArray, rate: float | None = None) -> ChannelInfo:
    return ChannelInfo("a", None, rate, len(values))


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        st.integers(1, 3 * PARTS),
        elements=st.floats(-1e9, 1e9) | st.just(float("nan")),
    )
)
def test_an_envelope_holds_every_extreme_and_no_more_parts_than_allowed(values: FloatArray) -> None:
    course = envelope(values, 10.0, 5.0)
    assert len(course.low) == len(course.high) <= PARTS
    assert (course.start, course.end) == (5.0, 5.0 + len(values) / 10.0)
    if np.isnan(values).all():
        assert np.isnan(course.low).all()
    else:
        assert np.nanmin(course.low) == np.nanmin(values)
        assert np.nanmax(course.high) == np.nanmax(values)


def test_gaps_missing_and_flat_shares_and_range() -> None:
    values = np.sin(np.arange(1000.0))
    values[100:150] = np.nan  # 5 s
    values[200:202] = np.nan  # 0.2 s, which an assessment bridges
    values[400:600] = 0.5  # 20 s
    facts = channel_facts(
        info(values), ChannelData(values, measured_rate=10.0), timed=told(values, start=7.0)
    )
    assert facts.gaps == (pytest.approx((17.0, 22.0)),)
    assert facts.missing == pytest.approx(0.052)
    assert facts.flat == pytest.approx(0.2)
    assert (facts.lowest, facts.highest) == (np.nanmin(values), np.nanmax(values))
    assert (facts.duration, facts.samples, facts.start) == (100.0, 1000, 7.0)
    assert (facts.stated_rate, facts.measured_rate) == (None, 10.0)


@pytest.mark.parametrize(
    ("header", "clock", "user", "stated"),
    [
        (250.0, None, None, 250.0),
        (250.0, 256.0, None, 250.0),
        (None, 256.0, None, None),
        (None, 256.0, 250.0, 250.0),
        (None, None, 250.0, 250.0),
    ],
)
def test_P08_stated_and_measured_rates_stay_apart(
    header: float | None, clock: float | None, user: float | None, stated: float | None
) -> None:
    values = np.arange(100.0)
    used = user or header or clock
    assert used is not None
    data = ChannelData(values, header, clock)
    facts = channel_facts(info(values, header or clock), data, timed=told(values, used))
    assert (facts.stated_rate, facts.measured_rate) == (stated, clock)


def test_a_channel_without_a_rate_has_no_times() -> None:
    values = np.arange(100.0)
    facts = channel_facts(info(values), ChannelData(values), timed=None, asked=["sampling rate"])
    assert (facts.duration, facts.flat, facts.gaps) == (None, None, ())
    assert facts.envelope is not None
    assert facts.envelope.end == 100.0
    quality = with_quality(facts, None, "ecg").quality
    assert quality is not None
    assert quality.usable is None
    assert "sampling rate" in quality.reason


def test_channels_without_samples_or_numbers() -> None:
    for values in (np.empty(0), np.full(50, np.nan)):
        facts = channel_facts(info(values), ChannelData(values, 10.0), timed=told(values))
        assert (facts.lowest, facts.highest) == (None, None)
        assert facts.duration == len(values) / 10.0


def test_the_usable_share_is_what_an_assessment_would_use() -> None:
    generator = np.random.default_rng(1)
    level = 4.0 + np.cumsum(generator.normal(0, 0.002, 3000))
    level[1000:1500] = 0.0  # the sensor hangs in the air
    signal = Signal(level, 10.0, "uS", 0.0)
    facts = channel_facts(info(level), ChannelData(level, 10.0, unit="uS"), timed=told(level))
    found = with_quality(facts, signal, "eda")
    assert found.quality is not None
    assert found.quality.usable == pytest.approx(5 / 6, abs=0.01)
    assert "W_SATURATED" in {notice.code for notice in found.notices}
    unusable = with_quality(facts, Signal(np.zeros(3000), 10.0, "uS", 0.0), "eda").quality
    assert unusable is not None
    assert unusable.usable == 0.0
    assert "E_SIGNAL_UNUSABLE" in unusable.reason
    counts = with_quality(facts, Signal(level, 10.0, "raw", 0.0), "eda").quality
    assert counts is not None
    assert counts.usable is None
    assert "E_UNIT" in counts.reason


@pytest.mark.parametrize(
    ("name", "unit", "modality"),
    [
        ("ECG", None, "ecg"),
        ("EKG - ERS100C", "mV", "ecg"),
        ("GSR_Skin", "kOhm", "eda"),
        ("A3", "µS", "eda"),
        ("CH1", "mV", None),
        ("Time", "mS", None),
        ("Joy Evidence", None, None),
    ],
)
def test_ecg_and_eda_are_told_by_name_or_by_a_unit_of_conductance(
    name: str, unit: str | None, modality: str | None
) -> None:
    assert modality_of([name], unit) == modality
