"""What the compared networks share: their loop (Adam, the best epoch by inner people), rows, seeds.

Legend: m rows, C = 3 compared targets.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affectscope.baselines.compared import ComparedData, thinned
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.metrics import positive
from affectscope.evaluation.samples import Rows
from affectscope.evaluation.trials import trial_table
from affectscope.records import BoolArray, FloatArray

_LOG = logging.getLogger(__name__)

Batch = TypeVar("Batch")
Places = NDArray[np.int64]
"""Places of some rows among those that are learned from."""


@dataclass(frozen=True)
class Learning:
    """How a network learns.

    Attributes:
        epochs: at most so many.
        patience: epochs without a better validation loss before the end.
        seed: of what the network draws while it learns (dropout).
    """

    epochs: int
    learning_rate: float = 1e-4
    patience: int = 5
    weight_decay: float = 0.0
    seed: int = 0


def learn(
    network: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    *,
    validation: Callable[[], float],
    settings: Learning,
) -> float:
    """Minimise ``loss`` and leave the network with its best epoch's weights, in evaluation mode.

    A step whose loss or gradient is no number is left out. The caller's random state is neither
    used nor changed.

    Args:
        batches: epoch number -> the epoch's batches.
        loss: of one batch, a mean.
        validation: the validation loss of the network as it is, called in evaluation mode; where
            it is NaN (nothing to validate on) the last epoch stays.

    Returns:
        The best validation loss; infinite where none was finite.
    """
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best, best_weights, waited = math.inf, None, 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        for epoch in range(settings.epochs):
            network.train()
            for batch in batches(epoch):
                _step(network, optimiser, loss(batch))
            network.eval()
            with torch.inference_mode():
                reached = validation()
            if reached < best:
                best, best_weights, waited = reached, copy.deepcopy(network.state_dict()), 0
                continue
            waited += 1
            if waited >= settings.patience and best_weights is not None:
                break
    if best_weights is not None:
        network.load_state_dict(best_weights)
    network.eval()
    return best


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, error: Tensor) -> None:
    if not bool(torch.isfinite(error)):
        _LOG.info("a step without a finite loss was left out")
        return
    optimiser.zero_grad()
    error.backward()  # type: ignore[no-untyped-call]
    if bool(torch.isfinite(nn.utils.clip_grad_norm_(network.parameters(), 5.0))):
        optimiser.step()


def shuffled(count: int, size: int, seed: int) -> Callable[[int], Iterator[Places]]:
    """Epoch number -> batches of ``size`` that go once through ``count`` places, in new order."""

    def batches(epoch: int) -> Iterator[Places]:
        order = np.random.default_rng([seed, epoch]).permutation(count)
        for start in range(0, count, size):
            yield order[start : start + size]

    return batches


@dataclass(frozen=True, eq=False)
class RatedRows:
    """Rows of one side of a fold, ``hop`` seconds apart.

    Attributes:
        rows: (m,) row numbers.
        labels: (m, C) float32: 1 high, 0 low, NaN not rated.
        weights: (m,) float32 so that each trial counts the same; their mean is 1.
    """

    rows: Rows
    labels: Tensor
    weights: Tensor

    def loss(self, logits: Tensor, places: Places) -> Tensor:
        """Weighted binary cross entropy of ``logits`` (len(places), C); NaN where none is rated."""
        return rated_loss(logits, self.labels[places], self.weights[places])

    def mean_loss(self, loss: Callable[[Places], Tensor], size: int = 256) -> float:
        """Of all rows, ``size`` at a time, so that their inputs need not fit into memory at once.

        Args:
            loss: of some places, NaN where none of them is rated.
        """
        total = weight = 0.0
        for start in range(0, len(self.rows), size):
            places = np.arange(start, min(start + size, len(self.rows)))
            error = float(loss(places))
            if math.isfinite(error):
                own = float(self.weights[places].sum())
                total, weight = total + own * error, weight + own
        return total / weight if weight > 0 else math.nan

    def only_class(self) -> FloatArray:
        """(C,) 2 r - 1, r the smoothed rate of high, where one class is known at most; else NaN."""
        labels = self.labels.numpy()
        high, rated = (labels == 1).sum(axis=0), np.isfinite(labels).sum(axis=0)
        rate = 2.0 * (high + 1) / (rated + 2) - 1.0
        return np.where((high == 0) | (high == rated), rate, np.nan)


def rated_rows(data: ComparedData, task: Task, rows: Rows, known: BoolArray) -> RatedRows:
    """Of ``rows``, thinned: those that are ``known`` (M,), with their classes."""
    rows = thinned(task.samples, rows, data.settings.hop)
    rows = rows[known[rows]]
    labels = positive(task.samples.truth[rows], task.samples.targets)[:, data.columns]
    owner = trial_table(task.samples).of_row[rows]
    weights = 1.0 / np.bincount(owner)[owner]
    weights *= len(rows) / max(weights.sum(), 1e-12)
    return RatedRows(rows, torch.from_numpy(labels).float(), torch.from_numpy(weights).float())


def rated_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Binary cross entropy over what is rated, NaN where nothing is.

    Args:
        logits, labels: (m, C); labels 1, 0 or NaN.
        weights: (m,).
    """
    rated = torch.isfinite(labels)
    each = functional.binary_cross_entropy_with_logits(
        logits, torch.where(rated, labels, 0.0), reduction="none"
    )
    weighted = weights[:, None] * rated
    return (each * weighted).sum() / weighted.sum()
