"""OpenVINO: the face encoder on Intel, AMD and ARM processors in float32, bfloat16 or int8.

What it needs is imported here and nowhere else. ``openvino`` and ``nncf`` bring a package that
reports their use to their makers; ``openvino_module`` shuts it out before they are imported, and
both go on without it. See docs/engines.md for the settings and what was measured.

Legend: N pictures, H = 224, F features.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.errors import require
from affectscope.inference.engine import EngineName, Precision, calls_at_a_time, in_parts
from affectscope.models.face_encoder import FACE_SIZE, FaceEncoder

MODEL, MODEL_WEIGHTS = "model.xml", "model.bin"
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Said always: left to itself OpenVINO runs float32 networks in bfloat16 where it can."""
_CALIBRATION_BATCH = 8


def openvino_module() -> ModuleType:
    """OpenVINO without its telemetry.

    Raises:
        MissingExtraError: E_EXTRA.
    """
    _shut_out_telemetry()
    return require("openvino", "The OpenVINO engine", "openvino")


def openvino_capabilities() -> frozenset[str]:
    """What the processor can do, in OpenVINO's words: "FP32", "BF16", "INT8" ...

    Raises:
        MissingExtraError: E_EXTRA.
    """
    core = openvino_module().Core()
    return frozenset(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


class OpenVinoEngine:
    """A converted encoder. Each calling thread has its own request; one core works for each.

    Args:
        files: ``MODEL`` and ``MODEL_WEIGHTS``, as ``openvino_files`` gives them.
        streams: calls that run at a time, one thread each; None is one per core.
    """

    name: EngineName = "openvino"

    def __init__(
        self, files: Mapping[str, bytes], *, precision: Precision, streams: int | None = None
    ) -> None:
        openvino = openvino_module()
        self.precision: Precision = precision
        self.parallel = streams or calls_at_a_time()
        core = openvino.Core()
        weights = openvino.Tensor(np.frombuffer(files[MODEL_WEIGHTS], dtype=np.uint8))
        model = _channels_last(core.read_model(files[MODEL], weights))
        self._compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[precision],
                "NUM_STREAMS": self.parallel,
                "INFERENCE_NUM_THREADS": self.parallel,
                "ENABLE_CPU_PINNING": False,  # the faces are found on the same cores
            },
        )
        self._of_thread = threading.local()

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, H, H) uint8 -> (N, F)."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()

        def run(part: NDArray[np.uint8]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = request.infer({0: np.ascontiguousarray(part)})[0]
            return found

        return in_parts(run, pictures.transpose(0, 2, 3, 1))


def _channels_last(model: Any) -> Any:
    """The model for (N, H, H, 3): so faces lie in memory, and the graph turns them anyway."""
    from openvino import Layout
    from openvino.preprocess import PrePostProcessor

    prepared = PrePostProcessor(model)
    prepared.input().tensor().set_layout(Layout("NHWC"))
    prepared.input().model().set_layout(Layout("NCHW"))
    return prepared.build()


def openvino_files(
    encoder: FaceEncoder, *, calibration: NDArray[np.uint8] | None = None
) -> dict[str, bytes]:
    """The encoder as OpenVINO's two files.

    Args:
        calibration: (N, 3, H, H) faces that the ranges of the int8 numbers are taken from; None
            leaves the weights in float32.

    Raises:
        MissingExtraError: E_EXTRA.
    """
    openvino = openvino_module()
    example = torch.zeros(1, 3, FACE_SIZE, FACE_SIZE, dtype=torch.uint8)
    with torch.no_grad(), _quiet():  # tensors made in inference mode cannot be traced
        model = openvino.convert_model(
            encoder, example_input=example, input=[(-1, 3, FACE_SIZE, FACE_SIZE)]
        )
        if calibration is not None:
            model = _quantized(model, calibration)
    with TemporaryDirectory(prefix="affectscope-export-") as folder:
        path = Path(folder) / MODEL
        openvino.save_model(model, path, compress_to_fp16=False)
        return {name: (Path(folder) / name).read_bytes() for name in (MODEL, MODEL_WEIGHTS)}


def _quantized(model: Any, calibration: NDArray[np.uint8]) -> Any:
    nncf = require("nncf", "Writing an int8 engine", "export")
    starts = range(0, len(calibration), _CALIBRATION_BATCH)
    batches: Sequence[Any] = [calibration[k : k + _CALIBRATION_BATCH] for k in starts]
    return nncf.quantize(
        model,
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
    )


def _shut_out_telemetry() -> None:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the tracer's warnings on the encoder's own checks, and without NNCF's progress."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        yield
