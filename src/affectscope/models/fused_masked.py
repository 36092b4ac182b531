"""A masked auto-encoder of ECG and EDA together, in place of the paper's two auto-encoders.

======================  ==============================  =====================================
stage                   shape                           what it is
======================  ==============================  =====================================
ECG patches             (N, S) -> (N, P, 25)            0.39 s each at 64 Hz
EDA patches             (N, L) -> (N, Q, 8)             2 s each at 4 Hz
tokens                  -> (N, P + Q, D)                a linear layer each, and where it lies
mask                                                    one learnt token stands for what is hidden
two attention blocks    -> (N, P + Q, D)                ECG and EDA look at each other
reconstruction          -> (N, P, 25), (N, Q, 8)        a linear layer each
latent of a signal      -> (N, 2 D)                     mean and deviation over its own tokens
======================  ==============================  =====================================

Positions are those inside a window, which tell nothing of the trial. The latent of one signal is
read while the other is hidden, so that it stays the same when the other one is missing.

After K. He et al., Masked autoencoders are scalable vision learners, CVPR 2022; one light network
reads visible and hidden tokens alike (Z. Xie et al., SimMIM, CVPR 2022).

Legend: N windows, S and L samples, P and Q patches of ECG and EDA, D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from affectscope.errors import ModelError

ECG_PATCH, EDA_PATCH = 25, 8


@dataclass(frozen=True)
class MaskedConfig:
    """Sizes; samples are multiples of the patches.

    Raises:
        ModelError: E_CONFIG where they are not.
    """

    ecg: int
    eda: int
    width: int = 32
    heads: int = 4
    blocks: int = 2

    def __post_init__(self) -> None:
        fits = 0 < self.ecg <= 1 << 14 and 0 < self.eda <= 1 << 14
        fits = fits and self.ecg % ECG_PATCH == 0 and self.eda % EDA_PATCH == 0
        fits = fits and 0 < self.heads <= self.width <= 1024 and self.width % self.heads == 0
        if not fits or not 0 < self.blocks <= 12:
            raise ModelError(
                "E_CONFIG",
                f"A masked auto-encoder cannot have {self.ecg} samples of ECG and {self.eda} of "
                f"EDA, width {self.width}, {self.heads} heads and {self.blocks} blocks.",
                f"ECG takes multiples of {ECG_PATCH} samples, EDA of {EDA_PATCH}; the width is a "
                "multiple of the heads.",
            )

    @property
    def patches(self) -> tuple[int, int]:
        """P and Q."""
        return self.ecg // ECG_PATCH, self.eda // EDA_PATCH

    @property
    def latent(self) -> int:
        """Numbers of a signal's latent."""
        return 2 * self.width


class MaskedAutoencoder(nn.Module):
    """See the head of this file."""

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config
        self.ecg_token = nn.Linear(ECG_PATCH, config.width)
        self.eda_token = nn.Linear(EDA_PATCH, config.width)
        self.place = nn.Parameter(0.02 * torch.randn(sum(config.patches), config.width))
        self.mask = nn.Parameter(torch.zeros(config.width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width, config.heads, 2 * config.width, 0.0, "gelu", batch_first=True,
                norm_first=True,
            )
            for _ in range(config.blocks)
        )  # fmt: skip
        self.ecg_out = nn.Linear(config.width, ECG_PATCH)
        self.eda_out = nn.Linear(config.width, EDA_PATCH)

    def patches(self, ecg: Tensor, eda: Tensor) -> tuple[Tensor, Tensor]:
        """(N, S), (N, L) -> (N, P, 25), (N, Q, 8)."""
        return ecg.reshape(len(ecg), -1, ECG_PATCH), eda.reshape(len(eda), -1, EDA_PATCH)

    def encoded(self, ecg: Tensor, eda: Tensor, visible: Tensor) -> Tensor:
        """(N, P + Q, D); only ``visible`` (N, P + Q) patches are looked at."""
        heart, skin = self.patches(ecg, eda)
        tokens = torch.cat([self.ecg_token(heart), self.eda_token(skin)], dim=1)
        tokens = torch.where(visible[..., None], tokens, self.mask) + self.place
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def forward(self, ecg: Tensor, eda: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """What the patches are taken to be: (N, P, 25) and (N, Q, 8)."""
        found, first = self.encoded(ecg, eda, visible), self.config.patches[0]
        return self.ecg_out(found[:, :first]), self.eda_out(found[:, first:])

    def latents(self, ecg: Tensor, eda: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2 D) of each signal by itself."""
        first, count = self.config.patches[0], sum(self.config.patches)
        own = torch.arange(count, device=ecg.device) < first
        hidden = torch.zeros_like(ecg), torch.zeros_like(eda)
        heart = self.encoded(ecg, hidden[1], own.expand(len(ecg), -1))[:, :first]
        skin = self.encoded(hidden[0], eda, (~own).expand(len(eda), -1))[:, first:]
        return _moments(heart), _moments(skin)


def _moments(tokens: Tensor) -> Tensor:
    """(N, n, D) -> (N, 2 D) mean and deviation."""
    return torch.cat([tokens.mean(dim=1), tokens.std(dim=1, correction=0)], dim=1)
