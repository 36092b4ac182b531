"""The encoders over whole runs equal the encoders window by window, in value and gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from affectscope.models.bio_autoencoder import BioAutoEncoder, BioAutoEncoderConfig, Unpooling
from affectscope.models.bio_network import BioNetwork
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.dense import (
    Runs,
    bio_network_features,
    encode_runs,
    estimate_runs,
    reconstruct_runs,
)
from affectscope.records import Modality

SHORTEST = 602
SPACINGS = {
    "1 Hz": [[0, 128, 256], [0, 128, 256]],
    "25 Hz": [[round(frame * 128 / 25) for frame in range(7)]],
    "two phases": [[round(frame * 128 / 20) for frame in range(6)], [0, 7, 13, 19, 26, 32]],
    "irregular": [[0, 1, 2, 3, 50, 333], [0, 9, 10, 10, 10, 10]],  # a short run repeats its end
    "one window": [[0]],
}


def seeded(module: nn.Module) -> nn.Module:
    """In double precision, with biases as training leaves them."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in module.named_parameters():
        if name.endswith("bias") and not name.startswith("deconv1"):
            nn.init.uniform_(parameter, -0.05, 0.1, generator=generator)
    module.double()
    if isinstance(module, BMMN) and module.face is not None:
        module.face.float()  # it takes single precision only
    return module


def run_signals(starts: Tensor, width: int, seed: int = 0) -> Tensor:
    """(R, 1, S) noise in [0, 1], just long enough for the windows."""
    generator = torch.Generator().manual_seed(seed)
    samples = int(starts.max()) + width
    return torch.rand(len(starts), 1, samples, generator=generator, dtype=torch.float64)


def windows_of(runs: Tensor, starts: Tensor, width: int) -> Tensor:
    """(R M, 1, W) each window by itself."""
    return torch.stack(
        [
            run[:, first : first + width]
            for run, own in zip(runs, starts.tolist(), strict=True)
            for first in own
        ]
    )


def gradients(module: nn.Module, value: Tensor) -> dict[str, Tensor]:
    """Of a sum in which each element has its own weight."""
    module.zero_grad()
    weights = torch.linspace(-1, 1, value.numel(), dtype=value.dtype).view_as(value)
    (value * weights).sum().backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert float(tensor.abs().max()) > 0, f"{name} is nowhere used: the test would prove little"
        torch.testing.assert_close(found[name], tensor, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("width", [SHORTEST, 604, 1000])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_bio_network_equals_window_by_window(spacing: str, width: int) -> None:
    network = seeded(BioNetwork(torch.Generator().manual_seed(0)))
    starts = torch.tensor(SPACINGS[spacing])
    runs = run_signals(starts, width)
    expected = network(windows_of(runs, starts, width))
    found = bio_network_features(network, runs, starts, width)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert_same(gradients(network, found), gradients(network, expected))


@pytest.mark.parametrize("unpooling", get_args(Unpooling))
@pytest.mark.parametrize(("spacing", "width"), [("25 Hz", 1000), ("irregular", 604)])
def test_autoencoder_equals_window_by_window(
    spacing: str, width: int, unpooling: Unpooling
) -> None:
    config = BioAutoEncoderConfig(window_samples=width, unpooling=unpooling)
    autoencoder = seeded(BioAutoEncoder(config, torch.Generator().manual_seed(0)))
    starts = torch.tensor(SPACINGS[spacing])
    runs = run_signals(starts, width)
    columns = torch.tensor([1, 4])
    latent, encoded = encode_runs(autoencoder, runs, starts, columns)
    rebuilt = autoencoder.decode(encoded.latent, encoded.indices)

    alone = autoencoder.encode(windows_of(runs, starts, width))
    chosen = autoencoder.encode(windows_of(runs, starts[:, columns], width))
    torch.testing.assert_close(latent, alone.latent, rtol=1e-9, atol=1e-9)
    for dense, single in zip(encoded.indices, chosen.indices, strict=True):
        assert torch.equal(dense, single)
    expected = autoencoder.decode(chosen.latent, chosen.indices)
    torch.testing.assert_close(rebuilt, expected, rtol=1e-9, atol=1e-9)
    joined = torch.cat([latent.flatten(), rebuilt.flatten()])
    assert_same(
        gradients(autoencoder, joined),
        gradients(autoencoder, torch.cat([alone.latent.flatten(), expected.flatten()])),
    )


@settings(max_examples=12, deadline=None)
@given(
    gaps=st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=1, max_size=3),
    width=st.sampled_from([602, 604, 606, 608, 626]),
    seed=st.integers(0, 100),
)
def test_any_starts_and_widths(gaps: list[list[int]], width: int, seed: int) -> None:
    starts = torch.tensor(gaps).cumsum(dim=1)
    runs = run_signals(starts, width, seed)
    windows = windows_of(runs, starts, width)
    network = seeded(BioNetwork(torch.Generator().manual_seed(seed)))
    config = BioAutoEncoderConfig(window_samples=width)
    autoencoder = seeded(BioAutoEncoder(config, torch.Generator().manual_seed(seed)))
    with torch.no_grad():
        torch.testing.assert_close(
            bio_network_features(network, runs, starts, width),
            network(windows),
            rtol=1e-9,
            atol=1e-9,
        )
        latent, encoded = encode_runs(autoencoder, runs, starts, torch.arange(3))
        alone = autoencoder.encode(windows)
    torch.testing.assert_close(latent, alone.latent, rtol=1e-9, atol=1e-9)
    for dense, single in zip(encoded.indices, alone.indices, strict=True):
        assert torch.equal(dense, single)


STARTS: dict[Modality, Tensor] = {
    "ecg": torch.tensor([[0, 5, 10, 15], [0, 64, 128, 192]]),
    "eda": torch.tensor([[0, 6, 10, 16], [0, 64, 129, 129]]),
}


def made_up(width: int) -> tuple[Runs, dict[Modality, Tensor]]:
    """Two runs of four rows, some of whose modalities are absent; and the same as windows."""
    signals = {name: run_signals(own, width, len(name)) for name, own in STARTS.items()}
    signals["eda"] = run_signals(STARTS["eda"], width, 9)
    face = torch.rand(8, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    present: dict[Modality, Tensor] = {
        "face": torch.tensor([1, 1, 0, 1, 1, 0, 0, 1]).bool(),
        "ecg": torch.tensor([1, 0, 1, 1, 0, 0, 1, 1]).bool(),
        "eda": torch.tensor([0, 0, 1, 1, 1, 1, 0, 1]).bool(),
    }
    windows: dict[Modality, Tensor] = {
        name: windows_of(signals[name], own, width) for name, own in STARTS.items()
    }
    return Runs(signals, STARTS, face, present), windows | {"face": face}


@pytest.mark.parametrize(
    ("variant", "unpooling", "width"),
    [
        ("bmmn", "indices", SHORTEST),
        ("bmmn_bae_1", "stuffing", SHORTEST),
        ("bmmn_bae_2", "interpolation", 604),
        ("bmmn_bae_2", "indices", 1000),
    ],
)
def test_a_whole_network_equals_window_by_window(variant: str, unpooling: str, width: int) -> None:
    config = BMMNConfig(
        variant=variant, face_encoder="small", window_samples=width, unpooling=unpooling
    )
    model = seeded(BMMN(config, torch.Generator().manual_seed(0)))
    runs, windows = made_up(width)
    columns = torch.tensor([0, 2])
    estimate, rebuilt = estimate_runs(model, runs, columns)
    expected = model(windows, runs.present)
    torch.testing.assert_close(estimate, expected.targets, rtol=1e-9, atol=1e-9)
    assert list(rebuilt) == list(expected.reconstructions)
    chosen = torch.tensor([0, 2, 4, 6])  # rows 0 and 2 of each run
    parts, alone = [estimate.flatten()], [expected.targets.flatten()]
    for name, own in rebuilt.items():
        assert torch.equal(own.window, windows[name][chosen])
        assert torch.equal(own.present, runs.present[name][chosen])
        parts.append(own.reconstruction[own.present].flatten())
        alone.append(expected.reconstructions[name][chosen][own.present].flatten())
    torch.testing.assert_close(torch.cat(parts), torch.cat(alone), rtol=1e-9, atol=1e-9)
    assert_same(gradients(model, torch.cat(parts)), gradients(model, torch.cat(alone)))
    if rebuilt:
        again = reconstruct_runs(model, runs, columns)
        for name, own in rebuilt.items():
            assert torch.equal(again[name].reconstruction, own.reconstruction)


def test_nothing_is_rebuilt_unless_asked() -> None:
    config = BMMNConfig(face_encoder="small", window_samples=SHORTEST)
    model = seeded(BMMN(config, torch.Generator().manual_seed(0)))
    runs, windows = made_up(SHORTEST)
    with torch.no_grad():
        estimate, rebuilt = estimate_runs(model, runs)
        assert rebuilt == {}
        assert estimate_runs(model, runs, torch.arange(0))[1] == {}
        torch.testing.assert_close(estimate, model.estimate(windows, runs.present))


def test_features_take_the_place_of_pictures_and_no_faces_are_absent_faces() -> None:
    config = BMMNConfig(variant="bmmn", face_encoder="small", window_samples=SHORTEST)
    model = seeded(BMMN(config, torch.Generator().manual_seed(0)))
    runs, windows = made_up(SHORTEST)
    with torch.no_grad():
        expected = model.estimate(windows, runs.present)
        features = model.face(windows["face"])
        given_features = estimate_runs(model, runs._replace(face=features))[0]
        nowhere = runs.present | {"face": torch.zeros(8, dtype=torch.bool)}
        # No face at all in a batch is no array at all.
        without = estimate_runs(model.float(), _single(runs._replace(face=None, present=nowhere)))
        blind = model.estimate({name: own.float() for name, own in windows.items()}, nowhere)
    torch.testing.assert_close(given_features, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(without[0], blind, rtol=1e-4, atol=1e-4)


def test_one_signal_alone() -> None:
    whole = BMMNConfig(variant="bmmn_bae_2", face_encoder="small", window_samples=SHORTEST)
    model = seeded(BMMN(replace(whole, modalities=("eda",)), torch.Generator().manual_seed(0)))
    runs, windows = made_up(SHORTEST)
    with torch.no_grad():
        estimate, _ = estimate_runs(model, runs._replace(face=None))
        expected = model.estimate({"eda": windows["eda"]}, runs.present)
    torch.testing.assert_close(estimate, expected, rtol=1e-9, atol=1e-9)


def test_single_precision_is_within_rounding() -> None:
    model = BMMN(BMMNConfig(face_encoder="small"), torch.Generator().manual_seed(0)).eval()
    runs, windows = made_up(1000)
    with torch.no_grad():
        estimate, _ = estimate_runs(model, _single(runs))
        expected = model.estimate({n: own.float() for n, own in windows.items()}, runs.present)
    assert float((estimate - expected).abs().max()) < 1e-5 * float(expected.abs().max().clamp(1))


def _single(runs: Runs) -> Runs:
    signals = {name: own.float() for name, own in runs.signals.items()}
    return runs._replace(signals=signals)
