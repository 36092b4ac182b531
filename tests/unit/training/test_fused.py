"""The fused network's losses against what their formulas give by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from affectscope.models.fused import FusedConfig, FusedNetwork, FusedOutput, TrialInputs
from affectscope.models.fused_masked import MaskedAutoencoder, MaskedConfig
from affectscope.training.fused import (
    MASKED_SHARE,
    FusedLoss,
    SignalWindows,
    concordance_loss,
    gaussian_likelihood,
    masked_error,
)

NAN = math.nan


def test_concordance_is_that_of_the_evaluation() -> None:
    from affectscope.evaluation.metrics import Items, overall, person_sums

    random = np.random.default_rng(0)
    truth = random.normal(size=40)
    estimate = 0.4 * truth + 0.2 + 0.3 * random.normal(size=40)
    items = Items(truth, estimate, truth > 0, estimate > 0, np.ones(40),
                  np.zeros(40, np.int64), 1)  # fmt: skip
    expected = overall(person_sums(items))["ccc"]
    asked = torch.from_numpy(estimate)[:, None], torch.from_numpy(truth)[:, None]
    assert float(concordance_loss(*asked)) == pytest.approx(1 - expected)
    with_gap = torch.cat([asked[1], torch.tensor([[NAN]], dtype=torch.float64)])
    estimates = torch.cat([asked[0], torch.tensor([[5.0]], dtype=torch.float64)])
    assert float(concordance_loss(estimates, with_gap)) == pytest.approx(1 - expected)


def test_a_rating_that_does_not_vary_says_nothing_about_concordance() -> None:
    truth = torch.tensor([[0.5, 0.1], [0.5, 0.9]])
    estimate = torch.tensor([[0.0, 0.1], [0.3, 0.9]])
    assert float(concordance_loss(estimate, truth)) == pytest.approx(0.0, abs=1e-6)
    assert float(concordance_loss(estimate, torch.full((2, 2), NAN))) == 0.0


def test_likelihood_is_the_gaussians_and_is_least_at_the_true_variance() -> None:
    estimate, truth = torch.tensor([[0.2], [0.6]]), torch.tensor([[0.5], [NAN]])
    spread = torch.tensor([[math.log(0.04)], [0.0]])
    expected = 0.5 * (math.log(0.04) + 0.09 / 0.04)
    assert float(gaussian_likelihood(estimate, spread, truth)) == pytest.approx(expected)
    at_truth = gaussian_likelihood(estimate, torch.full((2, 1), math.log(0.09)), truth)
    for other in (0.08, 0.1):
        spread = torch.full((2, 1), math.log(other))
        assert gaussian_likelihood(estimate, spread, truth) > at_truth


def test_each_term_of_the_loss_is_there_when_it_is_asked_for() -> None:
    drawn = torch.Generator().manual_seed(0)
    output = FusedOutput(*(torch.randn(6, count, generator=drawn) for count in (3, 3, 7)))
    truth = torch.cat([torch.rand(6, 3, generator=drawn), torch.ones(6, 7)], dim=1)
    truth[0, 4] = NAN
    known = truth[:, 3:].clone()
    each = functional.binary_cross_entropy_with_logits(
        output.emotions, known.nan_to_num(), reduction="none"
    )
    emotions = float(each[torch.isfinite(known)].mean())
    squared = float((output.ratings - truth[:, :3]).square().mean())
    plain = float(FusedLoss(ccc=False, heteroscedastic=False)(output, truth))
    assert plain == pytest.approx(emotions + squared, rel=1e-5)
    concordance = float(concordance_loss(output.ratings, truth[:, :3]))
    with_ccc = float(FusedLoss(ccc=True, heteroscedastic=False)(output, truth))
    assert with_ccc == pytest.approx(plain + concordance, rel=1e-5)
    likelihood = float(gaussian_likelihood(output.ratings, output.log_variance, truth[:, :3]))
    full = float(FusedLoss()(output, truth))
    assert full == pytest.approx(emotions + likelihood + concordance, rel=1e-5)
    nothing = FusedLoss()(output, torch.full((6, 10), NAN))
    assert float(nothing) == 0.0


def test_only_hidden_patches_of_what_is_there_count() -> None:
    torch.manual_seed(0)
    network = MaskedAutoencoder(MaskedConfig(250, 80, width=8)).eval()
    drawn = torch.Generator().manual_seed(1)
    ecg, eda = torch.randn(4, 250, generator=drawn), torch.randn(4, 80, generator=drawn)
    there = torch.ones(4, 2, dtype=torch.bool)

    def error(windows: SignalWindows) -> float:
        return float(masked_error(network, windows, torch.Generator().manual_seed(2)).detach())

    whole = error(SignalWindows(ecg, eda, there))
    assert whole == error(SignalWindows(ecg, eda, there))
    there[:, 1] = False
    without = error(SignalWindows(ecg, eda, there))
    assert 0 < without < whole
    assert error(SignalWindows(ecg, eda + 100.0, there)) == without
    there[:] = False
    assert error(SignalWindows(ecg, eda, there)) == 0.0


def learnt(share: float) -> tuple[float, float]:
    """CCC lost of three ratings that face and ECG both show: all there, and without the face."""
    config = FusedConfig(face=4, ecg=4, eda=0, signals="latent", width=8, modality_dropout=share)
    truth, shown = trials(96, 0), trials(200, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FusedNetwork(config)
        optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
        for _ in range(80):
            optimiser.zero_grad()
            FusedLoss()(network(truth[0]), truth[1]).backward()
            optimiser.step()
    network.eval()
    with torch.inference_mode():
        whole, lesser = (
            float(concordance_loss(network(given).ratings, shown[1][:, :3]))
            for given in (shown[0], shown[0].without(0))
        )
    return whole, lesser - whole


def trials(count: int, seed: int) -> tuple[TrialInputs, torch.Tensor]:
    """The face shows ratings with little noise, the ECG with more; emotions are not rated."""
    drawn = torch.Generator().manual_seed(seed)
    ratings = torch.rand(count, 3, generator=drawn) * 2 - 1
    told = torch.cat([ratings, torch.zeros(count, 1)], dim=1)[:, None].expand(-1, 3, -1)
    face, ecg = (told + noise * torch.randn(told.shape, generator=drawn) for noise in (0.2, 0.6))
    present = torch.tensor([True, True, False]).expand(count, 3, 3)
    nothing = torch.zeros(count, 3, 0), present, torch.zeros(count, 0), torch.zeros(count, 0)
    truth = torch.cat([ratings, torch.full((count, 7), NAN)], dim=1)
    return TrialInputs(face, ecg, *nothing), truth


def test_who_learnt_with_modality_dropout_loses_less_without_a_modality() -> None:
    (whole, lost), (own, own_lost) = learnt(0.3), learnt(0.0)
    assert whole < 0.2, "with everything there both have learnt"
    assert own < 0.2
    assert lost < own_lost - 0.05


class Watched(MaskedAutoencoder):
    """Remembers which patches it was shown."""

    def forward(
        self, ecg: torch.Tensor, eda: torch.Tensor, visible: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.visible = visible
        return super().forward(ecg, eda, visible)


def test_the_auto_encoder_is_shown_what_is_not_hidden_and_there() -> None:
    network = Watched(MaskedConfig(250, 80, width=8))
    there = torch.tensor([[True, True], [True, False]]).repeat(50, 1)
    windows = SignalWindows(torch.zeros(100, 250), torch.zeros(100, 80), there)
    masked_error(network, windows, torch.Generator().manual_seed(0))
    assert not network.visible[1::2, 10:].any(), "what is missing is never shown"
    shown = network.visible[:, :10].float().mean()
    assert abs(float(shown) - (1 - MASKED_SHARE)) < 0.05
