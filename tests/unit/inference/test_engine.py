"""PyTorch as an engine, and what may be asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectscope.errors import ModelError
from affectscope.inference.engine import EngineAsked, TorchEngine
from affectscope.models.face_encoder import build_face_encoder


def test_the_weights_layout_leaves_the_features_as_they_were(pictures: NDArray[np.uint8]) -> None:
    encoder = build_face_encoder("small", torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        plain = encoder(torch.from_numpy(pictures)).numpy()
    features = TorchEngine(encoder).features(pictures)
    assert np.abs(features - plain).max() <= 1e-5 * np.abs(plain).max()


def test_bfloat16_of_torch_gives_float32_features_close_to_the_reference(
    pictures: NDArray[np.uint8],
) -> None:
    encoder = build_face_encoder("small", torch.Generator().manual_seed(0)).eval()
    reference = TorchEngine(encoder).features(pictures)
    features = TorchEngine(encoder, precision="bf16").features(pictures)
    assert features.dtype == np.float32
    largest = np.abs(features - reference).max() / np.abs(reference).max()
    assert 0 < largest < 0.05  # 0: it did not run in bfloat16


@pytest.mark.parametrize(("name", "precision"), [("torch", "int8"), ("onnxruntime", "bf16")])
def test_a_precision_that_an_engine_lacks_is_refused(name: str, precision: str) -> None:
    with pytest.raises(ModelError, match=rf"E_CONFIG: .* does not run in {precision}.*Choose"):
        EngineAsked(name, precision)  # type: ignore[arg-type]
