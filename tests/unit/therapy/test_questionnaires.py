"""Totals by the key, missing items, and what of a table cannot be used."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from affectscope.errors import InputError, OutputError
from affectscope.io.questionnaire_table import read_answers
from affectscope.io.reliability import Reliability
from affectscope.pages import environment
from affectscope.therapy.questionnaires.answers import Entry, gather_answers, own_rows
from affectscope.therapy.questionnaires.blank import write_blank
from affectscope.therapy.questionnaires.group import group_totals, people_of
from affectscope.therapy.questionnaires.keys import FORMS, GAD_7, PHQ_9, STAI, find_sheet
from affectscope.therapy.questionnaires.report import questionnaire_ranges, questionnaires_content
from affectscope.therapy.questionnaires.scores import (
    QuestionnaireScore,
    answers_digest,
    questionnaire_scores,
)
from affectscope.therapy.questionnaires.totals import plain_total, scale_total

HEADER = "questionnaire,time,item,score"


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "answers.csv"
    path.write_text("\n".join((header, *rows, "")))
    return path


def sheet(name: str, time: str, scores: Iterable[object]) -> list[str]:
    return [f"{name},{time},{item},{score}" for item, score in enumerate(scores, 1)]


def scored(
    path: Path, reliability: Mapping[str, Reliability] | None = None
) -> tuple[dict[str, QuestionnaireScore], list[str]]:
    """Scores by measure, and the notices' sentences."""
    scores, notices = questionnaire_scores(path, "P01", "1", reliability or {})
    assert {notice.code for notice in notices} <= {"W_QUESTIONNAIRE"}
    return {score.measure: score for score in scores}, [notice.sentence for notice in notices]


# Answers that rise 1, 2, 3, 4, 1, ... over the items; totals added up by hand.
# STAI-S: the ten reversed items 1 2 5 8 10 11 15 16 19 20 have 1 2 1 4 2 3 3 4 3 4 = 27 -> 50 - 27
# = 23; the others 3 4 6 7 9 12 13 14 17 18 have 3 4 2 3 1 4 1 2 1 2 = 23; together 46.
# STAI-T: the nine reversed items 21 23 26 27 30 33 34 36 39 have 1 3 2 3 2 1 2 4 3 = 21 -> 45 - 21
# = 24; the eleven others have 50 - 21 = 29; together 53.
RISING = [1 + item % 4 for item in range(40)]


def test_stai_totals_are_those_added_up_by_hand_with_reversed_items(tmp_path: Path) -> None:
    flat = [1] * 40  # ten reversed at 4 and ten at 1; nine reversed at 4 and eleven at 1
    path = table(tmp_path, *sheet("STAI", "before", RISING), *sheet("STAI", "after", flat))
    scores, told = scored(path)
    assert (scores["STAI-S"].before, scores["STAI-S"].after, scores["STAI-S"].change) == (46, 50, 4)
    assert (scores["STAI-T"].before, scores["STAI-T"].after, scores["STAI-T"].change) == (
        53,
        47,
        -6,
    )
    assert (scores["STAI-S"].lowest, scores["STAI-S"].highest) == (20, 80)
    assert scores["STAI-T"].higher_means == "more anxiety in general"
    assert not told


def test_state_and_trait_as_separate_tables_of_twenty_items_score_the_same(tmp_path: Path) -> None:
    whole, _ = scored(table(tmp_path, *sheet("STAI", "before", RISING)))
    apart, _ = scored(
        table(
            tmp_path,
            *sheet("STAI-S", "before", RISING[:20]),
            *sheet("stai trait", "before", RISING[20:]),
        )
    )
    numbered, _ = scored(
        table(tmp_path, *(f"STAI-Y2,pre,Q{i},{RISING[i - 1]}" for i in range(21, 41)))
    )
    assert apart == whole
    assert numbered["STAI-T"] == whole["STAI-T"]


def test_pss_panas_sam_and_suds_totals_are_those_added_up_by_hand(tmp_path: Path) -> None:
    rows = [
        *sheet("PSS", "before", [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]),
        *sheet("PANAS", "before", [5, 1] * 10),
        *sheet("SUDS", "before", ['"72,5"']),
        "SAM,before,Valence,2", "SAM,before,2,8", "SAM,before,dominance,5",
    ]  # fmt: skip
    scores, _ = scored(table(tmp_path, *rows))
    # 0 + 1 + 2 + (4-3) + (4-4) + 0 + (4-1) + (4-2) + 3 + 4
    assert scores["PSS-10"].before == 16
    # Odd items have 5, even ones 1: positive are 1 3 5 9 17 19 and 10 12 14 16.
    assert scores["PANAS positive"].before == 6 * 5 + 4 * 1
    assert scores["PANAS negative"].before == 4 * 5 + 6 * 1
    assert scores["SUDS"].before == 72.5
    sam = [scores[f"SAM {name}"].before for name in ("valence", "arousal", "dominance")]
    assert sam == [2, 8, 5]


@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("GAD-7", {4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 15: "severe", 21: "severe"}),
        ("PHQ-9", {4: "minimal", 5: "mild", 14: "moderate", 15: "moderately severe",
                   19: "moderately severe", 20: "severe", 27: "severe"}),
    ],
)  # fmt: skip
def test_bands_begin_at_their_published_totals(
    tmp_path: Path, name: str, totals: dict[int, str]
) -> None:
    count = len(FORMS[name].items)
    for total, band in totals.items():
        marks = [*[3] * (total // 3), total % 3, *[0] * count][:count]
        rows = sheet(name, "after", marks)
        scores, _ = scored(table(tmp_path, *rows))
        assert (scores[name].after, scores[name].band_after) == (total, band)
        assert scores[name].band_before == ""


def test_up_to_two_missing_stai_items_are_estimated_and_rounded_up(tmp_path: Path) -> None:
    marks: list[object] = [1, 1, 4, 4, 1, 4, 4, 1, 4, 1, 1, 4, 4, 4, 1, 1, 4, 3, 1, 1]
    marks[2], marks[3] = "", "NA"  # 18 keyed answers: 17 x 4 and one 3 = 71; 71 / 18 x 20 = 78.9
    scores, told = scored(table(tmp_path, *sheet("STAI-S", "before", marks)))
    assert scores["STAI-S"].before == 79
    assert "items 3, 4 missing: estimated as the mean of the other 18" in scores["STAI-S"].reason
    assert "after: not answered" in scores["STAI-S"].reason
    assert any("estimated" in sentence for sentence in told)


def test_three_missing_stai_items_give_no_total_and_the_trait_goes_on(tmp_path: Path) -> None:
    marks = ["", "", "", *[2] * 37]
    scores, told = scored(table(tmp_path, *sheet("STAI", "before", marks)))
    assert scores["STAI-S"].before is None
    assert "items 1, 2, 3 of 20 missing or not usable, at most 2 may be" in scores["STAI-S"].reason
    assert scores["STAI-T"].before == 11 * 2 + 9 * 3
    assert any("no total" in sentence for sentence in told)


def test_phq_9_is_estimated_with_two_items_missing_and_gad_7_never(tmp_path: Path) -> None:
    rows = [
        *sheet("PHQ9", "before", ["", "", 1, 1, 1, 1, 1, 1, 2]),
        *sheet("PHQ9", "after", ["", "", "", 1, 1, 1, 1, 1, 1]),
        *sheet("gad7", "before", ["", 1, 1, 1, 1, 1, 1]),
    ]
    scores, _ = scored(table(tmp_path, *rows))
    assert scores["PHQ-9"].before == pytest.approx(8 / 7 * 9)  # 10.3
    assert scores["PHQ-9"].band_before == "moderate"
    assert scores["PHQ-9"].after is None
    assert scores["GAD-7"].before is None
    assert "item 1 of 7 missing or not usable, none may be: no total" in scores["GAD-7"].reason


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("STAI,before,3,5", "line 42: STAI item 3 before is '5', no whole number from 1 to 4"),
        ("STAI,before,3,-1", "is '-1', no whole number"),
        ("STAI,before,3,2.5", "is '2.5', no whole number"),
        ("STAI,before,3,often", "is 'often', no whole number"),
        ("STAI,before,3,nan1", "is 'nan1'"),
        ("STAI,before,3,1e0", "is '1e0'"),
        ("STAI,before,3,=1+1", "is '=1+1'"),
        ("STAI,before,41,2", "has no item '41'"),
        ("STAI,before,x,2", "has no item 'x'"),
        ("STAI,during,3,2", "the time 'during' is neither before nor after"),
        ("MMPI,before,3,2", "no questionnaire 'MMPI' is known"),
        ("STAI,before,Total,many", "the total 'many' of STAI before is no number"),
        ("STAI,before,4", "has not as many fields as the header"),
        ("STAI,before,4,1", "STAI item 4 before is there twice, with different answers"),
        ("STAI,before,4,2", "STAI item 4 before is there twice, with the same answer"),
    ],
)
def test_what_cannot_be_used_is_told_with_line_and_value_and_the_rest_goes_on(
    tmp_path: Path, row: str, told: str
) -> None:
    marks = [2] * 40
    rows = [line for line in sheet("STAI", "before", marks) if ",3," not in line[:15]]
    filler = "SUDS,before,1,50"
    scores, sentences = scored(table(tmp_path, filler, *rows, row))
    assert any(told in sentence for sentence in sentences), sentences
    assert scores["SUDS"].before == 50
    assert scores["STAI-T"].before == 49


