"""What counts in a study: every exclusion rule, the long table, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from affectscope.errors import SessionError
from affectscope.therapy.study.rows import StudyRows, long_table, study_rows

Results = dict[str, dict[str, Any]]
Made = Callable[..., Results]


def left_out(rows: StudyRows) -> list[tuple[str, str, str]]:
    return [(one.session, one.measures, one.code) for one in rows.exclusions]


def rejected(code: str, patient: str | None = None) -> dict[str, Any]:
    return {
        "format": 2,
        "status": "REJECTED",
        "session": "x",
        "code": code,
        "sentence": "It cannot be used.",
        "remedy": "Look at it.",
        **({} if patient is None else {"subject_id": patient}),
    }


def test_all_sessions_of_a_clean_study_count(simulated_study: Made) -> None:
    rows = study_rows(simulated_study(3, 2), 0.5)
    assert len(rows.counted) == 6
    assert rows.exclusions == ()
    assert rows.patients == ("patient-01", "patient-02", "patient-03")
    assert [one.number for one in rows.sessions] == [1, 2] * 3


def test_the_long_table_holds_each_counted_session_and_measure_once(simulated_study: Made) -> None:
    results = simulated_study(2, 2)
    table = long_table(study_rows(results, 0.5))
    assert list(table.columns) == [
        "patient", "session", "number", "measure", "unit", "kind", "before", "after",
    ]  # fmt: skip
    assert len(table) == 4 * (2 + 5 + 4)
    assert not table.duplicated(["session", "measure"]).any()
    row = table[(table["session"] == "patient-02__session-1") & (table["measure"] == "valence")]
    given = results["patient-02__session-1"]["affect"]["valence"]
    assert row["before"].item() == given["before"]["mean"]
    assert row["after"].item() == given["after"]["mean"]
    assert (row["kind"].item(), row["unit"].item(), row["number"].item()) == (
        "affect", "-1 to 1", 1,
    )  # fmt: skip
    answers = table[table["kind"] == "questionnaire"]
    assert set(answers["measure"]) == {"SAM valence", "SAM arousal", "SUDS", "STAI-S"}


def test_a_rejected_session_counts_for_nothing_but_has_its_number(simulated_study: Made) -> None:
    results = simulated_study(1, 3)
    first, second, third = results
    results[second] = rejected("E_TASK_CRASH", "patient-01")
    rows = study_rows(results, 0.5)
    assert [one.name for one in rows.counted] == [first, third]
    assert [one.number for one in rows.counted] == [1, 3]
    assert left_out(rows) == [(second, "all", "E_TASK_CRASH")]
    assert rows.exclusions[0].reason == "It cannot be used."


def test_a_duplicate_counts_for_nothing_and_takes_no_number(simulated_study: Made) -> None:
    results = simulated_study(1, 3)
    _, second, third = results
    results[second] = rejected("E_DUPLICATE_SESSION", "patient-01")
    rows = study_rows(results, 0.5)
    assert [one.number for one in rows.sessions] == [1, 0, 2]
    assert left_out(rows) == [(second, "all", "E_DUPLICATE_SESSION")]
    assert set(long_table(rows)["session"]) == set(results) - {second}
    assert third in set(long_table(rows)["session"])


def test_a_phase_without_any_usable_modality_excludes_the_session(simulated_study: Made) -> None:
    results = simulated_study(2)
    one, other = results
    results[one]["phase_coverage"]["after"] = {"face": 0.4, "ecg": 0.3, "eda": 0.49}
    results[other]["phase_coverage"]["after"] = {"face": 0.4, "ecg": 0.3, "eda": 0.5}
    rows = study_rows(results, 0.5)
    assert [session.name for session in rows.counted] == [other]
    assert (one, "all", "W_PHASE_COVERAGE") in left_out(rows)
    assert "after" in rows.exclusions[0].reason
    assert len(study_rows(results, 0.49).counted) == 2


@pytest.mark.parametrize(
    ("poor", "without"),
    [
        ("ecg", {"heart rate", "RMSSD", "SDNN"}),
        ("eda", {"EDA level", "skin responses"}),
        ("face", set()),  # affect also rests on ECG and EDA
    ],
)
def test_a_measure_without_enough_of_its_signal_does_not_count(
    simulated_study: Made, poor: str, without: set[str]
) -> None:
    results = simulated_study(1)
    (name,) = results
    results[name]["phase_coverage"]["before"][poor] = 0.2
    rows = study_rows(results, 0.5)
    table = long_table(rows)
    missing = set(table[table["before"].isna() | table["after"].isna()]["measure"])
    assert missing == without
    named = {part for one in rows.exclusions for part in one.measures.split(", ")}
    assert named == without


def test_affect_of_a_model_that_takes_only_the_face_needs_the_face(simulated_study: Made) -> None:
    results = simulated_study(1)
    (name,) = results
    results[name]["phase_coverage"]["before"]["face"] = 0.2
    results[name]["model"]["modalities"] = ["face"]
    assert left_out(study_rows(results, 0.5)) == [(name, "valence, arousal", "W_PHASE_COVERAGE")]


def test_a_session_without_affect_counts_for_the_body(simulated_study: Made) -> None:
    results = simulated_study(2)
    one, other = results
    results[one] |= simulated_study(1, affect=False)[one] | {"subject_id": "patient-01"}
    rows = study_rows(results, 0.5)
    assert len(rows.counted) == 2
    assert left_out(rows) == [(one, "valence, arousal", "W_NO_AFFECT_SCORE")]
    table = long_table(rows).set_index(["session", "measure"])
    assert np.isnan(table.loc[(one, "valence"), "before"])
    assert np.isfinite(table.loc[(one, "heart rate"), "before"])
    assert np.isfinite(table.loc[(other, "valence"), "before"])


def test_a_study_without_any_affect_says_so_once(simulated_study: Made) -> None:
    rows = study_rows(simulated_study(4, affect=False), 0.5)
    assert left_out(rows) == [("4 sessions", "valence, arousal", "W_NO_AFFECT_SCORE")]


def test_a_missing_value_is_told_with_the_code_of_its_notice(simulated_study: Made) -> None:
    results = simulated_study(1)
    (name,) = results
    results[name]["physiology"]["RMSSD"] |= {
        "before": None, "change": None, "reason": "too many ectopic beats",
    }  # fmt: skip
    results[name]["questionnaires"][2] |= {"after": None, "change": None, "reason": "no answer"}
    results[name]["notices"] = [
        {"code": "W_RHYTHM", "sentence": "No RMSSD (too many ectopic beats)."}
    ]
    assert left_out(study_rows(results, 0.5)) == [
        (name, "RMSSD", "W_RHYTHM"),
        (name, "SUDS", "W_QUESTIONNAIRE"),
    ]


def test_two_models_in_one_study_are_refused(simulated_study: Made) -> None:
    results = simulated_study(2)
    results["patient-02"]["model"]["checkpoint_id"] = "ab" * 32
    with pytest.raises(SessionError, match=r"E_STUDY.*2 different models.*patient-02"):
        study_rows(results, 0.5)


def test_simulated_people_among_real_ones_are_refused(simulated_study: Made) -> None:
    results = simulated_study(3)
    results["patient-02"]["simulated_person"] = False
    with pytest.raises(SessionError, match=r"E_STUDY.*2 of 3 sessions are of simulated people"):
        study_rows(results, 0.5)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda result: result.update(format=1),
        lambda result: result.pop("format"),
        lambda result: result.pop("status"),
        lambda result: result.update(status="FINE"),
        lambda result: result.pop("phase_coverage"),
        lambda result: result["phase_coverage"].pop("after"),
        lambda result: result["phase_coverage"].update(after=None),
        lambda result: result.pop("questionnaires"),
        lambda result: result.pop("model"),
        lambda result: result.update(physiology=[1, 2]),
        lambda result: result["affect"]["valence"].update(before="high"),
        lambda result: result["affect"]["valence"].pop("unit"),
        lambda result: result["questionnaires"][0].update(before=float("inf")),
        lambda result: result.update(notices=[{"sentence": "no code"}]),
        lambda result: result.update(model="a model"),
        lambda result: result.update(model={"variant": "bmmn"}),
        lambda result: result.update(status="REJECTED"),
    ],
)
def test_a_result_of_another_version_names_its_file_and_what_to_do(
    simulated_study: Made, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    results = copy.deepcopy(simulated_study(2))
    spoil(results["patient-02"])
    with pytest.raises(SessionError, match=r"E_STUDY.*patient-02/result\.json.*new folder"):
        study_rows(results, 0.5)
