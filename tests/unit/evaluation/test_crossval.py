"""Every system goes through the same door: truth hidden, parts checked, probabilities, resuming."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectscope.errors import LeakError, OutputError
from affectscope.evaluation import fold_store
from affectscope.evaluation.crossval import (
    ORACLE,
    TRANSDUCTIVE,
    Fitted,
    RunSettings,
    Sees,
    System,
    Task,
    cross_validate,
    unfinished,
)
from affectscope.evaluation.fold_store import FoldCost
from affectscope.evaluation.leaks import FittedPart, PartKind, fitted_on
from affectscope.evaluation.predictions import CATEGORIES, COLUMNS
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Rows, Samples

A = PROTOCOLS["A"]
PEOPLE, CLIPS, ROWS = 6, 5, 2


def grid() -> Samples:
    count = PEOPLE * CLIPS * ROWS
    subject = np.repeat([f"P{number}" for number in range(PEOPLE)], CLIPS * ROWS)
    trial = np.tile(np.repeat([f"c{number}" for number in range(CLIPS)], ROWS), PEOPLE)
    onset = np.tile(np.arange(ROWS, dtype=np.float64), PEOPLE * CLIPS)
    random = np.random.default_rng(1)
    trials = np.column_stack(
        [random.uniform(-1, 1, count // ROWS), random.random(count // ROWS) < 0.4]
    )
    truth = np.repeat(trials, ROWS, axis=0)
    truth[subject == "P3", 0] = np.nan
    return Samples(subject, trial, onset, 7.8, np.full(count, 60.0), truth, ("valence", "joy"))


SAMPLES = grid()
FOLDS = A.split(SAMPLES, 0, None)
SIGNAL = SAMPLES.truth + np.random.default_rng(2).normal(0, 0.3, SAMPLES.truth.shape)
"""What a sensor sees of the truth; NaN where P3 gave no rating."""


class Sensor:
    """A system that scores by ``SIGNAL`` and counts its fits."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def fit(self, task: Task) -> Fitted:
        self.tasks.append(task)
        part = fitted_on(
            task.samples, task.fold.train, name="sensor", kind="classifier", used_labels=True
        )
        return Fitted((part,), lambda rows: SIGNAL[rows])

    @property
    def system(self) -> System:
        return System("sensor", self.fit, "test")


def test_the_table_is_tidy_and_holds_every_test_row_once() -> None:
    table = cross_validate(Sensor().system, SAMPLES, folds=FOLDS, protocol=A, seed=3)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(SAMPLES) * 2
    assert not table.duplicated(["subject", "trial", "onset", "target"]).any()
    assert all(isinstance(table[name].dtype, pd.CategoricalDtype) for name in CATEGORIES)
    assert set(table["seed"]) == {3}
    assert set(table["protocol"]) == {"A"}
    assert (table["fold"].astype(str) == table["subject"].astype(str)).all()
    one = table[(table["subject"] == "P4") & (table["trial"] == "c2") & (table["target"] == "joy")]
    rows = np.flatnonzero((SAMPLES.subject == "P4") & (SAMPLES.trial == "c2"))
    np.testing.assert_allclose(one["truth"], SAMPLES.truth[rows, 1])
    np.testing.assert_allclose(one["prediction"], SIGNAL[rows, 1], rtol=1e-6)


def test_test_truth_is_hidden_and_an_oracle_sees_its_person() -> None:
    sensor = Sensor()
    cross_validate(sensor.system, SAMPLES, folds=FOLDS, protocol=A)
    for task in sensor.tasks:
        assert np.isnan(task.samples.truth[task.fold.test]).all()
        learned = np.union1d(task.fold.train, task.fold.validation)
        np.testing.assert_array_equal(task.samples.truth[learned], SAMPLES.truth[learned])
    oracle = Sensor()
    system = System("sensor (oracle)", oracle.fit, "test", ORACLE)
    table = cross_validate(system, SAMPLES, folds=FOLDS[:1], protocol=A)
    np.testing.assert_array_equal(oracle.tasks[0].samples.truth, SAMPLES.truth)
    assert set(table["model"]) == {"sensor (oracle)"}


def test_an_oracle_cannot_hide() -> None:
    with pytest.raises(AssertionError, match="oracle"):
        System("innocent", Sensor().fit, "test", ORACLE)


def test_probabilities_are_calibrated_on_validation_people_and_follow_the_scores() -> None:
    table = cross_validate(Sensor().system, SAMPLES, folds=FOLDS, protocol=A)
    assert table["probability"].between(0, 1, inclusive="neither").all()
    for _, part in table[table["target"] == "joy"].groupby("fold", observed=True):
        ordered = part.sort_values("prediction")["probability"].to_numpy()
        assert (np.diff(ordered) >= 0).all()
    # One rated validation person has five trials: too few for 90 % coverage.
    assert np.isinf(table["half_width"]).all()


