"""Convolutions with kernels of 25 to 200 samples, fast on processors.

The paper's kernels are so long that a product of spectra takes far fewer operations than sliding
them. On one core, PyTorch 2.13, 64 windows, forward and backward: the auto-encoder's three long
layers conv2, deconv2 and deconv1 take 113, 112 and 39 ms by sliding, and 10, 9 and 17 ms this way.
The outputs differ by rounding alone (2e-6 of the largest). Parameters are those of ``nn.Conv1d``
and ``nn.ConvTranspose1d``, so that weights fit both. On an accelerator, in half precision and while
a graph is exported, the layers slide as usual.

Legend: N rows, C channels in, O channels out, L samples, K kernel, n transform length, f frequency.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LongConv1d(nn.Conv1d):
    """``nn.Conv1d`` with a stride of 1: (N, C, L) -> (N, O, L + 2 padding - K + 1)."""

    def __init__(self, channels: int, filters: int, kernel: int, *, padding: int = 0) -> None:
        super().__init__(channels, filters, kernel, padding=padding)

    def forward(self, signal: Tensor) -> Tensor:
        if not _by_spectrum(signal):
            return super().forward(signal)
        return self.unpadded(functional.pad(signal, (int(self.padding[0]),) * 2))

    def unpadded(self, signal: Tensor) -> Tensor:
        """The layer without its padding: (N, C, L) -> (N, O, L - K + 1)."""
        if not _by_spectrum(signal):
            return functional.conv1d(signal, self.weight, self.bias)
        samples = signal.shape[-1]
        n = fast_length(samples)
        spectrum, kernels = torch.fft.rfft(signal, n), torch.fft.rfft(self.weight, n)
        # A conjugate correlates; what wraps around lies behind the samples that are kept.
        product = _product(spectrum, kernels.conj_physical().transpose(0, 1))
        kept: Tensor = torch.fft.irfft(product, n)[..., : samples - self.kernel_size[0] + 1]
        return kept if self.bias is None else kept + self.bias[:, None]


class LongConvTranspose1d(nn.ConvTranspose1d):
    """``nn.ConvTranspose1d`` with a stride of 1: (N, C, L) -> (N, O, L + K - 1)."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__(channels, filters, kernel)

    def forward(self, signal: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not _by_spectrum(signal):
            return super().forward(signal, output_size)
        samples = signal.shape[-1] + self.kernel_size[0] - 1
        n = fast_length(samples)
        spectrum, kernels = torch.fft.rfft(signal, n), torch.fft.rfft(self.weight, n)
        product = _product(spectrum, kernels)
        kept: Tensor = torch.fft.irfft(product, n)[..., :samples]
        return kept if self.bias is None else kept + self.bias[:, None]


def _product(spectrum: Tensor, kernels: Tensor) -> Tensor:
    """(N, C, f) times (C, O, f), summed over C -> (N, O, f), all complex.

    Written as a real matrix product per frequency: PyTorch's complex one copies each matrix of its
    backward pass by itself, which takes several times as long.
    """
    rows, (channels, filters, frequencies) = len(spectrum), kernels.shape
    left = torch.view_as_real(spectrum).permute(2, 0, 1, 3).reshape(frequencies, rows, -1)
    # A real part a adds a (re, im) of the kernel, an imaginary part b adds b (-im, re).
    turned = torch.view_as_real(torch.stack([kernels, 1j * kernels], dim=1))  # (C, 2, O, f, 2)
    right = turned.permute(3, 0, 1, 2, 4).reshape(frequencies, 2 * channels, 2 * filters)
    product = torch.bmm(left, right).view(frequencies, rows, filters, 2).permute(1, 2, 0, 3)
    return torch.view_as_complex(product.contiguous())


def fast_length(samples: int) -> int:
    """The next length, at least ``samples``, without prime factors above 5."""
    length = samples
    while not _is_smooth(length):
        length += 1
    return length


def _is_smooth(length: int) -> bool:
    for factor in (2, 3, 5):
        while length % factor == 0:
            length //= factor
    return length == 1


def _by_spectrum(signal: Tensor) -> bool:
    return (
        signal.device.type == "cpu"
        and signal.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()  # also while torch.export runs
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )
