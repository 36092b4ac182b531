"""An engine lies in CKPT/engines/<engine>-<precision>/, beside the checkpoint that it runs.

=====================  =======================================================================
model.*                the converted face encoder: OpenVINO's two files, or one of ONNX
engine.json            ``EngineContract``: of which checkpoint, how it was made, how it deviates
manifest.json          the sha256 of them all, written last
=====================  =======================================================================

None of the files can run anything: OpenVINO's are XML and numbers, ONNX is a protobuf.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from affectscope.errors import AffectScopeError, ModelError
from affectscope.inference import onnxruntime_engine, openvino_engine
from affectscope.inference.engine import LABELS, EngineName, FaceEngine, Precision
from affectscope.io.files import prepare_folder, shown, write_text, write_with, writing_in
from affectscope.models.checkpoint import Checkpoint
from affectscope.models.face_encoder import FACE_ENCODERS, FACE_SIZE
from affectscope.models.manifest import MANIFEST, manifest_of, manifest_problem
from affectscope.models.strict_json import decode, format_problem, parse_object
from affectscope.models.weights_file import read_bounded, refuse_pickle

FORMAT_VERSION = 1
ENGINES, CONTRACT = "engines", "engine.json"
ENGINE_MANIFESTS = f"{ENGINES}/*/{MANIFEST}"
"""Where a checkpoint's engines show, and show that they changed."""
_FILES: dict[EngineName, tuple[str, ...]] = {
    "openvino": (openvino_engine.MODEL, openvino_engine.MODEL_WEIGHTS),
    "onnxruntime": (onnxruntime_engine.MODEL,),
}
_LARGEST_MODEL = 1 << 30
_LARGEST_CONTRACT = 16 << 20
"""Bytes allowed per file. A ResNet-50 in float32 has 94 MB."""

_AGAIN = "Write it again with affectscope export, or take it away."

Whose = Literal["nobody", "people", "simulated people", "people and simulated people"]


@dataclass(frozen=True)
class Calibration:
    """The faces that the ranges of an int8 engine were taken from; 0 for the other engines.

    Attributes:
        sessions: sha256 of every file of them, by "session/file".
    """

    faces: int = 0
    whose: Whose = "nobody"
    sessions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deviation:
    """How far a network with an engine was from the same one in PyTorch; 0 rows: not measured.

    Attributes:
        rows: how many analysed times with a face, none of which the calibration has seen.
        mean, maximum: of the absolute difference, by target, on the targets' own scales.
        quadrants: share of rows in the same quadrant of valence and arousal.
    """

    rows: int = 0
    whose: Whose = "nobody"
    sessions: Mapping[str, str] = field(default_factory=dict)
    mean: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    quadrants: float = 0.0

    def within(self, limit: float) -> bool:
        """Whether it was measured, and valence and arousal deviate by at most that on average."""
        means = [self.mean[name] for name in ("valence", "arousal") if name in self.mean]
        return self.rows > 0 and max(means or self.mean.values()) <= limit

    @property
    def text(self) -> str:
        """ "deviates by 0.004 valence, 0.003 arousal on average from PyTorch" """
        if not self.rows:
            return "its deviation from PyTorch was not measured"
        names = [name for name in ("valence", "arousal") if name in self.mean] or list(self.mean)
        parts = ", ".join(f"{self.mean[name]:.2g} {name}" for name in names[:2])
        return f"deviates by {parts} on average from PyTorch"


@dataclass(frozen=True)
class EngineContract:
    """What must be known to use an engine.

    Attributes:
        checkpoint: the contract of the checkpoint whose face encoder it is.
        versions: of the packages that made it.
        processor: on what it was measured.
        created: UTC, ISO 8601.
    """

    engine: Literal["openvino", "onnxruntime"]
    precision: Precision
    checkpoint_id: str
    checkpoint: Checkpoint
    calibration: Calibration
    deviation: Deviation
    versions: Mapping[str, str]
    processor: str
    format_version: int = FORMAT_VERSION
    affectscope_version: str = field(default_factory=lambda: version("affectscope"))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def label(self) -> str:
        """ "OpenVINO int8" """
        return f"{LABELS[self.engine]} {self.precision}"


def engine_folder(checkpoint: Path, engine: EngineName, precision: Precision) -> Path:
    """Where an engine of a checkpoint lies."""
    return checkpoint / ENGINES / f"{engine}-{precision}"


