"""The report's figures: drawn by Matplotlib, returned as SVG text or as a Figure.

Colours are Okabe and Ito's, told apart by colour-blind readers and in grey; before and after also
differ in marker. Legend: N analysed times.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.records import FloatArray, Labels, Phase, Prediction

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VALENCE, AROUSAL, TRUTH = "#0072B2", "#D55E00", "#444444"
BEFORE, AFTER = "#D55E00", "#009E73"
HEART, SKIN, SOFT = "#CC3366", "#2F6F8F", "#8A97A3"
POINTS = 1200
"""No line needs more points than the page has pixels."""

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8A97A3",
    "axes.labelcolor": "#33424f",
    "xtick.color": "#55636f",
    "ytick.color": "#55636f",
    "axes.grid": True,
    "grid.color": "#e6ebef",
    "svg.fonttype": "path",
    "svg.hashsalt": "affectscope",
}


def _style() -> AbstractContextManager[None]:
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def _new(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def thinned(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means over at most ``POINTS`` equal stretches of rows; NaN where a stretch holds nothing."""
    if len(times) <= POINTS:
        return times, values
    edges = np.linspace(0, len(times), POINTS + 1).astype(int)
    finite = np.isfinite(values)
    counts = np.add.reduceat(finite.astype(float), edges[:-1])
    sums = np.add.reduceat(np.where(finite, values, 0.0), edges[:-1])
    means = np.full(POINTS, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return np.add.reduceat(times, edges[:-1]) / np.diff(edges), means


def _time_axis(axes: Axes, span: tuple[float, float]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(*span)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _position: clock(seconds)))
    axes.set_xlabel("time in the session (minutes:seconds)")


def clock(seconds: float) -> str:
    """Minutes and seconds, "3:05" (hours are 60 minutes and more)."""
    whole = round(abs(seconds))
    return f"{'-' if seconds < 0 else ''}{whole // 60}:{whole % 60:02d}"


def _shade(axes: Axes, phases: Sequence[Phase]) -> None:
    for phase, colour in zip(phases, (BEFORE, AFTER), strict=True):
        axes.axvspan(phase.start, phase.end, color=colour, alpha=0.08, lw=0)


def affect_over_time(
    prediction: Prediction, phases: Sequence[Phase] = (), labels: Labels | None = None
) -> Figure:
    """Valence and arousal over time, the compared phases shaded, the known truth dashed."""
    with _style():
        figure, panels = _new(8.6, 4.0, rows=2)
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
        _time_axis(panels[-1], (prediction.times[0], prediction.times[-1]))
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
    with _style():
        figure, (axes,) = _new(4.3, 4.3)
        angle = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(angle), np.sin(angle), color=SOFT, lw=0.8)
        axes.axhline(0, color=SOFT, lw=0.8)
        axes.axvline(0, color=SOFT, lw=0.8)
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
        for x, y, text in (
            (1.08, 1.05, "I pleasant, aroused"),
            (-1.08, 1.05, "II unpleasant, aroused"),
            (-1.08, -1.12, "III unpleasant, calm"),
            (1.08, -1.12, "IV pleasant, calm"),
        ):
            axes.text(x, y, text, ha="right" if x > 0 else "left", color="#55636f", fontsize=7.5)
        axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), xlabel="valence", ylabel="arousal")
        axes.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=(-1, -0.5, 0, 0.5, 1))
        axes.set_aspect("equal")
        axes.grid(visible=False)
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
    with _style():
        figure, panels = _new(8.6, 1.25 * len(rows) + 0.4, rows=len(rows))
        for axes, (column, label, colour) in zip(panels, rows, strict=True):
            _shade(axes, phases)
            axes.plot(*thinned(times, course[column].to_numpy()), color=colour, lw=1.3)
            axes.set_ylabel(label)
        figure.align_ylabels(panels)
        _time_axis(panels[-1], (times[0], times[-1]))
        return figure


def svg(figure: Figure, description: str) -> str:
    """The figure as an SVG element to stand in HTML, with a description for screen readers."""
    text = io.StringIO()
    with _style():
        figure.savefig(text, format="svg", metadata={"Date": None, "Title": description})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :].replace("<svg", '<svg role="img"', 1)
