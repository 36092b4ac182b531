"""EmotiEffLib's own ONNX code against ours on real faces, with random weights in files of its form.

    pip install --target SITE --no-deps emotiefflib opencv-python-headless
    PYTHONPATH=SITE .venv/bin/python benchmarks/emotiefflib_parity.py

Its weights are not needed, and not fetched: files of random weights lie where it keeps its models.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from affectscope.io.model_files import face_model
from affectscope.io.photo import read_photo
from affectscope.models.face_file import open_face_file
from affectscope.preprocessing.face import FaceDetector, align_face

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "faces"
MODELS = {"enet_b0_8_best_vgaf": (224, 1280), "enet_b2_8": (260, 1408)}


def crops() -> list[Any]:
    """(224, 224, 3) each, of every face in two photos."""
    found = []
    with FaceDetector(face_model()) as detector:
        for name in ("single_face.jpg", "multi_face.jpg"):
            rgb = read_photo(PHOTOS / name)
            found += [align_face(rgb, face.key_points, 224) for face in detector.detect(rgb)]
    return [np.ascontiguousarray(crop) for crop in found]


def random_model(width: int, side: int) -> bytes:
    """Pictures in, a classifier last, exported as EmotiEffLib's authors do."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(),
        nn.Conv2d(64, width, 3, 4, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(width, 8),
    )  # fmt: skip
    written = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.randn(1, 3, side, side),),
            written,
            dynamo=False,
            opset_version=11,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}},
        )
    return written.getvalue()


def main() -> None:
    faces = crops()  # before the home directory, and with it the cache, is another one
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        from emotiefflib.facial_analysis import EmotiEffLibRecognizer

        folder = Path(home) / ".emotiefflib"
        folder.mkdir()
        for model, (side, width) in MODELS.items():
            (folder / f"{model}.onnx").write_bytes(random_model(width, side))
            theirs = EmotiEffLibRecognizer("onnx", model).extract_features(faces)
            pictures = torch.from_numpy(np.stack(faces).transpose(0, 3, 1, 2).copy())
            ours = open_face_file(f"emotiefflib:{model}")(pictures).numpy()
            print(
                f"{model}: {len(faces)} faces, {width} features; largest difference "
                f"{np.abs(theirs - ours).max():.1e}, deviation from face to face "
                f"{theirs.std(axis=0).mean():.1e}, "
                f"correlation {np.corrcoef(theirs.ravel(), ours.ravel())[0, 1]:.6f}"
            )


if __name__ == "__main__":
    main()
