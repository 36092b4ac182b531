"""NumPy files: columns and members as channels; pickles, bombs and damage refused."""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io import numpy_arrays
from affectscope.io.channels import SignalSource
from affectscope.io.numpy_arrays import inspect_npy, inspect_npz, read_npy, read_npz


class Canary:
    """Unpickling this makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def save(path: Path, array: Any, **more: Any) -> Path:
    np.save(path, array, **more)
    return path


def refused(path: Path, source: SignalSource | None = None) -> InputError:
    read = read_npy if path.suffix == ".npy" else read_npz
    with pytest.raises(InputError) as caught:
        read(path, source or SignalSource(1))
    return caught.value


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", ">i4", "uint8"])
def test_columns_are_channels(tmp_path: Path, dtype: str, order: Any) -> None:
    array = np.asarray(np.arange(60).reshape(20, 3), dtype=dtype, order=order)
    path = save(tmp_path / "a.npy", array)
    assert [(c.name, c.samples) for c in inspect_npy(path).channels] == [
        ("1", 20),
        ("2", 20),
        ("3", 20),
    ]
    for column, name in enumerate(("1", "2", "3")):
        values = read_npy(path, SignalSource(name)).values
        np.testing.assert_array_equal(values, np.arange(60.0).reshape(20, 3)[:, column])
        assert values.dtype == np.float64
    flat = save(tmp_path / "flat.npy", array[:, 0])
    np.testing.assert_array_equal(read_npy(flat, SignalSource()).values, np.arange(0, 60, 3))


def test_the_layout_of_the_papers_recorder(tmp_path: Path) -> None:
    """Column 0 ECG, column 1 EDA, last column Unix time, 800 Hz."""
    unix = 1_555_000_000.0 + np.arange(4000) / 800
    array = np.column_stack([np.arange(4000.0), np.ones(4000), unix])
    path = save(tmp_path / "recorder.npy", array)
    data = read_npy(path, SignalSource(1, time_column=3))
    assert data.measured_rate == pytest.approx(800.0, rel=1e-4)
    assert data.unix_start == pytest.approx(1_555_000_000.0)
    lossy = save(tmp_path / "lossy.npy", np.delete(array, np.s_[800:2400], axis=0))
    data = read_npy(lossy, SignalSource(1, time_column=3))
    assert len(data.values) == 4000
    np.testing.assert_array_equal(data.values[2400:], np.arange(2400.0, 4000.0))
    assert np.isnan(data.values[800:2400]).all()
    array[9, 2] = 0.0
    back = save(tmp_path / "back.npy", array)
    assert "row 10" in refused(back, SignalSource(1, time_column=3)).sentence


def test_missing_samples_stay_missing(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.array([1.0, np.nan, np.inf, -np.inf, 2.0]))
    values = read_npy(path, SignalSource()).values
    np.testing.assert_array_equal(values, [1.0, np.nan, np.nan, np.nan, 2.0])


def test_members_are_channels_and_may_state_the_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    both = np.arange(20.0).reshape(10, 2)
    np.savez_compressed(path, ecg=np.arange(10.0), both=both, sampling_rate=360, note=3.0)
    infos = inspect_npz(path).channels
    assert [(c.name, c.sampling_rate) for c in infos] == [
        ("ecg", 360.0),
        ("both.1", 360.0),
        ("both.2", 360.0),
    ]
    data = read_npz(path, SignalSource("both.2"))
    np.testing.assert_array_equal(data.values, both[:, 1])
    assert data.sampling_rate == 360.0
    np.savez(path, ecg=np.arange(10.0), sampling_rate=[1, 2])
    assert refused(path).code == "E_SIGNAL_FILE"


def test_F14_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    objects = np.array([Canary(canary)], dtype=object)
    npy = save(tmp_path / "a.npy", objects, allow_pickle=True)
    npz = tmp_path / "a.npz"
    np.savez(npz, ecg=objects, sampling_rate=objects)
    for path in (npy, npz):
        error = refused(path)
        assert error.code == "E_SIGNAL_FILE"
        assert "pickle" in error.sentence
    assert not canary.exists()


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header("(1000000000000,)") + b"\x00" * 64,  # eight terabytes claimed
        header("(8, 1000000)") + b"\x00" * 64,
        header("(-4,)") + b"\x00" * 64,
        header("(2, 2, 2)") + b"\x00" * 64,
        header("()") + b"\x00" * 8,
        header("(0,)"),
        header("(4,)", "'<c16'") + b"\x00" * 64,
        header("(4,)", "'<U3'") + b"\x00" * 64,
        header("(4,)", "[('a', '<f8')]") + b"\x00" * 64,
        header("(4,)", "'nonsense'") + b"\x00" * 64,
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x09\x09" + b"\x00" * 64,
        b"\x93NUMPY\x01\x00\x10\x00" + b"__import__('os')",
    ],
)
def test_F14_headers_that_lie_are_refused_before_allocation(tmp_path: Path, content: bytes) -> None:
    npy = tmp_path / "a.npy"
    npy.write_bytes(content)
    assert refused(npy).code == "E_SIGNAL_FILE"
    npz = tmp_path / "a.npz"
    with zipfile.ZipFile(npz, "w") as archive:
        archive.writestr("ecg.npy", content)
    assert refused(npz).code in ("E_SIGNAL_FILE", "E_CHANNEL")


def test_F14_a_bomb_is_refused_by_its_claimed_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, ecg=np.zeros(2_000_000))
    assert path.stat().st_size < 20_000
    assert len(read_npz(path, SignalSource()).values) == 2_000_000
    monkeypatch.setattr(numpy_arrays, "MAXIMUM_SAMPLES", 1_000_000)
    assert "16000000 bytes" in refused(path).sentence


def test_F14_damaged_archives_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, ecg=np.random.default_rng(0).normal(size=500), sampling_rate=50.0)
    content = buffer.getvalue()
    path = tmp_path / "a.npz"
    rng = np.random.default_rng(4)
    for _ in range(150):
        damaged = bytearray(content)
        for at in rng.integers(4, len(content), 3):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged[: rng.integers(len(content) // 2, len(content) + 1)])
        with suppress(InputError):  # which always has a code
            read_npz(path, SignalSource(1))


def test_real_mitbih_archives_state_their_rate(real_data: Path) -> None:
    data = read_npz(real_data / "mitbih" / "100.npz", SignalSource("ecg_mv"))
    assert (data.sampling_rate, len(data.values)) == (360.0, 650000)
    with np.load(real_data / "mitbih" / "100.npz") as archive:
        np.testing.assert_array_equal(data.values, archive["ecg_mv"])


@pytest.mark.parametrize("more", [1, 8, 3000])
def test_F14_bytes_that_the_header_does_not_describe_are_refused(tmp_path: Path, more: int) -> None:
    path = save(tmp_path / "a.npy", np.arange(50.0))
    content = path.read_bytes()
    path.write_bytes(content[:300] + bytes(more) + content[300:])
    assert f"{more} bytes longer" in refused(path).sentence
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("ecg.npy", content + bytes(more))
    assert refused(tmp_path / "a.npz").code == "E_SIGNAL_FILE"


def test_F14_a_header_that_python_cannot_take_apart_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.arange(50.0))
    path.write_bytes(path.read_bytes().replace(b"(50,), }", b"(50, (((("))
    assert refused(path).code == "E_SIGNAL_FILE"
