"""Baselines that look at no signal; every table prints them (METHOD.md section 6).

They learn from the training rows' trials, each trial counting once, and leave the validation rows
to calibration. A score lies on its target's own scale and says the class by the usual threshold.
Two are oracles: they know the test person's labels of all trials but the one that they estimate.

Legend: M rows, m some of them, K trials, T targets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from affectscope.baselines.mixed_model import Ratings, estimate_left_out, fit_variances
from affectscope.evaluation.crossval import ORACLE, Fitted, System, Task
from affectscope.evaluation.leaks import fitted_on
from affectscope.evaluation.metrics import midpoints, positive
from affectscope.evaluation.samples import Rows, Samples, StringArray
from affectscope.evaluation.trials import TrialTable, trial_table, trial_truth
from affectscope.records import BoolArray, FloatArray

TREE_DEPTH = 4
TREE_LEAF_SHARE = 40
"""A leaf of the duration tree holds at least one trial in 40."""

Estimator = Callable[["Learned"], FloatArray]
"""What a baseline is: from what was learned from to (K, T) scores for every trial."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What a baseline learns from.

    Attributes:
        table: all K trials.
        truth: (K, T) mean truth of the training trials, NaN elsewhere and where not rated.
        visible: (K, T) the same of every trial that may be seen: those of validation people, and an
            oracle's test people, too. Only oracles use it, leaving out the trial they estimate.
        asked: (K,) whether the trial is validated or tested on.
        targets: T names.
        random: seeded by the run's seed and the fold.
    """

    table: TrialTable
    truth: FloatArray
    visible: FloatArray
    asked: BoolArray
    targets: tuple[str, ...]
    random: np.random.Generator

    @property
    def high(self) -> FloatArray:
        """(K, T) class of the training trials: 1, 0, NaN."""
        return positive(self.truth, self.targets)

    @property
    def mean(self) -> FloatArray:
        """(T,) mean of the training trials; the threshold where none was rated."""
        return _mean(self.truth, midpoints(self.targets))

    @property
    def class_means(self) -> tuple[FloatArray, FloatArray]:
        """(T,) mean of the low and of the high training trials; the threshold's far side if none.

        They carry a class on the target's scale: the low one never passes for high.
        """
        ratings = midpoints(self.targets) == 0
        low, high = self.high == 0, self.high == 1
        return (
            _mean(np.where(low, self.truth, np.nan), np.where(ratings, -1.0, 0.0)),
            _mean(np.where(high, self.truth, np.nan), np.ones(len(ratings))),
        )


def _mean(values: FloatArray, otherwise: FloatArray) -> FloatArray:
    """(T,) column means of finite values."""
    known = np.isfinite(values)
    mean = np.array(otherwise, dtype=np.float64)
    np.divide(np.where(known, values, 0).sum(axis=0), known.sum(axis=0), out=mean,
              where=known.any(axis=0))  # fmt: skip
    return mean


def majority(learned: Learned) -> FloatArray:
    """The more frequent class, as that class's mean; high where both are equally frequent."""
    low, high = learned.class_means
    rate = _mean(learned.high, np.zeros(len(learned.targets)))
    return np.tile(np.where(rate >= 0.5, high, low), (len(learned.table), 1))


def stratified(learned: Learned) -> FloatArray:
    """A class at random for each trial, as often high as in training."""
    low, high = learned.class_means
    rate = _mean(learned.high, np.full(len(learned.targets), 0.5))
    drawn = learned.random.random((len(learned.table), len(rate))) < rate
    return np.where(drawn, high, low)


def training_prior(learned: Learned) -> FloatArray:
    """The mean of the training trials, for everybody."""
    return np.tile(learned.mean, (len(learned.table), 1))


def stimulus_mean(learned: Learned) -> FloatArray:
    """What other people gave the same clip, on average; the mean of all for an unseen clip."""
    return _mean_by(learned.table.trial, learned.truth, learned.mean)


def _mean_by(label: StringArray, truth: FloatArray, otherwise: FloatArray) -> FloatArray:
    """(K, T) mean of each trial's group."""
    scores = np.empty(truth.shape)
    for name in np.unique(label):
        own = label == name
        scores[own] = _mean(truth[own], otherwise)
    return scores


