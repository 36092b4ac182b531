"""From rows' features to scores: what is learned from, and what comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from affectscope.baselines.classifying import (
    Lesson,
    Scorer,
    fit_classifiers,
    fit_learners,
    learned_parts,
    pipeline_learner,
)
from affectscope.baselines.compared import ComparedData, ComparedSettings
from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus, PreparedSettings
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.samples import Fold, Samples
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS

VALENCE, AROUSAL, LIKING = range(3)
COUNTS = {"c0": 4, "c1": 6}
"""Rows of each person's two trials, one a second."""
ROWS = sum(COUNTS.values())


def made(people: int = 4, hop: float = 2.0) -> tuple[ComparedData, np.ndarray]:
    """Data, and features that hold the number of the row; arousal is high in c1 alone."""
    trial = np.tile(np.repeat(list(COUNTS), list(COUNTS.values())), people)
    subject = np.repeat([f"P{number}" for number in range(people)], ROWS)
    onset = np.tile(np.concatenate([np.arange(count) for count in COUNTS.values()]), people)
    truth = np.full((len(trial), len(TARGETS)), 0.5)
    truth[:, AROUSAL] = np.where(trial == "c1", 0.5, -0.5)
    truth[:, VALENCE] = np.nan
    samples = Samples(
        subject, trial, onset.astype(float), 7.8, np.full(len(trial), 60.0), truth, TARGETS
    )
    settings = PreparedSettings(Preprocessing(), 1.0, faces=False)
    data = ComparedData(
        PreparedCorpus("made", True, settings, (), (), ()), samples, Path(),
        BodyFeatures((), np.empty((len(trial), 0))), lambda _task: None,
        settings=ComparedSettings(hop=hop),
    )  # fmt: skip
    return data, np.arange(len(trial), dtype=float)[:, None]


def task(data: ComparedData) -> Task:
    """P0 and P1 train, P2 validates, the others are tested."""
    rows = np.arange(len(data.samples))
    fold = Fold("P3", rows[: 2 * ROWS], rows[2 * ROWS : 3 * ROWS], rows[3 * ROWS :])
    visible = rows < 3 * ROWS
    return Task(data.samples.hidden(visible), fold, 0)


def lessons_of(data: ComparedData, values: np.ndarray) -> list[Lesson]:
    """What a learner is given."""
    given: list[Lesson] = []

    def learn(lesson: Lesson) -> Scorer:
        given.append(lesson)
        return lambda asked: np.zeros(len(asked))

    fit_learners(data, task(data), values, learn)
    return given


def test_a_target_is_learned_from_thinned_training_rows() -> None:
    data, values = made()
    (arousal,) = lessons_of(data, values)
    assert arousal.values[:, 0].tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert arousal.labels.tolist() == [0, 0, 1, 1, 1] * 2
    assert arousal.people.tolist() == ["P0"] * 5 + ["P1"] * 5


def test_trials_weigh_the_same_and_rows_one_on_average() -> None:
    (arousal,) = lessons_of(*made())
    by_trial = arousal.weights.reshape(2, 5)
    np.testing.assert_allclose(by_trial[:, :2].sum(axis=1), by_trial[:, 2:].sum(axis=1))
    np.testing.assert_allclose(arousal.weights.mean(), 1.0)


def test_rows_without_any_feature_are_neither_learned_from_nor_scored() -> None:
    data, values = made()
    values = np.column_stack([values, np.full(len(values), np.nan)])
    values[[2, 30]] = np.nan
    (arousal,) = lessons_of(data, values)
    assert 2.0 not in arousal.values[:, 0]
    assert len(arousal.labels) == 9
    predict = fit_learners(data, task(data), values, lambda _l: lambda asked: asked[:, 0])
    found = predict(np.arange(30, 40))
    # Row 30 and the two that it stands for; c1 is not touched.
    assert np.isnan(found[:2, AROUSAL]).all()
    np.testing.assert_array_equal(found[2:, AROUSAL], [32, 32, 34, 34, 36, 36, 38, 38])


