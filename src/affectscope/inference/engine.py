"""What runs the face encoder: it costs more than everything else in a network together.

An engine gives a network's face features. PyTorch is the reference, always there; others are
written by ``affectscope export`` and deviate from it by what was measured then.

Legend: N pictures, H = 224 rows and columns of a picture, F features.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.models.face_encoder import FaceEncoder

EngineName = Literal["torch", "openvino", "onnxruntime"]
Precision = Literal["fp32", "bf16", "int8"]


class FaceEngine(Protocol):
    """Runs one face encoder. ``features`` may be called from several threads.

    Attributes:
        parallel: how many calls at a time keep the machine busy.
    """

    @property
    def name(self) -> EngineName: ...

    @property
    def precision(self) -> Precision: ...

    @property
    def parallel(self) -> int: ...

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, H, H) uint8, N >= 1 -> (N, F)."""


class TorchEngine:
    """The encoder as it is."""

    name: EngineName = "torch"
    precision: Precision = "fp32"
    parallel = 1

    def __init__(self, encoder: FaceEncoder) -> None:
        self._encoder = encoder

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, H, H) uint8 -> (N, F)."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self._encoder(torch.from_numpy(pictures)).numpy()
        return found
