"""An engine's folder: what was written is read, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import ModelError
from affectscope.inference.engine_folder import (
    CONTRACT,
    EngineContract,
    engine_folder,
    load_engine,
    read_contract,
)
from affectscope.models.manifest import MANIFEST, manifest_of

Saved = Callable[..., EngineContract]


@pytest.fixture
def folder(saved: Saved, checkpoint: Path) -> tuple[Path, EngineContract]:
    contract = saved()
    return engine_folder(checkpoint, "openvino", "fp32"), contract


def test_an_engine_is_read_as_it_was_written(folder: tuple[Path, EngineContract]) -> None:
    path, contract = folder
    assert load_engine(path, contract.checkpoint_id)[1] == contract
    assert read_contract(path, contract.checkpoint_id) == contract
    assert sorted(each.name for each in path.iterdir()) == [
        "engine.json", "manifest.json", "model.bin", "model.xml",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["engine.json", "manifest.json", "model.bin", "model.xml"])
def test_a_damaged_file_is_refused_with_a_sentence(
    folder: tuple[Path, EngineContract], name: str
) -> None:
    path, contract = folder
    whole = (path / name).read_bytes()
    random = np.random.default_rng(len(whole))
    for kind in ("flipped", "flipped", "flipped", "cut", "emptied", "missing"):
        damaged = bytearray(whole)
        if kind == "flipped":
            damaged[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        elif kind == "cut":
            damaged = damaged[: len(whole) // 2]
        (path / name).write_bytes(b"" if kind == "emptied" else bytes(damaged))
        if kind == "missing":
            (path / name).unlink()
        with pytest.raises(ModelError, match=r"^E_ENGINE: The engine 'openvino-fp32' cannot be"):
            load_engine(path, contract.checkpoint_id)


def described_anew(path: Path, **changes: object) -> None:
    """Change engine.json with a manifest that fits it, as another writer would."""
    files = {name: (path / name).read_bytes() for name in ("model.xml", "model.bin")}
    contract = json.loads((path / CONTRACT).read_bytes()) | changes
    content = json.dumps(contract).encode()
    (path / CONTRACT).write_bytes(content)
    (path / MANIFEST).write_text(manifest_of({**files, CONTRACT: content}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 2}, "format version 2, this program reads 1"),
        ({"format_version": True}, "format version"),
        ({"precision": "int8"}, "it is one of OpenVINO int8"),
        ({"engine": "another"}, "not one of openvino, onnxruntime"),
        ({"more": 1}, "exactly the fields"),
        ({"deviation": {}}, "exactly the fields"),
    ],
)
def test_a_contract_that_this_program_does_not_know_is_refused(
    folder: tuple[Path, EngineContract], changes: dict[str, object], said: str
) -> None:
    path, contract = folder
    described_anew(path, **changes)
    with pytest.raises(ModelError, match=rf"^E_ENGINE: .*{said}"):
        load_engine(path, contract.checkpoint_id)


def test_an_engine_of_another_checkpoint_is_refused(folder: tuple[Path, EngineContract]) -> None:
    with pytest.raises(ModelError, match=r"E_ENGINE: .*made of checkpoint \w+, this one is ffff"):
        load_engine(folder[0], "ffff")


def test_a_model_that_openvino_cannot_read_is_refused_with_its_reason(
    folder: tuple[Path, EngineContract],
) -> None:
    path, contract = folder
    (path / "model.xml").write_bytes(b"<net name='nothing' version='11'></net>")
    described_anew(path)
    with pytest.raises(ModelError, match=r"^E_ENGINE: The engine 'openvino-fp32' cannot be used"):
        load_engine(path, contract.checkpoint_id)


def test_a_pickle_among_an_engines_files_is_never_opened(
    folder: tuple[Path, EngineContract],
) -> None:
    path, contract = folder
    (path / "model.bin").write_bytes(b"\x80\x04\x95" + bytes(100))
    described_anew(path)
    with pytest.raises(ModelError, match=r"E_ENGINE: .*pickle"):
        load_engine(path, contract.checkpoint_id)


def test_a_folder_copied_under_another_precision_is_refused(
    folder: tuple[Path, EngineContract],
) -> None:
    path, contract = folder
    copied = shutil.copytree(path, path.with_name("openvino-int8"))
    with pytest.raises(ModelError, match=r"E_ENGINE: .*it is one of OpenVINO fp32"):
        load_engine(copied, contract.checkpoint_id)
