"""A checkpoint with engines, made once: random weights, the small face encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.inference.engine_folder import (
    Calibration,
    Deviation,
    EngineContract,
    save_engine,
)
from affectscope.inference.openvino_engine import openvino_files
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES

CLOSE = Deviation(300, "simulated people", {}, {"valence": 0.004, "arousal": 0.003}, {}, 0.99)

Saved = Callable[..., EngineContract]


@pytest.fixture(scope="session")
def network() -> BMMN:
    config = BMMNConfig(face_encoder="small")
    return BMMN(config, torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def checkpoint(network: BMMN, tmp_path: Path) -> Path:
    """A checkpoint folder without engines."""
    contract = Checkpoint(network.config, Preprocessing(), "simulated people", ("s1",))
    save_checkpoint(tmp_path / "checkpoint", network, contract)
    return tmp_path / "checkpoint"


@pytest.fixture(scope="session")
def converted(network: BMMN) -> Mapping[str, bytes]:
    """The network's face encoder as OpenVINO's files."""
    assert network.face is not None
    return openvino_files(network.face)


@pytest.fixture
def saved(checkpoint: Path, network: BMMN, converted: Mapping[str, bytes]) -> Saved:
    """``saved(precision="int8", deviation=...)`` writes an engine folder of float32 files: what is
    tested is the folder and the choice, not the numbers."""
    from affectscope.models.checkpoint import load_checkpoint

    _, described, checkpoint_id = load_checkpoint(checkpoint)

    def save(**changes: object) -> EngineContract:
        contract = EngineContract(
            engine="openvino",
            precision="fp32",
            checkpoint_id=checkpoint_id,
            checkpoint=described,
            calibration=Calibration(),
            deviation=CLOSE,
            versions={"openvino": "0"},
            processor="a processor",
        )
        contract = replace(contract, **changes)  # type: ignore[arg-type]
        save_engine(checkpoint, contract, converted)
        return contract

    return save


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.uint8]:
    """(5, 3, 224, 224) noise of different brightness."""
    random = np.random.default_rng(0)
    brightness = np.linspace(40, 255, 5)[:, None, None, None]
    return (random.random((5, 3, 224, 224)) * brightness).astype(np.uint8)


@pytest.fixture(scope="session")
def rows_with_faces(pictures: NDArray[np.uint8]) -> WindowBatch:
    """Five rows at the seconds 0 to 4 of session "t", every modality there."""
    random = np.random.default_rng(1)
    return WindowBatch(
        keys=tuple(Preprocessing().key("s", "t", float(second)) for second in range(5)),
        inputs={
            "face": pictures,
            "ecg": random.random((5, 1, 1000), dtype=np.float32),
            "eda": random.random((5, 1, 1000), dtype=np.float32),
        },
        present={name: np.ones(5, dtype=np.bool_) for name in MODALITIES},
        face_factors=np.ones((5, len(FACTORS))),
        faces_seen=np.ones(5, dtype=np.int64),
        face_boxes=np.full((5, 4), np.nan, np.float32),
    )
