"""What a leaky split adds, drawn: each system under protocol A and under protocol D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from affectscope.figures import AROUSAL, SOFT, TEXT, TRUTH, VALENCE, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HONEST, LEAKY = VALENCE, AROUSAL
_ROW = 0.27  # inches
_SHIFT = 0.13  # rows between the two intervals of a system
_LONGEST = 34


@dataclass(frozen=True)
class Group:
    """Rows that belong together, under a heading."""

    title: str
    systems: tuple[str, ...]


def leakage_figure(
    effects: pd.DataFrame,
    groups: Sequence[Group],
    printed: Mapping[tuple[str, str], float],
    *,
    metric: str,
    simulated: bool,
) -> Figure:
    """A row for each system, a panel for each target: A, D, and what its paper printed.

    Args:
        effects: of ``evaluation.split_effect``, of one metric and level.
        printed: (system, target) -> the printed number as a share.
        metric: as the axis names it.
    """
    from matplotlib.figure import Figure

    targets = list(dict.fromkeys(effects["target"]))
    groups = [group for group in groups if group.systems]
    places = _places(groups)
    rows = max(places.values()) + 1.0
    with style():
        figure = Figure(
            figsize=(3.0 + 2.75 * len(targets), 1.5 + _ROW * rows), layout="constrained"
        )
        panels = figure.subplots(1, len(targets), sharey=True, sharex=True, squeeze=False)[0]
        for axes, target in zip(panels, targets, strict=True):
            _panel(axes, effects[effects["target"] == target], places)
            marks = [
                (share, places[name])
                for (name, own), share in printed.items()
                if own == target and name in places
            ]
            if marks:
                x, y = zip(*marks, strict=True)
                axes.scatter(x, y, marker="D", s=26, facecolor="white", edgecolor=TRUTH, lw=1.1,
                             zorder=5)  # fmt: skip
            axes.set_title(target, fontsize=10)
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel(f"{metric}, per trial", fontsize=8.5)
        _names(panels[0], groups, places)
        panels[0].set_xlim(*_span([axes.dataLim.intervalx for axes in panels]))
        _legend(figure, panels[0])
        if simulated:
            figure.suptitle(
                "Simulated people: nothing here is about a human being",
                fontsize=9.5, color="#5b4a9c", fontweight="bold",
            )  # fmt: skip
        return figure


def _places(groups: Sequence[Group]) -> dict[str, float]:
    """Each system's place from above; a free row before each group holds its heading."""
    places: dict[str, float] = {}
    row = 0.0
    for group in groups:
        row += 1.0
        for name in group.systems:
            places[name] = row
            row += 1.0
    return places


def _panel(axes: Axes, effects: pd.DataFrame, places: Mapping[str, float]) -> None:
    axes.axvline(0.5, color=SOFT, lw=0.9, ls=(0, (2, 2)), zorder=1)
    for row in effects.to_dict("records"):
        if str(row["model"]) not in places:
            continue
        place = places[str(row["model"])]
        honest, leaky = float(row["honest"]), float(row["leaky"])
        axes.plot((honest, leaky), (place, place), color="#c3ccd4", lw=2.2, zorder=2,
                  solid_capstyle="butt")  # fmt: skip
        # The larger one below, so that both are seen where they are equal.
        for name, colour, marker, shift in (
            ("honest", HONEST, "o", -_SHIFT), ("leaky", LEAKY, "s", _SHIFT),
        ):  # fmt: skip
            ends = float(row[f"{name}_low"]), float(row[f"{name}_high"])
            axes.plot(ends, (place + shift, place + shift), color=colour, lw=0.9, alpha=0.75,
                      zorder=3)  # fmt: skip
            axes.plot(float(row[name]), place, marker, color=colour,
                      ms=7.5 if name == "honest" else 4.2, mec="white", mew=0.5,
                      zorder=4)  # fmt: skip


def _names(axes: Axes, groups: Sequence[Group], places: Mapping[str, float]) -> None:
    ticks: list[tuple[float, str]] = []
    for group in groups:
        ticks.append((places[group.systems[0]] - 1.0, group.title))
        ticks += [(places[name], _short(name)) for name in group.systems]
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
    titles = {group.title for group in groups}
    for label in axes.get_yticklabels():
        heading = label.get_text() in titles
        label.set(fontsize=8.2, color=TEXT if heading else "#22303a")
        label.set_fontweight("bold" if heading else "normal")
    axes.set_ylim(max(places.values()) + 0.7, -0.6)  # the first above


def _span(drawn: Sequence[Sequence[float]]) -> tuple[float, float]:
    """From below the lowest point to above the highest, in tenths, 0.5 inside."""
    low, high = min(0.45, *(one[0] for one in drawn)), max(0.6, *(one[1] for one in drawn))
    return float(np.floor(10 * low) / 10), float(min(1.03, np.ceil(10 * high + 0.3) / 10))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _legend(figure: Figure, axes: Axes) -> None:
    for marker, colour, face, label in (
        ("o", HONEST, HONEST, "A: leave one participant out"),
        ("s", LEAKY, LEAKY, "D: windows shuffled (leaks on purpose)"),
        ("D", TRUTH, "white", "printed by its paper (its own measure and split)"),
    ):
        axes.plot([], [], marker, color=colour, mfc=face, ms=6, label=label)
    axes.plot(
        [],
        [],
        color=SOFT,
        lw=0.9,
        ls=(0, (2, 2)),
        label="0.5: a fair coin, both classes equally frequent",
    )
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8.2)
