"""The paper's two losses (section III-C): L2 on the targets, L2 on the reconstruction.

Legend: N rows, T targets, W window samples.
"""

from __future__ import annotations

import torch
from torch import Tensor


def target_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error over the rated entries; estimate and truth (N, T), NaN where not rated."""
    rated = ~torch.isnan(truth)
    difference = torch.where(rated, estimate - torch.nan_to_num(truth), torch.zeros_like(estimate))
    return difference.square().sum() / rated.sum().clamp(min=1)


def reconstruction_loss(reconstruction: Tensor, signal: Tensor, present: Tensor) -> Tensor:
    """Mean squared error over the windows that are there; (N, 1, W), present (N,) bool."""
    per_window = (reconstruction - signal).square().mean(dim=(1, 2))
    return (per_window * present).sum() / present.sum().clamp(min=1)
