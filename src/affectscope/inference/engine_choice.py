"""Which engine runs a checkpoint's face encoder: the fastest that is known to be close enough.

In this order, of those that lie in the checkpoint: OpenVINO in int8, in bf16, in fp32, ONNX
Runtime in fp32, and PyTorch, which is always there. Left to itself the program takes none that
deviates too much, was not measured, or gains nothing on this processor. What it passes over it
says; nothing is lost but time.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from affectscope.errors import AffectScopeError, ModelError
from affectscope.inference.engine import (
    AUTOMATIC,
    LABELS,
    EngineAsked,
    EngineName,
    FaceEngine,
    Precision,
    TorchEngine,
    torch_device,
)
from affectscope.inference.engine_folder import (
    EngineContract,
    engine_folder,
    load_engine,
    read_contract,
)
from affectscope.inference.openvino_engine import openvino_capabilities
from affectscope.models.face_encoder import FaceEncoder

LARGEST_DEVIATION = 0.02
"""Mean absolute deviation of valence and of arousal, on [-1, 1], up to which an engine is chosen
without being asked for."""

_ORDER: tuple[tuple[EngineName, Precision], ...] = (
    ("openvino", "int8"),
    ("openvino", "bf16"),
    ("openvino", "fp32"),
    ("onnxruntime", "fp32"),
)
_FAST_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8")


@dataclass(frozen=True)
class EngineChoice:
    """The engine that was taken.

    Attributes:
        contract: None for PyTorch.
        passed_over: why faster ones were not taken, in sentences.
    """

    engine: FaceEngine
    contract: EngineContract | None = None
    passed_over: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """ "OpenVINO int8, deviates by 0.004 valence, 0.003 arousal on average from PyTorch" """
        if self.contract is not None:
            return f"{self.contract.label}, {self.contract.deviation.text}"
        return "PyTorch" if self.engine.precision == "fp32" else f"PyTorch {self.engine.precision}"

    @property
    def lines(self) -> list[str]:
        """What the command line says of it."""
        plain = self.contract is None and not self.passed_over and self.engine.precision == "fp32"
        more = "; affectscope export makes a faster one" if plain else " (docs/engines.md)"
        return [f"Engine: {self.text}{more}", *(f"  {reason}" for reason in self.passed_over)]

    def facts(self) -> dict[str, Any]:
        """What result.json keeps."""
        found: dict[str, Any] = {"name": self.engine.name, "precision": self.engine.precision}
        if self.contract is not None:
            deviation = self.contract.deviation
            found |= {
                "mean_deviation": dict(deviation.mean) or None,
                "deviation_rows": deviation.rows,
                "versions": dict(self.contract.versions),
            }
        return found | {"passed_over": list(self.passed_over)}


def choose_engine(
    checkpoint: Path, encoder: Callable[[], FaceEncoder], checkpoint_id: str, asked: EngineAsked
) -> EngineChoice:
    """The engine for a checkpoint's face encoder.

    Args:
        encoder: makes it; called where PyTorch is to run it.

    Raises:
        ModelError: E_ENGINE where none is there as asked for, or the one asked for cannot be used.
        MissingExtraError: E_EXTRA where its package is not installed.
    """
    if asked.name == "torch":
        return EngineChoice(_torch(encoder(), asked))
    passed_over: list[str] = []
    for engine, precision in _candidates(checkpoint, asked):
        folder = engine_folder(checkpoint, engine, precision)
        try:
            if asked.precision == "auto":
                _check_worth(read_contract(folder, checkpoint_id))
            return EngineChoice(*load_engine(folder, checkpoint_id), tuple(passed_over))
        except AffectScopeError as error:
            if "auto" not in (asked.name, asked.precision):
                raise
            if error.sentence not in passed_over:
                passed_over.append(error.sentence)
    if asked.name == "auto" and asked.precision in ("auto", "fp32"):
        return EngineChoice(_torch(encoder(), asked), None, tuple(passed_over))
    raise _none(asked, passed_over)


def _torch(encoder: FaceEncoder, asked: EngineAsked) -> TorchEngine:
    precision: Precision = "bf16" if asked.precision == "bf16" else "fp32"
    return TorchEngine(encoder, device=torch_device(), precision=precision)


def _candidates(checkpoint: Path, asked: EngineAsked) -> list[tuple[EngineName, Precision]]:
    """Those that lie there, the fastest first. A graphics card is faster than any of them."""
    if asked == AUTOMATIC and torch_device() != "cpu":
        return []
    return [
        (engine, precision)
        for engine, precision in _ORDER
        if asked.name in ("auto", engine)
        and asked.precision in ("auto", precision)
        and engine_folder(checkpoint, engine, precision).is_dir()
    ]


def _check_worth(contract: EngineContract) -> None:
    """Raises ModelError E_ENGINE where an engine is not to be taken without being asked for."""
    if not contract.deviation.within(LARGEST_DEVIATION):
        raise ModelError(
            "E_ENGINE",
            f"{contract.label} was passed over: it {contract.deviation.text}, and up to "
            f"{LARGEST_DEVIATION} is taken unasked."
            if contract.deviation.rows
            else f"{contract.label} was passed over: {contract.deviation.text}.",
        )
    if not gains(contract.precision):
        raise ModelError(
            "E_ENGINE",
            f"{contract.label} was passed over: this processor has no instructions for it.",
        )


def gains(precision: Precision) -> bool:
    """Whether this processor has instructions that make the precision worth while.

    Raises:
        MissingExtraError: E_EXTRA where OpenVINO, which knows, is not installed.
    """
    if precision == "bf16":
        return "BF16" in openvino_capabilities()
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return precision == "fp32" or any(known.get(name) for name in _FAST_INT8)


def _none(asked: EngineAsked, passed_over: list[str]) -> ModelError:
    label = "engine" if asked.name == "auto" else f"{LABELS[asked.name]} engine"
    wanted = label if asked.precision == "auto" else f"{label} in {asked.precision}"
    engine = "openvino" if asked.name == "auto" else asked.name
    precision = "int8" if asked.precision == "auto" else asked.precision
    reason = " ".join(passed_over) or f"The checkpoint has no {wanted}."
    return ModelError(
        "E_ENGINE",
        reason,
        f"Make one with: affectscope export CKPT --engine {engine} --precision "
        f"{'fp32' if engine == 'onnxruntime' else precision}, or ask for --engine torch.",
    )


def processor_name() -> str:
    """What the processor calls itself."""
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return str(known.get("cpu_name") or platform.processor() or platform.machine())
