"""Features of rows -> a learner for each target, as compared systems on hand-crafted features use.

Legend: M rows of the corpus, m some of them, n rows learned from, F features, T targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.utils.validation import has_fit_parameter  # type: ignore[import-untyped]

from affectscope.baselines.compared import ComparedData, as_scores, carried, thinned
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.leaks import FittedPart, fitted_on
from affectscope.evaluation.metrics import positive
from affectscope.evaluation.samples import Rows, StringArray
from affectscope.evaluation.trials import trial_table
from affectscope.records import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one target is learned from.

    Attributes:
        values: (n, F), NaN where not measured.
        labels: (n,) 1 high, 0 low.
        weights: (n,) so that trials weigh the same.
        people: (n,) whose row it is: inner splits must not part a person's rows.
    """

    values: FloatArray
    labels: FloatArray
    weights: FloatArray
    people: StringArray

    def part(self, chosen: Rows | BoolArray) -> Lesson:
        """Some of its rows."""
        return Lesson(
            self.values[chosen], self.labels[chosen], self.weights[chosen], self.people[chosen]
        )

    def of(self, values: FloatArray) -> Lesson:
        """The same rows, with other features."""
        return Lesson(values, self.labels, self.weights, self.people)


class RowValues(Protocol):
    """Features of rows: an array (M, F), or what computes (m, F) when rows are asked for."""

    def __getitem__(self, rows: Rows, /) -> FloatArray: ...


Scorer = Callable[[FloatArray], FloatArray]
"""(m, F) features -> (m,) scores in [-1, 1], above 0 for high."""
Learner = Callable[[Lesson], Scorer]
MakePipeline = Callable[[], Any]
"""A fresh scikit-learn ``Pipeline`` that admits NaN and whose last step is a classifier."""


def fit_classifiers(
    data: ComparedData, task: Task, values: RowValues, make: MakePipeline
) -> Callable[[Rows], FloatArray]:
    """``fit_learners`` with a pipeline for each target."""
    return fit_learners(data, task, values, pipeline_learner(make))


def fit_learners(
    data: ComparedData, task: Task, values: RowValues, learn: Learner
) -> Callable[[Rows], FloatArray]:
    """Learn high against low for each compared target from the fold's thinned training rows.

    Rows without any feature are left out; where nothing can be told apart, the smoothed rate of
    high is the answer.

    Args:
        values: (M, F), NaN where not measured.

    Returns:
        Rows -> (m, T) scores 2 p - 1, p the probability of high (ratings in [-1, 1]); NaN for rows
        without any feature and for targets that are not compared.
    """
    samples = task.samples
    rows = thinned(samples, task.fold.train, data.settings.hop)
    rows = rows[np.isfinite(values[rows]).any(axis=1)]
    labels = positive(samples.truth[rows], samples.targets)
    weights, people = _weights(task, rows), samples.subject[rows]
    scorers = []
    for column in data.columns:
        lesson = Lesson(values[rows], labels[:, column], weights, people)
        scorers.append(learned(learn, lesson.part(np.isfinite(lesson.labels))))

    def predict(asked: Rows) -> FloatArray:
        chosen = thinned(samples, asked, data.settings.hop)
        known = np.isfinite(values[chosen]).any(axis=1)
        scores = np.full((len(chosen), len(scorers)), np.nan)
        if known.any():
            scores[known] = np.column_stack([score(values[chosen[known]]) for score in scorers])
        return carried(samples, asked, chosen, as_scores(data, scores))

    return predict


def learned(learn: Learner, lesson: Lesson) -> Scorer:
    """What ``learn`` makes of the lesson; a constant where it holds one class or no variation."""
    if len(np.unique(lesson.labels)) == 2 and _varies(lesson.values):
        return learn(lesson)
    return rate_of_high(lesson)


def rate_of_high(lesson: Lesson) -> Scorer:
    """The smoothed rate of high, for every row."""
    high = (np.sum(lesson.labels == 1) + 1) / (len(lesson.labels) + 2)
    return lambda asked: np.full(len(asked), 2.0 * high - 1.0)


def pipeline_learner(make: MakePipeline) -> Learner:
    """Fits a pipeline, with weights where its classifier takes them.

    Scores are 2 p - 1; a classifier without probabilities gives tanh of its margin.
    """

    def learn(lesson: Lesson) -> Scorer:
        pipeline = make()
        name, last = pipeline.steps[-1]
        weighs = has_fit_parameter(last, "sample_weight")
        options = {f"{name}__sample_weight": lesson.weights} if weighs else {}
        pipeline.fit(lesson.values, lesson.labels.astype(np.int64), **options)
        if hasattr(pipeline, "predict_proba"):
            return lambda asked: 2.0 * np.asarray(pipeline.predict_proba(asked))[:, 1] - 1.0
        return lambda asked: np.tanh(np.asarray(pipeline.decision_function(asked)))

    return learn


def learned_parts(task: Task, name: str) -> tuple[FittedPart, FittedPart]:
    """What a system that only fits classifiers has fitted, both on the training rows."""
    rows = task.fold.train
    return (
        fitted_on(
            task.samples, rows, name=f"{name}: imputation and scale", kind="normaliser",
            used_labels=False,
        ),
        fitted_on(task.samples, rows, name=name, kind="classifier", used_labels=True),
    )  # fmt: skip


def _weights(task: Task, rows: Rows) -> FloatArray:
    """(n,) the same sum for each trial, one on average (regularisation counts on that)."""
    owner = trial_table(task.samples).of_row[rows]
    weights = 1.0 / np.bincount(owner)[owner]
    return weights * (len(rows) / weights.sum() if len(rows) else 1.0)


def _varies(values: FloatArray) -> bool:
    """Whether some feature takes two values."""
    measured = np.isfinite(values)
    highest = np.where(measured, values, -np.inf).max(axis=0, initial=-np.inf)
    return bool((highest > np.where(measured, values, np.inf).min(axis=0, initial=np.inf)).any())
