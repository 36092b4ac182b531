"""AMIGOS' own baseline: Gaussian naive Bayes on Fisher-selected features, modality by modality.

J. A. Miranda-Correa, M. K. Abadi, N. Sebe, I. Patras: AMIGOS: a dataset for affect, personality
and mood research on individuals and groups, IEEE Trans. Affective Computing 12(2), 2021,
doi 10.1109/TAFFC.2018.2884461.

==========================  ===============================  ==================================
stage                       shape                            parameters
==========================  ===============================  ==================================
features of a modality      span of 40 s -> F                none
imputation                  F -> F                           F medians
standardisation             F -> F                           F means, F deviations
Fisher selection            F -> S                           S names
Gaussian naive Bayes        S -> probability of high         2 S means, 2 S variances, 1 rate
fusion                      modalities -> mean probability   none
==========================  ===============================  ==================================

Fisher's discriminant of a feature f: J(f) = \\|mean high - mean low\\| / (variance high + variance
low). A feature is kept where J is above 0.3 [?].

Where the paper is silent, and what we do:
1. J depends on the feature's unit; we compute it on features standardised by the training people.
2. Where no feature reaches the threshold, the five with the largest J are kept.
3. Our 42 heart and 29 skin features stand for the paper's 77 of ECG and 31 of EDA [?]: ECG in 20
   spectral bands, not 60. EEG: log power of its five bands and their asymmetry.
4. The paper's features are those of whole trials [?]; ours are those of equally long spans, so that
   no count, sum or length of the clip is among them. A trial's score is the mean of its rows'.
5. Fusion: the mean of the probabilities of the modalities that a row has, not weighted.
6. High is a rating above the scale's middle for everybody; trials weigh the same.

Legend: n rows learned from, F features of a modality, S of them selected.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.naive_bayes import GaussianNB  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from affectscope.baselines.classifying import Lesson, Scorer, fit_learners, learned_parts
from affectscope.baselines.compared import Compared, ComparedData, Published, Source
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import check_features
from affectscope.evaluation.samples import Rows
from affectscope.records import FloatArray

THRESHOLD = 0.3
FEWEST = 5
"""Features that are kept where none reaches the threshold."""

CITATION = (
    "J. A. Miranda-Correa, M. K. Abadi, N. Sebe, I. Patras: AMIGOS: a dataset for affect, "
    "personality and mood research on individuals and groups, IEEE Trans. Affective Computing "
    "12(2), 2021, doi 10.1109/TAFFC.2018.2884461"
)
_FEATURES: dict[Source, str] = {"ecg": "heart", "eda": "skin", "eeg": "eeg"}


def fisher(lesson: Lesson) -> FloatArray:
    """(F,) J of each feature, none of them NaN; infinite where it parts the classes for certain."""
    mean, variance = np.empty((2, lesson.values.shape[1])), np.empty((2, lesson.values.shape[1]))
    for label in (0, 1):
        own = lesson.part(lesson.labels == label)
        mean[label] = np.average(own.values, axis=0, weights=own.weights)
        variance[label] = np.average(
            (own.values - mean[label]) ** 2, axis=0, weights=own.weights
        )  # fmt: skip
    distance, spread = np.abs(mean[1] - mean[0]), variance.sum(axis=0)
    found = np.where(distance > 0, np.inf, 0.0)
    np.divide(distance, spread, out=found, where=spread > 0)
    return found


def selected(lesson: Lesson) -> Rows:
    """(S,) places, ascending, of the features that are kept."""
    found = fisher(lesson)
    kept = np.flatnonzero(found > THRESHOLD)
    return kept if len(kept) else np.sort(np.argsort(-found, kind="stable")[:FEWEST])


def learn(lesson: Lesson) -> Scorer:
    """Fisher selection and Gaussian naive Bayes."""
    scale = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    scaled = scale.fit_transform(lesson.values)
    kept = selected(lesson.of(scaled))
    bayes = GaussianNB().fit(scaled[:, kept], lesson.labels, sample_weight=lesson.weights)
    return lambda asked: 2.0 * bayes.predict_proba(scale.transform(asked)[:, kept])[:, 1] - 1.0


def _fit(data: ComparedData, task: Task, *, name: str, sources: Sequence[Source]) -> Fitted:
    predictors = []
    for source in sources:
        if names := data.features.of(_FEATURES[source]):
            values = data.features.chosen(names)
            check_features(task.samples, values, names)
            predictors.append(fit_learners(data, task, values, learn))

    def predict(rows: Rows) -> FloatArray:
        scores = np.stack([predict_one(rows) for predict_one in predictors])
        known = np.isfinite(scores)
        mean = np.full(scores.shape[1:], np.nan)
        np.divide(np.where(known, scores, 0.0).sum(axis=0), known.sum(axis=0), out=mean,
                  where=known.any(axis=0))  # fmt: skip
        return mean

    return Fitted(learned_parts(task, name), predict)


def _system(
    what: str, sources: tuple[Source, ...], needs: tuple[Source, ...], published: Published
) -> Compared:
    name = f"AMIGOS' own, {what}"

    def fit(data: ComparedData, task: Task) -> Fitted:
        return _fit(data, task, name=name, sources=sources)

    return Compared(name, CITATION, sources, needs, published, fit)


def _published(valence: float, arousal: float, note: str = "") -> Published:
    return Published(
        "mean of both classes' F1", "leave one participant out", valence, arousal, note
    )


_MEMORY = "Valence and arousal from memory [?]."

AMIGOS_ECG = _system("ECG", ("ecg",), ("ecg",), _published(54.5, 55.1))
AMIGOS_EDA = _system("EDA", ("eda",), ("eda",), _published(53.1, 54.8))
AMIGOS_EEG = _system("EEG", ("eeg",), ("eeg",), _published(57.6, 59.2, _MEMORY))
AMIGOS_FUSED = _system(
    "fused", ("ecg", "eda", "eeg"), ("ecg", "eda"), _published(57.0, 58.5, _MEMORY)
)
