"""Siddharth et al.: pictures of body signals through an image network, and face statistics.

Siddharth, Jung, Sejnowski: Utilizing deep learning towards multi-modal bio-sensing and vision-based
affective computing, IEEE Trans. Affective Computing, 2019 [?], arXiv 1905.07039.

============================  ===============================  ==================================
stage                         shape                            parameters
============================  ===============================  ==================================
pictures of ECG, EDA, EEG     span of 40 s -> 3 x 64 x 64      none
image network                 picture -> 1024                  23,584, fixed (``span_pictures``)
face embeddings               frame -> E                       the fold's face encoder
face statistics               span of 40 s -> 3 E              none
principal components          each of the four -> 30           4 PCA of training rows
heart and skin statistics     span of 40 s -> H                none
scale                         120 + H -> 120 + H = D           means and deviations
extreme learning machine      D -> 200 -> 2                    200 D + 200, fixed; 402
LSTM                          5 x D -> 64                      256 D + 16,896
LSTM                          5 x 64 -> 5 x 64                 33,280
dropout 0.5, linear           64 -> 3                          195
============================  ===============================  ==================================

The last four are two systems: an extreme learning machine for each target, or one recurrent network
for all. H: heart rate variability and skin conductance of ``datasets.body_features``.

Where the paper is silent (or we could not read it: [?]), and what we do:
1. Image network: the paper's is VGG-16 with ImageNet's weights [?], which may not be shipped and is
   not at hand offline. Here three layers of fixed random filters: a constant fitted on nobody. It
   is far weaker, and the largest difference from the paper.
2. Pictures: spectrograms of ECG and EDA, and maps of EEG power, as METHOD.md has them; their sizes
   and scales are ours, see ``span_pictures``. The paper's entropies of pairs of EEG channels [?]
   are left out.
3. One sample: in the paper a trial. Here a span of 40 s around each row: features of whole trials
   would be shared by all of a trial's rows, on both sides of a random split, and would tell its
   length.
4. Heart and skin statistics: those of the prepared features, without the ECG's power, which the
   spectrogram shows.
5. Face statistics: mean, deviation and 95th percentile over the span of at most 64 frames with a
   face, spread evenly. The paper's embeddings are VGG-Face's [?]; here the fold's face encoder. Its
   geometric features of landmarks [?] are left out: no landmarks are kept.
6. Scale: features are standardised before the PCA; the components are divided by the deviation of
   the first, so that the later ones stay small. All are kept within +-5. PCA and scale are fitted
   on the fold's thinned training rows.
7. A missing modality: the paper has none. Here its features are zero, which after standardisation
   is the training people's mean. A row without any modality has no score. The systems refuse
   corpora without ECG or EDA; faces and EEG join where there are some.
8. Extreme learning machine: 200 hidden units [?], see ``extreme_learning_machine``.
9. LSTM [?]: two layers of 64 units, over 5 spans that are ``hop`` seconds apart around the row and
   moved inside its trial, so always equally many; only a trial that is shorter repeats its last.
   Adam at 3e-3 with a weight decay of 1e-3, 32 rows a batch, at most 40 epochs, the best by the
   validation people.
10. Trials weigh the same.

Legend: M rows of the corpus, m some of them, E width of an embedding, F features, D reduced
features, S = 5 steps, C = 3 targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from torch import Tensor, nn

from affectscope.baselines.classifying import fit_classifiers
from affectscope.baselines.compared import (
    COMPARED_TARGETS,
    Compared,
    ComparedData,
    FaceEmbeddings,
    Published,
    as_scores,
    carried,
    fold_seed,
    thinned,
)
from affectscope.baselines.extreme_learning_machine import ExtremeLearningMachine
from affectscope.baselines.network_learning import (
    Learning,
    Places,
    RatedRows,
    learn,
    rated_rows,
    shuffled,
)
from affectscope.baselines.span_pictures import (
    Pictured,
    RowMemory,
    by_trial,
    picture_features,
)
from affectscope.datasets.body_features import FeatureSettings, spans_around
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import FittedPart, check_features, fitted_on
from affectscope.evaluation.samples import Rows
from affectscope.evaluation.trials import trial_table
from affectscope.records import BoolArray, FloatArray

COMPONENTS = 30
STEPS = 5
UNITS, BATCH, EPOCHS = 64, 32, 40

_FRAMES = 64  # of a span, at most
_LARGEST = 5.0  # standardised value

Source = Callable[[Rows], NDArray[np.floating]]
"""Rows -> (m, F) features, NaN where not measured."""


@dataclass(frozen=True, eq=False)
class _Scale:
    """How one source's features are standardised and, where ``components`` is there, reduced."""

    mean: FloatArray
    deviation: FloatArray
    components: Any = None
    first: float = 1.0

    def __call__(self, values: NDArray[np.floating]) -> FloatArray:
        """(m, F) -> (m, K); zeros where not measured."""
        measured = np.isfinite(values)
        scaled = np.where(measured, (values - self.mean) / self.deviation, 0.0)
        if self.components is not None:
            scaled = self.components.transform(scaled) / self.first
            scaled[~measured.any(axis=1)] = 0.0
        return np.clip(scaled, -_LARGEST, _LARGEST)


