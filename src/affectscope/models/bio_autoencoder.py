"""The Bio Auto-Encoder, BAE: one signal window -> latent -> the window again (Table II).

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001, section III and Table II.

==================  ========  ===============  ========  ========  ==========
layer               input     kernel, filters  output    pooled    parameters
==================  ========  ===============  ========  ========  ==========
conv1               1 x 1000  200, 16          16 x 801  16 x 400  3,216
conv2               16 x 400  100, 8           8 x 301   8 x 150   12,808
conv3               8 x 150   50, 4            4 x 101   4 x 50    1,604
to_latent           200                        128                 25,728
from_latent         128                        200                 25,800
unpool, deconv3     4 x 101   50, 8            8 x 150             1,608
unpool, deconv2     8 x 301   100, 16          16 x 400            12,816
unpool, deconv1     16 x 801  200, 1           1 x 1000            3,201
all                                                                86,781
==================  ========  ===============  ========  ========  ==========

No padding; ReLU after every (transposed) convolution and after ``from_latent``; max-pool of 2
with stride 2.

Where the paper is silent or slips, and what we do:
1. Table II prints 402 for the first pool and a pool stride of 1; 400 and 2 are the ones that fit.
2. The unpooling sizes 101, 301, 801 are the encoder's lengths before its pools, so the paper
   unpools with the encoder's max indices: ``unpooling="indices"``, the default. They carry 7,800
   bits per window past the latent, so two decoders without them are offered: "stuffing" puts a
   zero after each sample, "interpolation" is linear. With those, ``decode`` works from the latent
   alone.
3. Whether the latent is rectified is not said: it is left linear, z in R^128.
4. The last ReLU can only give values >= 0: signals are scaled to [0, 1].
5. The last layer's bias starts at 0.5, the other biases at 0. From 0 the one output channel can
   turn negative everywhere in the first steps, and a ReLU that is 0 everywhere learns nothing:
   with Adam at 2e-3 that happened for two of three seeds, from 0.5 for none.

Legend: N rows, W window samples, Z latent size, C channels, L length before a pool, P after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectscope.errors import ModelError
from affectscope.models.initialisation import initialise_uniformly
from affectscope.models.long_convolution import LongConv1d, LongConvTranspose1d

Unpooling = Literal["indices", "stuffing", "interpolation"]

POOL = 2
KERNELS = (200, 100, 50)
FILTERS = (16, 8, 4)
OUTPUT_BIAS = 0.5
"""Start of the last layer's bias, the middle of [0, 1]."""


@dataclass(frozen=True)
class BioAutoEncoderConfig:
    """What a BAE is built from: W, Z, and how the decoder undoes a pool."""

    window_samples: int = 1000
    latent: int = 128
    unpooling: Unpooling = "indices"


class Encoded(NamedTuple):
    """A latent (N, Z), and the pools' max indices, each (N, C, P); none where not needed."""

    latent: Tensor
    indices: tuple[Tensor, ...]


def lengths_before_pools(window_samples: int) -> tuple[int, ...]:
    """The lengths that are pooled, and unpooled to: 801, 301, 101 for a window of 1000."""
    lengths = []
    samples = window_samples
    for kernel in KERNELS:
        lengths.append(samples - kernel + 1)
        samples = lengths[-1] // POOL
    return tuple(lengths)


class BioAutoEncoder(nn.Module):
    """Table II for signal windows (N, 1, W) scaled to [0, 1]."""

    def __init__(
        self, config: BioAutoEncoderConfig | None = None, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config or BioAutoEncoderConfig()
        self.lengths = lengths_before_pools(self.config.window_samples)
        wide, middle, narrow = FILTERS
        self.conv1 = LongConv1d(1, wide, KERNELS[0])
        self.conv2 = LongConv1d(wide, middle, KERNELS[1])
        self.conv3 = LongConv1d(middle, narrow, KERNELS[2])
        self.flat_shape = (narrow, self.lengths[-1] // POOL)
        flat = self.flat_shape[0] * self.flat_shape[1]
        self.to_latent = nn.Linear(flat, self.config.latent)
        self.from_latent = nn.Linear(self.config.latent, flat)
        self.deconv3 = LongConvTranspose1d(narrow, middle, KERNELS[2])
        self.deconv2 = LongConvTranspose1d(middle, wide, KERNELS[1])
        self.deconv1 = LongConvTranspose1d(wide, 1, KERNELS[0])
        initialise_uniformly(self, generator)
        assert self.deconv1.bias is not None
        nn.init.constant_(self.deconv1.bias, OUTPUT_BIAS)

    def encode(self, windows: Tensor) -> Encoded:
        """(N, 1, W) -> latent (N, Z), and the max indices where the decoder needs them."""
        keeps_indices = self.config.unpooling == "indices"
        indices = []
        signal = windows
        for convolution in (self.conv1, self.conv2, self.conv3):
            signal = convolution(signal).relu()  # (N, C, L)
            if keeps_indices:
                signal, where = functional.max_pool1d(signal, POOL, return_indices=True)
                indices.append(where)
            else:
                signal = functional.max_pool1d(signal, POOL)  # (N, C, P)
        return Encoded(self.to_latent(signal.flatten(1)), tuple(indices))

    def decode(self, latent: Tensor, indices: tuple[Tensor, ...] = ()) -> Tensor:
        """latent (N, Z) -> reconstruction (N, 1, W), >= 0.

        Args:
            indices: what ``encode`` returned; only ``unpooling="indices"`` reads them.

        Raises:
            ModelError: E_CONFIG, the decoder needs the encoder's indices and got none.
        """
        if self.config.unpooling == "indices" and len(indices) != len(KERNELS):
            raise ModelError(
                "E_CONFIG",
                "A decoder with unpooling 'indices' cannot work from the latent alone.",
                "Pass the indices that encode returned, or build the network with unpooling "
                "'stuffing' or 'interpolation'.",
            )
        signal: Tensor = self.from_latent(latent).relu().unflatten(1, self.flat_shape)
        layers = (self.deconv1, self.deconv2, self.deconv3)
        for level in (2, 1, 0):
            where = indices[level] if indices else None
            signal = layers[level](self._unpooled(signal, self.lengths[level], where)).relu()
        return signal

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, W) -> reconstruction (N, 1, W), latent (N, Z)."""
        encoded = self.encode(windows)
        return self.decode(encoded.latent, encoded.indices), encoded.latent

    def _unpooled(self, signal: Tensor, length: int, where: Tensor | None) -> Tensor:
        """(N, C, P) -> (N, C, L)."""
        if self.config.unpooling == "interpolation":
            return functional.interpolate(signal, size=length, mode="linear")
        if self.config.unpooling == "stuffing":
            stuffed = torch.stack([signal, torch.zeros_like(signal)], dim=-1).flatten(2)
            return functional.pad(stuffed, (0, length - stuffed.shape[-1]))
        assert where is not None
        return functional.max_unpool1d(signal, where, [POOL], output_size=[length])
