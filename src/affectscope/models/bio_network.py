"""The Bio Network: one signal window -> features (Table I).

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001, section III and Table I.

==========  ========  ===============  =========  ========  ==========
layer       input     kernel, filters  output     pooled    parameters
==========  ========  ===============  =========  ========  ==========
Conv1       1 x 1000  200, 4           4 x 805    4 x 402   804
Conv2       4 x 402   100, 2           2 x 307    2 x 153   802
Conv3       4 x 402   50, 2            2 x 357    2 x 178   402
Conv4       4 x 402   25, 2            2 x 382    2 x 191   202
Merge       all four pooled outputs, flattened    2652      0
all                                                         2,210
==========  ========  ===============  =========  ========  ==========

Every convolution has padding 2 and is followed by ReLU, then a max-pool of 2 with stride 2.

Where the paper is silent, and what we do:
1. Conv2-4 are parallel branches on the pooled output of Conv1: no other reading gives the printed
   lengths 307, 357, 382 and the 2652 merged features. Conv1's own pooled output joins the merge.
2. The merge's ReLU is left out: its inputs are pooled ReLU outputs, so it would change nothing.
3. Order of the merged features: Conv1, Conv2, Conv3, Conv4, each channel after channel.

Legend: N rows, W window samples, C channels, L length after a convolution, P length after its pool.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectscope.models.initialisation import initialise_uniformly
from affectscope.models.long_convolution import LongConv1d

PADDING = 2
POOL = 2
STEM_KERNEL, STEM_FILTERS = 200, 4
BRANCH_KERNELS, BRANCH_FILTERS = (100, 50, 25), 2


def _pooled_length(samples: int, kernel: int) -> int:
    return (samples + 2 * PADDING - kernel + 1) // POOL


def feature_count(window_samples: int) -> int:
    """Features of a window of W samples; 2652 for 1000. Not positive where W is too short."""
    stem = _pooled_length(window_samples, STEM_KERNEL)
    branches = [_pooled_length(stem, kernel) for kernel in BRANCH_KERNELS]
    if min(stem, *branches) < 1:
        return 0
    return STEM_FILTERS * stem + BRANCH_FILTERS * sum(branches)


class BioNetwork(nn.Module):
    """Table I: signal windows (N, 1, W) in [0, 1] -> features (N, F), F = ``feature_count(W)``."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.conv1 = LongConv1d(1, STEM_FILTERS, STEM_KERNEL, padding=PADDING)
        self.pool1 = nn.MaxPool1d(POOL)
        first, second, third = BRANCH_KERNELS
        self.conv2 = LongConv1d(STEM_FILTERS, BRANCH_FILTERS, first, padding=PADDING)
        self.pool2 = nn.MaxPool1d(POOL)
        self.conv3 = LongConv1d(STEM_FILTERS, BRANCH_FILTERS, second, padding=PADDING)
        self.pool3 = nn.MaxPool1d(POOL)
        self.conv4 = LongConv1d(STEM_FILTERS, BRANCH_FILTERS, third, padding=PADDING)
        self.pool4 = nn.MaxPool1d(POOL)
        initialise_uniformly(self, generator)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, 1, W) -> (N, F)."""
        stem = self.pool1(self.conv1(windows).relu())  # (N, 4, P1)
        branches = [
            self.pool2(self.conv2(stem).relu()),  # each (N, 2, P)
            self.pool3(self.conv3(stem).relu()),
            self.pool4(self.conv4(stem).relu()),
        ]
        return torch.cat([part.flatten(1) for part in (stem, *branches)], dim=1)
