"""The recorder of the paper's authors: an npy array with ECG, EDA, and Unix time as last column.

Where the layout is silent, and what we do:
1. It is told by its last column: Unix times of the years 2000 to 2099, in s, ms, us or ns, at the
   first and the last row, that hardly ever fall (``_RISING``). An array of
   fewer than three columns, or with another last column, stays an array of nameless columns.
2. Units are not stated: the user is asked for them.
3. The rate, the gaps and the start come from the Unix times, as in a table with a time column. A
   clock that goes back or stands still is not used, and a notice says so.

Legend: S samples, C >= 3 columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from affectscope.io.channels import ChannelInfo
from affectscope.io.timeline import stamp_timeline

CLOCK = "unix_time"

_NAMES = ("ecg", "eda")
_RISING = 0.99
"""Share of the steps that must not fall; a clock that was reset now and then is still a clock."""


def is_recorder(array: NDArray[np.generic]) -> bool:
    """Whether an array (S, C) has the layout; the last column alone is read."""
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 3:
        return False
    ends = np.array([array[0, -1].item(), array[-1, -1].item()], dtype=np.float64)
    if not ends[0] < ends[1] or not all(_is_unix(end) for end in ends):
        return False
    steps = np.diff(np.asarray(array[:, -1], dtype=np.float64))
    return float(np.count_nonzero(steps >= 0)) >= _RISING * len(steps)


def _is_unix(stamp: float) -> bool:
    return stamp_timeline(np.array([stamp, stamp * (1 + 1e-9)]), None).unix_start is not None


def recorder_channels(columns: int, samples: int, rate: float | None) -> tuple[ChannelInfo, ...]:
    """The channels' names; each goes by its number as well."""
    numbers = [str(column) for column in range(1, columns + 1)]
    names = (*_NAMES, *numbers[len(_NAMES) : -1], CLOCK)
    return tuple(
        ChannelInfo(
            name,
            None,
            rate,
            samples,
            () if name == number else (number,),
        )
        for name, number in zip(names, numbers, strict=True)
    )
