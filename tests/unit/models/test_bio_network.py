from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.models.bio_network import BioNetwork, feature_count


@settings(max_examples=20, deadline=None)
@given(st.integers(389, 1500))
def test_feature_count_is_the_width_of_the_output(samples: int) -> None:
    with torch.no_grad():
        assert BioNetwork()(torch.zeros(1, 1, samples)).shape == (1, feature_count(samples))


def test_too_short_a_window_has_no_features() -> None:
    assert feature_count(388) == 0
    assert feature_count(389) > 0
    with pytest.raises(RuntimeError), torch.no_grad():
        BioNetwork()(torch.zeros(1, 1, 388))


def test_features_follow_from_the_table_by_hand() -> None:
    network = BioNetwork(torch.Generator().manual_seed(1))
    torch.nn.init.constant_(network.conv1.bias, 0.1)
    window = np.random.default_rng(0).random(1000)
    with torch.no_grad():
        features = network(torch.from_numpy(window).float()[None, None])[0].numpy()

    def layer(inputs: np.ndarray, convolution: torch.nn.Conv1d) -> np.ndarray:
        padded = np.pad(inputs, ((0, 0), (2, 2)))
        kernels = convolution.weight.detach().double().numpy()
        bias = convolution.bias.detach().double().numpy()
        slid = [sum(map(np.correlate, padded, kernel)) for kernel in kernels]
        full = np.array(slid) + bias[:, None]
        pairs = np.maximum(full, 0)[:, : full.shape[1] // 2 * 2].reshape(len(full), -1, 2)
        return pairs.max(axis=2)

    stem = layer(window[None], network.conv1)
    branches = [layer(stem, network.get_submodule(name)) for name in ("conv2", "conv3", "conv4")]
    expected = np.concatenate([part.ravel() for part in (stem, *branches)])
    np.testing.assert_allclose(features, expected, atol=1e-5)
