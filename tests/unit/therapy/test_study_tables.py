"""A study's CSV tables: read back, they hold what the results hold, and no formula."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectscope.therapy.study.rows import long_table, study_rows
from affectscope.therapy.study.statistics import agreements, group_changes
from affectscope.therapy.study.tables import write_tables

Results = dict[str, dict[str, Any]]
Made = Callable[..., Results]


def tables(results: Results, folder: Path) -> dict[str, list[dict[str, str]]]:
    rows = study_rows(results, 0.5)
    table = long_table(rows)
    written = write_tables(
        rows, table, changes=group_changes(table), agreements=agreements(table), folder=folder
    )
    found = {}
    for path in written:
        with path.open(newline="", encoding="utf-8") as stream:
            found[path.name] = list(csv.DictReader(stream, strict=True))
    return found


def test_the_five_tables_hold_what_the_results_hold(simulated_study: Made, tmp_path: Path) -> None:
    results = simulated_study(6)
    results["patient-03"]["phase_coverage"]["before"]["eda"] = 0.2
    found = tables(results, tmp_path)
    assert set(found) == {
        "patients.csv", "sessions.csv", "statistics.csv", "agreement.csv", "exclusions.csv",
    }  # fmt: skip
    given = results["patient-02"]
    (session,) = (row for row in found["sessions.csv"] if row["patient"] == "patient-02")
    heart = given["physiology"]["heart rate"]
    for key, name in (("mean", ""), ("low", "_low"), ("high", "_high")):
        assert float(session[f"heart_rate_change{name}"]) == pytest.approx(heart["change"][key])
    assert float(session["heart_rate_hedges_g_av"]) == pytest.approx(heart["hedges_g_av"]["mean"])
    assert float(session["quadrant_probability_before_II"]) == pytest.approx(0.94)
    assert float(session["suds_before"]) == given["questionnaires"][2]["before"]
    assert session["counted"] == "yes"
    assert session["model_checkpoint_id"] == "5f" * 32

    patients = {row["patient"]: row for row in found["patients.csv"]}
    assert list(patients) == list(results)
    change = given["affect"]["valence"]["change"]["mean"]
    before_after = [given["affect"]["valence"][phase]["mean"] for phase in ("before", "after")]
    assert float(patients["patient-02"]["valence_change"]) == pytest.approx(change, abs=1e-6)
    assert float(patients["patient-02"]["valence_before"]) == pytest.approx(before_after[0])
    assert patients["patient-03"]["eda_level_change"] == ""

    statistics = {row["measure"]: row for row in found["statistics.csv"]}
    assert statistics["EDA level"]["patients"] == "5"
    assert statistics["valence"]["patients"] == "6"
    low, high = (float(statistics["valence"][f"change_{end}"]) for end in ("low", "high"))
    assert low < float(statistics["valence"]["change"]) < high
    assert len(found["agreement.csv"]) == 4 * 7
    assert [row["code"] for row in found["exclusions.csv"]] == ["W_PHASE_COVERAGE"]


def test_W10_no_cell_of_any_table_is_a_formula_and_numbers_stay_numbers(
    simulated_study: Made, tmp_path: Path
) -> None:
    results = simulated_study(4)
    nasty = ["=cmd|'/c calc'!A1", "+1+2", "-2+3", "@SUM(A1:A9)"]
    spoiled: Results = {}
    for payload, result in zip(nasty, results.values(), strict=True):
        result |= {"subject_id": payload, "session_folder": f"\t{payload}"}
        result["questionnaires"][2] |= {"measure": "=SUDS", "reason": "\r=1"}
        result["physiology"]["heart rate"] |= {"after": None, "change": None, "reason": payload}
        spoiled[f"{payload}-session"] = result
    spoiled["+rejected"] = {
        "format": 2, "status": "REJECTED", "code": "E_SESSION", "sentence": "=1+1", "remedy": "",
        "subject_id": "=rejected",
    }  # fmt: skip
    found = tables(spoiled, tmp_path)
    cells = 0
    for rows in found.values():
        for row in rows:
            assert None not in row  # no cell broke out of its column
            for name, cell in row.items():
                assert not name.startswith(("=", "+", "-", "@", "\t", "\r"))
                if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
                    float(cell)  # a negative number is a number, not text
                    cells += 1
    assert cells > 20
    assert {row["patient"] for row in found["patients.csv"]} == {
        *(f"'{payload}" for payload in nasty), "'=rejected",
    }  # fmt: skip
    falls = [float(row["arousal_change"]) for row in found["patients.csv"] if row["arousal_change"]]
    assert min(falls) < 0


def test_tables_of_a_study_without_results_have_their_heads(
    simulated_study: Made, tmp_path: Path
) -> None:
    tables({}, tmp_path)
    assert (tmp_path / "exclusions.csv").read_text() == "session,patient,measures,code,reason\n"
    assert (tmp_path / "sessions.csv").read_text().startswith("session,patient,number,status")
