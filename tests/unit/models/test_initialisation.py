from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from affectscope.models.initialisation import initialise_uniformly, uniform_bound

LAYERS = [
    (nn.Linear(200, 128), 200),
    (nn.Conv1d(4, 8, 100), 400),
    (nn.Conv2d(16, 32, 3), 144),
    (nn.Conv2d(16, 32, 3, groups=4), 36),
    (nn.ConvTranspose1d(4, 8, 50), 200),
]


@pytest.mark.parametrize(("layer", "fan_in"), LAYERS)
def test_weights_are_uniform_within_the_bound(layer: nn.Linear, fan_in: int) -> None:
    initialise_uniformly(layer, torch.Generator().manual_seed(0))
    bound = math.sqrt(6 / fan_in)
    assert uniform_bound(layer) == pytest.approx(bound)
    weight = layer.weight.detach()
    assert 0.97 * bound < float(weight.abs().max()) <= bound
    # a uniform distribution's variance; a normal one cut at the bound has less
    assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.1)
    assert float(weight.mean().abs()) < 0.1 * bound
    assert layer.bias is not None
    assert not bool(layer.bias.any())


def test_a_generator_makes_it_repeatable_and_leaves_the_global_one_alone() -> None:
    first, second = nn.Linear(20, 10), nn.Linear(20, 10)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    initialise_uniformly(first, torch.Generator().manual_seed(3))
    initialise_uniformly(second, torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.weight, second.weight)
    initialise_uniformly(second, torch.Generator().manual_seed(4))
    assert not torch.equal(first.weight, second.weight)


def test_norms_are_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8))
    initialise_uniformly(model)
    assert bool((model[1].weight == 1).all())
    assert bool((model[1].bias == 0).all())
