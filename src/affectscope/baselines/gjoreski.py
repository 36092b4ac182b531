"""Arousal from heart and skin features: seven classifiers and a stack of them.

M. Gjoreski, B. Mitrevski, M. Luštrek, M. Gams: An inter-domain study for arousal recognition from
physiological signals, Informatica 42(1), 2018.

=========================  ====================================  ==============================
stage                      shape                                 parameters
=========================  ====================================  ==============================
heart and skin features    span of 40 s -> 21                    none
imputation                 21 -> 21                              21 medians
standardisation            21 -> 21 (SVM, neighbours)            21 means, 21 deviations
random forest              21 -> 1                               50 trees, leaves of 5 or more
SVM                        21 -> 200 -> 1                        201, on fixed random cosines
gradient boosting          21 -> 1                               50 trees of depth 3
AdaBoost                   21 -> 1                               30 stumps
k nearest neighbours       21 -> 1                               the training rows, k = 15
naive Bayes                21 -> 1                               42 means, 42 variances
tree                       21 -> 1                               depth 6, leaves of 10 or more
stack                      7 -> 1                                7 weights
=========================  ====================================  ==============================

Where the paper is silent, and what we do:
1. The paper's stack joins models of six data sets; here is one corpus, so that the stack joins the
   seven classifiers: their scores' mean, with weights of at least 0 (Breiman, Stacked regressions,
   1996) by least squares on scores of held-out people. Inner folds split people, into three groups
   at most: a random inner split would let the stack trust whoever remembers a trial best. Of a
   single training person nothing can be held out, and all seven weigh the same.
2. The classifiers' settings are ours; they are not the result of a search. Ensembles are small,
   since the stack fits everything three times over for each target: about a minute for a fold of
   AMIGOS.
3. The SVM's radial kernel is approximated by 200 random cosines (Rahimi and Recht 2007), since an
   exact one takes minutes for each of AMIGOS' folds. Its score is tanh of its margin.
4. A tree of gradient boosting sees half of the rows, of which a trial's are nearly the same, and a
   split about five features: for speed as well.
5. Counts and sums are left out or divided by the duration, and spans are equally long: the length
   of the clip would give it away.
6. The paper estimates arousal; valence and liking are learned in the same way.
7. Trials weigh the same, where the classifier takes weights; classes weigh as they come.

Legend: n rows learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import nnls
from sklearn.ensemble import (  # type: ignore[import-untyped]
    AdaBoostClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.kernel_approximation import RBFSampler  # type: ignore[import-untyped]
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]
from sklearn.naive_bayes import GaussianNB  # type: ignore[import-untyped]
from sklearn.neighbors import KNeighborsClassifier  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]
from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]

from affectscope.baselines.classifying import (
    Learner,
    Lesson,
    Scorer,
    fit_learners,
    learned,
    learned_parts,
    pipeline_learner,
    rate_of_high,
)
from affectscope.baselines.compared import Compared, ComparedData, Published, fold_seed
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import check_features
from affectscope.records import FloatArray

HEART = (
    "heart_mean_rate", "heart_mean_rr", "heart_sdnn", "heart_sdsd", "heart_rmssd", "heart_pnn20",
    "heart_pnn50", "heart_sd1", "heart_sd2", "heart_lf", "heart_hf", "heart_lf_hf",
)  # fmt: skip
SKIN = (
    "skin_mean", "skin_sd", "skin_q25", "skin_q50", "skin_q75", "skin_mean_derivative",
    "skin_responses_per_minute", "skin_share_rising", "skin_tonic_slope",
)  # fmt: skip

NEIGHBOURS = 15
INNER_FOLDS = 3

CITATION = (
    "M. Gjoreski, B. Mitrevski, M. Luštrek, M. Gams: An inter-domain study for arousal recognition "
    "from physiological signals, Informatica 42(1), 2018"
)


class _Neighbours(KNeighborsClassifier):  # type: ignore[misc]
    """k nearest neighbours, fewer where there are fewer rows."""

    def fit(self, values: FloatArray, labels: FloatArray) -> _Neighbours:
        self.n_neighbors = min(NEIGHBOURS, len(labels))
        super().fit(values, labels)
        return self


def _imputed(*steps: Any) -> Pipeline:
    """Features that were never measured stay, as zeros: every pipeline has the same columns."""
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), *steps)


def random_forest(seed: int) -> Pipeline:
    return _imputed(RandomForestClassifier(50, min_samples_leaf=5, random_state=seed))


def support_vectors(seed: int) -> Pipeline:
    cosines = RBFSampler(gamma="scale", n_components=200, random_state=seed)
    return _imputed(StandardScaler(), cosines, LinearSVC(C=0.1, dual=False, random_state=seed))


def gradient_boosting(seed: int) -> Pipeline:
    return _imputed(
        GradientBoostingClassifier(
            n_estimators=50, subsample=0.5, max_features="sqrt", random_state=seed
        )
    )


def ada_boost(seed: int) -> Pipeline:
    return _imputed(AdaBoostClassifier(n_estimators=30, random_state=seed))


def nearest_neighbours(seed: int) -> Pipeline:
    return _imputed(StandardScaler(), _Neighbours())


def naive_bayes(seed: int) -> Pipeline:
    return _imputed(GaussianNB())


def tree(seed: int) -> Pipeline:
    return _imputed(DecisionTreeClassifier(max_depth=6, min_samples_leaf=10, random_state=seed))


CLASSIFIERS: Mapping[str, Callable[[int], Pipeline]] = {
    "random forest": random_forest,
    "SVM": support_vectors,
    "gradient boosting": gradient_boosting,
    "AdaBoost": ada_boost,
    "k nearest neighbours": nearest_neighbours,
    "naive Bayes": naive_bayes,
    "tree": tree,
}
"""The paper's seven, by the name that tables print: seed -> a fresh pipeline that admits NaN."""


