"""The tables of an experiment, from predictions to numbers with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from affectscope.errors import EvaluationError
from affectscope.evaluation.metrics import METRICS
from affectscope.evaluation.predictions import join_predictions
from affectscope.evaluation.scores import read_panel
from affectscope.evaluation.summary import (
    calibration_table,
    compare,
    permutation_table,
    ranks,
    summarise,
)

PEOPLE, CLIPS = 14, 8
DRAWS = 500


def predicted(
    model: str, effect: float, *, seeds: tuple[int, ...] = (0,), frames: int = 3
) -> pd.DataFrame:
    """A model whose scores hold ``effect`` of two targets' truth; clip 0 has twice the frames.

    Predictions vary inside a trial; person S00 gave no valence.
    """
    tables = []
    truth_random = np.random.default_rng(11)
    person, clip = np.repeat(np.arange(PEOPLE), CLIPS), np.tile(np.arange(CLIPS), PEOPLE)
    valence = truth_random.integers(-4, 5, len(person)) / 4
    joy = (truth_random.random(len(person)) < 0.35).astype(float)
    for seed in seeds:
        random = np.random.default_rng([seed, len(model)])
        for target, truth, centre in (("valence", valence, 0.0), ("joy", joy, 0.5)):
            known = np.where((person == 0) & (target == "valence"), np.nan, truth)
            score = centre + effect * (truth - centre) + random.normal(0, 0.4, len(truth))
            count = np.where(clip == 0, 2 * frames, frames)
            rows = np.repeat(np.arange(len(truth)), count)
            value = score[rows] + random.normal(0, 0.2, len(rows))
            tables.append(pd.DataFrame({
                "subject": [f"S{p:02d}" for p in person[rows]],
                "trial": [f"c{c}" for c in clip[rows]],
                "onset": np.arange(len(rows), dtype=float), "target": target,
                "truth": known[rows].astype(np.float32), "prediction": value.astype(np.float32),
                "probability": 1 / (1 + np.exp(-4 * (value - centre))), "half_width": 0.8,
                "fold": "f", "seed": seed, "model": model, "protocol": "A",
            }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return join_predictions([predicted("good", 1.0, seeds=(0, 1)), predicted("no effect", 0.0)])


@pytest.fixture(scope="module")
def summary(predictions: pd.DataFrame) -> pd.DataFrame:
    return summarise(predictions, draws=DRAWS)


def cell(summary: pd.DataFrame, model: str, metric: str, **at: str) -> pd.Series:
    where = {"model": model, "metric": metric, "target": "valence", "level": "trial", **at}
    found = summary[np.logical_and.reduce([summary[k] == v for k, v in where.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_the_summary_has_every_metric_at_both_levels(summary: pd.DataFrame) -> None:
    assert summary.columns.tolist() == [
        "model", "target", "level", "metric", "value", "low", "high", "prevalence", "subjects",
        "trials", "seeds",
    ]  # fmt: skip
    assert len(summary) == 2 * 2 * 2 * len(METRICS)
    assert summary["model"].unique().tolist() == ["good", "no effect"]
    assert (summary["low"] <= summary["value"] + 1e-9).all()
    assert (summary["value"] <= summary["high"] + 1e-9).all()
    one = cell(summary, "good", "accuracy")
    assert (one["subjects"], one["trials"], one["seeds"]) == (13, 13 * CLIPS, 2)
    assert cell(summary, "good", "accuracy", target="joy")["subjects"] == 14


@pytest.mark.parametrize("target", ["valence", "joy"])
def test_trial_level_means_then_decides(
    predictions: pd.DataFrame, summary: pd.DataFrame, target: str
) -> None:
    part = predictions[(predictions["model"] == "no effect") & (predictions["target"] == target)]
    trials = part.dropna(subset="truth").groupby(["subject", "trial"], observed=True)[
        ["truth", "prediction"]
    ].mean()  # fmt: skip
    cut = 0.0 if target == "valence" else 0.5
    high, called = trials["truth"] > cut, trials["prediction"] > cut
    for metric, expected in {
        "macro_f1": sk.f1_score(high, called, average="macro"),
        "precision_positive": sk.precision_score(high, called),
        "auroc": sk.roc_auc_score(high, trials["prediction"]),
        "rmse": np.sqrt(((trials["truth"] - trials["prediction"]) ** 2).mean()),
    }.items():
        found = cell(summary, "no effect", metric, target=target)
        assert found["value"] == pytest.approx(expected, abs=1e-6), metric
        assert found["prevalence"] == pytest.approx(high.mean())


def test_frame_level_weighs_trials_equally(
    predictions: pd.DataFrame, summary: pd.DataFrame
) -> None:
    part = predictions[(predictions["model"] == "no effect") & (predictions["target"] == "joy")]
    weight = 1 / part.groupby(["subject", "trial"], observed=True)["truth"].transform("size")
    high, called = part["truth"] >= 0.5, part["prediction"] >= 0.5
    for metric, expected in {
        "accuracy": sk.accuracy_score(high, called, sample_weight=weight),
        "precision_weighted": sk.precision_score(high, called, average="weighted",
                                                 sample_weight=weight),
        "auroc": sk.roc_auc_score(high, part["prediction"], sample_weight=weight),
    }.items():  # fmt: skip
        found = cell(summary, "no effect", metric, target="joy", level="frame")
        assert found["value"] == pytest.approx(expected, abs=1e-6), metric


def test_a_planted_effect_is_found_and_an_absent_one_is_not(summary: pd.DataFrame) -> None:
    for target in ("valence", "joy"):
        for metric in ("auroc", "balanced_accuracy"):
            found = cell(summary, "good", metric, target=target)
            absent = cell(summary, "no effect", metric, target=target)
            assert found["low"] > 0.6
            assert absent["low"] < 0.5 < absent["high"]


def test_models_are_compared_on_the_same_people(predictions: pd.DataFrame) -> None:
    table = compare(predictions, "auroc", "trial", "no effect", draws=DRAWS)
    assert table.columns.tolist() == [
        "target", "metric", "level", "model_a", "model_b", "difference", "low", "high", "p",
        "p_holm",
    ]  # fmt: skip
    assert set(table["model_a"]) == {"good"}
    assert (table["low"] > 0).all()
    assert (table["p"] < 0.05).all()
    assert (table["p_holm"] >= table["p"]).all()
    twin = predictions[predictions["model"] == "good"].assign(model="twin of good")
    same = compare(join_predictions([predictions, twin]), "auroc", "trial", "good", draws=DRAWS)
    same = same[same["model_a"] == "twin of good"]
    # Paired draws: equal models differ by nothing at all.
    np.testing.assert_allclose(same[["difference", "low", "high"]], 0)
    assert (same["p"] == 1).all()


def test_ranks_over_people(predictions: pd.DataFrame) -> None:
    third = predicted("middling one", 0.4)
    found = ranks(join_predictions([predictions, third]), "accuracy")
    order = sorted(found.average_rank, key=lambda model: found.average_rank[model])
    assert order == ["good", "middling one", "no effect"]
    assert sum(found.average_rank.values()) == pytest.approx(6)
    assert found.friedman_p < 0.01
    assert found.people == PEOPLE
    assert found.critical_difference == pytest.approx(2.343 * np.sqrt(12 / (6 * PEOPLE)), abs=2e-3)
    lower = ranks(join_predictions([predictions, third]), "mae").average_rank
    assert min(lower, key=lambda model: lower[model]) == "good"


def test_permutations_by_table(predictions: pd.DataFrame) -> None:
    table = permutation_table(predictions, "auroc", within="clip", draws=200)
    p = table.set_index(["model", "target"])["p"]
    assert p["good", "valence"] < 0.01
    assert p["no effect", "valence"] > 0.05


def test_calibration_at_trial_level_recovers_the_probability_of_the_mean_score(
    predictions: pd.DataFrame,
) -> None:
    table = calibration_table(predictions).set_index(["model", "target"])
    part = predictions[(predictions["model"] == "no effect") & (predictions["target"] == "joy")]
    mean = part.groupby(["subject", "trial"], observed=True)[["truth", "prediction"]].mean()
    probability = 1 / (1 + np.exp(-4 * (mean["prediction"] - 0.5)))
    row = table.loc[("no effect", "joy")]
    assert row["brier"] == pytest.approx(sk.brier_score_loss(mean["truth"], probability), abs=1e-5)
    assert row["nll"] == pytest.approx(sk.log_loss(mean["truth"], probability), abs=1e-5)
    inside = (mean["truth"] - mean["prediction"]).abs() <= 0.8
    assert row["interval_coverage"] == pytest.approx(inside.mean())
    assert row["interval_half_width"] == pytest.approx(0.8)
    good = table.loc[("good", "joy")]
    for name in ("brier", "nll", "risk_coverage_area"):
        assert good[name] < row[name]


def test_constant_scores_stay_constant_whatever_the_number_of_frames() -> None:
    table = predicted("m", 0.0).assign(prediction=np.float32(0.1))
    auroc = cell(summarise(table, draws=20), "m", "auroc")
    assert auroc["value"] == 0.5


def test_plain_and_categorical_tables_give_the_same_numbers(
    predictions: pd.DataFrame, summary: pd.DataFrame
) -> None:
    plain = pd.DataFrame({name: predictions[name].to_numpy() for name in predictions.columns})
    pd.testing.assert_frame_equal(summarise(plain, draws=DRAWS), summary)


def test_what_cannot_be_evaluated_is_refused(predictions: pd.DataFrame) -> None:
    mixed = join_predictions([predictions, predictions.assign(protocol="D")])
    silent = predictions.assign(prediction=np.float32("nan"))
    unrated = predictions.assign(truth=np.float32("nan"))
    refusals = {
        "mixes the protocols A, D": lambda: summarise(mixed, draws=5),
        "no finite prediction": lambda: summarise(silent, draws=5),
        "No row of the table is rated": lambda: summarise(unrated, draws=5),
        "lacks probability": lambda: calibration_table(predictions.drop(columns="probability")),
        "no metric 'f1'": lambda: compare(predictions, "f1", "trial", "good"),
        "no model 'best'": lambda: compare(predictions, "mcc", "trial", "best"),
        "no level 'clip'": lambda: read_panel(predictions, "clip"),
        "Not every model": lambda: ranks(
            predictions[(predictions["model"] == "good") | (predictions["target"] == "joy")], "mcc"
        ),
    }
    for sentence, call in refusals.items():
        with pytest.raises(EvaluationError, match=sentence) as refusal:
            call()
        assert refusal.value.code == "E_EVALUATION"
        assert refusal.value.remedy
