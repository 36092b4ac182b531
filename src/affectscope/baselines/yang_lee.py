"""Yang & Lee: features of the body -> a latent that personality cannot be told from -> an SVM.

Hao-Chun Yang, Chi-Chun Lee: An attribute-invariant variational learning for emotion recognition
using physiology, ICASSP 2019, pages 1184-1188, IEEE Xplore document 8683290. From its abstract
come the auto-encoder with an "attribute-invariance loss", that the loss acts on features of people
of "different personality polarity", and the printed numbers; from METHOD.md section 7 the median
split and the linear SVM. The text itself was not at hand.

One auto-encoder for each target; F features, 129 F + 3,232 parameters:

=======================  ==============  ==========
layer                    output          parameters
=======================  ==============  ==========
features, standardised   F               0
linear, ReLU             64              64 F + 64
linear: mean             16              1,040
linear: log variance     16              1,040
latent, drawn            16              0
linear, ReLU             64              1,088
linear                   F               65 F
=======================  ==============  ==========

The mean goes on to the linear SVM of the target.

Where the paper is silent, and what we do:
1. Which features: those of ``datasets.body_features``, heart and skin; the brain's join by
   themselves where the corpus has an EEG. They are of 40 s around the row, the paper's of the
   whole clip [?].
2. They are standardised on the training people and held within 5 deviations. A feature that is
   not measured stands at the mean and counts in no reconstruction error; a row without any feature
   has no score.
3. Layers, widths, Adam at 1e-3, 60 epochs at most, batches of 256 rows; the best epoch by the loss
   of inner people.
4. The loss: squared error summed over features, plus ``divergence`` times the Kullback-Leibler
   divergence from a standard normal, plus ``pull`` times the mean squared distance between the
   latent means of a pair, over the pairs of a batch that are of the same class of the target and
   of opposite personality; as a share of that over all pairs, so that nothing is gained by
   shrinking the latent. The paper's own form and weights are not known to us.
5. Personality: five traits, each split at the median of the training people (the median itself is
   low). A pair weighs as the share of the five in which its people lie on opposite sides, so that
   one term stands for all traits.
6. Where the corpus' user gave no personality, which is most corpora: every pair of different people
   is a pair. This is ours. The system then seeks a latent that persons cannot be told from.
7. A fold that trains on one person has no pairs: the auto-encoder is then a plain one.
8. The SVM (squared hinge, C = 0.03) sees standardised latents and weighs both classes the same: the
   paper reports unweighted recall. Its score is tanh of the margin, as ``classifying`` has it, that
   is 2 p - 1 of a logistic function; the probabilities of the tables are calibrated on inner people
   as everybody's.

Legend: M rows of the corpus, N rows of a batch, m asked rows, F features, L = 16 latents, P people,
T targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]
from torch import Tensor, nn

from affectscope.baselines.classifying import fit_classifiers
from affectscope.baselines.compared import (
    Compared,
    ComparedData,
    Published,
    fold_seed,
    thinned,
)
from affectscope.baselines.network_learning import (
    Learning,
    Places,
    learn,
    shuffled,
)
from affectscope.datasets.personality import TRAITS
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import check_features, fitted_on
from affectscope.evaluation.metrics import positive
from affectscope.evaluation.samples import Rows, StringArray
from affectscope.models.initialisation import initialise_uniformly
from affectscope.records import FloatArray

HIDDEN = 64
LATENT = 16
LARGEST = 5.0
"""Deviations from the mean beyond which a feature is held."""


@dataclass(frozen=True)
class AttributeInvariance:
    """How the auto-encoder learns; see "Where the paper is silent", 3 and 4."""

    divergence: float = 0.1
    pull: float = 10.0
    epochs: int = 60
    learning_rate: float = 1e-3
    batch: int = 256


SETTINGS = AttributeInvariance()


class VariationalAutoencoder(nn.Module):
    """(N, F) features -> mean and log variance (N, L) of the latent -> (N, F)."""

    def __init__(self, features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU())
        self.mean = nn.Linear(HIDDEN, LATENT)
        self.log_variance = nn.Linear(HIDDEN, LATENT)
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, features)
        )
        initialise_uniformly(self, generator)

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(values)
        return self.mean(hidden), self.log_variance(hidden).clamp(-8.0, 8.0)


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """N rows to learn from.

    Attributes:
        values: (N, F) standardised, 0 where not measured; ``measured``: (N, F) 1 or 0.
        high: (N,) class of the target, NaN where not rated.
        person: (N,) places in ``apart``.
        apart: (P, P) how opposite people are, see ``opposition``.
    """

    values: Tensor
    measured: Tensor
    high: Tensor
    person: Tensor
    apart: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def at(self, places: Places) -> LabelledRows:
        return LabelledRows(
            self.values[places], self.measured[places], self.high[places], self.person[places],
            self.apart,
        )  # fmt: skip

    @property
    def pairs(self) -> Tensor:
        """(N, N) weight of each pair: equal class of the target, opposite people."""
        return self.apart[self.person][:, self.person] * (self.high[:, None] == self.high[None])


def opposition(
    personality: Mapping[str, FloatArray], people: StringArray, trained: StringArray
) -> FloatArray:
    """(P, P) in [0, 1]: the share of the traits in which two people lie on opposite sides.

    Args:
        personality: person -> (5,) traits, NaN where not known. Empty: 1 for every two people.
        people: (P,) ids; who has no traits is opposite to nobody.
        trained: those whose medians split.
    """
    if not personality:
        different: FloatArray = (people[:, None] != people[None]).astype(np.float64)
        return different
    unknown = np.full(len(TRAITS), np.nan)
    traits = np.stack([personality.get(str(person), unknown) for person in people])
    side = np.zeros(traits.shape)
    for own, trait in zip(side.T, traits.T, strict=True):
        known = np.isfinite(trait)
        learned = trait[known & np.isin(people, trained)]
        if len(learned):
            own[known] = np.where(trait[known] > np.median(learned), 1.0, -1.0)
    opposite: FloatArray = (side[:, None] * side[None] < 0).mean(axis=2)
    return opposite


def invariance_loss(
    network: VariationalAutoencoder, settings: AttributeInvariance, rows: LabelledRows
) -> Tensor:
    """Of a batch; the latent is drawn while the network trains, and else its mean."""
    mean, log_variance = network.encode(rows.values)
    latent = mean
    if network.training:
        latent = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
    error = ((network.decoder(latent) - rows.values) ** 2 * rows.measured).sum(dim=1).mean()
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2
    total: Tensor = error + settings.divergence * divergence
    return total + settings.pull * _distance_of_pairs(mean, rows.pairs)


def _distance_of_pairs(latent: Tensor, pairs: Tensor) -> Tensor:
    """Mean squared distance over pairs of weight (N, N), as a share of that over all; 0 without."""
    squared = (latent**2).sum(dim=1)
    distance = (squared[:, None] + squared[None] - 2 * latent @ latent.T).clamp(min=0)
    own = (pairs * distance).sum() / pairs.sum().clamp(min=1e-9)
    return own / distance.mean().clamp(min=1e-9)


def fit(data: ComparedData, task: Task) -> Fitted:
    """Learn one fold.

    Raises:
        LeakError: E_LEAK_DURATION where a feature carries the length of the clip.
    """
    samples = task.samples
    check_features(samples, data.features.values, data.features.names)
    material = _material(data, task)
    predictors = {
        column: fit_classifiers(
            data,
            _only(task, column),
            _latents(_learned(material, column), material.standard),
            linear_svm,
        )
        for column in data.columns
    }

    def predict(rows: Rows) -> FloatArray:
        scores = np.full((len(rows), len(samples.targets)), np.nan)
        for column, predictor in predictors.items():
            scores[:, column] = predictor(rows)[:, column]
        return scores

    train, both = material.train, np.union1d(material.train, material.validation)
    parts = (
        fitted_on(samples, train, name="feature scaling", kind="normaliser", used_labels=False),
        fitted_on(samples, both, name="AI-VAE", kind="autoencoder", used_labels=True),
        fitted_on(samples, train, name="linear SVM", kind="classifier", used_labels=True),
    )
    return Fitted(parts, predict)


@dataclass(frozen=True, eq=False)
class _Material:
    """What the auto-encoders of a fold learn from.

    Attributes:
        standard: (M, F) standardised features, NaN where not measured.
        train, validation: thinned rows.
        person: (M,) places in ``apart`` (P, P).
    """

    task: Task
    standard: FloatArray
    train: Rows
    validation: Rows
    person: Rows
    apart: Tensor
    epochs: int

    def rows(self, side: Rows, column: int) -> LabelledRows:
        """Those of a side that have a feature, with one target's class."""
        samples = self.task.samples
        side = side[np.isfinite(self.standard[side]).any(axis=1)]
        measured = np.isfinite(self.standard[side])
        return LabelledRows(
            _tensor(np.where(measured, self.standard[side], 0.0)),
            _tensor(measured),
            _tensor(positive(samples.truth[side], samples.targets)[:, column]),
            torch.from_numpy(self.person[side]),
            self.apart,
        )


