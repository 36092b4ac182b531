"""What a reader made of a file, and how that differs from what it made of the whole one.

Legend: S samples of a channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Channel:
    """values (S,) with NaN where nothing was measured; Hz; seconds of the first sample."""

    values: NDArray[np.float64]
    sampling_rate: float
    start: float


@dataclass(eq=False)
class Reading:
    """One file, read.

    Attributes:
        channels: of a signal file, None where the channel could not be read.
        pictures: of a video, (time in s, the number that it tells or None) of each.
        told: codes of notices or warnings.
        refused: errors that the reader means to raise, by channel or for the file.
        untyped: errors that it does not mean to raise.
    """

    channels: list[Channel | None] = field(default_factory=list)
    pictures: list[tuple[float, int | None]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.pictures and all(channel is None for channel in self.channels)


def outcome(whole: Reading, found: Reading) -> str:
    """ "untyped", "error", "degraded", "unchanged", or "differs: " and how."""
    if found.untyped:
        return "untyped"
    if found.is_empty and found.refused:
        return "error"
    if found.refused or Counter(found.told) - Counter(whole.told):
        return "degraded"
    if whole.pictures:
        how = _pictures_differ(whole.pictures, found.pictures)
    else:
        pairs = zip(whole.channels, found.channels, strict=False)
        hows = [_channel_differs(one, other) for one, other in pairs if one is not None]
        hows += ["lost"] if len(found.channels) < len(whole.channels) else []
        how = next((how for how in ("lost", "time", "more", "values") if how in hows), "")
    return f"differs: {how}" if how else "unchanged"


def _channel_differs(whole: Channel, found: Channel | None) -> str:
    """ "lost" samples, at another "time", "more" of them, or other "values"; "" for none."""
    if found is None:
        return "lost"
    before, after = np.isfinite(whole.values).sum(), np.isfinite(found.values).sum()
    if after < before:
        return "lost"
    step = 1 / whole.sampling_rate
    last = found.start + len(whole.values) / found.sampling_rate
    apart = abs(last - whole.start - len(whole.values) * step)
    if abs(found.start - whole.start) > step or apart > max(step, 1e-3 * len(whole.values) * step):
        return "time"
    if _moved(whole, found):
        return "time"
    if after > before:
        return "more"
    same = np.array_equal(whole.values, found.values, equal_nan=True)
    return "" if same else "values"


def _moved(whole: Channel, found: Channel) -> bool:
    """Whether more than 1 % of the samples, told by their values, lie a sample or more away."""
    values, first, times = np.unique(whole.values, return_index=True, return_counts=True)
    known, first = values[times == 1], first[times == 1]
    if len(known) < 0.5 * len(whole.values):
        return False
    places = np.searchsorted(known, found.values)
    places[places == len(known)] = 0
    again = np.flatnonzero(known[places] == found.values)
    seen = found.start + again / found.sampling_rate
    right = whole.start + first[places[again]] / whole.sampling_rate
    wrong = np.abs(seen - right) > 1.5 / whole.sampling_rate
    return bool(wrong.sum() > 0.01 * len(known))


def _pictures_differ(
    whole: Sequence[tuple[float, int | None]], found: Sequence[tuple[float, int | None]]
) -> str:
    if len(found) < len(whole):
        return "lost"
    right = {number: time for time, number in whole}
    step = whole[1][0] - whole[0][0]
    wrong = [n for time, n in found if n in right and abs(right[n] - time) > 1.01 * step]
    if wrong:
        return "time"
    if len(found) > len(whole):
        return "more"
    return "" if [n for _, n in found] == [n for _, n in whole] else "values"
