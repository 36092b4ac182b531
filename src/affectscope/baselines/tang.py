"""Tang et al.: two LSTM encoders, a joint code learned by denoising, a linear SVM.

Tang, Liu, Zheng, Lu: Multimodal emotion recognition using deep neural networks, ICONIP 2017, LNCS
10637, 811-819 [?], doi 10.1007/978-3-319-70093-9_86. Its abstract: a Bimodal-LSTM (SEED 93.97 %,
DEAP 83.53 %, mean accuracies) and a bimodal deep denoising auto-encoder, on EEG with eye movements
(SEED) or with peripheral signals (DEAP). Its notes name LIBLINEAR, so a linear SVM.

Parameters for the first modality of F and the second of G numbers a second, S = 30 seconds:

=========================  ==========  =================================
layer                      output      parameters
=========================  ==========  =================================
LSTM of the first, last    32          128 F + 4,352
LSTM of the second, last   32          128 G + 4,352
joint: linear, tanh        32          2,080
decoders: linear           S F, S G    990 (F + G)
output (fine-tuning)       3           99
=========================  ==========  =================================

Heart (F = 2) and skin (G = 3): 16,473.

Where the paper is silent (or we could not read it: [?]), and what we do:
1. The paper has two models. Here they are one after the other: the LSTM encoders and the joint
   layer learn as a denoising auto-encoder without labels, then with labels (the Bimodal-LSTM), and
   a linear SVM decides on the joint code.
2. Modalities: EEG and body where the corpus has an EEG, as the paper on DEAP; without one, heart
   and skin. The paper's second modality on SEED is eye movement.
3. The numbers of each second are those of ``body_seconds``: of the heart two, of the skin three, of
   the EEG the log power of each channel and band, which is the paper's differential entropy [?] but
   for a scale. They are a sequence of 30 s; in the paper of a few seconds [?].
4. Numbers are standardised by the training rows' seconds and held within 5 deviations. What is not
   measured is 0 and counts in no error. A modality is there where a third of its seconds has some
   number. A row with one modality is scored from it: dropping one is how the auto-encoder learns.
   Without both there is no score.
5. Noise: Gaussian of deviation 0.3; and with 1/3 each nothing, the first or the second modality is
   dropped. Both are to be given back. The decoder is linear.
6. Adam at 1e-3, 64 rows a batch, at most 20 epochs each, the best by the validation people. SVM: C
   = 0.1 on the standardised code, squared hinge; the score is tanh of the margin.

Legend: M rows, m some of them, N rows of a batch, S = 30 seconds of a sequence, F and G numbers a
second, C = 3 targets.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]
from torch import Tensor, nn

from affectscope.baselines.body_seconds import SECONDS, Bimodal, Sequences, sequences_of
from affectscope.baselines.classifying import fit_classifiers
from affectscope.baselines.compared import (
    COMPARED_TARGETS,
    Compared,
    ComparedData,
    Published,
    fold_seed,
    thinned,
)
from affectscope.baselines.network_learning import (
    Learning,
    Places,
    RatedRows,
    learn,
    rated_rows,
    shuffled,
)
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import FittedPart, check_features, fitted_on
from affectscope.evaluation.samples import Rows
from affectscope.models.initialisation import initialise_uniformly
from affectscope.records import FloatArray

ENCODED, JOINT = 32, 32
NOISE = 0.3
BATCH = 64
EPOCHS = 20
LEARNING_RATE = 1e-3


class BimodalLstm(nn.Module):
    """Sequences of two modalities -> joint code (N, 32) -> both sequences; -> logits (N, C)."""

    def __init__(self, first: int, second: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.LSTM(width, ENCODED, batch_first=True) for width in (first, second)
        )
        self.joint = nn.Sequential(nn.Linear(2 * ENCODED, JOINT), nn.Tanh())
        self.decoders = nn.ModuleList(
            nn.Sequential(nn.Linear(JOINT, SECONDS * width), nn.Unflatten(1, (SECONDS, width)))
            for width in (first, second)
        )
        self.output = nn.Linear(JOINT, len(COMPARED_TARGETS))
        initialise_uniformly(self, generator)
        for weight in self.encoders.parameters():
            nn.init.uniform_(weight, -(ENCODED**-0.5), ENCODED**-0.5, generator=generator)

    def encode(self, first: Tensor, second: Tensor) -> Tensor:
        """(N, S, F), (N, S, G) -> (N, 32); a modality that is missing is all zeros."""
        ends = [
            encoder(sequence)[1][0][-1]
            for encoder, sequence in zip(self.encoders, (first, second), strict=True)
        ]
        code: Tensor = self.joint(torch.cat(ends, dim=1))
        return code

    def decode(self, code: Tensor) -> tuple[Tensor, Tensor]:
        first, second = (decoder(code) for decoder in self.decoders)
        return first, second


def fit(data: ComparedData, task: Task) -> Fitted:
    """Learn to rebuild without labels, then with labels, then the SVM.

    Raises:
        LeakError: E_LEAK_DURATION where a number carries the length of the clip.
    """
    raw = sequences_of(data)
    check_features(task.samples, raw.means(), raw.names)
    known = raw.known
    train = rated_rows(data, task, task.fold.train, known)
    inner = rated_rows(data, task, task.fold.validation, known)
    sequences = raw.standardised(train.rows)
    network = _learned(sequences, train, inner, fold_seed(task), data.settings.limited(EPOCHS))
    codes = np.full((len(known), JOINT), np.nan)

    def encode(rows: Rows) -> None:
        """Codes are made where they are asked for: few of all rows ever are."""
        missing = rows[known[rows] & np.isnan(codes[rows, 0])]
        for start in range(0, len(missing), BATCH):
            some = missing[start : start + BATCH]
            batch = sequences.of(some)
            with torch.inference_mode():
                codes[some] = network.encode(batch.first, batch.second).numpy()

    encode(train.rows)
    classify = fit_classifiers(data, task, codes, _linear_svm)

    def predict(rows: Rows) -> FloatArray:
        encode(thinned(task.samples, rows, data.settings.hop))
        return classify(rows)

    return Fitted(_parts(task), predict)


def _learned(
    sequences: Sequences, train: RatedRows, inner: RatedRows, seed: int, epochs: int
) -> BimodalLstm:
    """The network after both ways of learning."""
    generator = torch.Generator().manual_seed(seed)
    network = BimodalLstm(sequences.first.shape[1], sequences.second.shape[1], generator)

    def code(batch: Bimodal) -> Tensor:
        given = _corrupted(batch, generator) if network.training else batch
        return network.encode(given.first, given.second)

    def rebuild(side: RatedRows, places: Places) -> Tensor:
        batch = sequences.of(side.rows[places])
        first, second = network.decode(code(batch))
        known, known_second = batch.measured
        error = ((first - batch.first).square() * known).sum()
        error = error + ((second - batch.second).square() * known_second).sum()
        return error / (known.sum() + known_second.sum())

    def decide(side: RatedRows, places: Places) -> Tensor:
        return side.loss(network.output(code(sequences.of(side.rows[places]))), places)

    for loss in (rebuild, decide):
        learn(
            network,
            shuffled(len(train.rows), BATCH, seed),
            partial(loss, train),
            validation=partial(inner.mean_loss, partial(loss, inner)),
            settings=Learning(epochs, learning_rate=LEARNING_RATE, seed=seed),
        )
    return network


def _corrupted(batch: Bimodal, generator: torch.Generator) -> Bimodal:
    """With noise on what was measured, and one modality or none set to zero."""
    drawn = torch.randint(0, 3, (len(batch.first), 1, 1), generator=generator)
    first, second = (
        (own + NOISE * torch.randn(own.shape, generator=generator) * known) * (drawn != dropped)
        for own, known, dropped in zip(batch[:2], batch.measured, (1, 2), strict=True)
    )
    return Bimodal(first, second, batch.measured)


def _linear_svm() -> Pipeline:
    # The primal problem: it converges whatever the data, the dual one may not.
    return make_pipeline(StandardScaler(), LinearSVC(C=0.1, dual=False))


def _parts(task: Task) -> tuple[FittedPart, ...]:
    samples, train = task.samples, task.fold.train
    both = np.union1d(train, task.fold.validation)
    return (
        fitted_on(samples, train, name="scale of numbers", kind="normaliser", used_labels=False),
        fitted_on(samples, both, name="denoising", kind="autoencoder", used_labels=False),
        fitted_on(samples, both, name="Bimodal-LSTM", kind="encoder", used_labels=True),
        fitted_on(samples, train, name="linear SVM", kind="classifier", used_labels=True),
    )


TANG = Compared(
    name="Tang 2017",
    citation="Tang, Liu, Zheng, Lu: Multimodal emotion recognition using deep neural networks, "
    "ICONIP 2017",
    uses=("eeg", "ecg", "eda"),
    needs=("ecg", "eda"),
    published=Published(
        metric="accuracy",
        protocol="DEAP, one person at a time, their trials split at random [?]",
        valence=83.82,
        arousal=83.23,
        note="Both from memory [?]; their mean is the 83.53 of the abstract. Not AMIGOS; EEG and "
        "peripheral signals.",
    ),
    fit=fit,
)
