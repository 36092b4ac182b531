"""The format of the models that come with the program: what was written comes back, and nothing
else does."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affectscope.errors import AffectScopeError, ModelError, OutputError
from affectscope.models.manifest import MANIFEST, manifest_of
from affectscope.models.shipped import (
    CONTRACT,
    WEIGHTS,
    ModelContract,
    open_model,
    open_shipped,
    save_model,
)

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([0.5, -0.5])}


@pytest.fixture
def folder(small_contract: ModelContract, tmp_path: Path) -> Path:
    save_model(tmp_path / "small", TENSORS, small_contract)
    return tmp_path / "small"


def refused(folder: Path) -> AffectScopeError:
    with pytest.raises(ModelError) as caught:
        open_model(folder)
    assert caught.value.remedy
    return caught.value


def change_contract(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """As a forger would, with a manifest that fits."""
    document = json.loads((folder / CONTRACT).read_text())
    change(document)
    described = json.dumps(document).encode()
    (folder / CONTRACT).write_bytes(described)
    weights = (folder / WEIGHTS).read_bytes()
    (folder / MANIFEST).write_text(manifest_of({WEIGHTS: weights, CONTRACT: described}))


def test_what_was_saved_comes_back(
    folder: Path, small_contract: ModelContract, tmp_path: Path
) -> None:
    opened = open_model(folder)
    as_json = json.loads(json.dumps(small_contract.configuration))
    assert replace(opened.contract, configuration=as_json) == small_contract
    assert opened.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(opened.tensors[name], tensor)
    assert opened.model_id == save_model(tmp_path / "again", TENSORS, small_contract)
    assert opened.contract.people == {"wrist/S01", "wrist/S02", "chest/1"}


def test_tensors_that_are_views_of_others_and_learn_are_saved_as_they_read(
    small_contract: ModelContract, tmp_path: Path
) -> None:
    matrix = torch.arange(6.0).reshape(2, 3).requires_grad_()
    save_model(tmp_path, {"turned": matrix.T}, small_contract)
    assert torch.equal(open_model(tmp_path).tensors["turned"], matrix.detach().T)


@pytest.mark.parametrize("name", [WEIGHTS, CONTRACT, MANIFEST])
def test_T04_every_edit_of_a_file_is_noticed(folder: Path, name: str) -> None:
    chance = random.Random(name)
    whole = (folder / name).read_bytes()
    for _ in range(25):
        content = bytearray(whole)
        place = chance.randrange(len(content))
        if chance.random() < 0.5:
            content[place] ^= 1 << chance.randrange(8)
        else:
            del content[place:]
        (folder / name).write_bytes(content)
        assert refused(folder).code == "E_CHECKPOINT"
    (folder / name).write_bytes(whole)
    assert open_model(folder).contract.name == "small"


@pytest.mark.parametrize("name", [WEIGHTS, CONTRACT, MANIFEST])
def test_a_file_that_is_not_there_is_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    error = refused(folder)
    assert error.code == "E_CHECKPOINT"
    assert name in error.sentence


def test_F15_a_pickle_is_never_loaded(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps({"weight": [1.0]}))
    assert refused(folder).code == "E_CHECKPOINT_PICKLE"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda document: document.update(kind="oracle"), "kind"),
        (lambda document: document.update(format_version=2), "version"),
        (lambda document: document.pop("limits"), "limits"),
        (lambda document: document.update(more=1), "exactly the fields"),
        (lambda document: document.update(summary="two\nlines"), "printable"),
        (lambda document: document["sources"][0].update(people="S01"), "list"),
    ],
)
def test_a_contract_that_says_something_else_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    change_contract(folder, change)
    error = refused(folder)
    assert error.code == "E_CHECKPOINT"
    assert told in error.sentence


def test_a_model_of_another_kind_is_refused_where_one_is_asked_for(folder: Path) -> None:
    opened = open_model(folder)
    assert opened.of_kind("stress likelihood") is opened
    with pytest.raises(ModelError, match=r"E_CHECKPOINT.*stress likelihood, no fused"):
        opened.of_kind("fused")


@pytest.mark.parametrize("name", ["", "stress", "../shipped/stress-rest", "/"])
def test_a_name_that_none_has_is_refused_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(ModelError, match=r"E_CONFIG.*stress-rest"):
        open_shipped(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_neither_written_nor_read(
    folder: Path, small_contract: ModelContract, tmp_path: Path, value: float
) -> None:
    broken = {"weight": torch.tensor([1.0, value])}
    with pytest.raises(ModelError, match="E_CHECKPOINT"):
        save_model(tmp_path / "broken", broken, small_contract)
    with pytest.raises(ModelError, match="E_CHECKPOINT"):
        save_model(tmp_path / "broken", TENSORS, replace(small_contract, training={"loss": value}))
    assert not (tmp_path / "broken").exists()
    from safetensors.torch import save

    weights, described = save(broken), (folder / CONTRACT).read_bytes()
    (folder / WEIGHTS).write_bytes(weights)
    (folder / MANIFEST).write_text(manifest_of({WEIGHTS: weights, CONTRACT: described}))
    assert "no numbers" in refused(folder).sentence


def test_a_folder_that_cannot_be_written_is_told(
    small_contract: ModelContract, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="E_OUTPUT"):
        save_model(tmp_path / "file", TENSORS, small_contract)
