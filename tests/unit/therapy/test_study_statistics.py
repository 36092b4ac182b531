"""Group changes and agreement of a study's long table, simulated and real."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from affectscope.therapy.study.statistics import agreements, group_changes
from group_statistics import simulated_study, stress_predict_table

COLUMNS = ["patient", "session", "number", "measure", "unit", "kind", "before", "after"]
KINDS = {
    "valence": ("-1 to 1", "affect"),
    "arousal": ("-1 to 1", "affect"),
    "heart rate": ("bpm", "physiology"),
    "SAM valence": ("points", "questionnaire"),
    "STAI-S": ("points", "questionnaire"),
}


def long_table(changes: dict[str, np.ndarray], *, before: float = 0.0) -> pd.DataFrame:
    """(patients, sessions) changes of each measure, all from one value before."""
    rows = []
    for measure, values in changes.items():
        for (patient, session), change in np.ndenumerate(values):
            name = f"P{patient:02}"
            head = (name, f"{name}/s{session + 1}", session + 1, measure, *KINDS[measure])
            rows.append((*head, before, before + change))
    return pd.DataFrame(rows, columns=COLUMNS)


def test_patients_are_the_unit_and_sessions_are_averaged_first() -> None:
    """Means per patient 2, 1 and -3, though four of the six sessions rose."""
    found = group_changes(long_table({"heart rate": np.array([[1.0, 3], [1, 1], [-7, 1]])}))
    (change,) = found
    assert (change.patients, change.sessions, change.rose, change.fell) == (3, 6, 2, 1)
    assert change.change is not None
    assert change.change.mean == pytest.approx(0)
    assert change.change.count == 3
    assert change.p_permutation == 1.0
    assert (change.measure, change.unit, change.kind) == ("heart rate", "bpm", "physiology")


def test_more_sessions_of_the_same_patients_are_not_more_evidence() -> None:
    once = np.random.default_rng(0).normal(0.5, 1, (6, 1))
    one, many = (
        group_changes(long_table({"valence": np.repeat(once, count, axis=1)}))[0]
        for count in (1, 10)
    )
    assert many.p_permutation == one.p_permutation
    assert many.p_wilcoxon == one.p_wilcoxon
    assert many.change is not None
    assert one.change is not None
    assert asdict(many.change) == pytest.approx(asdict(one.change))


def test_five_patients_get_their_p_and_the_reason_why_it_says_little() -> None:
    (change,) = group_changes(
        long_table({"valence": np.array([[0.2], [0.3], [0.1], [0.5], [0.4]])})
    )
    assert change.p_permutation == change.p_wilcoxon == 0.0625
    assert "5 patients changed" in change.reason
    assert "cannot be below 0.0625" in change.reason
    assert "No mixed model: 0 patients have at least 2 sessions" in change.reason
    six = group_changes(long_table({"valence": np.arange(1.0, 7)[:, None]}))[0]
    assert six.p_permutation == pytest.approx(0.03125)
    assert "cannot be below" not in six.reason


def test_holm_runs_over_the_measures_of_one_kind() -> None:
    random = np.random.default_rng(1)
    names = ("valence", "arousal", "heart rate")
    found = group_changes(long_table({name: random.normal(0.8, 1, (9, 1)) for name in names}))
    valence, arousal, heart = found
    assert valence.p_permutation is not None
    assert arousal.p_permutation is not None
    smaller, larger = sorted([valence.p_permutation, arousal.p_permutation])
    corrected = sorted([valence.p_holm or 0, arousal.p_holm or 0])
    assert corrected == pytest.approx([min(1, 2 * smaller), min(1, max(2 * smaller, larger))])
    assert heart.p_holm == heart.p_permutation


def test_the_mixed_model_sees_all_sessions_and_how_changes_move() -> None:
    random = np.random.default_rng(2)
    rising = 1 + 2 * np.arange(4) + random.normal(size=(7, 1)) + 0.3 * random.normal(size=(7, 4))
    (change,) = group_changes(long_table({"heart rate": rising}))
    mixed = change.mixed
    assert mixed is not None
    assert mixed.per_session is not None
    assert mixed.per_session.low is not None
    assert mixed.per_session.high is not None
    assert mixed.per_session.low < 2 < mixed.per_session.high
    assert mixed.p_per_session is not None
    assert mixed.p_per_session < 1e-6
    assert mixed.change.mean == pytest.approx(1, abs=1), "the change in the first session"
    assert "No mixed model" not in change.reason


def spoiled(kind: str) -> pd.DataFrame:
    random = np.random.default_rng(3)
    table = long_table({name: random.normal(size=(6, 2)) for name in KINDS}, before=5)
    if kind == "nothing measured":
        table[["before", "after"]] = np.nan
    elif kind == "nobody changed":
        table["after"] = table["before"]
    elif kind == "all the same":
        table["after"] = table["before"] + 0.1
    elif kind == "one patient":
        table = table[table["patient"] == "P00"]
    elif kind == "two patients":
        table = table[table["patient"] <= "P01"]
    elif kind == "endless":
        table.loc[::3, "after"] = np.inf
    elif kind == "objects":
        table = table.astype(object)
        table.loc[::3, "before"] = None
    elif kind == "no rows":
        table = table.iloc[:0]
    return table


@pytest.mark.parametrize(
    "kind",
    ["nothing measured", "nobody changed", "all the same", "one patient", "two patients", "endless",
     "objects", "no rows"],
)  # fmt: skip
def test_degenerate_studies_give_typed_results_with_reasons(kind: str) -> None:
    table = spoiled(kind)
    changes, pairs = group_changes(table), agreements(table)
    assert len(changes) == (0 if kind == "no rows" else 5)
    assert len(pairs) == (0 if kind == "no rows" else 6)
    for change in changes:
        assert change.reason or kind in ("endless", "objects"), change
        json.dumps(asdict(change), allow_nan=False)
    for pair in pairs:
        assert not pair.sentence.startswith("Changes in"), pair.sentence
        json.dumps(asdict(pair), allow_nan=False)


def test_a_session_that_comes_twice_counts_once_or_not_at_all() -> None:
    table = long_table({"valence": np.random.default_rng(4).normal(size=(5, 2))})
    assert group_changes(pd.concat([table, table])) == group_changes(table)
    other = table.iloc[:1].assign(after=9.0)
    (change,) = group_changes(pd.concat([table, other]))
    assert change.sessions == 9
    assert "1 session left out: listed twice with other values." in change.reason


def test_the_order_of_the_rows_does_not_matter() -> None:
    table = simulated_study(18, 2, planted=True, seed=0)
    mixed = table.sample(frac=1, random_state=1)
    by_name = {one.measure: one for one in group_changes(mixed)}
    for change in group_changes(table):
        assert by_name[change.measure] == change
    assert agreements(mixed) == agreements(table)


def test_every_questionnaire_meets_every_other_measure_over_shared_sessions() -> None:
    random = np.random.default_rng(5)
    values = {name: random.normal(size=(9, 2)) for name in KINDS}
    table = long_table(values)
    lost = (table["measure"] == "STAI-S") & (table["session"] == "P00/s2")
    table.loc[lost, "after"] = np.nan
    found = {(one.first, one.second): one for one in agreements(table)}
    assert set(found) == {
        (first, second)
        for first in ("SAM valence", "STAI-S")
        for second in ("valence", "arousal", "heart rate")
    }
    heart = values["heart rate"].mean(axis=1)
    heart[0] = values["heart rate"][0, 0]
    stai = values["STAI-S"].mean(axis=1)
    stai[0] = values["STAI-S"][0, 0]
    one = found["STAI-S", "heart rate"]
    assert one.rank_correlation is not None
    assert one.rank_correlation.mean == pytest.approx(spearmanr(stai, heart).statistic)
    limits = one.bland_altman
    assert limits is not None
    assert limits.on_scale == "standard deviations of the change over patients"
    expected = (stai / stai.std(ddof=1) - heart / heart.std(ddof=1)).mean()
    assert limits.bias.mean == pytest.approx(expected)
    assert one.bland_altman_before is None


def test_sam_and_its_estimate_are_compared_on_one_scale() -> None:
    """SAM 3 to 7 and so on is -0.5 to 0.5; the estimate says 0.1 more before and after."""
    points = np.array([[3.0, 7], [5, 9], [1, 5], [2, 8], [4, 6], [6, 7]])
    scaled = (points - 5) / 4 + 0.1
    rows = []
    for patient, (sam, estimate) in enumerate(zip(points, scaled, strict=True)):
        head = (f"P{patient}", f"P{patient}", 1)
        rows.append((*head, "SAM valence", "points", "questionnaire", *sam))
        rows.append((*head, "valence", "-1 to 1", "affect", *estimate))
    table = pd.DataFrame(rows, columns=COLUMNS)
    (one,) = agreements(table)
    assert one.bland_altman is not None
    assert one.bland_altman_before is not None
    assert one.bland_altman_after is not None
    assert one.bland_altman.bias.mean == pytest.approx(0)
    assert one.bland_altman_before.bias.mean == pytest.approx(-0.1)
    assert one.bland_altman_after.bias.mean == pytest.approx(-0.1)
    assert "-1 to 1" in one.bland_altman.on_scale
    table.loc[0, "after"] = 10.0
    (one,) = agreements(table)
    assert one.bland_altman is None
    assert "outside 1 to 9" in one.reason


def paired(first: np.ndarray, second: np.ndarray) -> pd.DataFrame:
    return long_table({"STAI-S": first[:, None], "heart rate": second[:, None]})


def test_agreement_is_said_only_where_it_is_shown_and_says_which_way() -> None:
    first = np.random.default_rng(6).normal(size=14)
    noise = np.random.default_rng(7).normal(size=14)
    (with_it,) = agreements(paired(first, first + 0.3 * noise))
    (against,) = agreements(paired(first, -first + 0.3 * noise))
    (nothing,) = agreements(paired(first, noise))
    assert with_it.sentence.startswith("Changes in STAI-S went with changes in heart rate")
    assert "heart rate rose more" in with_it.sentence
    assert against.sentence.startswith("Changes in STAI-S went against changes in heart rate")
    assert "heart rate rose less" in against.sentence
    assert nothing.sentence.startswith("No agreement shown: rank correlation ")
    assert "(14 patients)" in nothing.sentence


def test_a_pair_that_holms_correction_takes_back_is_not_shown() -> None:
    first = np.arange(10.0)
    second = np.array([0.0, 5, 4, 1, 2, 7, 6, 3, 8, 9])
    alone = agreements(paired(first, second))[0]
    random = np.random.default_rng(8)
    measures = {name: random.normal(size=(10, 1)) for name in KINDS}
    measures |= {"STAI-S": first[:, None], "heart rate": second[:, None]}
    pairs = {(one.first, one.second): one for one in agreements(long_table(measures, before=5))}
    among = pairs["STAI-S", "heart rate"]
    assert alone.p_holm is not None
    assert alone.p_holm < 0.05
    assert alone.sentence.startswith("Changes in")
    assert among.p_permutation is not None
    assert among.p_permutation < 0.05
    assert among.p_holm is not None
    assert among.p_holm > 0.05
    assert among.sentence.startswith("No agreement shown")
    assert "after Holm over 6 pairs" in among.sentence


def test_five_patients_in_one_order_do_not_show_agreement() -> None:
    """Their p is 2 / 5! = 0.017, but five points leave the interval open to zero."""
    (one,) = agreements(paired(np.arange(5.0), np.arange(5.0)))
    assert one.p_holm == pytest.approx(2 / 120)
    assert one.sentence.startswith("No agreement shown: rank correlation 1.00 [-0.1")


@pytest.mark.parametrize("patients", [1, 3, 4])
def test_too_few_patients_are_told_and_not_tested(patients: int) -> None:
    (one,) = agreements(paired(np.arange(1.0, patients + 1), np.arange(1.0, patients + 1)))
    assert one.sentence == (
        f"Too few patients ({patients}) to say whether changes in STAI-S and in heart rate go "
        "together."
    )
    assert (one.p_permutation, one.p_holm, one.bland_altman) == (None, None, None)


def test_real_people_whose_answers_do_not_follow_are_not_said_to_agree(real_data: Path) -> None:
    """The data's README: physiology does not follow the change in STAI (best rho 0.28)."""
    table = stress_predict_table(real_data / "stress_predict")
    found = agreements(table)
    assert [(one.first, one.second, one.patients) for one in found] == [
        ("STAI total", "heart rate", 24),
        ("STAI total", "EDA level", 24),
    ]
    for one in found:
        assert one.sentence.startswith("No agreement shown"), one.sentence
        assert one.rank_correlation is not None
        assert abs(one.rank_correlation.mean) < 0.28
    heart, eda, _ = group_changes(table)
    assert heart.p_permutation is not None
    assert heart.p_permutation < 0.05, "stress does show in the heart"
    assert eda.p_permutation is not None
    assert eda.p_permutation < 0.05


def test_statsmodels_and_scipys_tests_are_loaded_only_when_needed() -> None:
    code = (
        "import sys, affectscope.therapy.study.statistics\n"
        "sys.exit(any(name in sys.modules for name in ('statsmodels', 'scipy.stats')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