def _fit_scale(values: NDArray[np.floating], components: int, seed: int) -> _Scale | None:
    """Fit on (m, F) training rows; None where nothing varies.

    Args:
        components: to keep; 0 keeps the features as they are.
    """
    values = values[np.isfinite(values).any(axis=1)]
    if len(values) < 2:
        return None
    masked = np.ma.masked_invalid(values)
    mean, deviation = (np.ma.filled(of(axis=0), 0.0) for of in (masked.mean, masked.std))
    varies = deviation > 1e-9
    if not varies.any():
        return None
    scale = _Scale(mean, np.where(varies, deviation, 1.0))
    if not components:
        return scale
    count = min(components, len(values) - 1, values.shape[1])
    fitted = PCA(count, svd_solver="randomized", random_state=seed).fit(scale(values))
    return replace(
        scale, components=fitted, first=math.sqrt(max(float(fitted.explained_variance_[0]), 1e-12))
    )


class Reduced:
    """Rows -> (m, D) features, computed when they are asked for; NaN without any modality.

    The scales are fitted on the fold's thinned training rows.
    """

    def __init__(self, data: ComparedData, task: Task, embeddings: FaceEmbeddings | None) -> None:
        rows = thinned(task.samples, task.fold.train, data.settings.hop)
        self._used: list[tuple[Source, _Scale]] = []
        for source, components in _sources(data, embeddings):
            scale = _fit_scale(source(rows), components, fold_seed(task))
            if scale is not None:
                self._used.append((source, scale))
        self._memory = RowMemory()
        self.width = self._computed(rows[:1]).shape[1]

    def __getitem__(self, rows: Rows) -> FloatArray:
        if not len(rows):
            return np.empty((0, self.width))
        return self._memory.of(rows, self._computed).astype(np.float64)

    def _computed(self, rows: Rows) -> NDArray[np.float32]:
        known = np.zeros(len(rows), dtype=np.bool_)
        reduced = [np.zeros((len(rows), 0 if self._used else 1))]
        for source, scale in self._used:
            values = source(rows)
            known |= np.isfinite(values).any(axis=1)
            reduced.append(scale(values))
        together = np.concatenate(reduced, axis=1).astype(np.float32)
        together[~known] = np.nan
        return together


def _sources(data: ComparedData, embeddings: FaceEmbeddings | None) -> list[tuple[Source, int]]:
    """What the corpus has, and to how many components each is reduced; 0: not at all."""
    statistics = data.features.chosen(_statistics(data))
    found: list[tuple[Source, int]] = [(lambda rows: statistics[rows], 0)]
    pictured: tuple[Pictured, ...] = ("ecg", "eda", "eeg")
    found += [
        (partial(picture_features, data, name), COMPONENTS)
        for name in pictured
        if name in data.sources
    ]
    if embeddings is not None:
        found.append((partial(face_statistics, data, embeddings), COMPONENTS))
    return found


