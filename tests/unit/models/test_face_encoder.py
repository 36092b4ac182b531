from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from affectscope.errors import MissingExtraError, ModelError
from affectscope.models.face_encoder import (
    FACE_ENCODERS,
    ResNet50,
    SmallFaceEncoder,
    build_face_encoder,
)

BLOCKS = (3, 4, 6, 3)


@pytest.fixture(scope="module")
def resnet() -> ResNet50:
    return ResNet50(torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def small() -> SmallFaceEncoder:
    return SmallFaceEncoder(torch.Generator().manual_seed(0)).eval()


def faces(rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (rows, 3, 224, 224), dtype=torch.uint8, generator=generator)


def torchvision_names() -> list[str]:
    """torchvision's parameter names for a ResNet-50 without its classifier, from its structure."""

    def norm(name: str) -> list[str]:
        counted = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        return [f"{name}.{part}" for part in counted]

    names = ["conv1.weight", *norm("bn1")]
    for layer, blocks in enumerate(BLOCKS, start=1):
        for block in range(blocks):
            at = f"layer{layer}.{block}"
            for number in (1, 2, 3):
                names += [f"{at}.conv{number}.weight", *norm(f"{at}.bn{number}")]
            if block == 0:
                names += [f"{at}.downsample.0.weight", *norm(f"{at}.downsample.1")]
    return names


def test_the_registry_is_what_build_offers() -> None:
    with pytest.raises(ModelError, match="'vgg'") as caught:
        build_face_encoder("vgg")
    assert caught.value.code == "E_CONFIG"
    for name in FACE_ENCODERS:
        assert name in caught.value.remedy


def test_resnet_has_the_documented_size(resnet: ResNet50) -> None:
    assert sum(parameter.numel() for parameter in resnet.parameters()) == 23_508_032
    assert "23,508,032" in (sys.modules[ResNet50.__module__].__doc__ or "")


def test_resnet_lays_its_convolutions_out_with_channels_last(resnet: ResNet50) -> None:
    kernels = [each.weight for each in resnet.modules() if isinstance(each, nn.Conv2d)]
    assert len(kernels) == 53
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in kernels)


def test_resnet_parameters_have_torchvisions_names(resnet: ResNet50) -> None:
    assert sorted(resnet.backbone.state_dict()) == sorted(torchvision_names())


def test_resnet_computes_torchvisions_network(resnet: ResNet50) -> None:
    """Written out from He et al., the stride in the 3 x 3 convolution as torchvision has it."""
    weights = resnet.backbone.state_dict()

    def convolve(x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        return functional.conv2d(x, weights[f"{name}.weight"], stride=stride, padding=padding)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return functional.batch_norm(
            x, mean, variance, weights[f"{name}.weight"], weights[f"{name}.bias"]
        )

    pictures = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        x = norm(convolve(pictures, "conv1", 2, 3), "bn1").relu()
        x = functional.max_pool2d(x, 3, 2, 1)
        for layer, blocks in enumerate(BLOCKS, start=1):
            for block in range(blocks):
                at = f"layer{layer}.{block}"
                stride = 2 if block == 0 and layer > 1 else 1
                y = norm(convolve(x, f"{at}.conv1"), f"{at}.bn1").relu()
                y = norm(convolve(y, f"{at}.conv2", stride, 1), f"{at}.bn2").relu()
                y = norm(convolve(y, f"{at}.conv3"), f"{at}.bn3")
                if block == 0:
                    x = norm(convolve(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
                x = (x + y).relu()
        expected = x.mean(dim=(2, 3))
        found = resnet.backbone(pictures)
    assert found.shape == (1, 2048)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_resnet_sees_pictures_in_imagenets_units(resnet: ResNet50) -> None:
    seen: list[Tensor] = []
    hook = resnet.backbone.conv1.register_forward_pre_hook(
        lambda _layer, inputs: seen.append(inputs[0])
    )
    grey = torch.full((1, 3, 224, 224), 128, dtype=torch.uint8)
    with torch.no_grad():
        assert resnet(grey).shape == (1, 2048)
        resnet(grey / 255)
    hook.remove()
    by_hand = [(128 / 255 - m) / d for m, d in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    for normalised in seen:
        torch.testing.assert_close(normalised[0, :, 0, 0], torch.tensor(by_hand))
        assert float(normalised.std(dim=(2, 3)).max()) < 1e-5


def test_resnet_without_monai_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setitem(sys.modules, "monai.networks.nets.resnet", None)
    with pytest.raises(MissingExtraError, match="resnet") as caught:
        build_face_encoder("resnet50")
    assert caught.value.code == "E_EXTRA"


def test_small_has_the_documented_size(small: SmallFaceEncoder) -> None:
    assert sum(parameter.numel() for parameter in small.parameters()) == 91_056


def test_small_takes_both_kinds_of_picture(small: SmallFaceEncoder) -> None:
    pictures = faces(2)
    with torch.no_grad():
        features = small(pictures)
        assert features.shape == (2, small.width)
        torch.testing.assert_close(small(pictures / 255), features, rtol=1e-4, atol=1e-5)


def test_small_learns_where_in_the_face_something_is() -> None:
    """A bright bar at one of two heights: as eyebrows and mouths, the same anywhere else."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(60, 120, (16, 3, 224, 224), dtype=torch.uint8, generator=generator)
    heights = torch.arange(16) % 2
    for row, height in enumerate(heights):
        top = 140 + 24 * int(height)
        pictures[row, :, top : top + 8, 80:144] = 250
    encoder = SmallFaceEncoder(generator)
    head = torch.nn.Linear(encoder.width, 1)
    optimiser = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(25):
        loss = (head(encoder(pictures))[:, 0] - heights).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.02  # guessing the mean gives 0.25
