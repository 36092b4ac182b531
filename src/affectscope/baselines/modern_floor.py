"""A modern floor: gradient boosting on heart, skin and face statistics of equally long spans.

No paper's system, but METHOD.md section 8, bets 1 and 2: features that do not depend on the length
of the clip, and each person standardised by that person's own unlabelled data. In 19 corpora under
leave-one-subject-out, hand-crafted features beat raw signals in 107 of 114 comparisons (FEEL,
NeurIPS 2025 [?]).

==========================  ================================  ==================================
stage                       shape                             parameters
==========================  ================================  ==================================
heart and skin features     span of 40 s -> 41                none
face embeddings             frame -> E                        the fold's face encoder
principal components        E -> 10                           10 E + E
face statistics             span of 40 s -> 10 means, 10 sd   none
person's z-scores           H + 20 -> H + 20                  means and deviations of each person
bins                        H + 20 -> H + 20                  31 edges of each feature
gradient boosting           H + 20 -> probability of high     100 trees of 8 leaves, rate 0.05
==========================  ================================  ==================================

What a reader must know:
1. The transductive one sees all signals of the test person, without labels: it can score a person
   only once the session is over. Means and deviations are those of the rows that are learned from
   and predicted at, of all of the person's trials.
2. The inductive one leaves that out. It scales by nobody: trees ask for no scale, so that training
   people's means and deviations would change nothing.
3. Missing features stay missing: each split of a tree has a side for them. So any one of the three
   modalities suffices.
4. Spans, not trials: where rows are split at random, a trial's mean would tell the test rows'.
5. Trials weigh the same.

Legend: M rows of the corpus, N rows of a trial, n rows learned from, E width of an embedding,
K components, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA  # type: ignore[import-untyped]
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]

from affectscope.baselines.classifying import Learner, Lesson, Scorer, fit_learners
from affectscope.baselines.compared import (
    Compared,
    ComparedData,
    FaceEmbeddings,
    fold_seed,
    thinned,
)
from affectscope.datasets.body_features import FeatureSettings, spans_around
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.evaluation.crossval import TRANSDUCTIVE, Fitted, Sees, Task
from affectscope.evaluation.leaks import FittedPart, check_features, fitted_on
from affectscope.evaluation.samples import Rows
from affectscope.preprocessing.heart_features import RR_FEATURES
from affectscope.preprocessing.skin_features import SKIN_FEATURES
from affectscope.records import FloatArray

BODY = (*RR_FEATURES, *(name for name in SKIN_FEATURES if not name.startswith("skin_power_")))
"""What RR intervals and the course of the EDA tell; spectra of the raw signals tell the sensor."""

BINS = 32

COMPONENTS = 10
"""Of face embeddings: few, since they are learned from with few hundred trials."""

CITATION = "Ours: gradient boosting (scikit-learn) on duration-free heart, skin and face statistics"


@dataclass(frozen=True, eq=False)
class _FaceStatistics:
    """Face features of all rows of the corpus, and what was fitted to make them.

    ``values``: (M, F), NaN where not measured; ``names``: F.
    """

    values: FloatArray
    names: tuple[str, ...]
    parts: tuple[FittedPart, ...] = ()


def _fit(data: ComparedData, task: Task, *, name: str, sees: Sees) -> Fitted:
    face = _face(data, task)
    names, parts = (*BODY, *face.names), face.parts
    values = np.concatenate([data.features.chosen(BODY), face.values], axis=1)
    check_features(task.samples, values, names)
    if sees == TRANSDUCTIVE:
        values = by_person(values, task, data.settings.hop)
        everything = np.arange(len(task.samples))
        parts += (_part(task, everything, "z-scores of each person", "person normaliser"),)
    parts += (
        fitted_on(task.samples, task.fold.train, name=name, kind="classifier", used_labels=True),
    )
    return Fitted(parts, fit_learners(data, task, values, boosting(fold_seed(task))))


def boosting(seed: int) -> Learner:
    """Gradient boosting on features in ``BINS`` bins of the training rows; NaN stays."""

    def learn(lesson: Lesson) -> Scorer:
        edges = [_edges(column) for column in lesson.values.T]
        trees = HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.05, max_leaf_nodes=8, l2_regularization=1.0,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        trees.fit(_binned(lesson.values, edges), lesson.labels, sample_weight=lesson.weights)
        return lambda asked: 2.0 * trees.predict_proba(_binned(asked, edges))[:, 1] - 1.0

    return learn


def _edges(column: FloatArray) -> FloatArray:
    """Quantiles of what is measured; none where nothing is."""
    measured = column[np.isfinite(column)]
    if len(measured) == 0:
        return np.empty(0)
    return np.unique(np.quantile(measured, np.linspace(0, 1, BINS + 1)[1:-1]))


def _binned(values: FloatArray, edges: list[FloatArray]) -> FloatArray:
    """(n, F) number of the bin; zero throughout for what training never measured."""
    # scikit-learn's own bins take a second per fit, once rows have weights.
    binned = np.zeros(values.shape)
    for column, own, into in zip(values.T, edges, binned.T, strict=True):
        if len(own):
            into[:] = np.where(np.isfinite(column), np.searchsorted(own, column), np.nan)
    return binned


def by_person(values: FloatArray, task: Task, hop: float) -> FloatArray:
    """(M, F) z-scores within each person, by all of the person's thinned rows; no label is used.

    A feature that does not vary within a person is zero there.
    """
    scaled = np.full(values.shape, np.nan)
    rows = thinned(task.samples, np.arange(len(values)), hop)
    for person in np.unique(task.samples.subject):
        own = task.samples.subject == person
        mean, deviation = _moments(values[rows[own[rows]]])
        scaled[own] = (values[own] - mean) / np.where(deviation > 0, deviation, 1.0)
    return scaled


def _moments(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(F,) mean and standard deviation of what is measured; zeros where nothing is."""
    measured = np.isfinite(values)
    count = np.maximum(measured.sum(axis=0), 1)
    mean = np.where(measured, values, 0.0).sum(axis=0) / count
    square = np.where(measured, (values - mean) ** 2, 0.0).sum(axis=0) / count
    return mean, np.sqrt(square)


