"""Patients' moves on the circumplex, before and after: Figure 5 of the paper, for any study.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001.

Where the paper is silent, and what we do:
1. Each patient has an own circumplex: with more than a few, arrows in one hide each other. A first
   one holds all moves and their mean. Beyond thirty patients it stands alone.
2. Before and after differ in marker as well as in colour, for readers without colours.
3. Up to six patients stand beside the first circumplex, more below it, so that nothing is wider
   than a page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.figures import (
    AFTER,
    BEFORE,
    QUADRANTS,
    TEXT,
    TRUTH,
    circle_and_axes,
    circumplex_base,
    mark_simulated,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

MOST_PANELS, MOST_BESIDE = 30, 6
"""Patients up to which each has an own panel, and up to which the panels stand beside the first."""
_LARGE, _WIDE, _COLUMNS = 4.0, 8.6, 6

Span = tuple[float, float]


@dataclass(frozen=True)
class PatientMove:
    """A patient's mean (valence, arousal) in the first and the last minutes, in [-1, 1].

    ``before_interval``, ``after_interval``: 95 % intervals of valence and of arousal, or None.
    """

    patient: str
    before: tuple[float, float]
    after: tuple[float, float]
    before_interval: tuple[Span, Span] | None = None
    after_interval: tuple[Span, Span] | None = None


def moves_figure(moves: Sequence[PatientMove], simulated: bool) -> Figure:
    """Each patient's move on the circumplex, before and after a session, and all of them at once.

    Raises nothing for any number of moves from one on.
    """
    if len(moves) == 1 or len(moves) > MOST_PANELS:
        return everyone_figure(moves, simulated)
    columns, rows, side = _grid(len(moves))
    beside = len(moves) <= MOST_BESIDE
    size = (
        (_LARGE + columns * side, max(_LARGE + 0.3, rows * (side + 0.2)))
        if beside
        else (_WIDE, _LARGE + 0.5 + rows * (side + 0.2))
    )

    def draw(figure: Figure) -> None:
        shares: dict[str, Any] = {"width_ratios": (_LARGE, columns * side), "wspace": 0.01}
        if not beside:
            shares = {"height_ratios": (_LARGE + 0.5, rows * (side + 0.2))}
        grid = (1, 2) if beside else (2, 1)
        parts = figure.subfigures(*grid, squeeze=False, **shares).ravel()
        _large_circumplex(parts[0].subplots(), moves)
        _panels(parts[1], moves)

    return _drawn(size, simulated, draw)


def everyone_figure(moves: Sequence[PatientMove], simulated: bool) -> Figure:
    """All moves on one circumplex, and their mean."""
    return _drawn(
        (_LARGE + 0.6, _LARGE + 0.8),
        simulated,
        lambda figure: _large_circumplex(figure.subplots(), moves),
    )


def panels_figure(moves: Sequence[PatientMove], simulated: bool) -> Figure:
    """Each patient's own circumplex, without the one that holds all."""
    columns, rows, side = _grid(len(moves))
    size = (columns * side + 0.1, rows * (side + 0.2) + 0.2)
    return _drawn(size, simulated, lambda figure: _panels(figure, moves))


def _drawn(size: tuple[float, float], simulated: bool, draw: Callable[[Figure], None]) -> Figure:
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        if simulated:
            mark_simulated(figure)
        return figure


def _grid(count: int) -> tuple[int, int, float]:
    """Columns, rows, and inches of a side."""
    if count <= MOST_BESIDE:
        columns = math.ceil(count / 2)
        return columns, math.ceil(count / columns), 1.9 if columns < 3 else 1.6
    return _COLUMNS, math.ceil(count / _COLUMNS), _WIDE / _COLUMNS


def _panels(place: FigureBase, moves: Sequence[PatientMove]) -> None:
    columns, rows, _ = _grid(len(moves))
    panels = place.subplots(rows, columns, squeeze=False).ravel()
    for axes, move in zip(panels, moves, strict=False):
        _small_circumplex(axes, move)
    for axes in panels[len(moves) :]:
        axes.set_visible(False)


