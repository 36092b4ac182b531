from __future__ import annotations

from typing import get_args

import pytest
import torch

from affectscope.errors import ModelError
from affectscope.models.bio_autoencoder import BioAutoEncoder, BioAutoEncoderConfig, Unpooling


def build(unpooling: Unpooling, window_samples: int = 1000) -> BioAutoEncoder:
    config = BioAutoEncoderConfig(window_samples=window_samples, unpooling=unpooling)
    return BioAutoEncoder(config, torch.Generator().manual_seed(0))


def pulses(rows: int, samples: int = 1000) -> torch.Tensor:
    """(N, 1, W): beats of different rates, in [0, 1]."""
    time = torch.arange(samples) / 128
    rates = torch.linspace(0.8, 1.8, rows)[:, None]
    phase = (time * rates) % 1
    return (0.2 + 0.6 * torch.exp(-(((phase - 0.5) / 0.05) ** 2)))[:, None]


@pytest.mark.parametrize("unpooling", ["stuffing", "interpolation"])
def test_decodes_from_the_latent_alone(unpooling: Unpooling) -> None:
    autoencoder = build(unpooling)
    reconstruction, latent = autoencoder(pulses(3))
    assert autoencoder.encode(pulses(3)).indices == ()
    torch.testing.assert_close(autoencoder.decode(latent), reconstruction)


def test_the_papers_decoder_needs_the_indices() -> None:
    autoencoder = build("indices")
    reconstruction, latent = autoencoder(pulses(3))
    with pytest.raises(ModelError, match="indices") as caught:
        autoencoder.decode(latent)
    assert caught.value.code == "E_CONFIG"
    assert "interpolation" in caught.value.remedy
    again = autoencoder.decode(latent, autoencoder.encode(pulses(3)).indices)
    torch.testing.assert_close(again, reconstruction)


def test_indices_put_values_back_where_the_maxima_were() -> None:
    autoencoder = build("indices")
    seen: list[torch.Tensor] = []
    autoencoder.deconv1.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    encoded = autoencoder.encode(pulses(2))
    autoencoder.decode(encoded.latent, encoded.indices)
    unpooled = seen[0].detach()  # (N, 16, 801)
    where = encoded.indices[0]  # (N, 16, 400)
    elsewhere = unpooled.clone()
    elsewhere.scatter_(2, where, 0.0)
    assert float(unpooled.abs().sum()) > 0
    assert float(elsewhere.abs().sum()) == 0


def test_stuffing_and_interpolation_by_hand() -> None:
    pooled = torch.tensor([[[1.0, 3.0]]])
    stuffed = build("stuffing")._unpooled(pooled, 5, None)
    torch.testing.assert_close(stuffed, torch.tensor([[[1.0, 0.0, 3.0, 0.0, 0.0]]]))
    linear = build("interpolation")._unpooled(pooled, 4, None)
    torch.testing.assert_close(linear, torch.tensor([[[1.0, 1.5, 2.5, 3.0]]]))


@pytest.mark.parametrize("unpooling", get_args(Unpooling))
@pytest.mark.parametrize("samples", [602, 900, 1003])
def test_other_windows_come_back_at_their_length(unpooling: Unpooling, samples: int) -> None:
    with torch.no_grad():
        reconstruction, _ = build(unpooling, samples)(torch.rand(2, 1, samples))
    assert reconstruction.shape == (2, 1, samples)
    assert float(reconstruction.min()) >= 0


@pytest.mark.parametrize("unpooling", get_args(Unpooling))
def test_learns_without_its_output_dying(unpooling: Unpooling) -> None:
    autoencoder = build(unpooling)
    signals = pulses(8)
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        reconstruction, _ = autoencoder(signals)
        loss = (reconstruction - signals).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert float((reconstruction > 0).float().mean()) > 0.9
