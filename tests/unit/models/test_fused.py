"""The fused network and its masked auto-encoder: what they do not look at, what they refuse."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from affectscope.errors import ModelError
from affectscope.models.fused import FusedConfig, FusedNetwork, TrialInputs, fused_network
from affectscope.models.fused_masked import MaskedAutoencoder, MaskedConfig
from affectscope.models.shipped import ModelContract, open_model, save_model
from affectscope.records import MODALITIES

CONFIG = FusedConfig(face=6, ecg=50, eda=16, heart=3, skin=2, width=8)
EVERY = ("face", "ecg", "eda")


def network(config: FusedConfig = CONFIG, seed: int = 0) -> FusedNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FusedNetwork(config).eval()


def inputs(trials: int = 5, windows: int = 4, config: FusedConfig = CONFIG) -> TrialInputs:
    drawn = torch.Generator().manual_seed(1)
    sizes = (config.face, config.ecg, config.eda)
    parts = [torch.randn(trials, windows, size, generator=drawn) for size in sizes]
    late = [torch.randn(trials, size, generator=drawn) for size in (config.heart, config.skin)]
    return TrialInputs(*parts, torch.ones(trials, windows, 3, dtype=torch.bool), *late)


@pytest.mark.parametrize("signals", ["samples", "latent"])
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_estimates_stay_in_range_and_the_order_of_windows_tells_nothing(signals, pooling) -> None:
    found, given = network(replace(CONFIG, signals=signals, pooling=pooling)), inputs()
    estimates = found(given).estimates
    assert estimates.shape == (5, 10)
    assert estimates[:, :3].abs().max() <= 1
    assert ((estimates[:, 3:] > 0) & (estimates[:, 3:] < 1)).all()
    turned = given._replace(**{name: getattr(given, name).flip(1) for name in (*EVERY, "present")})
    torch.testing.assert_close(found(turned).estimates, estimates, atol=1e-5, rtol=0)


@pytest.mark.parametrize("place", range(3))
def test_what_is_missing_is_not_looked_at_nor_its_late_features(place: int) -> None:
    found, given = network(), inputs()
    without = given.without(place)
    late = {"ecg": "heart", "eda": "skin"}
    name = MODALITIES[place]
    changed = {name: getattr(given, name) + 9.0}
    if name in late:
        changed[late[name]] = getattr(given, late[name]) - 9.0
    other = without._replace(**changed)
    torch.testing.assert_close(found(other).estimates, found(without).estimates)
    assert not torch.allclose(found(given._replace(**changed)).estimates, found(given).estimates)
    assert given.present.all(), "the inputs themselves stay as they were"


def test_windows_without_anything_are_left_out_and_trials_without_anything_are_told() -> None:
    found, given = network(), inputs()
    present = given.present.clone()
    present[0, 2:] = False
    present[1] = False
    given = given._replace(present=present)
    assert given.scored.tolist() == [True, False, True, True, True]
    estimates = found(given).estimates
    assert torch.isfinite(estimates).all()
    shorter = TrialInputs(*(each[:1, :2] for each in given[:4]), given.heart[:1], given.skin[:1])
    torch.testing.assert_close(found(shorter).estimates, estimates[:1], atol=1e-6, rtol=0)


def test_modality_dropout_takes_away_about_its_share_but_never_all() -> None:
    found = network(replace(CONFIG, modality_dropout=0.3)).train()
    present = torch.ones(4000, 2, 3, dtype=torch.bool)
    present[:1000, :, 1:] = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        kept = found._kept(present)
    assert kept.any(dim=2).all()
    assert kept[:1000].equal(present[:1000]), "the only modality of a trial is never taken away"
    assert (kept[:, 0] == kept[:, 1]).all(), "a modality goes for the whole trial"
    share = 1 - kept[1000:, 0].float().mean()
    assert 0.27 < share < 0.31, "0.3 less the trials that would have lost all (0.027 / 3)"
    assert found.eval()._kept(present) is present


@pytest.mark.parametrize(
    "changed",
    [{"face": -1}, {"width": 6}, {"width": 0}, {"modality_dropout": 1.0}, {"ecg": 1 << 20},
     {"face": 0, "ecg": 0, "eda": 0, "heart": 0, "skin": 0}],
)  # fmt: skip
def test_a_shape_that_cannot_be_is_refused(changed: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="E_CONFIG"):
        replace(CONFIG, **changed)


def contract(config: FusedConfig) -> ModelContract:
    return ModelContract(
        name="fused", kind="fused", summary="A test.", population="simulated people", sources=(),
        configuration={"network": asdict(config)}, training={}, results=(), limits=(),
        licence="none",
    )  # fmt: skip


def test_a_saved_network_estimates_the_same(tmp_path: Path) -> None:
    found = network(seed=3)
    tensors = {f"fused.{name}": each for name, each in found.state_dict().items()}
    save_model(tmp_path / "fused", tensors, contract(CONFIG))
    again = fused_network(open_model(tmp_path / "fused"))
    assert again.config == CONFIG
    assert torch.equal(again(inputs()).estimates, found(inputs()).estimates)


def test_weights_of_another_shape_and_another_kind_are_refused(tmp_path: Path) -> None:
    tensors = {f"fused.{name}": each for name, each in network().state_dict().items()}
    wider = contract(replace(CONFIG, width=12))
    save_model(tmp_path / "wider", tensors, wider)
    with pytest.raises(ModelError, match="E_CHECKPOINT"):
        fused_network(open_model(tmp_path / "wider"))
    save_model(tmp_path / "other", tensors, replace(wider, kind="stress likelihood"))
    with pytest.raises(ModelError, match="no fused"):
        fused_network(open_model(tmp_path / "other"))


@pytest.fixture(scope="module")
def masked() -> MaskedAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MaskedAutoencoder(MaskedConfig(50, 16, width=8)).eval()


def test_the_latent_of_one_signal_does_not_depend_on_the_other(masked: MaskedAutoencoder) -> None:
    drawn = torch.Generator().manual_seed(1)
    ecg, eda = torch.randn(3, 50, generator=drawn), torch.randn(3, 16, generator=drawn)
    with torch.inference_mode():
        heart, skin = masked.latents(ecg, eda)
        assert heart.shape == skin.shape == (3, masked.config.latent)
        assert torch.equal(masked.latents(ecg, eda * 0)[0], heart)
        assert torch.equal(masked.latents(ecg * 0, eda)[1], skin)
        assert not torch.allclose(masked.latents(ecg * 0, eda)[0], heart)


def test_a_hidden_patch_is_not_looked_at(masked: MaskedAutoencoder) -> None:
    ecg, eda = torch.ones(1, 50), torch.ones(1, 16)
    visible = torch.tensor([[True, False, True, True]])
    other = ecg.clone()
    other[:, 25:] = 7.0
    with torch.inference_mode():
        first, second = (masked(each, eda, visible) for each in (ecg, other))
        third = masked(other, eda, torch.ones_like(visible))
    assert torch.equal(first[0], second[0])
    assert first[0].shape == (1, 2, 25)
    assert not torch.allclose(first[0], third[0])


@pytest.mark.parametrize("sizes", [(49, 16), (50, 12), (0, 16), (50, 16, 7), (50, 16, 8, 4, 0)])
def test_windows_that_are_no_whole_patches_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="E_CONFIG"):
        MaskedConfig(*sizes)
