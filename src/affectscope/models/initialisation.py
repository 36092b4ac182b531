"""Uniform weight initialisation (FG 2020, section III).

Where the paper is silent, and what we do:
1. The bound is not given: He's for ReLU layers, weights ~ U(-b, b) with b = sqrt(6 / fan_in),
   where fan_in counts the inputs that one output sums over (He et al., Delving deep into
   rectifiers, ICCV 2015).
2. Biases start at zero, norms at scale one and shift zero.
3. The paper's face network starts from ImageNet: such weights are loaded afterwards and replace
   these.
"""

from __future__ import annotations

import math

import torch
from torch import nn

_Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d


def uniform_bound(layer: nn.Linear | _Convolution) -> float:
    """b = sqrt(6 / fan_in) of a layer."""
    if isinstance(layer, nn.Linear):
        return math.sqrt(6 / layer.in_features)
    fan_in = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return math.sqrt(6 / fan_in)


def initialise_uniformly(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw every linear and convolution weight of a model anew, in place; biases become zero.

    ``generator`` None draws from torch's global one (``torch.manual_seed``).
    """
    for layer in model.modules():
        if isinstance(layer, nn.Linear | _Convolution):
            bound = uniform_bound(layer)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
