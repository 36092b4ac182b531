"""Santamaria-Granados et al.: a 1-D CNN on ECG around R peaks and on EDA.

Santamaria-Granados, Munoz-Organero, Ramirez-Gonzalez, Abdulhay, Arunkumar: Using deep convolutional
neural network for emotion detection on a physiological signals dataset (AMIGOS), IEEE Access 7,
57-67, 2019.

==================  ========  ===============  ========  ========  ==========
layer               input     kernel, filters  output    pooled    parameters
==================  ========  ===============  ========  ========  ==========
conv1               2 x 200   5, 16            16 x 200  16 x 100  176
conv2               16 x 100  5, 32            32 x 100  32 x 50   2,592
conv3               32 x 50   5, 64            64 x 50   64 x 25   10,304
conv4               64 x 25   5, 64            64 x 25   64 x 12   20,544
fully connected     768                        64                  49,216
dropout 0.5, out    64                         3                   195
all                                                                83,027
==================  ========  ===============  ========  ========  ==========

ReLU after every convolution and after the fully connected layer; max-pool of 2 with stride 2.

Where the paper is silent (or we could not read it: [?]), and what we do:
1. Four blocks of convolution and pool, a fully connected part and a softmax on windows of 200
   samples around R peaks are as METHOD.md has them [?]; kernels and filters are ours.
2. 200 samples are 1.56 s at AMIGOS' 128 Hz. Other corpora are resampled to 128 Hz.
3. Which EDA goes with a beat: the same 1.56 s, as the network's second channel.
4. z-scores: over the valid samples of a recording, one of each signal. Over a window they would
   take the level and the size of a skin response away; over a person they would need all of the
   test person's trials. A trial's own mean level is lost.
5. A row is scored by the (at most) 5 beats nearest to it, within 5 s and inside the labelled part:
   the mean of their probabilities. A beat counts where 80 % of both its windows are valid; a row
   without such a beat, so without ECG or without EDA, has no score.
6. One network for each target [?]: here the targets share one, each with an output of its own. A
   softmax over two classes is the logistic function of one output.
7. Adam at 1e-3, 64 rows a batch, at most 40 epochs, the best by the validation people. Trials weigh
   the same.

Legend: M rows, m some of them, B beats of all trials, K = 5 beats of a row, W = 200 samples, C = 3
targets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

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
    carried,
    fold_seed,
    thinned,
)
from affectscope.baselines.network_learning import (
    Learning,
    Places,
    RatedRows,
    learn,
    rated_loss,
    rated_rows,
    shuffled,
)
from affectscope.datasets.body_features import body_of
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import fitted_on
from affectscope.evaluation.samples import Rows
from affectscope.models.initialisation import initialise_uniformly
from affectscope.preprocessing.scaling import network_signal
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.records import BoolArray, FloatArray, Signal

WINDOW = Preprocessing(sampling_rate=128.0, window_samples=200)
BEATS = 5
REACH = 5.0  # seconds from a row to its furthest beat
FILTERS = (16, 32, 64, 64)
KERNEL = 5
HIDDEN = 64
EPOCHS = 40
BATCH = 64


class BeatNetwork(nn.Module):
    """Beats (N, 2, W), z-scored ECG and EDA -> logits (N, C) of high."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, filters in zip((2, *FILTERS), FILTERS, strict=False):
            convolution = nn.Conv1d(channels, filters, KERNEL, padding=KERNEL // 2)
            layers += [convolution, nn.ReLU(), nn.MaxPool1d(2)]
        width = FILTERS[-1] * (WINDOW.window_samples // 2 ** len(FILTERS))
        self.convolutions = nn.Sequential(*layers)
        self.connected = nn.Sequential(
            nn.Flatten(), nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(HIDDEN, len(COMPARED_TARGETS)),
        )  # fmt: skip
        initialise_uniformly(self, generator)

    def forward(self, beats: Tensor) -> Tensor:
        logits: Tensor = self.connected(self.convolutions(beats))
        return logits


@dataclass(frozen=True, eq=False)
class Beats:
    """All beats of a corpus.

    Attributes:
        windows: (B, 2, W) float32.
        of_row: (M, K) the beats of each row, the nearest first; -1 where there are fewer.
    """

    windows: NDArray[np.float32]
    of_row: NDArray[np.int64]

    @property
    def known(self) -> BoolArray:
        """(M,) rows with a beat."""
        return self.of_row[:, 0] >= 0

    def of(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The b beats of rows (m,): windows (b, 2, W), and the place of each one's row (b,)."""
        beats = self.of_row[rows]
        owner, _ = np.nonzero(beats >= 0)
        return torch.from_numpy(self.windows[beats[beats >= 0]]), torch.from_numpy(owner)


def beats_of(data: ComparedData) -> Beats:
    """Windows around the R peaks of every trial, and the beats nearest to every row."""
    windows, of_row, count = [np.empty((0, 2, WINDOW.window_samples), np.float32)], [], 0
    for trial in data.prepared.trials:
        peaks, own = _beats_of_trial(data, trial)
        nearest = _nearest(peaks, trial.times)
        of_row.append(np.where(nearest >= 0, nearest + count, -1))
        windows.append(own)
        count += len(own)
    return Beats(np.concatenate(windows), np.concatenate([np.empty((0, BEATS), int), *of_row]))


def _beats_of_trial(
    data: ComparedData, trial: PreparedTrial
) -> tuple[FloatArray, NDArray[np.float32]]:
    """(b,) times of the beats whose windows can be used, and (b, 2, W)."""
    body = body_of(data.cache, trial)
    if body.ecg is None or body.eda is None:
        return np.empty(0), np.empty((0, 2, WINDOW.window_samples), np.float32)
    start = trial.times[0]
    peaks = body.ecg.peak_times
    peaks = peaks[(peaks >= start) & (peaks < start + trial.duration)]
    cut = [
        cut_windows(_z_scored(signal.cleaned, signal.valid), peaks, WINDOW)
        for signal in (body.ecg, body.eda)
    ]
    usable = cut[0][1] & cut[1][1]
    return peaks[usable], np.concatenate([windows[usable] for windows, _ in cut], axis=1)


def _z_scored(cleaned: Signal, valid: BoolArray) -> NetworkSignal:
    """At 128 Hz, less the mean and over the deviation of the valid samples."""
    signal = network_signal(
        cleaned, valid, scaling="minmax", sampling_rate=WINDOW.sampling_rate
    )  # its linear scale falls out of the z-score
    used = signal.values[signal.valid]
    if len(used) == 0:
        return signal
    return replace(signal, values=(signal.values - used.mean()) / max(float(used.std()), 1e-6))


def _nearest(peaks: FloatArray, times: FloatArray) -> NDArray[np.int64]:
    """(N, K) the peaks nearest to each time, within ``REACH``; -1 where there are fewer."""
    candidates = np.searchsorted(peaks, times)[:, None] + np.arange(-BEATS, BEATS)
    there = (candidates >= 0) & (candidates < len(peaks))
    distance = np.full(candidates.shape, np.inf)
    rows, _ = np.nonzero(there)
    distance[there] = np.abs(peaks[candidates[there]] - times[rows])
    order = np.argsort(distance, axis=1, kind="stable")[:, :BEATS]
    close = np.take_along_axis(distance, order, axis=1) <= REACH
    return np.where(close, np.take_along_axis(candidates, order, axis=1), -1)


def fit(data: ComparedData, task: Task) -> Fitted:
    """Learn the network from the fold's training rows; stop by its validation rows."""
    beats, seed = beats_of(data), fold_seed(task)
    train = rated_rows(data, task, task.fold.train, beats.known)
    inner = rated_rows(data, task, task.fold.validation, beats.known)
    network = BeatNetwork(torch.Generator().manual_seed(seed))

    def loss(side: RatedRows, places: Places) -> Tensor:
        windows, owner = beats.of(side.rows[places])
        share = side.weights[places] / torch.bincount(owner, minlength=len(places))
        return rated_loss(network(windows), side.labels[places][owner], share[owner])

    learn(
        network,
        shuffled(len(train.rows), BATCH, seed),
        partial(loss, train),
        validation=lambda: inner.mean_loss(partial(loss, inner)),
        settings=Learning(data.settings.limited(EPOCHS), learning_rate=1e-3, seed=seed),
    )
    part = fitted_on(
        task.samples, np.union1d(task.fold.train, task.fold.validation),
        name="convolutional network", kind="classifier", used_labels=True,
    )  # fmt: skip
    only_class = train.only_class()

    def predict(rows: Rows) -> FloatArray:
        chosen = thinned(task.samples, rows, data.settings.hop)
        scores = _scores(network, beats, chosen)
        replaced = beats.known[chosen][:, None] & np.isfinite(only_class)
        scores = np.where(replaced, only_class, scores)
        return carried(task.samples, rows, chosen, as_scores(data, scores))

    return Fitted((part,), predict)


def _scores(network: BeatNetwork, beats: Beats, rows: Rows) -> FloatArray:
    """(m, C) mean of 2 p - 1 over each row's beats; NaN without any."""
    scores = np.full((len(rows), len(COMPARED_TARGETS)), np.nan)
    for start in range(0, len(rows), BATCH):
        some = np.arange(start, min(start + BATCH, len(rows)))
        some = some[beats.known[rows[some]]]
        windows, owner = beats.of(rows[some])
        with torch.inference_mode():
            each = 2.0 * network(windows).sigmoid().double() - 1.0
        total = torch.zeros(len(some), each.shape[1], dtype=each.dtype).index_add_(0, owner, each)
        scores[some] = (total / torch.bincount(owner, minlength=len(some))[:, None]).numpy()
    return scores


SANTAMARIA = Compared(
    name="Santamaria-Granados 2019",
    citation="Santamaria-Granados, Munoz-Organero, Ramirez-Gonzalez, Abdulhay, Arunkumar: Using "
    "deep convolutional neural network for emotion detection on a physiological signals dataset "
    "(AMIGOS), IEEE Access 7, 2019",
    uses=("ecg", "eda"),
    needs=("ecg", "eda"),
    published=Published(
        metric="accuracy [?]",
        protocol="windows of AMIGOS split at random over people and trials [?]",
        valence=76.0,
        arousal=75.0,
        note="as FG 2020 prints them; windows of one trial lie on both sides of such a split [?]",
    ),
    fit=fit,
)
