"""iMotions: rows of several sensors, empty or repeated cells. OpenFace: masked and mixed faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import (
    SignalSource,
    inspect_signals,
    read_timed_signal,
    signal_kind,
)
from affectscope.io.imotions import unit_of

NAMES = ("StudyName", "EventSource", "Timestamp", "MediaTime", "GSR CAL (µSiemens) (Shimmer)",
         "GSR RAW (no units) (Shimmer)", "Joy Evidence", "LiveMarker")  # fmt: skip
EDA, RAW, JOY = NAMES[4:7]


def export(path: Path, *, repeated: bool, delimiter: str = "\t", version: int = 6) -> Path:
    """GSR at 128 Hz for 4 s (1.0, 1.01, ...), a face at 30 Hz; others' cells empty or repeated."""
    events = [(n * 1000 / 128, "Shimmer", 1 + n / 100) for n in range(512)]
    events += [(n * 1000 / 30 + 3, "Emotient FACET", float(n)) for n in range(120)]
    gsr = counts = joy = ""
    rows = []
    for time, source, value in sorted(events):
        if not repeated:
            gsr = counts = joy = ""
        if source == "Shimmer":
            gsr, counts = f"{value:.2f}", str(int(value * 100))
        else:
            joy = f"{value}"
        rows.append(("s", source, f"{time:.0f}", f"{time:.0f}", gsr, counts, joy, ""))
    tops = ["#Study : s", "#Version : 6.1", "#TestRunDate : 20171005", ""]
    if version > 6:
        tops = ["#INFO", "#Recording time,x", "#METADATA", "#Sampling rate: 128 Hz", "#DATA"]
    lines = [*tops, *(delimiter.join(cells) for cells in (NAMES, *rows))]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return path


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize(("delimiter", "version"), [("\t", 6), (",", 9)])
def test_P27_each_sensor_keeps_its_own_rows(
    tmp_path: Path, repeated: bool, delimiter: str, version: int
) -> None:
    path = export(tmp_path / "im.txt", repeated=repeated, delimiter=delimiter, version=version)
    listed = inspect_signals(path)
    assert (listed.kind, listed.time_column) == ("imotions", "Timestamp")
    found = {info.name: info for info in listed.channels}
    assert found[EDA].sampling_rate == pytest.approx(128.0, rel=1e-3)
    assert found[JOY].sampling_rate == pytest.approx(30.0, rel=1e-3)
    assert (found[EDA].samples, found[JOY].samples) == (512, 120)
    assert (found[EDA].unit, found[RAW].unit, found[JOY].unit) == ("uS", "raw", None)
    timed = read_timed_signal(path, SignalSource(EDA))
    np.testing.assert_allclose(timed.signal.values, 1 + np.arange(512) / 100)
    assert timed.signal.sampling_rate == pytest.approx(128.0, rel=1e-3)
    assert timed.notices == ()
    joy = read_timed_signal(path, SignalSource("Joy Evidence", unit="1"))
    np.testing.assert_array_equal(joy.signal.values, np.arange(120.0))
    assert joy.signal.start_time == pytest.approx(0.003)  # the recording's own start is 0


def test_a_column_of_all_sensors_keeps_all_rows(tmp_path: Path) -> None:
    path = export(tmp_path / "im.txt", repeated=False)
    timed = read_timed_signal(path, SignalSource("MediaTime", unit="ms"))
    assert len(timed.signal.values) == 632


def test_P14_a_pause_of_one_sensor_is_a_gap_in_place(tmp_path: Path) -> None:
    path = export(tmp_path / "im.txt", repeated=False)
    lines = path.read_bytes().split(b"\r\n")
    kept = [
        line for line in lines
        if b"\tShimmer\t" not in line or not 1000 <= float(line.split(b"\t")[2]) < 2000
    ]  # fmt: skip
    path.write_bytes(b"\r\n".join(kept))
    timed = read_timed_signal(path, SignalSource(EDA))
    assert len(timed.signal.values) == 512
    assert np.isnan(timed.signal.values[128:256]).all()
    np.testing.assert_allclose(timed.signal.values[256:], 1 + np.arange(256, 512) / 100)
    assert [(n.code, n.start) for n in timed.notices] == [
        ("W_MISSING", pytest.approx(1.0, abs=0.01))
    ]


def test_an_empty_column_and_words_are_no_channel(tmp_path: Path) -> None:
    path = export(tmp_path / "im.txt", repeated=False)
    for name in ("LiveMarker", "EventSource", "No such"):
        with pytest.raises(InputError, match="E_CHANNEL"):
            read_timed_signal(path, SignalSource(name, unit="1"))
    with pytest.raises(InputError, match="E_UNIT"):
        read_timed_signal(path, SignalSource(RAW, unit="uS"))


