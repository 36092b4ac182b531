"""The npy files of the paper's authors' recorder: recognised, named, timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import inspect_signals, read_signal, read_timed_signal
from affectscope.io.channels import SignalSource
from affectscope.records import FloatArray

START = 1_555_000_000.0


def recording(rows: int = 1600, rate: float = 800.0, *, unit: float = 1.0) -> FloatArray:
    """ECG, EDA, one more column, Unix time in ``unit`` seconds."""
    count = np.arange(float(rows))
    return np.column_stack([count, 2 + count / 1e4, -count, (START + count / rate) / unit])


def saved(folder: Path, array: Any) -> Path:
    np.save(folder / "recorder.npy", array)
    return folder / "recorder.npy"


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6])
def test_channels_are_named_and_timed_by_the_last_column(tmp_path: Path, unit: float) -> None:
    path = saved(tmp_path, recording(unit=unit))
    file = inspect_signals(path)
    assert [info.name for info in file.channels] == ["ecg", "eda", "3", "unix_time"]
    assert [info.unit for info in file.channels] == [None] * 4
    assert file.time_column == "unix_time"
    assert file.channels[0].sampling_rate == pytest.approx(800.0, rel=1e-3)
    timed = read_timed_signal(path, SignalSource("ecg", unit="mV"))
    np.testing.assert_array_equal(timed.signal.values, np.arange(1600.0))
    assert timed.signal.sampling_rate == pytest.approx(800.0, rel=1e-3)
    assert timed.unix_start == pytest.approx(START, abs=1e-3)
    assert timed.signal.start_time == 0.0
    with pytest.raises(InputError, match="unit"):
        read_signal(path, SignalSource("eda"))


def test_a_gap_keeps_its_length(tmp_path: Path) -> None:
    path = saved(tmp_path, np.delete(recording(4000), np.s_[800:2400], axis=0))
    timed = read_timed_signal(path, SignalSource("ecg", unit="mV"))
    assert len(timed.signal.values) == 4000
    np.testing.assert_array_equal(timed.signal.values[2400:], np.arange(2400.0, 4000.0))
    assert [notice.code for notice in timed.notices] == ["W_MISSING"]


def test_channels_go_by_their_numbers_as_well(tmp_path: Path) -> None:
    path = saved(tmp_path, recording())
    by_name, _ = read_signal(path, SignalSource("eda", unit="uS"))
    for key in (2, "2", "EDA"):
        by_number, _ = read_signal(path, SignalSource(key, unit="uS"))
        np.testing.assert_array_equal(by_number.values, by_name.values)


def test_P16_a_clock_that_goes_back_once_is_told_and_not_used(tmp_path: Path) -> None:
    array = recording()
    array[900, -1] -= 30
    path = saved(tmp_path, array)
    assert [info.name for info in inspect_signals(path).channels][:2] == ["ecg", "eda"]
    _, notices = read_signal(path, SignalSource("ecg", 800.0, "mV"))
    assert "W_TIME_RESET" in {notice.code for notice in notices}


@pytest.mark.parametrize("change", ["two columns", "short stamps", "falling", "constant", "nan"])
def test_other_arrays_stay_nameless(tmp_path: Path, change: str) -> None:
    array = recording()
    if change == "two columns":
        array = array[:, [0, 3]]
    elif change == "short stamps":
        array[:, -1] -= START
    elif change == "falling":
        array = array[::-1]
    elif change == "constant":
        array[:, -1] = START
    else:
        array[0, -1] = np.nan
    file = inspect_signals(saved(tmp_path, array))
    assert file.channels[0].name == "1"
    assert file.time_column is None
