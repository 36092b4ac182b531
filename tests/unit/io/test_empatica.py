"""Empatica E4: rows on top, names and units, intervals, presses, and what is refused by its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import InputError
from affectscope.io.biosignals import (
    SignalSource,
    inspect_signals,
    read_timed_signal,
    signal_kind,
)
from affectscope.io.empatica import read_empatica, read_intervals, read_presses

START = 1_560_279_825.0


def write(path: Path, rows: list[str], *, start: str = f"{START:.6f}", rate: str = "4.0") -> Path:
    path.write_text("\n".join([start, rate, *rows]) + "\n")
    return path


def refused(path: Path, channel: str | int | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_timed_signal(path, SignalSource(channel, unit="uS"))
    return caught.value


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=40),
    rate=st.sampled_from([1.0, 4.0, 32.0, 64.0]),
    start=st.floats(9.5e8, 4.1e9),
)
def test_P27_samples_rate_and_start_come_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], rate: float, start: float
) -> None:
    path = tmp_path_factory.mktemp("e4") / "some.csv"
    write(path, [repr(v) for v in values], start=repr(start), rate=repr(rate))
    timed = read_timed_signal(path, SignalSource(unit="uS"))
    np.testing.assert_array_equal(timed.signal.values, values)
    assert (timed.signal.sampling_rate, timed.unix_start) == (rate, start)
    assert (timed.signal.start_time, timed.notices) == (0.0, ())


@pytest.mark.parametrize(
    ("name", "rate", "unit"),
    [
        ("EDA.csv", "4.0", "uS"),
        ("P01_EDA.csv", "4.0", "uS"),
        ("eda (2).csv", "4.0", "uS"),
        ("HR.csv", "1.000000", "bpm"),
        ("TEMP.csv", "4", "degC"),
        ("BVP.csv", "64.000000", None),
        ("baseline.csv", "4.0", None),
        ("SEDATION.csv", "4.0", None),
        ("EDA_and_HR.csv", "4.0", None),
    ],
)
def test_P05_the_unit_is_that_of_the_named_measure_or_asked_for(
    tmp_path: Path, name: str, rate: str, unit: str | None
) -> None:
    path = write(tmp_path / name, ["0.5", "0.6"], rate=rate)
    (info,) = inspect_signals(path).channels
    assert (info.unit, info.samples, info.sampling_rate) == (unit, 2, float(rate))
    if unit is None:
        with pytest.raises(InputError, match="E_UNIT"):
            read_timed_signal(path, SignalSource())


def test_three_axes_are_three_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "ACC.csv", ["-61,25,6", "-62,24,11"],
                 start=", ".join([f"{START}"] * 3), rate="32.0, 32.0, 32.0")  # fmt: skip
    assert [info.name for info in inspect_signals(path).channels] == ["ACC_X", "ACC_Y", "ACC_Z"]
    timed = read_timed_signal(path, SignalSource("ACC_Z"))
    assert (timed.signal.values.tolist(), timed.signal.unit) == ([6.0, 11.0], "g/64")
    assert refused(path).code == "E_CHANNEL"


def test_P08_a_rate_that_no_e4_has_is_reported(tmp_path: Path) -> None:
    timed = read_timed_signal(write(tmp_path / "EDA.csv", ["0.5"], rate="8.0"), SignalSource())
    assert [n.code for n in timed.notices] == ["W_SAMPLING_RATE"]
    assert "8 Hz" in timed.notices[0].sentence
    assert "4 Hz" in timed.notices[0].sentence


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (f"{START}\n4.0\n", "E_SIGNAL_FILE", "Row 3"),
        (f"{START}\n0.0\n0.5\n", "E_SAMPLING_RATE", "Row 2"),
        (f"{START}\n-4.0\n0.5\n", "E_SAMPLING_RATE", "Row 2"),
        (f"{START},{START + 1}\n4.0,4.0\n1,2\n", "E_SIGNAL_FILE", "Row 1"),
        (f"{START},{START}\n4.0,8.0\n1,2\n", "E_SIGNAL_FILE", "Row 2"),
        (f"{START},{START}\n4.0,4.0\n1,2\n1,2,3\n1,2\n", "E_CSV_SHAPE", "Row 4"),
        (f"{START},{START}\n4.0,4.0\n1,2\n\n1,2\n", "E_CSV_SHAPE", "Row 4"),
        (f"{START}\n4.0\n0.5\n# a note\n0.6\n", "E_CSV_SHAPE", "Row 4"),
        (f"{START}\n4.0\n0.5\n0,625\n0.6\n", "E_CSV_AMBIGUOUS", "row 4"),
        (f"{START}\n4.0\n0.5\n\x00\n0.6\n", "E_TYPE_MISMATCH", "unknown kind"),
    ],
)
def test_P27_what_cannot_be_read_is_refused_with_its_row(
    tmp_path: Path, content: str, code: str, says: str
) -> None:
    path = tmp_path / "export.csv"
    path.write_text(content)
    error = refused(path, 1)
    assert error.code == code
    assert says in error.sentence


def test_P07_words_and_empty_rows_are_missing_samples_in_place(tmp_path: Path) -> None:
    timed = read_timed_signal(
        write(tmp_path / "EDA.csv", ["0.5", "", "lost", "inf", "0.6"]), SignalSource()
    )
    np.testing.assert_array_equal(timed.signal.values, [0.5, np.nan, np.nan, np.nan, 0.6])
    assert [(n.code, n.sentence[:6]) for n in timed.notices] == [("W_MISSING", "3 of 5")]


def test_P25_a_last_row_without_its_end_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "EDA.csv", ["0.512345", "0.612345"])
    path.write_bytes(path.read_bytes()[:-3])
    timed = read_timed_signal(path, SignalSource())
    assert timed.signal.values.tolist() == [0.512345]
    assert [n.code for n in timed.notices] == ["W_FILE_TRUNCATED"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_P23_marks_encodings_and_line_ends(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "EDA.csv"
    path.write_bytes(newline.join([f"{START}", "4.0", "0.5", "0.6", ""]).encode(encoding))
    timed = read_timed_signal(path, SignalSource())
    assert timed.signal.values.tolist() == [0.5, 0.6]
    assert (timed.notices, timed.unix_start) == ((), START)


@pytest.mark.parametrize(
    "content",
    [
        "ECG\n1560279825\n4\n0.5\n",  # a header: somebody's table
        "1560279825.0,0.5\n1560279825.1,0.6\n1560279825.2,0.7\n",  # a clock beside its samples
        "time\n1560279825\n1560279826\n",
        "4.0\n4.0\n0.5\n",
        "0.5,IBI\n0.6,0.7\n0.8,0.9\n",
        "1560279825,1560279825\n4.0\n0.5,0.6\n",
    ],
)
def test_P27_plain_tables_are_not_taken(tmp_path: Path, content: str) -> None:
    path = tmp_path / "EDA.csv"
    path.write_text(content)
    assert signal_kind(path) == "table"


# --- intervals and presses ------------------------------------------------------------------------


def test_intervals_are_no_signal_but_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "IBI.csv"
    path.write_text(f"{START}, IBI\n10.0,0.8\n\n10.9,0.9\n")
    (info,) = inspect_signals(path).channels
    assert (info.name, info.unit, info.sampling_rate, info.samples) == ("IBI", "s", None, 2)
    assert refused(path).code == "E_CHANNEL"
    found = read_intervals(path)
    assert found.unix_start == START
    assert (found.ends.tolist(), found.durations.tolist()) == ([10.0, 10.9], [0.8, 0.9])


@pytest.mark.parametrize(
    ("rows", "code", "row"),
    [
        ("10.0,0.8\n\n9.0,0.8\n", "E_SIGNAL_FILE", 4),
        ("10.0,0.8\n11.0,0\n", "E_SIGNAL_FILE", 3),
        ("10.0,0.8\n11.0,x\n", "E_SIGNAL_FILE", 3),
        ("nan,0.8\n", "E_SIGNAL_FILE", 2),
        ("10.0,0.8\n11.0\n12.0,0.8\n", "E_CSV_SHAPE", 3),
    ],
)
def test_P16_P27_intervals_out_of_order_or_impossible_are_named(
    tmp_path: Path, rows: str, code: str, row: int
) -> None:
    path = tmp_path / "IBI.csv"
    path.write_text(f"{START}, IBI\n{rows}")
    with pytest.raises(InputError, match=rf"{code}: Row {row} "):
        read_intervals(path)


def test_presses_of_the_button(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_bytes(b"")
    assert read_presses(path).tolist() == []
    path.write_text("1644226140\n1644226435.5\n")
    assert read_presses(path).tolist() == [1644226140.0, 1644226435.5]
    assert [info.name for info in inspect_signals(path).channels] == ["tags"]
    assert refused(path).code == "E_CHANNEL"
    path.write_text("1644226140\n12\n")
    with pytest.raises(InputError, match="E_SIGNAL_FILE: Row 2 "):
        read_presses(path)
    with pytest.raises(InputError, match="E_FILE_MISSING"):
        read_presses(tmp_path / "none.csv")


def test_real_empatica_folder(real_data: Path) -> None:
    folder = real_data / "empatica_e4"
    lines = (folder / "EDA.csv").read_text().split()
    timed = read_timed_signal(folder / "EDA.csv", SignalSource())
    np.testing.assert_array_equal(timed.signal.values, [float(line) for line in lines[2:]])
    assert (timed.unix_start, timed.signal.unit) == (float(lines[0]), "uS")
    # HR.csv begins 10 s after the others, as the device's own averaging needs
    assert read_empatica(folder / "HR.csv", SignalSource()).unix_start == START + 10
    counts = {name: len(inspect_signals(folder / name).channels)
              for name in ("ACC.csv", "BVP.csv", "TEMP.csv", "IBI.csv")}  # fmt: skip
    assert counts == {"ACC.csv": 3, "BVP.csv": 1, "TEMP.csv": 1, "IBI.csv": 1}
    intervals = read_intervals(folder / "IBI.csv")
    assert len(intervals.ends) == 4999
    assert 0.3 < np.median(intervals.durations) < 1.5
    pressed = read_presses(real_data / "stress_predict" / "S01" / "tags_S01.csv")
    assert len(pressed) == 10
    assert (np.diff(pressed) > 0).all()
