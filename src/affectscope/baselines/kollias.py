"""Kollias and Zafeiriou: a convolutional and recurrent network on sequences of faces.

Kollias, Zafeiriou: Exploiting multi-CNN features in CNN-RNN based dimensional emotion recognition
on the OMG in-the-wild dataset, IEEE Trans. Affective Computing, 2020 [?], arXiv 1910.01417. "Their
script" below is the training script that the authors published for the challenge of that data set
(github.com/dkollias/OMG_Challenge), which we read and did not copy.

"small", 304,531 parameters, our trunk for processors:

===========================  ==================  ==========
layer                        output              parameters
===========================  ==================  ==========
picture                      3 x 96 x 96         0
conv 5 x 5, stride 4         16 x 24 x 24        1,248
conv 3 x 3, stride 2         32 x 12 x 12        4,704
conv 3 x 3, stride 2         48 x 6 x 6          13,968
flatten, linear              64                  110,656
dropout 0.5                  64                  0
GRU                          128                 74,496
GRU                          128                 99,072
linear                       3                   387
===========================  ==================  ==========

A norm follows each convolution (its parameters are counted there); ReLU follows every layer of the
trunk. "resnet50", 24,443,843 parameters: the trunk is ResNet-50 of ``models.face_encoder``, 2048
features, 23,508,032 parameters; the first GRU then has 836,352.

Where the paper is silent (or we could not read it: [?]), and what we do:
1. Trunk: the paper's are VGG-Face and ResNet-50, trained on faces and then on Aff-Wild. No such
   weights may be shipped or fetched: "resnet50" and "small" both start from random weights and
   learn from the fold's training people alone. No encoder that the user gave is used here either:
   ``ComparedData`` hands over its features, not its weights. "resnet50" takes about 40 times as
   long as "small", which on a processor is too long for a whole corpus.
2. The 68 landmarks that the paper joins at the first fully connected layer are left out: the
   prepared corpus keeps pictures, not landmarks. The authors' published ResNet variant has neither
   landmarks nor a fully connected layer; that is the one built here, with one head and not three.
3. Valence, arousal and liking; the paper has no liking.
4. Loss: 1 - CCC, mean over the targets. Their script, for labels that hold for a whole clip, takes
   the CCC over the sequences of a batch, of each sequence's mean output and its label; so do we,
   since most corpora rate trials. The mean is over the rows that are learned from. Where the truth
   of a target is the same in all of a batch, CCC is not defined: the mean squared error of that
   batch takes its place.
5. Length of a sequence: 80 rows at the corpus' rate, 3.2 s at the paper's 25 frames a second and
   more where rows are sparse. All sequences of a corpus are equally long: they have the rows of the
   shortest trial where that is less than 80, but 8 at least. With sequences as long as each trial,
   the network could count how long a clip lasts. A trial that is shorter still is padded with its
   last picture, and the padding is left out of the mean.
6. A batch has 10 sequences (their script) from all training trials; every trial gives as many,
   from random places that change with each epoch.
7. Where there are more than 60,000 rows with faces, every second, third, ... row is taken. So
   pictures fit into memory, at 27,648 bytes each.
8. Pictures: area means of the prepared corpus' crops; pixels scaled to [-1, 1] (their script).
9. A row without a face, where the trial has some, shows the last face seen (the first, at the
   trial's start) and counts in no loss. A trial without faces has no score.
10. A row's score is the mean of the outputs at it, of the sequences that tile its trial; rows
    between those that were taken have the nearest one's. The trial's score is the mean of these, as
    in the paper.
11. Adam at 1e-4, dropout 0.5 on the trunk's features [?], at most 40 epochs, the best by the
    validation people.
12. Where rows are split at random (protocol D), a sequence shows rows of both sides, being one
    piece of video; only those of the training side count in the loss.

Legend: P pictures in memory, N sequences, L length of a sequence, K trials, C = 3 targets,
m rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectscope.baselines.compared import (
    COMPARED_TARGETS,
    Compared,
    ComparedData,
    Published,
    as_scores,
    fold_seed,
)
from affectscope.baselines.face_sequences import Faces, Sequences, drawn, faces_of, tiles
from affectscope.baselines.network_learning import Learning, learn
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import fitted_on
from affectscope.evaluation.samples import Rows
from affectscope.evaluation.trials import trial_table
from affectscope.models.face_encoder import ResNet50
from affectscope.models.initialisation import initialise_uniformly
from affectscope.records import FloatArray

_SAME = 1e-6  # variance of the truth of a batch, below which CCC is not defined
_UNITS = 128  # of each GRU


@dataclass(frozen=True)
class KolliasSettings:
    """``batch``: sequences of a step; ``epochs``: at most."""

    batch: int = 10
    epochs: int = 40
    learning_rate: float = 1e-4
    dropout: float = 0.5


class SmallTrunk(nn.Module):
    """(N, 3, 96, 96) in [-1, 1] -> (N, 64)."""

    width = 64

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(3, 16, kernel=5, stride=4),
            *_block(16, 32, kernel=3, stride=2),
            *_block(32, 48, kernel=3, stride=2),
            nn.Flatten(),
            nn.Linear(48 * 6 * 6, self.width),
            nn.ReLU(),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.layers(pictures)
        return features


def _block(channels: int, filters: int, *, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    padding = kernel // 2
    convolution = nn.Conv2d(channels, filters, kernel, stride=stride, padding=padding)
    return convolution, nn.GroupNorm(8, filters), nn.ReLU()


class FaceSequenceNetwork(nn.Module):
    """Sequences of pictures (N, L, 3, 96, 96) uint8 -> (N, L, C), linear.

    Args:
        trunk: "small" or "resnet50"; the latter needs MONAI (MissingExtraError, E_EXTRA).
        generator: of the initial weights; None takes torch's own.
    """

    def __init__(
        self,
        trunk: Literal["small", "resnet50"] = "small",
        *,
        dropout: float = KolliasSettings.dropout,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        width = SmallTrunk.width if trunk == "small" else ResNet50.width
        self.trunk: nn.Module = SmallTrunk() if trunk == "small" else ResNet50(generator).backbone
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.GRU(width, _UNITS, num_layers=2, batch_first=True)
        self.output = nn.Linear(_UNITS, len(COMPARED_TARGETS))
        initialise_uniformly(self.trunk, generator)
        for weights in self.recurrent.parameters():
            bound = 1.0 / math.sqrt(_UNITS)
            nn.init.uniform_(weights, -bound, bound, generator=generator)
        nn.init.normal_(self.output.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.output.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        scaled = (pictures.flatten(0, 1).float() - 128.0) / 128.0
        features = self.dropout(self.trunk(scaled)).unflatten(0, pictures.shape[:2])
        states, _ = self.recurrent(features)
        outputs: Tensor = self.output(states)
        return outputs


def sequence_loss(outputs: Tensor, truth: Tensor) -> Tensor:
    """1 - CCC over sequences, mean over targets; NaN where nothing is rated.

    Args:
        outputs, truth: (N, L, C); truth is NaN where a row counts not.
    """
    known = torch.isfinite(truth)
    number = known.sum(dim=1)  # (N, C)
    means = [
        torch.where(known, values, 0.0).sum(dim=1) / number.clamp(min=1)
        for values in (outputs, truth)
    ]
    losses = []
    for column in range(truth.shape[2]):
        rated = number[:, column] > 0
        if bool(rated.any()):
            losses.append(_one_minus_ccc(*(mean[rated, column] for mean in means)))
    return torch.stack(losses).mean() if losses else torch.tensor(torch.nan)


def _one_minus_ccc(outputs: Tensor, truth: Tensor) -> Tensor:
    """Of (N,) means (Lin 1989); the mean squared error where the truth does not vary."""
    own, variance = outputs - outputs.mean(), truth.var(correction=0)
    if float(variance) < _SAME:
        return (outputs - truth).square().mean()
    covariance = (own * (truth - truth.mean())).mean()
    shift = (outputs.mean() - truth.mean()).square()
    return 1.0 - 2.0 * covariance / (own.square().mean() + variance + shift)


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a fold: the trials that it may learn from, and the truth that it may know.

    ``truth``: (P, C) float32, NaN in pictures of other rows, without a face and where not rated.
    """

    faces: Faces
    truth: NDArray[np.float32]

    @property
    def trials(self) -> NDArray[np.int64]:
        known = np.flatnonzero(np.isfinite(self.truth).any(axis=1))
        return np.unique(np.searchsorted(self.faces.bounds, known, side="right") - 1)

    def loss(self, network: FaceSequenceNetwork, sequences: Sequences) -> Tensor:
        return sequence_loss(_outputs(network, self.faces, sequences), self.known(sequences))

    def known(self, sequences: Sequences) -> Tensor:
        """(N, L, C)."""
        truth = np.where(sequences.counted[..., None], self.truth[sequences.places], np.nan)
        return torch.from_numpy(truth.astype(np.float32))

    def whole_loss(self, network: FaceSequenceNetwork, size: int) -> float:
        """Of all its sequences at once, though the network sees ``size`` at a time."""
        sequences = tiles(self.faces, self.trials)
        if not len(sequences):
            return math.nan
        outputs = [_outputs(network, self.faces, part) for part in sequences.parts(size)]
        return sequence_loss(torch.cat(outputs), self.known(sequences)).item()