def _statistics(data: ComparedData) -> tuple[str, ...]:
    """Names of the heart and skin statistics that are used."""
    shown = ("heart_ecg_power", "skin_power")  # the spectrograms show these
    names = (*data.features.of("heart"), *data.features.of("skin"))
    return tuple(name for name in names if not name.startswith(shown))


def face_statistics(
    data: ComparedData, embeddings: FaceEmbeddings, rows: Rows
) -> NDArray[np.float32]:
    """(m, 3 E) mean, deviation and 95th percentile over each row's span; NaN without a face."""
    width = next(iter(embeddings.features.values())).shape[1]
    found = np.full((len(rows), 3 * width), np.nan, dtype=np.float32)
    for trial, local, place in by_trial(data, rows):
        spans = spans_around(trial, FeatureSettings().length)[local]
        seen = np.flatnonzero(trial.face_present)
        low = np.searchsorted(trial.times[seen], spans[:, 0] - 1e-9)
        high = np.searchsorted(trial.times[seen], spans[:, 1] + 1e-9)
        for row, start, end in zip(place, low, high, strict=True):
            if end > start:
                spread = np.linspace(start, end - 1, min(_FRAMES, end - start)).round()
                frames = embeddings.features[trial.key][seen[spread.astype(np.int64)]]
                found[row] = np.concatenate(
                    [frames.mean(axis=0), frames.std(axis=0), np.percentile(frames, 95, axis=0)]
                )
    return found


def _reduced(data: ComparedData, task: Task) -> tuple[Reduced, tuple[FittedPart, ...]]:
    """The features of a fold, and everything that was fitted to make them."""
    names = _statistics(data)
    check_features(task.samples, data.features.chosen(names), names)
    embeddings = data.face_embeddings(task)
    train = partial(fitted_on, task.samples, task.fold.train, used_labels=False)
    parts = [
        FittedPart("fixed filters of the image network", "encoder", frozenset(), False, None),
        train(name="scale of Siddharth's features", kind="normaliser"),
        train(name="principal components", kind="encoder"),
    ]
    parts += [] if embeddings is None else [embeddings.part]
    return Reduced(data, task, embeddings), tuple(parts)


def _fit_machine(data: ComparedData, task: Task) -> Fitted:
    """An extreme learning machine for each target, on the fold's training rows."""
    reduced, parts = _reduced(data, task)
    seed = fold_seed(task)
    predict = fit_classifiers(
        data, task, reduced, lambda: make_pipeline(ExtremeLearningMachine(random_state=seed))
    )
    part = fitted_on(
        task.samples, task.fold.train, name="extreme learning machine", kind="classifier",
        used_labels=True,
    )  # fmt: skip
    return Fitted((*parts, part), predict)


