"""What each signal encoder adds to the head's first layer, for every start in a stretch of signal.

A head's first layer is linear over concatenated features, so an encoder adds W f to it: its share.
Over a whole signal no window needs features of its own: a feature is a value of a pooled series,
so W f is one more convolution, over those series. The latent is linear too: W and the layer that
makes it are one matrix.

The Bio Network pads. So the first and last features of a window differ from the shared ones; they
are made for every start as well, from the shared values and what the padding changes in them.

Legend: n starts, W window samples, O outputs of the head's first layer, P pooled stem values of a
window, p of a branch, L length of a series, E features that see an end of their window.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from affectscope.models.bio_autoencoder import BioAutoEncoder
from affectscope.models.bio_network import (
    BRANCH_FILTERS,
    BRANCH_KERNELS,
    PADDING,
    POOL,
    STEM_FILTERS,
    STEM_KERNEL,
    BioNetwork,
)
from affectscope.models.block_convolution import (
    BlockConvolution,
    SpectralConvolution,
    in_order,
    pooled_apart,
)
from affectscope.models.long_convolution import LongConv1d

STEP = 8
"""The number of starts is a multiple of this, the product of the pools."""
BLOCK = 2048
"""Half the starts whose window ends are made at a time: what is made of them stays in the cache."""


class AutoencoderTable:
    """Shares of a BAE's latent.

    Args:
        head: (O, Z) the head's weights for the latent.

    Attributes:
        before: samples needed before the first start; ``extra``: more samples than starts.
    """

    before = 0

    def __init__(self, autoencoder: BioAutoEncoder, head: Tensor) -> None:
        latent = autoencoder.to_latent
        # Joined in double precision, so that this rounds no more than two layers do.
        weight = (head.double() @ latent.weight.double()).to(head.dtype)
        bias = (head.double() @ latent.bias.double()).to(head.dtype)
        self._layers = [
            BlockConvolution(layer.weight, layer.bias)
            for layer in (autoencoder.conv1, autoencoder.conv2, autoencoder.conv3)
        ]
        self._share = BlockConvolution(weight.view(-1, *autoencoder.flat_shape), bias)
        self.extra = autoencoder.config.window_samples - 1

    def __call__(self, samples: Tensor) -> Tensor:
        """(n + ``extra``,) -> (n, O) for the windows that start at each of the first n samples."""
        series = samples.view(1, -1, 1)
        for layer in self._layers:
            series = pooled_apart(layer(series))
        return in_order(self._share(series))[: len(samples) - self.extra]


class BioNetworkTable:
    """Shares of a Bio Network's features.

    Places count from the first sample given. The window of place u starts in the padding: its own
    first sample lies ``before`` places later, its stem value i is the pooled stem at u + 4 + 2 i,
    its branches' value j the branch at u + 2 j, and their pooled value p lies at u + 4 p.

    Args:
        head: (O, F) the head's weights for the features.

    Attributes:
        before, extra: as in ``AutoencoderTable``.
    """

    before = PADDING + POOL * PADDING

    def __init__(self, network: BioNetwork, head: Tensor, window_samples: int) -> None:
        layers = (network.conv2, network.conv3, network.conv4)
        self._stem = BlockConvolution(network.conv1.weight, network.conv1.bias)
        self._branches = [BlockConvolution(layer.weight, layer.bias) for layer in layers]
        pooled = (window_samples + 2 * PADDING - STEM_KERNEL + 1) // POOL  # P
        stem, *parts = _blocks(head, pooled)
        branches = [
            _Branch.of(layer, part, pooled) for layer, part in zip(layers, parts, strict=True)
        ]
        self._shared = _shared_kernel(stem, branches)
        self._ends = _WindowEnds(network.conv1, stem, branches)
        reach = STEM_KERNEL + POOL * max(BRANCH_KERNELS)
        self.extra = POOL * pooled + reach + 2 * STEP

    def __call__(self, samples: Tensor) -> Tensor:
        """(n + ``extra``,) -> (n, O) for the windows that start at sample ``before`` and after."""
        count = len(samples) - self.extra
        stem = self._stem(samples.view(1, -1, 1))  # (1, L, 4)
        pooled = pooled_apart(stem)  # (2, L, 4)
        branches = [slide(pooled) for slide in self._branches]  # (2, L, 2) each
        shared = self._shared(_four_places_apart(pooled, branches))[:, : count // 4]
        ends = self._ends(
            _Values(
                samples,
                stem[0].T.contiguous(),
                pooled.permute(2, 0, 1).contiguous(),
                [branch.permute(2, 0, 1).contiguous() for branch in branches],
            ),
            count,
        )
        return in_order(shared).add_(ends)


def _blocks(head: Tensor, pooled: int) -> list[Tensor]:
    """The head's weights for the stem (O, 4, P), and for each branch (O, 2, p)."""
    lengths = [(pooled + 2 * PADDING - kernel + 1) // POOL for kernel in BRANCH_KERNELS]
    shapes = [(STEM_FILTERS, pooled), *((BRANCH_FILTERS, length) for length in lengths)]
    columns = torch.split(head, [filters * length for filters, length in shapes], dim=1)
    return [part.reshape(len(head), *shape) for part, shape in zip(columns, shapes, strict=True)]


class _Branch(NamedTuple):
    """A branch: its kernel (2, 4, K), the head's weights (O, 2, p) for its pooled values, and which
    of them, from ``first`` to before ``stop``, all windows share."""

    kernel: Tensor
    head: Tensor
    first: int
    stop: int

    @classmethod
    def of(cls, layer: LongConv1d, head: Tensor, pooled: int) -> _Branch:
        return cls(layer.weight, head, PADDING, (pooled + PADDING - layer.kernel_size[0]) // POOL)


def _shared_kernel(stem: Tensor, branches: list[_Branch]) -> SpectralConvolution:
    """The head's weights for all features that windows share, over ``_four_places_apart``."""
    length = max(stem.shape[2] // 2 + 2, *(branch.head.shape[2] for branch in branches))
    inner = functional.pad(stem[..., 1:-1], (1, 1))  # the ends are not shared
    parts = [functional.pad(inner[..., parity::2], (1, 0)) for parity in range(2)]
    for branch in branches:
        own = branch.head[..., branch.first : branch.stop]
        parts.append(functional.pad(own, (branch.first, 0)))
    filled = [functional.pad(part, (0, length - part.shape[2])) for part in parts]
    return SpectralConvolution(torch.cat(filled, dim=1))


def _four_places_apart(stem: Tensor, branches: list[Tensor]) -> Tensor:
    """(4, L, 2 * 4 + 3 * 2): the pooled stem at a place and 2 later, the branches' pools."""
    now = torch.cat([stem[:, :-1:2], stem[:, 1::2]])
    pools = [pooled_apart(branch) for branch in branches]
    length = min(now.shape[1] - 1, *(pool.shape[1] for pool in pools))
    later = torch.cat([now[2:, :length], now[:2, 1 : 1 + length]])
    return torch.cat([now[:, :length], later, *(pool[:, :length] for pool in pools)], dim=2)


class _Values(NamedTuple):
    """samples (L,); channels first: the stem before (4, L) and after its pool (4, 2, L), the
    branches before theirs (2, 2, L) each."""

    samples: Tensor
    stem: Tensor
    pooled: Tensor
    branches: list[Tensor]


class _WindowEnds:
    """The share of the features that see an end of their window.

    Of the stem these are the first and the last pooled value. A branch's values that see those, or
    the padding around them, are the shared ones plus what differs times the taps that see it.
    """

    def __init__(self, layer: LongConv1d, stem: Tensor, branches: list[_Branch]) -> None:
        self._end = stem.shape[2] - 1
        self._taps = layer.weight[:, 0, [0, 1, -1], None].transpose(0, 1)  # may lie in the padding
        own = [[*range(b.first), *range(b.stop, b.head.shape[2])] for b in branches]
        heads = [
            branch.head[..., places].transpose(1, 2).flatten(1)
            for branch, places in zip(branches, own, strict=True)
        ]
        self._head = torch.cat([stem[..., 0], stem[..., -1], *heads], dim=1)
        # (branch, value) of the first of each pair that is pooled, then of the second.
        self._places = [
            (index, POOL * place + second)
            for second in range(POOL)
            for index, places in enumerate(own)
            for place in places
        ]
        self._matrix = torch.cat([self._row(branches[i].kernel, j) for i, j in self._places])

    def _row(self, kernel: Tensor, value: int) -> Tensor:
        """(2, 8 * 4): what each part of ``_differing`` changes in a branch's value."""
        row = kernel.new_zeros(BRANCH_FILTERS, 8, STEM_FILTERS)
        # The stem's value, the part to take out, the part to put in.
        own = ((0, 2, 3), (self._end, 4, 5))
        padding = ((-2, 0, None), (-1, 1, None), (self._end + 1, 6, None), (self._end + 2, 7, None))
        for place, out, put in (*own, *padding):
            tap = place + PADDING - value
            if 0 <= tap < kernel.shape[2]:
                row[:, out] = -kernel[..., tap]
                if put is not None:
                    row[:, put] = kernel[..., tap]
        return row.flatten(1)

    def __call__(self, values: _Values, count: int) -> Tensor:
        """-> (n, O)"""
        first, last = self._stem_features(values, count)  # (4, 2, n / 2)
        shares = first.new_empty(count // 2, 2, len(self._head))
        for place in range(0, count // 2, BLOCK):
            part = slice(place, place + BLOCK)
            features = self._features(values, place, first[..., part], last[..., part])
            own = self._head @ features  # (O, 2 * block)
            shares[part] = own.view(len(own), 2, -1).permute(2, 1, 0)
        return shares.flatten(0, 1)

    def _features(self, values: _Values, place: int, first: Tensor, last: Tensor) -> Tensor:
        """(E, 2 * block) all features that see an end, of the starts from ``place`` on."""
        size = first.shape[2]

        def stem(value: int) -> Tensor:
            begin = place + PADDING + value
            return values.pooled[..., begin : begin + size]

        behind = (stem(self._end + 1), stem(self._end + 2))
        differing = torch.cat([stem(-2), stem(-1), stem(0), first, stem(self._end), last, *behind])
        shared = torch.cat(
            [values.branches[i][..., place + j : place + j + size] for i, j in self._places]
        )
        pairs = shared.flatten(1).addmm_(self._matrix, differing.flatten(1))
        earlier, later = pairs.chunk(POOL)
        larger = torch.maximum(earlier, later).clamp_(min=0)
        return torch.cat([first.flatten(1), last.flatten(1), larger])

    def _stem_features(self, values: _Values, count: int) -> list[Tensor]:
        """The first and the last pooled stem value of each window, (4, 2, n / 2) each."""
        earliest, early, latest = self._taps
        begin, end = POOL * PADDING, POOL * (PADDING + self._end)

        def stem(place: int) -> Tensor:
            return values.stem[:, place : place + count]

        def sample(place: int) -> Tensor:
            return values.samples[place : place + count]

        # Taps that lie in the padding are taken out again.
        first = torch.maximum(
            stem(begin) - earliest * sample(begin) - early * sample(begin + 1),
            stem(begin + 1) - earliest * sample(begin + 1),
        )
        last = torch.maximum(stem(end), stem(end + 1) - latest * sample(end + STEM_KERNEL))
        return [
            part.relu().view(len(part), -1, 2).transpose(1, 2).contiguous()
            for part in (first, last)
        ]
