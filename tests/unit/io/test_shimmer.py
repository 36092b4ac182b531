"""Shimmer: Consensys and ShimmerCapture tops, clocks of every kind, several devices in one file."""

from __future__ import annotations

from datetime import datetime, timedelta
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

UNIX = 1_595_933_810.0
NAMES = ("S_Timestamp_Unix_CAL", "S_GSR_Skin_Conductance_CAL", "S_GSR_RAW")
UNITS = ("ms", "uS", "no_units")


def rows_at(rate: float, count: int = 50) -> list[tuple[str, ...]]:
    """A clock in Unix ms, conductance 1.0, 1.5, 2.0, ..., and counts."""
    return [(f"{(UNIX + n / rate) * 1000:.3f}", f"{1 + n / 2}", f"{100 + n}") for n in range(count)]


def export(
    path: Path,
    tops: list[tuple[str, ...]],
    rows: list[tuple[str, ...]],
    *,
    delimiter: str = "\t",
    sep: bool = True,
) -> Path:
    lines = [f'"sep={delimiter}"'] if sep else []
    lines += [delimiter.join(cells) + delimiter for cells in (*tops, *rows)]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return path


CONSENSYS = [NAMES, UNITS]
CAPTURE = [
    ("S", "S", "S"),
    ("Timestamp_Unix", "GSR Skin Conductance", "GSR"),
    ("CAL", "CAL", "RAW"),
    ("mSecs", "uSiemens*", "no units"),
]


@pytest.mark.parametrize("delimiter", ["\t", ";", ","])
@pytest.mark.parametrize("sep", [True, False])
@pytest.mark.parametrize("tops", [CONSENSYS, CAPTURE, [NAMES]], ids=["three", "four", "no units"])
def test_P27_every_top_and_delimiter(
    tmp_path: Path, tops: list[tuple[str, ...]], sep: bool, delimiter: str
) -> None:
    path = export(tmp_path / "s.csv", tops, rows_at(51.2), delimiter=delimiter, sep=sep)
    listed = inspect_signals(path)
    assert (listed.kind, listed.time_column) == ("shimmer", NAMES[0])
    assert [info.name for info in listed.channels] == list(NAMES)
    units = [info.unit for info in listed.channels]
    assert units == (["ms", "uS", "raw"] if len(tops) > 1 else [None, None, "raw"])
    assert [info.samples for info in listed.channels] == [50] * 3
    unit = None if len(tops) > 1 else "uS"
    timed = read_timed_signal(path, SignalSource("GSR_Skin_Conductance", unit=unit))
    np.testing.assert_array_equal(timed.signal.values, 1 + np.arange(50) / 2)
    assert timed.signal.sampling_rate == pytest.approx(51.2, rel=1e-4)
    assert timed.unix_start == pytest.approx(UNIX)
    assert timed.notices == ()


def test_conductance_goes_by_eda_and_counts_are_counts(tmp_path: Path) -> None:
    path = export(tmp_path / "s.csv", CONSENSYS, rows_at(50.0))
    assert read_timed_signal(path, SignalSource("EDA")).signal.unit == "uS"
    counts = read_timed_signal(path, SignalSource("S_GSR_RAW"))
    assert counts.signal.unit == "raw"
    assert [n.code for n in counts.notices] == ["W_UNIT"]
    with pytest.raises(InputError, match="E_UNIT"):
        read_timed_signal(path, SignalSource("S_GSR_RAW", unit="uS"))


def test_P24_decimal_commas(tmp_path: Path) -> None:
    rows = [tuple(cell.replace(".", ",") for cell in row) for row in rows_at(50.0)]
    path = export(tmp_path / "s.csv", CONSENSYS, rows, delimiter=";")
    timed = read_timed_signal(path, SignalSource("EDA"))
    np.testing.assert_array_equal(timed.signal.values, 1 + np.arange(50) / 2)
    assert timed.signal.sampling_rate == pytest.approx(50.0)


def formatted(path: Path, moments: list[str]) -> Path:
    tops = [("S_Timestamp_FormattedUnix_CAL", NAMES[1]), ("yyyy/mm/dd hh:mm:ss.000", "uS")]
    return export(path, tops, [(moment, f"{1 + n / 2}") for n, moment in enumerate(moments)])


def test_P17_times_of_the_day_give_rate_and_gaps_and_no_start(tmp_path: Path) -> None:
    first = datetime(2021, 3, 4, 23, 59, 59)
    steps = [n * 0.1 for n in range(30)] + [5.0 + n * 0.1 for n in range(30)]
    moments = [f"{first + timedelta(seconds=s):%Y/%m/%d %H:%M:%S.%f}"[:-3] for s in steps]
    timed = read_timed_signal(formatted(tmp_path / "s.csv", moments), SignalSource("EDA"))
    assert timed.signal.sampling_rate == pytest.approx(10.0, rel=0.01)
    assert (timed.unix_start, timed.signal.start_time) == (None, 0.0)
    # 30 samples, then nothing from 3.0 s on, and the 31st at 5.0 s
    assert np.isnan(timed.signal.values[30:50]).all()
    np.testing.assert_array_equal(timed.signal.values[50:], 16 + np.arange(30) / 2)
    assert {n.code for n in timed.notices} == {"W_CLOCK_UNTRUSTED", "W_MISSING"}