def test_an_item_with_two_different_answers_counts_as_missing(tmp_path: Path) -> None:
    rows = [*sheet("PSS", "before", [1] * 10), "PSS,before,2,3", "PSS,before,2,1"]
    scores, _ = scored(table(tmp_path, *rows))
    assert scores["PSS-10"].before is None
    assert "item 2 of 10" in scores["PSS-10"].reason


def test_many_unusable_lines_make_one_notice_that_names_them_all(tmp_path: Path) -> None:
    rows = [*sheet("SUDS", "before", [50]), *["SUDS,before,1,much"] * 300]
    _, sentences = scored(table(tmp_path, *rows))
    (told,) = [sentence for sentence in sentences if "not used as written" in sentence]
    assert "300 rows" in told
    assert "and lines 8-302" in told
    assert len(told) < 1000


def test_rows_of_other_people_and_sessions_are_left_out(tmp_path: Path) -> None:
    header = f"subject,session,{HEADER}"
    rows = [
        "P01,1,SUDS,before,1,80", "P01,1,SUDS,after,1,20", "P01,2,SUDS,before,1,5",
        "P02,1,SUDS,before,1,9", ",1,SUDS,before,1,9", "P01,,SUDS,before,1,9",
    ]  # fmt: skip
    path = table(tmp_path, *rows, header=header)
    scores, told = scored(path)
    assert (scores["SUDS"].before, scores["SUDS"].after) == (80, 20)
    assert any("line 6: it names no subject" in sentence for sentence in told)
    assert any("line 7: it names no session" in sentence for sentence in told)
    none, notices = questionnaire_scores(path, "P03", "1", {})
    assert not none
    assert any("holds no answers of 'P03'" in notice.sentence for notice in notices)


def test_a_table_that_cannot_be_read_is_a_notice_and_no_score(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(b"\x00\xff" * 50)
    scores, (notice,) = questionnaire_scores(path, "P01", "1", {})
    assert not scores
    assert notice.code == "E_QUESTIONNAIRE"
    assert len(answers_digest(path, "P01", "1")) == 64


def test_the_digest_changes_with_ones_own_answers_and_with_nobody_elses(tmp_path: Path) -> None:
    header = f"subject,{HEADER}"
    own = ["P01,SUDS,before,1,80", "P01,SUDS,after,1,20"]

    def digest(*rows: str) -> str:
        return answers_digest(table(tmp_path, *rows, header=header), "P01", "1")

    first = digest(*own)
    assert digest("P02,SUDS,before,1,3", *reversed(own), "P02,SUDS,after,1,9") == first
    assert digest(own[0], "P01,SUDS,after,1,21") != first
    assert digest(own[0]) != first


def test_a_change_is_reliable_only_where_a_reliability_is_given(tmp_path: Path) -> None:
    rows = [*sheet("SUDS", "before", [80]), *sheet("SUDS", "after", [40])]
    rows += [*sheet("GAD-7", "before", [3] * 7), *sheet("GAD-7", "after", [0] * 7)]
    scores, _ = scored(table(tmp_path, *rows), {"SUDS": Reliability(20.0, 0.5)})
    change = scores["SUDS"].reliable_change
    assert change is not None
    assert change.index == pytest.approx(-2.0)  # -40 / (20 x sqrt(2 x 0.5))
    assert change.reliable
    assert scores["GAD-7"].reliable_change is None


def test_a_total_row_that_agrees_is_silent_and_one_that_does_not_is_explained(
    tmp_path: Path,
) -> None:
    marks = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]  # by the key 16, as they stand 20
    for stated, told in ((16, None), (20, "plain sums"), (19, "neither the total by the key")):
        _, sentences = scored(
            table(tmp_path, *sheet("PSS", "before", marks), f"PSS,before,Total,{stated}")
        )
        about = [sentence for sentence in sentences if "line 12" in sentence]
        assert len(about) == (told is not None)
        assert all(told in sentence for sentence in about if told)
    _, sentences = scored(
        table(tmp_path, *sheet("STAI", "before", RISING), "STAI,before,total,99")
    )  # 46 + 53
    assert not any("line 42" in sentence for sentence in sentences)


