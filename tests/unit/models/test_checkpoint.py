from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from affectscope.errors import ModelError
from affectscope.models import checkpoint as checkpoint_module
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import (
    CONTRACT,
    MANIFEST,
    WEIGHTS,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from affectscope.preprocessing.windows import Preprocessing

TINY = BMMNConfig(variant="bmmn_bae_1", modalities=("eda",), window_samples=602)
DESCRIBED = Checkpoint(
    config=TINY,
    preprocessing=Preprocessing(window_samples=602, ecg_scaling="minmax"),
    population="simulated people",
    training_subjects=("S01", "Zoë"),
    data_hashes={"S01/eda": "ab" * 32},
    licence="CC0-1.0",
    limits=("Simulated people only.",),
    training={"settings": {"epochs": [1, 2, 3]}, "losses": {"stage 3, joint": [0.5, 0.25]}},
)


@pytest.fixture(scope="module")
def model() -> BMMN:
    return BMMN(TINY, torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def files(model: BMMN, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The three files of a good checkpoint."""
    folder = tmp_path_factory.mktemp("good")
    save_checkpoint(folder, model, DESCRIBED)
    return {name: (folder / name).read_bytes() for name in (WEIGHTS, CONTRACT, MANIFEST)}


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint"
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def seal(folder: Path) -> None:
    """Write the manifest that fits the other two files, as a forger would."""
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (WEIGHTS, CONTRACT)
    }
    (folder / MANIFEST).write_text(json.dumps(digests))


def change_contract(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / CONTRACT).read_text())
    change(document)
    (folder / CONTRACT).write_text(json.dumps(document))
    seal(folder)


def refusal(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_checkpoint(path)
    assert caught.value.remedy
    return caught.value


def test_what_was_saved_comes_back(folder: Path, model: BMMN, files: dict[str, bytes]) -> None:
    loaded, checkpoint, checkpoint_id = load_checkpoint(folder)
    assert replace(checkpoint, created=DESCRIBED.created) == DESCRIBED
    assert checkpoint_id == hashlib.sha256(files[WEIGHTS]).hexdigest()[:12]
    assert not loaded.training
    windows = {"eda": torch.rand(2, 1, 602)}
    assert torch.equal(loaded.estimate(windows), model.estimate(windows))


def test_the_same_weights_have_the_same_id(model: BMMN, tmp_path: Path) -> None:
    first = save_checkpoint(tmp_path / "a", model, DESCRIBED)
    second = save_checkpoint(tmp_path / "b", model, replace(DESCRIBED, licence="other"))
    other = BMMN(TINY, torch.Generator().manual_seed(1))
    assert first == second != save_checkpoint(tmp_path / "c", other, DESCRIBED)


def test_the_contract_says_everything_by_default(files: dict[str, bytes]) -> None:
    document = json.loads(files[CONTRACT])
    assert list(document) == [field.name for field in fields(Checkpoint)]
    assert document["format_version"] == 1
    assert "not a medical device" in document["intended_use"]
    assert document["label_scale"]["valence"] == [-1, 1]
    assert document["label_scale"]["fear"] == [0, 1]


def test_the_large_network_comes_back(tmp_path: Path) -> None:
    config = BMMNConfig(face_encoder="small", hidden=8, unpooling="interpolation")
    network = BMMN(config, torch.Generator().manual_seed(2)).eval()
    described = Checkpoint(config, Preprocessing(), "people", ("P1",))
    save_checkpoint(tmp_path, network, described)
    loaded, checkpoint, _ = load_checkpoint(tmp_path)
    assert checkpoint == described
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_T04_every_one_of_500_edits_is_noticed(folder: Path, files: dict[str, bytes]) -> None:
    chance = random.Random(0)
    noticed = edits = 0
    while edits < 500:
        name = chance.choice([WEIGHTS, WEIGHTS, CONTRACT, MANIFEST])
        content = bytearray(files[name])
        place = chance.randrange(len(content))
        kind = chance.choice(["cut", "flip", "zero", "empty", "grow"])
        if kind == "cut":
            del content[place:]
        elif kind == "flip":
            content[place] ^= 1 << chance.randrange(8)
        elif kind == "zero":
            content[place : place + 512] = bytes(len(content[place : place + 512]))
        elif kind == "empty":
            content.clear()
        else:
            content += bytes(chance.randrange(1, 9))
        if content == files[name]:
            continue
        edits += 1
        (folder / name).write_bytes(content)
        noticed += refusal(folder).code == "E_CHECKPOINT"
        (folder / name).write_bytes(files[name])
    assert noticed == 500
    load_checkpoint(folder)


@pytest.mark.parametrize("name", [WEIGHTS, CONTRACT, MANIFEST])
def test_T04_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    error = refusal(folder)
    assert error.code == "E_CHECKPOINT"
    assert name in error.sentence


def test_T04_the_changed_file_is_named(folder: Path, files: dict[str, bytes]) -> None:
    (folder / WEIGHTS).write_bytes(files[WEIGHTS][:-1] + b"?")
    assert WEIGHTS in refusal(folder).sentence
    (folder / WEIGHTS).write_bytes(files[WEIGHTS])
    (folder / CONTRACT).write_bytes(files[CONTRACT].replace(b"CC0-1.0", b"CC0-2.0"))
    assert CONTRACT in refusal(folder).sentence


def test_a_writer_stopped_before_the_manifest_leaves_no_mixture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_module, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(folder, BMMN(TINY), DESCRIBED)
    assert refusal(folder).code == "E_CHECKPOINT"


@pytest.mark.parametrize("version", [0, 2, 99, -1, 1.5, "1", None, True, [1]])
def test_T19_unknown_versions_are_refused_by_number(folder: Path, version: object) -> None:
    change_contract(folder, lambda document: document.update(format_version=version))
    error = refusal(folder)
    assert error.code == "E_CHECKPOINT"
    assert "version" in error.sentence
    if type(version) is int:
        assert f"version {version}," in error.sentence


def test_T19_a_newer_layout_is_refused_by_its_number_too(folder: Path) -> None:
    (folder / CONTRACT).write_text('{"format_version": 7, "anything": "else"}')
    (folder / MANIFEST).unlink()
    (folder / WEIGHTS).unlink()
    (folder / "weights-2.bin").write_bytes(b"\x00")
    assert "version 7," in refusal(folder).sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("licence"),
        lambda document: document.update(code="import os"),
        lambda document: document.update(population="everybody"),
        lambda document: document.update(training_subjects="S01"),
        lambda document: document.update(label_scale={"valence": [0]}),
        lambda document: document["preprocessing"].update(window_samples=1000),
        lambda document: document["preprocessing"].update(crop_size=96),
        lambda document: document["preprocessing"].update(sampling_rate=0),
        lambda document: document["preprocessing"].update(minimum_valid=1.5),
        lambda document: document["preprocessing"].update(eda_scaling="log"),
        lambda document: document["config"].update(window_samples=602.0),
        lambda document: document["config"].update(window_samples=604),
        lambda document: document["config"].update(variant="bmmn"),
        lambda document: document["config"].update(modalities=["ecg"]),
        lambda document: document["config"].update(hidden=16),
        lambda document: document["config"].update(face_encoder="given-64"),
    ],
)
def test_a_sealed_but_wrong_contract_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_contract(folder, change)
    assert refusal(folder).code == "E_CHECKPOINT"


@pytest.mark.parametrize("change", [{"variant": "vgg"}, {"hidden": 10**12}, {"modalities": []}])
def test_a_configuration_that_cannot_be_is_refused(folder: Path, change: dict[str, Any]) -> None:
    change_contract(folder, lambda document: document["config"].update(change))
    assert refusal(folder).code == "E_CHECKPOINT"


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(save({"head.0.weight": torch.zeros(10, 128)}))
    seal(folder)
    assert "lacks" in refusal(folder).sentence


def test_weights_that_are_no_numbers_are_neither_saved_nor_loaded(
    folder: Path, tmp_path: Path, files: dict[str, bytes]
) -> None:
    network = BMMN(TINY)
    with torch.no_grad():
        network.head[0].weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"head\.0\.weight") as caught:
        save_checkpoint(tmp_path / "new", network, DESCRIBED)
    assert caught.value.code == "E_CHECKPOINT"
    assert not (tmp_path / "new").exists()
    tensors = load(files[WEIGHTS])
    tensors["head.0.weight"][0, 0] = torch.inf
    (folder / WEIGHTS).write_bytes(save(tensors))
    seal(folder)
    assert "no numbers" in refusal(folder).sentence


def test_losses_that_are_no_numbers_are_not_saved(model: BMMN, tmp_path: Path) -> None:
    diverged = replace(DESCRIBED, training={"losses": [float("nan")]})
    with pytest.raises(ModelError, match="diverged"):
        save_checkpoint(tmp_path, model, diverged)


def test_F16_headers_are_bounded_in_a_sealed_checkpoint(folder: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{number}": entry for number in range(10_001)}).encode()
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)
    seal(folder)
    assert "10001 tensors" in refusal(folder).sentence
    (folder / WEIGHTS).write_bytes((10_000_001).to_bytes(8, "little") + b"{" * 10_000_001)
    seal(folder)
    assert "10000001" in refusal(folder).sentence


@pytest.mark.parametrize("name", [WEIGHTS, CONTRACT, MANIFEST])
def test_sizes_are_bounded_before_reading(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as stream:
        stream.truncate(1 << 40)  # sparse
    error = refusal(folder)
    assert error.code == "E_CHECKPOINT"
    assert str(1 << 40) in error.sentence


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"format_version": 1, "format_version": 1}', '{"a": NaN}']
)
def test_F22_bombs_in_a_sealed_checkpoint(folder: Path, text: str) -> None:
    (folder / CONTRACT).write_text(text)
    seal(folder)
    assert refusal(folder).code == "E_CHECKPOINT"


def test_F25_only_regular_files(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)
    os.mkfifo(folder / "pipe.pkl")
    assert refusal(folder).code == "E_CHECKPOINT"


def test_other_paths_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path, folder / WEIGHTS, folder / CONTRACT):
        assert refusal(path).code == "E_CHECKPOINT"


class _Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.canary,)


def payload(kind: str, canary: Path) -> bytes:
    if kind.startswith("protocol"):
        return pickle.dumps(_Payload(canary), int(kind[-1]))
    stream = io.BytesIO()
    torch.save({"w": _Payload(canary)}, stream, _use_new_zipfile_serialization=kind == "torch zip")
    return stream.getvalue()


KINDS = [*(f"protocol {number}" for number in range(6)), "torch zip", "torch legacy"]
NAMES = ["model.pt", "model.pth", "last.ckpt", "model.pkl", "model.pickle", "model.joblib"]


@pytest.mark.parametrize("kind", KINDS)
def test_F15_T05_no_pickle_is_ever_loaded(
    folder: Path, files: dict[str, bytes], tmp_path: Path, kind: str
) -> None:
    canary = tmp_path / "canary"
    content = payload(kind, canary)
    for name in NAMES:
        outside = tmp_path / name
        outside.write_bytes(content)
        assert refusal(outside).code == "E_CHECKPOINT_PICKLE"  # given as the path
        (folder / name).write_bytes(content)
        assert refusal(folder).code == "E_CHECKPOINT_PICKLE"  # lying in the folder
        (folder / name).unlink()
    for name in (WEIGHTS, CONTRACT, MANIFEST):  # under a good name, with a manifest that fits
        (folder / name).write_bytes(content)
        if name != MANIFEST:
            seal(folder)
        assert refusal(folder).code.startswith("E_CHECKPOINT")
        for good, original in files.items():
            (folder / good).write_bytes(original)
    load_checkpoint(folder)
    assert not canary.exists()


def test_F15_the_canary_works(tmp_path: Path) -> None:
    """The payload above is live: Python's own loader runs it."""
    canary = tmp_path / "canary"
    pickle.loads(payload("protocol 4", canary))
    assert canary.exists()
