"""Pictures of ECG, EDA and EEG around a moment, through an image network (``siddharth``).

"image network", 23,584 parameters, all of them random and fixed:

==================================  ==============  ==========
layer                               output          parameters
==================================  ==============  ==========
picture                             3 x 64 x 64     0
conv 3 x 3, stride 2                16 x 32 x 32    448
conv 3 x 3, stride 2                32 x 16 x 16    4,640
conv 3 x 3, stride 2                64 x 8 x 8      18,496
average pool 2                      64 x 4 x 4      0
flatten                             1024            0
==================================  ==============  ==========

ReLU follows every convolution.

Pictures:
1. ECG: log power of Hann windows of 2 s, 0.5 to 32 Hz; EDA: of 16 s, 0.03 to 2 Hz, where skin
   responses are. 64 frequencies by 64 windows that are spread evenly over the span, so that a
   picture never shows how long a span is. The signals are those that networks get, scaled once per
   trial, so each picture is standardised by itself: what it shows is the shape.
2. EEG: a map of the head for each of theta, alpha and beta, the colours of one picture: mean log
   power over the span at the electrodes, weighted by nearness (a Gaussian of 0.3 head radii) in
   between and beyond. Places of electrodes follow from the names of the 10-10 system.
3. A signal of which less than 80 % of the span can be read has no picture.

Legend: n rows, F = 1024 features, C channels, S samples of a span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectscope.baselines.compared import ComparedData
from affectscope.datasets.body_features import FeatureSettings, body_of, spans_around
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.evaluation.samples import Rows
from affectscope.models.initialisation import initialise_uniformly
from affectscope.preprocessing.eeg import BANDS, EegPower
from affectscope.preprocessing.windows import NetworkSignal
from affectscope.records import FloatArray

Pictured = Literal["ecg", "eda", "eeg"]
Images = NDArray[np.float32]

SIDE = 64
"""Rows and columns of a picture."""
FILTER_SEED = 2019
COLOURS = ("theta", "alpha", "beta")

_VALID = 0.8  # share of a span that must be readable
_FLOOR = 1e-10  # power below what a signal scaled to [0, 1] holds; keeps the logarithm finite
_NEAR = 0.3  # radii of the head


@dataclass(frozen=True)
class Spectrogram:
    """How a signal becomes a picture: at ``rate`` Hz, in windows of ``window`` seconds."""

    rate: float
    window: float

    def of(self, signal: NetworkSignal, span: FloatArray) -> Images | None:
        """(1, SIDE, SIDE) with the lowest frequency first; None where too little is readable."""
        places = np.rint((span - signal.start_time) * signal.sampling_rate).astype(np.int64)
        inside = slice(max(0, int(places[0])), max(0, int(places[1])))
        values = signal.values[inside].astype(np.float64)
        step = max(1, round(signal.sampling_rate / self.rate))
        width = round(self.window * signal.sampling_rate / step)
        whole = len(values) // step * step
        if signal.valid[inside].sum() < _VALID * (places[1] - places[0]) or whole // step < width:
            return None
        coarse = values[:whole].reshape(-1, step).mean(axis=1)
        starts = np.rint(np.linspace(0, len(coarse) - width, SIDE)).astype(np.int64)
        windows = coarse[starts[:, None] + np.arange(width)]  # (SIDE, width)
        tapered = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(width)
        power = np.abs(np.fft.rfft(tapered, 2 * SIDE, axis=1)[:, 1:]) ** 2
        picture = np.log10(power.T + _FLOOR)
        picture = (picture - picture.mean()) / max(float(picture.std()), 1e-6)
        shown: Images = picture[None].astype(np.float32)
        return shown


SPECTROGRAMS: dict[Literal["ecg", "eda"], Spectrogram] = {
    "ecg": Spectrogram(rate=64.0, window=2.0),
    "eda": Spectrogram(rate=4.0, window=16.0),
}


class ImageNetwork(nn.Module):
    """(n, 3, SIDE, SIDE) -> (n, F); its filters are drawn from ``FILTER_SEED`` and never change."""

    width = 1024

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, filters in ((3, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten())
        initialise_uniformly(self, torch.Generator().manual_seed(FILTER_SEED))
        self.requires_grad_(False).eval()

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.layers(pictures)
        return features


def electrode(name: str) -> tuple[float, float] | None:
    """(right, front) of a place of the 10-10 system on a head of radius 1; None if unknown."""
    front = {
        "FP": 0.9, "AF": 0.7, "F": 0.5, "FT": 0.25, "FC": 0.25, "C": 0.0, "T": 0.0, "TP": -0.25,
        "CP": -0.25, "P": -0.5, "PO": -0.7, "O": -0.9,
    }  # fmt: skip
    site = name.upper().rstrip("Z0123456789")
    number = name.upper().removeprefix(site)
    if site not in front or not number:
        return None
    column = 0 if number == "Z" else (int(number) + 1) // 2 * (-1 if int(number) % 2 else 1)
    width = np.sqrt(1.0 - front[site] ** 2)
    return float(column / 5 * width), front[site]


@cache
def _map_weights(channels: tuple[str, ...]) -> FloatArray:
    """(SIDE, SIDE, C) share of each electrode in each point; unknown ones have none."""
    places = np.array([electrode(name) or (np.nan, np.nan) for name in channels])
    axis = np.linspace(-1.0, 1.0, SIDE)
    points = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1)  # front is up
    distance = np.sum((points[:, :, None] - places) ** 2, axis=-1)
    weights = np.exp(-distance / (2 * _NEAR**2))
    return np.where(np.isfinite(weights), weights, 0.0)


def head_map(power: EegPower, span: FloatArray) -> Images | None:
    """(3, SIDE, SIDE) of ``COLOURS``; None where too little is readable."""
    inside = power.density[(power.times >= span[0]) & (power.times <= span[1])]
    inside = inside[:, :, [list(BANDS).index(name) for name in COLOURS]]  # (places, C, 3)
    measured = np.isfinite(inside)
    if not len(inside) or measured.mean() < _VALID:
        return None
    count = np.maximum(measured.sum(axis=0), 1)
    mean = np.where(measured, inside, 0.0).sum(axis=0) / count  # (C, 3)
    weights = _map_weights(power.channels)
    share = weights @ measured.any(axis=0)
    colours = weights @ mean / np.maximum(share, 1e-12)  # (SIDE, SIDE, 3)
    picture: Images = np.moveaxis(colours, 2, 0).astype(np.float32)
    return picture


class RowMemory:
    """Features of rows, each computed when it is first asked for."""

    def __init__(self) -> None:
        self._known: dict[int, Images] = {}

    def of(self, rows: Rows, compute: Callable[[Rows], Images]) -> Images:
        """(n, F) of ``rows``, in any order; ``compute`` is given those not known, ascending."""
        missing = np.array(sorted(set(rows.tolist()) - self._known.keys()), dtype=np.int64)
        if len(missing):
            self._known.update(zip(missing.tolist(), compute(missing), strict=True))
        return np.stack([self._known[row] for row in rows.tolist()])


_MEMORIES: WeakKeyDictionary[ComparedData, dict[Pictured, RowMemory]] = WeakKeyDictionary()


def picture_features(data: ComparedData, source: Pictured, rows: Rows) -> Images:
    """(n, F) features of the rows' pictures; NaN where a row has none.

    They are fitted on nobody, and so are kept for all folds and systems, as long as ``data`` lives.
    """
    if not len(rows):
        return np.empty((0, ImageNetwork.width), dtype=np.float32)
    memory = _MEMORIES.setdefault(data, {}).setdefault(source, RowMemory())
    return memory.of(rows, lambda missing: _computed(data, source, missing))


def _computed(data: ComparedData, source: Pictured, rows: Rows) -> Images:
    network = ImageNetwork()
    features = np.full((len(rows), network.width), np.nan, dtype=np.float32)
    for trial, local, place in by_trial(data, rows):
        spans = spans_around(trial, FeatureSettings().length)[local]
        pictures = _pictures(data, trial, source, spans)
        there = [number for number, picture in enumerate(pictures) if picture is not None]
        if there:
            images = np.stack([picture for picture in pictures if picture is not None])
            shown = torch.from_numpy(images).expand(-1, 3, -1, -1)
            with torch.inference_mode():
                features[place[there]] = network(shown).numpy()
    return features


def _pictures(
    data: ComparedData, trial: PreparedTrial, source: Pictured, spans: FloatArray
) -> list[Images | None]:
    if source == "eeg":
        power = body_of(data.cache, trial).eeg
        return [None if power is None else head_map(power, span) for span in spans]
    signal = trial.signals.get(source)
    return [None if signal is None else SPECTROGRAMS[source].of(signal, span) for span in spans]


def by_trial(data: ComparedData, rows: Rows) -> Iterator[tuple[PreparedTrial, Rows, Rows]]:
    """Each trial that some of ``rows`` are of, their places in it, and among ``rows``."""
    first = 0
    for trial in data.prepared.trials:
        place = np.flatnonzero((rows >= first) & (rows < first + len(trial.times)))
        if len(place):
            yield trial, rows[place] - first, place
        first += len(trial.times)
