"""Yildirim et al.: a deep convolutional auto-encoder of the ECG, and an affect system made of it.

Yildirim, San Tan, Acharya: An efficient compression of ECG signals using deep convolutional
autoencoders, Cognitive Systems Research 52, 198-211, 2018, doi 10.1016/j.cogsys.2018.07.004. Its
abstract: 27 layers, 4800 fragments of 48 patients, compression 32.25, mean PRD 2.73 %.

======  =======================  =========  ==========
layer   what                     output     parameters
======  =======================  =========  ==========
1       conv 5, 8                8 x 2000   48
2       pool                     8 x 1000   0
3, 4    conv 5, 16, norm         16 x 1000  688
5       pool                     16 x 500   0
6, 7    conv 5, 32, norm         32 x 500   2,656
8       pool                     32 x 250   0
9, 10   conv 5, 32, norm         32 x 250   5,216
11      pool                     32 x 125   0
12      conv 5, 32               32 x 125   5,152
13      pool                     32 x 62    0
14      conv 3, 1: the code      1 x 62     97
15, 16  conv 5, 32, norm         32 x 62    256
17, 18  up, conv 5, 32           32 x 125   5,152
19-21   up, conv 5, 32, norm     32 x 250   5,216
22, 23  up, conv 5, 16           16 x 500   2,576
24, 25  up, conv 5, 8            8 x 1000   648
26, 27  up, conv 5, 1            1 x 2000   41
all                                         27,746
======  =======================  =========  ==========

Convolutions keep the length; max-pools halve it; ReLU after every convolution (after its norm,
where it has one) but the code's and the last one's; "up" repeats values to the length given.

Where the paper is silent (or we could not read it: [?]), and what we do:
1. The abstract prints the number of layers and the ratio, METHOD.md 2000 samples and 62 numbers:
   five halvings of 2000, and 2000 / 62 = 32.26. Which 27 layers, their kernels and filters are
   ours: the paper's table was not at hand.
2. 2000 samples at MIT-BIH's 360 Hz are 5.56 s. Every ECG is resampled to 360 Hz, so that the window
   keeps its time span. Of a recording at 128 Hz a window holds 711 recorded samples, of which the
   code is one in 11.5: the ratio of 32.26 counts samples that resampling made.
3. The ECG is cleaned and scaled to [0, 1] over the recording (0.5 % and 99.5 % quantiles). PRD is
   the smaller the further a signal is from 0, PRDN (its mean taken off) is not; both are of the
   scaled windows. What the paper's PRD was taken of is not known to us.
4. Norms are those of a window alone (GroupNorm, 8 groups), the paper's those of a batch [?]: a
   batch holds few people, whose statistics are not the next person's, and running ones lag behind.
5. Mean squared error, Adam at 1e-3, 32 windows a batch, at most 30 epochs of at most 2,048 windows
   drawn from the training rows (a window is centred on each), the best by the validation people's.
   The paper splits windows, not people [?]; here nobody is on two sides.
6. The paper estimates no affect. Ours: windows that begin at a heartbeat, 2.5 s or more apart, so
   that a place of the code means a time after a beat; the mean and the deviation of each of the 62
   numbers over the windows inside the 40 s around the row; a logistic regression on them, C = 0.1.
   The auto-encoder never sees a label.

Legend: M rows, m some of them, N windows, W = 2000 samples, Z = 62 numbers of a code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional

from affectscope.baselines.classifying import fit_classifiers
from affectscope.baselines.compared import Compared, ComparedData, fold_seed, thinned
from affectscope.baselines.network_learning import Learning, learn
from affectscope.datasets.body_features import FeatureSettings, body_of, spans_around
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import FittedPart, fitted_on
from affectscope.evaluation.reconstruction import compression_ratio, prd, prdn
from affectscope.evaluation.samples import Rows
from affectscope.models.initialisation import initialise_uniformly
from affectscope.preprocessing.ecg import EcgAnalysis
from affectscope.preprocessing.scaling import network_signal
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.records import FloatArray

WINDOW = Preprocessing(sampling_rate=360.0, window_samples=2000)
CODE = 62
CODE_HOP = 2.5  # seconds between windows that are coded for a row
ENCODER = ((8, False), (16, True), (32, True), (32, True), (32, False))
"""Filters of each convolution before a pool, and whether a norm follows."""
DECODER = ((62, 32, True), (125, 32, False), (250, 32, True), (500, 16, False), (1000, 8, False))
"""Length, filters and norm of each convolution but the last; all but the first after an "up"."""
KERNEL, CODE_KERNEL = 5, 3
GROUPS = 8  # of a norm
BATCH = 32
EPOCHS = 30
WINDOWS_PER_EPOCH = 2048
VALIDATED = 512
"""Validation windows at most: every epoch ends with all of them."""

FloatWindows = NDArray[np.float32]
"""(N, 1, W) in [0, 1]."""


class EcgAutoencoder(nn.Module):
    """Windows (N, 1, W) -> codes (N, 1, Z) -> windows (N, 1, W)."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for filters, norm in ENCODER:
            layers += [*_convolution(channels, filters, norm=norm), nn.MaxPool1d(2)]
            channels = filters
        code = nn.Conv1d(channels, 1, CODE_KERNEL, padding=CODE_KERNEL // 2)
        self.encoder = nn.Sequential(*layers, code)
        layers, channels = [], 1
        for length, filters, norm in DECODER:
            layers += [nn.Upsample(length)] if length != CODE else []
            layers += _convolution(channels, filters, norm=norm)
            channels = filters
        last = nn.Conv1d(channels, 1, KERNEL, padding=KERNEL // 2)
        self.decoder = nn.Sequential(*layers, nn.Upsample(WINDOW.window_samples), last)
        initialise_uniformly(self, generator)

    def forward(self, windows: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(windows))
        return rebuilt


def _convolution(channels: int, filters: int, *, norm: bool) -> list[nn.Module]:
    convolution = nn.Conv1d(channels, filters, KERNEL, padding=KERNEL // 2)
    return [convolution, *([nn.GroupNorm(GROUPS, filters)] if norm else []), nn.ReLU()]


def fit_autoencoder(
    windows: FloatWindows, validation: FloatWindows, *, epochs: int, seed: int
) -> EcgAutoencoder:
    """Learn to give windows back; the epoch is chosen by the first of the ``validation`` ones.

    Without windows it stays as it was drawn.
    """
    network = EcgAutoencoder(torch.Generator().manual_seed(seed))
    validation = validation[:VALIDATED]

    def batches(epoch: int) -> Iterator[Tensor]:
        order = np.random.default_rng([seed, epoch]).permutation(len(windows))[:WINDOWS_PER_EPOCH]
        for start in range(0, len(order), BATCH):
            yield torch.from_numpy(windows[order[start : start + BATCH]])

    def validate() -> float:
        if len(validation) == 0:
            return math.nan
        return float(np.square(rebuilt(network, validation) - validation).mean())

    learn(
        network,
        batches,
        lambda batch: functional.mse_loss(network(batch), batch),
        validation=validate,
        settings=Learning(epochs, learning_rate=1e-3, seed=seed),
    )
    return network


def rebuilt(network: EcgAutoencoder, windows: FloatWindows) -> FloatWindows:
    """(N, 1, W) what the auto-encoder gives back, through the 62 numbers alone."""
    return _through(network, windows)


def _through(network: nn.Module, windows: FloatWindows) -> FloatWindows:
    """A network's output, batch by batch; there is at least one window."""
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(windows[start : start + BATCH]))
            for start in range(0, len(windows), BATCH)
        ]
    output: FloatWindows = torch.cat(parts).numpy()
    return output


@dataclass(frozen=True)
class Reconstruction:
    """How well windows came back.

    Attributes:
        windows: how many.
        compression_ratio: 2000 samples to 62 numbers.
        prd, prdn: per cent, lower quartile, median and upper quartile over the windows; NaN
            without any.
    """

    windows: int
    compression_ratio: float
    prd: tuple[float, float, float]
    prdn: tuple[float, float, float]


def reconstruction(network: EcgAutoencoder, windows: FloatWindows) -> Reconstruction:
    """PRD and PRDN of each of (N, 1, W) windows; constant ones are left out."""
    original = windows[np.ptp(windows, axis=(1, 2)) > 0]
    given = rebuilt(network, original) if len(original) else original
    pairs = list(zip(original.astype(np.float64), given.astype(np.float64), strict=True))
    return Reconstruction(
        len(pairs),
        compression_ratio(WINDOW.window_samples, latent=CODE),
        _quartiles([prd(x, y) for x, y in pairs]),
        _quartiles([prdn(x, y) for x, y in pairs]),
    )


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if not values:
        return math.nan, math.nan, math.nan
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return low, middle, high


def yildirim_reconstruction(data: ComparedData, task: Task) -> Reconstruction:
    """Of the fold's test people, by an auto-encoder of its training people.

    Windows are centred on test rows, ``hop`` seconds apart.
    """
    network = _fold_autoencoder(data, task)
    return reconstruction(network, windows_at(data, _hopped(data, task.fold.test)))


def ecg_signal(ecg: EcgAnalysis) -> NetworkSignal:
    """A recording's ECG at 360 Hz, scaled to [0, 1]."""
    return network_signal(
        ecg.cleaned, ecg.valid, scaling="quantile", sampling_rate=WINDOW.sampling_rate
    )


def windows_at(data: ComparedData, rows: Rows) -> FloatWindows:
    """(N, 1, W) the windows centred on ``rows`` that can be used."""
    found = [np.empty((0, 1, WINDOW.window_samples), np.float32)]
    first = 0
    for trial in data.prepared.trials:
        own = rows[(rows >= first) & (rows < first + len(trial.times))] - first
        first += len(trial.times)
        ecg = body_of(data.cache, trial).ecg if len(own) else None
        if ecg is not None:
            windows, usable = cut_windows(ecg_signal(ecg), trial.times[own], WINDOW)
            found.append(windows[usable])
    return np.concatenate(found)


def code_features(network: EcgAutoencoder, data: ComparedData) -> FloatArray:
    """(M, 2 Z) mean and deviation of the codes around every row; NaN without a window."""
    found = [_trial_codes(network, data, trial) for trial in data.prepared.trials]
    return np.concatenate([np.empty((0, 2 * CODE)), *found])


def _trial_codes(network: EcgAutoencoder, data: ComparedData, trial: PreparedTrial) -> FloatArray:
    """(rows of the trial, 2 Z)."""
    values = np.full((len(trial.times), 2 * CODE), np.nan)
    ecg, width = body_of(data.cache, trial).ecg, WINDOW.window_duration
    if ecg is None:
        return values
    starts = _spaced(ecg.peak_times[ecg.peak_times >= trial.times[0]])
    windows, usable = cut_windows(ecg_signal(ecg), starts + width / 2, WINDOW)
    if not usable.any():
        return values
    starts, codes = starts[usable], _through(network.encoder, windows[usable])[:, 0]
    powers = np.concatenate([codes, np.square(codes)], axis=1, dtype=np.float64)
    sums = np.concatenate([np.zeros((1, powers.shape[1])), np.cumsum(powers, axis=0)])
    spans = spans_around(trial, FeatureSettings().length)
    low = np.searchsorted(starts, spans[:, 0])
    high = np.maximum(low, np.searchsorted(starts + width, spans[:, 1], side="right"))
    there = high > low
    means = (sums[high] - sums[low])[there] / (high - low)[there, None]
    mean, square = means[:, :CODE], means[:, CODE:]
    values[there] = np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0.0))], axis=1)
    return values


