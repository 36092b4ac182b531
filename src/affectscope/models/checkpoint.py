"""A checkpoint is a contract: a folder that says what a network is, and shows any change to it.

=====================  =======================================================================
weights.safetensors    the network's tensors
checkpoint.json        ``Checkpoint``: configuration, preprocessing, whom it was fitted on, limits
manifest.json          the sha256 of both, written last
=====================  =======================================================================

The checkpoint's id is the first 12 hex digits of the weights' sha256. safetensors itself has no
checksum: of 2,000 flipped bits it took 1,994 for valid (FAULTS), hence the manifest. A writer
that is killed between two files leaves a folder that is refused, never a mixture that loads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors.torch import save
from torch import Tensor

from affectscope.errors import ModelError
from affectscope.io.files import prepare_folder, shown, write_text, write_with
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.face_encoder import FACE_ENCODERS, FACE_SIZE
from affectscope.models.manifest import MANIFEST, manifest_of, manifest_problem, sha256_of
from affectscope.models.strict_json import decode, format_problem, parse_object
from affectscope.models.weights_file import (
    fill,
    parse_tensors,
    read_bounded,
    refuse_pickle,
)
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import EMOTIONS, TARGETS, Population

FORMAT_VERSION = 1
WEIGHTS, CONTRACT = "weights.safetensors", "checkpoint.json"

LARGEST = {WEIGHTS: 1 << 30, CONTRACT: 16 << 20, MANIFEST: 1 << 16}
"""Bytes allowed per file. A BMMN-BAE-2 with ResNet-50 has 95 MB of weights."""

_MOST_ENTRIES = 10_000


def _label_scale() -> dict[str, tuple[float, float]]:
    return {name: (0.0, 1.0) if name in EMOTIONS else (-1.0, 1.0) for name in TARGETS}


@dataclass(frozen=True)
class Checkpoint:
    """What must be known to use a network's weights.

    Attributes:
        population: whom the weights were fitted on.
        training_subjects: the ids of those people; none of them may be in a test.
        data_hashes: sha256 of each training input, by "subject/modality".
        label_scale: the range that each target's labels had in training.
        limits: what the network is known not to do, in sentences.
        training: settings, epochs and losses, as JSON can hold them.
        created: UTC, ISO 8601.
    """

    config: BMMNConfig
    preprocessing: Preprocessing
    population: Population
    training_subjects: tuple[str, ...]
    data_hashes: Mapping[str, str] = field(default_factory=dict)
    label_scale: Mapping[str, tuple[float, float]] = field(default_factory=_label_scale)
    licence: str = "not stated"
    intended_use: str = "Research on affect over time; not a medical device, not a diagnosis."
    limits: tuple[str, ...] = ("Not validated on people other than the training subjects.",)
    training: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    affectscope_version: str = field(default_factory=lambda: version("affectscope"))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def save_checkpoint(folder: Path, model: BMMN, checkpoint: Checkpoint) -> str:
    """Write a checkpoint folder, each file whole or not at all, the manifest last.

    Returns:
        The checkpoint's id.

    Raises:
        ModelError: E_CHECKPOINT where the weights or the training's numbers are not finite.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    assert checkpoint.config == model.config, "a checkpoint describes the network that it holds"
    weights = _weights_bytes(model)
    contract = _contract_bytes(checkpoint)
    prepare_folder(folder)
    write_with(folder / WEIGHTS, lambda stream: stream.write(weights))
    write_with(folder / CONTRACT, lambda stream: stream.write(contract))
    write_text(folder / MANIFEST, manifest_of({WEIGHTS: weights, CONTRACT: contract}))
    return _id(weights)


@dataclass(frozen=True, eq=False)
class OpenedCheckpoint:
    """A checkpoint folder that was read and is whole: what it is, and its network's tensors."""

    checkpoint: Checkpoint
    checkpoint_id: str
    tensors: dict[str, Tensor]

    def network(self, *, face: bool = True) -> BMMN:
        """The network in evaluation mode; ``face`` False leaves out its face encoder, for whoever
        has something else that encodes the faces.

        Raises:
            ModelError: E_CHECKPOINT where the tensors do not fit.
            MissingExtraError: E_EXTRA where its face encoder needs a part that is not installed.
        """
        model = BMMN(self.checkpoint.config, with_face=face)
        tensors = self.tensors
        if not face:
            tensors = {name: t for name, t in tensors.items() if not name.startswith("face.")}
        fill(model, tensors, WEIGHTS)
        return model.eval()