@pytest.mark.parametrize("bad", ["now", "2021", "2021/13/04 10:00:00.100", "04.03.2021 10:00"])
def test_P27_a_time_that_is_none_is_refused_with_its_row(tmp_path: Path, bad: str) -> None:
    moments = [f"2021/03/04 10:00:00.{n}00" for n in range(9)]
    path = formatted(tmp_path / "s.csv", [*moments[:4], bad, *moments[5:]])
    with pytest.raises(InputError, match=r"E_SIGNAL_FILE: Row (8|4) "):
        read_timed_signal(path, SignalSource("EDA"))


def test_the_devices_own_clock_says_nothing_of_the_sessions_start(tmp_path: Path) -> None:
    tops = [("S_Timestamp_CAL", NAMES[1]), ("ms", "uS")]
    rows = [(f"{5e6 + n * 20}", f"{1 + n / 2}") for n in range(50)]
    timed = read_timed_signal(export(tmp_path / "s.csv", tops, rows), SignalSource("EDA"))
    assert timed.signal.sampling_rate == pytest.approx(50.0)
    assert (timed.signal.start_time, timed.unix_start) == (0.0, None)


def test_P31_two_devices_keep_their_own_clocks(tmp_path: Path) -> None:
    tops = [
        ("A1_Timestamp_Unix_CAL", "A1_GSR_Skin_Conductance_CAL",
         "A_Timestamp_Unix_CAL", "A_ECG_LL-RA_24BIT_CAL"),
        ("ms", "uS", "ms", "mV"),
    ]  # fmt: skip
    fast = [(f"{(UNIX + 3 + n / 100) * 1000:.1f}", f"0.{n % 9}1") for n in range(80)]
    slow = [(f"{(UNIX + n / 10) * 1000:.1f}", f"{n}.5") for n in range(30)] + [("", "")] * 50
    path = export(tmp_path / "s.csv", tops, [(*s, *f) for s, f in zip(slow, fast, strict=True)])
    rates = [info.sampling_rate for info in inspect_signals(path).channels]
    assert rates == pytest.approx([10.0, 10.0, 100.0, 100.0])
    eda = read_timed_signal(path, SignalSource("EDA"))
    ecg = read_timed_signal(path, SignalSource("A_ECG_LL-RA_24BIT_CAL"))
    assert (len(eda.signal.values), len(ecg.signal.values)) == (30, 80)
    assert ecg.unix_start is not None
    assert eda.unix_start is not None
    assert ecg.unix_start - eda.unix_start == pytest.approx(3.0)
    assert eda.notices == ecg.notices == ()


def test_P16_a_clock_that_goes_back_is_told_and_not_used(tmp_path: Path) -> None:
    rows = rows_at(50.0)
    rows[20], rows[30] = rows[30], rows[20]
    path = export(tmp_path / "s.csv", CONSENSYS, rows)
    timed = read_timed_signal(path, SignalSource("EDA", sampling_rate=50.0))
    assert [n.code for n in timed.notices] == ["W_TIME_RESET"]
    with pytest.raises(InputError, match="E_SAMPLING_RATE"):
        read_timed_signal(path, SignalSource("EDA"))


def test_P27_ragged_rows_and_tops_are_named(tmp_path: Path) -> None:
    rows = rows_at(50.0, 10)
    path = export(tmp_path / "s.csv", CONSENSYS, [*rows[:5], rows[5][:2], *rows[6:]])
    with pytest.raises(InputError, match="E_CSV_SHAPE: Row 9 "):
        inspect_signals(path)
    path = export(tmp_path / "s.csv", [NAMES, UNITS[:2]], rows)
    with pytest.raises(InputError, match="E_CSV_SHAPE: Row 3 "):
        inspect_signals(path)
    path = export(tmp_path / "s.csv", CONSENSYS, [])
    with pytest.raises(InputError, match="E_CHANNEL"):
        read_timed_signal(path, SignalSource("EDA"))


@pytest.mark.parametrize(
    "content",
    [
        "ECG_CAL,EDA_CAL\n0.5,1.5\n0.25,2.5\n",  # no clock
        "timestamp,ecg,eda\n1,0.5,1.5\n2,0.25,2.5\n",
        "sep=;\nTimestamp;ECG\n1;0.5\n2;0.25\n",
        "sep=;\n",
        "\n\n",
    ],
)
def test_P27_plain_tables_are_not_taken(tmp_path: Path, content: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(content)
    assert signal_kind(path) == "table"


def test_real_shimmer_export_by_its_own_reader(real_data: Path) -> None:
    path = real_data / "shimmer" / "read_test_data.csv"
    lines = path.read_text().splitlines()
    names, rows = lines[1].split(";"), [line.split(";") for line in lines[3:]]
    column = names.index("Shimmer_40AC_GSR_Skin_Conductance_CAL")
    timed = read_timed_signal(path, SignalSource("EDA"))
    np.testing.assert_array_equal(timed.signal.values, [float(row[column]) for row in rows])
    assert timed.unix_start == pytest.approx(float(rows[0][0]) / 1000)
    assert timed.signal.sampling_rate == pytest.approx(51.2, rel=0.005)
    assert len(inspect_signals(path).channels) == 21
