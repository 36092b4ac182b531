"""What the fused network sees of a corpus: a fixed number of windows of each trial.

Each trial is shown by ``windows`` rows, evenly spread over those that may be looked at, however
long it is. Of each row: the face embedding; the ECG window of the networks at 64 Hz, standardised
by itself; the EDA around it at 4 Hz, over more seconds than an ECG window has, since a skin
response outlasts 7.8 s. That context is moved inside the recording and is equally long everywhere:
no longer than the shortest trial of the corpus, so that no padding tells how long a clip is.

Late features: duration-free heart and skin features of spans as long as the context, mean over the
trial's rows.

Legend: M rows of the corpus, B trials, K windows of each, n rows, S and L samples, F features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from affectscope.baselines.compared import ComparedData, FaceEmbeddings
from affectscope.baselines.modern_floor import BODY
from affectscope.baselines.span_pictures import by_trial
from affectscope.datasets.body_features import FeatureSettings, body_features
from affectscope.datasets.prepared import PreparedCorpus
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.evaluation.samples import Rows, Samples
from affectscope.evaluation.trials import trial_table
from affectscope.models.fused import TrialInputs
from affectscope.models.fused_masked import ECG_PATCH
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.records import BoolArray, FloatArray
from affectscope.training.fused import SignalWindows

ECG_STEP, EDA_STEP = 2, 32
"""Samples at 128 Hz that one sample of ours is the mean of: 64 Hz and 4 Hz."""
EDA_RATE, EDA_MULTIPLE = 4.0, 2.0
"""Hz; seconds of a context are a multiple."""
SHORT_CONTEXT = 8.0
"""Seconds: about as long as the ECG window."""
HEART = tuple(name for name in BODY if name.startswith("heart_"))
SKIN = tuple(name for name in BODY if name.startswith("skin_"))
LARGEST = 5.0
"""Deviations from the training people's mean beyond which a number is held."""


@dataclass(frozen=True, eq=False)
class TrialRows:
    """The trials that some rows are of, and the windows that show each.

    ``trials``: (B,) numbers of ``evaluation.trials.trial_table``; ``rows``: (B, K) row numbers.
    """

    trials: Rows
    rows: Rows


def trial_rows(samples: Samples, rows: Rows, windows: int) -> TrialRows:
    """Of each trial of ``rows``, ascending: ``windows`` of its rows, evenly spread, first to last.

    A trial of fewer rows shows some of them twice.
    """
    owner = trial_table(samples).of_row[rows]
    trials, first, count = np.unique(owner, return_index=True, return_counts=True)
    share = np.linspace(0.0, 1.0, windows)
    place = first[:, None] + np.rint(share * (count[:, None] - 1)).astype(np.int64)
    return TrialRows(trials, rows[place])


def context_of(prepared: PreparedCorpus, asked: float) -> float:
    """Seconds of EDA context: ``asked``, or what every trial of the corpus has, if that is less."""
    available = [
        trial.times[0] + trial.duration - signal.start_time
        for trial in prepared.trials
        if (signal := trial.signals.get("eda")) is not None
    ]
    shortest = float(min([asked, *available]))
    return max(SHORT_CONTEXT, EDA_MULTIPLE * math.floor(shortest / EDA_MULTIPLE))


def fused_data(data: ComparedData, context: float) -> ComparedData:
    """The same corpus with hand-crafted features of spans as long as the context."""
    features = body_features(data.prepared, data.cache, FeatureSettings(context))
    return replace(data, features=features)


def signal_windows(data: ComparedData, rows: Rows, context: float) -> SignalWindows:
    """ECG windows and EDA contexts (seconds) around n rows, ascending or not."""
    preprocessing = data.prepared.settings.preprocessing
    longer = replace(preprocessing, window_samples=round(context * preprocessing.sampling_rate))
    patches = preprocessing.window_samples // (ECG_STEP * ECG_PATCH)
    ecg = np.zeros((len(rows), patches * ECG_PATCH), np.float32)
    eda = np.zeros((len(rows), round(context * EDA_RATE)), np.float32)
    there = np.zeros((len(rows), 2), np.bool_)
    for trial, own, place in by_trial(data, rows):
        times = trial.times[own]
        if (signal := trial.signals.get("ecg")) is not None:
            values, there[place, 0] = _ecg(signal, times, preprocessing)
            ecg[place] = values[:, : ecg.shape[1]]
        if (signal := trial.signals.get("eda")) is not None:
            centres = _inside(trial, signal, times, context)
            eda[place], there[place, 1] = _eda(signal, centres, longer)
    return SignalWindows(*(torch.from_numpy(each) for each in (ecg, eda, there)))


