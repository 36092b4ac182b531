"""The paper's two losses (section III-C): L2 on the targets, L2 on the reconstruction.

Each is given as a sum and the number of terms that it is a mean of, so that parts of a batch, on
one device after another or on several at once, add up to the loss of the whole.

Legend: N rows, T targets, W window samples.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rated(truth: Tensor) -> Tensor:
    """(N, T) bool: which entries count."""
    return ~torch.isnan(truth)


def target_error(estimate: Tensor, truth: Tensor) -> Tensor:
    """Sum of squared errors over the rated entries; estimate and truth (N, T), NaN not rated."""
    difference = torch.where(
        rated(truth), estimate - torch.nan_to_num(truth), torch.zeros_like(estimate)
    )
    return difference.square().sum()


def reconstruction_error(reconstruction: Tensor, signal: Tensor, present: Tensor) -> Tensor:
    """Sum over the windows that are there of their mean squared errors; (N, 1, W), present (N,)."""
    per_window = (reconstruction - signal).square().mean(dim=(1, 2))
    return torch.where(present, per_window, 0.0).sum()
