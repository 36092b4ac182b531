"""Stress-Predict: the real folder, and tiny ones written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.stress_predict import (
    StressPhase,
    beats_of,
    read_stress_predict,
    stress_predict_people,
)
from affectscope.errors import InputError

EDA = "1000.000000\n4.000000\n0.5\n0.6\n0.7\n0.8\n"
IBI = "1001.000000, IBI\n10.000000,0.800000\n10.900000,0.900000\n20.000000,1.000000\n"
LABELS = "subject,start_unix_s,end_unix_s,stress\n2,1100,1200,1\n2,1009,1100,0\n3,1000,1001,1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    person = tmp_path / "S02"
    person.mkdir()
    (person / "EDA.csv").write_text(EDA)
    (person / "IBI.csv").write_text(IBI)
    (tmp_path / "labels.csv").write_text(LABELS)
    return tmp_path


def test_a_person_written_by_hand(folder: Path) -> None:
    person = read_stress_predict(folder, "S02")
    assert stress_predict_people(folder) == ("S02",)
    assert (person.eda.sampling_rate, person.eda.unit, person.eda.start_time) == (4.0, "uS", 0.0)
    assert person.eda.values.tolist() == [0.5, 0.6, 0.7, 0.8]
    # IBI.csv begins 1 s after EDA.csv. Beats at 10.2, 11.0 and 11.9; a gap; beats at 20 and 21.
    intervals = person.intervals
    assert np.allclose(intervals.starts, [10.2, 11.0, 11.9, 20.0])
    assert np.allclose(intervals.durations, [0.8, 0.9, 8.1, 1.0])
    assert intervals.plausible.tolist() == [True, True, False, True]
    assert person.phases == (StressPhase(9.0, 100.0, False), StressPhase(100.0, 200.0, True))
    told = person.stress_at(np.array([0.0, 9.0, 99.9, 100.0, 200.0]))
    assert np.array_equal(told, [np.nan, 0, 0, 1, np.nan], equal_nan=True)


def test_a_short_gap_is_no_interval(folder: Path) -> None:
    (folder / "S02" / "IBI.csv").write_text("1000.0, IBI\n10.0,0.8\n11.8,0.9\n12.6,0.8\n12.9,0.7\n")
    intervals = read_stress_predict(folder, "S02").intervals
    # 0.9 s lie between the first two, as long as a beat; the last overlaps the one before.
    assert np.allclose(intervals.durations, [0.8, 0.9, 0.9, 0.8, 0.3])
    assert intervals.plausible.tolist() == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("S02/EDA.csv", "", "E_FILE_EMPTY"),
        ("S02/EDA.csv", "1000.0\n4.0\n", "E_CORPUS"),
        ("S02/EDA.csv", "1000.0\n0.0\n0.5\n", "E_CORPUS"),
        ("S02/EDA.csv", "1000.0\n4.0\nabc\n", "E_CORPUS"),
        ("S02/EDA.csv", "nan\n4.0\n0.5\n", "E_CORPUS"),
        ("S02/IBI.csv", "1001.0, IBI\n10.0\n", "E_CORPUS"),
        ("S02/IBI.csv", "1001.0, IBI\n10.0,0.8\n9.0,0.8\n", "E_CORPUS"),
        ("S02/IBI.csv", "1001.0, IBI\n10.0,-0.8\n", "E_CORPUS"),
        ("S02/IBI.csv", "1001.0, IBI\n10.0,nan\n", "E_CORPUS"),
        ("S02/IBI.csv", "9999.0, IBI\n10.0,0.8\n", "E_CORPUS"),
        ("labels.csv", "subject,start_unix_s,end_unix_s,stress\n", "E_CORPUS"),
        ("labels.csv", "subject,start,end,stress\n2,1,2,0\n", "E_CORPUS"),
        ("labels.csv", LABELS + "2,1150,1250,0\n", "E_CORPUS"),
        ("labels.csv", LABELS + "2,1300,1250,0\n", "E_CORPUS"),
        ("labels.csv", LABELS + "2,1300,1350,2\n", "E_CORPUS"),
        ("labels.csv", LABELS + "2,1300,1350,\n", "E_CORPUS"),
    ],
)
def test_a_damaged_file_is_refused(folder: Path, name: str, content: str, code: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(InputError) as raised:
        read_stress_predict(folder, "S02")
    assert raised.value.code == code
    assert Path(name).name in str(raised.value)


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "S02" / "IBI.csv").unlink()
    with pytest.raises(InputError, match=r"E_FILE_MISSING.*IBI\.csv"):
        read_stress_predict(folder, "S02")
    with pytest.raises(InputError, match="E_FILE_MISSING"):
        read_stress_predict(folder, "S03")
    with pytest.raises(InputError, match="E_CORPUS"):
        read_stress_predict(folder, "../S02")
    with pytest.raises(InputError, match="E_CORPUS"):
        stress_predict_people(folder / "S02")


def test_a_person_without_intervals_or_labels(folder: Path) -> None:
    (folder / "S02" / "IBI.csv").write_text("1001.000000, IBI\n")
    (folder / "labels.csv").write_text(LABELS.replace("\n2,", "\n4,"))
    person = read_stress_predict(folder, "S02")
    assert len(person.intervals.durations) == 0
    assert person.phases == ()


@settings(max_examples=40)
@given(
    durations=st.lists(st.floats(0.3, 2.0), min_size=1, max_size=30),
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.5, 30.0]), min_size=30, max_size=30),
)
def test_every_row_becomes_one_seen_interval(durations: list[float], gaps: list[float]) -> None:
    each, before = np.array(durations), np.array(gaps[: len(durations)])
    ends = np.cumsum(before + each)
    beats, seen = beats_of(ends, each)
    assert (np.diff(beats) > 0).all()
    assert np.allclose(np.diff(beats)[seen], each)
    assert seen.sum() + (before[1:] > 0).sum() == len(beats) - 1


def test_the_real_people(real_data: Path) -> None:
    folder = real_data / "stress_predict"
    people = stress_predict_people(folder)
    assert people == tuple(f"S{number:02d}" for number in range(1, 26))
    assert read_stress_predict(folder, "S01").phases == ()
    person = read_stress_predict(folder, "S06")
    assert person.eda.duration == 3315.0
    # Every row of IBI.csv is one interval; the device left out what lies between.
    assert person.intervals.plausible.sum() == 3128
    rate = 60 / person.intervals.durations[person.intervals.plausible]
    assert 60 < np.median(rate) < 100
    assert [phase.stress for phase in person.phases] == [False, True] * 3 + [False]
    assert person.phases[1] == StressPhase(600.0, 960.0, True)