def _side(data: ComparedData, task: Task, rows: Rows) -> _Side:
    faces = faces_of(data.prepared)
    own = np.zeros(len(task.samples), dtype=np.bool_)
    own[rows] = True
    truth = task.samples.truth[faces.rows][:, data.columns]
    counted = (own[faces.rows] & faces.seen)[:, None]
    return _Side(faces, np.where(counted, truth, np.nan).astype(np.float32))


def _outputs(network: FaceSequenceNetwork, faces: Faces, sequences: Sequences) -> Tensor:
    outputs: Tensor = network(torch.from_numpy(faces.pictures[sequences.places]))
    return outputs


def kollias(settings: KolliasSettings = KolliasSettings()) -> Compared:
    """The system with other settings than the paper's, for which ``KOLLIAS`` stands."""

    def fit(data: ComparedData, task: Task) -> Fitted:
        return _fit(data, task, settings)

    return Compared(
        name="Kollias 2020",
        citation="Kollias, Zafeiriou: Exploiting multi-CNN features in CNN-RNN based dimensional "
        "emotion recognition on the OMG in-the-wild dataset, IEEE Trans. Affective Computing, 2020",
        uses=("face",),
        needs=("face",),
        published=Published(
            metric="not stated ('precision')",
            protocol="not stated",
            valence=48.76,
            arousal=60.35,
            note="printed for AMIGOS by the FG 2020 paper, not by this one, which reports CCC on "
            "OMG-Emotion [?]",
        ),
        fit=fit,
    )