def test_a_leaky_part_stops_the_run() -> None:
    def fit(task: Task) -> Fitted:
        bae = FittedPart("bae", "autoencoder", frozenset(SAMPLES.subject.tolist()), False, None)
        return Fitted((bae,), lambda rows: SIGNAL[rows])

    with pytest.raises(LeakError, match="bae"):
        cross_validate(System("leaky", fit, "test"), SAMPLES, folds=FOLDS, protocol=A)


def test_an_oracle_may_know_labels_but_no_part_of_it_may_see_test_signals() -> None:
    def fit(task: Task) -> Fitted:
        part = FittedPart("scaler", "normaliser", frozenset(SAMPLES.subject.tolist()), False, None)
        return Fitted((part,), lambda rows: SIGNAL[rows])

    with pytest.raises(LeakError, match="scaler"):
        cross_validate(System("x (oracle)", fit, "test", ORACLE), SAMPLES, folds=FOLDS, protocol=A)


def normalised(kind: PartKind, sees: Sees, *, used_labels: bool = False) -> Sensor:
    """A sensor run on one fold with a part that has seen everybody."""
    sensor = Sensor()
    everybody = frozenset(SAMPLES.subject.tolist())
    part = FittedPart("per person", kind, everybody, used_labels, None)

    def fit(task: Task) -> Fitted:
        fitted = sensor.fit(task)
        return Fitted((*fitted.parts, part), fitted.predict)

    name = "sensor (transductive)" if sees == TRANSDUCTIVE else "sensor"
    cross_validate(System(name, fit, "test", sees), SAMPLES, folds=FOLDS[:1], protocol=A)
    return sensor


def test_a_person_normaliser_passes_where_the_system_declares_it_and_sees_no_test_labels() -> None:
    (task,) = normalised("person normaliser", TRANSDUCTIVE).tasks
    assert np.isnan(task.samples.truth[task.fold.test]).all()


@pytest.mark.parametrize(
    ("kind", "sees", "used_labels"),
    [
        ("person normaliser", "training people", False),
        ("person normaliser", TRANSDUCTIVE, True),
        ("normaliser", TRANSDUCTIVE, False),
        ("autoencoder", TRANSDUCTIVE, False),
        ("classifier", TRANSDUCTIVE, True),
    ],
)
def test_planted_leak_a_part_that_saw_the_test_person_and_is_not_declared(
    kind: PartKind, sees: Sees, used_labels: bool
) -> None:
    with pytest.raises(LeakError, match=f"{kind} 'per person'.*test person P0") as leak:
        normalised(kind, sees, used_labels=used_labels)
    assert leak.value.code == "E_LEAK_FITTED"


@pytest.mark.parametrize(
    ("name", "sees"), [("innocent", TRANSDUCTIVE), ("x (transductive)", "training people")]
)
def test_a_transductive_system_says_so_in_its_name_and_no_other_does(name: str, sees: Sees) -> None:
    with pytest.raises(AssertionError, match="says so"):
        System(name, Sensor().fit, "test", sees)


