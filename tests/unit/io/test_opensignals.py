"""OpenSignals files: transfer functions, several devices, packet counters, damaged headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, Gap, SignalSource
from affectscope.io.opensignals import (
    inspect_opensignals_h5,
    inspect_opensignals_text,
    read_opensignals_h5,
    read_opensignals_text,
)
from affectscope.io.timeline import counter_timeline, place

HUB = "00:07:80:00:00:01"
BITALINO = "20:16:11:00:00:02"


def device(model: str, sensors: list[str], bits: list[int], **more: Any) -> dict[str, Any]:
    labels = [f"CH{n}" for n in range(1, len(sensors) + 1)]
    return {
        "sensor": sensors,
        "column": ["nSeq", "DI", *labels],
        "label": labels,
        "channels": list(range(1, len(sensors) + 1)),
        "device": model,
        "sampling rate": 1000,
        "resolution": bits,
        **more,
    }


def write_text(path: Path, header: dict[str, Any], rows: np.ndarray) -> Path:
    lines = ["# OpenSignals Text File Format", f"# {json.dumps(header)}", "# EndOfHeader"]
    lines += ["\t".join(str(int(cell)) for cell in row) + "\t" for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_h5(path: Path, counter: np.ndarray, counts: np.ndarray, **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group(HUB)
        stated = {
            "channels": np.array([1]),
            "device": "biosignalsplux",
            "resolution": np.array([16]),
            "sampling rate": 100,
            "duration": f"{len(counts) // 100}s",
        }
        group.attrs.update(stated | attributes)
        raw = group.create_group("raw")
        raw.create_dataset("nSeq", data=counter[:, None])
        channel = raw.create_dataset("channel_1", data=counts[:, None])
        channel.attrs.update({"label": "CH1", "sensor": "ECG"})
    return path


def one_channel(folder: Path, header: dict[str, Any], count: int) -> ChannelData:
    rows = np.array([[n, 0, count] for n in range(4)])
    return read_opensignals_text(write_text(folder / "one.txt", header, rows), SignalSource("CH1"))


@pytest.mark.parametrize(
    ("model", "sensor", "bits", "count", "unit", "value"),
    [
        # data sheets: a biosignalsplux ECG spans +-1.5 V / 1019 = +-1.472 mV, its EDA 0 to 25 uS
        ("biosignalsplux", "ECG", 16, 0, "mV", -1.4720314),
        ("channeller", "ECG", 16, 49152, "mV", 0.7360157),
        ("biosignalsplux", "ECG", 8, 128, "mV", 0.0),
        ("biosignalsplux", "EDA", 16, 32768, "uS", 12.5),
        # BITalino (r)evolution: ECG +-1.5 mV, EDA 0 to 25 uS
        ("bitalino_rev", "ECGBITREV", 10, 1023, "mV", 1.4970703),
        ("bitalino_rev", "EDABITREV", 10, 512, "uS", 12.5),
        ("bitalino_rev", "EDABITREV", 6, 16, "uS", 6.25),
        # BITalino of 2013: resistance 1 - adc / 2^n in MOhm
        ("bitalino", "EDABIT", 10, 512, "uS", 2.0),
        ("bitalino", "ECGBIT", 10, 512, "mV", 0.0),
        ("biosignalsplux", "BVP", 16, 777, "raw", 777.0),
        ("unheard_of", "ECG", 16, 777, "raw", 777.0),
    ],
)
def test_P05_counts_become_physical_units_where_the_sensor_is_known(
    tmp_path: Path, model: str, sensor: str, bits: int, count: int, unit: str, value: float
) -> None:
    data = one_channel(tmp_path, {HUB: device(model, [sensor], [bits])}, count)
    assert data.unit == unit
    np.testing.assert_allclose(data.values, value, rtol=1e-6, atol=1e-12)
    assert data.sampling_rate == 1000.0
    assert ("W_UNIT" in [notice.code for notice in data.notices]) == (unit == "raw")


def test_several_devices_and_channels_by_label_sensor_or_number(tmp_path: Path) -> None:
    hub = device("biosignalsplux", ["ECG", "EDA"], [16, 16])
    bitalino = device("bitalino_rev", ["EDABITREV"], [4, 1, 10])
    rows = np.array([[n, 0, 32768, 16384, n % 16, 1, 256] for n in range(20)])
    path = write_text(tmp_path / "two.txt", {HUB: hub, BITALINO: bitalino}, rows)
    infos = inspect_opensignals_text(path).channels
    assert [info.name for info in infos] == [f"{HUB}/CH1", f"{HUB}/CH2", f"{BITALINO}/CH1"]
    assert [info.unit for info in infos] == ["mV", "uS", "uS"]
    for channel, value in {"ECG": 0.0, "EDA": 6.25, "EDABITREV": 6.25, 3: 6.25}.items():
        data = read_opensignals_text(path, SignalSource(channel))
        np.testing.assert_allclose(data.values, value)
        assert data.gaps == ()
    with pytest.raises(InputError, match="E_CHANNEL: 2 channels"):
        read_opensignals_text(path, SignalSource("CH1"))


# --- packet counters (P14, P32) -------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    bits=st.sampled_from([4, 8, 16]),
    first=st.integers(0, 65535),
    runs=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    losses=st.lists(st.integers(1, 14), min_size=5, max_size=5),
)
def test_P14_lost_packets_are_found_and_stay_in_place(
    bits: int, first: int, runs: list[int], losses: list[int]
) -> None:
    """Delete known blocks from a counted signal: everything kept returns to its own index."""
    kept: list[int] = []
    position = 0
    for run, loss in zip(runs, losses, strict=False):
        kept += range(position, position + run)
        position += run + loss
    index = np.array(kept)
    timeline = counter_timeline((first + index) % (1 << bits), bits)
    filled = place(index.astype(np.float64), timeline.gaps)
    assert len(filled) == index[-1] + 1
    np.testing.assert_array_equal(filled[index], index)
    assert np.isnan(np.delete(filled, index)).all()


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_P32_a_wrapping_counter_is_no_gap(bits: int) -> None:
    counter = np.arange(3 * (1 << bits) + 7) % (1 << bits)
    for stated in (bits, None):
        timeline = counter_timeline(counter, stated)
        assert timeline.gaps == ()
        assert timeline.jumps == ()


def test_P32_a_counter_that_stops_at_its_top_is_no_gap() -> None:
    timeline = counter_timeline(np.minimum(np.arange(200_000), 65535))
    assert timeline.gaps == ()


def test_a_restarted_counter_is_said_and_not_filled() -> None:
    timeline = counter_timeline(np.array([40000, 40001, 40002, 0, 1, 2]))
    assert timeline.gaps == ()
    assert timeline.jumps == (3,)
    far = counter_timeline(np.array([20000, 20001, 500, 501]))
    assert (far.gaps, far.jumps) == ((), (2,))


def test_P14_gaps_in_a_text_file(tmp_path: Path) -> None:
    counters = [n % 16 for n in range(100) if not 40 <= n < 45]
    header = {BITALINO: device("bitalino_rev", ["EDABITREV"], [4, 1, 10])}
    rows = np.array([[counter, 0, 512] for counter in counters])
    data = read_opensignals_text(
        write_text(tmp_path / "lost.txt", header, rows), SignalSource("EDABITREV")
    )
    assert data.gaps == (Gap(40, 5),)
    assert np.flatnonzero(np.isnan(data.values)).tolist() == [40, 41, 42, 43, 44]
    assert len(data.values) == 100


def test_P14_a_loss_without_counter_is_found_from_the_stated_duration(tmp_path: Path) -> None:
    counter, counts = np.arange(1500, dtype=np.uint16), np.full(1500, 32768, dtype=np.uint16)
    whole = read_opensignals_h5(write_h5(tmp_path / "a.h5", counter, counts), SignalSource())
    assert whole.notices == ()
    path = write_h5(tmp_path / "b.h5", counter, counts, duration="1m0s")
    short = read_opensignals_h5(path, SignalSource())
    assert [notice.code for notice in short.notices] == ["W_GAP_UNLOCATED"]
    assert "60 s and holds 15.0 s: 45.0 s are lost" in short.notices[0].sentence


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        {},
        {HUB: {}},
        {HUB: device("biosignalsplux", ["ECG"], [])},
        {HUB: device("biosignalsplux", ["ECG"], [16]) | {"sampling rate": 0}},
        {HUB: device("biosignalsplux", ["ECG"], [16]) | {"sampling rate": "fast"}},
        {HUB: device("biosignalsplux", ["ECG"], [16]) | {"label": 7}},
        {HUB: [1, 2]},
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    path = write_text(tmp_path / "bad.txt", header, np.array([[0, 0, 1]]))
    with pytest.raises(InputError) as caught:
        read_opensignals_text(path, SignalSource())
    assert caught.value.code == "E_SIGNAL_FILE"


def test_a_ragged_row_is_named(tmp_path: Path) -> None:
    header = {HUB: device("biosignalsplux", ["ECG"], [16])}
    path = write_text(tmp_path / "ragged.txt", header, np.array([[n, 0, 1] for n in range(9)]))
    path.write_text(path.read_text() + "9\t0\n10\t0\t1\t\n")
    with pytest.raises(InputError, match="E_CSV_SHAPE: Row 13 "):
        read_opensignals_text(path, SignalSource())


def test_damaged_and_foreign_hdf5_is_refused(tmp_path: Path) -> None:
    counter, counts = np.arange(100, dtype=np.uint16), np.zeros(100, dtype=np.uint16)
    whole = write_h5(tmp_path / "whole.h5", counter, counts).read_bytes()
    rng = np.random.default_rng(7)
    path = tmp_path / "cut.h5"
    for length in rng.integers(9, len(whole) - 1, 12):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as caught:
            read_opensignals_h5(path, SignalSource())
        assert caught.value.code == "E_SIGNAL_FILE"
    with h5py.File(path, "w") as file:
        file["something"] = [1, 2, 3]
    with pytest.raises(InputError, match="without OpenSignals channels"):
        inspect_opensignals_h5(path)


def test_F13_data_outside_the_file_is_refused(tmp_path: Path) -> None:
    counter, counts = np.arange(100, dtype=np.uint16), np.zeros(100, dtype=np.uint16)
    other = write_h5(tmp_path / "other.h5", counter, counts)
    path = write_h5(tmp_path / "links.h5", counter, counts)
    with h5py.File(path, "r+") as file:
        del file[f"{HUB}/raw/channel_1"]
        file[f"{HUB}/raw/channel_1"] = h5py.ExternalLink(other.name, f"{HUB}/raw/channel_1")
    with pytest.raises(InputError, match="outside the file"):
        read_opensignals_h5(path, SignalSource())


# --- real recordings ------------------------------------------------------------------------------

REAL = [
    # file, rate, samples, unit, and the range that its values were seen in
    ("ecg_20_sec_1000_Hz.h5", 1000.0, 20400, "mV", (-0.21, 1.12)),
    ("ecg_20_sec_100_Hz.h5", 100.0, 1965, "mV", (-0.17, 1.09)),
    ("ecg_20_sec_10_Hz.h5", 10.0, 200, "mV", (-0.20, 1.06)),
    ("ecg_4000_Hz.h5", 4000.0, 41400, "mV", (-0.09, 0.24)),
    ("ecg_5_min.h5", 1000.0, 300000, "mV", (-0.08, 0.20)),
    ("ecg_sample.h5", 200.0, 2370, "mV", (-0.13, 0.51)),
    ("eda_slow_signal.h5", 100.0, 2820, "uS", (13.9, 18.0)),
    ("eda_slow_signal.txt", 100.0, 2820, "uS", (13.9, 18.0)),
    ("eda_hot_surface.h5", 1000.0, 37050, "uS", (7.3, 24.5)),
    ("eda_hot_surface.txt", 1000.0, 37050, "uS", (1.2, 25.0)),
]


@pytest.mark.parametrize(("name", "rate", "samples", "unit", "seen"), REAL)
def test_real_plux_files_have_the_right_rate_unit_and_amplitude(
    real_data: Path,
    name: str,
    rate: float,
    samples: int,
    unit: str,
    seen: tuple[float, float],
) -> None:
    path = real_data / "plux" / name
    h5 = path.suffix == ".h5"
    inspect = inspect_opensignals_h5 if h5 else inspect_opensignals_text
    read = read_opensignals_h5 if h5 else read_opensignals_text
    (info,) = inspect(path).channels
    assert (info.sampling_rate, info.samples, info.unit) == (rate, samples, unit)
    data = read(path, SignalSource("ECG" if unit == "mV" else info.aliases[0]))
    assert (data.sampling_rate, len(data.values), data.unit) == (rate, samples, unit)
    assert data.gaps == ()
    assert seen[0] <= data.values.min()
    assert data.values.max() <= seen[1]
    if unit == "mV":  # R waves over the baseline: 0.2 to 5 mV
        assert 0.19 <= data.values.max() - np.median(data.values) <= 5
    else:
        assert data.values.min() >= 0.01
        assert data.values.max() <= 100


def test_real_text_and_hdf5_of_one_recording_agree(real_data: Path) -> None:
    text = read_opensignals_text(real_data / "plux" / "eda_slow_signal.txt", SignalSource())
    h5 = read_opensignals_h5(real_data / "plux" / "eda_slow_signal.h5", SignalSource())
    np.testing.assert_array_equal(text.values, h5.values)


def test_P05_real_sensors_without_a_transfer_function_stay_raw(real_data: Path) -> None:
    data = read_opensignals_text(real_data / "plux" / "bvp_sample.txt", SignalSource("BVP"))
    assert (data.unit, data.values[0]) == ("raw", 39072.0)
    assert [notice.code for notice in data.notices] == ["W_UNIT"]
