"""The report's figures: drawn by Matplotlib, returned as SVG text or as a Figure.

Legend: N analysed times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from affectscope.figures import (
    AFTER,
    AROUSAL,
    BEFORE,
    HEART,
    SKIN,
    SOFT,
    TRUTH,
    VALENCE,
    circumplex_base,
    new_figure,
    style,
    thinned,
    time_axis,
)
from affectscope.records import Labels, Phase, Prediction

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _shade(axes: Axes, phases: Sequence[Phase]) -> None:
    for phase, colour in zip(phases, (BEFORE, AFTER), strict=True):
        axes.axvspan(phase.start, phase.end, color=colour, alpha=0.08, lw=0)


def affect_over_time(
    prediction: Prediction, phases: Sequence[Phase] = (), labels: Labels | None = None
) -> Figure:
    """Valence and arousal over time, the compared phases shaded, the known truth dashed."""
    with style():
        figure, panels = new_figure(8.6, 4.0, rows=2)
        for axes, name, colour in zip(
            panels, ("valence", "arousal"), (VALENCE, AROUSAL), strict=True
        ):
            times, values = thinned(prediction.times, prediction.target(name))
            if phases:
                _shade(axes, phases)
            axes.axhline(0, color=SOFT, lw=0.8)
            axes.plot(times, values, color=colour, lw=1.4, label="estimate")
            if labels is not None:
                axes.plot(
                    times, labels.target(name, times), "--", color=TRUTH, lw=1.2, label="truth"
                )
            axes.set(ylim=(-1.05, 1.05), ylabel=name)
        if labels is not None:
            panels[0].legend(loc="lower right", frameon=False, ncols=2, bbox_to_anchor=(1, 1))
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


def circumplex(
    before: tuple[float, float], after: tuple[float, float], prediction: Prediction
) -> Figure:
    """Before and after as points (valence, arousal) on the circumplex, over the course."""
    with style():
        figure, (axes,) = new_figure(4.3, 4.3)
        circumplex_base(axes)
        _, valence = thinned(prediction.times, prediction.target("valence"))
        _, arousal = thinned(prediction.times, prediction.target("arousal"))
        axes.scatter(valence, arousal, s=3, color="#c5ced6", lw=0, rasterized=False)
        axes.annotate(
            "", xy=after, xytext=before, arrowprops={"arrowstyle": "->", "color": TRUTH, "lw": 1.4}
        )
        for point, colour, marker, name in (
            (before, BEFORE, "o", "before"),
            (after, AFTER, "s", "after"),
        ):
            axes.plot(*point, marker, color=colour, ms=10, mec="white", label=name, zorder=3)
        axes.legend(loc="lower center", frameon=False, ncols=2, bbox_to_anchor=(0.5, 1.0))
        return figure


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
        figure, panels = new_figure(8.6, 1.25 * len(rows) + 0.4, rows=len(rows))
        for axes, (column, label, colour) in zip(panels, rows, strict=True):
            _shade(axes, phases)
            axes.plot(*thinned(times, course[column].to_numpy()), color=colour, lw=1.3)
            axes.set_ylabel(label)
        figure.align_ylabels(panels)
        time_axis(panels[-1], (times[0], times[-1]))
        return figure
