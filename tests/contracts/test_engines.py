"""What every engine keeps, whatever runs the face encoder."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectscope.inference.engine import FaceEngine, TorchEngine
from affectscope.inference.onnxruntime_engine import OnnxRuntimeEngine, onnx_files
from affectscope.inference.openvino_engine import (
    OpenVinoEngine,
    openvino_capabilities,
    openvino_files,
)
from affectscope.models.face_encoder import FaceEncoder, build_face_encoder

ENGINES = ("torch fp32", "openvino fp32", "openvino bf16", "openvino int8", "onnxruntime fp32")
LARGEST = {"fp32": 1e-5, "bf16": 0.05, "int8": 0.1}
"""Of the largest feature: how far an engine's features may be from PyTorch's."""


def faces(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random pictures: the means of a face's places differ, those of noise do not."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 3, 14, 14), dtype=np.uint8)
    return coarse.repeat(16, axis=2).repeat(16, axis=3)


@cache
def encoder() -> FaceEncoder:
    return build_face_encoder("small", torch.Generator().manual_seed(0)).eval()


@cache
def engine(kind: str) -> FaceEngine:
    name, precision = kind.split()
    if name == "torch":
        return TorchEngine(encoder())
    if name == "onnxruntime":
        return OnnxRuntimeEngine(onnx_files(encoder()))
    if precision == "bf16" and "BF16" not in openvino_capabilities():
        pytest.skip("this processor has no bf16")
    calibration = faces(32, 1) if precision == "int8" else None
    files = openvino_files(encoder(), calibration=calibration)
    return OpenVinoEngine(files, precision=precision, streams=2)  # type: ignore[arg-type]


def reference(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = encoder()(torch.from_numpy(pictures)).numpy()
    return found


@pytest.mark.parametrize("kind", ENGINES)
def test_features_are_those_of_the_encoder_within_the_precision(kind: str) -> None:
    pictures = faces(6)
    found, expected = engine(kind).features(pictures), reference(pictures)
    assert found.dtype == np.float32
    assert found.shape == expected.shape == (6, 64)
    largest = np.abs(found - expected).max() / np.abs(expected).max()
    assert largest <= LARGEST[kind.split()[1]]
    if kind in ("openvino bf16", "openvino int8"):
        assert largest > 1e-5  # else it ran in float32


@pytest.mark.parametrize("kind", ENGINES)
def test_a_picture_has_its_features_in_whatever_batch_it_comes(kind: str) -> None:
    pictures = faces(5)
    together = engine(kind).features(pictures)
    for part in (slice(0, 1), slice(1, 4), slice(4, 5)):
        alone = engine(kind).features(pictures[part])
        assert np.abs(alone - together[part]).max() <= 1e-5 * np.abs(together).max()


@pytest.mark.parametrize("kind", ENGINES)
def test_threads_that_call_at_a_time_get_what_each_asked_for(kind: str) -> None:
    asked = [faces(3, seed) for seed in range(8)]
    expected = [engine(kind).features(each) for each in asked]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(engine(kind).features, asked))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ENGINES)
def test_an_engine_keeps_no_part_of_its_answer(kind: str) -> None:
    first = engine(kind).features(faces(2, 3))
    kept = first.copy()
    engine(kind).features(faces(2, 4))
    np.testing.assert_array_equal(first, kept)


def test_a_resnet_runs_in_openvino_as_in_pytorch() -> None:
    resnet = build_face_encoder("resnet50", torch.Generator().manual_seed(0)).eval()
    pictures = faces(2)
    found = OpenVinoEngine(openvino_files(resnet), precision="fp32").features(pictures)
    expected = TorchEngine(resnet).features(pictures)
    assert found.shape == (2, 2048)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


NO_TELEMETRY = """
import socket, sys

def refused(*_arguments, **_named):
    raise AssertionError("a connection was asked for")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused
import numpy as np, torch
from affectscope.inference.openvino_engine import OpenVinoEngine, openvino_files
from affectscope.models.face_encoder import build_face_encoder

encoder = build_face_encoder("small", torch.Generator().manual_seed(0)).eval()
faces = np.zeros((2, 3, 224, 224), np.uint8)
files = openvino_files(encoder, calibration=faces)
OpenVinoEngine(files, precision="int8").features(faces)
assert "nncf" in sys.modules and "openvino" in sys.modules
assert sys.modules["openvino_telemetry"] is None
print("quiet")
"""


def test_converting_and_quantizing_report_nothing_to_anybody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_TELEMETRY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "quiet\n"