def duration_only(learned: Learned) -> FloatArray:
    """A small regression tree on the length of the clip, which alone tells quadrants apart."""
    from sklearn.tree import DecisionTreeRegressor  # type: ignore[import-untyped]

    scores = training_prior(learned)
    duration = learned.table.duration[:, None]
    for target, truth in enumerate(learned.truth.T):
        known = np.isfinite(truth)
        if not known.any():
            continue
        leaf = max(2, int(known.sum()) // TREE_LEAF_SHARE)
        tree = DecisionTreeRegressor(max_depth=TREE_DEPTH, min_samples_leaf=leaf, random_state=0)
        scores[:, target] = tree.fit(duration[known], truth[known]).predict(duration)
    return scores


def clip_one_hot(learned: Learned) -> FloatArray:
    """A classifier on the clip's one-hot code: its smoothed rate of the high class.

    With one code for each clip a logistic model's fit is that rate; one trial's worth of the
    overall rate is its prior. Rates become ratings by 2 rate - 1.
    """
    rate = _mean(learned.high, np.full(len(learned.targets), 0.5))
    scores = np.empty(learned.high.shape)
    for clip in np.unique(learned.table.trial):
        own = learned.table.trial == clip
        known = np.isfinite(learned.high[own])
        positives = np.where(known, learned.high[own], 0).sum(axis=0)
        scores[own] = (positives + rate) / (known.sum(axis=0) + 1)
    return np.where(midpoints(learned.targets) == 0, 2 * scores - 1, scores)


def personal_mean(learned: Learned) -> FloatArray:
    """Oracle: the mean of the same person's other trials; the training mean where none is known."""
    known = np.isfinite(learned.visible)
    scores = training_prior(learned)
    for person in np.unique(learned.table.subject):
        own = learned.table.subject == person
        value, count = np.where(known[own], learned.visible[own], 0), known[own].astype(np.float64)
        others = count.sum(axis=0) - count
        total = value.sum(axis=0) - value
        scores[own] = np.divide(total, others, out=scores[own], where=others > 0)
    return scores


def person_and_clip(learned: Learned) -> FloatArray:
    """Oracle, the ceiling without signals: person and clip as crossed random effects.

    Variances come from the training trials, effects from every visible trial but the one that is
    estimated. Estimates stay on the target's scale.
    """
    scores = training_prior(learned)
    people, person = np.unique(learned.table.subject, return_inverse=True)
    clips, clip = np.unique(learned.table.trial, return_inverse=True)
    for target in range(len(learned.targets)):
        trained, visible = learned.truth[:, target], learned.visible[:, target]

        def ratings(value: FloatArray) -> Ratings:
            known = np.isfinite(value)
            return Ratings(value[known], person[known], clip[known], len(people), len(clips))

        if np.isfinite(trained).sum() < 2 or np.ptp(trained[np.isfinite(trained)]) == 0:
            continue
        scores[learned.asked, target] = estimate_left_out(
            ratings(visible), fit_variances(_compact(ratings(trained))),
            person=person[learned.asked], clip=clip[learned.asked],
        )  # fmt: skip
    lowest = np.where(midpoints(learned.targets) == 0, -1.0, 0.0)
    return np.clip(scores, lowest, 1.0)


def _compact(ratings: Ratings) -> Ratings:
    """The same ratings, with people and clips that have none left out."""
    people, person = np.unique(ratings.person, return_inverse=True)
    clips, clip = np.unique(ratings.clip, return_inverse=True)
    return Ratings(ratings.value, person, clip, len(people), len(clips))


def _learn(task: Task) -> Learned:
    table, truth = trial_truth(task.samples, task.fold.train)
    samples = task.samples
    visible = table.means(samples.truth, np.arange(len(samples)))
    digest = hashlib.sha256(task.fold.name.encode()).digest()
    random = np.random.default_rng([task.seed, int.from_bytes(digest[:8], "little")])
    asked = np.zeros(len(table), dtype=np.bool_)
    asked[table.of_row[np.union1d(task.fold.validation, task.fold.test)]] = True
    return Learned(table, truth, visible, asked, samples.targets, random)


def _system(name: str, estimator: Estimator) -> System:
    oracle = name.endswith("(oracle)")

    def fit(task: Task) -> Fitted:
        learned = _learn(task)
        scores = estimator(learned)
        rows = np.arange(len(task.samples)) if oracle else task.fold.train
        part = fitted_on(task.samples, rows, name=name, kind="classifier", used_labels=True)
        return Fitted((part,), lambda rows: scores[learned.table.of_row[rows]])

    return System(name, fit, "trivial", ORACLE if oracle else "training people")


TRIVIAL: dict[str, System] = {
    name: _system(name, estimator)
    for name, estimator in (
        ("majority", majority),
        ("stratified", stratified),
        ("training prior", training_prior),
        ("stimulus mean", stimulus_mean),
        ("duration only", duration_only),
        ("clip one-hot", clip_one_hot),
        ("personal mean (oracle)", personal_mean),
        ("person + clip mixed model (oracle)", person_and_clip),
    )
}
"""Every baseline that needs no signal, in the order of the tables."""


def shuffled_rows(samples: Samples, seed: int) -> Rows:
    """(M,) for each row, a row of another trial of the same person, at the same relative place.

    With inputs read through it, a system keeps the person and the look of the signals and loses
    what belongs to the trial. Nobody's trial is its own source, except of people with one trial.
    """
    table = trial_table(samples)
    random = np.random.default_rng([seed])
    source = np.arange(len(table))
    for person in np.unique(table.subject):
        own = random.permutation(np.flatnonzero(table.subject == person))
        source[own] = np.roll(own, 1)
    count = np.bincount(table.of_row, minlength=len(table))
    first = np.cumsum(count) - count
    place = np.arange(len(samples)) - first[table.of_row]
    given = source[table.of_row]
    rows: Rows = first[given] + place * count[given] // count[table.of_row]
    return rows
