"""Tables for spreadsheet programs: text never runs, numbers stay numbers, every cell comes back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.io.spreadsheet_text import inert, table_text


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|'/c calc'!A1", "+1+2", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1＋1",
        "\u00a0=HYPERLINK(\"http://x\")", "-5", "=",
    ],
)  # fmt: skip
def test_W10_what_may_be_a_formula_becomes_text(text: str) -> None:
    ((name,), (cell,)) = read(table_text([text], [[text]]))
    assert name == cell == f"'{text}"


@pytest.mark.parametrize("text", ["P01", "a=b", "1-2", "", "µS", "x@y", "'=1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


def test_numbers_stay_numbers_and_nothing_stays_empty() -> None:
    rows = [[-1.5, 3, None, float("nan"), float("inf"), True, False, -1234567.0, 1e-9]]
    _, cells = read(table_text([str(i) for i in range(9)], rows))
    assert cells == ["-1.5", "3", "", "", "", "yes", "no", "-1234567", "1e-09"]
    assert float(cells[0]) == -1.5


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_any_text_comes_back_in_one_cell_and_starts_with_no_formula(texts: list[str]) -> None:
    header, row = read(table_text([str(i) for i in range(len(texts))], [texts]))
    assert len(row) == len(header)
    for given_text, cell in zip(texts, row, strict=True):
        assert cell in (given_text, f"'{given_text}")
        assert not cell.lstrip(" \u00a0").startswith(("=", "+", "-", "@", "\t", "\r"))