def _large_circumplex(axes: Axes, moves: Sequence[PatientMove]) -> None:
    circumplex_base(axes)
    for x, y, _, _ in QUADRANTS:
        if (x, y) in ((-1.0, 1.0), (1.0, -1.0)):  # where therapy starts, and where it aims at
            axes.fill_between((0, 1.15 * x), 0, 1.15 * y, color=TEXT, alpha=0.06, lw=0)
    alone = len(moves) == 1
    few = len(moves) <= MOST_PANELS
    for move in moves:
        _arrow(
            axes, move.before, move.after, width=1.4 if alone else 0.7 if few else 0.4, solid=alone
        )
        _points(axes, move, size=10 if alone else 5 if few else 3.5, intervals=alone)
    title = _short(moves[0].patient, 40)
    if not alone:
        title = f"All {len(moves)} patients, and their mean move"
        before, after = (
            np.mean([getattr(move, part) for move in moves], axis=0) for part in ("before", "after")
        )
        _arrow(axes, (before[0], before[1]), (after[0], after[1]), width=2.6, solid=True)
        for point, colour, marker in ((before, BEFORE, "o"), (after, AFTER, "s")):
            axes.plot(*point, marker, color=colour, ms=10, mec=TRUTH, mew=1.6, zorder=5)
    for colour, marker, name in ((BEFORE, "o", "before"), (AFTER, "s", "after")):
        axes.plot([], [], marker, color=colour, ms=8, mec="white", label=name)
    axes.legend(loc="upper center", frameon=False, ncols=2, bbox_to_anchor=(0.5, -0.12))
    axes.set_title(title, fontsize=9.5)


def _small_circumplex(axes: Axes, move: PatientMove) -> None:
    circle_and_axes(axes, 0.6)
    for x, y, number, _ in QUADRANTS:
        axes.text(
            1.08 * x, 1.08 * y, number, fontsize=6.5, color=TEXT,
            ha="right" if x > 0 else "left", va="top" if y > 0 else "bottom",
        )  # fmt: skip
    _arrow(axes, move.before, move.after, width=1.0, solid=True, shortest=0.25)
    _points(axes, move, size=4.5, intervals=True)
    axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=(), yticks=(), aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(_short(move.patient), fontsize=8, pad=1.5)


def _short(name: str, longest: int = 16) -> str:
    """A long name's start and end: names of a study often differ in their last letters only."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 4]}…{name[1 + longest // 4 - longest :]}"


def _arrow(
    axes: Axes, start: Span, end: Span, *, width: float, solid: bool, shortest: float = 0.1
) -> None:
    """From start to end; a head that is longer than the way would point backwards: a line then."""
    axes.annotate(
        "", xy=end, xytext=start, zorder=3 if solid else 2,
        arrowprops={
            "arrowstyle": "-|>" if math.dist(start, end) > shortest else "-",
            "color": TRUTH, "lw": width, "alpha": 1.0 if solid else 0.45,
            "shrinkA": 0, "shrinkB": 1 + 2.6 * width, "mutation_scale": 7 + 2 * width,
        },
    )  # fmt: skip


def _points(axes: Axes, move: PatientMove, *, size: float, intervals: bool) -> None:
    for point, interval, colour, marker in (
        (move.before, move.before_interval, BEFORE, "o"),
        (move.after, move.after_interval, AFTER, "s"),
    ):
        if interval is not None and intervals:
            (left, right), (low, high) = interval
            axes.plot((left, right), (point[1], point[1]), color=colour, lw=1.2, zorder=3)
            axes.plot((point[0], point[0]), (low, high), color=colour, lw=1.2, zorder=3)
        axes.plot(*point, marker, color=colour, ms=size, mec="white", mew=0.6, zorder=4)