def _face(data: ComparedData, task: Task) -> _FaceStatistics:
    """Mean and deviation of the embeddings' components over each row's span; empty without faces.

    Trials are read one by one: at 25 rows a second a corpus' embeddings do not fit into memory.
    """
    nothing = _FaceStatistics(np.empty((len(task.samples), 0)), ())
    embeddings = data.face_embeddings(task)
    components = None if embeddings is None else _components(data, task, embeddings)
    if embeddings is None or components is None:
        return nothing
    values = [
        span_statistics(trial, components.transform(embeddings.features[trial.key]))
        for trial in data.prepared.trials
    ]
    count = components.n_components_
    names = (*(f"face_mean_{i}" for i in range(count)), *(f"face_sd_{i}" for i in range(count)))
    part = _part(task, task.fold.train, "principal components of faces", "encoder")
    return _FaceStatistics(np.concatenate(values), names, (embeddings.part, part))


def _components(data: ComparedData, task: Task, embeddings: FaceEmbeddings) -> Any:
    """A PCA of the training people's faces in the thinned rows; None where there are not two."""
    rows, first = thinned(task.samples, task.fold.train, data.settings.hop), 0
    seen: list[NDArray[np.float32]] = []
    for trial in data.prepared.trials:
        inside = rows[(rows >= first) & (rows < first + len(trial.times))] - first
        seen.append(embeddings.features[trial.key][inside[trial.face_present[inside]]])
        first += len(trial.times)
    faces = np.concatenate(seen)
    count = min(COMPONENTS, len(faces) - 1, faces.shape[1])
    if count < 1 or not np.ptp(faces, axis=0).any():
        return None
    return PCA(count, svd_solver="randomized", random_state=fold_seed(task)).fit(faces)


def span_statistics(trial: PreparedTrial, components: NDArray[np.floating]) -> FloatArray:
    """(N, K) of each frame -> (N, 2 K) mean and deviation over the span around each row.

    Only rows with a face count; NaN where the span has none, deviations where it has one.
    """
    spans = spans_around(trial, FeatureSettings().length)
    low = np.searchsorted(trial.times, spans[:, 0] - 1e-9)
    high = np.searchsorted(trial.times, spans[:, 1] + 1e-9)
    seen = trial.face_present[:, None]
    shown = np.where(seen, np.asarray(components, dtype=np.float64), 0.0)

    def sums(values: FloatArray) -> FloatArray:
        running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
        return np.asarray(running[high] - running[low])

    count = sums(seen.astype(np.float64))
    mean = sums(shown) / np.where(count > 0, count, np.nan)
    square = sums(shown**2) / np.where(count > 1, count, np.nan)
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0.0))], axis=1)


def _part(task: Task, rows: Rows, name: str, kind: Any) -> FittedPart:
    return fitted_on(task.samples, rows, name=name, kind=kind, used_labels=False)


def _system(name: str, sees: Sees) -> Compared:
    def fit(data: ComparedData, task: Task) -> Fitted:
        return _fit(data, task, name=name, sees=sees)

    return Compared(name, CITATION, ("ecg", "eda", "face"), (), None, fit, sees=sees)


MODERN_FLOOR = _system("modern floor (transductive)", TRANSDUCTIVE)
MODERN_FLOOR_INDUCTIVE = _system("modern floor", "training people")
