"""How well a compressed signal comes back: percentage root-mean-square difference and ratio.

Definitions as used for ECG compression (Yildirim et al., Cognitive Systems Research 52, 2018).
"""

from __future__ import annotations

import numpy as np

from affectscope.records import FloatArray


def prd(original: FloatArray, reconstruction: FloatArray) -> float:
    """100 sqrt(sum (x - x')^2 / sum x^2), per cent; it is the smaller the further x is from 0."""
    return _share(original - reconstruction, original)


def prdn(original: FloatArray, reconstruction: FloatArray) -> float:
    """PRD with the original's mean taken off below the line: it does not depend on an offset."""
    return _share(original - reconstruction, original - original.mean())


def compression_ratio(samples: int, *, latent: int, index_bits: int = 0, bits: int = 32) -> float:
    """Bits of a window over the bits that its decoder gets; ``bits`` per sample and latent number.

    ``index_bits``: what an unpooling reads past the latent.
    """
    return samples * bits / (latent * bits + index_bits)


def _share(error: FloatArray, reference: FloatArray) -> float:
    power = float(np.square(reference).sum())
    return float(100.0 * np.sqrt(np.square(error).sum() / power)) if power > 0 else float("nan")
