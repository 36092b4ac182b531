"""Shares of whole signals equal those of single windows, for any starts, widths and stretches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from affectscope.models import shares as module
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.shares import SignalShares, window_shares

SHORTEST = 602


def network(width: int = 1000, variant: str = "bmmn_bae_2", seed: int = 0, **own: int) -> BMMN:
    """With biases as training leaves them, in double precision: exact means exact."""
    generator = torch.Generator().manual_seed(seed)
    config = BMMNConfig(variant=variant, modalities=("ecg",), window_samples=width, **own)  # type: ignore[arg-type]
    model = BMMN(config, generator)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.uniform_(parameter, -0.05, 0.1, generator=generator)
    return model.eval()


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(samples, dtype=np.float32)


def windows_of(values: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    held = starts[:, None] + np.arange(width)
    return values[np.clip(held, 0, len(values) - 1)][:, None]


def assert_same(found: np.ndarray, expected: np.ndarray, within: float = 1e-6) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= within * np.abs(expected).max()


@pytest.mark.parametrize("variant", ["bmmn", "bmmn_bae_1"])
@pytest.mark.parametrize("width", [SHORTEST, 604, 606, 1000])
def test_every_start_of_a_signal_and_beyond_its_ends(variant: str, width: int) -> None:
    model, values = network(width, variant).double(), noise(900)
    starts = np.arange(-width - 20, len(values) + 20, 7)  # every remainder of the pools
    found = SignalShares(model, "ecg", values, stretch=1024).at(starts)
    expected = window_shares(model, "ecg", windows_of(values, starts, width))
    assert_same(found, expected, 3e-7)


@settings(max_examples=6, deadline=None)
@given(
    starts=st.lists(st.integers(-1200, 4200), min_size=1, max_size=20),
    width=st.integers(301, 520).map(lambda half: 2 * half),
    stretch=st.sampled_from([64, 1000, 20_000]),
    seed=st.integers(0, 99),
)
def test_any_starts_widths_and_stretches(
    starts: list[int], width: int, stretch: int, seed: int
) -> None:
    model, values = network(width, seed=seed).double(), noise(3000, seed)
    places = np.array(starts)
    found = SignalShares(model, "ecg", values, stretch=stretch).at(places)
    assert_same(found, window_shares(model, "ecg", windows_of(values, places, width)), 3e-7)


def test_single_precision_rounds_less_than_a_millionth() -> None:
    model, values = network(), noise(6_000)
    starts = np.round(np.arange(0, 5_000, 20.48)).astype(np.int64)
    exact = window_shares(network().double(), "ecg", windows_of(values, starts, 1000))
    for stretch in (1024, 16_384):
        assert_same(SignalShares(model, "ecg", values, stretch=stretch).at(starts), exact)


def test_a_signal_shorter_than_a_window() -> None:
    model, values = network().double(), noise(300)
    starts = np.array([-999, -500, -200, 0, 150, 299])
    found = SignalShares(model, "ecg", values).at(starts)
    assert_same(found, window_shares(model, "ecg", windows_of(values, starts, 1000)), 3e-7)


def test_a_wide_hidden_layer_has_its_windows_encoded() -> None:
    model, values = network(SHORTEST, hidden=64), noise(900)
    starts = np.array([-100, 0, 7, 290])
    found = SignalShares(model, "ecg", values).at(starts)
    assert found.shape == (4, 64)
    windows = windows_of(values, starts, SHORTEST)
    np.testing.assert_array_equal(found, window_shares(model, "ecg", windows))


@pytest.mark.parametrize("hidden", [0, 16])
def test_shares_and_the_rest_of_the_head_are_the_estimate(hidden: int) -> None:
    model, windows = network(hidden=hidden), noise(4000).reshape(4, 1, 1000)
    shares = window_shares(model, "ecg", windows)
    with torch.no_grad():
        found = model.finished(torch.from_numpy(shares))
        expected = model.estimate({"ecg": torch.from_numpy(windows)})
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_a_bounded_number_of_tables_is_kept_and_each_made_once() -> None:
    model, values = network(SHORTEST), noise(6000)
    whole = SignalShares(model, "ecg", values, stretch=512)
    made: list[int] = []
    make = whole._made
    whole._made = lambda first: made.append(first) or make(first)  # type: ignore[method-assign]
    for start in range(0, 5000, 40):
        whole.at(np.array([start - 13, start, start + 13]))
        assert len(whole._kept) <= module.KEPT
    assert len(made) == len(set(made)) > 9


def test_no_starts_are_no_shares() -> None:
    whole = SignalShares(network(SHORTEST), "ecg", noise(900))
    assert whole.at(np.empty(0, dtype=np.int64)).shape == (0, 10)
