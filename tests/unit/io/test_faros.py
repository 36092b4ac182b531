"""Faros: tables beside a meta.json, plain tables left alone, and the EDF of the same recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import (
    SignalSource,
    inspect_signals,
    read_timed_signal,
    signal_kind,
)

META: dict[str, Any] = {
    "start_time": "2018-10-12 16:54:12",
    "sample_freqs": {"ECG": 500.0, "ACC": 25, "Marker": 1.0},
    "units": {"ECG": "uV", "ACC": "mg"},
}


def folder(path: Path, **changes: Any) -> Path:
    (path / "meta.json").write_text(json.dumps(META | changes))
    (path / "ECG.csv").write_text("ECG\n-2134.0\n-1631.0\n-944.0\n")
    (path / "ACC.csv").write_text("X,Y,Z\n308.5,-645.0,-523.5\n289.0,-668.0,-623.5\n")
    (path / "Marker.csv").write_text("Marker\n0.0\n1.0\n")
    return path


def test_rates_and_units_come_from_meta(tmp_path: Path) -> None:
    folder(tmp_path)
    timed = read_timed_signal(tmp_path / "ECG.csv", SignalSource())
    assert timed.signal.values.tolist() == [-2134.0, -1631.0, -944.0]
    assert (timed.signal.sampling_rate, timed.signal.unit) == (500.0, "uV")
    assert (timed.signal.start_time, timed.unix_start) == (0.0, None)
    assert [n.code for n in timed.notices] == ["W_CLOCK_UNTRUSTED"]
    listed = inspect_signals(tmp_path / "ACC.csv")
    assert [(i.name, i.unit, i.sampling_rate, i.samples) for i in listed.channels] == [
        (axis, "mg", 25.0, 2) for axis in "XYZ"
    ]
    with pytest.raises(InputError, match="E_UNIT"):  # meta.json states none
        read_timed_signal(tmp_path / "Marker.csv", SignalSource())


def test_P08_a_stated_rate_that_meta_contradicts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_SAMPLING_RATE"):
        read_timed_signal(folder(tmp_path) / "ECG.csv", SignalSource(sampling_rate=250.0))


@pytest.mark.parametrize("rate", ["500", None, True, 0, -1.0, float("nan"), float("inf"), [500]])
def test_F24_a_meta_without_a_rate_is_refused(tmp_path: Path, rate: object) -> None:
    path = folder(tmp_path, sample_freqs={"ECG": rate}) / "ECG.csv"
    with pytest.raises(InputError, match="E_SIGNAL_FILE") as caught:
        inspect_signals(path)
    assert "meta.json" in str(caught.value)


@pytest.mark.parametrize(
    "meta",
    [
        "", "{", "[" * 100_000, "[]", "7", '{"sample_freqs": []}', '{"sample_freqs": {"EDA": 4}}',
        '{"start_time": "x"}', "\xff", "1" * 5000, "{}" + " " * (1 << 16),
    ],
)  # fmt: skip
def test_F22_P27_a_table_beside_another_meta_is_plain(tmp_path: Path, meta: str) -> None:
    folder(tmp_path)
    (tmp_path / "meta.json").write_bytes(meta.encode("latin-1"))
    assert signal_kind(tmp_path / "ECG.csv") == "table"


def test_P27_plain_tables_are_not_taken(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "other.csv").write_text("ECG\n1.5\n2.5\n")
    assert signal_kind(tmp_path / "other.csv") == "table"
    (tmp_path / "ECG.csv").write_text("time,ECG\n1.5,2.5\n2.5,3.5\n")
    assert signal_kind(tmp_path / "ECG.csv") == "table"
    folder(tmp_path)
    (tmp_path / "meta.json").unlink()
    assert signal_kind(tmp_path / "ECG.csv") == "table"


def test_F25_a_folder_in_place_of_meta(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "meta.json").unlink()
    (tmp_path / "meta.json").mkdir()
    assert signal_kind(tmp_path / "ECG.csv") == "table"


@pytest.mark.parametrize("rows", ["1,2,3\n1,2\n1,2,3\n", "1,2,3\n1,2,3,4\n1,2,3\n"])
def test_P27_ragged_rows_are_named(tmp_path: Path, rows: str) -> None:
    (folder(tmp_path) / "ACC.csv").write_text(f"X,Y,Z\n{rows}")
    with pytest.raises(InputError, match="E_CSV_SHAPE: Row 3 "):
        read_timed_signal(tmp_path / "ACC.csv", SignalSource("Y"))


def test_P07_words_are_missing_samples(tmp_path: Path) -> None:
    (folder(tmp_path) / "ECG.csv").write_text("ECG\n1.0\nlost\n3.0\n")
    timed = read_timed_signal(tmp_path / "ECG.csv", SignalSource())
    np.testing.assert_array_equal(timed.signal.values, [1.0, np.nan, 3.0])
    assert "W_MISSING" in [n.code for n in timed.notices]


def test_real_folder_and_edf_of_one_recording_agree(real_data: Path) -> None:
    tables, edf = real_data / "faros" / "testdir_read", real_data / "faros" / "testfile_read.EDF"
    pairs = {
        "ECG": ("ECG.csv", None),
        "Accelerometer_Y": ("ACC.csv", "Y"),
        "HRV": ("HRV.csv", None),
    }
    for channel, (name, column) in pairs.items():
        ours = read_timed_signal(tables / name, SignalSource(column)).signal
        theirs = read_timed_signal(edf, SignalSource(channel)).signal
        assert (ours.sampling_rate, ours.unit) == (theirs.sampling_rate, theirs.unit)
        np.testing.assert_allclose(ours.values, theirs.values, atol=0.51)  # the EDF's own steps
