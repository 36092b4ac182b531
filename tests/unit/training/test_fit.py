"""The training loop: reproducible, honest about its population, able to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from affectscope.datasets.labelled_windows import LabelledRecording, LabelledWindows
from affectscope.errors import ModelError, SessionError
from affectscope.models.bmmn import BMMNConfig
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing
from affectscope.records import TARGETS
from affectscope.training.fit import FitSettings, fit, fit_sessions, order
from affectscope.training.losses import reconstruction_loss, target_loss

PREPROCESSING = Preprocessing(window_samples=1000)
TINY = FitSettings(epochs=(1, 1, 1), batch_size=16, learning_rate=1e-3)


def recording(seed: int, count: int = 24) -> LabelledRecording:
    """A made-up recording: noise whose level is its valence; no face."""
    random = np.random.default_rng(seed)
    times = np.linspace(5, 40, count)
    level = random.uniform(0.2, 0.8)
    noise = (level * random.random(128 * 45)).astype(np.float32)
    signal = NetworkSignal(noise, np.ones(len(noise), dtype=bool), 128.0, 0.0)
    targets = np.full((count, len(TARGETS)), level, dtype=np.float32)
    return LabelledRecording(
        subject_id=f"s{seed}",
        trial_id="t",
        times=times,
        targets=targets,
        signals={"ecg": signal, "eda": signal},
        faces=None,
        face_present=np.zeros(count, dtype=bool),
    )


@pytest.fixture(scope="module")
def windows() -> LabelledWindows:
    return LabelledWindows([recording(seed) for seed in range(2)], PREPROCESSING)


BODY = BMMNConfig(variant="bmmn_bae_1", modalities=("ecg", "eda"), face_encoder="small")


def test_the_same_seed_gives_the_same_weights(windows: LabelledWindows) -> None:
    first, _ = fit(windows, BODY, TINY)
    second, _ = fit(windows, BODY, TINY)
    other, _ = fit(windows, BODY, replace(TINY, seed=1))
    for name, weights in first.state_dict().items():
        assert torch.equal(weights, second.state_dict()[name]), name
    assert any(
        not torch.equal(weights, other.state_dict()[name])
        for name, weights in first.state_dict().items()
    )


def test_all_three_stages_run_and_say_their_losses(windows: LabelledWindows) -> None:
    told: list[tuple[str, float]] = []
    _, losses = fit(windows, BODY, TINY, progress=lambda stage, share: told.append((stage, share)))
    assert list(losses) == ["stage 1, ecg and eda", "stage 2, auto-encoders", "stage 3, joint"]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] < 1


def test_training_lowers_the_loss(windows: LabelledWindows) -> None:
    config = BMMNConfig(variant="bmmn", modalities=("eda",), face_encoder="small")
    _, losses = fit(windows, config, replace(TINY, epochs=(0, 0, 8)))
    joint = losses["stage 3, joint"]
    assert joint[-1] < 0.5 * joint[0]


def test_the_order_of_samples_is_a_function_of_seed_and_epoch() -> None:
    assert np.array_equal(order(3, 4, 50), order(3, 4, 50))
    assert not np.array_equal(order(3, 4, 50), order(3, 5, 50))
    assert sorted(order(3, 4, 50)) == list(range(50))


def test_target_loss_leaves_out_what_was_not_rated() -> None:
    estimate = torch.tensor([[1.0, 5.0], [3.0, 7.0]], requires_grad=True)
    truth = torch.tensor([[0.0, float("nan")], [3.0, float("nan")]])
    loss = target_loss(estimate, truth)
    assert loss.item() == pytest.approx(0.5)
    loss.backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()
    assert (estimate.grad[:, 1] == 0).all()


def test_reconstruction_loss_leaves_out_absent_windows() -> None:
    signal = torch.zeros(2, 1, 4)
    rebuilt = torch.stack([torch.ones(1, 4), 100 * torch.ones(1, 4)])
    assert reconstruction_loss(rebuilt, signal, torch.tensor([True, False])).item() == 1.0


def test_resnet_without_weights_asks_for_an_explicit_word(tmp_path) -> None:
    (tmp_path / "session").mkdir()
    config = BMMNConfig(variant="bmmn", face_encoder="resnet50")
    with pytest.raises(ModelError) as caught:
        fit_sessions([tmp_path / "session"], tmp_path / "out", config=config, settings=TINY)
    assert caught.value.code == "E_WEIGHTS"
    assert "--imagenet none" in caught.value.remedy


def test_nothing_to_learn_from_is_said(tmp_path) -> None:
    with pytest.raises(SessionError) as caught:
        fit_sessions([], tmp_path / "out", config=BODY, settings=TINY)
    assert caught.value.code == "E_SESSION"
