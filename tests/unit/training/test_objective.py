"""What is minimised: means over what is there, the same for a batch and for its parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from affectscope.datasets.runs import RunBatch
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.records import MODALITIES, TARGETS
from affectscope.training.losses import rated, reconstruction_error, target_error
from affectscope.training.objective import Kind, Objective, Part, as_part, own_share, split

CONFIG = BMMNConfig(face_encoder="small", window_samples=602)
RUNS, ROWS = 3, 4
HERE = torch.device("cpu")


def made_up() -> RunBatch:
    """Three runs of four rows; features in place of faces, so that runs are cheap."""
    random = np.random.default_rng(0)
    starts = np.tile(np.arange(ROWS) * 64, (RUNS, 1))
    samples = 64 * (ROWS - 1) + 602
    present = {name: random.random(RUNS * ROWS) < 0.6 for name in MODALITIES}
    for there in present.values():
        there[5] = False  # a row without anything
    targets = random.uniform(-1, 1, (RUNS * ROWS, len(TARGETS))).astype(np.float32)
    targets[2, 3:] = np.nan
    return RunBatch(
        np.arange(RUNS * ROWS).reshape(RUNS, ROWS),
        {name: random.random((RUNS, 1, samples)) for name in ("ecg", "eda")},
        {"ecg": starts, "eda": starts.copy()},
        random.random((RUNS * ROWS, 64)),
        present,
        targets,
    )


def part_of(batch: RunBatch, hidden: dict | None = None) -> Part:
    return as_part(batch, np.array([1, 3]), hidden or {}, HERE)


def network() -> BMMN:
    """In double precision and with biases: rounding decides no pool, and no ReLU's side of 0."""
    generator = torch.Generator().manual_seed(0)
    model = BMMN(CONFIG, generator)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.uniform_(parameter, 0.01, 0.1, generator=generator)
    return model.double()


def loss_and_gradient(objective: Objective, parts: list[Part], whole: Part) -> tuple[float, Tensor]:
    objective.zero_grad()
    counts, total = objective.counts(whole), 0.0
    for part in parts:
        loss = objective.loss(objective(part), counts)
        loss.backward()
        total += float(loss.detach())
    gradient = [each.grad.flatten() for each in objective.parameters() if each.grad is not None]
    return total, torch.cat(gradient)


def test_target_error_leaves_out_what_was_not_rated() -> None:
    estimate = torch.tensor([[1.0, 5.0], [3.0, 7.0]], requires_grad=True)
    truth = torch.tensor([[0.0, float("nan")], [1.0, float("nan")]])
    error = target_error(estimate, truth)
    assert error.item() == pytest.approx(1 + 4)
    assert rated(truth).tolist() == [[True, False], [True, False]]
    error.backward()
    assert estimate.grad is not None
    torch.testing.assert_close(estimate.grad, torch.tensor([[2.0, 0.0], [4.0, 0.0]]))


def test_reconstruction_error_leaves_out_absent_windows() -> None:
    signal = torch.zeros(3, 1, 4)
    rebuilt = torch.stack([torch.ones(1, 4), 100 * torch.ones(1, 4), 2 * torch.ones(1, 4)])
    there = torch.tensor([True, False, True])
    assert reconstruction_error(rebuilt, signal, there).item() == 1.0 + 4.0


@pytest.mark.parametrize("kind", ["targets", "reconstruction", "joint"])
def test_the_loss_is_the_weighted_sum_of_means(kind: Kind) -> None:
    """Against the losses written out, window by window."""
    model, batch = network(), made_up()
    weights = {"targets": 2.0, "reconstruction": 0.3}
    objective, part = Objective(model, kind, weights), part_of(batch)
    found, _ = loss_and_gradient(objective, [part], part)
    rows = np.array([1, 3, 5, 7, 9, 11])  # columns 1 and 3 of each run
    windows = {
        name: torch.from_numpy(np.stack([
            batch.signals[name][row // ROWS, :, start : start + 602]
            for row, start in enumerate(batch.starts[name].ravel())
        ]))
        for name in ("ecg", "eda")
    }  # fmt: skip
    expected = 0.0
    with torch.no_grad():
        if kind != "reconstruction":
            present = {name: torch.from_numpy(there) for name, there in batch.present.items()}
            features = {"face": torch.from_numpy(batch.face)}
            for name in ("ecg", "eda"):
                features[name] = model.bio_networks[name](windows[name])
                features[f"{name} latent"] = model.autoencoders[name].encode(windows[name]).latent
            estimate = model.combined(features, present).numpy()
            seen = np.stack(list(batch.present.values())).any(axis=0)
            assert not seen[5]
            error = (estimate - batch.targets)[seen]
            expected += 2.0 * np.nanmean(error**2)
        if kind != "targets":
            for name in ("ecg", "eda"):
                own = rows[batch.present[name][rows]]
                rebuilt = model.autoencoders[name](windows[name][own])[0]
                expected += 0.3 * float((rebuilt - windows[name][own]).square().mean())
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["targets", "reconstruction", "joint"])
@pytest.mark.parametrize("pieces", [2, 50])
def test_parts_add_up_to_the_batch(kind: Kind, pieces: int) -> None:
    objective, whole = Objective(network(), kind), part_of(made_up())
    parts = split(whole, pieces)
    assert len(parts) == min(pieces, RUNS)
    assert sum(len(part.targets) for part in parts) == RUNS * ROWS
    loss, gradient = loss_and_gradient(objective, [whole], whole)
    found, summed = loss_and_gradient(objective, parts, whole)
    assert found == pytest.approx(loss, rel=1e-9)
    assert float(gradient.abs().max()) > 1e-3
    torch.testing.assert_close(summed, gradient, rtol=1e-9, atol=1e-12)


