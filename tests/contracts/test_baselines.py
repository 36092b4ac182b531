"""Every baseline through the same door, in the situations that corpora bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affectscope.baselines.trivial import TRIVIAL
from affectscope.evaluation.crossval import System, cross_validate
from affectscope.evaluation.predictions import join_predictions
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Samples
from affectscope.evaluation.summary import calibration_table, summarise

PEOPLE, CLIPS, ROWS = 5, 4, 2
TARGETS = ("valence", "joy")
GROUPS = {"c0": "x", "c1": "x", "c2": "y", "c3": "y"}
BASELINES = list(TRIVIAL.values())


def data(truth: np.ndarray) -> Samples:
    """(person, clip, target) truth, two rows a trial."""
    subject = np.repeat([f"P{number}" for number in range(PEOPLE)], CLIPS * ROWS)
    trial = np.tile(np.repeat([f"c{number}" for number in range(CLIPS)], ROWS), PEOPLE)
    duration = np.tile(np.repeat([60.0, 75.0, 90.0, 120.0], ROWS), PEOPLE)
    onset = np.tile([0.0, 1.0], PEOPLE * CLIPS)
    rows = np.repeat(truth.reshape(-1, len(TARGETS)), ROWS, axis=0)
    return Samples(subject, trial, onset, 7.8, duration, rows, TARGETS)


def ordinary() -> np.ndarray:
    random = np.random.default_rng(0)
    valence = random.uniform(-1, 1, (PEOPLE, CLIPS))
    return np.stack([valence, (random.random((PEOPLE, CLIPS)) < 0.4).astype(float)], axis=-1)


def constant() -> np.ndarray:
    return np.broadcast_to(np.array([0.25, 1.0]), (PEOPLE, CLIPS, 2)).copy()


def one_class_in_training() -> np.ndarray:
    """Only P0 is ever high."""
    truth = np.full((PEOPLE, CLIPS, 2), [-0.5, 0.0])
    truth[0] = [0.5, 1.0]
    return truth


def gaps() -> np.ndarray:
    truth = ordinary()
    truth[np.random.default_rng(1).random(truth.shape) < 0.3] = np.nan
    return truth


def one_person_without_a_target() -> np.ndarray:
    truth = ordinary()
    truth[2, :, 1] = np.nan
    return truth


def target_that_nobody_rated() -> np.ndarray:
    truth = ordinary()
    truth[..., 1] = np.nan
    return truth


SITUATIONS = [ordinary, constant, one_class_in_training, gaps, one_person_without_a_target,
              target_that_nobody_rated]  # fmt: skip
by_name = pytest.mark.parametrize("system", BASELINES, ids=lambda system: system.name)


def run(system: System, samples: Samples, letter: str, limit: int = 3) -> pd.DataFrame:
    protocol = PROTOCOLS[letter]
    folds = protocol.split(samples, 0, GROUPS)[:limit]
    return cross_validate(system, samples, folds=folds, protocol=protocol)


@by_name
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_every_situation_gives_finite_scores_in_range(system: System, situation: object) -> None:
    assert callable(situation)
    table = run(system, data(situation()), "A")
    assert np.isfinite(table["prediction"]).all()
    assert table["probability"].between(0, 1, inclusive="neither").all()
    low = np.where(table["target"] == "joy", 0, -1)
    assert (table["prediction"] >= low).all()
    assert (table["prediction"] <= 1).all()
    per_trial = table.groupby(["subject", "trial", "target"], observed=True)["prediction"]
    assert (per_trial.nunique() == 1).all()


@by_name
@pytest.mark.parametrize("letter", "BCD")
def test_every_protocol_takes_it(system: System, letter: str) -> None:
    table = run(system, data(gaps()), letter)
    assert np.isfinite(table["prediction"]).all()
    assert set(table["model"]) == {system.name}


@by_name
def test_the_same_seed_gives_the_same_numbers(system: System) -> None:
    samples = data(ordinary())
    pd.testing.assert_frame_equal(run(system, samples, "A"), run(system, samples, "A"))


@pytest.mark.parametrize(
    "system", [system for system in BASELINES if not system.oracle], ids=lambda s: s.name
)
def test_test_labels_change_nothing_where_it_is_no_oracle(system: System) -> None:
    truth = ordinary()
    before = run(system, data(truth), "A", limit=1)
    truth[0] = [-0.9, 1.0]
    after = run(system, data(truth), "A", limit=1)
    assert set(before["subject"]) == {"P0"}
    np.testing.assert_array_equal(before["prediction"], after["prediction"])
    np.testing.assert_array_equal(before["probability"], after["probability"])


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_their_tables_can_be_summarised(situation: object) -> None:
    assert callable(situation)
    samples = data(situation())
    tables = [run(TRIVIAL[name], samples, "A", limit=5) for name in ("majority", "stimulus mean")]
    joined = join_predictions(tables)
    summary = summarise(joined, draws=50)
    assert set(summary["model"]) == {"majority", "stimulus mean"}
    rated = samples.truth[:, 1]
    assert ("joy" in set(summary["target"])) == bool(np.isfinite(rated).any())
    accuracy = summary[summary["metric"] == "accuracy"]
    assert np.isfinite(accuracy["value"]).all()
    assert np.isfinite(calibration_table(joined)["brier"]).all()
