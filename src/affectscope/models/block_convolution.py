"""Long convolutions over a whole signal, channels last, for inference: as fast as they get.

``BlockConvolution``: neighbouring outputs see inputs that lie side by side in memory. So blocks of
the signal times one matrix, which holds the kernel ``BLOCK`` times, each shifted by one, give the
convolution: a third more products than necessary, but at the full speed of a matrix product.

``SpectralConvolution``: the product of spectra takes far fewer operations where many channels meet
long kernels, but rounds more.

Each channel's mean is taken off before and added after, since rounding grows with what is summed:
signals lie in [0, 1] and pools of ReLUs at or above 0, so the mean is most of what they hold.

Legend: G series, L length of a series, C channels in, O channels out, K kernel, B blocks,
n transform length, f frequency.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from affectscope.models.long_convolution import fast_length

BLOCK = 32
"""Outputs per row of the matrix product: 16 to 64 take about the same time."""
KERNELS_PER_TRANSFORM = 5


class BlockConvolution:
    """What ``conv1d`` gives without padding: (G, L, C) -> (G, L - K + 1, O).

    Args:
        weight: (O, C, K).
        bias: (O,), None for none.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        filters, channels, self._kernel = weight.shape
        matrix = weight.new_zeros(BLOCK, filters, BLOCK + self._kernel - 1, channels)
        for place in range(BLOCK):
            matrix[place, :, place : place + self._kernel] = weight.transpose(1, 2)
        self._matrix = matrix.view(BLOCK * filters, -1)
        self._bias = weight.new_zeros(filters) if bias is None else bias
        self._sums = weight.double().sum(dim=2)

    def __call__(self, series: Tensor) -> Tensor:
        groups, length, channels = series.shape
        blocks = -(-length // BLOCK)
        # Overlapping rows: each block of the signal and the K - 1 values after it. All groups lie
        # in one piece, so that nothing is copied; rows that reach into the next group are dropped.
        apart = groups * blocks * BLOCK
        padded = series.new_zeros((apart + self._kernel) * channels)
        inside = padded[: apart * channels].view(groups, -1, channels)[:, :length]
        mean = series.mean(dim=(0, 1))
        torch.sub(series, mean, out=inside)
        shape = (groups * blocks, self._matrix.shape[1])
        rows = padded.as_strided(shape, (BLOCK * channels, 1))
        bias = (self._sums @ mean.double() + self._bias).to(series.dtype)
        slid = functional.linear(rows, self._matrix, bias.repeat(BLOCK))
        return slid.view(groups, blocks * BLOCK, -1)[:, : length - self._kernel + 1]


class SpectralConvolution:
    """What ``conv1d`` gives without padding or bias: (G, L, C) -> (G, L - K + 1, O).

    Args:
        weight: (O, C, K).
    """

    def __init__(self, weight: Tensor) -> None:
        kernel = weight.shape[2]
        self._n = fast_length(KERNELS_PER_TRANSFORM * kernel)
        self._kept = self._n - kernel + 1
        # A conjugate correlates; what wraps around lies behind the values that are kept.
        spectra = torch.fft.rfft(weight, self._n).conj_physical()
        self._spectra = spectra.permute(2, 1, 0).contiguous()  # (f, C, O)
        self._sums = weight.sum(dim=2)

    def __call__(self, series: Tensor) -> Tensor:
        groups, length, channels = series.shape
        count = length - (self._n - self._kept)
        blocks = -(-count // self._kept)
        mean = series.mean(dim=(0, 1))
        padded_length = blocks * self._kept + self._n - self._kept
        padded = series.new_zeros(groups, channels, padded_length)
        torch.sub(series.transpose(1, 2), mean[:, None], out=padded[..., :length])
        overlapping = padded.as_strided(
            (groups, blocks, channels, self._n),
            (padded.stride(0), self._kept, padded.stride(1), 1),
        )
        spectrum = torch.fft.rfft(overlapping.flatten(0, 1)).permute(2, 0, 1)  # (f, G B, C)
        slid = torch.fft.irfft(spectrum.contiguous() @ self._spectra, self._n, dim=0)[: self._kept]
        slid = slid.view(self._kept, groups, blocks, -1).permute(1, 2, 0, 3)
        joined: Tensor = slid.flatten(1, 2)[:, :count] + self._sums @ mean
        return joined


def pooled_apart(series: Tensor) -> Tensor:
    """ReLU and a pool of 2 from any start: (G, L, C) -> (2 G, (L - 1) // 2, C).

    Series g of the result holds the pools that begin at the places g, g + 2 G, g + 4 G, ... where
    series g of ``series`` holds the places g, g + G, ...
    """
    groups, length, channels = series.shape
    count = (length - 1) // 2
    first, second = series[:, 0 : 2 * count : 2], series[:, 1 : 2 * count + 1 : 2]
    pooled = series.new_empty(2, groups, count, channels)
    torch.maximum(first, second, out=pooled[0])
    torch.maximum(second, series[:, 2 : 2 * count + 2 : 2], out=pooled[1])
    return pooled.clamp_(min=0).view(2 * groups, count, channels)


def in_order(series: Tensor) -> Tensor:
    """(G, L, C), series g holding the places g, g + G, ... -> (G L, C) all places."""
    return series.transpose(0, 1).flatten(0, 1)
