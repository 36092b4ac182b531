"""What was used over the session, as a figure: per modality a bar of shares, and its factors.

The bars are stacked, so that a printed grey page tells used, masked, left out by the user and not
recorded apart by their place; factors are strips below. A session longer than ``COLUMNS`` seconds
is drawn in longer steps: bars then show the share of each, strips the mean over the seconds that
the bar is about, which are the masked ones where there are any.

Legend: N seconds, C columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.figures import SOFT, TEXT, new_figure, style, time_axis
from affectscope.records import MODALITY_NAMES, BoolArray, FloatArray, Modality
from affectscope.therapy.quality_table import FACTOR_NAMES, recorded_modalities

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 600
"""At most so many columns are drawn."""

USED, MASKED, LEFT_OUT, ABSENT = "#0072B2", "#D55E00", "#8E9AA5", "#E3E8EC"
_FACE_LIMIT = 0.3
"""A face's factor below it masks alone; those of the signals have their limit at 0.5."""
_BAR = 2.2  # height of a bar, in strips


def quality_over_time(table: pd.DataFrame) -> Figure | None:
    """The figure of a table of ``quality_table.session_quality``; None where nothing was
    recorded."""
    names = recorded_modalities(table)
    if not names:
        return None
    step = max(1, -(-len(table) // COLUMNS))
    start = float(table["time"].iloc[0])
    edges: FloatArray = start + step * np.arange(-(-len(table) // step) + 1, dtype=np.float64)
    rows = sum(len(FACTOR_NAMES[name]) + _BAR + 1 for name in names)
    with style():
        figure, (axes,) = new_figure(8.6, 0.19 * rows + 0.75)
        place, ticks = 0.0, []
        for name in names:
            ticks += _draw(axes, table, name, edges=edges, step=step, top=place)
            place += len(FACTOR_NAMES[name]) + _BAR + 1
        axes.set_ylim(place - 0.8, -0.3)
        axes.set_yticks([at for at, _ in ticks], [label for _, label in ticks])
        for label, (_, text) in zip(axes.get_yticklabels(), ticks, strict=True):
            label.set(fontsize=9.5 if text in MODALITY_NAMES.values() else 7.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        time_axis(axes, (start, start + len(table)))
        _key(figure, axes, any(table[f"{name}_excluded"].any() for name in names))
        return figure


def _draw(
    axes: Axes,
    table: pd.DataFrame,
    name: Modality,
    *,
    edges: FloatArray,
    step: int,
    top: float,
) -> list[tuple[float, str]]:
    """One modality from ``top`` downwards; returns where its labels stand."""
    recorded, used, left_out = (
        table[f"{name}_{what}"].to_numpy(bool) for what in ("recorded", "used", "excluded")
    )
    masked = recorded & ~used & ~left_out
    counts = np.diff(np.append(np.arange(0, len(table), step), len(table)))
    shares = [_sums(mask, step) / counts for mask in (used, masked, left_out, ~recorded)]
    base = np.full(len(counts), top + _BAR - 0.1)
    for share, colour in zip(shares, (USED, MASKED, LEFT_OUT, ABSENT), strict=True):
        if not share.any():
            continue  # nothing to see, and stairs of no height would be half of the page's bytes
        upper = base - share * (_BAR - 0.2)
        axes.stairs(upper, edges, baseline=base, fill=True, color=colour, lw=0)
        base = upper
    ticks = [(top + _BAR / 2, MODALITY_NAMES[name])]
    strips = []
    for row, factor in enumerate(FACTOR_NAMES[name]):
        values = _means(table[factor].to_numpy(np.float64), masked, step)
        strips.append(_on_one_scale(values) if name == "face" else values)
        ticks.append((top + _BAR + row + 0.5, factor.removeprefix(f"{name}_")))
    below = top + _BAR + np.arange(len(strips) + 1)
    axes.pcolormesh(
        edges, below, np.ma.masked_invalid(strips), cmap=_colours(), vmin=0, vmax=1, rasterized=True
    )
    axes.hlines(below, edges[0], edges[-1], color="white", lw=1.0)
    return ticks


def _sums(mask: BoolArray, step: int) -> FloatArray:
    """(C,) how many of each column's seconds are True."""
    return np.asarray(np.add.reduceat(mask.astype(np.float64), np.arange(0, len(mask), step)))


def _means(values: FloatArray, masked: BoolArray, step: int) -> FloatArray:
    """(C,) mean over each column's masked seconds, over all where none is; NaN without any."""
    known = np.isfinite(values)
    starts = np.arange(0, len(values), step)
    worst = np.repeat(_sums(masked & known, step) > 0, step)[: len(values)]
    counted = known & (masked | ~worst)
    sums = np.add.reduceat(np.where(counted, values, 0.0), starts)
    counts = _sums(counted, step)
    return np.asarray(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))


def _on_one_scale(values: FloatArray) -> FloatArray:
    """A face's factors with their limit moved to 0.5, where that of the signals lies."""
    return np.asarray(np.interp(values, [0, _FACE_LIMIT, 1], [0, 0.5, 1]), np.float64)


def _colours() -> Any:
    """Orange below the limit, blue above, pale at it; not recorded is grey."""
    from matplotlib.colors import LinearSegmentedColormap

    points = [(0.0, MASKED), (0.498, "#F6C9A6"), (0.5, "#D6E6F2"), (1.0, "#2C7FB8")]
    return LinearSegmentedColormap.from_list("quality", points).with_extremes(bad=ABSENT)


def _key(figure: Figure, axes: Axes, left_out: bool) -> None:
    from matplotlib.patches import Patch

    bars = [(USED, "used"), (MASKED, "recorded, masked"), (ABSENT, "not recorded")]
    bars += [(LEFT_OUT, "left out by the user")] if left_out else []
    strips = [("#F6C9A6", "factor below its limit"), ("#D6E6F2", "just above, darker: better")]
    figure.legend(
        handles=[Patch(color=colour, label=label) for colour, label in (*bars, *strips)],
        loc="outside upper right", ncols=6, frameon=False, fontsize=8,
        labelcolor=TEXT, handlelength=1.0, columnspacing=1.2,
    )  # fmt: skip
    axes.spines["bottom"].set_color(SOFT)
