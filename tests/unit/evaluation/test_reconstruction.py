"""PRD, PRDN and compression ratio against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.evaluation.reconstruction import compression_ratio, prd, prdn


def test_prd_of_known_errors() -> None:
    original = np.array([3.0, 4.0])
    assert prd(original, original) == 0.0
    assert prd(original, np.zeros(2)) == pytest.approx(100.0)
    assert prd(original, np.array([3.0, 3.5])) == pytest.approx(10.0)


def test_prdn_does_not_change_with_an_offset_and_prd_does() -> None:
    random = np.random.default_rng(0)
    original = random.normal(size=50)
    rebuilt = original + 0.1 * random.normal(size=50)
    assert prdn(original + 100, rebuilt + 100) == pytest.approx(prdn(original, rebuilt))
    assert prd(original + 100, rebuilt + 100) < 0.1 * prd(original, rebuilt)


def test_the_mean_alone_has_a_prdn_of_one_hundred() -> None:
    original = np.array([1.0, 2.0, 6.0])
    assert prdn(original, np.full(3, 3.0)) == pytest.approx(100.0)


def test_a_constant_signal_has_no_prdn() -> None:
    assert np.isnan(prdn(np.ones(4), np.zeros(4)))


def test_the_ratio_counts_what_the_decoder_gets() -> None:
    assert compression_ratio(1000, latent=128) == pytest.approx(7.8125)
    assert compression_ratio(1000, latent=128, index_bits=7800) == pytest.approx(
        32000 / (128 * 32 + 7800)
    )
    assert compression_ratio(2000, latent=62) == pytest.approx(32.258, abs=0.001)  # Yildirim
