"""The fused network: windows of face, ECG and EDA -> a trial's ratings, variances and emotions.

It stands beside the paper's networks and follows METHOD.md section 8. Widths for D = 48:

==========================  =============================  =====================================
stage                       shape                          what it is
==========================  =============================  =====================================
tokens                      (B, K, inputs) -> (B, K, D)    one for each modality of a window
missing tokens              (3, D)                         learnt; stand for what is not there
join                        (B, K, 3 D) -> (B, K, D)       a window's three tokens
attention (if asked for)    (B, K, D) -> (B, K, D)         one block, four heads, no positions
pooling                     (B, K, D) -> (B, D)            weights learnt with attention, else equal
late features               (B, H), (B, S) -> (B, 16) x 2  heart and skin; missing ones are learnt
heads                       (B, D + 32) -> (B, 10), (B, 3) estimates; log variances of ratings
==========================  =============================  =====================================

What a reader must know:
1. K is the same for every trial and no window has a position: neither elapsed time nor the length
   of the clip is among the inputs.
2. In training each modality of a trial is taken away with probability ``modality_dropout``, its
   late features with it, but never all that a trial has.
3. A trial of which no window has any modality gets estimates from missing tokens alone: its caller
   leaves them out (``TrialInputs.scored``).

Legend: B trials, K windows of a trial, D width, H heart and S skin features, R = 3 ratings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectscope.errors import ModelError
from affectscope.models.shipped import OpenedModel
from affectscope.models.strict_json import decode
from affectscope.records import EMOTIONS, MODALITIES, TARGETS

RATINGS = len(TARGETS) - len(EMOTIONS)
LATE_WIDTH, HEADS = 16, 4
DROPOUT, LATE_DROPOUT = 0.1, 0.3
LOWEST_LOG_VARIANCE, HIGHEST_LOG_VARIANCE = -4.0, 2.0
"""Of ratings in [-1, 1]: a deviation between 0.14 and 2.7."""

SignalInput = Literal["samples", "latent"]
Pooling = Literal["attention", "mean"]
Variance = Literal["stated", "none"]


@dataclass(frozen=True)
class FusedConfig:
    """What decides the network's shape.

    Attributes:
        face, ecg, eda: numbers of a window's inputs; 0 where the corpus has no such modality.
        heart, skin: numbers of late features; 0 without.
        signals: "samples" go through a small convolution that is learnt; "latent" vectors come
            from a masked auto-encoder (``fused_masked``).
        pooling: attention over a trial's windows, or their mean.
        modality_dropout: probability in training, 0 to below 1.
        variance: "none": the log variances were not learnt and mean nothing.
    """

    face: int
    ecg: int
    eda: int
    heart: int = 0
    skin: int = 0
    signals: SignalInput = "samples"
    width: int = 48
    pooling: Pooling = "attention"
    modality_dropout: float = 0.3
    variance: Variance = "stated"

    def __post_init__(self) -> None:
        sizes = (self.face, self.ecg, self.eda, self.heart, self.skin)
        fits = min(sizes) >= 0 and sum(sizes) > 0 and max(sizes) <= 1 << 16
        fits = fits and 0 <= self.modality_dropout < 1
        if not fits or not HEADS <= self.width <= 1024 or self.width % HEADS:
            raise ModelError(
                "E_CONFIG",
                f"A fused network cannot have the shape {asdict(self)}.",
                f"Sizes are 0 or more, not all 0; the width is a multiple of {HEADS} up to 1024; "
                "modality dropout lies in [0, 1).",
            )


class TrialInputs(NamedTuple):
    """What the network is given of B trials.

    Attributes:
        face, ecg, eda: (B, K, inputs) float32, finite, also where they are not there.
        present: (B, K, 3) bool, face, ECG, EDA.
        heart, skin: (B, H), (B, S) standardised, 0 where not measured.
    """

    face: Tensor
    ecg: Tensor
    eda: Tensor
    present: Tensor
    heart: Tensor
    skin: Tensor

    def part(self, trials: Any) -> TrialInputs:
        """Some of the trials."""
        return TrialInputs(*(each[trials] for each in self))

    @property
    def scored(self) -> Tensor:
        """(B,) which trials have some modality in some window."""
        return self.present.any(dim=2).any(dim=1)

    def without(self, modality: int) -> TrialInputs:
        """The same trials, had that modality (its place in ``MODALITIES``) not been recorded."""
        present = self.present.clone()
        present[..., modality] = False
        return self._replace(present=present)


class FusedOutput(NamedTuple):
    """Ratings (B, R), their log variances (B, R), and logits of emotions (B, 7)."""

    ratings: Tensor
    log_variance: Tensor
    emotions: Tensor

    @property
    def estimates(self) -> Tensor:
        """(B, 10) in the order of ``TARGETS``, each within its range."""
        return torch.cat([self.ratings.clamp(-1, 1), self.emotions.sigmoid()], dim=1)


class FusedNetwork(nn.Module):
    """See the head of this file."""

    def __init__(self, config: FusedConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.tokens = nn.ModuleDict(
            {name: _token(config, name) for name in MODALITIES if getattr(config, name)}
        )
        self.missing = nn.Parameter(0.1 * torch.randn(len(MODALITIES), width))
        self.join = nn.Sequential(nn.Linear(len(MODALITIES) * width, width), nn.LayerNorm(width))
        attends = config.pooling == "attention"
        self.attention = _Attention(width) if attends else None
        self.weigh = nn.Linear(width, 1) if attends else None
        late = {"heart": config.heart, "skin": config.skin}
        self.late = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(count, LATE_WIDTH), nn.ReLU())
                for name, count in late.items()
                if count
            }
        )
        self.late_missing = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(LATE_WIDTH)) for name in self.late}
        )
        joined = width + LATE_WIDTH * len(self.late)
        self.dropout = nn.Dropout(LATE_DROPOUT)
        self.estimate = nn.Linear(joined, len(TARGETS))
        self.spread = nn.Linear(joined, RATINGS)
        nn.init.zeros_(self.spread.weight)

    def forward(self, inputs: TrialInputs) -> FusedOutput:
        present = self._kept(inputs.present)
        used = present.any(dim=2)
        used = used | ~used.any(dim=1, keepdim=True)  # a trial without anything: see the head, 3
        windows = self.join(self._tokens(inputs, present))
        if self.attention is not None:
            windows = self.attention(windows, used)
        pooled = (self._weights(windows, used)[..., None] * windows).sum(dim=1)
        joined = self.dropout(torch.cat([pooled, *self._late(inputs, present.any(dim=1))], dim=1))
        found = self.estimate(joined)
        spread = self.spread(joined).clamp(LOWEST_LOG_VARIANCE, HIGHEST_LOG_VARIANCE)
        return FusedOutput(found[:, :RATINGS], spread, found[:, RATINGS:])

    def _kept(self, present: Tensor) -> Tensor:
        """(B, K, 3) after modality dropout; outside training all that is there."""
        share = self.config.modality_dropout
        if not self.training or share == 0:
            return present
        drawn = torch.rand(len(present), len(MODALITIES), device=present.device)
        there = present.any(dim=1)
        dropped = (drawn < share) & there
        alone = dropped.sum(dim=1) == there.sum(dim=1)
        kept = drawn.masked_fill(~there, -1.0).argmax(dim=1)  # the last one to be dropped stays
        dropped[alone, kept[alone]] = False
        return present & ~dropped[:, None, :]

    def _tokens(self, inputs: TrialInputs, present: Tensor) -> Tensor:
        """(B, K, 3 D)."""
        found = []
        for place, name in enumerate(MODALITIES):
            missing = self.missing[place].expand(*present.shape[:2], -1)
            if name in self.tokens:
                token = self.tokens[name](getattr(inputs, name))
                missing = torch.where(present[..., place, None], token, missing)
            found.append(missing)
        return torch.cat(found, dim=2)

    def _weights(self, windows: Tensor, used: Tensor) -> Tensor:
        """(B, K), each trial's sum is 1."""
        if self.weigh is None:
            return used / used.sum(dim=1, keepdim=True)
        scores: Tensor = self.weigh(windows).squeeze(2)
        return scores.masked_fill(~used, -math.inf).softmax(dim=1)

    def _late(self, inputs: TrialInputs, there: Tensor) -> list[Tensor]:
        """(B, 16) of heart, which goes with the ECG, and of skin, which goes with the EDA."""
        places = {"heart": MODALITIES.index("ecg"), "skin": MODALITIES.index("eda")}
        return [
            torch.where(there[:, places[name], None], layer(getattr(inputs, name)), missing)
            for (name, layer), missing in zip(
                self.late.items(), self.late_missing.values(), strict=True
            )
        ]