def _ecg(
    signal: NetworkSignal, times: FloatArray, preprocessing: Preprocessing
) -> tuple[FloatArray, BoolArray]:
    values, usable = cut_windows(signal, times, preprocessing)
    means = values[:, 0].reshape(len(times), -1, ECG_STEP).mean(axis=2)
    means = means - means.mean(axis=1, keepdims=True)
    return means / np.maximum(means.std(axis=1, keepdims=True), 1e-3), usable


def _eda(
    signal: NetworkSignal, centres: FloatArray, preprocessing: Preprocessing
) -> tuple[FloatArray, BoolArray]:
    values, usable = cut_windows(signal, centres, preprocessing)
    means = values[:, 0].reshape(len(centres), -1, EDA_STEP).mean(axis=2)
    return 4.0 * means - 2.0, usable  # signals lie in [0, 1]


def _inside(
    trial: PreparedTrial, signal: NetworkSignal, times: FloatArray, context: float
) -> FloatArray:
    """Centres of contexts that lie inside what was recorded, the seconds before it included."""
    end = min(trial.times[0] + trial.duration,
              signal.start_time + len(signal.values) / signal.sampling_rate)  # fmt: skip
    first = signal.start_time + context / 2
    return np.clip(times, first, max(first, end - context / 2))


@dataclass(frozen=True, eq=False)
class Scale:
    """Means and deviations (F,) of training people."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """Of (n, F), NaN where not measured."""
        known = np.isfinite(values)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / count
        square = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / count
        return cls(mean, np.where(square > 1e-12, np.sqrt(square), 1.0))

    def __call__(self, values: FloatArray) -> Tensor:
        """(..., F) float32, held within ``LARGEST``, 0 where not measured."""
        scaled = np.clip((values - self.mean) / self.deviation, -LARGEST, LARGEST)
        return torch.from_numpy(np.nan_to_num(scaled).astype(np.float32))


@dataclass(frozen=True, eq=False)
class RawTrials:
    """B trials before anything that is fitted: what ``TrialInputs`` is made from.

    Attributes:
        face: (B, K, F), ``signals`` of B K windows, trial after trial.
        present: (B, K, 3).
        late: (B, H + S), NaN where not measured.
    """

    face: FloatArray
    signals: SignalWindows
    present: BoolArray
    late: FloatArray

    @cached_property
    def faces_seen(self) -> FloatArray:
        """(n, F) of windows with a face."""
        seen: FloatArray = self.face[self.present[..., 0]]
        return seen


def raw_trials(
    data: ComparedData,
    chosen: TrialRows,
    *,
    context: float,
    faces: FaceEmbeddings | None,
    late: FloatArray,
) -> RawTrials:
    """What the corpus holds of the chosen windows; ``late`` (M, H + S) features of every row."""
    rows, shape = chosen.rows.ravel(), chosen.rows.shape
    signals = signal_windows(data, rows, context)
    width = 0 if faces is None else next(iter(faces.features.values())).shape[1]
    face, seen = np.zeros((len(rows), width)), np.zeros(len(rows), np.bool_)
    if faces is not None:
        for trial, own, place in by_trial(data, rows):
            face[place], seen[place] = faces.features[trial.key][own], trial.face_present[own]
    present = np.column_stack([seen, signals.there.numpy()]).reshape(*shape, 3)
    return RawTrials(face.reshape(*shape, width), signals, present, _means(late[chosen.rows]))


def _means(values: FloatArray) -> FloatArray:
    """(B, K, F) -> (B, F) means of what is measured; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    means = np.full(count.shape, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def as_inputs(raw: RawTrials, ecg: Tensor, eda: Tensor, scales: tuple[Scale, Scale]) -> TrialInputs:
    """With the signals' samples or latents (B K, ...) and the scales of faces and late features."""
    shape = raw.present.shape[:2]
    late = scales[1](raw.late)
    return TrialInputs(
        scales[0](raw.face),
        ecg.reshape(*shape, -1),
        eda.reshape(*shape, -1),
        torch.from_numpy(raw.present),
        late[:, : len(HEART)],
        late[:, len(HEART) :],
    )
