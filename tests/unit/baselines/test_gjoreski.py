"""Seven classifiers and their stack: a planted effect is found, an absent one is not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from affectscope.baselines import gjoreski
from affectscope.baselines.classifying import Lesson
from affectscope.baselines.compared import Compared, ComparedData
from affectscope.baselines.gjoreski import CLASSIFIERS, GJORESKI, GJORESKI_EACH, HEART, SKIN, stack
from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus, PreparedSettings
from affectscope.errors import LeakError
from affectscope.evaluation.crossval import Task, cross_validate
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples
from affectscope.evaluation.trials import trial_truth
from affectscope.preprocessing.heart_features import HEART_FEATURES
from affectscope.preprocessing.skin_features import SKIN_FEATURES
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS

VALENCE, AROUSAL, LIKING = range(3)
PEOPLE, CLIPS, ROWS = 9, 12, 3
"""People 0-3 train, 4 validates, 5-8 are tested."""
NAMES = (*HEART, *SKIN)


@cache
def planted(effect: float) -> ComparedData:
    """Features of which every third follows arousal; valence is unrated, liking always high."""
    generator = np.random.default_rng(5)
    per_person = CLIPS * ROWS
    count = PEOPLE * per_person
    subject = np.repeat([f"P{number}" for number in range(PEOPLE)], per_person)
    trial = np.tile(np.repeat([f"c{number:02d}" for number in range(CLIPS)], ROWS), PEOPLE)
    high = np.concatenate([generator.permutation(CLIPS) % 2 for _ in range(PEOPLE)])
    truth = np.full((count, len(TARGETS)), 0.5)
    truth[:, AROUSAL] = np.repeat(np.where(high, 0.6, -0.6), ROWS)
    truth[:, VALENCE] = np.nan
    values = generator.standard_normal((count, len(NAMES)))
    values += 0.5 * np.repeat(generator.standard_normal((PEOPLE, len(NAMES))), per_person, axis=0)
    values[:, ::3] += effect * np.sign(truth[:, [AROUSAL]])
    values[generator.random(values.shape) < 0.05] = np.nan
    samples = Samples(
        subject, trial, np.tile(5.0 * np.arange(ROWS), PEOPLE * CLIPS), 7.8,
        np.tile(np.repeat(50.0 + 7 * np.arange(CLIPS), ROWS), PEOPLE), truth, TARGETS,
    )  # fmt: skip
    settings = PreparedSettings(Preprocessing(), 1.0, faces=False)
    return ComparedData(
        PreparedCorpus("made", True, settings, (), (), ()), samples, Path(),
        BodyFeatures(NAMES, values), lambda _task: None,
    )  # fmt: skip


def task(data: ComparedData, train: int = 4, seed: int = 0) -> Task:
    rows, each = np.arange(len(data.samples)), CLIPS * ROWS
    fold = Fold("P5", rows[: train * each], rows[4 * each : 5 * each], rows[5 * each :])
    return Task(data.samples.hidden(rows < 5 * each), fold, seed)


def accuracy_of(system: Compared, effect: float) -> float:
    """Balanced accuracy of the tested people's trials."""
    data = planted(effect)
    asked = task(data)
    scores = system.fit(data, asked).predict(asked.fold.test)
    assert np.isfinite(scores[:, AROUSAL]).all()
    assert (np.abs(scores[:, AROUSAL]) <= 1).all()
    table, truth = trial_truth(data.samples, asked.fold.test)
    trials = table.of(asked.fold.test)
    found = table.means(scores, asked.fold.test)
    return float(balanced_accuracy_score(truth[trials, AROUSAL] > 0, found[trials, AROUSAL] > 0))


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave but some of the seven in the stack."""
    monkeypatch.setattr(gjoreski, "CLASSIFIERS", {name: CLASSIFIERS[name] for name in names})


@pytest.mark.parametrize("system", GJORESKI_EACH, ids=lambda system: system.name)
def test_a_planted_effect_is_found_and_an_absent_one_is_not(system: Compared) -> None:
    assert accuracy_of(system, 1.5) > 0.85
    # 48 trials: chance stays within 0.5 +- 0.19 in 99 of 100.
    assert abs(accuracy_of(system, 0.0) - 0.5) < 0.19


def test_the_stack_finds_a_planted_effect() -> None:
    assert accuracy_of(GJORESKI, 1.5) > 0.85


def test_the_stack_finds_no_absent_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "SVM", "k nearest neighbours", "naive Bayes", "tree")
    assert abs(accuracy_of(GJORESKI, 0.0) - 0.5) < 0.19


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_few_or_inseparable_rows_are_no_error(name: str) -> None:
    people = np.array(["P1", "P2", "P1", "P2"])
    crossed = Lesson(
        np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4), people
    )
    for lesson in (crossed, crossed.part(np.array([0, 3]))):
        found = gjoreski.classifier(name, 0)(lesson)(np.array([[0.5], [np.nan]]))
        assert np.isfinite(found).all()
        assert (np.abs(found) <= 1).all()


def test_all_seven_are_there_on_features_that_exist() -> None:
    assert len(CLASSIFIERS) == len(GJORESKI_EACH) == 7
    assert [system.name for system in GJORESKI_EACH] == [
        f"Gjoreski, {name}" for name in CLASSIFIERS
    ]
    assert set(HEART) <= set(HEART_FEATURES)
    assert set(SKIN) <= set(SKIN_FEATURES)


def test_the_stack_learns_from_scores_of_held_out_people(monkeypatch: pytest.MonkeyPatch) -> None:
    people_fitted: list[set[float]] = []
    people_scored: list[tuple[set[float], set[float]]] = []

    class Spy(GaussianNB):  # type: ignore[misc]
        def fit(self, values: Any, labels: Any, sample_weight: Any = None) -> Spy:
            self.people = set(values[:, 0].tolist())
            people_fitted.append(self.people)
            super().fit(values, labels, sample_weight)
            return self

        def predict_proba(self, values: Any) -> Any:
            people_scored.append((self.people, set(values[:, 0].tolist())))
            return super().predict_proba(values)

    monkeypatch.setattr(gjoreski, "CLASSIFIERS", {"spy": lambda _seed: make_pipeline(Spy())})
    person = np.repeat(np.arange(6.0), 10)
    labels = np.tile([0.0, 1.0], 30)
    values = np.column_stack([person, labels + 0.1 * person])
    stack(0)(Lesson(values, labels, np.ones(60), person.astype(str)))
    assert len(people_scored) == gjoreski.INNER_FOLDS
    assert all(not fitted & scored for fitted, scored in people_scored)
    assert set.union(*(scored for _, scored in people_scored)) == set(range(6))
    assert set(range(6)) in people_fitted


def test_the_stack_trusts_what_holds_for_other_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """One feature tells training people apart, and so their labels; another holds for everybody."""

    def seeing(column: int, last: Any) -> Any:
        return make_pipeline(FunctionTransformer(lambda values: values[:, [column]]), last)

    members = {
        "who it is": lambda _seed: seeing(0, KNeighborsClassifier(2)),
        "what is felt": lambda _seed: seeing(1, GaussianNB()),
    }
    monkeypatch.setattr(gjoreski, "CLASSIFIERS", members)
    generator = np.random.default_rng(0)
    person = np.repeat(generator.permutation(60), 5).astype(float)
    labels = (
        generator.random(300)
        < np.where(generator.permutation(60) % 2, 0.9, 0.1)[person.astype(int)]
    )
    values = np.column_stack([person, labels + generator.standard_normal(300)])
    lesson = Lesson(values, labels.astype(float), np.ones(300), person.astype(str))
    careless = replace(lesson, people=np.arange(300).astype(str))

    def told_by(lesson: Lesson) -> list[float]:
        """How far the stack's score follows each of the two features."""
        score = stack(0)(lesson)
        felt = score(np.column_stack([np.full(50, 3.0), np.linspace(-1, 2, 50)]))
        who = score(np.column_stack([np.arange(60.0), np.full(60, 0.5)]))
        return [float(np.ptp(who)), float(np.ptp(felt))]

    who, felt = told_by(lesson)
    assert felt > 2 * who
    # Rows of one person on both sides of the inner split would turn it round.
    who, felt = told_by(careless)
    assert who > felt


