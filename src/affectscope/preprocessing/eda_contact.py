"""Where an EDA sensor was lifted from the skin or taken off: falls that skin cannot make.

Sweat goes back into the skin over seconds, so conductance falls slowly: in artefact-free records it
loses a few per cent in a second (docs/quality.md). Rules for wrist sensors as in Kleckner et al.,
IEEE TBME 65:1460 (2018): below 0.05 uS there is no skin. Theirs masks all of it;
dry skin is near to it (``empatica_e4``: a median of 0.09 uS), so it counts only after a fall.

Where they are silent, and what we do:
1. A fall at once is the loss of more than half of the level within a second, to less than 0.05 uS.
2. It is masked until half of the level is back. One to a higher level is told by ``relative_fall``
   (``eda_motion`` of the quality course) and not masked: wrist sensors that stay on have many.

Legend: S samples.
"""

from __future__ import annotations

import numpy as np

from affectscope.preprocessing.signal_quality import window_samples
from affectscope.records import BoolArray, FloatArray

LARGEST_FALL = 0.5
"""Share of the level that may be lost within a second."""
NO_SKIN = 0.05
"""uS."""
_MARGIN = 0.5  # seconds masked after the sensor is back


def relative_fall(cleaned: FloatArray, valid: BoolArray, sampling_rate: float) -> FloatArray:
    """(S,) share of the level of a second before that is lost, 0 where it rose or is not valid."""
    second = window_samples(1.0, sampling_rate)
    fall = np.zeros(len(cleaned))
    before, now = cleaned[:-second], cleaned[second:]
    known = valid[:-second] & valid[second:] & (before > 0)
    np.divide(before - now, before, out=fall[second:], where=known)
    return np.maximum(fall, 0.0)


def lifted(cleaned: FloatArray, valid: BoolArray, sampling_rate: float) -> BoolArray:
    """(S,) True from a fall at once until the sensor is back on the skin.

    Args:
        cleaned: (S,) uS.
        valid: (S,) bool, where it was measured.
        sampling_rate: Hz.
    """
    second, margin = (window_samples(part, sampling_rate) for part in (1.0, _MARGIN))
    mask = np.zeros(len(cleaned), dtype=bool)
    fell = relative_fall(cleaned, valid, sampling_rate) > LARGEST_FALL
    reached = 0
    for fall in np.flatnonzero(fell & (cleaned < NO_SKIN)).tolist():
        if fall < reached:
            continue
        back = np.flatnonzero(cleaned[fall:] >= LARGEST_FALL * cleaned[fall - second])
        reached = fall + int(back[0]) + margin if len(back) else len(cleaned)
        mask[fall - second : reached] = True
    return mask
