"""Tables of numbers: every dialect comes back exactly, or is refused with the row."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affectscope.errors import InputError
from affectscope.io import csv_layout
from affectscope.io.channels import SignalSource
from affectscope.io.csv_table import inspect_table, read_table
from affectscope.io.number_format import gather, parse_number

FILES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(folder: Path, text: str, encoding: str = "utf-8", name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def refused(path: Path, source: SignalSource | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_table(path, source or SignalSource())
    assert caught.value.remedy
    return caught.value


def same(values: np.ndarray, expected: list[float]) -> None:
    np.testing.assert_array_equal(values, np.array(expected, dtype=np.float64))


# --- number formats by locale (P24) ---------------------------------------------------------------

LOCALES = {
    "english": (".", ""),
    "english thousands": (".", ","),
    "german": (",", ""),
    "german thousands": (",", "."),
    "french": (",", "\u202f"),
    "swiss": (".", "'"),
    "si": (".", " "),
}


def spell(value: float, decimal: str, thousands: str) -> str:
    """A number as a spreadsheet of that locale writes it, to six decimals."""
    text = f"{value:,.6f}" if thousands else f"{value:.6f}"
    return text.replace(",", "T").replace(".", decimal).replace("T", thousands)


@FILES
@given(
    locale=st.sampled_from(sorted(LOCALES)),
    delimiter=st.sampled_from([";", "\t", "|", ","]),
    rows=st.lists(
        st.tuples(
            st.integers(-(10**12), 10**12).map(lambda n: n / 10**6),
            st.integers(-(10**9), 10**9).map(lambda n: n / 10**6),
        ),
        min_size=3,
        max_size=12,
    ),
    header=st.booleans(),
    trailing=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_P24_tables_of_every_locale_come_back_exactly(
    tmp_path: Path,
    locale: str,
    delimiter: str,
    rows: list[tuple[float, float]],
    header: bool,
    trailing: bool,
    encoding: str,
    newline: str,
) -> None:
    decimal, thousands = LOCALES[locale]
    quote = '"' if delimiter in (decimal, thousands) else ""
    end = delimiter if trailing else ""
    lines = [f"ECG{delimiter}EDA{end}"] if header else []
    lines += [
        delimiter.join(f"{quote}{spell(v, decimal, thousands)}{quote}" for v in row) + end
        for row in rows
    ]
    path = write(tmp_path, newline.join(lines) + newline, encoding)
    names = ("ECG", "EDA") if header else ("1", "2")
    for column, name in enumerate(names):
        data = read_table(path, SignalSource(name))
        same(data.values, [row[column] for row in rows])
        assert data.notices == ()


@FILES
@given(
    values=st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=3, max_size=20),
    decimal=st.sampled_from([".", ","]),
)
def test_P24_all_digits_of_a_number_are_kept(
    tmp_path: Path, values: list[float], decimal: str
) -> None:
    values = [*values, 0.1, 1 / 3]
    lines = [f"{value!r};1".replace(".", decimal) for value in values]
    path = write(tmp_path, "\n".join(["ECG;n", *lines]))
    same(read_table(path, SignalSource("ECG")).values, values)


@FILES
@given(
    whole=st.lists(st.tuples(st.integers(1, 999), st.integers(0, 999)), min_size=3, max_size=9),
    mark=st.sampled_from([",", "."]),
    delimiter=st.sampled_from([";", "\t"]),
)
def test_P24_a_column_that_fits_both_readings_is_refused_until_the_user_states_the_decimal(
    tmp_path: Path, whole: list[tuple[int, int]], mark: str, delimiter: str
) -> None:
    tokens = [f"{left}{mark}{right:03d}" for left, right in whole]
    text = "\n".join([f"ECG{delimiter}count", *(f"{token}{delimiter}7" for token in tokens)])
    path = write(tmp_path, text + "\n")
    error = refused(path, SignalSource("ECG"))
    assert error.code == "E_CSV_AMBIGUOUS"
    assert tokens[0] in error.sentence
    assert "decimal" in error.remedy
    fraction = [(left * 1000 + right) / 1000 for left, right in whole]
    number = [left * 1000.0 + right for left, right in whole]
    other = "." if mark == "," else ","
    same(read_table(path, SignalSource("ECG", decimal=mark)).values, fraction)  # type: ignore[arg-type]
    same(read_table(path, SignalSource("ECG", decimal=other)).values, number)  # type: ignore[arg-type]


def test_P24_evidence_anywhere_in_the_column_or_in_another_column_decides(tmp_path: Path) -> None:
    late = "EDA;n\n" + "1,234;1\n" * 5000 + "0,5;1\n"
    assert read_table(write(tmp_path, late), SignalSource("EDA")).values[0] == 1.234
    other = "time;EDA\n0,00;1,234\n0,01;1,235\n0,02;1,236\n"
    assert read_table(write(tmp_path, other), SignalSource("EDA")).values[0] == 1.234
    comma_separated = "a,b\n1.234,5.678\n2.234,6.678\n"  # a comma separates, so "." is decimal
    assert read_table(write(tmp_path, comma_separated), SignalSource("b")).values[0] == 5.678


def test_P24_a_column_with_both_decimal_marks_is_refused_with_the_row(tmp_path: Path) -> None:
    path = write(tmp_path, "ECG;n\n1.25;1\n2,75;1\n3.5;1\n")
    assert "mixes" in refused(path, SignalSource("ECG")).sentence
    rows = 120_000  # beyond the head from which the layout is taken
    path = write(tmp_path, "ECG;n\n" + "1.25;1\n" * rows + "2,75;1\n" + "1.5;1\n" * 9)
    error = refused(path, SignalSource("ECG"))
    assert error.code == "E_CSV_AMBIGUOUS"
    assert f"row {rows + 2} holds '2,75'" in error.sentence


def test_P24_two_whole_columns_or_one_decimal_column_is_asked(tmp_path: Path) -> None:
    path = write(tmp_path, "10,20\n11,21\n12,22\n")
    assert refused(path).code == "E_CSV_AMBIGUOUS"
    same(read_table(path, SignalSource("1", decimal=",")).values, [10.20, 11.21, 12.22])
    same(read_table(path, SignalSource("2", decimal=".")).values, [20, 21, 22])
    one_name = write(tmp_path, "ECG\n10,20\n11,21\n12,22\n")
    same(read_table(one_name, SignalSource("ECG")).values, [10.20, 11.21, 12.22])
    two_names = write(tmp_path, "ECG,EDA\n10,20\n11,21\n12,22\n")
    same(read_table(two_names, SignalSource("EDA")).values, [20, 21, 22])
    leading_zero = write(tmp_path, "10,20\n11,05\n12,22\n")  # no whole number is written "05"
    same(read_table(leading_zero, SignalSource("1")).values, [10.20, 11.05, 12.22])


@pytest.mark.parametrize(
    ("token", "point", "comma"),
    [
        ("1.234,5", None, 1234.5),
        ("1,234.5", 1234.5, None),
        ("1,234", 1234.0, 1.234),
        ("0,234", None, 0.234),
        ("1,234,567", 1234567.0, None),
        ("1234,567", None, 1234.567),
        ("12 345,5", None, 12345.5),
        ("1'234.5", 1234.5, None),
        ("1.5e-3", 1.5e-3, None),
        ("-7", -7.0, -7.0),
        (".5", 0.5, None),
        ("1.", 1.0, None),
        ("1,", None, None),
        ("1.2.3", None, None),
        ("0x10", None, None),
        ("1_000", None, None),
        ("١", None, None),
    ],
)
def test_P24_the_readings_of_a_number(token: str, point: float | None, comma: float | None) -> None:
    assert parse_number(token, ".") == point
    assert parse_number(token, ",") == comma
    evidence = gather([token])
    assert bool(evidence.point) == (point is not None and comma is None)
    assert bool(evidence.comma) == (comma is not None and point is None)
    assert bool(evidence.ambiguous) == (None not in (point, comma) and point != comma)


# --- missing values (P07) -------------------------------------------------------------------------


@FILES
@given(
    cells=st.lists(
        st.one_of(
            st.sampled_from(["", "NA", "NaN", "null", "-", "n/a", "inf", "lost", "#N/A", "True"]),
            st.integers(-99999, 99999).map(lambda n: f"{n / 1000:.3f}"),
        ),
        min_size=6,
        max_size=40,
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_P07_blanks_and_words_become_nan_and_are_counted(
    tmp_path: Path, cells: list[str], delimiter: str
) -> None:
    cells = ["0.125", "0.25", "0.5", *cells, "0.75"]
    lines = [f"ECG{delimiter}n", *(f"{cell}{delimiter}1" for cell in cells)]
    path = write(tmp_path, "\n".join(lines))
    expected = [float(c) if c[-1:].isdigit() else math.nan for c in cells]
    same(read_table(path, SignalSource("ECG", decimal=".")).values, expected)


def test_P07_an_empty_line_is_a_missing_value_only_where_there_is_one_column(
    tmp_path: Path,
) -> None:
    one = write(tmp_path, "ECG\n0.1\n\n0.3\n\n\n")
    same(read_table(one, SignalSource("ECG")).values, [0.1, math.nan, 0.3])
    two = write(tmp_path, "ECG,EDA\n0.1,1\n\n0.3,1\n\n")
    same(read_table(two, SignalSource("ECG")).values, [0.1, 0.3])


def test_a_column_of_words_is_no_channel(tmp_path: Path) -> None:
    path = write(tmp_path, "name,ECG\nrest,0.1\nrest,0.2\n")
    assert refused(path, SignalSource("name")).code == "E_CHANNEL"


# --- names, units, comments, encodings (P23) ------------------------------------------------------


def test_P23_foreign_duplicate_and_empty_names(tmp_path: Path) -> None:
    path = write(tmp_path, "心電図;Größe;Größe;\n0.1;1;2;3\n0.2;4;5;6\n")
    names = [channel.name for channel in inspect_table(path).channels]
    assert names == ["心電図", "Größe", "Größe", "4"]
    same(read_table(path, SignalSource("心電図")).values, [0.1, 0.2])
    error = refused(path, SignalSource("Größe"))
    assert error.code == "E_CHANNEL"
    assert "2 channels" in error.sentence
    same(read_table(path, SignalSource(3)).values, [2, 5])
    same(read_table(path, SignalSource("4")).values, [3, 6])
    assert refused(path, SignalSource("ECG")).remedy.endswith("4 '4'.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_P23_encodings(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "Zeit;Hautleitwert (µS)\n0;1,25\n1;1,5\n", encoding)
    file = inspect_table(path)
    assert [channel.name for channel in file.channels] == ["Zeit", "Hautleitwert (µS)"]
    assert file.channels[1].unit == "µS"
    same(read_table(path, SignalSource("hautleitwert")).values, [1.25, 1.5])


def test_comments_states_of_rate_and_labels(tmp_path: Path) -> None:
    text = "# Simple Text Format\n# Sampling Rate (Hz):= 250.00\n# Labels:= ECG\tEDA\n1\t2\n3\t4\n"
    file = inspect_table(write(tmp_path, text))
    assert [(c.name, c.sampling_rate, c.samples) for c in file.channels] == [
        ("ECG", 250.0, 2),
        ("EDA", 250.0, 2),
    ]
    numpy_style = "# ECG,EDA\n0.5,2\n0.25,4\n# a remark\n0.125,5\n"
    same(read_table(write(tmp_path, numpy_style), SignalSource("EDA")).values, [2, 4, 5])


def test_separator_line_units_row_and_trailing_delimiter(tmp_path: Path) -> None:
    text = '"sep=;"\r\nStamp_Unix;GSR_CAL;Range;\r\nms;kOhms;no_units;\r\n'
    text += "".join(f"{1595933810000 + 20 * n}.0;{400 + n}.5;2.0;\r\n" for n in range(20))
    file = inspect_table(write(tmp_path, text))
    assert [c.unit for c in file.channels] == ["ms", "kOhms", None]
    data = read_table(write(tmp_path, text), SignalSource("GSR_CAL"))
    assert data.unit == "kOhms"
    assert data.measured_rate == pytest.approx(50.0)
    assert data.unix_start == pytest.approx(1595933810.0)


def test_blanks_as_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path, "  0.5   1.5\n 10.25  2.5 \n\n  1.0   3.5\n", name="table.txt")
    same(read_table(path, SignalSource(2)).values, [1.5, 2.5, 3.5])


# --- shapes (P25) ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "fields"), [("5,6,7", 3), ("5", 1)])
@pytest.mark.parametrize("row", [4, 90_001])
def test_P25_a_ragged_row_is_named(tmp_path: Path, bad: str, fields: int, row: int) -> None:
    lines = ["ECG,EDA", *(["1.5,2.5"] * (row - 2)), bad, *(["3.5,4.5"] * 50)]
    error = refused(write(tmp_path, "\n".join(lines) + "\n"), SignalSource("ECG"))
    assert error.code == "E_CSV_SHAPE"
    assert f"Row {row} " in error.sentence
    assert f"{fields} fields" in error.sentence


def test_P25_one_endless_line_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "endless.csv"
    with path.open("wb") as stream:
        stream.write(b"1,2\n3,4\n")
        stream.truncate(2 << 30)  # sparse: 2 GiB of NUL
    start = time.process_time()
    assert refused(path, SignalSource(1)).code == "E_CSV_SHAPE"
    text = tmp_path / "digits.csv"
    text.write_bytes(b"ECG,EDA\n1.5,2\n" + b"1" * (3 << 20))
    error = refused(text, SignalSource(1))
    assert error.code == "E_CSV_SHAPE"
    assert "longer than" in error.sentence
    assert time.process_time() - start < 5


def test_P25_nul_bytes_and_too_many_columns(tmp_path: Path) -> None:
    rows = "0.5,1.5\n" * 200_000
    error = refused(write(tmp_path, f"ECG,EDA\n{rows}0.5,1\x005\n"), SignalSource(1))
    assert "Row 200002 " in error.sentence
    wide = write(tmp_path, (",".join(["1.5"] * 100_000) + "\n") * 3)
    assert refused(wide, SignalSource(1)).code in ("E_CSV_SHAPE", "E_SIGNAL_FILE")


def test_P25_without_header_columns_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path, "0.5,1.25\n0.75,1.5\n")
    assert [channel.name for channel in inspect_table(path).channels] == ["1", "2"]


def test_P25_a_header_of_another_width_is_named(tmp_path: Path) -> None:
    error = refused(write(tmp_path, "a,b,c\n0.5,1.5\n0.6,1.6\n0.7,1.7\n"), SignalSource(1))
    assert error.code == "E_CSV_SHAPE"
    assert "Row 1 " in error.sentence


def test_a_cut_last_row_is_left_out_and_said(tmp_path: Path) -> None:
    data = read_table(write(tmp_path, "ECG,EDA\n0.5,1.5\n0.75,1.25\n0.8"), SignalSource("ECG"))
    same(data.values, [0.5, 0.75])
    assert [notice.code for notice in data.notices] == ["W_FILE_TRUNCATED"]
    assert "row 4" in data.notices[0].sentence


def test_an_open_quote_swallows_nothing(tmp_path: Path) -> None:
    text = 'ECG,note\n0.5,a\n0.6,"b\n0.7,c\n0.8,"d\n0.9,e\n'
    assert refused(write(tmp_path, text), SignalSource("ECG")).code == "E_CSV_SHAPE"


@FILES
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_code(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bytes.csv"
    path.write_bytes(content)
    with suppress(InputError):  # which always has a code
        read_table(path, SignalSource(1))


@FILES
@given(
    text=st.text(alphabet="0123456789.,;-+eE \t\n\r\"'#|NaECG\u00a0µ\ufeff", max_size=120),
    decimal=st.sampled_from([None, ".", ","]),
)
def test_any_text_is_read_or_refused_with_a_code(
    tmp_path: Path, text: str, decimal: str | None
) -> None:
    path = write(tmp_path, text)
    for source in (SignalSource(1, decimal=decimal), SignalSource("ECG", time_column=1)):  # type: ignore[arg-type]
        with suppress(InputError):  # which always has a code
            assert np.isfinite(read_table(path, source).values).any()


# --- time columns ---------------------------------------------------------------------------------


def timed(folder: Path, header: str, stamps: list[float], name: str = "ECG") -> Path:
    rows = "".join(f"{stamp:.6f};{n % 7 / 10}\n" for n, stamp in enumerate(stamps))
    return write(folder, f"{header};{name}\n{rows}")


@pytest.mark.parametrize(
    ("header", "step", "rate"),
    [("time (s)", 0.01, 100.0), ("Time [ms]", 4.0, 250.0), ("t_us", 1000.0, 1000.0)],
)
def test_a_time_column_with_a_unit_gives_the_rate(
    tmp_path: Path, header: str, step: float, rate: float
) -> None:
    path = timed(tmp_path, header, [5 * step + n * step for n in range(200)])
    data = read_table(path, SignalSource("ECG"))
    assert data.measured_rate == pytest.approx(rate, rel=1e-6)
    assert data.first_time == pytest.approx(5 / rate)
    assert inspect_table(path).channels[1].sampling_rate == pytest.approx(rate, rel=1e-6)


def test_a_time_column_without_unit_is_not_guessed(tmp_path: Path) -> None:
    path = timed(tmp_path, "time", [n * 4.0 for n in range(100)])
    assert read_table(path, SignalSource("ECG")).measured_rate is None
    stated = read_table(path, SignalSource("ECG", sampling_rate=250.0))
    assert stated.measured_rate == pytest.approx(250.0)  # 4.0 can only be ms at 250 Hz


@pytest.mark.parametrize("factor", [1.0, 1e3, 1e6])
def test_a_unix_time_tells_its_own_unit(tmp_path: Path, factor: float) -> None:
    start = 1_700_000_000.0
    path = timed(tmp_path, "timestamp", [(start + n / 128) * factor for n in range(500)])
    data = read_table(path, SignalSource("ECG"))
    assert data.measured_rate == pytest.approx(128.0, rel=1e-4)
    assert data.unix_start == pytest.approx(start)
    assert data.first_time == 0.0


@pytest.mark.parametrize("name", ["T", "Temp", "Stimulus", "RestTimeless"])
def test_a_channel_is_not_taken_for_a_clock(tmp_path: Path, name: str) -> None:
    path = timed(tmp_path, name, [36.0 + n / 100 for n in range(100)])
    data = read_table(path, SignalSource("ECG", sampling_rate=100.0))
    assert (data.measured_rate, data.notices) == (None, ())
    assert inspect_table(path).time_column is None


def test_a_row_number_is_no_clock(tmp_path: Path) -> None:
    path = timed(tmp_path, "time", [float(n) for n in range(100)])
    assert read_table(path, SignalSource("ECG", sampling_rate=100.0)).measured_rate is None


def test_P14_a_pause_of_the_clock_is_filled_in_place(tmp_path: Path) -> None:
    stamps = [n / 100 for n in range(300)] + [8 + n / 100 for n in range(300)]
    data = read_table(timed(tmp_path, "time (s)", stamps), SignalSource("ECG"))
    assert data.measured_rate == pytest.approx(100.0)
    assert [(gap.start, gap.samples) for gap in data.gaps] == [(300, 500)]
    assert len(data.values) == 1100
    assert np.isnan(data.values[300:800]).all()
    same(data.values[800:803], [n % 7 / 10 for n in (300, 301, 302)])


def test_P14_a_late_burst_is_no_gap(tmp_path: Path) -> None:
    stamps = [n / 100 for n in range(300)] + [6 + n / 10000 for n in range(300)]
    stamps += [6.03 + n / 100 for n in range(1, 300)]
    data = read_table(timed(tmp_path, "time (s)", stamps), SignalSource("ECG"))
    assert data.gaps == ()


def test_a_clock_that_goes_back_is_left_out_or_refused(tmp_path: Path) -> None:
    path = timed(tmp_path, "time (s)", [0.0, 0.01, 0.02, 0.01, 0.04])
    data = read_table(path, SignalSource("ECG"))
    assert data.measured_rate is None
    assert [notice.code for notice in data.notices] == ["W_TIME_RESET"]
    named = refused(path, SignalSource("ECG", time_column="time"))
    assert named.code == "E_SIGNAL_FILE"
    assert "row 4" in named.sentence


# --- size and real files --------------------------------------------------------------------------


def test_blocks_of_lines_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affectscope.io.csv_blocks._BLOCK", 64)
    monkeypatch.setattr(csv_layout, "HEAD_BYTES", 200)
    values = [n / 8 for n in range(500)]
    for encoding in ("utf-8", "utf-16"):
        text = "\r\n".join(["ECG;µ", *(f"{v};é" for v in values)])
        data = read_table(write(tmp_path, text, encoding), SignalSource("ECG"))
        same(data.values, values)


def test_real_neurokit_tables(real_data: Path) -> None:
    file = inspect_table(real_data / "neurokit" / "bio_eventrelated_100hz.csv")
    assert [c.name for c in file.channels] == ["ECG", "EDA", "Photosensor", "RSP"]
    assert file.channels[0].samples == 15000
    data = read_table(real_data / "neurokit" / "bio_eventrelated_100hz.csv", SignalSource("EDA"))
    assert data.values[0] == 13.196867709029974
    assert (data.unit, data.sampling_rate) == (None, None)
    single = read_table(real_data / "neurokit" / "ecg_1000hz.csv", SignalSource())
    assert single.values[0] == 0.353611757
    assert len(single.values) == 50000


def test_real_biosppy_text_states_its_rate(real_data: Path) -> None:
    data = read_table(real_data / "biosppy" / "ecg.txt", SignalSource("ECG"))
    assert data.sampling_rate == 1000.0
    assert data.unit is None
    same(data.values[-2:], [2045.0, 2043.0])
    assert len(data.values) == 15000


def test_real_shimmer_export(real_data: Path) -> None:
    path = real_data / "shimmer" / "read_test_data.csv"
    conductance = read_table(path, SignalSource("Shimmer_40AC_GSR_Skin_Conductance_CAL"))
    assert conductance.unit == "uS"
    assert conductance.measured_rate == pytest.approx(51.2, rel=0.005)  # the device's nominal rate
    resistance = read_table(path, SignalSource("Shimmer_40AC_GSR_Skin_Resistance_CAL"))
    assert resistance.unit == "kOhms"
    np.testing.assert_allclose(1000 / resistance.values, conductance.values, rtol=1e-6)


def test_real_tables_with_words_are_read(real_data: Path) -> None:
    imotions = read_table(real_data / "exports" / "iMotions_Test_v6.txt", SignalSource("FrameNo"))
    same(imotions.values[:3], [0, 1, 2])
    openface = inspect_table(real_data / "exports" / "OpenFace_Test.csv")
    assert len(openface.channels) == 431


def test_P27_empatica_exports_are_refused_cleanly(real_data: Path) -> None:
    error = refused(real_data / "empatica_e4" / "EDA.csv")
    assert error.code == "E_SIGNAL_FILE"
    assert "Unix time" in error.sentence


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
def test_P25_a_last_row_without_its_end_is_kept_and_told(tmp_path: Path, end: str) -> None:
    lines = (end or "\n").join(["ECG;EDA", "0.5;1.5", "0.25;2.5"])
    data = read_table(write(tmp_path, lines + end), SignalSource("EDA"))
    assert data.values.tolist() == [1.5, 2.5]
    assert [notice.code for notice in data.notices] == ([] if end else ["W_FILE_TRUNCATED"])


def test_P25_a_row_without_the_delimiter_that_ends_the_others_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path, "ECG;EDA;\n0.5;1.5;\n0.25;2.5;\n0.75;3")
    data = read_table(path, SignalSource("EDA"))
    assert data.values.tolist() == [1.5, 2.5]
    assert [notice.code for notice in data.notices] == ["W_FILE_TRUNCATED"]
