"""The intervals between heartbeats, of whatever sensor, and which of them can be trusted.

Legend: B beats, M = B - 1 intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from affectscope.preprocessing.ecg_quality import LONGEST_RR, SHORTEST_RR
from affectscope.records import BoolArray, FloatArray

NORMAL_DEVIATION = 0.2
"""An RR interval is normal-to-normal within this share of the median of 11 intervals around it."""


@dataclass(frozen=True, eq=False)
class RrIntervals:
    """RR intervals (M,), each beginning where the one before ends.

    Attributes:
        starts, durations: seconds.
        plausible: 20 to 250 beats per minute, and all of it seen.
        normal: plausible and normal-to-normal: within ``NORMAL_DEVIATION`` of what is usual there.
    """

    starts: FloatArray
    durations: FloatArray
    plausible: BoolArray
    normal: BoolArray

    @property
    def pairs(self) -> BoolArray:
        """(M - 1,) neighbours that are both normal: their difference counts in RMSSD."""
        return self.normal[:-1] & self.normal[1:]


def intervals_between(beat_times: FloatArray, seen: BoolArray) -> RrIntervals:
    """The intervals between beats (B,) in seconds, ascending, of whatever sensor.

    Args:
        seen: (B - 1,) False where beats may have been missed between two beats.
    """
    durations = np.diff(beat_times)
    plausible = seen & (durations >= SHORTEST_RR) & (durations <= LONGEST_RR)
    normal = np.zeros_like(plausible)
    if plausible.any():
        used = durations[plausible]
        usual = median_filter(used, size=11, mode="nearest")
        normal[plausible] = np.abs(used - usual) <= NORMAL_DEVIATION * usual
    return RrIntervals(beat_times[:-1], durations, plausible, normal)
