"""The report's figures: drawn by Matplotlib, returned as SVG text or as a Figure.

Legend: N analysed times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    new_figure,
    style,
    thinned,
    time_axis,
)
from affectscope.records import FloatArray, Labels, Phase, Prediction
from affectscope.therapy.measures import AFFECT, Measure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def shade(panels: Sequence[Axes], phases: Sequence[Phase]) -> None:
    """The compared phases behind all panels, named above the first: grey paper has no colours."""
    for phase, colour in zip(phases, (BEFORE, AFTER), strict=True):
        for axes in panels:
            axes.axvspan(phase.start, phase.end, color=colour, alpha=0.1, lw=0)
        panels[0].annotate(
            phase.name, ((phase.start + phase.end) / 2, 1), (0, 3), ha="center", va="bottom",
            xycoords=("data", "axes fraction"), textcoords="offset points", color=TEXT, fontsize=8,
        )  # fmt: skip


def affect_over_time(
    prediction: Prediction, phases: Sequence[Phase] = (), labels: Labels | None = None
) -> Figure:
    """Valence and arousal over time, the compared phases shaded, the known truth dashed."""
    with style():
        figure, panels = new_figure(8.6, 3.6, rows=2)
        if phases:
            shade(panels, phases)
        for axes, name, colour in zip(panels, AFFECT, (VALENCE, AROUSAL), strict=True):
            times, values = thinned(prediction.times, prediction.target(name))
            axes.axhline(0, color=SOFT, lw=0.8)
            axes.plot(times, values, color=colour, lw=1.4, label="estimate")
            if labels is not None:
                axes.plot(
                    times, labels.target(name, times), "--", color=TRUTH, lw=1.2, label="truth"
                )
            axes.set(ylim=(-1.05, 1.05), ylabel=name)
        if labels is not None:
            lines = panels[0].get_lines()[1:]  # the first is the zero
            figure.legend(handles=lines, loc="outside upper right", frameon=False, ncols=2)
        time_axis(panels[-1], (prediction.times[0], prediction.times[-1]))
        return figure


def plot(prediction: Prediction) -> Figure:
    """Valence and arousal over time, as a Matplotlib figure to show or save."""
    figure = affect_over_time(prediction)
    if prediction.simulated_person:
        figure.suptitle("Simulated person", fontsize=9)
    elif prediction.population != "people":
        figure.suptitle(f"Weights of {prediction.population}: means nothing", fontsize=9)
    return figure


def circumplex(valence: Measure, arousal: Measure, prediction: Prediction) -> Figure | None:
    """The means before and after with their intervals on the circumplex, over the course.

    None where one of the four means is missing.
    """
    before, after = (valence.before, arousal.before), (valence.after, arousal.after)
    if None in (*before, *after):
        return None
    with style():
        figure, (axes,) = new_figure(3.7, 3.8)
        circumplex_base(axes)
        course = [thinned(prediction.times, prediction.target(name))[1] for name in AFFECT]
        _dots(axes, *course)
        axes.annotate(
            "", xy=_point(after), xytext=_point(before), zorder=4,
            arrowprops={"arrowstyle": "-|>", "color": TRUTH, "lw": 1.4, "shrinkA": 5, "shrinkB": 5},
        )  # fmt: skip
        for estimates, colour, marker, name in (
            (before, BEFORE, "o", "before"),
            (after, AFTER, "s", "after"),
        ):
            left, down = (_half_width(each) for each in estimates)
            axes.errorbar(
                *_point(estimates), xerr=left, yerr=down, fmt=marker, color=colour, ms=9,
                mec="white", elinewidth=1.3, capsize=2.5, label=name, zorder=3,
            )  # fmt: skip
        axes.legend(loc="lower center", frameon=False, ncols=2, bbox_to_anchor=(0.5, 1.0))
        return figure


def _dots(axes: Axes, x: FloatArray, y: FloatArray) -> None:
    """Small round dots as one path: a mark each would make the drawing five times as large."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Drawn

    known = np.isfinite(x) & np.isfinite(y)
    ends = np.column_stack([x[known], y[known]]).repeat(2, axis=0)
    ends[1::2, 0] += 1e-4  # a line of no length at all is not drawn
    codes = np.tile([Drawn.MOVETO, Drawn.LINETO], len(ends) // 2)
    dots = PathPatch(Drawn(ends, codes), color="#c5ced6", lw=1.8, capstyle="round", fill=False)
    dots.get_path().should_simplify = False
    axes.add_patch(dots)


def _point(estimates: tuple[Estimate | None, Estimate | None]) -> tuple[float, float]:
    valence, arousal = (math.nan if each is None else each.mean for each in estimates)
    return valence, arousal


def _half_width(estimate: Estimate | None) -> list[list[float]] | None:
    """How far the interval reaches below and above the mean; None without an interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return [[estimate.mean - estimate.low], [estimate.high - estimate.mean]]


def body_over_time(course: pd.DataFrame, phases: Sequence[Phase]) -> Figure | None:
    """Heart rate, RMSSD, EDA level and responses over time; None where no signal was usable."""
    rows = [
        ("heart_rate", "heart rate\n(bpm)", HEART),
        ("rmssd", "RMSSD\n(ms)", HEART),
        ("eda_tonic", "EDA level\n(µS)", SKIN),
        ("eda_responses", "responses\nper minute", SKIN),
    ]
    rows = [row for row in rows if course[row[0]].notna().any()]
    if not rows:
        return None
    times = course["time"].to_numpy(dtype=np.float64)
    with style():
        figure, panels = new_figure(8.6, 1.1 * len(rows) + 0.5, rows=len(rows))
        shade(panels, phases)
        for axes, (column, label, colour) in zip(panels, rows, strict=True):
            axes.plot(*thinned(times, course[column].to_numpy()), color=colour, lw=1.3)
            axes.set_ylabel(label)
        figure.align_ylabels(panels)
        time_axis(panels[-1], (times[0], times[-1]))
        return figure