def test_devices_share_a_batch_and_one_too_many_takes_nothing() -> None:
    objective, whole = Objective(network(), "joint"), part_of(made_up())
    shares = [own_share(whole, rank, 4) for rank in range(4)]
    counts = [objective.counts(share) for share in shares]
    for name, total in objective.counts(whole).items():
        assert sum(count[name] for count in counts) == total
    assert set(counts[3].values()) == {0.0}
    loss, gradient = loss_and_gradient(objective, [whole], whole)
    found, summed = loss_and_gradient(objective, shares, whole)
    assert found == pytest.approx(loss, rel=1e-9)
    torch.testing.assert_close(summed, gradient, rtol=1e-9, atol=1e-12)


def test_a_batch_without_anything_to_learn_from_is_zero() -> None:
    batch = made_up()
    for there in batch.present.values():
        there[:] = False
    objective, part = Objective(network(), "joint"), part_of(batch)
    loss, gradient = loss_and_gradient(objective, [part], part)
    assert loss == 0
    assert not gradient.any()


def test_bfloat16_on_a_processor_is_the_face_encoders_alone() -> None:
    batch = made_up()
    pictures = np.random.default_rng(1).integers(0, 256, (RUNS * ROWS, 3, 224, 224), dtype=np.uint8)
    signals = {name: values.astype(np.float32) for name, values in batch.signals.items()}
    part = part_of(replace(batch, signals=signals, face=pictures))
    objective = Objective(network().float(), "joint")
    exact = sums(objective, part)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = sums(objective, part)
    assert mixed["targets"] == pytest.approx(exact["targets"], rel=0.05)
    assert mixed["targets"] != exact["targets"]
    assert (mixed["ecg"], mixed["eda"]) == (exact["ecg"], exact["eda"])
    without = part_of(replace(batch, signals=signals, face=None))
    expected = sums(objective, without)
    with torch.autocast("cpu", torch.bfloat16):
        assert sums(objective, without) == expected


def sums(objective: Objective, part: Part) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(value) for name, value in objective(part).items()}


def test_what_is_hidden_from_the_estimate_is_still_reconstructed() -> None:
    objective, batch = Objective(network(), "joint"), made_up()
    plain = sums(objective, part_of(batch))
    blind = part_of(batch, {name: batch.present[name] for name in ("ecg", "eda")})
    hidden = sums(objective, blind)
    assert hidden["targets"] != pytest.approx(plain["targets"])
    for name in ("ecg", "eda"):
        assert hidden[name] == plain[name] > 0
    seen = batch.present["face"] & np.isfinite(batch.targets).any(axis=1)
    expected = np.isfinite(batch.targets[seen]).sum()
    assert objective.counts(blind)["targets"] == expected  # rows with a face are all that is left


LEARNT = {
    "targets": {"face", "bio_networks", "head"},
    "reconstruction": {"autoencoders"},
    "joint": {"face", "bio_networks", "autoencoders", "head"},
}


@pytest.mark.parametrize("kind", list(LEARNT))
@pytest.mark.parametrize("frozen", [(), ("face",), ("face", "bio_networks")])
def test_what_learns_and_what_is_frozen(kind: Kind, frozen: tuple[str, ...]) -> None:
    objective = Objective(network(), kind, frozen=frozen)
    learning = {n.split(".")[1] for n, p in objective.named_parameters() if p.requires_grad}
    assert learning == LEARNT[kind] - set(frozen)
    objective.train()
    model = objective.model
    assert model.head.training
    for name in ("face", "bio_networks"):
        part = getattr(model, name)
        assert all(each.training == (name not in frozen) for each in part.modules())
    objective.eval()
    assert not any(module.training for module in objective.modules())
