"""Table II of the paper, layer by layer, with its slips put right (METHOD.md section 2)."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from affectscope.models.bio_autoencoder import (
    BioAutoEncoder,
    BioAutoEncoderConfig,
    Unpooling,
    lengths_before_pools,
)

# layer -> (what goes in, what comes out), without the batch
TABLE_II = {
    "conv1": ((1, 1000), (16, 801)),
    "conv2": ((16, 400), (8, 301)),
    "conv3": ((8, 150), (4, 101)),
    "to_latent": ((200,), (128,)),
    "from_latent": ((128,), (200,)),
    "deconv3": ((4, 101), (8, 150)),
    "deconv2": ((8, 301), (16, 400)),
    "deconv1": ((16, 801), (1, 1000)),
}
PARAMETERS = {
    "conv1": 3216,
    "conv2": 12808,
    "conv3": 1604,
    "to_latent": 25728,
    "from_latent": 25800,
    "deconv3": 1608,
    "deconv2": 12816,
    "deconv1": 3201,
}


@pytest.fixture(params=get_args(Unpooling))
def autoencoder(request: pytest.FixtureRequest) -> BioAutoEncoder:
    config = BioAutoEncoderConfig(unpooling=request.param)
    return BioAutoEncoder(config, torch.Generator().manual_seed(0))


def test_every_layer_has_the_printed_shapes(autoencoder: BioAutoEncoder) -> None:
    seen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def note(name: str, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        seen[name] = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])

    for name, layer in autoencoder.named_children():
        layer.register_forward_hook(
            lambda _layer, inputs, output, name=name: note(name, inputs, output)
        )
    reconstruction, latent = autoencoder(torch.rand(3, 1, 1000))
    assert seen == TABLE_II
    assert reconstruction.shape == (3, 1, 1000)
    assert latent.shape == (3, 128)


def test_the_unpooling_sizes_are_the_lengths_before_the_pools() -> None:
    assert lengths_before_pools(1000) == (801, 301, 101)


def test_the_indices_are_those_of_three_pools() -> None:
    encoded = BioAutoEncoder(BioAutoEncoderConfig(unpooling="indices")).encode(
        torch.rand(3, 1, 1000)
    )
    assert [tuple(where.shape[1:]) for where in encoded.indices] == [(16, 400), (8, 150), (4, 50)]
    # one bit per pooled pair: what the paper's decoder gets past the latent
    assert sum(where[0].numel() for where in encoded.indices) == 7800


def test_parameters(autoencoder: BioAutoEncoder) -> None:
    found = {
        name: sum(parameter.numel() for parameter in layer.parameters())
        for name, layer in autoencoder.named_children()
    }
    assert found == PARAMETERS
    assert sum(found.values()) == 86781
