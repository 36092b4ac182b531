"""What the fused network and its masked auto-encoder are trained by.

Ratings: one minus the concordance correlation (CCC) over the trials of a batch, and the negative
log likelihood of a Gaussian whose variance the network states (heteroscedastic), or a squared error
in its place. Emotions: binary cross entropy. What is not rated counts in nothing.

Sources: L. Lin, A concordance correlation coefficient to evaluate reproducibility, Biometrics 45,
1989; D. Nix, A. Weigend, Estimating the mean and variance of the target probability distribution,
ICNN 1994.

Legend: B trials, R ratings, E emotions, N windows, P patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from affectscope.models.fused import RATINGS, FusedOutput
from affectscope.models.fused_masked import MaskedAutoencoder

MASKED_SHARE = 0.6
"""Of the patches, hidden from the auto-encoder."""
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class FusedLoss:
    """Which terms the ratings are learnt by.

    ``ccc``: with the concordance term; ``heteroscedastic``: likelihood, not squared error.
    """

    ccc: bool = True
    heteroscedastic: bool = True

    def __call__(self, output: FusedOutput, truth: Tensor) -> Tensor:
        """Of B trials; truth (B, R + E), NaN where not rated."""
        ratings, emotions = truth[:, :RATINGS], truth[:, RATINGS:]
        if self.heteroscedastic:
            error = gaussian_likelihood(output.ratings, output.log_variance, ratings)
        else:
            error = _mean((output.ratings - ratings.nan_to_num()).square(), ratings)
        if self.ccc:
            error = error + concordance_loss(output.ratings, ratings)
        each = functional.binary_cross_entropy_with_logits(
            output.emotions, emotions.nan_to_num(), reduction="none"
        )
        return error + _mean(each, emotions)


def concordance_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """1 - CCC, the mean over ratings (B, R) of which two trials differ; 0 where there is none."""
    rated = torch.isfinite(truth)
    count = rated.sum(dim=0).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return torch.where(rated, values, 0.0).sum(dim=0) / count

    known = truth.nan_to_num()
    middle, true_middle = mean(estimate), mean(known)
    variance = mean((estimate - middle).square())
    true_variance = mean((known - true_middle).square())
    shared = mean((estimate - middle) * (known - true_middle))
    apart = variance + true_variance + (middle - true_middle).square()
    concordance = 2 * shared / apart.clamp(min=_LEAST_VARIANCE)
    varies = true_variance > _LEAST_VARIANCE
    lost = torch.where(varies, 1 - concordance, 0.0)
    return lost.sum() / varies.sum().clamp(min=1)


def gaussian_likelihood(estimate: Tensor, log_variance: Tensor, truth: Tensor) -> Tensor:
    """Mean negative log likelihood over what is rated, less the constant; all (B, R)."""
    squared = (estimate - truth.nan_to_num()).square()
    return _mean(0.5 * (log_variance + squared * (-log_variance).exp()), truth)


def _mean(values: Tensor, truth: Tensor) -> Tensor:
    """Over what is rated; 0 where nothing is."""
    rated = torch.isfinite(truth)
    return torch.where(rated, values, 0.0).sum() / rated.sum().clamp(min=1)


@dataclass(frozen=True, eq=False)
class SignalWindows:
    """N windows of ECG (N, S) and EDA (N, L) float32, and which are there: (N, 2) bool."""

    ecg: Tensor
    eda: Tensor
    there: Tensor

    def __len__(self) -> int:
        return len(self.there)

    def part(self, rows: Tensor) -> SignalWindows:
        """Some of them."""
        return SignalWindows(self.ecg[rows], self.eda[rows], self.there[rows])


def masked_error(
    network: MaskedAutoencoder, windows: SignalWindows, generator: torch.Generator
) -> Tensor:
    """Mean squared error over hidden patches of what is there; 0 where nothing is.

    The mean over ECG's patches and that over EDA's weigh the same.
    """
    first, second = network.config.patches
    there = windows.there.repeat_interleave(torch.tensor([first, second]), dim=1)
    hidden = torch.rand(there.shape, generator=generator) < MASKED_SHARE
    patches = network.patches(windows.ecg, windows.eda)
    found = network(windows.ecg, windows.eda, there & ~hidden)
    masked = there & hidden
    counted = masked[:, :first], masked[:, first:]
    error = torch.zeros(())
    for rebuilt, patch, some in zip(found, patches, counted, strict=True):
        each = (rebuilt - patch).square().mean(dim=2)
        error = error + torch.where(some, each, 0.0).sum() / some.sum().clamp(min=1)
    return error
