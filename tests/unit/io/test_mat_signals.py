"""MATLAB files as signals: what is a channel, and which rate, unit and clock are its own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import AffectScopeError, InputError
from affectscope.io.biosignals import inspect_signals, read_signal, read_timed_signal, signal_kind
from affectscope.io.channels import SignalSource

ECG = np.sin(np.arange(2000) / 7.0)
EDA = np.linspace(2.0, 5.0, 2000)


def saved(folder: Path, variables: dict[str, Any], **options: Any) -> Path:
    path = folder / "session.mat"
    scipy.io.savemat(path, variables, **options)
    return path


def saved_as_hdf5(folder: Path, variables: dict[str, Any]) -> Path:
    """A v7.3 file as MATLAB lays it out: 512 bytes of text, then HDF5 with transposed arrays."""
    path = folder / "session.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if isinstance(value, str):
                item = file.create_dataset(name, data=np.array([[ord(c)] for c in value], "u2"))
                item.attrs["MATLAB_class"] = np.bytes_("char")
            else:
                item = file.create_dataset(name, data=np.atleast_2d(value).T)
                item.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def rates(path: Path) -> dict[str, float | None]:
    return {info.name: info.sampling_rate for info in inspect_signals(path).channels}


def units(path: Path) -> dict[str, str | None]:
    return {info.name: info.unit for info in inspect_signals(path).channels}


def code_of(path: Path, source: SignalSource) -> str:
    with pytest.raises(AffectScopeError) as caught:
        read_signal(path, source)
    return caught.value.code


@pytest.mark.parametrize("level", ["4", "5", "7.3"])
def test_F12_every_version_gives_the_same_signal(tmp_path: Path, level: str) -> None:
    variables = {"ecg": ECG, "eda": EDA, "fs": 250.0, "ecg_unit": "mV", "eda_unit": "uS"}
    if level == "7.3":
        path = saved_as_hdf5(tmp_path, variables)
    else:
        path = saved(tmp_path, variables, format=level)
    assert signal_kind(path) == "mat"
    file = inspect_signals(path)
    assert {(c.name, c.unit, c.sampling_rate, c.samples) for c in file.channels} == {
        ("ecg", "mV", 250.0, 2000),
        ("eda", "uS", 250.0, 2000),
    }
    signal, notices = read_signal(path, SignalSource("ecg"))
    np.testing.assert_array_equal(signal.values, ECG)
    assert (signal.sampling_rate, signal.unit, notices) == (250.0, "mV", ())


def test_F12_an_object_in_the_file_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, {"ecg": ECG, "s": scipy.sparse.csc_matrix(np.eye(3))})
    with pytest.raises(InputError, match="'s'") as caught:
        inspect_signals(path)
    assert caught.value.code == "E_MAT_TYPE"


def test_fields_of_structs_are_channels_with_the_nearest_rate(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        {
            "person": {"ecg": {"data": ECG, "srate": 500.0}, "eda": {"data": EDA[:100]}},
            "Fs": 100.0,
        },
    )
    assert rates(path) == {"person.ecg.data": 500.0, "person.eda.data": None}
    assert code_of(path, SignalSource("person.eda.data", unit="uS")) == "E_SAMPLING_RATE"
    signal, _ = read_signal(path, SignalSource("person.eda.data", 50.0, "uS"))
    np.testing.assert_array_equal(signal.values, EDA[:100])


def test_columns_of_a_matrix_are_channels_along_its_longer_axis(tmp_path: Path) -> None:
    path = saved(tmp_path, {"data": np.column_stack([ECG, EDA]), "wide": np.stack([EDA, ECG, ECG])})
    assert list(rates(path)) == ["data.1", "data.2", "wide.1", "wide.2", "wide.3"]
    signal, _ = read_signal(path, SignalSource("wide.1", 10.0, "uS"))
    np.testing.assert_array_equal(signal.values, EDA)


def test_the_export_of_acqknowledge_names_times_and_measures_its_columns(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        {
            "data": np.column_stack([ECG, EDA]),
            "isi": 0.5,
            "isi_units": "ms",
            "labels": np.array(["ECG100C", "GSR100C"]),
            "units": np.array(["mV       ", "microsiemens"]),
        },
    )
    assert rates(path) == {"data.ECG100C": 2000.0, "data.GSR100C": 2000.0}
    assert units(path) == {"data.ECG100C": "mV", "data.GSR100C": "microsiemens"}
    assert read_signal(path, SignalSource("data.2"))[0].unit == "microsiemens"


@pytest.mark.parametrize(
    "more",
    [
        {"fs": 250.0, "eda": EDA[:50]},  # one rate beside channels of different lengths
        {"fs": 250.0, "srate": 500.0},
        {"fs": 0.0},
        {"fs": np.nan},
        {},
    ],
)
def test_a_rate_that_is_not_certain_is_asked(tmp_path: Path, more: dict[str, Any]) -> None:
    path = saved(tmp_path, {"ecg": ECG, **more})
    assert rates(path)["ecg"] is None
    assert code_of(path, SignalSource("ecg", unit="mV")) == "E_SAMPLING_RATE"


def test_a_channels_own_rate_wins_over_the_files(tmp_path: Path) -> None:
    path = saved(tmp_path, {"ecg": ECG, "eda": EDA[:50], "ecg_fs": 1000, "fs_eda": 25, "Fs": 1})
    assert rates(path) == {"ecg": 1000.0, "eda": 25.0}


def test_one_unit_for_several_channels_is_asked(tmp_path: Path) -> None:
    path = saved(tmp_path, {"ecg": ECG, "eda": EDA, "units": "mV", "fs": 250.0})
    assert units(path) == {"ecg": None, "eda": None}
    assert code_of(path, SignalSource("ecg")) == "E_UNIT"
    alone = saved(tmp_path, {"ecg": ECG, "time": np.arange(2000.0), "units": "mV"})
    assert units(alone)["ecg"] == "mV"


def test_a_time_vector_gives_rate_start_and_gaps(tmp_path: Path) -> None:
    unix = 1_600_000_000.0 + np.arange(2500) / 250
    kept = np.r_[0:500, 1000:2500]
    path = saved(tmp_path, {"ecg": ECG, "time": unix[kept]})
    file = inspect_signals(path)
    assert file.time_column == "time"
    assert rates(path)["ecg"] == pytest.approx(250.0, rel=1e-3)
    timed = read_timed_signal(path, SignalSource("ecg", unit="mV"))
    assert timed.unix_start == pytest.approx(1_600_000_000.0)
    assert len(timed.signal.values) == 2500
    np.testing.assert_array_equal(timed.signal.values[1000:], ECG[500:])
    assert np.isnan(timed.signal.values[500:1000]).all()
    assert [notice.code for notice in timed.notices] == ["W_MISSING"]


def test_of_several_time_vectors_only_the_channels_own_is_its_clock(tmp_path: Path) -> None:
    clocks = {"t_ecg_ms": np.arange(2000) * 4.0, "t_eda_ms": np.arange(2000) * 10.0}
    path = saved(tmp_path, {"ecg": ECG, "eda": EDA, "other": EDA, **clocks})
    found = rates(path)
    assert found["ecg"] == pytest.approx(250.0)
    assert found["eda"] == pytest.approx(100.0)
    assert found["other"] is None
    signal, _ = read_signal(path, SignalSource("other", unit="uS", time_column="t_eda_ms"))
    assert signal.sampling_rate == pytest.approx(100.0)


def test_thousands_of_channels_take_no_long_time_and_more_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, {"data": np.zeros((4096, 4096), np.int8), "fs": 10.0})
    assert len(inspect_signals(path).channels) == 4096
    many = saved(tmp_path, {"data": np.zeros((4097, 4097), np.int8)})
    assert code_of(many, SignalSource(1, 10.0, "mV")) == "E_FILE_LIMIT"


def test_what_is_no_signal_is_told(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        {"ecg": ECG, "flags": ECG > 0, "spectrum": ECG + 1j, "cube": np.zeros((2, 3, 4))},
    )
    file = inspect_signals(path)
    assert [info.name for info in file.channels] == ["ecg"]
    (notice,) = file.notices
    assert notice.code == "W_LEFT_OUT"
    assert all(name in notice.sentence for name in ("flags", "spectrum", "cube"))


def test_a_file_without_signals_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    assert code_of(saved(tmp_path, {"word": "ECG", "fs": 100.0}), SignalSource()) == "E_SIGNAL_FILE"
    table = tmp_path / "table.mat"
    table.write_text("ECG\n0.5\n0.6\n")
    assert code_of(table, SignalSource()) == "E_TYPE_MISMATCH"
    array = tmp_path / "array.mat"
    array.write_bytes(b"\x93NUMPY\x01\x00")
    assert code_of(array, SignalSource()) == "E_TYPE_MISMATCH"


def test_missing_values_stay_missing_and_integers_become_numbers(tmp_path: Path) -> None:
    counts = np.arange(100, dtype=np.int16)
    holed = np.where(counts % 10 == 0, np.inf, counts)
    path = saved(tmp_path, {"counts": counts, "holed": holed})
    signal, _ = read_signal(path, SignalSource("counts", 10.0, "raw"))
    np.testing.assert_array_equal(signal.values, np.arange(100.0))
    signal, notices = read_signal(path, SignalSource("holed", 10.0, "mV"))
    assert np.isnan(signal.values).sum() == 10
    assert [notice.code for notice in notices] == ["W_MISSING"]


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 600), st.booleans())
def test_F12_damage_gives_a_typed_error_or_a_signal(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, cut: bool
) -> None:
    path = saved(tmp_path_factory.mktemp("mat"), {"ecg": ECG[:40], "fs": 250.0, "unit": "mV"})
    content = path.read_bytes()
    at = min(at, len(content))
    path.write_bytes(content[:at] + noise + (b"" if cut else content[at + len(noise) :]))
    with suppress(AffectScopeError):  # any other exception fails
        assert inspect_signals(path).channels
        assert read_signal(path, SignalSource(1, 250.0, "mV"))[0].sampling_rate == 250.0
