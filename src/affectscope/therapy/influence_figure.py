"""The figure of what leaving out each modality does to valence and arousal over a session.

Modalities differ in colour, in dash and in marker, and stand beside their lines by name, so that a
grey page and colour-blind readers tell them apart.

Legend: R rows, B stretches of the session, M modalities, 2 targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.figures import HEART, SKIN, SOFT, TEXT, style, time_axis
from affectscope.records import MODALITY_NAMES, FloatArray, Modality, Phase
from affectscope.therapy.figures import shade
from affectscope.therapy.influence import SHOWN, Influence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHORTEST_STRETCH = 5.0
"""Seconds of session that a point of a line is the mean of, at least."""
MOST_STRETCHES = 120

_LINES: dict[Modality, dict[str, Any]] = {
    "face": {"color": "#1A1A1A", "ls": "-", "lw": 1.6, "marker": "None"},
    "ecg": {"color": HEART, "ls": (0, (4, 1.6)), "lw": 1.3, "marker": "o"},
    "eda": {"color": SKIN, "ls": (0, (1, 1.2)), "lw": 1.6, "marker": "s"},
}
_MARKERS = 14
"""So many markers along a line, about."""
_LEAST_SPAN = 0.05
"""A smaller effect than this, on the scale from -1 to 1, does not fill the panel."""


def influence_over_time(
    influence: Influence, phases: Sequence[Phase], span: tuple[float, float]
) -> Figure | None:
    """Valence's and arousal's effects as lines and the strongest modality as a strip, over a
    session's ``span`` in seconds; None where nothing could be computed."""
    if influence.reason:
        return None
    from matplotlib.figure import Figure

    edges = _edges(influence, span)
    lanes = 0.36 + 0.24 * len(influence.modalities)
    with style():
        figure = Figure(figsize=(8.6, 4.1 + lanes), layout="constrained")
        panels = figure.subplots(3, 1, sharex=True, height_ratios=(1.8, 1.8, lanes))
        shade(panels, phases)
        for column, target in enumerate(SHOWN):
            _effects(panels[column], influence, edges, column)
            panels[column].set_ylabel(f"{target}:\nwith minus without")
        _strip(panels[2], influence, edges)
        figure.align_ylabels(panels)
        time_axis(panels[2], span)
        return figure


def _edges(influence: Influence, span: tuple[float, float]) -> FloatArray:
    """(B + 1,) borders of equal stretches of the session, each of about two rows at least."""
    start, end = span
    apart = float(np.median(np.diff(influence.times))) if len(influence.times) > 1 else 0.0
    shortest = max(SHORTEST_STRETCH, 2 * apart)
    count = int(np.clip((end - start) / shortest, 1, MOST_STRETCHES))
    return np.linspace(start, end, count + 1)


def _means(values: FloatArray, times: FloatArray, edges: FloatArray) -> FloatArray:
    """(B,) mean of what is finite in each stretch, NaN in a stretch without."""
    finite = np.isfinite(values)
    sums, _ = np.histogram(times[finite], edges, weights=values[finite])
    counts, _ = np.histogram(times[finite], edges)
    means: FloatArray = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _effects(axes: Axes, influence: Influence, edges: FloatArray, column: int) -> None:
    """One target's lines, each with its name at its right end."""
    middle = (edges[:-1] + edges[1:]) / 2
    ends: dict[Modality, float] = {}
    reached = _LEAST_SPAN
    for row, name in enumerate(influence.modalities):
        means = _means(influence.moved[:, row, column], influence.times, edges)
        if not np.isfinite(means).any():
            continue
        line = _LINES[name]
        axes.plot(middle, means, ms=4, markevery=max(1, len(middle) // _MARKERS), **line)
        known = np.isfinite(means)
        alone = known & ~np.append(known[1:], False) & ~np.append(False, known[:-1])
        axes.plot(middle[alone], means[alone], "_", color=line["color"], ms=5)
        ends[name] = float(means[known][-1])
        reached = max(reached, float(np.nanmax(np.abs(means))))
    axes.axhline(0, color=SOFT, lw=0.9)
    axes.set_ylim(-1.08 * reached, 1.08 * reached)
    _names(axes, ends, 2.16 * reached)


def _names(axes: Axes, ends: dict[Modality, float], height: float) -> None:
    """Names beside the lines' ends, apart from each other, each with a piece of its line."""
    apart = 0.13 * height
    order = sorted(ends, key=lambda name: ends[name])
    places = [ends[name] for name in order]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + apart)
    shift = min(0.0, 0.47 * height - places[-1]) if places else 0.0
    for name, place in zip(order, places, strict=True):
        line = _LINES[name] | {"markevery": [1], "ms": 4}
        at, across = place + shift, axes.get_yaxis_transform()
        axes.plot((1.01, 1.03, 1.05), (at,) * 3, transform=across, clip_on=False, **line)
        axes.text(1.06, at, MODALITY_NAMES[name], transform=across, va="center", fontsize=8.5)


def _strip(axes: Axes, influence: Influence, edges: FloatArray) -> None:
    """A lane per modality: its height is the share of rows that it moved the furthest."""
    strongest = influence.strongest.astype(np.float64)
    tells = np.isfinite(influence.moved).any(axis=(1, 2))
    for row, name in enumerate(influence.modalities):
        first = np.where(tells, strongest == row, np.nan)
        share = _means(first, influence.times, edges)
        base = len(influence.modalities) - 1.0 - row
        axes.stairs(
            base + 0.8 * np.nan_to_num(share), edges, baseline=base, fill=True,
            color=_LINES[name]["color"], lw=0,
        )  # fmt: skip
        axes.axhline(base, color=SOFT, lw=0.6)
        axes.text(
            1.01, base + 0.4, f"{100 * influence.most[name]:.0f} % of rows",
            transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=TEXT,
        )  # fmt: skip
    count = len(influence.modalities)
    axes.set_yticks(
        [count - 0.6 - row for row in range(count)],
        [MODALITY_NAMES[name] for name in influence.modalities],
    )
    axes.set(ylim=(-0.1, count), ylabel="moved the\nmost")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
