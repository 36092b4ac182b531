"""The fastest engine that is close enough is chosen; what is passed over is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from affectscope.errors import MissingExtraError, ModelError
from affectscope.inference import engine_choice
from affectscope.inference.engine import EngineAsked
from affectscope.inference.engine_choice import EngineChoice
from affectscope.inference.engine_folder import Deviation, EngineContract, engine_folder
from affectscope.inference.predictor import load_checkpoint

Saved = Callable[..., EngineContract]
FAR = Deviation(300, "simulated people", {}, {"valence": 0.004, "arousal": 0.021}, {}, 0.9)
NEAR = replace(FAR, mean={"valence": 0.02, "arousal": 0.02})


@pytest.fixture(autouse=True)
def a_processor_that_gains_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_choice, "gains", lambda _precision: True)


def chosen(checkpoint: Path, name: str = "auto", precision: str = "auto") -> EngineChoice:
    asked = EngineAsked(name, precision)  # type: ignore[arg-type]
    choice = load_checkpoint(checkpoint, asked=asked).choice
    assert choice is not None
    return choice


def test_without_engines_pytorch_runs_and_says_how_to_get_a_faster_one(checkpoint: Path) -> None:
    choice = chosen(checkpoint)
    assert choice.engine.name == "torch"
    assert choice.lines == ["Engine: PyTorch; affectscope export makes a faster one"]
    assert choice.facts() == {"name": "torch", "precision": "fp32", "passed_over": []}


def test_the_fastest_is_chosen_and_its_deviation_is_said(checkpoint: Path, saved: Saved) -> None:
    for precision in ("fp32", "bf16", "int8"):
        saved(precision=precision)
    predictor = load_checkpoint(checkpoint)
    choice = predictor.choice
    assert choice is not None
    assert predictor.engine is choice.engine
    assert predictor.model.face is None  # its weights are held once
    assert choice.lines == [
        "Engine: OpenVINO int8, deviates by 0.004 valence, 0.003 arousal on average from PyTorch"
        " (docs/engines.md)"
    ]
    facts = choice.facts()
    assert (facts["name"], facts["precision"]) == ("openvino", "int8")
    assert facts["mean_deviation"] == {"valence": 0.004, "arousal": 0.003}


def test_up_to_the_limit_is_taken_and_beyond_it_the_next_one(
    checkpoint: Path, saved: Saved
) -> None:
    saved(precision="int8", deviation=NEAR)
    saved(precision="fp32")
    assert chosen(checkpoint).engine.precision == "int8"
    saved(precision="int8", deviation=FAR)
    choice = chosen(checkpoint)
    assert choice.engine.precision == "fp32"
    assert "0.021 arousal" in choice.passed_over[0]
    assert chosen(checkpoint, "openvino").engine.precision == "fp32"


def test_an_engine_that_was_not_measured_runs_only_when_it_is_asked_for(
    checkpoint: Path, saved: Saved
) -> None:
    saved(deviation=Deviation())
    choice = chosen(checkpoint)
    assert choice.engine.name == "torch"
    assert "was not measured" in choice.lines[1]
    assert chosen(checkpoint, "openvino", "fp32").engine.name == "openvino"
    with pytest.raises(ModelError, match=r"E_ENGINE: OpenVINO fp32 was passed over: .* export"):
        chosen(checkpoint, "openvino")


def test_a_precision_for_which_the_processor_has_no_instructions_is_passed_over(
    checkpoint: Path, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(precision="int8")
    saved(precision="fp32")
    monkeypatch.setattr(engine_choice, "gains", lambda precision: precision == "fp32")
    choice = chosen(checkpoint)
    assert choice.engine.precision == "fp32"
    assert choice.passed_over == (
        "OpenVINO int8 was passed over: this processor has no instructions for it.",
    )


def test_a_damaged_engine_is_passed_over_but_refused_when_it_is_asked_for(
    checkpoint: Path, saved: Saved
) -> None:
    saved()
    (engine_folder(checkpoint, "openvino", "fp32") / "model.bin").write_bytes(b"cut")
    predictor = load_checkpoint(checkpoint)
    assert predictor.choice is not None
    assert predictor.choice.engine.name == "torch"
    assert "model.bin is not the file" in predictor.choice.lines[1]
    assert predictor.model.face is not None
    assert chosen(checkpoint, precision="fp32").engine.name == "torch"
    with pytest.raises(ModelError, match=r"E_ENGINE: .*model.bin is not the file"):
        chosen(checkpoint, "openvino", "fp32")


def test_without_the_package_pytorch_runs_and_the_reason_is_said_once(
    checkpoint: Path, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(precision="int8")
    saved(precision="fp32")
    monkeypatch.setitem(sys.modules, "openvino", None)
    choice = chosen(checkpoint)
    assert choice.engine.name == "torch"
    (reason,) = choice.passed_over
    assert "needs openvino" in reason
    with pytest.raises(MissingExtraError, match=r"affectscope\[openvino\]"):
        chosen(checkpoint, "openvino", "int8")


@pytest.mark.parametrize(
    ("name", "precision", "remedy"),
    [
        ("openvino", "auto", "--engine openvino --precision int8"),
        ("onnxruntime", "auto", "--engine onnxruntime --precision fp32"),
        ("auto", "bf16", "--engine openvino --precision bf16"),
    ],
)
def test_an_engine_that_is_not_there_is_refused_with_how_to_make_it(
    checkpoint: Path, name: str, precision: str, remedy: str
) -> None:
    with pytest.raises(ModelError, match=f"E_ENGINE: The checkpoint has no .*{remedy}"):
        chosen(checkpoint, name, precision)


def test_pytorch_can_always_be_asked_for(checkpoint: Path, saved: Saved) -> None:
    saved(precision="int8")
    assert chosen(checkpoint, "torch").engine.name == "torch"
    assert chosen(checkpoint, "torch", "bf16").lines == ["Engine: PyTorch bf16 (docs/engines.md)"]
