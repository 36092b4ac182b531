"""What all figures share: their style and colours, the circumplex, and how they are saved.

Colours are Okabe and Ito's, told apart by colour-blind readers and in grey; before and after also
differ in marker. Legend: N points of a course.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.io.files import write_text, write_with
from affectscope.records import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VALENCE, AROUSAL, TRUTH = "#0072B2", "#D55E00", "#444444"
BEFORE, AFTER = "#D55E00", "#009E73"
HEART, SKIN, SOFT = "#CC3366", "#2F6F8F", "#8A97A3"
TEXT = "#55636f"
POINTS = 1200
"""No line needs more points than the page has pixels."""

QUADRANTS = (
    (1.0, 1.0, "I", "pleasant, aroused"),
    (-1.0, 1.0, "II", "unpleasant, aroused"),
    (-1.0, -1.0, "III", "unpleasant, calm"),
    (1.0, -1.0, "IV", "pleasant, calm"),
)
"""Sign of valence, sign of arousal, number, meaning (Russell, J. Pers. Soc. Psychol. 39, 1980)."""

_DOTS_PER_INCH = 200
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
    "text.parse_math": False,  # names come from outside: a dollar is a dollar
    "svg.fonttype": "path",
    "svg.hashsalt": "affectscope",
}


def style() -> AbstractContextManager[None]:
    """The look of all figures, while they are drawn and while they are saved."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def new_figure(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of ``width`` x ``height`` inches: panels one above the other, with one x axis."""
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


def clock(seconds: float) -> str:
    """Minutes and seconds, "3:05" (hours are 60 minutes and more)."""
    whole = round(abs(seconds))
    return f"{'-' if seconds < 0 else ''}{whole // 60}:{whole % 60:02d}"


def time_axis(axes: Axes, span: tuple[float, float]) -> None:
    """An x axis of session time."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(*span)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _position: clock(seconds)))
    axes.set_xlabel("time in the session (minutes:seconds)")


def circumplex_base(axes: Axes) -> None:
    """The plane of valence and arousal, both in [-1, 1]: circle, axes, four named quadrants."""
    circle_and_axes(axes, 0.8)
    for x, y, number, meaning in QUADRANTS:
        axes.text(
            1.08 * x, 1.05 if y > 0 else -1.12, f"{number} {meaning}",
            ha="right" if x > 0 else "left", color=TEXT, fontsize=7.5,
        )  # fmt: skip
    axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), xlabel="valence", ylabel="arousal")
    axes.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_aspect("equal")
    axes.grid(visible=False)


def circle_and_axes(axes: Axes, width: float) -> None:
    """The unit circle and the two zero lines, ``width`` points wide."""
    angle = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(angle), np.sin(angle), color=SOFT, lw=width)
    axes.axhline(0, color=SOFT, lw=width)
    axes.axvline(0, color=SOFT, lw=width)


def mark_simulated(figure: Figure) -> None:
    """A title that says that nobody in the figure is a human being."""
    figure.suptitle(
        "Simulated people: nothing here is about a human being",
        fontsize=9.5,
        color="#5b4a9c",
        fontweight="bold",
    )


def svg(figure: Figure, description: str) -> str:
    """The figure as an SVG element to stand in HTML, with a description for screen readers."""
    drawing = _svg_file(figure, description)
    return drawing[drawing.index("<svg") :].replace("<svg", '<svg role="img"', 1)


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write ``path`` + ".svg" and ``path`` + ".png" (200 dots per inch), each whole or not at all.

    Raises:
        OutputError: E_OUTPUT.
    """
    drawing, picture = path.with_name(f"{path.name}.svg"), path.with_name(f"{path.name}.png")
    write_text(drawing, _svg_file(figure, path.name))
    with style():
        write_with(
            picture,
            lambda stream: figure.savefig(
                stream, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None}
            ),
        )
    return drawing, picture


def _svg_file(figure: Figure, title: str) -> str:
    text = io.StringIO()
    with style():
        figure.savefig(text, format="svg", metadata={"Date": None, "Title": title})
    return text.getvalue()
