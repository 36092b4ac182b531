"""What every network keeps: shapes, gradients, one row like many, repeatability, its state."""

from __future__ import annotations

from itertools import combinations
from typing import get_args

import pytest
import torch
from torch import Tensor

from affectscope.models.bmmn import BMMN, BMMNConfig, Variant
from affectscope.models.face_encoder import FACE_ENCODERS
from affectscope.records import MODALITIES, Modality

SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size)]
CONFIGS = [
    BMMNConfig(variant=variant, modalities=subset, face_encoder="small", window_samples=700)
    for variant in get_args(Variant)
    for subset in SUBSETS
]
# the large encoder is costly: in the widest network only
CONFIGS.append(BMMNConfig(variant="bmmn_bae_2", window_samples=700))


def named(config: BMMNConfig) -> str:
    return "-".join((config.variant, config.face_encoder, *config.modalities))


def inputs_for(config: BMMNConfig, rows: int) -> dict[Modality, Tensor]:
    generator = torch.Generator().manual_seed(11)
    windows = (rows, 1, config.window_samples)
    inputs: dict[Modality, Tensor] = {}
    for name in config.modalities:
        if name == "face":
            inputs[name] = torch.rand(rows, 3, 224, 224, generator=generator)
        else:
            inputs[name] = torch.rand(windows, generator=generator)
    return inputs


@pytest.fixture(scope="module", params=CONFIGS, ids=named)
def network(request: pytest.FixtureRequest) -> BMMN:
    """One network per configuration, shared by the tests below, none of which trains it."""
    return BMMN(request.param, torch.Generator().manual_seed(0)).eval()


def test_registry_is_covered() -> None:
    assert {config.face_encoder for config in CONFIGS} == set(FACE_ENCODERS)


def test_forward_has_its_shapes(network: BMMN) -> None:
    config = network.config
    with torch.no_grad():
        output = network(inputs_for(config, 2))
    assert output.targets.shape == (2, 10)
    assert bool(torch.isfinite(output.targets).all())
    signals = [name for name in config.modalities if name != "face"]
    assert list(output.reconstructions) == (signals if config.variant != "bmmn" else [])
    for reconstruction in output.reconstructions.values():
        assert reconstruction.shape == (2, 1, config.window_samples)
        assert float(reconstruction.min()) >= 0


def test_one_row_like_many_and_the_same_twice(network: BMMN) -> None:
    inputs = inputs_for(network.config, 3)
    with torch.no_grad():
        many = network.estimate(inputs)
        again = network.estimate(inputs)
        single = torch.cat(
            [
                network.estimate({name: values[row : row + 1] for name, values in inputs.items()})
                for row in range(3)
            ]
        )
    assert torch.equal(many, again)
    scale = float(many.abs().max().clamp(min=1))
    assert float((single - many).abs().max()) / scale < 1e-5


def test_state_round_trip(network: BMMN) -> None:
    other = BMMN(network.config, torch.Generator().manual_seed(9)).eval()
    inputs = inputs_for(network.config, 1)
    with torch.no_grad():
        assert not torch.equal(other.estimate(inputs), network.estimate(inputs))
        other.load_state_dict(network.state_dict(), strict=True)
        assert torch.equal(other.estimate(inputs), network.estimate(inputs))


def test_gradients_reach_every_parameter(network: BMMN) -> None:
    network.zero_grad()
    output = network(inputs_for(network.config, 2))
    loss = output.targets.square().sum()
    for reconstruction in output.reconstructions.values():
        loss = loss + (reconstruction - 0.5).square().mean()
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
