"""What runs the face encoder: it costs more than everything else in a network together.

An engine gives a network's face features. PyTorch is the reference, always there; others are
written by ``affectscope export`` and deviate from it by what was measured then.

Legend: N pictures, H = 224 rows and columns of a picture, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.errors import ModelError
from affectscope.models.face_encoder import FaceEncoder

EngineName = Literal["torch", "openvino", "onnxruntime"]
Precision = Literal["fp32", "bf16", "int8"]

PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "torch": ("fp32", "bf16"),
    "openvino": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32",),
}
"""What each engine can run in."""

LABELS: dict[EngineName, str] = {
    "torch": "PyTorch",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
}


@dataclass(frozen=True)
class EngineAsked:
    """Which engine is wanted.

    Raises:
        ModelError: E_CONFIG where the engine does not run in that precision.
    """

    name: Literal["auto"] | EngineName = "auto"
    precision: Literal["auto"] | Precision = "auto"

    def __post_init__(self) -> None:
        if self.name != "auto" and self.precision not in ("auto", *PRECISIONS[self.name]):
            raise ModelError(
                "E_CONFIG",
                f"{LABELS[self.name]} does not run in {self.precision} here.",
                f"Choose {' or '.join(PRECISIONS[self.name])}.",
            )


AUTOMATIC = EngineAsked()


PICTURES_AT_A_TIME = 16
"""More are not faster on a processor, and what a ResNet-50 keeps of 64 in between takes 0.5 GB."""


def in_parts(
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]], pictures: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What ``run`` makes of (N, 3, H, H), ``PICTURES_AT_A_TIME`` at a time -> (N, F)."""
    starts = range(0, len(pictures), PICTURES_AT_A_TIME)
    return np.concatenate([run(pictures[k : k + PICTURES_AT_A_TIME]) for k in starts])


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
        """(N, 3, H, H) uint8, N >= 1, in whatever layout in memory -> (N, F)."""


class TorchEngine:
    """The encoder itself, its weights laid out for convolutions (channels last).

    Args:
        device: "cpu" or "cuda"; the encoder moves there.
        precision: "bf16" runs the layers that gain from it so (autocast); the features are float32.
    """

    name: EngineName = "torch"
    parallel = 1  # torch spreads one call over the cores by itself

    def __init__(
        self, encoder: FaceEncoder, *, device: str = "cpu", precision: Precision = "fp32"
    ) -> None:
        self.precision: Precision = precision
        self._device = torch.device(device)
        self._encoder = encoder.to(device=self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, H, H) uint8 -> (N, F)."""
        if self._device.type == "cpu":
            return in_parts(self._features, pictures)
        return self._features(pictures)

    def _features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        given = torch.from_numpy(pictures).to(self._device)
        laid_out = given.contiguous(memory_format=torch.channels_last)
        autocast = torch.autocast(
            self._device.type, torch.bfloat16, enabled=self.precision == "bf16"
        )
        with torch.inference_mode(), autocast:
            found: NDArray[np.float32] = self._encoder(laid_out).float().cpu().numpy()
        return found


def torch_device() -> str:
    """ "cuda" where a graphics card is ready, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def calls_at_a_time() -> int:
    """How many calls of one thread each keep busy what this process may use: torch's threads,
    which are one per core unless OMP_NUM_THREADS says otherwise."""
    return torch.get_num_threads()