class _Attention(nn.Module):
    """A transformer block over a trial's windows, without positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked, self.told = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.through = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, windows: Tensor, used: Tensor) -> Tensor:
        """(B, K, D) -> (B, K, D); windows that are not ``used`` (B, K) are not looked at."""
        count, steps, width = windows.shape
        parts = self.asked(self.before(windows)).view(count, steps, 3, HEADS, width // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=used[:, None, None, :]
        )
        told = self.told(seen.transpose(1, 2).reshape(count, steps, width))
        windows = windows + self.dropout(told)
        found: Tensor = windows + self.dropout(self.through(self.between(windows)))
        return found


class _SignalToken(nn.Module):
    """A window's samples -> a token: three convolutions, mean and maximum over time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 8, 15, stride=2, padding=7), nn.ReLU(),
            nn.Conv1d(8, 16, 9, stride=2, padding=4), nn.ReLU(),
            nn.Conv1d(16, 32, 7, stride=2, padding=3), nn.ReLU(),
        )  # fmt: skip
        self.out = nn.Linear(64, width)

    def forward(self, samples: Tensor) -> Tensor:
        """(B, K, S) -> (B, K, D)."""
        found = self.layers(samples.flatten(0, 1)[:, None])
        pooled = torch.cat([found.mean(dim=2), found.amax(dim=2)], dim=1)
        token: Tensor = self.out(pooled).reshape(*samples.shape[:2], -1)
        return token


def _token(config: FusedConfig, name: str) -> nn.Module:
    if name != "face" and config.signals == "samples":
        return _SignalToken(config.width)
    return nn.Linear(getattr(config, name), config.width)


def fused_network(opened: OpenedModel, prefix: str = "fused.") -> FusedNetwork:
    """The network of a model's folder, ready to estimate.

    Raises:
        ModelError: E_CHECKPOINT where the folder holds another kind, or tensors that do not fit.
    """
    opened.of_kind("fused")
    config = decode(FusedConfig, opened.contract.configuration.get("network"), "network")
    network = FusedNetwork(config)
    load_part(network, opened.tensors, prefix)
    return network.eval()


def load_part(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Load the tensors whose names begin with ``prefix``.

    Raises:
        ModelError: E_CHECKPOINT where they do not fit.
    """
    own = {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }
    wanted = {name: each.shape for name, each in module.state_dict().items()}
    if {name: each.shape for name, each in own.items()} != wanted:
        raise ModelError(
            "E_CHECKPOINT",
            "The model cannot be used: its weights do not fit the network that it describes.",
            "Take an unchanged copy of the model, or train it again.",
        )
    module.load_state_dict(own)