def test_a_single_training_person_gives_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "naive Bayes", "tree")
    data = planted(1.5)
    alone = task(data, train=1)
    found = GJORESKI.fit(data, alone).predict(alone.fold.test)
    each = [one.fit(data, alone).predict(alone.fold.test) for one in GJORESKI_EACH[-2:]]
    np.testing.assert_allclose(found[:, AROUSAL], np.mean(each, axis=0)[:, AROUSAL])


def test_unrated_and_constant_targets_have_constant_scores_and_emotions_none() -> None:
    data = planted(1.5)
    found = GJORESKI_EACH[-1].fit(data, task(data)).predict(task(data).fold.test)
    assert (found[:, VALENCE] == 0).all()
    assert (found[:, LIKING] > 0.9).all()
    assert np.ptp(found[:, LIKING]) == 0
    assert np.isnan(found[:, 3:]).all()


def test_the_same_seed_gives_the_same_scores() -> None:
    data = planted(0.5)
    svm = next(system for system in GJORESKI_EACH if system.name.endswith("SVM"))

    def scores(seed: int) -> np.ndarray:
        return svm.fit(data, task(data, seed=seed)).predict(task(data).fold.test)

    np.testing.assert_array_equal(scores(0), scores(0))
    assert np.nanmax(np.abs(scores(0) - scores(1))) > 0


def test_a_count_among_the_features_is_refused() -> None:
    data = planted(0.0)
    values = data.features.values.copy()
    values[:, NAMES.index("skin_mean")] = data.samples.trial_duration
    counting = ComparedData(
        data.prepared, data.samples, data.cache, BodyFeatures(NAMES, values), data.face_embeddings
    )
    with pytest.raises(LeakError, match="E_LEAK_DURATION"):
        GJORESKI.fit(counting, task(counting))


def test_it_passes_the_leak_check() -> None:
    data = planted(1.5)
    system = replace(GJORESKI_EACH[-1], needs=()).system(data)
    fold = [task(data).fold]
    table = cross_validate(system, data.samples, folds=fold, protocol=PROTOCOLS["A"])
    assert set(table["subject"]) == {"P5", "P6", "P7", "P8"}
    assert np.isfinite(table["prediction"]).all()