def _material(data: ComparedData, task: Task) -> _Material:
    samples, fold = task.samples, task.fold
    train, validation = (
        thinned(samples, side, data.settings.hop) for side in (fold.train, fold.validation)
    )
    people, person = np.unique(samples.subject, return_inverse=True)
    apart = opposition(data.personality, people, np.unique(samples.subject[train]))
    return _Material(
        task, _standardised(data.features.values, train), train, validation, person,
        _tensor(apart), data.settings.limited(SETTINGS.epochs),
    )  # fmt: skip


def _standardised(values: FloatArray, train: Rows) -> FloatArray:
    """(M, F); NaN where not measured, and in features that training never measured."""
    standard = np.full(values.shape, np.nan)
    known = np.isfinite(values[train]).any(axis=0)
    if known.any():
        scaled = StandardScaler().fit(values[train][:, known]).transform(values[:, known])
        standard[:, known] = np.clip(scaled, -LARGEST, LARGEST)
    return standard


def _only(task: Task, column: int) -> Task:
    """The task with the truth of one target; ``fit_classifiers`` then learns nothing else."""
    truth = np.full(task.samples.truth.shape, np.nan)
    truth[:, column] = task.samples.truth[:, column]
    return replace(task, samples=replace(task.samples, truth=truth))


def _learned(material: _Material, column: int) -> VariationalAutoencoder:
    """The auto-encoder of one target."""
    seed = fold_seed(material.task) + column
    network = VariationalAutoencoder(
        material.standard.shape[1], torch.Generator().manual_seed(seed)
    )
    train, inner = (material.rows(side, column) for side in (material.train, material.validation))
    loss = partial(invariance_loss, network, SETTINGS)
    batches = shuffled(len(train), SETTINGS.batch, seed)
    # Shuffled, the same way each time: batches in order would hold one person and no pairs.
    stopping = [inner.at(places) for places in shuffled(len(inner), SETTINGS.batch, 0)(0)]

    def validate() -> float:
        errors = [len(rows) * float(loss(rows)) for rows in stopping]
        return sum(errors) / len(inner) if errors else math.nan

    learn(
        network,
        lambda epoch: map(train.at, batches(epoch)),
        loss,
        validation=validate,
        settings=Learning(material.epochs, SETTINGS.learning_rate, seed=seed),
    )
    return network


