"""Traits from the user's own table, however a spreadsheet writes it; what is no such table."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.personality import TRAITS, personality_table, read_personality
from affectscope.errors import AffectScopeError, InputError

HEADER = "subject,extraversion,agreeableness,conscientiousness,emotional_stability,openness"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "personality.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_traits_are_read_by_name_in_any_order(tmp_path: Path) -> None:
    text = (
        "openness,subject,extraversion,agreeableness,conscientiousness,emotional_stability,age\n"
        "5.5,P01,1.5,2.5,3.5,4.5,30\n1.25,p2,2,3,4,5,31\n7,40,1,1,1,1,32\n"
    )
    found = read_personality(written(tmp_path, text))
    assert list(found) == ["P01", "P02", "P40"]
    assert found["P01"].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert found["P02"].tolist() == [2.0, 3.0, 4.0, 5.0, 1.25]
    assert TRAITS[-1] == "openness"


@pytest.mark.parametrize(
    "text",
    [
        "Subject;Extraversion;Agreeableness;Conscientiousness;Emotional Stability;Openness\r\n"
        "P01;4,5;3,25;2;1;7\r\n",
        f"\ufeff{HEADER.upper()}\nP1,4.5,3.25,2,1,7\n",
        f'{HEADER}\n"P01","4.5","3.25","2","1","7"',
        f"{HEADER}\nP01,4.5,3.25,2,1,7\n\n".encode("utf-16"),
    ],
)
def test_spreadsheets_of_any_country_are_read(tmp_path: Path, text: str | bytes) -> None:
    found = read_personality(written(tmp_path, text))
    assert {who: values.tolist() for who, values in found.items()} == {
        "P01": [4.5, 3.25, 2.0, 1.0, 7.0]
    }


def test_who_lacks_a_trait_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"{HEADER}\nP01,1,2,3,4,5\nP02,1,,3,4,5\nP03,1,2,NaN,4,5\nP04,5,4,3,2,1\n"
    found = read_personality(written(tmp_path, text))
    assert list(found) == ["P01", "P04"]
    assert "P02, P03" in caplog.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER.replace("openness", "humour") + "\nP01,1,2,3,4,5\n", "'openness'"),
        (HEADER + ",openness\nP01,1,2,3,4,5,6\n", "'openness'"),
        (f"{HEADER}\nP01,1,2,3,4,5\nPeter,1,2,3,4,5\n", "Row 3"),
        (f"{HEADER}\nP00,1,2,3,4,5\n", "Row 2"),
        (f"{HEADER}\nP01,1,2,3,4,5\nP1,1,2,3,4,5\n", "P01"),
        (f"{HEADER}\nP01,1,2,3,4,5\nP02,1,2,3\nP03,1,2,3,4,5\n", "Row 3"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_personality(written(tmp_path, text))
    assert caught.value.code == "E_CSV_SHAPE"
    assert told in caught.value.sentence
    assert caught.value.remedy


def test_a_missing_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_FILE_MISSING"):
        read_personality(tmp_path / "none.csv")
    with pytest.raises(InputError, match="E_FILE_EMPTY"):
        read_personality(written(tmp_path, b""))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda t: f"{HEADER}\n{t}".encode()))
def test_any_content_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    with suppress(AffectScopeError):  # which always has a code
        read_personality(path)


@given(st.lists(st.tuples(*[st.floats(1, 7)] * 5), min_size=1, max_size=9))
@settings(max_examples=30, deadline=None)
def test_what_the_twin_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]
) -> None:
    traits = {f"P{number:02d}": np.round(row, 2) for number, row in enumerate(rows, 1)}
    found = read_personality(written(tmp_path_factory.getbasetemp(), personality_table(traits)))
    assert list(found) == list(traits)
    for subject, values in traits.items():
        np.testing.assert_array_equal(found[subject], values)