def _spaced(peaks: FloatArray) -> FloatArray:
    """Of some beats' times: the first, and each that follows the last kept by ``CODE_HOP``."""
    kept: list[float] = []
    for peak in peaks.tolist():
        if not kept or peak >= kept[-1] + CODE_HOP:
            kept.append(peak)
    return np.array(kept, dtype=np.float64)


def _hopped(data: ComparedData, rows: Rows) -> Rows:
    return thinned(data.samples, rows, data.settings.hop)


def _fold_autoencoder(data: ComparedData, task: Task) -> EcgAutoencoder:
    train, inner = (
        windows_at(data, _hopped(data, rows)) for rows in (task.fold.train, task.fold.validation)
    )
    # The first of them would be one person's.
    order = np.random.default_rng(fold_seed(task)).permutation(len(inner))
    epochs = data.settings.limited(EPOCHS)
    return fit_autoencoder(train, inner[order], epochs=epochs, seed=fold_seed(task))


def fit(data: ComparedData, task: Task) -> Fitted:
    """Learn the auto-encoder without labels, then a logistic regression on its codes."""
    features = code_features(_fold_autoencoder(data, task), data)
    return Fitted(_parts(task), fit_classifiers(data, task, features, _logistic_regression))


def _parts(task: Task) -> tuple[FittedPart, ...]:
    samples, train = task.samples, task.fold.train
    both = np.union1d(train, task.fold.validation)
    return (
        fitted_on(samples, both, name="ECG auto-encoder", kind="autoencoder", used_labels=False),
        fitted_on(samples, train, name="scale of codes", kind="normaliser", used_labels=False),
        fitted_on(samples, train, name="logistic model", kind="classifier", used_labels=True),
    )


def _logistic_regression() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))


YILDIRIM = Compared(
    name="Yildirim 2018",
    citation="Yildirim, San Tan, Acharya: An efficient compression of ECG signals using deep "
    "convolutional autoencoders, Cognitive Systems Research 52, 2018",
    uses=("ecg",),
    needs=("ecg",),
    published=None,
    fit=fit,
)