class SpanNetwork(nn.Module):
    """Reduced features of successive spans (m, S, D) -> logits (m, C)."""

    def __init__(self, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(width, UNITS, num_layers=2, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(UNITS, len(COMPARED_TARGETS))
        for weights in self.parameters():
            bound = 1.0 / math.sqrt(UNITS)
            nn.init.uniform_(weights, -bound, bound, generator=generator)

    def forward(self, spans: Tensor) -> Tensor:
        states, _ = self.recurrent(spans)
        logits: Tensor = self.output(self.dropout(states[:, -1]))
        return logits


def steps_of(data: ComparedData, rows: Rows) -> Rows:
    """(m, S) rows that lie ``hop`` seconds apart around each, moved inside the row's trial."""
    apart = max(1, math.ceil(data.settings.hop * data.prepared.settings.rate - 1e-9))
    owner = trial_table(data.samples).of_row
    first = np.searchsorted(owner, owner[rows])
    last = np.bincount(owner)[owner[rows]] - 1
    begin = rows - first - STEPS // 2 * apart
    begin = np.clip(begin, 0, np.maximum(last - (STEPS - 1) * apart, 0))
    places = np.minimum(begin[:, None] + apart * np.arange(STEPS), last[:, None])
    steps: Rows = first[:, None] + places
    return steps


def _sequences(data: ComparedData, reduced: Reduced, rows: Rows) -> tuple[Tensor, BoolArray]:
    """(m, S, D) float32, zeros where nothing is known, and (m,) whether anything is."""
    steps = reduced[steps_of(data, rows).ravel()].reshape(len(rows), STEPS, reduced.width)
    measured = np.isfinite(steps)
    there: BoolArray = np.any(measured, axis=(1, 2))
    return torch.from_numpy(np.where(measured, steps, 0.0).astype(np.float32)), there


def _fit_lstm(data: ComparedData, task: Task) -> Fitted:
    """Learn the recurrent network from the fold's training rows; stop by its validation rows."""
    reduced, parts = _reduced(data, task)
    seed, fold = fold_seed(task), task.fold
    network = SpanNetwork(reduced.width, torch.Generator().manual_seed(seed))

    def side(rows: Rows) -> tuple[RatedRows, Tensor]:
        chosen = thinned(task.samples, rows, data.settings.hop)
        spans, there = _sequences(data, reduced, chosen)
        known = np.zeros(len(task.samples), dtype=np.bool_)
        known[chosen[there]] = True
        return rated_rows(data, task, rows, known), spans[torch.from_numpy(there)]

    (train, spans), (inner, inner_spans) = side(fold.train), side(fold.validation)

    def loss(places: Places) -> Tensor:
        return train.loss(network(spans[places]), places)

    def inner_loss(places: Places) -> Tensor:
        return inner.loss(network(inner_spans[places]), places)

    learn(
        network,
        shuffled(len(train.rows), BATCH, seed),
        loss,
        validation=lambda: inner.mean_loss(inner_loss),
        settings=Learning(
            data.settings.limited(EPOCHS),
            learning_rate=3e-3,
            patience=10,
            weight_decay=1e-3,
            seed=seed,
        ),
    )
    only_class = train.only_class()

    def predict(rows: Rows) -> FloatArray:
        chosen = thinned(task.samples, rows, data.settings.hop)
        asked, there = _sequences(data, reduced, chosen)
        with torch.inference_mode():
            scores = 2.0 * network(asked).sigmoid().double().numpy() - 1.0
        scores = np.where(np.isfinite(only_class), only_class, scores)
        scores[~there] = np.nan
        return carried(task.samples, rows, chosen, as_scores(data, scores))

    part = fitted_on(
        task.samples, np.union1d(fold.train, fold.validation), name="LSTM", kind="classifier",
        used_labels=True,
    )  # fmt: skip
    return Fitted((*parts, part), predict)


def _system(name: str, fit: Callable[[ComparedData, Task], Fitted]) -> Compared:
    return Compared(
        name=name,
        citation="Siddharth, Jung, Sejnowski: Utilizing deep learning towards multi-modal "
        "bio-sensing and vision-based affective computing, IEEE Trans. Affective Computing, 2019",
        uses=("face", "ecg", "eda", "eeg"),
        needs=("ecg", "eda"),
        published=Published(
            metric="accuracy [?]",
            protocol="trials of AMIGOS in ten random parts, people on both sides [?]",
            valence=83.94,
            arousal=82.76,
            note="as FG 2020 prints them, of faces, EEG, EDA and ECG together; of which of the two "
            "classifiers they are is not known here [?]",
        ),
        fit=fit,
    )


SIDDHARTH_ELM = _system("Siddharth (ELM)", _fit_machine)
SIDDHARTH_LSTM = _system("Siddharth (LSTM)", _fit_lstm)
