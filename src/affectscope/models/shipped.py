"""Models that come with the program, and others of their format: a folder that says what it is.

=====================  =======================================================================
weights.safetensors    the tensors
model.json             ``ModelContract``: what it is, whom it learnt from, how well it does
manifest.json          the sha256 of both, written last
=====================  =======================================================================

A BMMN's checkpoint (``models.checkpoint``) is another contract, since it scores affect. What lies
here scores something else, or is a part that training starts from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors.torch import save
from torch import Tensor

from affectscope.errors import ModelError
from affectscope.io.files import prepare_folder, shown, write_text, write_with
from affectscope.models.listing import CONTRACT, SHIPPED_FOLDER
from affectscope.models.manifest import MANIFEST, manifest_of, manifest_problem, sha256_of
from affectscope.models.strict_json import decode, format_problem, parse_object
from affectscope.models.weights_file import parse_tensors, read_bounded, refuse_pickle
from affectscope.records import Population

FORMAT_VERSION = 1
WEIGHTS = "weights.safetensors"
LARGEST = {WEIGHTS: 64 << 20, CONTRACT: 4 << 20, MANIFEST: 1 << 16}
"""Bytes allowed per file."""

ModelKind = Literal["bio auto-encoder", "stress likelihood", "fused"]
SHIPPED = ("bae-ecg", "bae-eda", "stress-rest")
"""The models that come with the program, by name; a folder of ``SHIPPED_FOLDER`` each."""

_AGAIN = "Install the program again, or take an unchanged copy of the model."


@dataclass(frozen=True)
class DataSource:
    """Recordings that a model learnt from.

    Attributes:
        name: as the folder of the recordings is called.
        citation: who published them.
        licence: under which they were published.
        people: their ids as the leak check knows them, "stress_predict/S02".
        hashes: sha256 of each file that was read, by its path in the folder.
    """

    name: str
    citation: str
    licence: str
    people: tuple[str, ...]
    hashes: Mapping[str, str]


@dataclass(frozen=True)
class ResultTable:
    """Figures about a model, as a card prints them.

    Attributes:
        title: what was measured, on whom, under which protocol.
        columns: names, the first one's column names the rows.
        rows: cells as text, with intervals where the figure is about people.
        command: what printed it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    command: str


@dataclass(frozen=True)
class ModelContract:
    """What must be known to use a model, and what its card says.

    Attributes:
        name: its folder's name.
        kind: what its tensors are; who reads which kind checks it.
        summary: one sentence.
        population: whom it learnt from.
        sources: what it learnt from.
        configuration: whatever its reader needs, as JSON can hold it.
        training: settings and seeds, as JSON can hold them.
        results: how well it does.
        limits: what it is known not to do, in sentences.
    """

    name: str
    kind: ModelKind
    summary: str
    population: Population
    sources: tuple[DataSource, ...]
    configuration: Mapping[str, Any]
    training: Mapping[str, Any]
    results: tuple[ResultTable, ...]
    limits: tuple[str, ...]
    licence: str
    intended_use: str = "Research; not a medical device, not a diagnosis."
    format_version: int = FORMAT_VERSION
    affectscope_version: str = field(default_factory=lambda: version("affectscope"))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def __post_init__(self) -> None:
        assert self.kind in get_args(ModelKind), self.kind

    @property
    def people(self) -> frozenset[str]:
        """The ids of everybody it learnt from; none of them may be in a test."""
        return frozenset(person for source in self.sources for person in source.people)


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A model's folder that was read and is whole. ``model_id``: 12 hex digits of the weights."""

    contract: ModelContract
    model_id: str
    tensors: dict[str, Tensor]

    def of_kind(self, kind: ModelKind) -> OpenedModel:
        """Itself.

        Raises:
            ModelError: E_CHECKPOINT where it is of another kind.
        """
        if self.contract.kind != kind:
            raise ModelError(
                "E_CHECKPOINT",
                f"The model '{self.contract.name}' is a {self.contract.kind}, no {kind}.",
                "Give a model of that kind; 'affectscope models' lists those that are here.",
            )
        return self


def open_shipped(name: str) -> OpenedModel:
    """A model that comes with the program.

    Raises:
        ModelError: E_CONFIG where none is called so, E_CHECKPOINT where it is damaged.
    """
    if name not in SHIPPED:
        raise ModelError(
            "E_CONFIG", f"No model is called {name!a}.", f"Choose one of {', '.join(SHIPPED)}."
        )
    return open_model(SHIPPED_FOLDER / name)


def open_model(folder: Path) -> OpenedModel:
    """Read and check a model's folder.

    Raises:
        ModelError: E_CHECKPOINT where a file is missing, cut, changed, too large, of an unknown
            version or does not fit the others; E_CHECKPOINT_PICKLE where one is a pickle.
    """
    if not (folder / CONTRACT).is_file():
        raise _refusal(f"{shown(folder)} holds no {CONTRACT}")
    content = {name: _read(folder / name, limit) for name, limit in LARGEST.items()}
    described = parse_object(content[CONTRACT], CONTRACT)
    problem = format_problem(described, FORMAT_VERSION)
    if problem is not None:
        raise _refusal(f"it has {problem}")
    problem = manifest_problem(
        content[MANIFEST], {WEIGHTS: content[WEIGHTS], CONTRACT: content[CONTRACT]}
    )
    if problem is not None:
        raise _refusal(problem)
    contract = decode(ModelContract, described, CONTRACT)
    tensors = parse_tensors(content[WEIGHTS], WEIGHTS)
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise _refusal(f"{WEIGHTS} holds values that are no numbers")
    return OpenedModel(contract, sha256_of(content[WEIGHTS])[:12], tensors)


def save_model(folder: Path, tensors: Mapping[str, Tensor], contract: ModelContract) -> str:
    """Write a model's folder, each file whole or not at all, the manifest last.

    Returns:
        The model's id.

    Raises:
        ModelError: E_CHECKPOINT where a number is not finite.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in kept.values()):
        raise _refusal("its weights hold values that are no numbers")
    try:
        text = json.dumps(asdict(contract), indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise _refusal(f"its description cannot be saved ({error})") from error
    weights, described = save(kept), text.encode()
    prepare_folder(folder)
    write_with(folder / WEIGHTS, lambda stream: stream.write(weights))
    write_with(folder / CONTRACT, lambda stream: stream.write(described))
    write_text(folder / MANIFEST, manifest_of({WEIGHTS: weights, CONTRACT: described}))
    return sha256_of(weights)[:12]


def _read(path: Path, limit: int) -> bytes:
    content = read_bounded(path, limit)
    refuse_pickle(path, content)
    return content


def _refusal(reason: str) -> ModelError:
    return ModelError("E_CHECKPOINT", f"The model cannot be used: {reason}.", _AGAIN)
