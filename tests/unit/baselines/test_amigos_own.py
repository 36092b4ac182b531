"""AMIGOS' own: Fisher's J by hand, selection, naive Bayes, fusion."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from affectscope.baselines.amigos_own import (
    AMIGOS_ECG,
    AMIGOS_EDA,
    AMIGOS_EEG,
    AMIGOS_FUSED,
    fisher,
    learn,
    selected,
)
from affectscope.baselines.classifying import Lesson
from affectscope.baselines.compared import Compared, ComparedData
from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus, PreparedSettings
from affectscope.evaluation.crossval import Task, cross_validate
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples
from affectscope.evaluation.trials import trial_truth
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS

AROUSAL = 1
PEOPLE, CLIPS, ROWS = 9, 12, 3
"""People 0-3 train, 4 validates, 5-8 are tested."""
NAMES = tuple(f"{part}_{number}" for part in ("heart", "skin", "eeg") for number in range(8))
ALL = (AMIGOS_ECG, AMIGOS_EDA, AMIGOS_EEG, AMIGOS_FUSED)


@cache
def planted(effect: float) -> ComparedData:
    """Features of which every fourth follows arousal."""
    generator = np.random.default_rng(6)
    per_person = CLIPS * ROWS
    count = PEOPLE * per_person
    high = np.concatenate([generator.permutation(CLIPS) % 2 for _ in range(PEOPLE)])
    truth = np.full((count, len(TARGETS)), np.nan)
    truth[:, AROUSAL] = np.repeat(np.where(high, 0.6, -0.6), ROWS)
    values = generator.standard_normal((count, len(NAMES)))
    values[:, ::4] += effect * np.sign(truth[:, [AROUSAL]])
    samples = Samples(
        np.repeat([f"P{number}" for number in range(PEOPLE)], per_person),
        np.tile(np.repeat([f"c{number:02d}" for number in range(CLIPS)], ROWS), PEOPLE),
        np.tile(5.0 * np.arange(ROWS), PEOPLE * CLIPS), 7.8,
        np.tile(np.repeat(50.0 + 7 * np.arange(CLIPS), ROWS), PEOPLE), truth, TARGETS,
    )  # fmt: skip
    settings = PreparedSettings(Preprocessing(), 1.0, faces=False)
    return ComparedData(
        PreparedCorpus("made", True, settings, (), (), ()), samples, Path(),
        BodyFeatures(NAMES, values), lambda _task: None,
    )  # fmt: skip


def changed(data: ComparedData, values: np.ndarray, names: tuple[str, ...] = NAMES) -> ComparedData:
    return ComparedData(
        data.prepared, data.samples, data.cache, BodyFeatures(names, values), data.face_embeddings
    )


def task(data: ComparedData) -> Task:
    rows, each = np.arange(len(data.samples)), CLIPS * ROWS
    fold = Fold("P5", rows[: 4 * each], rows[4 * each : 5 * each], rows[5 * each :])
    return Task(data.samples.hidden(rows < 5 * each), fold, 0)


def scores(system: Compared, data: ComparedData) -> np.ndarray:
    return system.fit(data, task(data)).predict(task(data).fold.test)[:, AROUSAL]


@pytest.mark.parametrize("system", ALL, ids=lambda system: system.name)
def test_a_planted_effect_is_found_and_an_absent_one_is_not(system: Compared) -> None:
    def accuracy_of(effect: float) -> float:
        data = planted(effect)
        rows = task(data).fold.test
        table, truth = trial_truth(data.samples, rows)
        trials = table.of(rows)
        found = table.means(scores(system, data)[:, None], rows)[trials, 0]
        return float(balanced_accuracy_score(truth[trials, AROUSAL] > 0, found > 0))

    assert accuracy_of(1.5) > 0.85
    # 48 trials: chance stays within 0.5 +- 0.19 in 99 of 100.
    assert abs(accuracy_of(0.0) - 0.5) < 0.19


def lesson(values: Any, labels: Any, weights: Any = None) -> Lesson:
    count = len(labels)
    return Lesson(
        np.array(values, dtype=float), np.array(labels, dtype=float),
        np.ones(count) if weights is None else np.array(weights, dtype=float), np.full(count, "P"),
    )  # fmt: skip


def test_fisher_by_hand() -> None:
    # Low: mean 1, variance 1. High: mean 4, variance 4. J = 3 / 5.
    found = fisher(lesson([[0.0], [2.0], [2.0], [6.0]], [0, 0, 1, 1]))
    np.testing.assert_allclose(found, [0.6])


def test_fisher_weighs_rows() -> None:
    # A row that weighs 3 is three rows.
    weighed = fisher(lesson([[0.0], [2.0], [2.0], [6.0]], [0, 0, 1, 1], [1, 3, 1, 1]))
    repeated = fisher(lesson([[0.0], [2.0], [2.0], [2.0], [2.0], [6.0]], [0, 0, 0, 0, 1, 1]))
    np.testing.assert_allclose(weighed, repeated)


def test_fisher_of_what_does_not_vary_within_a_class() -> None:
    found = fisher(lesson([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0], [2.0, 5.0]], [0, 0, 1, 1]))
    assert found.tolist() == [np.inf, 0.0]


def test_features_above_the_threshold_are_kept_else_the_five_best() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 200)
    values = generator.standard_normal((400, 9))
    values[:, [2, 7]] += 1.5 * labels[:, None]
    assert selected(lesson(values, labels)).tolist() == [2, 7]
    values[:, [2, 7]] -= 1.3 * labels[:, None]
    kept = selected(lesson(values, labels))
    assert len(kept) == 5
    found = fisher(lesson(values, labels))
    assert found[kept].min() >= np.delete(found, kept).max()


def test_the_selection_does_not_depend_on_units() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 50)
    values = generator.standard_normal((100, 4)) + labels[:, None] * [2.0, 0, 0, 1.0]
    asked = generator.standard_normal((20, 4))
    unit = np.array([1e-3, 1e3, 1.0, 50.0])
    plain, scaled = learn(lesson(values, labels)), learn(lesson(values * unit, labels))
    np.testing.assert_allclose(plain(asked), scaled(asked * unit), atol=1e-9)


def test_fusion_is_the_mean_of_what_a_row_has() -> None:
    data = planted(0.5)
    values = data.features.values.copy()
    values[-9:-6, :8] = np.nan
    values[-6:-3, 8:] = np.nan
    values[-3:] = np.nan
    data = changed(data, values)
    heart, skin, brain, fused = (scores(system, data) for system in ALL)
    np.testing.assert_allclose(fused[:-9], (heart + skin + brain)[:-9] / 3)
    np.testing.assert_allclose(fused[-9:-6], (skin + brain)[-9:-6] / 2)
    np.testing.assert_allclose(fused[-6:-3], heart[-6:-3])
    assert np.isnan(fused[-3:]).all()


def test_fusion_does_without_an_eeg() -> None:
    data = changed(planted(0.5), planted(0.5).features.values[:, :16], NAMES[:16])
    heart, skin, fused = (scores(system, data) for system in (AMIGOS_ECG, AMIGOS_EDA, AMIGOS_FUSED))
    np.testing.assert_allclose(fused, (heart + skin) / 2)


def test_what_each_needs_and_what_the_paper_printed() -> None:
    assert [system.needs for system in ALL] == [("ecg",), ("eda",), ("eeg",), ("ecg", "eda")]
    printed = {system.name: system.published for system in ALL}
    assert all(one is not None and one.protocol for one in printed.values())
    assert printed["AMIGOS' own, ECG"].valence == 54.5
    assert printed["AMIGOS' own, EDA"].arousal == 54.8


def test_it_passes_the_leak_check() -> None:
    data = planted(1.5)
    system = replace(AMIGOS_FUSED, needs=()).system(data)
    fold = [task(data).fold]
    table = cross_validate(system, data.samples, folds=fold, protocol=PROTOCOLS["A"])
    assert set(table["subject"]) == {"P5", "P6", "P7", "P8"}