def load_checkpoint(folder: Path) -> tuple[BMMN, Checkpoint, str]:
    """Open a checkpoint folder: the network in evaluation mode, its contract, its id.

    Raises:
        ModelError: as ``open_checkpoint`` and ``OpenedCheckpoint.network``.
        MissingExtraError: E_EXTRA where its face encoder needs a part that is not installed.
    """
    opened = open_checkpoint(folder)
    return opened.network(), opened.checkpoint, opened.checkpoint_id


def open_checkpoint(folder: Path) -> OpenedCheckpoint:
    """Read and check a checkpoint folder.

    Raises:
        ModelError: E_CHECKPOINT where a file is missing, cut, changed, too large, of an unknown
            version or does not fit the others; E_CHECKPOINT_PICKLE where there is a pickle.
    """
    _check_folder(folder)
    contract = _read(folder, CONTRACT)
    described = parse_object(contract, CONTRACT)
    _check_version(described)
    weights = _read(folder, WEIGHTS)
    _check_manifest(_read(folder, MANIFEST), weights, contract)
    checkpoint = decode(Checkpoint, described, CONTRACT)
    _check_preprocessing(checkpoint)
    if checkpoint.config.face_encoder not in FACE_ENCODERS:
        _refuse("its network takes features of an encoder that it does not hold", _AGAIN)
    return OpenedCheckpoint(checkpoint, _id(weights), parse_tensors(weights, WEIGHTS))


def _weights_bytes(model: BMMN) -> bytes:
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise ModelError(
            "E_CHECKPOINT",
            f"The weights cannot be saved: {broken[0]} holds values that are no numbers.",
            "The training diverged: use a smaller learning rate.",
        )
    return save(tensors)


def _contract_bytes(checkpoint: Checkpoint) -> bytes:
    try:
        text = json.dumps(asdict(checkpoint), indent=1, allow_nan=False)
    except ValueError as error:
        raise ModelError(
            "E_CHECKPOINT",
            f"The checkpoint's description cannot be saved ({error}).",
            "The training diverged: use a smaller learning rate.",
        ) from error
    return text.encode()


def _id(weights: bytes) -> str:
    return sha256_of(weights)[:12]


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    content = read_bounded(path, LARGEST[name])
    refuse_pickle(path, content)
    return content


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        refuse_pickle(folder, _start(folder))
    if not folder.is_dir():
        _refuse(
            f"{shown(folder)} is no checkpoint folder",
            f"Give the folder that holds {WEIGHTS}, {CONTRACT} and {MANIFEST}.",
        )
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        _refuse(f"{shown(folder)} cannot be read ({error.strerror})", "Check its permissions.")
    if len(entries) > _MOST_ENTRIES:
        _refuse(f"{shown(folder)} holds {len(entries)} files", "Give the checkpoint's own folder.")
    for path in entries:
        if path.is_file():
            refuse_pickle(path, _start(path))


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(64)
    except OSError as error:
        _refuse(f"{shown(path)} cannot be read ({error.strerror})", "Check its permissions.")


def _check_version(described: Mapping[str, object]) -> None:
    problem = format_problem(described, FORMAT_VERSION)
    if problem is not None:
        _refuse(
            f"the checkpoint has {problem}", "Install the version of affectscope that wrote it."
        )


def _check_manifest(manifest: bytes, weights: bytes, contract: bytes) -> None:
    problem = manifest_problem(manifest, {WEIGHTS: weights, CONTRACT: contract})
    if problem is not None:
        _refuse(problem, _AGAIN)


def _check_preprocessing(checkpoint: Checkpoint) -> None:
    config, made = checkpoint.config, checkpoint.preprocessing
    shares = (made.minimum_valid, made.minimum_face_quality)
    fits = (
        made.window_samples == config.window_samples
        and made.crop_size == FACE_SIZE
        and made.sampling_rate > 0
        and all(0 <= share <= 1 for share in shares)
    )
    if not fits:
        _refuse(f"the preprocessing in {CONTRACT} does not fit the network", _AGAIN)


_AGAIN = "Take an unchanged copy of the checkpoint, or train it again."


def _refuse(reason: str, remedy: str) -> NoReturn:
    raise ModelError("E_CHECKPOINT", f"The checkpoint cannot be used: {reason}.", remedy)
