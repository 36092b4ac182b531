"""Tables of questionnaire answers as people and spreadsheets write them."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from affectscope.errors import AffectScopeError, InputError
from affectscope.io.questionnaire_table import LARGEST, MOST_ROWS, read_answers

ROWS = [["questionnaire", "time", "item", "score"], ["STAI", "before", "1", "3"]]


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "answers.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(delimiter: str, end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in ROWS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_end_gives_the_same_answer(
    tmp_path: Path, delimiter: str, end: str
) -> None:
    read = read_answers(written(tmp_path, table(delimiter, end)))
    (answer,) = read.answers
    assert (answer.line, answer.questionnaire, answer.time) == (2, "STAI", "before")
    assert (answer.item, answer.score, answer.subject_id) == ("1", "3", "")
    assert not read.has_subject
    assert not read.unfit


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + table(";").encode(),
        codecs.BOM_UTF16_LE + table("\t").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + table(",").encode("utf-16-be"),
        b"sep=;\r\n" + table(";").encode(),
        b"# exported by hand\n\n" + table(",").encode(),
    ],
)
def test_marks_before_the_header_are_no_part_of_it(tmp_path: Path, content: bytes) -> None:
    (answer,) = read_answers(written(tmp_path, content)).answers
    assert answer.score == "3"


def test_columns_may_stand_in_any_order_and_case_and_others_are_not_read(tmp_path: Path) -> None:
    text = "Score;ITEM;note;Time;Questionnaire;Subject_ID;Session\n3,0;1;x;after;PSS;P01;2\n"
    read = read_answers(written(tmp_path, text))
    (answer,) = read.answers
    assert (answer.score, answer.time, answer.questionnaire) == ("3,0", "after", "PSS")
    assert (answer.subject_id, answer.session_id) == ("P01", "2")
    assert read.has_subject
    assert read.has_session
    assert set(read.by_person) == {("P01", "2")}


def test_a_name_in_latin_1_far_behind_the_head_of_the_file_is_read(tmp_path: Path) -> None:
    text = "subject,questionnaire,time,item,score\n" + "A,SUDS,before,1,50\n" * 5000
    path = written(tmp_path, text.encode() + "Jörg,SUDS,before,1,7\n".encode("latin-1"))
    assert read_answers(path).answers[-1].subject_id == "Jörg"


def test_a_line_with_another_number_of_fields_is_told_by_its_number(tmp_path: Path) -> None:
    text = table(",") + "STAI,before,2\nSTAI,before,3,2,0\nSTAI,before,4,2,\n"
    read = read_answers(written(tmp_path, text))
    assert read.unfit == (3, 4)
    assert [answer.item for answer in read.answers] == ["1", "4"]


def test_a_quotation_mark_that_is_never_closed_spoils_its_own_line_only(tmp_path: Path) -> None:
    text = table(",") + 'STAI,before,"2,3\nSTAI,before,3,4\n'
    read = read_answers(written(tmp_path, text))
    assert read.unfit == (3,)
    assert read.answers[-1].score == "4"


def test_a_huge_field_spoils_its_own_line_only(tmp_path: Path) -> None:
    text = table(",") + f"STAI,before,2,{'9' * 200_000}\n" + "STAI,before,3,4\n"
    read = read_answers(written(tmp_path, text))
    assert read.unfit == (3,)
    assert [answer.item for answer in read.answers] == ["1", "3"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x00\x01\x02\x03" * 40, "NUL"),
        (table(",").encode("utf-16-le"), "NUL"),
        (b"\n\n# nothing\n", "no rows"),
        (b"name,age\nA,3\n", "no header with questionnaire"),
        (b"questionnaire,time,item,score,Score\n", "two columns named score"),
        (b"x" * (LARGEST + 1), "bytes, more than"),
        (table(",").encode() + b"\n" * MOST_ROWS, "lines"),
    ],
)
def test_what_is_no_table_of_answers_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, told: str
) -> None:
    with pytest.raises(InputError, match=told) as refusal:
        read_answers(written(tmp_path, content))
    assert refusal.value.code == "E_QUESTIONNAIRE"
    assert "questionnaire blank" in refusal.value.remedy


def test_a_missing_and_an_empty_file_have_codes_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_FILE_MISSING"):
        read_answers(tmp_path / "none.csv")
    with pytest.raises(InputError, match="E_FILE_EMPTY"):
        read_answers(written(tmp_path, b""))


@given(st.binary(max_size=300), st.booleans())
@examples(max_examples=60)
def test_any_bytes_end_in_a_table_or_in_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, behind: bool
) -> None:
    path = written(tmp_path_factory.mktemp("any"), table(",").encode() * behind + content)
    try:
        read = read_answers(path)
    except AffectScopeError:
        return
    told = [*(answer.line for answer in read.answers), *read.unfit]
    assert len(set(told)) == len(told)
    assert not behind or 2 in told