def classifier(name: str, seed: int) -> Learner:
    """One of ``CLASSIFIERS``."""
    fit = pipeline_learner(lambda: CLASSIFIERS[name](seed))

    def learn(lesson: Lesson) -> Scorer:
        try:
            return fit(lesson)
        except ValueError as error:
            # AdaBoost refuses what no stump can tell apart.
            if "worse than random" not in str(error):
                raise
            return rate_of_high(lesson)

    return learn


def stack(seed: int) -> Learner:
    """All seven, weighed by what their scores of held-out people are worth."""
    learners = [classifier(name, seed) for name in CLASSIFIERS]

    def learn(lesson: Lesson) -> Scorer:
        score, trust = _all_of(learners, lesson), _trust(learners, lesson)
        return lambda asked: np.asarray(score(asked) @ trust)

    return learn


def _trust(learners: list[Learner], lesson: Lesson) -> FloatArray:
    """(7,) weights, none below 0, that sum to one; equal where no person can be held out."""
    equal = np.full(len(learners), 1 / len(learners))
    folds = min(INNER_FOLDS, len(np.unique(lesson.people)))
    if folds < 2:
        return equal
    held_out = np.empty((len(lesson.labels), len(learners)))
    split = GroupKFold(folds).split(lesson.values, lesson.labels, lesson.people)
    for inside, outside in split:
        held_out[outside] = _all_of(learners, lesson.part(inside))(lesson.values[outside])
    root = np.sqrt(lesson.weights)
    trust: FloatArray = nnls(held_out * root[:, None], (2.0 * lesson.labels - 1.0) * root)[0]
    return trust / trust.sum() if trust.sum() > 0 else equal


def _all_of(learners: list[Learner], lesson: Lesson) -> Scorer:
    """(m, F) -> (m, 7) scores of each learner."""
    scorers = [learned(learn, lesson) for learn in learners]
    return lambda asked: np.column_stack([score(asked) for score in scorers])


def _system(name: str, learner: Callable[[int], Learner], published: Published | None) -> Compared:
    def fit(data: ComparedData, task: Task) -> Fitted:
        names = (*HEART, *SKIN)
        values = data.features.chosen(names)
        check_features(task.samples, values, names)
        return Fitted(
            learned_parts(task, name), fit_learners(data, task, values, learner(fold_seed(task)))
        )

    return Compared(name, CITATION, ("ecg", "eda"), ("ecg", "eda"), published, fit)


GJORESKI = _system(
    "Gjoreski",
    stack,
    Published(
        metric="accuracy [?]",
        protocol="ten folds that keep a trial's segments together, people on both sides [?]",
        arousal=56.00,
        note="As Comas et al. print it. In Gjoreski's paper it is the best of the seven on AMIGOS "
        "alone [?]; the stack there joins six data sets.",
    ),
)


def _of_one(name: str) -> Compared:
    return _system(f"Gjoreski, {name}", lambda seed: classifier(name, seed), None)


GJORESKI_EACH: tuple[Compared, ...] = tuple(_of_one(name) for name in CLASSIFIERS)
"""The seven one by one, on the same features."""
