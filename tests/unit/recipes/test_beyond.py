"""The fused network as a system: what it sees, what it cannot see, and what it does without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from affectscope.baselines.compared import ComparedData
from affectscope.errors import LeakError
from affectscope.evaluation.crossval import Fitted, System, Task, cross_validate
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.fused import fused_network
from affectscope.models.shipped import open_model
from affectscope.recipes.beyond_costs import COST_TITLE, Trials, cost_rows, dropout_pair
from affectscope.recipes.beyond_experiment import Beyond, BeyondExperiment
from affectscope.recipes.beyond_inputs import (
    Scale,
    context_of,
    fused_data,
    signal_windows,
    trial_rows,
)
from affectscope.recipes.beyond_model import save_everybody
from affectscope.recipes.beyond_systems import (
    FUSED,
    VARIANTS,
    FusedFolds,
    FusedSettings,
    fused_systems,
    taken_away,
)
from affectscope.recipes.fg2020 import Experiment, Opened
from affectscope.recipes.fg2020_competition import ComparedExperiment, Competition
from affectscope.recipes.fg2020_systems import Material, NetworkSettings
from affectscope.records import MODALITIES
from affectscope.training.devices import make_fabric

QUICK = FusedSettings(context=20.0, windows=4, epochs=2, masked_epochs=1)
LACKING = (("P03", "c1", "ecg"), ("P03", "c2", "face"))
A = PROTOCOLS["A"]


@pytest.fixture(scope="module")
def data(compared_data: Callable[..., Any]) -> ComparedData:
    made: ComparedData = compared_data(people=4, faces=True, lacking=LACKING, hop=10.0)
    return fused_data(made, 20.0)


@pytest.fixture(scope="module")
def fold(data: ComparedData) -> Fold:
    return A.split(data.samples, 0, None)[2]


@pytest.fixture(scope="module")
def task(data: ComparedData, fold: Fold) -> Task:
    visible = np.zeros(len(data.samples), np.bool_)
    visible[fold.train] = visible[fold.validation] = True
    return Task(data.samples.hidden(visible), fold, 0)


@pytest.fixture(scope="module")
def folds(data: ComparedData) -> FusedFolds:
    return FusedFolds(data, QUICK, 20.0)


@pytest.fixture(scope="module")
def predictions(data: ComparedData, folds: FusedFolds, fold: Fold) -> pd.DataFrame:
    """Every variant through ``cross_validate``."""
    tables = [
        cross_validate(system, data.samples, folds=[fold], protocol=A)
        for system in fused_systems(folds)
    ]
    return pd.concat(tables, ignore_index=True)


def test_every_variant_estimates_all_targets_once_per_trial(predictions, data, fold) -> None:
    assert predictions["model"].nunique() == len(VARIANTS) + 2 * len(MODALITIES)
    assert (
        predictions.groupby("model", observed=True)["onset"].count() == 10 * len(fold.test)
    ).all()
    assert np.isfinite(predictions["prediction"]).all()
    ratings = predictions["target"].isin(("valence", "arousal", "liking"))
    assert predictions[ratings]["prediction"].between(-1, 1).all()
    assert predictions[~ratings]["prediction"].between(0, 1).all()
    by_trial = predictions.groupby(["model", "trial", "target"], observed=True)["prediction"]
    assert (by_trial.nunique() == 1).all()
    assert predictions.groupby(["trial", "target"], observed=True)[
        "prediction"
    ].nunique().max() > len(VARIANTS)


def test_the_cost_of_a_modality_is_the_difference_of_the_two_tests(predictions) -> None:
    trials = Trials(predictions)
    with_dropout, without = dropout_pair()
    assert {with_dropout, without} <= set(VARIANTS)
    rows = dict(cost_rows(trials))
    face = rows["no face"][0]
    expected = trials.value(with_dropout, "ccc") - trials.value(
        taken_away(with_dropout, "face"), "ccc"
    )
    assert face.value == pytest.approx(expected, abs=1e-12)
    own = [rows[f"no {name}"][1].value for name in ("face", "ECG", "EDA")]
    assert rows["mean of the three"][1].value == pytest.approx(np.mean(own), abs=1e-12)
    same = trials.difference(FUSED, FUSED, "macro_f1")
    assert same.value == 0


def test_a_trial_that_shows_nothing_has_no_estimate_and_one_without_a_face_has(
    folds, task, data
) -> None:
    chosen = data.samples.subject == "P03"
    no_ecg, no_face = (
        np.flatnonzero(chosen & (data.samples.trial == trial)) for trial in ("c1", "c2")
    )
    ideas = VARIANTS[FUSED]
    for rows in (no_ecg, no_face, np.flatnonzero(chosen)[::7]):
        scores = folds.system(FUSED, ideas).fit(task).predict(rows)
        assert scores.shape == (len(rows), 10)
        assert np.isfinite(scores).all()
    lacking = replace(data.prepared, trials=tuple(map(with_eda_alone, data.prepared.trials)))
    blind = FusedFolds(replace(data, prepared=lacking, face_embeddings=lambda _: None), QUICK, 20)
    found = blind.system(taken_away(FUSED, "eda"), ideas, "eda").fit(task).predict(no_ecg)
    assert np.isnan(found).all()


def with_eda_alone(trial: Any) -> Any:
    return replace(trial, faces=None, face_present=np.zeros_like(trial.face_present),
                   signals={"eda": trial.signals["eda"]})  # fmt: skip


def test_the_same_fold_twice_gives_the_same_numbers_whatever_was_drawn_before(
    data, task, predictions
) -> None:
    torch.manual_seed(77)
    again = FusedFolds(data, QUICK, 20.0).system(FUSED, VARIANTS[FUSED]).fit(task)
    scores = again.predict(task.fold.test)[:, 0]
    own = predictions[(predictions["model"] == FUSED) & (predictions["target"] == "valence")]
    np.testing.assert_allclose(own["prediction"], scores, rtol=1e-6)


def test_each_part_is_refused_once_it_has_seen_the_test_person(folds, task, data, fold) -> None:
    fitted = folds.system(FUSED, VARIANTS[FUSED]).fit(task)
    names = {part.name for part in fitted.parts}
    assert {"fused", "scales", "masked auto-encoder"} <= names
    for place, part in enumerate(fitted.parts):
        wrong = replace(part, subjects=part.subjects | {"P03"})
        parts = (*fitted.parts[:place], wrong, *fitted.parts[place + 1 :])
        system = System(FUSED, lambda _, p=parts: Fitted(p, fitted.predict), "network")
        with pytest.raises(LeakError, match=part.name):
            cross_validate(system, data.samples, folds=[fold], protocol=A)


def test_every_trial_is_shown_by_as_many_windows_however_long_it_is(data) -> None:
    chosen = trial_rows(data.samples, np.arange(len(data.samples)), 6)
    assert chosen.rows.shape == (len(data.prepared.trials), 6)
    first = 0
    for trial, rows in zip(data.prepared.trials, chosen.rows, strict=True):
        assert rows[0] == first
        assert rows[-1] == first + len(trial.times) - 1
        assert np.ptp(np.diff(rows)) <= 1, "evenly spread"
        first += len(trial.times)
    few = trial_rows(data.samples, np.array([0, 1]), 6)
    assert set(few.rows[0]) == {0, 1}


def test_the_context_is_as_long_as_asked_or_as_the_shortest_trial_allows(data) -> None:
    shortest = min(trial.duration for trial in data.prepared.trials) + 5.0
    assert context_of(data.prepared, 20.0) == 20.0
    longest = context_of(data.prepared, 60.0)
    assert shortest - 2.0 < longest <= shortest
    windows = signal_windows(data, np.array([0, 1, 5]), longest)
    assert windows.eda.shape == (3, round(4 * longest))
    assert windows.there.all()
    assert windows.eda.abs().max() <= 2
    ends = signal_windows(data, np.array([0, len(data.prepared.trials[0].times) - 1]), longest)
    assert torch.unique(ends.eda[:, -8:]).numel() > 8, "no end of a context is padding"


def test_scales_are_of_what_was_measured() -> None:
    scale = Scale.of(np.array([[1.0, np.nan], [3.0, np.nan]]))
    scaled = scale(np.array([[3.0, 5.0], [np.nan, np.nan], [99.0, 0.0]]))
    assert scaled.tolist() == [[1.0, 5.0], [0.0, 0.0], [5.0, 0.0]]


def test_the_model_of_everybody_says_what_a_missing_modality_costs(
    data, folds, predictions, tmp_path: Path
) -> None:
    networks = NetworkSettings(network=BMMNConfig(modalities=("ecg", "eda"), face_encoder="small"))
    faceless = replace(data, face_embeddings=lambda _: None)
    prepared = replace(
        data.prepared,
        trials=tuple(
            replace(trial, faces=None, face_present=np.zeros_like(trial.face_present))
            for trial in data.prepared.trials
        ),
    )
    faceless = replace(faceless, prepared=prepared)
    experiment = Experiment(tmp_path, tmp_path / "work", networks)
    material = Material(
        prepared, data.samples, networks, data.cache, tmp_path / "runs", make_fabric
    )
    opened = Opened(experiment, material, SimpleNamespace())  # type: ignore[arg-type]
    competition = Competition(
        ComparedExperiment(experiment, chosen=("bio only",)), opened, faceless
    )
    beyond = Beyond(BeyondExperiment(experiment, QUICK), competition,
                    FusedFolds(faceless, QUICK, 20.0))  # fmt: skip
    model_id = save_everybody(beyond, Trials(predictions), tmp_path / "fused")
    model = open_model(tmp_path / "fused")
    assert model.model_id == model_id
    assert model.contract.kind == "fused"
    assert model.contract.population == "simulated people"
    assert {person.split("/")[1] for person in model.contract.people} == {
        "P01",
        "P02",
        "P03",
        "P04",
    }
    cost = model.contract.results[0]
    assert "beyond.table --data DATA --out OUT --protocol A --rate " in cost.command
    assert "None" not in cost.command
    assert cost.title.startswith(COST_TITLE)
    assert [row[0] for row in cost.rows] == ["no face", "no ECG", "no EDA", "mean of the three"]
    assert all(len(row) == len(cost.columns) for row in cost.rows)
    assert fused_network(model).config.face == 0
