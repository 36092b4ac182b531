from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from affectscope.models.long_convolution import LongConv1d, LongConvTranspose1d, fast_length


def results(layer: nn.Module, signal: Tensor, *, sliding: bool) -> list[Tensor]:
    """Output, and gradients of the input, the weight and the bias."""
    layer.zero_grad()
    inputs = signal.clone().requires_grad_()
    if not sliding:
        output = layer(inputs)
    elif isinstance(layer, LongConv1d):
        output = functional.conv1d(inputs, layer.weight, layer.bias, padding=layer.padding)
    else:
        output = functional.conv_transpose1d(inputs, layer.weight, layer.bias)
    (output * torch.arange(output.shape[-1])).sum().backward()
    return [output.detach(), inputs.grad, *(p.grad.clone() for p in layer.parameters())]


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 3),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
    kernel=st.integers(1, 40),
    extra=st.integers(0, 60),
    padding=st.integers(0, 3),
)
def test_equals_sliding_in_value_and_gradient(
    rows: int, channels: int, filters: int, kernel: int, extra: int, padding: int
) -> None:
    signal = torch.rand(rows, channels, kernel + extra, dtype=torch.float64)
    for layer in (
        LongConv1d(channels, filters, kernel, padding=padding).double(),
        LongConvTranspose1d(channels, filters, kernel).double(),
    ):
        found = results(layer, signal, sliding=False)
        for fast, slow in zip(found, results(layer, signal, sliding=True), strict=True):
            torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-7)


def test_single_precision_is_within_rounding() -> None:
    layer = LongConv1d(16, 8, 100)
    signal = torch.rand(4, 16, 400)
    with torch.no_grad():
        slow = functional.conv1d(signal, layer.weight, layer.bias)
        error = (layer(signal) - slow).abs().max() / slow.abs().max()
    assert 0 < float(error) < 5e-6


def test_half_precision_slides() -> None:
    layer = LongConv1d(4, 2, 25)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = layer(torch.rand(2, 4, 100))
        expected = functional.conv1d(torch.ones(2, 4, 100), layer.weight).dtype
    assert output.dtype == expected == torch.bfloat16


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_traced_graph_has_no_spectra() -> None:
    traced = torch.jit.trace(LongConv1d(4, 2, 25), torch.rand(2, 4, 100))
    assert "_convolution" in str(traced.inlined_graph)
    assert "fft" not in str(traced.inlined_graph)


def test_an_exported_graph_has_no_spectra() -> None:
    exported = torch.export.export(LongConv1d(4, 2, 25), (torch.rand(2, 4, 100),))
    names = [str(node.target) for node in exported.graph.nodes]
    assert any("conv1d" in name for name in names)
    assert not any("fft" in name for name in names)


@pytest.mark.parametrize(
    ("samples", "length"), [(1, 1), (7, 8), (150, 150), (301, 320), (406, 432), (1004, 1024)]
)
def test_fast_length(samples: int, length: int) -> None:
    assert fast_length(samples) == length
