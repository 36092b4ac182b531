"""What a leaky split adds: paired over people, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affectscope.errors import EvaluationError
from affectscope.evaluation.split_effect import COLUMNS, split_effect
from affectscope.evaluation.summary import summarise

PEOPLE, CLIPS = 6, 8


def predictions(protocol: str, right: float, people: int = PEOPLE) -> pd.DataFrame:
    """Half of all trials are high; a share ``right`` of each person's is called right."""
    rows = []
    for person in range(people):
        for clip in range(CLIPS):
            truth = 0.5 if clip % 2 else -0.5
            called = truth if clip // 2 < right * CLIPS / 2 else -truth
            rows.append((f"P{person}", f"c{clip}", 0.0, "valence", truth, called, 0.5, 1.0,
                         "fold", 0, "system", protocol))  # fmt: skip
    names = ["subject", "trial", "onset", "target", "truth", "prediction", "probability",
             "half_width", "fold", "seed", "model", "protocol"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def test_the_difference_is_that_of_both_splits_own_numbers() -> None:
    honest, leaky = predictions("A", 0.5), predictions("D", 1.0)
    found = split_effect(honest, leaky, ["macro_f1", "accuracy"], draws=200)
    assert tuple(found.columns) == COLUMNS
    assert list(found["metric"]) == ["macro_f1", "accuracy"]
    row = found.iloc[0]
    assert row["honest"] == pytest.approx(0.5)
    assert row["leaky"] == pytest.approx(1.0)
    assert row["difference"] == pytest.approx(0.5)
    assert (row["subjects"], row["level"]) == (PEOPLE, "trial")
    # Everybody gains the same: no draw of people changes it.
    assert (row["low"], row["high"]) == (pytest.approx(0.5), pytest.approx(0.5))
    for table, name in ((honest, "honest"), (leaky, "leaky")):
        own = summarise(table, draws=200)
        own = own[(own["metric"] == "macro_f1") & (own["level"] == "trial")].iloc[0]
        assert row[name] == pytest.approx(own["value"])
        assert row[f"{name}_low"] == pytest.approx(own["low"])


def test_one_person_who_alone_gains_widens_the_interval_down_to_nothing() -> None:
    honest, leaky = predictions("A", 0.5), predictions("D", 0.5)
    own = leaky["subject"] == "P0"
    leaky.loc[own, "prediction"] = leaky.loc[own, "truth"]
    row = split_effect(honest, leaky, ["accuracy"], draws=2000).iloc[0]
    assert row["difference"] == pytest.approx(0.5 / PEOPLE)
    assert row["low"] == pytest.approx(0.0)  # draws without that person
    assert row["high"] > 0.5 / PEOPLE


def test_only_people_of_both_count() -> None:
    honest, leaky = predictions("A", 0.5, people=2), predictions("D", 0.5)
    later = leaky["subject"].isin(["P0", "P1"])
    leaky.loc[~later, "prediction"] = leaky.loc[~later, "truth"]
    row = split_effect(honest, leaky, ["accuracy"], draws=100).iloc[0]
    assert row["subjects"] == 2
    assert row["difference"] == pytest.approx(0.0)
    unrated = leaky.assign(truth=np.nan)
    with pytest.raises(EvaluationError, match="E_EVALUATION"):
        split_effect(honest, unrated, ["accuracy"])
    with pytest.raises(EvaluationError, match="no metric 'luck'"):
        split_effect(honest, leaky, ["luck"])


def test_a_system_of_one_table_alone_has_no_row() -> None:
    honest = pd.concat([predictions("A", 0.5), predictions("A", 0.5).assign(model="only A")])
    found = split_effect(honest, predictions("D", 1.0), ["accuracy"], draws=50)
    assert list(found["model"]) == ["system"]
