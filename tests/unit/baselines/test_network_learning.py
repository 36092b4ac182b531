"""The loop of the compared networks: which weights stay, what is left out, what is repeatable."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affectscope.baselines.network_learning import (
    Learning,
    RatedRows,
    learn,
    rated_loss,
    rated_rows,
    shuffled,
)
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.samples import Fold

NAN = math.nan


class One(nn.Module):
    """A single weight, which its own loss pulls down for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(5.0))


def learnt(
    reached: list[float], *, batches: list[float] | None = None, patience: int = 2
) -> tuple[One, list[float], float]:
    """The network, its weight at every look of the validation (which says ``reached``), best."""
    network, seen = One(), []
    answers = iter(reached)

    def validation() -> float:
        assert not network.training
        seen.append(float(network.weight.detach()))
        return next(answers)

    def loss(batch: float) -> Tensor:
        assert network.training
        return network.weight * batch

    best = learn(
        network, lambda _epoch: [1.0] if batches is None else batches, loss,
        validation=validation, settings=Learning(len(reached), 0.1, patience=patience),
    )  # fmt: skip
    return network, seen, best


def test_the_best_epoch_stays_and_patience_ends_it() -> None:
    network, seen, best = learnt([3.0, 1.0, 2.0, 1.5, 0.0])
    assert len(seen) == 4  # two epochs without gain after the second
    assert len(set(seen)) == 4
    assert best == 1.0
    assert float(network.weight.detach()) == seen[1]
    assert not network.training


def test_without_anything_to_validate_on_the_last_epoch_stays() -> None:
    network, seen, best = learnt([NAN] * 6)
    assert len(seen) == 6
    assert float(network.weight.detach()) == seen[-1] < seen[0]
    assert best == math.inf


@pytest.mark.parametrize("bad", [NAN, math.inf])
def test_T07_a_step_without_a_finite_loss_is_left_out(bad: float) -> None:
    network, seen, _ = learnt([2.0, 1.0], batches=[1.0, bad, 1.0])
    _, expected, _ = learnt([2.0, 1.0], batches=[1.0, 1.0])
    assert seen == expected
    assert math.isfinite(float(network.weight.detach()))


def test_T07_a_finite_loss_with_a_gradient_that_is_none_is_left_out() -> None:
    network = One()
    learn(
        network, lambda _epoch: [0], lambda _batch: (network.weight * 0.0).sqrt(),
        validation=lambda: NAN, settings=Learning(2),
    )  # fmt: skip
    assert float(network.weight.detach()) == 5.0


def dropped_out(before: int, seed: int) -> Tensor:
    torch.manual_seed(before)
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(20, 1))
    nn.init.constant_(network[1].weight, 0.1)
    nn.init.zeros_(network[1].bias)
    state = torch.get_rng_state()
    learn(
        network, lambda _epoch: [torch.ones(4, 20)], lambda batch: network(batch).square().mean(),
        validation=lambda: NAN, settings=Learning(3, 0.01, seed=seed),
    )  # fmt: skip
    assert torch.equal(torch.get_rng_state(), state)
    return network[1].weight.detach().clone()


def test_the_same_seed_learns_the_same_whatever_was_drawn_before() -> None:
    assert torch.equal(dropped_out(1, seed=3), dropped_out(2, seed=3))
    assert not torch.equal(dropped_out(1, seed=3), dropped_out(1, seed=4))


def test_batches_go_once_through_all_places_in_another_order_each_epoch() -> None:
    batches = shuffled(10, 4, seed=5)
    first, again, second = (list(batches(epoch)) for epoch in (0, 0, 1))
    assert [len(batch) for batch in first] == [4, 4, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate(first)), np.arange(10))
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))


def test_loss_counts_what_is_rated_by_its_weight() -> None:
    logits = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    labels = torch.tensor([[1.0, NAN], [0.0, 1.0]])
    weights = torch.tensor([1.0, 3.0])
    each = [1.0 * math.log(2), 3.0 * math.log1p(math.exp(1.0)), 3.0 * math.log1p(math.exp(1.0))]
    assert float(rated_loss(logits, labels, weights)) == pytest.approx(sum(each) / 7.0, rel=1e-6)
    assert math.isnan(float(rated_loss(logits, torch.full((2, 2), NAN), weights)))


def test_mean_loss_leaves_parts_without_a_rating_out() -> None:
    labels = torch.tensor([[1.0], [1.0], [NAN], [NAN], [1.0]])
    weights = torch.tensor([1.0, 1.0, 9.0, 9.0, 2.0])
    side = RatedRows(np.arange(5), labels, weights)
    errors = {0: 1.0, 2: NAN, 4: 4.0}
    assert side.mean_loss(lambda places: torch.tensor(errors[int(places[0])]), 2) == 2.5 / 1.0
    assert math.isnan(RatedRows(np.arange(0), labels[:0], weights[:0]).mean_loss(torch.tensor))


def test_one_class_gives_its_smoothed_rate() -> None:
    labels = torch.tensor([[1.0, 1.0, NAN], [1.0, 0.0, NAN]])
    side = RatedRows(np.arange(2), labels, torch.ones(2))
    np.testing.assert_allclose(side.only_class(), [2 * 3 / 4 - 1, NAN, 0.0])


def test_rows_are_thinned_known_and_weigh_the_same_by_trial(
    compared_data: Callable[..., Any],
) -> None:
    data = compared_data(people=4)
    rows = np.arange(len(data.samples))
    task = Task(data.samples, Fold("f", rows, rows, rows), 0)
    known = np.ones(len(rows), dtype=np.bool_)
    known[data.samples.trial == "c1"] = False
    side = rated_rows(data, task, rows, known)
    assert "c1" not in data.samples.trial[side.rows]
    names = np.char.add(data.samples.subject[side.rows], data.samples.trial[side.rows])
    sums = [float(side.weights[names == name].sum()) for name in np.unique(names)]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-5)
    assert float(side.weights.mean()) == pytest.approx(1.0, rel=1e-6)
    same = names[1:] == names[:-1]
    assert (np.diff(data.samples.onset[side.rows])[same] >= data.settings.hop - 1e-9).all()
    column = data.samples.targets.index("arousal")
    expected = data.samples.truth[side.rows, column] > 0
    np.testing.assert_array_equal(side.labels[:, 1].numpy(), expected)
    assert len(rated_rows(data, task, rows, ~known & False).rows) == 0
