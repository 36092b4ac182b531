"""Patients' moves on the circumplex, before and after: Figure 5 of the paper, for any study.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001.

Where the paper is silent, and what we do:
1. Each patient has an own circumplex: with more than a few, arrows in one hide each other. A first
   one holds all moves and their mean.
2. Before and after differ in marker as well as in colour, for readers without colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from affectscope.figures import (
    AFTER,
    BEFORE,
    QUADRANTS,
    SOFT,
    TEXT,
    TRUTH,
    circumplex_base,
    mark_simulated,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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

    Raises nothing for any number of moves from one on; up to thirty stay legible on a page.
    """
    from matplotlib.figure import Figure

    assert moves, "there is nobody to draw"
    with style():
        if len(moves) == 1:
            figure = Figure(figsize=(4.8, 5.0), layout="constrained")
            whole = figure.subplots()
            _large_circumplex(whole, moves, _short(moves[0].patient, 40))
        else:
            columns, rows, side = _grid(len(moves))
            figure = Figure(
                figsize=(4.6 + columns * side, max(4.7, rows * (side + 0.12) + 0.5)),
                layout="constrained",
            )
            left, right = figure.subfigures(
                1, 2, squeeze=False, width_ratios=(4.6, columns * side), wspace=0.02
            )[0]
            whole = left.subplots()
            _large_circumplex(whole, moves, f"All {len(moves)} patients, and their mean move")
            small = right.subplots(rows, columns, squeeze=False).ravel()
            for axes, move in zip(small, moves, strict=False):
                _small_circumplex(axes, move)
            for axes in small[len(moves) :]:
                axes.set_visible(False)
        if simulated:
            mark_simulated(figure)
        return figure


def _grid(count: int) -> tuple[int, int, float]:
    """Columns, rows, and inches of a side, for a block about as high as the large circumplex."""
    columns = min(6, math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    return columns, rows, min(2.2, max(1.35, 4.2 / rows - 0.12))


def _large_circumplex(axes: Axes, moves: Sequence[PatientMove], title: str) -> None:
    circumplex_base(axes)
    alone = len(moves) == 1
    for move in moves:
        _arrow(axes, move.before, move.after, width=1.4 if alone else 0.7, alone=alone)
        _points(axes, move, size=10 if alone else 5, intervals=alone)
    if not alone:
        before, after = (
            np.mean([getattr(move, part) for move in moves], axis=0) for part in ("before", "after")
        )
        _arrow(axes, (before[0], before[1]), (after[0], after[1]), width=2.6, alone=True)
    for colour, marker, name in ((BEFORE, "o", "before"), (AFTER, "s", "after")):
        axes.plot([], [], marker, color=colour, ms=8, mec="white", label=name)
    axes.legend(loc="upper center", frameon=False, ncols=2, bbox_to_anchor=(0.5, -0.12))
    axes.set_title(title, fontsize=9.5)


def _small_circumplex(axes: Axes, move: PatientMove) -> None:
    angle = np.linspace(0, 2 * np.pi, 100)
    axes.plot(np.cos(angle), np.sin(angle), color=SOFT, lw=0.6)
    axes.axhline(0, color=SOFT, lw=0.5)
    axes.axvline(0, color=SOFT, lw=0.5)
    for x, y, number, _ in QUADRANTS:
        axes.text(
            1.08 * x, 1.08 * y, number, fontsize=6, color=TEXT,
            ha="right" if x > 0 else "left", va="top" if y > 0 else "bottom",
        )  # fmt: skip
    _arrow(axes, move.before, move.after, width=1.0, alone=True)
    _points(axes, move, size=5.5, intervals=True)
    axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=(), yticks=(), aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(_short(move.patient), fontsize=7.5, pad=1.5)


def _short(name: str, longest: int = 16) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _arrow(axes: Axes, start: Span, end: Span, *, width: float, alone: bool) -> None:
    axes.annotate(
        "", xy=end, xytext=start, zorder=3 if alone else 2,
        arrowprops={
            "arrowstyle": "-|>", "color": TRUTH, "lw": width, "alpha": 1.0 if alone else 0.45,
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
            axes.plot((left, right), (point[1], point[1]), color=colour, lw=1.1, zorder=3)
            axes.plot((point[0], point[0]), (low, high), color=colour, lw=1.1, zorder=3)
        axes.plot(*point, marker, color=colour, ms=size, mec="white", mew=0.6, zorder=4)
