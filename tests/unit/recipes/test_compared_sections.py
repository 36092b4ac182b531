"""Table V's own sections: printed numbers, needs and costs, which system when a modality lacks."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from affectscope.baselines.compared import COMPARED_TARGETS, Published
from affectscope.evaluation.crossval import TRANSDUCTIVE
from affectscope.evaluation.fold_store import FoldCost
from affectscope.recipes.compared_sections import (
    Contender,
    citations,
    duration,
    nearest_metric,
    needs_and_costs,
    not_run,
    printed_numbers,
    which_system,
)
from affectscope.recipes.experiment_report import (
    COMPARISON_COLUMNS,
    SUMMARY_COLUMNS,
    ExperimentReport,
    Ranks,
    RunExtent,
)

VALUES = {"both": 0.70, "ecg only": 0.60, "eda only": 0.45, "brain": 0.9, "majority": 0.5}
RANKS = {"both": 2.0, "ecg only": 1.5, "eda only": 4.0, "brain": 1.0, "majority": 3.0}
RECALL = Published("unweighted average recall", "ten random parts [?]", 67.0, None, "Swapped.")
CONTENDERS = (
    Contender("both", "A paper", ("face", "ecg", "eda"), (), ("face", "ecg"), RECALL),
    Contender("ecg only", "Another", ("ecg",), ("ecg",), ("ecg",), None, TRANSDUCTIVE),
    Contender("eda only", "Another", ("eda",), ("eda",), ("eda",), None),
    Contender("brain", "A third", ("ecg", "eeg"), ("ecg",), ("ecg", "eeg"), RECALL),
)


def report(width: float = 0.05, **changes: object) -> ExperimentReport:
    rows = [
        (name, target, "trial", metric, value + shift, value + shift - width,
         value + shift + width, 0.5, 8, 128, 1)
        for name, value in VALUES.items()
        for target in COMPARED_TARGETS
        for metric, shift in (("macro_f1", 0.0), ("balanced_accuracy", 0.02))
    ]  # fmt: skip
    made = ExperimentReport(
        title="", table="Table V", corpus="twin", simulated=False, protocol="A",
        extent=RunExtent(8, 8, 1, 1), subjects=8, trials=128,
        models=tuple(one.name for one in CONTENDERS), baselines=("majority",), oracles=(),
        summary=pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS)),
        comparisons=pd.DataFrame([], columns=list(COMPARISON_COLUMNS)),
        intervals="", configuration={}, versions={}, seconds=1.0,
        ranks=(Ranks("macro F1", RANKS, 0.01, 1.0, 8),),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def rows(width: float = 0.05) -> dict[str, list[str]]:
    """What is at hand -> system, mean rank, ..., verdict."""
    (table,) = which_system(report(width), CONTENDERS).tables
    return {row.name: [cell.text for cell in row.cells] for row in table.rows}


def test_the_choice_is_the_best_ranked_of_those_that_use_no_more() -> None:
    found = rows()
    assert list(found) == [
        "face, ECG, EDA", "face, ECG", "face, EDA", "ECG, EDA", "face", "ECG", "EDA",
    ]  # fmt: skip
    assert [cells[0] for cells in found.values()] == [
        "ecg only", "ecg only", "eda only", "ecg only", "none was run", "ecg only", "eda only",
    ]  # fmt: skip
    assert found["face, ECG"][1] == "1.50"
    section = which_system(report(), CONTENDERS)
    assert "In no row, since they also used EEG: brain." in section.sentences
    assert "majority (3.00)" in section.sentences[1]


def test_that_none_is_above_the_baselines_is_computed() -> None:
    narrow, wide = rows(0.05), rows(0.3)
    assert narrow["ECG"][-1] == "valence, arousal, liking"
    assert narrow["EDA"][-1] == "none is above the baselines"  # .45 beside the baseline's .50
    assert {cells[-1] for cells in wide.values()} == {"none is above the baselines", "–"}
    # The best-ranked is not above, and another one is: it is not hidden.
    other = {"macro_f1": 0.40, "balanced_accuracy": 0.4}
    made = report()
    summary = made.summary.copy()
    mine = summary["model"] == "ecg only"
    summary.loc[mine, ["value", "low"]] = other["macro_f1"]
    (table,) = which_system(replace(made, summary=summary), CONTENDERS).tables
    verdict = table.rows[0].cells[-1]
    assert (verdict.text, verdict.detail) == ("not this one", "another is: both")


@pytest.mark.parametrize(
    ("metric", "ours"),
    [
        ("unweighted average recall", "balanced_accuracy"),
        ("balanced accuracy", "balanced_accuracy"),
        ("accuracy [?]", "accuracy"),
        ("mean of both classes' F1", "macro_f1"),
        ("not stated ('precision')", "precision_macro"),
        ("something else", "macro_f1"),
    ],
)
def test_a_papers_measure_stands_beside_the_nearest_of_ours(metric: str, ours: str) -> None:
    assert nearest_metric(Published(metric, "")) == ours


def test_printed_numbers_stand_beside_ours_with_their_protocol() -> None:
    section = printed_numbers(report(), CONTENDERS)
    (table,) = section.tables
    assert [row.name for row in table.rows] == ["both", "brain"]
    cells = table.rows[0].cells
    assert [cell.text for cell in cells] == [
        "unweighted average recall", "balanced accuracy", "67.00", "72.0", "–", "72.0",
        "ten random parts [?]",
    ]  # fmt: skip
    assert cells[3].detail == "67.0 to 77.0"
    assert section.points == ("both; brain: Swapped.",)
    assert "ecg only; eda only" in section.sentences[-1]
    assert "agreement means nothing" not in " ".join(section.sentences)
    simulated = printed_numbers(report(simulated=True), CONTENDERS)
    assert "agreement means nothing" in " ".join(simulated.sentences)


def cost(model: str, seconds: float) -> FoldCost:
    return FoldCost(model, "P1", "A", 0, seconds, seconds / 100, 500, 50)


def test_costs_are_means_per_fold_and_per_1000_rows() -> None:
    (table,) = needs_and_costs(CONTENDERS, [cost("both", 2.0), cost("both", 4.0)]).tables
    by_name = {row.name: [cell.text for cell in row.cells] for row in table.rows}
    assert by_name["both"] == [
        "face, ECG, EDA", "one of what it uses", "face, ECG", "training people",
        "3.00", "6.00", "0.03", "0.60",
    ]  # fmt: skip
    assert by_name["ecg only"][1:4] == ["ECG", "ECG", TRANSDUCTIVE]
    assert by_name["ecg only"][4:] == ["–"] * 4


def test_durations_say_no_more_than_they_know() -> None:
    assert [duration(s) for s in (0.001, 0.0123, 12.34, 123.4, 12345.0)] == [
        "< 0.01", "0.01", "12.3", "123", "12,345",
    ]  # fmt: skip


def test_papers_are_listed_once_and_the_absent_with_their_reason() -> None:
    assert citations(CONTENDERS).points == (
        "both: A paper", "ecg only; eda only: Another", "brain: A third",
    )  # fmt: skip
    assert not_run({}).empty
    (table,) = not_run({"brain": "It needs EEG, which no trial has."}).tables
    assert (table.rows[0].name, table.rows[0].cells[0].text) == (
        "brain", "It needs EEG, which no trial has.",
    )  # fmt: skip
