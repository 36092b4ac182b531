"""The column of a table or array that holds each row's time.

Legend: S rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, without_unit
from affectscope.io.files import shown
from affectscope.io.timeline import SECONDS, Timeline, is_row_number, place, stamp_timeline
from affectscope.records import FloatArray, Notice

_TIME_WORDS = {"time", "times", "timestamp", "timestamps", "unix", "unixtime", "elapsed", "zeit",
                "tiempo", "temps", "tempo"}  # fmt: skip

_ADVANCING = {True: 0.1, False: 0.75}
"""Share of rows at which a clock moves on: where the user named the column, where its header did.

Receivers that stamp packets repeat some times (Shimmer), or one time for a whole packet."""


@dataclass(frozen=True)
class TimeColumn:
    """A column that holds times.

    Attributes:
        unit: seconds per unit where the header says it, None elsewhere.
        named: whether the user named it; then a column that cannot be used is an error.
    """

    name: str
    unit: float | None
    named: bool


def find_time_column(names: Sequence[str]) -> int | None:
    """Index of the first column whose header is a word for time, None without one."""
    for column, name in enumerate(names):
        parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", without_unit(name))
        words = re.split(r"[^A-Za-z]+", parted)
        if "t" in words or _TIME_WORDS & {word.casefold() for word in words}:  # "T" is temperature
            return column
    return None


def time_unit(name: str, unit: str | None) -> float | None:
    """Seconds per unit of a time column, from its unit or a word of its name ("time_ms")."""
    words = re.split(r"[^a-zµμ]+", without_unit(name).casefold())
    spellings = (SECONDS.get(word) for word in ((unit or "").strip().casefold(), *words))
    return next((seconds for seconds in spellings if seconds), None)


def on_clock(
    path: Path,
    data: ChannelData,
    *,
    column: TimeColumn,
    stamps: FloatArray,
    stated_rate: float | None,
) -> ChannelData:
    """A channel's data with the rate, the start and the gaps that its time column shows.

    Raises:
        InputError: E_SIGNAL_FILE where a column that the user named cannot serve as a clock.
    """
    timeline, notices = read_clock(path, column, stamps=stamps, stated_rate=stated_rate)
    if timeline is None:
        return replace(data, notices=(*data.notices, *notices))
    return replace(
        data,
        values=place(data.values, timeline.gaps),
        measured_rate=timeline.sampling_rate,
        first_time=timeline.first_time,
        unix_start=timeline.unix_start,
        gaps=timeline.gaps,
        notices=(*data.notices, *notices),
    )


def read_clock(
    path: Path, column: TimeColumn, *, stamps: FloatArray, stated_rate: float | None
) -> tuple[Timeline | None, tuple[Notice, ...]]:
    """What a time column (S,) says; no timeline where it counts rows or cannot be used.

    Raises:
        InputError: E_SIGNAL_FILE where a column that the user named cannot serve as a clock.
    """
    problem = _unusable(stamps, _ADVANCING[column.named])
    if problem is None:
        if column.unit is None and is_row_number(stamps):
            return None, ()
        timeline = stamp_timeline(stamps, column.unit, stated_rate=stated_rate)
        return timeline, tuple(
            Notice(
                "W_TIME_RESET",
                f"The time column {column.name!r} jumps before row {row + 1} of the data.",
            )
            for row in timeline.jumps
        )
    sentence = f"The time column {column.name!r} of {shown(path)} {problem}."
    if column.named:
        raise InputError(
            "E_SIGNAL_FILE", sentence, "Name another time column, or none, and state the rate."
        )
    return None, (Notice("W_TIME_RESET", f"{sentence} It was not used."),)


def _unusable(stamps: FloatArray, advancing: float) -> str | None:
    """Why stamps cannot serve as a clock, None where they can."""
    if len(stamps) < 2:
        return "holds fewer than two times"
    if not np.isfinite(stamps).all():
        return f"holds no number in row {int(np.flatnonzero(~np.isfinite(stamps))[0]) + 1}"
    steps = np.diff(stamps)
    back = np.flatnonzero(steps < 0)
    if len(back):
        return f"goes back at row {int(back[0]) + 2} of the data"
    if np.count_nonzero(steps) < advancing * len(steps):
        return "repeats too many times"
    return None