def test_answers_that_were_reversed_before_are_not_reversed_again(tmp_path: Path) -> None:
    rows = [f"{row},reversed" for row in sheet("PSS", "before", [1] * 10)]
    scores, told = scored(table(tmp_path, *rows, "PSS,before,Total,10,", header=f"{HEADER},coding"))
    assert scores["PSS-10"].before == 10
    assert not any("total" in sentence and "plain" in sentence for sentence in told)
    wrong = [*sheet("PSS", "before", [1] * 9)]
    _, told = scored(
        table(
            tmp_path,
            *(f"{row},raw" for row in wrong),
            "PSS,before,10,1,perhaps",
            header=f"{HEADER},coding",
        )
    )
    assert any("coding 'perhaps'" in sentence for sentence in told)


@given(
    st.sampled_from([(form, scale) for form in FORMS.values() for scale in form.scales]), st.data()
)
@examples(max_examples=60)
def test_every_total_lies_in_its_range_and_mirrored_answers_mirror_it(
    chosen: tuple, data: st.DataObject
) -> None:
    form, scale = chosen
    marks = {
        item: data.draw(st.one_of(st.none(), st.integers(form.lowest, form.highest)))
        for item in scale.items
    }
    entries = {i: Entry(float(v), False) for i, v in marks.items() if v is not None}
    total, reason = scale_total(form, scale, entries)
    missing = len(scale.items) - len(entries)
    assert (total is None) == (missing > scale.most_missing or not entries)
    assert bool(reason) == (missing > 0)
    if total is None:
        return
    lowest, highest = form.span(scale)
    assert lowest <= total <= highest
    mirrored = {i: Entry(form.lowest + form.highest - e.value, False) for i, e in entries.items()}
    other, _ = scale_total(form, scale, mirrored)
    assert other is not None
    # Rounding up adds less than one point to each of the two.
    assert -1e-9 < total + other - lowest - highest < (2 if scale.rounded_up else 1e-9)


@pytest.mark.parametrize(
    ("stated", "name", "items"),
    [
        ("stai-s", "STAI", 20), ("STAI Y-2", "STAI", 20), ("STAI", "STAI", 40),
        ("gad 7", "GAD-7", 7),
        ("Phq_9", "PHQ-9", 9), ("pss-10", "PSS-10", 10), ("SUD", "SUDS", 1), ("sam", "SAM", 3),
    ],
)  # fmt: skip
def test_questionnaires_are_found_however_their_names_are_written(
    stated: str, name: str, items: int
) -> None:
    found = find_sheet(stated)
    assert found is not None
    assert (found.form.name, len(found.items)) == (name, items)


def test_the_keys_have_each_item_once_and_only_reverse_their_own() -> None:
    counts = {name: len(form.items) for name, form in FORMS.items()}
    assert counts == {
        "SAM": 3, "STAI": 40, "SUDS": 1, "PANAS": 20, "GAD-7": 7, "PHQ-9": 9, "PSS-10": 10,
    }  # fmt: skip
    for form in FORMS.values():
        assert form.items == tuple(range(1, len(form.items) + 1))
        assert all(scale.reversed_items <= set(scale.items) for scale in form.scales)
    assert [len(scale.reversed_items) for scale in STAI.scales] == [10, 9]
    assert [form.span(form.scales[0])[1] for form in (GAD_7, PHQ_9)] == [21, 27]


