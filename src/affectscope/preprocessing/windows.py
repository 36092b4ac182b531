"""THE windowing: frame time -> (face, ecg, eda) with a valid mask. Every journey uses it.

One sample is one video frame: the aligned face, and 1000 samples at 128 Hz (7.81 s) of each signal
centred on the frame's time (paper, section III; METHOD.md section 1).

Where the paper is silent, and what we do:
1. At a recording's ends a window reaches past the signal: it is padded by repeating the first or
   last value, and those samples count as not valid.
2. A window with gaps is used when at least ``minimum_valid`` of its samples are valid and its
   centre lies inside the signal; the gaps hold interpolated values.

Legend: S samples of a signal, W = 1000 samples of a window, N frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.records import BoolArray, FloatArray, WindowKey

Scaling = Literal["minmax", "quantile"]


@dataclass(frozen=True)
class Preprocessing:
    """How inputs are made for a network; a checkpoint carries it.

    Attributes:
        sampling_rate: Hz of the signals that the network sees.
        window_samples: W, even.
        crop_size: side of the square face picture, pixels.
        ecg_scaling, eda_scaling: per recording, to [0, 1]; "minmax" is the paper's, "quantile"
            maps the 0.5 % and 99.5 % quantiles and clips, so that one artefact cannot squeeze all.
        minimum_valid: share of valid samples that a window needs.
        minimum_face_quality: faces below it are not scored, see ``face_quality.FaceQuality``.
    """

    sampling_rate: float = 128.0
    window_samples: int = 1000
    crop_size: int = 224
    ecg_scaling: Scaling = "quantile"
    eda_scaling: Scaling = "minmax"
    minimum_valid: float = 0.8
    minimum_face_quality: float = 0.3

    @property
    def window_duration(self) -> float:
        """Seconds that a signal window covers."""
        return self.window_samples / self.sampling_rate

    def key(self, subject_id: str, trial_id: str, centre: float) -> WindowKey:
        """The identity of the window centred on a time."""
        duration = self.window_duration
        return WindowKey(subject_id, trial_id, centre - duration / 2, duration)


@dataclass(frozen=True, eq=False)
class NetworkSignal:
    """A whole signal, cleaned, resampled and scaled to [0, 1], ready to be cut into windows.

    values (S,) float32 without NaN; valid (S,) bool; ``start_time`` seconds on the session's axis.
    """

    values: NDArray[np.float32]
    valid: BoolArray
    sampling_rate: float
    start_time: float

    def __post_init__(self) -> None:
        assert self.values.shape == self.valid.shape
        assert self.values.dtype == np.float32


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows of a whole signal, cut only when somebody asks for their values.

    first (N,) int64, the first sample of each, which may lie outside the signal; usable (N,) bool;
    width = W.
    """

    signal: NetworkSignal
    first: NDArray[np.int64]
    usable: BoolArray
    width: int

    @classmethod
    def centred(
        cls, signal: NetworkSignal, centres: FloatArray, preprocessing: Preprocessing
    ) -> Windows:
        """Those centred on N times."""
        assert signal.sampling_rate == preprocessing.sampling_rate
        placed = _placed(signal, centres, preprocessing)
        return cls(signal, *placed, preprocessing.window_samples)

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, rows: NDArray[np.int64] | BoolArray) -> Windows:
        """Some of them."""
        return replace(self, first=self.first[rows], usable=self.usable[rows])

    def values(self) -> NDArray[np.float32]:
        """(N, 1, W); a window that is not usable is all zeros, so that it cannot leak into an
        estimate."""
        length = len(self.signal.values)
        if length == 0:
            return np.zeros((len(self), 1, self.width), np.float32)
        held = self.first[:, None] + np.arange(self.width)  # beyond the ends their values repeat
        windows: NDArray[np.float32] = self.signal.values[np.clip(held, 0, length - 1)]
        windows[~self.usable] = 0.0
        return windows[:, None, :]


def cut_windows(
    signal: NetworkSignal, centres: FloatArray, preprocessing: Preprocessing
) -> tuple[NDArray[np.float32], BoolArray]:
    """Windows centred on N times: values (N, 1, W) float32, usable (N,) bool; see ``Windows``."""
    windows = Windows.centred(signal, centres, preprocessing)
    return windows.values(), windows.usable


def usable_windows(
    signal: NetworkSignal, centres: FloatArray, preprocessing: Preprocessing
) -> BoolArray:
    """(N,) which of the windows centred on N times ``cut_windows`` calls usable."""
    return _placed(signal, centres, preprocessing)[1]


def _placed(
    signal: NetworkSignal, centres: FloatArray, preprocessing: Preprocessing
) -> tuple[NDArray[np.int64], BoolArray]:
    """First sample of each window, which may lie outside the signal, and whether it is usable."""
    width, length = preprocessing.window_samples, len(signal.values)
    centre = np.rint((centres - signal.start_time) * signal.sampling_rate)
    inside = (centre >= 0) & (centre < length)  # False for NaN
    first = np.where(inside, centre, 0).astype(np.int64) - width // 2
    valid_before = np.concatenate([[0], np.cumsum(signal.valid)])
    ends = np.clip([first, first + width], 0, length)
    share = (valid_before[ends[1]] - valid_before[ends[0]]) / width
    return first, inside & (share >= preprocessing.minimum_valid)
