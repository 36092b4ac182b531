"""What the sensors of an AMIGOS twin add to simulated signals: noise, units and known defects.

Legend: T samples of a trial.
"""

from __future__ import annotations

import numpy as np

from affectscope.datasets.amigos_layout import (
    ECG_LEFT,
    ECG_RIGHT,
    KNOWN_NAN,
    NOISY_GSR_SAMPLES,
)
from affectscope.records import FloatArray

_MICROSIEMENS_OHM = 1e6


def left_noise(samples: int, own: np.random.Generator) -> FloatArray:
    """(T,) mV: muscle noise throughout, and for a third of the time as strong as the heart."""
    strength = np.full(samples, 0.05)
    length = samples // 3
    start = int(own.integers(samples - length + 1))
    strength[start : start + length] = 0.8
    return np.asarray(strength * own.standard_normal(samples))


def gsr(eda: FloatArray, kind: str, own: np.random.Generator) -> FloatArray:
    """(T,) the conductance in uS, or as a resistance in Ohm; noise first, a short dropout later."""
    values = np.round(eda, 4) if kind == "conductance" else np.round(_MICROSIEMENS_OHM / eda)
    values[:NOISY_GSR_SAMPLES] *= own.uniform(-1.0, 3.0, NOISY_GSR_SAMPLES)
    if own.random() < 0.1:
        start = int(own.integers(len(values) // 2, len(values) - 3))
        values[start : start + 3] = 0.0
    return values


def add_known_nan(data: FloatArray, subject_id: str, cell: int) -> None:
    """Missing samples where the corpus is known to have them."""
    middle = slice(len(data) // 3, len(data) // 2)
    if cell in KNOWN_NAN["ecg"].get(subject_id, ()):
        data[middle, ECG_RIGHT : ECG_LEFT + 1] = np.nan
    if cell in KNOWN_NAN["eeg"].get(subject_id, ()):
        data[middle, 3] = np.nan