def _fit(data: ComparedData, task: Task, settings: KolliasSettings) -> Fitted:
    """Learn from the fold's training rows, stop by its validation rows."""
    train = _side(data, task, task.fold.train)
    inner = _side(data, task, task.fold.validation)
    seed, trials = fold_seed(task), train.trials
    network = FaceSequenceNetwork(
        data.settings.face_encoder,
        dropout=settings.dropout,
        generator=torch.Generator().manual_seed(seed),
    )

    def batches(epoch: int) -> Iterator[Sequences]:
        found = drawn(train.faces, trials, np.random.default_rng([seed, epoch]))
        return found.parts(settings.batch)

    learn(
        network,
        batches,
        lambda sequences: train.loss(network, sequences),
        validation=lambda: inner.whole_loss(network, settings.batch),
        settings=Learning(
            data.settings.limited(settings.epochs), learning_rate=settings.learning_rate, seed=seed
        ),
    )
    learned = np.isfinite(train.truth).any(axis=0)
    part = fitted_on(
        task.samples, np.union1d(task.fold.train, task.fold.validation),
        name="network on face sequences", kind="classifier", used_labels=True,
    )  # fmt: skip

    def predict(rows: Rows) -> FloatArray:
        scores = _scores(network, train.faces, task, rows)
        return as_scores(data, np.where(learned, scores, np.nan))

    return Fitted((part,), predict)


def _scores(network: FaceSequenceNetwork, faces: Faces, task: Task, rows: Rows) -> FloatArray:
    """(m, C) in [-1, 1]; NaN in trials without faces."""
    owner = trial_table(task.samples).of_row
    asked = np.unique(owner[rows])
    total = np.zeros((len(faces.rows), len(COMPARED_TARGETS)))
    number = np.zeros(len(faces.rows))
    for sequences in tiles(faces, asked[faces.counts[asked] > 0]).parts(KolliasSettings.batch):
        with torch.inference_mode():
            outputs = _outputs(network, faces, sequences).double().numpy()
        np.add.at(total, sequences.places[sequences.counted], outputs[sequences.counted])
        np.add.at(number, sequences.places[sequences.counted], 1.0)
    scores = np.full((len(rows), len(COMPARED_TARGETS)), np.nan)
    own = owner[rows]
    shown = faces.counts[own] > 0
    first_row = np.searchsorted(owner, own)
    place = np.minimum(np.rint((rows - first_row) / faces.every), faces.counts[own] - 1)
    place = (faces.bounds[own] + place.astype(np.int64))[shown]
    scores[shown] = np.clip(total[place] / number[place, None], -1.0, 1.0)
    return scores


KOLLIAS = kollias()
