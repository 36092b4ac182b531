"""The column of a table or array that holds each row's time.

A clock that was set back goes on from there; one that goes back again and again is none. Steps
forward are rows that were lost: a column of times cannot tell them from a clock that was set.

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
from affectscope.io.clock_breaks import BLOCK, IntArray
from affectscope.io.files import shown
from affectscope.io.timeline import SECONDS, Timeline, is_row_number, stamp_timeline
from affectscope.records import FloatArray, Notice

_TIME_WORDS = {"time", "times", "timestamp", "timestamps", "unix", "unixtime", "elapsed", "zeit",
                "tiempo", "temps", "tempo"}  # fmt: skip

_ADVANCING = {True: 0.1, False: 0.75}
"""Share of rows at which a clock moves on: where the user named the column, where its header did.

Receivers that stamp packets repeat some times (Shimmer), or one time for a whole packet."""

_CALM_ROWS = 64  # that keep their pace before and behind a clock that was set back
_PACE = 10.0  # usual steps; a longer one is no pace
_LISTED = 10
_CRYSTAL = 1000.0  # ppm; no sensor's clock drifts so far, so that the stated rate is wrong
_CONTRADICTION = 1e4  # ppm; the front door tells of more, and takes the stated rate


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
    if timeline is None or timeline.axis is None:
        return replace(data, notices=(*data.notices, *notices))
    fit = timeline.axis.fit(stated_rate)
    if fit.drift is not None and _CRYSTAL < abs(fit.drift) <= _CONTRADICTION:
        sentence = (
            f"The sampling rate of {shown(path)} is stated as {stated_rate:g} Hz, and its time"
            f" column shows {fit.measured_rate:.6g} Hz, which was used."
        )
        notices = (*notices, Notice("W_SAMPLING_RATE", sentence))
    return replace(
        data,
        values=timeline.axis.place(data.values),
        measured_rate=timeline.sampling_rate,
        first_time=timeline.first_time,
        unix_start=timeline.unix_start,
        gaps=timeline.gaps,
        notices=(*data.notices, *notices),
        clock=fit,
    )


def read_clock(
    path: Path, column: TimeColumn, *, stamps: FloatArray, stated_rate: float | None
) -> tuple[Timeline | None, tuple[Notice, ...]]:
    """What a time column (S,) says; no timeline where it counts rows or cannot be used.

    The stamps are overwritten with seconds since the first row.

    Raises:
        InputError: E_SIGNAL_FILE where a column that the user named cannot serve as a clock.
    """
    problem = _unusable(stamps, _ADVANCING[column.named])
    if problem is None:
        if column.unit is None and is_row_number(stamps):
            return None, ()
        timeline = stamp_timeline(stamps, column.unit, stated_rate=stated_rate)
        return timeline, _jump_notices(column, timeline)
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
    missing = ~np.isfinite(stamps)
    if missing.any():
        return f"holds no number in row {int(np.argmax(missing)) + 1}"
    del missing
    moving, back = 0, [np.zeros(0, np.int64)]
    for start in range(0, len(stamps) - 1, BLOCK):
        steps = np.diff(stamps[start : start + BLOCK + 1])
        moving += int(np.count_nonzero(steps))
        back.append(start + 1 + np.flatnonzero(steps < 0))
    rows = np.concatenate(back)
    if len(rows) and not _is_set_back(stamps, rows):
        return f"goes back at row {int(rows[0]) + 1} of the data"
    if moving < advancing * (len(stamps) - 1):
        return "repeats too many times"
    return None


def _is_set_back(stamps: FloatArray, rows: IntArray) -> bool:
    """Whether a clock that goes back before each of these rows was set: it keeps its pace for long
    before and behind, where rows in a wrong order come back at once.
    """
    if len(rows) > len(stamps) // _CALM_ROWS:
        return False
    for row in rows.tolist():
        before, behind = stamps[max(0, row - _CALM_ROWS) : row], stamps[row : row + _CALM_ROWS]
        if min(len(before), len(behind)) < _CALM_ROWS:
            return False
        back = before[-1] - behind[0]
        steps = np.concatenate([np.diff(before), np.diff(behind)])
        if steps.min() < 0 or (steps.max() >= back / 2 and steps.max() > _PACE * np.median(steps)):
            return False
    return True


def _jump_notices(column: TimeColumn, timeline: Timeline) -> tuple[Notice, ...]:
    if timeline.axis is None:
        return ()
    found: list[Notice] = []
    for jump in timeline.axis.jumps[:_LISTED]:
        at = timeline.axis.seconds_at(jump.sample)
        sentence = (
            f"The time column {column.name!r} jumps by {jump.seconds:.6g} s before row"
            f" {jump.sample + 1} of the data; the rows follow directly, on the clock as it was."
        )
        found.append(Notice("W_TIME_RESET", sentence, start=at, end=at))
    more = len(timeline.axis.jumps) - _LISTED
    if more > 0:
        sentence = f"The time column {column.name!r} jumps {more} more times."
        found.append(Notice("W_TIME_RESET", sentence))
    return tuple(found)
