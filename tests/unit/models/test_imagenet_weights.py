from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from affectscope.errors import ModelError
from affectscope.models import imagenet_weights
from affectscope.models.face_encoder import ResNet50, SmallFaceEncoder
from affectscope.models.imagenet_weights import (
    PUBLISHED,
    PublishedWeights,
    fetch_imagenet_weights,
    load_imagenet_weights,
)


@pytest.fixture(scope="module")
def encoder() -> ResNet50:
    return ResNet50(torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def other_weights() -> dict[str, Tensor]:
    """Another ResNet-50 as torchvision would save it: its names, its classifier, no prefix."""
    state = ResNet50(torch.Generator().manual_seed(1)).backbone.state_dict()
    backbone = {name: tensor.contiguous() for name, tensor in state.items()}
    backbone["bn1.running_mean"] += 0.25
    classifier = {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    return {**backbone, **classifier}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """A small stand-in for a published file, pinned the same way; served by a file:// address."""
    stream = io.BytesIO()
    torch.save({"conv1.weight": torch.ones(2)}, stream)
    content = stream.getvalue()
    source = tmp_path / "source" / "resnet50-test.pth"
    source.parent.mkdir()
    source.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = PublishedWeights(source.as_uri(), len(content), digest)
    monkeypatch.setitem(imagenet_weights.PUBLISHED, "IMAGENET1K_V1", entry)
    monkeypatch.setenv("AFFECTSCOPE_CACHE", str(tmp_path / "cache"))
    return content


def code_of(encoder: ResNet50, path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_imagenet_weights(encoder, path)
    return caught.value.code


def test_the_pins_agree_with_the_published_names() -> None:
    for published in PUBLISHED.values():
        assert len(published.sha256) == 64
        assert published.name == f"resnet50-{published.sha256[:8]}.pth"


def test_torchvisions_names_fill_the_whole_network(
    encoder: ResNet50, other_weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "resnet50.safetensors"
    save_file(other_weights, path)
    load_imagenet_weights(encoder, path)
    found = encoder.backbone.state_dict()
    assert len(found) == 318  # torchvision's 320 without the classifier's two
    for name, tensor in found.items():
        assert torch.equal(tensor, other_weights[name]), name


def test_files_without_batch_counters_are_taken(
    encoder: ResNet50, other_weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "resnet50.safetensors"
    old = {name: t for name, t in other_weights.items() if "num_batches" not in name}
    assert len(old) == 267  # as torchvision's first version has it
    save_file(old, path)
    load_imagenet_weights(encoder, path)
    assert int(encoder.backbone.bn1.num_batches_tracked) == 0


@pytest.mark.parametrize("change", ["lacks a tensor", "has one too many", "another shape", "NaN"])
def test_other_networks_are_refused(
    encoder: ResNet50, other_weights: dict[str, Tensor], tmp_path: Path, change: str
) -> None:
    changed = dict(other_weights)
    if change == "lacks a tensor":
        del changed["layer4.2.conv3.weight"]
    elif change == "has one too many":
        changed["layer5.0.conv1.weight"] = torch.zeros(1)
    elif change == "another shape":
        changed["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    else:
        changed["conv1.weight"] = torch.full((64, 3, 7, 7), torch.nan)
    path = tmp_path / "resnet50.safetensors"
    save_file(changed, path)
    before = encoder.backbone.conv1.weight.clone()
    assert code_of(encoder, path) == "E_CHECKPOINT"
    assert torch.equal(encoder.backbone.conv1.weight, before)


def test_a_published_pickle_is_loaded_when_every_byte_agrees(
    encoder: ResNet50,
    other_weights: dict[str, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "resnet50-0676ba61.pth"
    torch.save(other_weights, path)
    assert code_of(encoder, path) == "E_CHECKPOINT_PICKLE"  # its name alone opens nothing
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = PublishedWeights("https://example.org/x.pth", path.stat().st_size, digest)
    monkeypatch.setitem(imagenet_weights.PUBLISHED, "IMAGENET1K_V1", entry)
    load_imagenet_weights(encoder, path)
    assert torch.equal(encoder.backbone.bn1.running_mean, other_weights["bn1.running_mean"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert code_of(encoder, path) == "E_CHECKPOINT_PICKLE"


def test_only_a_resnet_takes_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="resnet50") as caught:
        load_imagenet_weights(SmallFaceEncoder(), tmp_path / "any.safetensors")
    assert caught.value.code == "E_CONFIG"


def test_a_missing_file_is_named(encoder: ResNet50, tmp_path: Path) -> None:
    assert code_of(encoder, tmp_path / "absent.safetensors") == "E_CHECKPOINT"


def test_fetch_keeps_the_file_and_does_not_fetch_it_twice(published: bytes, tmp_path: Path) -> None:
    path = fetch_imagenet_weights()
    assert path == tmp_path / "cache" / "resnet50-test.pth"
    assert path.read_bytes() == published
    (tmp_path / "source" / "resnet50-test.pth").unlink()
    assert fetch_imagenet_weights() == path
    path.write_bytes(published[:-1])  # a damaged copy is not trusted
    with pytest.raises(ModelError) as caught:
        fetch_imagenet_weights()
    assert caught.value.code == "E_MODEL_MISSING"


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 5000])
def test_fetch_refuses_other_content(published: bytes, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "source" / "resnet50-test.pth").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        fetch_imagenet_weights()
    assert caught.value.code == "E_MODEL_CHECKSUM"
    assert list((tmp_path / "cache").iterdir()) == []


def test_fetch_names_the_choices() -> None:
    with pytest.raises(ModelError, match="IMAGENET1K_V9") as caught:
        fetch_imagenet_weights("IMAGENET1K_V9")
    assert "IMAGENET1K_V2" in caught.value.remedy
