"""Figures 1 and 4 of the paper, drawn from our data; ``patient_moves`` draws Figure 5.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001.

Where the paper is silent, and what we do:
1. Figure 1 shows the self-assessment and, beside it, the external annotation of the same trials:
   they differ, and which one a network learns must be seen.

Legend: W samples of a window, L = 128 numbers of a latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from affectscope.figures import (
    HEART,
    QUADRANTS,
    SKIN,
    SOFT,
    TEXT,
    TRUTH,
    mark_simulated,
    style,
)
from affectscope.records import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Span = tuple[float, float]

_DESIGNED = {
    "HAHV": ("#D55E00", "o"),
    "HALV": ("#0072B2", "s"),
    "LALV": ("#7A5195", "^"),
    "LAHV": ("#009E73", "D"),
}
"""Colour and marker of the quadrant that a clip was chosen for: high or low arousal, valence."""
_UNDESIGNED = ("#8A97A3", "o")


# --- figure 1


def figure1(points: pd.DataFrame, simulated: bool) -> Figure:
    """Where trials lie on the plane of valence and arousal: self-assessment, external annotation.

    Small points are trials, labelled ones the clips' means; the corners count the trials of each
    quadrant (a rating of exactly 0 counts as low, as the threshold "above the middle is high" has
    it).

    Args:
        points: one row per trial: subject, trial (the clip), valence, arousal, external_valence,
            external_arousal, all in [-1, 1] or NaN; designed "HAHV", "HALV", "LALV",
            "LAHV", or another value where the clip was not chosen for one.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(9.6, 5.4), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        _plane(left, points, "valence", "arousal", title="Self-assessment")
        external = ("external_valence", "external_arousal")
        _plane(right, points, *external, title="External annotation")
        right.set_ylabel("")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(labels), frameon=False,
            title="clip chosen for", title_fontsize=8,
        )  # fmt: skip
        if simulated:
            mark_simulated(figure)
        return figure


def _plane(axes: Axes, points: pd.DataFrame, valence: str, arousal: str, *, title: str) -> None:
    rated = points.dropna(subset=[valence, arousal])
    axes.axhline(0, color=SOFT, lw=0.9)
    axes.axvline(0, color=SOFT, lw=0.9)
    for name, (colour, marker) in {**_DESIGNED, "none": _UNDESIGNED}.items():
        known = rated["designed"].isin(_DESIGNED)
        some = rated[~known if name == "none" else rated["designed"] == name]
        if len(some) == 0 and name == "none":
            continue
        x, y = some[valence].to_numpy(), some[arousal].to_numpy()
        axes.scatter(x, y, s=7, color=colour, marker=marker, alpha=0.22, lw=0)
        means = some.groupby("trial")[[valence, arousal]].mean()
        axes.scatter(
            means[valence], means[arousal], s=42, color=colour, marker=marker, ec="white", lw=0.9,
            zorder=4, label=name if name != "none" else "no quadrant",
        )  # fmt: skip
    clips = rated.groupby("trial")[[valence, arousal]].mean()
    if len(clips):
        _label_points(axes, clips.to_numpy(dtype=np.float64), [str(clip) for clip in clips.index])
    _count_quadrants(axes, rated[valence].to_numpy(), rated[arousal].to_numpy())
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel="valence", ylabel="arousal")
    axes.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=(-1, -0.5, 0, 0.5, 1), aspect="equal")
    axes.grid(visible=False)
    people = rated["subject"].nunique()
    axes.set_title(f"{title}: {len(rated)} trials of {people} people", fontsize=9.5)


def _count_quadrants(axes: Axes, valence: FloatArray, arousal: FloatArray) -> None:
    for x, y, number, meaning in QUADRANTS:
        count = int((((valence > 0) == (x > 0)) & ((arousal > 0) == (y > 0))).sum())
        axes.text(
            0.985 * x, 0.985 * y, f"{number}  {meaning}\n{count} trials",
            ha="right" if x > 0 else "left", va="top" if y > 0 else "bottom",
            color=TEXT, fontsize=7.5, linespacing=1.25, zorder=5,
        )  # fmt: skip