def test_P27_ragged_rows_are_named(tmp_path: Path) -> None:
    path = export(tmp_path / "im.txt", repeated=False)
    lines = path.read_bytes().split(b"\r\n")
    lines[100] = lines[100].replace(b"\t", b"", 1)
    path.write_bytes(b"\r\n".join(lines))
    for action in (inspect_signals, lambda p: read_timed_signal(p, SignalSource(EDA))):
        with pytest.raises(InputError, match="E_CSV_SHAPE: Row 101 "):
            action(path)


@pytest.mark.parametrize(
    "content",
    [
        "# a note\ntime,ECG\n0.1,0.5\n0.2,0.6\n",
        "Timestamp,ECG\n1,0.5\n2,0.6\n",
        "#EventSource\tTimestamp\nECG\tEDA\n0.5\t0.6\n",
    ],
)
def test_P27_plain_tables_are_not_taken(tmp_path: Path, content: str) -> None:
    path = tmp_path / "im.txt"
    path.write_text(content)
    assert signal_kind(path) == "table"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("GSR CAL (µSiemens) (Shimmer)", "uS"),
        ("GSR CAL (u Siemens)", "uS"),
        ("GSR CAL (kOhms) (Shimmer)", "kOhm"),
        ("ECG LL-RA CAL (mVolts) (ShimmerECG)", "mV"),
        ("ECG LL-RA RAW (no units) (ShimmerECG)", "raw"),
        ("GSR Conductance CAL", None),
        ("FaceRect X", None),
        ("DRAWING", None),
    ],
)
def test_P05_units_of_names(name: str, unit: str | None) -> None:
    assert unit_of(name) == unit


def test_real_imotions_export(real_data: Path) -> None:
    path = real_data / "exports" / "iMotions_Test_v6.txt"
    lines = path.read_text().splitlines()
    names, rows = lines[5].split("\t"), [line.split("\t") for line in lines[6:]]
    timed = read_timed_signal(path, SignalSource("Joy Evidence", unit="1"))
    expected = [float(row[names.index("Joy Evidence")] or "nan") for row in rows]
    filled = timed.signal.values[np.isfinite(timed.signal.values)]
    np.testing.assert_array_equal(filled, np.array(expected)[np.isfinite(expected)])
    assert timed.signal.sampling_rate == pytest.approx(29.97, rel=1e-3)
    assert timed.signal.start_time == pytest.approx(0.035, abs=1e-3)


# --- OpenFace -------------------------------------------------------------------------------------


def openface(path: Path, rows: list[str], *, faces: bool = False) -> Path:
    face = " face_id," if faces else ""
    names = f"frame,{face} timestamp, confidence, success, AU01_r, AU12_r"
    path.write_text("\n".join([names, *rows]) + "\n")
    return path


def test_frames_without_a_face_are_masked_and_told(tmp_path: Path) -> None:
    rows = [f"{n + 1},{n / 25:.3f},0.9,{int(n not in (3, 4))},{n / 10},{n / 5}" for n in range(20)]
    path = openface(tmp_path / "of.csv", rows)
    listed = inspect_signals(path)
    assert (listed.kind, listed.time_column) == ("openface", "timestamp")
    assert listed.channels[4].name == "AU01_r"
    assert listed.channels[4].sampling_rate == pytest.approx(25.0)
    timed = read_timed_signal(path, SignalSource("AU12_r", unit="1"))
    expected = np.arange(20) / 5
    expected[3:5] = np.nan
    np.testing.assert_allclose(timed.signal.values, expected)
    assert [n.code for n in timed.notices] == ["W_FACE_GAPS", "W_MISSING"]
    confidence = read_timed_signal(path, SignalSource("confidence", unit="1"))
    assert np.isfinite(confidence.signal.values).all()


def test_V14_a_table_of_two_faces_is_refused(tmp_path: Path) -> None:
    rows = [f"{n // 2 + 1},{n % 2},{n // 2 / 25:.3f},0.9,1,0.1,0.2" for n in range(20)]
    path = openface(tmp_path / "of.csv", rows, faces=True)
    for action in (inspect_signals, lambda p: read_timed_signal(p, SignalSource("AU01_r"))):
        with pytest.raises(InputError, match=r"E_SIGNAL_FILE.*2 faces"):
            action(path)
    one = openface(tmp_path / "one.csv", rows[::2], faces=True)
    timed = read_timed_signal(one, SignalSource("AU01_r", unit="1"))
    assert timed.signal.sampling_rate == pytest.approx(25.0)


def test_real_openface_export(real_data: Path) -> None:
    path = real_data / "exports" / "OpenFace_Test.csv"
    lines = path.read_text().splitlines()
    column = [name.strip() for name in lines[0].split(",")].index("AU12_r")
    timed = read_timed_signal(path, SignalSource("AU12_r", unit="1"))
    expected = [float(line.split(",")[column]) for line in lines[1:]]
    np.testing.assert_array_equal(timed.signal.values, expected)
    assert len(inspect_signals(path).channels) == 431