def save_engine(checkpoint: Path, contract: EngineContract, files: Mapping[str, bytes]) -> Path:
    """Write an engine's folder, each file whole or not at all, the manifest last.

    Raises:
        OutputError: E_OUTPUT.
    """
    folder = engine_folder(checkpoint, contract.engine, contract.precision)
    described = json.dumps(asdict(contract), indent=1, allow_nan=False).encode()
    contents = {**files, CONTRACT: described}
    prepare_folder(folder)
    with writing_in(folder):
        for name, content in contents.items():
            write_with(folder / name, lambda stream, content=content: stream.write(content))  # type: ignore[misc]
        write_text(folder / MANIFEST, manifest_of(contents))
    return folder


def read_contract(folder: Path, checkpoint_id: str) -> EngineContract:
    """The contract alone, which tells whether the engine is worth loading.

    Raises:
        ModelError: E_ENGINE where it is damaged, of a newer format or of another checkpoint.
    """
    try:
        return _contract(_read(folder, CONTRACT, _LARGEST_CONTRACT), folder, checkpoint_id)
    except ModelError as error:
        raise _of_engine(folder, error) from error


def load_engine(folder: Path, checkpoint_id: str) -> tuple[FaceEngine, EngineContract]:
    """An engine, ready to run, every file as it was written.

    Raises:
        ModelError: E_ENGINE where something is missing, cut, changed, too large, of a newer
            format, of another checkpoint, or refused by the library that runs it.
        MissingExtraError: E_EXTRA where that library is not installed.
    """
    try:
        described = _read(folder, CONTRACT, _LARGEST_CONTRACT)
        contract = _contract(described, folder, checkpoint_id)
        files = {name: _read(folder, name, _LARGEST_MODEL) for name in _FILES[contract.engine]}
        manifest = _read(folder, MANIFEST, _LARGEST_CONTRACT)
        problem = manifest_problem(manifest, {**files, CONTRACT: described})
        if problem is not None:
            raise ModelError("E_ENGINE", f"{problem}.")
    except ModelError as error:
        raise _of_engine(folder, error) from error
    try:
        engine = run_files(contract.engine, contract.precision, files)
        found = engine.features(np.zeros((1, 3, FACE_SIZE, FACE_SIZE), np.uint8))
        width = FACE_ENCODERS[contract.checkpoint.config.face_encoder].width
        if found.shape != (1, width) or not np.isfinite(found).all():
            raise ValueError(f"it gives {found.shape[1:]} features for a face, not {width}")
    except AffectScopeError:
        raise
    except Exception as error:  # each library has errors of its own, with no class in common
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip(" .")[:200]
        raise _of_engine(folder, ModelError("E_ENGINE", f"{reason}.")) from error
    return engine, contract


def run_files(engine: EngineName, precision: Precision, files: Mapping[str, bytes]) -> FaceEngine:
    """The engine of converted files.

    Raises:
        MissingExtraError: E_EXTRA.
        Exception: whatever the library raises where it refuses the files.
    """
    if engine == "openvino":
        return openvino_engine.OpenVinoEngine(files, precision=precision)
    return onnxruntime_engine.OnnxRuntimeEngine(files)


def _read(folder: Path, name: str, largest: int) -> bytes:
    content = read_bounded(folder / name, largest)
    refuse_pickle(folder / name, content)
    return content


def _contract(content: bytes, folder: Path, checkpoint_id: str) -> EngineContract:
    described = parse_object(content, CONTRACT)
    problem = format_problem(described, FORMAT_VERSION)
    if problem is not None:
        raise ModelError("E_ENGINE", f"it has {problem}.")
    contract = decode(EngineContract, described, CONTRACT)
    if contract.checkpoint_id != checkpoint_id:
        raise ModelError(
            "E_ENGINE",
            f"it was made of checkpoint {contract.checkpoint_id}, this one is {checkpoint_id}.",
        )
    if folder.name != f"{contract.engine}-{contract.precision}":
        raise ModelError("E_ENGINE", f"it is one of {contract.label}.")
    return contract


def _of_engine(folder: Path, error: ModelError) -> ModelError:
    return ModelError(
        "E_ENGINE", f"The engine {shown(folder)} cannot be used: {error.sentence}", _AGAIN
    )
