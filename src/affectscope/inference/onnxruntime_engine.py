"""ONNX Runtime: the face encoder in float32, where OpenVINO cannot be installed.

PyTorch's older exporter, by tracing, needs the package ``onnx`` and no other.

Legend: N pictures, H = 224, F features.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.errors import require
from affectscope.inference.engine import EngineName, Precision, calls_at_a_time, in_parts
from affectscope.models.face_encoder import FACE_SIZE, FaceEncoder
from affectscope.models.onnx_session import open_session

MODEL = "model.onnx"
_INPUT, _OUTPUT = "pictures", "features"


class OnnxRuntimeEngine:
    """A converted encoder; one thread works for each call.

    Args:
        files: ``MODEL``, as ``onnx_files`` gives it.
    """

    name: EngineName = "onnxruntime"
    precision: Precision = "fp32"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.parallel = calls_at_a_time()
        self._session = open_session(files[MODEL], "The ONNX Runtime engine")

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, H, H) uint8 -> (N, F)."""
        return in_parts(
            lambda part: self._session.run([_OUTPUT], {_INPUT: np.ascontiguousarray(part)})[0],
            pictures,
        )


def onnx_files(encoder: FaceEncoder) -> dict[str, bytes]:
    """The encoder as an ONNX file, for any number of pictures.

    Raises:
        MissingExtraError: E_EXTRA.
    """
    require("onnx", "Writing an ONNX Runtime engine", "export")
    example = torch.zeros(1, 3, FACE_SIZE, FACE_SIZE, dtype=torch.uint8)
    written = BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on the encoder's own checks
        torch.onnx.export(
            encoder,
            (example,),
            written,  # type: ignore[arg-type]  # a stream does, says torch's documentation
            dynamo=False,  # the newer exporter needs three packages more
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            dynamic_axes={_INPUT: {0: "rows"}, _OUTPUT: {0: "rows"}},
        )
    return {MODEL: written.getvalue()}
