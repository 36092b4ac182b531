"""A journey: an int8 engine is made, chosen, named in the result; a damaged one loses only time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing


@pytest.fixture
def made(tmp_path: Path, needs_face_model: None) -> tuple[Path, Path]:
    """A simulated session of 18 s, and a checkpoint of random weights that may score it."""
    session = write_session(
        tmp_path / "session",
        synthetic_person("simulated-export", 11),
        random_course(18.0, 11),
        settings=SyntheticSettings(sampling_rate=128.0, frame_rate=10.0),
    )
    config = BMMNConfig(face_encoder="small")
    network = BMMN(config, torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.mul_(0.1)  # so that no target is clipped
    contract = Checkpoint(config, Preprocessing(), "simulated people", ("simulated-01",))
    save_checkpoint(tmp_path / "checkpoint", network, contract)
    return session, tmp_path / "checkpoint"


def test_an_exported_engine_scores_and_a_damaged_one_is_passed_over(
    command: Callable[..., Any],
    made: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # this journey needs no PDF
    session, checkpoint = made
    exported = command("export", checkpoint, "--calibrate", session)
    assert exported.status == 0, exported.err
    assert "Engine OpenVINO int8" in exported.out
    assert "simulated people, which the calibration has not seen" in exported.out
    described = json.loads((checkpoint / "engines/openvino-int8/engine.json").read_text())
    assert described["deviation"]["rows"] >= 100
    assert 0 < described["deviation"]["mean"]["valence"] <= 0.02

    assess = ("assess", session, "--checkpoint", checkpoint, "--rate", 2, "--out")
    faster = command(*assess, tmp_path / "a", "--precision", "int8")
    assert faster.status == 0, faster.err
    assert "Engine: OpenVINO int8, deviates by " in faster.out
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert (result["engine"]["name"], result["engine"]["precision"]) == ("openvino", "int8")
    assert "OpenVINO int8" in (tmp_path / "a" / "report.html").read_text()

    (checkpoint / "engines/openvino-int8/model.bin").write_bytes(b"damaged")
    slower = command(*assess, tmp_path / "b")
    assert slower.status == 0, slower.err
    assert "Engine: PyTorch" in slower.out
    assert "model.bin" in slower.out
    refused = command(*assess, tmp_path / "c", "--engine", "openvino", "--precision", "int8")
    assert refused.status == 2
    assert "REJECTED E_ENGINE" in refused.err

    before = json.loads((tmp_path / "b" / "result.json").read_text())
    assert before["engine"]["passed_over"]
    change = [
        abs(result["affect"][name]["before"]["mean"] - before["affect"][name]["before"]["mean"])
        for name in ("valence", "arousal")
    ]
    assert max(change) <= 0.02