def _latents(network: VariationalAutoencoder, standard: FloatArray) -> FloatArray:
    """(M, L) latent means; NaN for rows without a feature."""
    measured = np.isfinite(standard)
    rows = measured.any(axis=1)
    latents = np.full((len(standard), LATENT), np.nan)
    with torch.inference_mode():
        mean, _ = network.encode(_tensor(np.where(measured, standard, 0.0)[rows]))
    latents[rows] = mean.numpy()
    return latents


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def linear_svm() -> Pipeline:
    """Latents -> standardised -> the SVM, both classes weighing the same."""
    # The primal problem: it converges whatever the data, the dual one may not.
    return make_pipeline(StandardScaler(), LinearSVC(C=0.03, dual=False, class_weight="balanced"))


YANG_LEE = Compared(
    name="Yang & Lee",
    citation="Yang, Lee: An attribute-invariant variational learning for emotion recognition using "
    "physiology, ICASSP 2019",
    uses=("ecg", "eda", "eeg"),
    needs=("ecg", "eda"),
    published=Published(
        metric="unweighted average recall",
        protocol="leave one participant out [?]",
        valence=67.0,
        arousal=68.8,
        note="On AMIGOS [?], with its EEG. Comas et al. print the two numbers swapped and call "
        "them precision; these are as the paper's own abstract has them.",
    ),
    fit=fit,
)
