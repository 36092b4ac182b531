"""The front door: content decides the kind; rate and unit are agreed, asked for, or refused."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import (
    READERS,
    SignalSource,
    inspect_signals,
    read_signal,
    read_timed_signal,
    signal_kind,
)
from affectscope.io.video import inspect_video
from affectscope.records import Notice

Writer = Callable[[Path], object]


def table(path: Path, rows: int = 400, header: str = "ECG") -> Path:
    path.write_text("\n".join([header, *(f"0.{n % 10}5" for n in range(rows))]) + "\n")
    return path


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        action()
    return caught.value.code


# --- kinds of file (V22, V23) ---------------------------------------------------------------------

CONTENTS: dict[str, bytes] = {
    "table": b"ECG,EDA\n0.5,1.5\n0.25,2.5\n",
    "opensignals-text": b"# OpenSignals Text File Format\n",
    "opensignals-h5": b"\x89HDF\r\n\x1a\n" + b"\x00" * 64,
    "edf": b"0       " + b" " * 248,
    "bdf": b"\xffBIOSEMI" + b" " * 248,
    "npy": b"\x93NUMPY\x01\x00" + b" " * 64,
    "mat": b"MATLAB 5.0 MAT-file" + b" " * 105 + b"\x00\x01IM" + b"\x00" * 16,
    "npz": b"PK\x03\x04" + b"\x14\x00" * 11 + b"\x07\x00\x00\x00ecg.npy",
}


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_V23_content_decides_the_kind_and_no_name_overrules_it(tmp_path: Path, kind: str) -> None:
    unnamed = tmp_path / "recording.unheard_of"
    unnamed.write_bytes(CONTENTS[kind])
    assert signal_kind(unnamed) == kind
    for reader in READERS.values():
        for suffix in reader.suffixes:
            path = tmp_path / f"recording{suffix.upper()}"
            path.write_bytes(CONTENTS[kind])
            if suffix in READERS[kind].suffixes:
                assert signal_kind(path) == kind
            elif (kind, suffix) == ("opensignals-h5", ".mat"):  # both are HDF5
                assert signal_kind(path) == "mat"
            else:
                assert code_of(lambda path=path: signal_kind(path)) == "E_TYPE_MISMATCH"


@pytest.mark.parametrize(
    ("content", "called"),
    [
        (b"\x00\x00\x00\x20ftypisom" + b"\x00" * 64, "MP4"),
        (b"\x1aE\xdf\xa3" + b"\x00" * 64, "Matroska"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + b"\x00" * 60, "zip"),
        (b"<!DOCTYPE html><table><tr><td>1</td></tr></table>", "web page"),
        (b"\x80\x04\x95" + b"\x00" * 32, "pickle"),
        (bytes(range(256)), "unknown"),
    ],
)
def test_V23_foreign_content_under_a_signal_name_is_refused(
    tmp_path: Path, content: bytes, called: str
) -> None:
    path = tmp_path / "signals.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=called) as caught:
        inspect_signals(path)
    assert caught.value.code == "E_TYPE_MISMATCH"
    other = tmp_path / "signals.abc"
    other.write_bytes(content)
    assert code_of(lambda: inspect_signals(other)) == "E_TYPE_UNKNOWN"


def test_V23_a_polyglot_is_what_its_first_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "poly.csv"
    path.write_bytes(b"\x00\x00\x00\x20ftypisom" + b"\nECG\n0.5\n0.6\n" + b"PK\x03\x04")
    assert code_of(lambda: inspect_signals(path)) == "E_TYPE_MISMATCH"


@pytest.mark.parametrize("suffix", [s for reader in READERS.values() for s in reader.suffixes])
def test_V22_empty_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.write_bytes(b"")
    assert code_of(lambda: read_signal(path, SignalSource())) == "E_FILE_EMPTY"


@pytest.mark.parametrize("kind", sorted(CONTENTS))
@pytest.mark.parametrize("length", [1, 8, 200])
def test_V22_files_of_a_byte_or_a_header_only(tmp_path: Path, kind: str, length: int) -> None:
    path = tmp_path / f"short{READERS[kind].suffixes[0]}"
    content = CONTENTS[kind][:length] if kind != "table" else b"ECG,EDA\n"[:length]
    path.write_bytes(content)
    assert code_of(lambda: read_signal(path, SignalSource(1, 100.0, "mV"))).startswith("E_")


# --- unreadable files and odd names (F26, F25) ----------------------------------------------------


def test_F26_unreadable_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    dangling = tmp_path / "dangling.csv"
    dangling.symlink_to(tmp_path / "gone.csv")
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (folder, dangling, loop, pipe, tmp_path / "nothing.csv"):
        with pytest.raises(InputError, match=path.name) as caught:
            read_signal(path, SignalSource())
        assert caught.value.code in ("E_FILE_MISSING", "E_FILE_UNREADABLE")


def test_F26_a_file_without_permission(tmp_path: Path) -> None:
    path = table(tmp_path / "locked.csv")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read any file, so another user tries
        os.seteuid(65534)
    try:
        assert code_of(lambda: read_signal(path, SignalSource())) == "E_FILE_UNREADABLE"
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    "name", ["new\nline.csv", "😀.csv", "-rf", "quo'te\x1b[31m.csv", "ä b.csv"]
)
def test_F26_odd_names_are_read_and_safely_shown(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / name)
    signal, _ = read_signal(path, SignalSource("ECG", 100.0, "mV"))
    assert len(signal.values) == 400
    with pytest.raises(InputError) as caught:
        read_signal(path, SignalSource("EDA", 100.0, "uS"))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


# --- rate and unit --------------------------------------------------------------------------------


def test_P05_rate_and_unit_are_asked_for_and_never_guessed(tmp_path: Path) -> None:
    path = table(tmp_path / "ecg.csv")
    assert code_of(lambda: read_signal(path, SignalSource(unit="mV"))) == "E_SAMPLING_RATE"
    assert code_of(lambda: read_signal(path, SignalSource(sampling_rate=100))) == "E_UNIT"
    signal, notices = read_signal(path, SignalSource("ECG", 100.0, "mV", clock_offset=2.5))
    assert (signal.sampling_rate, signal.unit, signal.start_time) == (100.0, "mV", 2.5)
    assert signal.end_time == pytest.approx(6.5)
    assert notices == ()


def test_P05_counts_without_a_device_profile_are_refused(tmp_path: Path, real_data: Path) -> None:
    counts = real_data / "biosppy" / "ecg.txt"  # 12-bit counts; the file states its rate only
    assert code_of(lambda: read_signal(counts, SignalSource("ECG"))) == "E_UNIT"
    raw = real_data / "plux" / "bvp_sample.txt"
    with pytest.raises(InputError, match=r"E_UNIT: .* without a known transfer function, not mV"):
        read_signal(raw, SignalSource("BVP", unit="mV"))
    signal, notices = read_signal(raw, SignalSource("BVP"))
    assert signal.unit == "raw"
    assert [notice.code for notice in notices] == ["W_UNIT"]


@pytest.mark.parametrize("rate", [0.0, -5.0, float("nan"), float("inf")])
def test_impossible_rates_are_refused(tmp_path: Path, rate: float) -> None:
    path = table(tmp_path / "ecg.csv")
    assert code_of(lambda: read_signal(path, SignalSource(None, rate, "mV"))) == "E_SAMPLING_RATE"


def test_P08_a_stated_rate_that_the_file_contradicts_names_both(real_data: Path) -> None:
    path = real_data / "faros" / "testfile_read.EDF"
    for stated in (500.0, 502.0):  # within 0.5 %
        signal, _ = read_signal(path, SignalSource("ECG", stated))
        assert signal.sampling_rate == stated
    with pytest.raises(InputError, match=r"512 Hz.*500 Hz") as caught:
        read_signal(path, SignalSource("ECG", 512.0))
    assert caught.value.code == "E_SAMPLING_RATE"


def test_a_stated_unit_that_the_file_contradicts_names_both(tmp_path: Path) -> None:
    path = table(tmp_path / "eda.csv", header="EDA (µS)")
    signal, _ = read_signal(path, SignalSource("EDA", 4.0, "uS"))
    assert signal.unit == "uS"
    assert read_signal(path, SignalSource("EDA", 4.0))[0].unit == "µS"
    with pytest.raises(InputError, match=r"'mS'.*'µS'"):
        read_signal(path, SignalSource("EDA", 4.0, "mS"))


def timed(path: Path, rate: float, seconds: float, start: float = 0.0) -> Path:
    rows = [f"{start + n / rate:.6f};0.{n % 10}5" for n in range(int(rate * seconds))]
    path.write_text("\n".join(["time (s);ECG (mV)", *rows, ""]))
    return path


@pytest.mark.parametrize(("stated", "warned"), [(256.0, False), (255.0, True), (250.0, True)])
def test_P08_a_stated_rate_that_the_time_column_contradicts_is_reported(
    tmp_path: Path, stated: float, warned: bool
) -> None:
    path = timed(tmp_path / "ecg.csv", 256.0, 30)
    signal, notices = read_signal(path, SignalSource("ECG", stated))
    assert signal.sampling_rate == (250.0 if stated == 250.0 else 256.0)
    assert [notice.code for notice in notices] == ["W_SAMPLING_RATE"] * warned
    if warned:
        assert re.search(rf"{stated:g} Hz.*256", notices[0].sentence)


def test_times_of_the_file_and_the_clock_offset_give_the_start(tmp_path: Path) -> None:
    path = timed(tmp_path / "late.csv", 100.0, 10, start=60.0)
    signal, _ = read_signal(path, SignalSource("ECG", clock_offset=1.5))
    assert signal.start_time == pytest.approx(61.5)
    assert signal.sampling_rate == pytest.approx(100.0)
    unix = timed(tmp_path / "unix.csv", 100.0, 10, start=1_700_000_000.0)
    late = read_timed_signal(unix, SignalSource("ECG", clock_offset=1.5))
    assert late.signal.start_time == 1.5
    assert late.unix_start == pytest.approx(1_700_000_000.0)
    assert code_of(lambda: read_signal(path, SignalSource(clock_offset=float("nan")))) == (
        "E_SESSION"
    )


def gap_notices(path: Path, pauses: int) -> tuple[Notice, ...]:
    stamps, now = [], 0.0
    for n in range(200 * (pauses + 1)):
        now += 3.0 if n and n % 200 == 0 else 0.01
        stamps.append(now)
    path.write_text("\n".join(["time (s),ECG (mV)", *(f"{t:.3f},0.5" for t in stamps), ""]))
    return read_signal(path, SignalSource("ECG", clock_offset=10.0))[1]


def test_P14_gaps_are_told_with_their_span_on_the_sessions_axis(tmp_path: Path) -> None:
    (notice,) = gap_notices(tmp_path / "one.csv", 1)
    assert notice.code == "W_MISSING"
    assert "299 samples" in notice.sentence
    assert notice.start == pytest.approx(12.01, abs=0.011)
    assert notice.end == pytest.approx(15.0, abs=0.011)
    (many,) = gap_notices(tmp_path / "many.csv", 12)
    assert "12 gaps" in many.sentence


def test_P07_missing_cells_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "ecg.csv"
    path.write_text("ECG\n0.5\nNA\nlost\n0.25\n")
    signal, notices = read_signal(path, SignalSource("ECG", 100.0, "mV"))
    np.testing.assert_array_equal(signal.values, [0.5, np.nan, np.nan, 0.25])
    assert [(n.code, n.sentence[:6]) for n in notices] == [("W_MISSING", "2 of 4")]


def test_real_files_of_every_kind_pass_the_front_door(real_data: Path) -> None:
    sources = {
        "neurokit/bio_eventrelated_100hz.csv": ("table", SignalSource("ECG", 100.0, "mV")),
        "neurokit/ecg_3000hz.csv": ("table", SignalSource("ECG", 3000.0, "mV")),
        "plux/ecg_5_min.h5": ("opensignals-h5", SignalSource("ECG")),
        "plux/eda_hot_surface.txt": ("opensignals-text", SignalSource("EDABITREV")),
        "faros/testfile_read.EDF": ("edf", SignalSource("ECG")),
        "mitbih/100.npz": ("npz", SignalSource("ecg_mv", unit="mV")),
        "shimmer/read_test_data.csv": (
            "shimmer",
            SignalSource("Shimmer_40AC_GSR_Skin_Conductance_CAL"),
        ),
    }
    for name, (kind, source) in sources.items():
        path = real_data / name
        assert inspect_signals(path).kind == kind
        signal, _ = read_signal(path, source)
        assert np.isfinite(signal.values).all()
        assert signal.duration > 1


# --- what is no regular file (F25) ----------------------------------------------------------------


def pipe(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "gone")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("make", [pipe, loop, endless, nowhere, Path.mkdir])
@pytest.mark.parametrize("name", ["ecg.csv", "ecg.edf", "ecg.xdf", "ecg.h5", "ecg.mat", "face.mp4"])
def test_F25_pipes_devices_loops_and_folders_are_no_recordings(
    tmp_path: Path, make: Callable[[Path], object], name: str
) -> None:
    path = tmp_path / name
    make(path)
    if name == "face.mp4":
        assert code_of(lambda: inspect_video(path)) in ("E_FILE_MISSING", "E_FILE_UNREADABLE")
        return
    for action in (inspect_signals, lambda path: read_signal(path, SignalSource(1))):
        assert code_of(lambda action=action: action(path)) in (
            "E_FILE_MISSING",
            "E_FILE_UNREADABLE",
        )
