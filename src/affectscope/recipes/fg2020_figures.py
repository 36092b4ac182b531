"""Figures 1, 4 and 5 of the paper, drawn from our data.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001.

Where the paper is silent, and what we do:
1. Figure 1 shows the self-assessment and, beside it, the external annotation of the same trials:
   they differ, and which one a network learns must be seen.
2. Figure 5 gives each patient an own circumplex: with more than a few, arrows in one hide each
   other. A first one holds all moves and their mean.

Legend: W samples of a window, L = 128 numbers of a latent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from affectscope.figures import (
    AFTER,
    BEFORE,
    HEART,
    QUADRANTS,
    SKIN,
    SOFT,
    TEXT,
    TRUTH,
    circumplex_base,
    style,
)
from affectscope.records import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Span = tuple[float, float]

_SIMULATED = "Simulated people: nothing here is about a human being"
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
            _mark_simulated(figure)
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
            _mark_simulated(figure)
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


# --- figure 5


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


def figure5(moves: Sequence[PatientMove], simulated: bool) -> Figure:
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
            _mark_simulated(figure)
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


def _mark_simulated(figure: Figure) -> None:
    figure.suptitle(_SIMULATED, fontsize=9.5, color="#5b4a9c", fontweight="bold")