def test_every_row_asked_for_has_the_nearest_thinned_row_s_score() -> None:
    data, values = made()
    predict = fit_learners(data, task(data), values, lambda _l: lambda asked: asked[:, 0])
    found = predict(np.array([31, 32, 33, 36]))
    np.testing.assert_array_equal(found[:, AROUSAL], [31, 31, 33, 36])
    assert np.isnan(found[:, 3:]).all()


def test_one_class_gives_its_smoothed_rate_and_no_rating_the_middle() -> None:
    data, values = made()
    found = fit_learners(data, task(data), values, lambda _l: lambda asked: asked[:, 0])(
        np.arange(30, 40)
    )
    np.testing.assert_allclose(found[:, LIKING], 2 * (11 / 12) - 1)
    np.testing.assert_array_equal(found[:, VALENCE], 0.0)


def test_features_that_do_not_vary_give_the_rate() -> None:
    data, values = made()
    found = fit_learners(
        data, task(data), np.ones_like(values), lambda _l: lambda asked: asked[:, 0]
    )(np.arange(30, 40))
    np.testing.assert_allclose(found[:, AROUSAL], 2 * (7 / 12) - 1)


def test_training_people_without_the_modality_give_a_constant() -> None:
    data, values = made()
    values[: 2 * ROWS] = np.nan
    found = fit_learners(data, task(data), values, lambda _l: lambda asked: asked[:, 0])(
        np.arange(30, 40)
    )
    np.testing.assert_array_equal(found[:, :3], 0.0)


def test_a_pipeline_is_weighted_and_scores_are_two_p_minus_one() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], [90, 10])
    values = generator.standard_normal((100, 1)) + labels[:, None]
    weights = np.where(labels == 1, 9.0, 1.0)
    people = np.full(100, "P")
    learn = pipeline_learner(lambda: make_pipeline(StandardScaler(), GaussianNB()))
    asked = np.linspace(-2, 3, 7)[:, None]
    found = learn(Lesson(values, labels, weights, people))(asked)
    scale = StandardScaler().fit(values)
    bayes = GaussianNB().fit(scale.transform(values), labels, sample_weight=weights)
    np.testing.assert_allclose(found, 2 * bayes.predict_proba(scale.transform(asked))[:, 1] - 1)
    even = learn(Lesson(values, labels, np.ones(100), people))(asked)
    assert (found > even).all()


def test_a_classifier_without_probabilities_gives_its_margin_within_one() -> None:
    generator = np.random.default_rng(0)
    labels = np.tile([0.0, 1.0], 20)
    values = generator.standard_normal((40, 2)) + labels[:, None]
    learn = pipeline_learner(lambda: make_pipeline(LinearSVC(dual=False)))
    score = learn(Lesson(values, labels, np.ones(40), np.full(40, "P")))
    margin = LinearSVC(dual=False).fit(values, labels).decision_function(values)
    np.testing.assert_allclose(score(values), np.tanh(margin), atol=1e-6)


def test_a_planted_difference_is_found_in_a_new_person() -> None:
    data, _ = made()
    generator = np.random.default_rng(1)
    high = data.samples.truth[:, [AROUSAL]] > 0
    values = generator.standard_normal((len(high), 2)) + 4.0 * high
    predict = fit_classifiers(data, task(data), values, lambda: make_pipeline(GaussianNB()))
    found = predict(np.arange(30, 40))[:, AROUSAL]
    assert (found[:4] < 0).all()
    assert (found[4:] > 0).all()


def test_parts_name_the_training_people_and_the_labels() -> None:
    data, _ = made()
    scale, classifier = learned_parts(task(data), "a system")
    assert scale.kind == "normaliser"
    assert not scale.used_labels
    assert classifier.kind == "classifier"
    assert classifier.used_labels
    assert scale.subjects == classifier.subjects == {"P0", "P1"}