def test_a_blank_table_can_be_filled_in_and_scored_and_is_never_overwritten(
    tmp_path: Path,
) -> None:
    path = tmp_path / "blank.csv"
    assert write_blank([*FORMS], path) == 2 * sum(len(form.items) for form in FORMS.values())
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert all(row["score"] == "" for row in rows)
    assert all(score.before is None for score in questionnaire_scores(path, "P", "1", {})[0])
    filled = [{**row, "score": row["highest"]} for row in rows]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(filled)
    scores, notices = questionnaire_scores(path, "P", "1", {})
    assert len(scores) == 10 + 1  # every scale of seven forms
    assert not notices
    assert {s.measure: s.after for s in scores}["STAI-S"] == 50
    with pytest.raises(OutputError, match="E_OUTPUT"):
        write_blank(["SAM"], path)
    with pytest.raises(InputError, match="No questionnaire 'IQ' is known"):
        write_blank(["IQ"], tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


def page(scores: Iterable[QuestionnaireScore]) -> str:
    content = questionnaires_content(SimpleNamespace(questionnaires=tuple(scores)))
    return (
        environment()
        .get_template("therapy/questionnaires/questionnaires.html.jinja")
        .render(questionnaires=content)
    )


def test_the_section_shows_totals_bands_reasons_and_that_both_need_not_agree(
    tmp_path: Path,
) -> None:
    rows = [
        *sheet("GAD-7", "before", [2] * 7), *sheet("GAD-7", "after", [1] * 7),
        *sheet("PSS", "before", ["", *[2] * 9]),
    ]  # fmt: skip
    scores, _ = scored(table(tmp_path, *rows), {"GAD-7": Reliability(5.0, 0.9)})
    shown = page(scores.values())
    for text in ("GAD-7", "0 to 21", "moderate", "mild", "-7", "index -3.13", "item 1 of 10",
                 "need not agree", "<svg", "higher: more anxiety"):  # fmt: skip
        assert text in shown, text
    assert page(()).strip() == ""
    assert questionnaire_ranges([scores["PSS-10"]]) is None


def test_W09_text_from_the_table_stays_text_in_the_page_and_in_sentences(tmp_path: Path) -> None:
    payload = "<script>alert(1)</script>\x1b[31m"
    path = table(tmp_path, f"{payload},before,1,3", f"PSS,before,1,{payload}")
    scores, sentences = scored(path)
    assert all(sentence.isprintable() for sentence in sentences)
    assert "<script" not in page(scores.values())


def test_a_groups_means_and_the_two_kinds_of_wording_are_told_apart(tmp_path: Path) -> None:
    header = f"subject,{HEADER}"

    def people(entered_reversed: bool) -> list[str]:
        rows = []
        for person in range(12):
            level = person % 4  # stress, 0 to 3; a tired mind on item 1 keeps it from being perfect
            marks = [
                (level if entered_reversed else 4 - level) if item in (4, 5, 7, 8) else level
                for item in range(1, 11)
            ]
            marks[0] = person // 4
            rows += [f"P{person},{row}" for row in sheet("PSS", "before", marks)]
        return rows

    (raw,) = group_totals(read_answers(table(tmp_path, *people(False), header=header)))
    (turned,) = group_totals(read_answers(table(tmp_path, *people(True), header=header)))
    assert raw.people == turned.people == 12
    # by hand: nine items of mean 1.5 and one of mean 1; without reversing four of them mean 2.5
    assert raw.by_key == pytest.approx(14.5)
    assert raw.plain == pytest.approx(18.5)
    assert turned.plain == pytest.approx(14.5)
    assert raw.together is not None
    assert raw.together.high is not None
    assert raw.together.high < 0
    assert turned.together is not None
    assert turned.together.low is not None
    assert turned.together.low > 0


def test_plain_sums_equal_all_totals_that_stress_predict_states(real_data: Path) -> None:
    read = read_answers(real_data / "stress_predict" / "questionnaires.csv")
    assert len(people_of(read)) == 25
    compared = 0
    for person in people_of(read):
        answers = gather_answers(own_rows(read, *person))
        assert not answers.faults
        for stated in answers.totals:
            entries = answers.of(stated.sheet.form, stated.time)
            own = [entries[item].value for item in stated.sheet.items]
            assert plain_total(own) == stated.value
            compared += 1
    assert compared == 100


def test_by_the_key_stress_predict_differs_from_its_totals_and_is_told(real_data: Path) -> None:
    """The sums by the key were computed apart from the package, from the published item lists."""
    path = real_data / "stress_predict" / "questionnaires.csv"
    scores, notices = questionnaire_scores(path, "S01", "1", {})
    with path.open(newline="") as stream:
        rows = [
            r for r in csv.DictReader(stream) if r["subject"] == "S01" and r["time"] == "before"
        ]
    stai = {r["item"]: float(r["score"]) for r in rows if r["questionnaire"] == "STAI"}
    turned = {1, 2, 5, 8, 10, 11, 15, 16, 19, 20}
    expected = sum(5 - stai[str(i)] if i in turned else stai[str(i)] for i in range(1, 21))
    assert {score.measure: score.before for score in scores}["STAI-S"] == expected == 44
    (told,) = notices
    assert "STAI before 62 (line 42)" in told.sentence
    assert "plain sums" in told.sentence
    means = {
        (t.measure, t.time): (round(t.by_key, 1), round(t.plain, 1))
        for t in group_totals(read_answers(path))
    }
    assert means["STAI-S", "before"] == (47.1, 29.5)
    assert means["PSS-10", "after"] == (18.2, 11.4)
