"""What a page draws of a result: courses in any zoom, and face boxes.

Read from the folder that ``assess`` wrote, only the columns that are asked for; ten hours at 25
rows a second are binned in a moment. Nothing is interpolated: a bin in which nothing was usable is
null, never zero.

Bins are runs of equally many rows, counted from the session's first row, so that moving the view
does not change what a bin holds. A view with few rows shows each of them.

Legend: N rows of a table, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import SessionError
from affectscope.io.files import shown
from affectscope.records import MODALITIES, BoolArray, FloatArray
from affectscope.therapy.study.session_rows import ROW, read_object

# As therapy.results and therapy.session_walk name them, which import all that assessing needs.
TIMELINE, QUALITY = "timeline.parquet", "quality.parquet"
BOX = ("face_x", "face_y", "face_width", "face_height")

FEWEST_POINTS, MOST_POINTS = 10, 4000
LONGEST_BOXES = 60.0
"""Seconds of boxes at a time."""
_BOXES_PER_SECOND = 30.0

_CURVES = {
    # name: (column of the timeline, unit)
    "valence": ("valence", ""),
    "arousal": ("arousal", ""),
    "heart_rate": ("heart_rate", "1/min"),
    "eda": ("eda_tonic", "uS"),
}
_DECIMALS = 5
_HIGHEST = 1e12
"""No time, rate or level is beyond it."""

Span = tuple[float, float]


class Bins(NamedTuple):
    """Of each bin the lowest value, the mean and the highest, (B,); NaN where nothing is known."""

    low: FloatArray
    mean: FloatArray
    high: FloatArray


def courses(
    folder: Path, *, start: float | None = None, end: float | None = None, points: int = 1200
) -> dict[str, Any]:
    """The courses of an assessed session from ``start`` to ``end``, as plain JSON values.

    Args:
        folder: what ``assess`` wrote.
        start, end: s on the session's axis; None: the session's own start and end.
        points: at most so many bins of a series, 10 to 4000.

    Returns:
        "start", "end": the span that the answer is about, s, within the session.
        "series": name -> "unit", "times" (s, the middle of each bin), "low", "mean", "high". One
            row beyond each end of the span is taken too, so that lines run to its borders.
            valence, arousal, heart_rate (1/min), eda (the EDA level, uS), and quality_face,
            quality_ecg, quality_eda: the share in [0, 1] of the recorded seconds that was used. A
            series of which the session has nothing is left out.
        "phases", "marked": each "name", "start", "end"; "notices": each "code", "sentence",
            "modality", "start", "end" (null where it has none).
        "simulated_person"; "population": whom the weights were fitted on, null without a score.

    Raises:
        SessionError: E_CONFIG for a span or a number of points that is not allowed; E_SESSION for a
            folder without a result, or with a damaged one.
    """
    if not FEWEST_POINTS <= points <= MOST_POINTS:
        what = f"{points!r} points were asked for."
        raise _not_allowed(what, f"Allowed are {FEWEST_POINTS} to {MOST_POINTS}.")
    result = _result(folder)
    columns = [f"{name}_{what}" for name in MODALITIES for what in ("recorded", "used")]
    timeline = _table(folder, TIMELINE, ("time", *(column for column, _ in _CURVES.values())))
    quality = _table(folder, QUALITY, ("time", *columns))
    times = timeline["time"]
    span = _within((float(times[0]), float(times[-1])), start, end)
    found = {
        name: {"unit": unit, **_series(times, timeline[column], span, points)}
        for name, (column, unit) in _CURVES.items()
        if np.isfinite(timeline[column]).any()
    }
    for name in MODALITIES:
        recorded = quality[f"{name}_recorded"] > 0
        if recorded.any():
            used = np.where(recorded, quality[f"{name}_used"], np.nan)
            seconds = _series(quality["time"] + 0.5, used, span, points)
            found[f"quality_{name}"] = {"unit": "", **seconds}
    with _reading(folder, ROW):
        return {"start": span[0], "end": span[1], "series": found, **_told(result)}


def boxes(folder: Path, *, start: float, end: float) -> dict[str, Any]:
    """Where the face is from ``start`` to ``end``, at most a minute, at most 30 times a second.

    Returns:
        "times" (s on the session's axis) and "boxes": for each time x, y, width and height in
        shares of the upright picture's width and height, or null where no face was seen. Empty for
        a result of a version that kept no boxes.

    Raises:
        SessionError: as ``courses``.
    """
    if not 0 < end - start <= LONGEST_BOXES:  # also where one of them is no number
        what = f"Boxes were asked for from {start:g} to {end:g} s."
        raise _not_allowed(what, f"Ask for at most {LONGEST_BOXES:g} s, the end after the start.")
    _result(folder)
    table = _table(folder, TIMELINE, ("time", *BOX), optional=True)
    if len(table) <= len(BOX):
        return {}
    times = table["time"]
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, "right")
    stride = max(1, math.ceil((last - first) / (_BOXES_PER_SECOND * (end - start) + 1)))
    rows = slice(first, last, stride)
    places = np.column_stack([table[name][rows] for name in BOX])
    seen: BoolArray = np.asarray(np.isfinite(places).all(axis=1))
    return {
        "times": np.round(times[rows], _DECIMALS).tolist(),
        "boxes": [
            place if known else None
            for place, known in zip(np.round(places, _DECIMALS).tolist(), seen, strict=True)
        ],
    }


def binned(values: FloatArray, edges: NDArray[np.int64]) -> Bins:
    """Lowest, mean and highest of the finite (N,) values in each bin; ``edges`` (B,) are the bins'
    first rows, ascending."""
    known = np.isfinite(values)
    counts = np.add.reduceat(known.astype(np.int64), edges)
    low = np.minimum.reduceat(np.where(known, values, np.inf), edges)
    high = np.maximum.reduceat(np.where(known, values, -np.inf), edges)
    sums = np.add.reduceat(np.where(known, values, 0.0), edges)
    mean = np.clip(sums / np.maximum(counts, 1), low, high)  # rounding must not lead beyond
    return Bins(*(np.where(counts > 0, part, np.nan) for part in (low, mean, high)))


def bin_edges(first: int, last: int, points: int) -> NDArray[np.int64]:
    """The first rows of at most ``points`` bins of the rows ``first`` to ``last`` (exclusive),
    counted from ``first``; bins are equally long and begin at multiples of their length."""
    count = last - first
    length = 1 if count <= points else math.ceil(count / (points - 1))
    edges = np.arange(first - first % length, last, length, dtype=np.int64) - first
    return np.maximum(edges, 0)


def _series(times: FloatArray, values: FloatArray, span: Span, points: int) -> dict[str, Any]:
    first = max(0, int(np.searchsorted(times, span[0])) - 1)
    last = int(np.searchsorted(times, span[1], "right")) + 1
    times, values = times[first:last], values[first:last]
    edges = bin_edges(first, first + len(times), points)
    middles = np.add.reduceat(times, edges) / np.diff(np.append(edges, len(times)))
    bins = binned(values, edges)
    return {
        "times": np.round(middles, _DECIMALS).tolist(),
        **{name: _plain(part) for name, part in bins._asdict().items()},
    }


def _plain(values: FloatArray) -> list[float | None]:
    """JSON has no NaN."""
    found = np.round(values, _DECIMALS).astype(object)
    found[~np.isfinite(values)] = None
    plain: list[float | None] = found.tolist()
    return plain


def _within(whole: Span, start: float | None, end: float | None) -> Span:
    """The asked span, cut to the session's."""
    first, last = (whole[k] if asked is None else asked for k, asked in enumerate((start, end)))
    if not first <= last:  # also where one of them is no number
        what = f"The span from {first:g} to {last:g} s has no length."
        raise _not_allowed(what, "Give a start before the end.")
    return min(max(first, whole[0]), whole[1]), max(min(last, whole[1]), whole[0])


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    """What result.json says beside the courses."""
    model = result["model"]
    return {
        "phases": [
            {"name": name, "start": phase["start"], "end": phase["end"]}
            for name, phase in result["phases"].items()
        ],
        "marked": [
            {name: part[name] for name in ("name", "start", "end")} for part in result["marked"]
        ],
        "notices": [
            {"code": notice["code"], "sentence": notice["sentence"]}
            | {name: notice.get(name) for name in ("modality", "start", "end")}
            for notice in result["notices"]
        ],
        "simulated_person": bool(result["simulated_person"]),
        "population": None if model is None else str(model["population"]),
    }


def _result(folder: Path) -> dict[str, Any]:
    """result.json of a session that was not refused."""
    if not (folder / ROW).is_file():
        raise SessionError(
            "E_SESSION", f"{shown(folder)} holds no result.", "Assess the session first."
        )
    found = read_object(folder / ROW)
    if found is None or "status" not in found:
        raise _damaged(folder, ROW)
    if found["status"] == "REJECTED":
        raise SessionError(
            "E_SESSION",
            f"There is nothing to show: the session was refused. {found.get('sentence', '')}",
            str(found.get("remedy", "")),
        )
    return found


def _table(
    folder: Path, name: str, columns: tuple[str, ...], *, optional: bool = False
) -> dict[str, FloatArray]:
    """Columns (N,) of one of the tables, NaN where a value is missing, in the order of time.

    ``optional``: the table may lack columns, but not the first one.
    """
    from pyarrow import ArrowException, parquet

    with _reading(folder, name, ArrowException):
        file = parquet.ParquetFile(folder / name)
        there = [column for column in columns if column in file.schema_arrow.names]
        if there != list(columns) and not (optional and there):
            raise ValueError(columns)
        table = file.read(columns=there)
        found = {column: _numbers(table.column(column)) for column in there}
        times = found["time"]
        if not (len(times) and np.isfinite(times).all() and np.all(np.diff(times) >= 0)):
            raise ValueError(name)
        if any(np.any(abs(values) > _HIGHEST) for values in found.values()):
            raise ValueError(name)
        return found


def _numbers(column: Any) -> FloatArray:
    return np.asarray(column.to_numpy(), np.float64)


@contextmanager
def _reading(folder: Path, name: str, *more: type[Exception]) -> Iterator[None]:
    """What a damaged file leads to is told as E_SESSION."""
    expected: tuple[type[Exception], ...] = (
        OSError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        *more,
    )
    try:
        yield
    except expected as error:
        raise _damaged(folder, name) from error


def _damaged(folder: Path, name: str) -> SessionError:
    sentence = f"{name} in {shown(folder)} is missing or damaged."
    return SessionError("E_SESSION", sentence, "Assess the session again.")


def _not_allowed(what: str, remedy: str) -> SessionError:
    return SessionError("E_CONFIG", what, remedy)
