"""Table I of the paper, layer by layer (METHOD.md section 2)."""

from __future__ import annotations

import pytest
import torch

from affectscope.models.bio_network import BioNetwork, feature_count

# layer -> (channels, length) of its output, as printed in the paper
TABLE_I = {
    "conv1": (4, 805),
    "pool1": (4, 402),
    "conv2": (2, 307),
    "pool2": (2, 153),
    "conv3": (2, 357),
    "pool3": (2, 178),
    "conv4": (2, 382),
    "pool4": (2, 191),
}
PARAMETERS = {"conv1": 804, "conv2": 802, "conv3": 402, "conv4": 202}


@pytest.fixture(scope="module")
def network() -> BioNetwork:
    return BioNetwork(torch.Generator().manual_seed(0))


def test_every_layer_has_the_printed_shape(network: BioNetwork) -> None:
    seen: dict[str, tuple[int, ...]] = {}
    for name, layer in network.named_children():
        layer.register_forward_hook(
            lambda _layer, _inputs, output, name=name: seen.update({name: tuple(output.shape)})
        )
    network(torch.rand(3, 1, 1000))
    assert seen == {name: (3, *shape) for name, shape in TABLE_I.items()}


def test_the_merge_has_2652_features(network: BioNetwork) -> None:
    assert network(torch.rand(3, 1, 1000)).shape == (3, 2652)
    assert 1608 + 306 + 356 + 382 == 2652 == feature_count(1000)


def test_parameters(network: BioNetwork) -> None:
    found = {
        name: sum(parameter.numel() for parameter in layer.parameters())
        for name, layer in network.named_children()
    }
    assert {name: count for name, count in found.items() if count} == PARAMETERS
    assert sum(found.values()) == 2210
