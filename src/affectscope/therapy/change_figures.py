"""The figures of the report's section on the change: the path on the circumplex, other windows.

Legend: N analysed times, K steps of a path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from affectscope.evaluation.statistics import Estimate
from affectscope.figures import (
    AFTER,
    AROUSAL,
    BEFORE,
    HEART,
    SKIN,
    SOFT,
    TEXT,
    TRUTH,
    VALENCE,
    circumplex_base,
    clock,
    new_figure,
    style,
)
from affectscope.records import FloatArray, Prediction
from affectscope.therapy.change import Sensitivity
from affectscope.therapy.measures import AFFECT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PATH_STEP = 60.0
"""Seconds of a step of the path ..."""
FEWEST_STEPS = 20
"""... or less, so that a short session has so many."""

SHOWN: Mapping[str, str] = {
    "valence": VALENCE,
    "arousal": AROUSAL,
    "heart rate": HEART,
    "EDA level": SKIN,
}
"""The measures whose sensitivity is drawn."""

Point = tuple[float, float]


def path_of(prediction: Prediction) -> tuple[FloatArray, FloatArray, float]:
    """(K,) middles in seconds, (K, 2) mean valence and arousal around them, and a step's length.

    NaN where a step holds no estimate.
    """
    times = prediction.times
    start, duration = float(times[0]), float(times[-1] - times[0])
    step = min(PATH_STEP, duration / FEWEST_STEPS) or PATH_STEP
    count = max(1, round(duration / step))
    place = np.minimum(((times - start) / step).astype(np.int64), count - 1)
    means: FloatArray = np.full((count, 2), np.nan)
    for column, name in enumerate(AFFECT):
        values = prediction.target(name)
        finite = np.isfinite(values)
        counts = np.bincount(place[finite], minlength=count)
        sums = np.bincount(place[finite], weights=values[finite], minlength=count)
        np.divide(sums, counts, out=means[:, column], where=counts > 0)
    middles: FloatArray = start + step * (np.arange(count, dtype=np.float64) + 0.5)
    return middles, means, step


def trajectory(prediction: Prediction, points: tuple[Point, Point] | None) -> Figure | None:
    """The way from the session's start to its end; None where nothing was estimated.

    Later is darker, and five numbers mark the start, the quarters and the end. ``points`` are the
    means before and after.
    """
    from matplotlib.collections import LineCollection

    _, path, _ = path_of(prediction)
    if not np.isfinite(path).any():
        return None
    with style():
        figure, (axes,) = new_figure(4.6, 4.7)
        circumplex_base(axes)
        shades = [str(grey) for grey in np.linspace(0.8, 0.1, len(path))]
        legs = np.stack([path[:-1], path[1:]], axis=1)
        axes.add_collection(LineCollection(list(legs), colors=shades[1:], linewidths=1.8))
        axes.scatter(path[:, 0], path[:, 1], s=7, color=shades, lw=0, zorder=2.5)
        if points is not None:
            for point, colour, marker, name in (
                (points[0], BEFORE, "o", "before"),
                (points[1], AFTER, "s", "after"),
            ):
                axes.plot(
                    *point,
                    marker,
                    color=colour,
                    ms=12,
                    mec="white",
                    label=f"mean {name}",
                    zorder=1.9,
                )
            axes.legend(loc="lower center", frameon=False, ncols=2, bbox_to_anchor=(0.5, 1.0))
        _number(axes, path[quarter_rows(path)])
        return figure


def _number(axes: Axes, marked: FloatArray) -> None:
    """1, 2 ... beside points (K, 2) of the path, joined to them by a thin line."""
    for number, (point, place) in enumerate(zip(marked, spread(marked), strict=True), start=1):
        axes.plot(*zip(point, place, strict=True), color=TRUTH, lw=0.7, zorder=3)
        axes.plot(*point, ".", color=TRUTH, ms=5, zorder=3)
        axes.text(
            place[0], place[1], str(number), fontsize=7, color=TRUTH, zorder=5,
            ha="center", va="center",
            bbox={"boxstyle": "circle,pad=0.18", "fc": "white", "ec": TRUTH, "lw": 0.9},
        )  # fmt: skip


def spread(points: FloatArray, apart: float = 0.17) -> FloatArray:
    """(K, 2) places beside points (K, 2), away from their middle, pushed off one another until
    they lie about ``apart``."""
    outwards = points - points.mean(axis=0) + 1e-3 * np.arange(1, len(points) + 1)[:, None]
    places: FloatArray = points + apart * outwards / np.linalg.norm(outwards, axis=1, keepdims=True)
    for _ in range(50):
        between = places[:, None] - places[None]
        distance = np.linalg.norm(between, axis=2)
        np.fill_diagonal(distance, np.inf)
        close = np.clip(apart - distance, 0, None) / np.maximum(distance, 1e-6)
        places = places + 0.5 * (close[:, :, None] * between).sum(axis=1)
    return places


def quarter_rows(path: FloatArray) -> list[int]:
    """Of a path (K, 2): its first, its last and the rows at its quarters that hold a point, the
    nearest ones; none where nothing does."""
    known = np.flatnonzero(np.isfinite(path).all(axis=1))
    if not len(known):
        return []
    wanted = np.linspace(0, len(path) - 1, 5)
    rows = [int(known[np.abs(known - row).argmin()]) for row in wanted]
    return sorted(set(rows))


def sensitivity_figure(found: Sensitivity, units: Mapping[str, str]) -> Figure | None:
    """Change against the length of the compared parts, a panel per measure of ``SHOWN``.

    ``units`` by measure. None where none of them has a change.
    """
    from matplotlib.figure import Figure

    names = [
        name for name in SHOWN if any(change is not None for change in found.changes.get(name, ()))
    ]
    if not names:
        return None
    with style():
        figure = Figure(figsize=(8.6, 2.3), layout="constrained")
        panels = figure.subplots(1, len(SHOWN), squeeze=False)[0]
        for axes, name in zip(panels, names, strict=False):
            _changes(axes, found.lengths, found.changes[name], SHOWN[name])
            axes.set_title(f"{name} ({units[name]})", fontsize=9, color=TEXT)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        panels[0].set_ylabel("change, after − before")
        figure.supxlabel("length of the first and of the last part", fontsize=9, color=TEXT)
        return figure


def _changes(
    axes: Axes, lengths: Sequence[float], changes: Sequence[Estimate | None], colour: str
) -> None:
    """Points with their intervals; hollow where no interval could be given."""
    axes.axhline(0, color=SOFT, lw=0.9)
    for place, change in enumerate(changes):
        if change is None:
            continue
        inside = "white"
        if change.low is not None and change.high is not None:
            axes.plot([place, place], [change.low, change.high], color=colour, lw=1.8)
            inside = colour
        axes.plot(place, change.mean, "o", ms=5.5, color=colour, mfc=inside)
    axes.set_xticks(range(len(lengths)), [clock(length) for length in lengths])
    axes.set_xlim(-0.5, len(lengths) - 0.5)
    axes.margins(y=0.15)
    axes.grid(visible=False, axis="x")