def test_a_row_without_an_estimate_is_scored_as_the_training_mean(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fit(task: Task) -> Fitted:
        return Fitted((), lambda rows: np.full((len(rows), 2), np.nan))

    with caplog.at_level(logging.INFO):
        table = cross_validate(System("mute", fit, "test"), SAMPLES, folds=FOLDS[:1], protocol=A)
    assert "no estimate for 100.0 %" in caplog.text
    expected = np.nanmean(SAMPLES.truth[FOLDS[0].train], axis=0)
    for target, value in zip(("valence", "joy"), expected, strict=True):
        np.testing.assert_allclose(
            table.loc[table["target"] == target, "prediction"], value, rtol=1e-6
        )


def test_finished_folds_are_read_and_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    def stop(done: int, count: int) -> None:
        assert count == PEOPLE
        if done == 4:
            raise KeyboardInterrupt

    first, second, third = Sensor(), Sensor(), Sensor()
    interrupted = RunSettings(tmp_path, "v1", stop)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(first.system, SAMPLES, folds=FOLDS, protocol=A, run=interrupted)
    run = RunSettings(tmp_path, "v1")
    resumed = cross_validate(second.system, SAMPLES, folds=FOLDS, protocol=A, run=run)
    assert [task.fold.name for task in second.tasks] == ["P4", "P5"]
    again = cross_validate(third.system, SAMPLES, folds=FOLDS, protocol=A, run=run)
    assert third.tasks == []
    plain = cross_validate(Sensor().system, SAMPLES, folds=FOLDS, protocol=A)
    pd.testing.assert_frame_equal(resumed, plain)
    pd.testing.assert_frame_equal(again, plain)


def test_what_decides_a_fold_decides_its_file(tmp_path: Path) -> None:
    sensor, folds = Sensor(), FOLDS[:1]

    def fits(samples: Samples = SAMPLES, seed: int = 0, fingerprint: str = "v1") -> int:
        before = len(sensor.tasks)
        run = RunSettings(tmp_path, fingerprint)
        cross_validate(sensor.system, samples, folds=folds, protocol=A, seed=seed, run=run)
        return len(sensor.tasks) - before

    assert fits() == 1
    assert fits() == 0
    assert fits(seed=1) == 1
    assert fits(fingerprint="v2") == 1
    relabelled = Samples(SAMPLES.subject, SAMPLES.trial, SAMPLES.onset, 7.8,
                         SAMPLES.trial_duration, -SAMPLES.truth, SAMPLES.targets)  # fmt: skip
    assert fits(samples=relabelled) == 1
    assert fits() == 0


def test_a_damaged_file_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = RunSettings(tmp_path, "v1")
    whole = cross_validate(Sensor().system, SAMPLES, folds=FOLDS[:1], protocol=A, run=run)
    (file,) = tmp_path.glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    sensor = Sensor()
    again = cross_validate(sensor.system, SAMPLES, folds=FOLDS[:1], protocol=A, run=run)
    assert len(sensor.tasks) == 1
    assert "computed again" in caplog.text
    pd.testing.assert_frame_equal(whole, again)


def slow(fit_seconds: float, *, validation_seconds: float) -> System:
    """A system that takes its time, over validation rows too."""

    def fit(task: Task) -> Fitted:
        time.sleep(fit_seconds)

        def predict(rows: Rows) -> np.ndarray:
            if np.array_equal(rows, task.fold.validation):
                time.sleep(validation_seconds)
            return SIGNAL[rows]

        return Fitted((), predict)

    return System("slow", fit, "test")


def test_what_a_fold_took_is_kept_and_a_second_call_says_the_same(tmp_path: Path) -> None:
    first: list[FoldCost] = []
    run, folds = RunSettings(tmp_path, "v1", costs=first.append), FOLDS[:2]
    system = slow(0.03, validation_seconds=0.3)
    cross_validate(system, SAMPLES, folds=folds, protocol=A, seed=4, run=run)
    assert [(cost.model, cost.fold, cost.protocol, cost.seed) for cost in first] == [
        ("slow", "P0", "A", 4), ("slow", "P1", "A", 4),
    ]  # fmt: skip
    for cost, fold in zip(first, folds, strict=True):
        assert cost.fit_seconds >= 0.03
        assert 0 < cost.predict_seconds < 0.3  # of the test rows alone
        assert (cost.train_rows, cost.test_rows) == (len(fold.train), len(fold.test))
    again: list[FoldCost] = []
    run = RunSettings(tmp_path, "v1", costs=again.append)
    cross_validate(system, SAMPLES, folds=folds, protocol=A, seed=4, run=run)
    assert again == first


def test_the_cost_lies_there_before_the_fold_counts_as_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Path, writer: object) -> None:
        raise OutputError("E_OUTPUT", "Nothing can be written.")

    run = RunSettings(tmp_path, "v1")
    monkeypatch.setattr(fold_store, "write_with", full_disk)
    with pytest.raises(OutputError):
        cross_validate(Sensor().system, SAMPLES, folds=FOLDS[:1], protocol=A, run=run)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"model": "sensor"}'])
def test_an_unknown_cost_is_not_made_up(tmp_path: Path, content: bytes | None) -> None:
    costs: list[FoldCost] = []
    run = RunSettings(tmp_path, "v1", costs=costs.append)
    cross_validate(Sensor().system, SAMPLES, folds=FOLDS[:1], protocol=A, run=run)
    (file,) = tmp_path.glob("*.json")
    file.unlink() if content is None else file.write_bytes(content)
    costs.clear()
    sensor = Sensor()
    cross_validate(sensor.system, SAMPLES, folds=FOLDS[:1], protocol=A, run=run)
    assert (costs, sensor.tasks) == ([], [])


def test_what_is_not_finished_yet_can_be_asked(tmp_path: Path) -> None:
    run, system = RunSettings(tmp_path, "v1"), Sensor().system

    def names(run: RunSettings, seed: int = 0) -> list[str]:
        left = unfinished(system, SAMPLES, folds=FOLDS[:3], protocol=A, seed=seed, run=run)
        return [fold.name for fold in left]

    cross_validate(system, SAMPLES, folds=FOLDS[1:2], protocol=A, run=run)
    assert names(run) == ["P0", "P2"]
    assert names(run, seed=1) == names(RunSettings()) == ["P0", "P1", "P2"]


def test_predict_is_asked_for_validation_and_test_rows_only() -> None:
    asked: list[Rows] = []

    def fit(task: Task) -> Fitted:
        def predict(rows: Rows) -> np.ndarray:
            asked.append(rows)
            return SIGNAL[rows]

        return Fitted((), predict)

    cross_validate(System("spy", fit, "test"), SAMPLES, folds=FOLDS[:1], protocol=A)
    np.testing.assert_array_equal(asked[0], FOLDS[0].validation)
    np.testing.assert_array_equal(asked[1], FOLDS[0].test)