def _label_points(axes: Axes, points: FloatArray, labels: Sequence[str]) -> None:
    """Labels beside points (P, 2), each on the side where fewest points and labels are near."""
    angles = np.arange(16) * (2 * np.pi / 16)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    taken = points.copy()
    for point, label in zip(points, labels, strict=True):
        near, far = (point + reach * around for reach in (0.085, 0.15))
        places = np.concatenate([near, far])
        gaps = np.abs(places[:, None, :] - taken[None, :, :]) / (0.11, 0.065)  # wider than high
        distance = np.minimum(gaps.max(axis=2), 1.5).min(axis=1)
        distance -= 0.1 * (np.arange(len(places)) >= len(around))  # rather near
        inside = (np.abs(places) < 0.97).all(axis=1)
        place = places[np.argmax(np.where(inside, distance, -1.0))]
        taken = np.vstack([taken, place])
        axes.annotate(
            label, xy=(point[0], point[1]), xytext=(place[0], place[1]), ha="center", va="center",
            fontsize=7.5, color="#22303a", zorder=6,
            arrowprops={"arrowstyle": "-", "color": SOFT, "lw": 0.5, "shrinkA": 3, "shrinkB": 3},
        )  # fmt: skip


# --- figure 4


@dataclass(frozen=True, eq=False)
class ReconstructionPanel:
    """One window, and what the auto-encoder makes of it.

    Attributes:
        signal: "ECG" or "EDA".
        unpooling: "indices" decodes with the encoder's max positions, which are information past
            the latent; "interpolation" decodes from the latent alone.
        times: (W,) seconds.
        original, reconstruction: (W,) scaled to [0, 1].
        latent: (L,).
        prdn: per cent, the mean removed.
        compression_ratio: bits of the window over the bits that the decoder gets.
        who: whose window it is.
    """

    signal: Literal["ECG", "EDA"]
    unpooling: Literal["indices", "interpolation"]
    times: FloatArray
    original: FloatArray
    reconstruction: FloatArray
    latent: FloatArray
    prdn: float
    compression_ratio: float
    who: str


_UNPOOLING = {
    "indices": "with the encoder's max positions",
    "interpolation": "from the latent alone",
}


def figure4(panels: Sequence[ReconstructionPanel], simulated: bool) -> Figure:
    """Reconstruction over the original, and the latent below; one row of panels per signal."""
    from matplotlib.figure import Figure

    rows = list(dict.fromkeys((panel.signal, panel.who) for panel in panels))
    columns = [name for name in _UNPOOLING if any(panel.unpooling == name for panel in panels)]
    with style():
        figure = Figure(figsize=(4.9 * len(columns), 3.0 * len(rows)), layout="constrained")
        cells = figure.subfigures(len(rows), len(columns), squeeze=False, wspace=0.03, hspace=0.05)
        for panel in panels:
            cell = cells[rows.index((panel.signal, panel.who)), columns.index(panel.unpooling)]
            above, below = cell.subplots(2, 1, gridspec_kw={"height_ratios": (2.4, 1)})
            beside = [p for p in panels if (p.signal, p.who) == (panel.signal, panel.who)]
            _reconstruction(above, panel, _range(beside))
            _latent(below, panel)
        if simulated:
            mark_simulated(figure)
        return figure


def _range(panels: Sequence[ReconstructionPanel]) -> Span:
    """What panels beside each other span, so that their errors can be compared by eye."""
    curves = [curve for p in panels for curve in (p.original, p.reconstruction)]
    low, high = min(c.min() for c in curves), max(c.max() for c in curves)
    room = 0.06 * (high - low or 1.0)
    return float(low - room), float(high + 4.5 * room)  # above, the legend


def _reconstruction(axes: Axes, panel: ReconstructionPanel, span: Span) -> None:
    colour = HEART if panel.signal == "ECG" else SKIN
    times = panel.times - panel.times[0]
    axes.plot(times, panel.original, color="#9fb0bc", lw=2.4, label="original")
    axes.plot(times, panel.reconstruction, color=colour, lw=1.0, label="reconstruction")
    axes.set(xlim=(0, times[-1]), ylim=span)
    axes.set_xlabel("seconds", labelpad=1, fontsize=8)
    axes.set_ylabel("scaled", fontsize=8)
    axes.set_title(
        f"{panel.signal}, {_UNPOOLING[panel.unpooling]}\n"
        f"PRDN {panel.prdn:.1f} %, compression {panel.compression_ratio:.1f} : 1, {panel.who}",
        fontsize=8.5, linespacing=1.35,
    )  # fmt: skip
    axes.legend(loc="upper right", ncols=2, frameon=False, fontsize=7.5, borderaxespad=0.1)


def _latent(axes: Axes, panel: ReconstructionPanel) -> None:
    count = len(panel.latent)
    axes.bar(np.arange(count), panel.latent, width=1.0, color=TRUTH, lw=0)
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_xlabel(f"the latent's {count} numbers", labelpad=1, fontsize=8)
    axes.grid(visible=False)
