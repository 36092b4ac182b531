"""A study's figures: Figure 5's moves, changes from session to session, two measures' agreement.

Legend: P patients, K sessions of a patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from affectscope.evaluation.statistics import Estimate
from affectscope.figures import AFTER, BEFORE, SOFT, TEXT, TRUTH, mark_simulated, style
from affectscope.patient_moves import PatientMove, Span
from affectscope.records import FloatArray
from affectscope.therapy.measures import AFFECT
from affectscope.therapy.study.reading import PHASES, StudySession
from affectscope.therapy.study.rows import StudyRows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from affectscope.therapy.study.statistics import Agreement

_COLUMNS = 4
_WIDTH, _HEIGHT = 2.15, 2.3


def patient_moves(rows: StudyRows) -> list[PatientMove]:
    """Each patient's mean point before and after, over the sessions whose affect counts.

    With one session its 95 % intervals go with it; with several there are none, since the spread
    over a few sessions says little and the spread within one says nothing about the next.
    """
    moves, counted = [], rows.counted
    for patient in rows.patients:
        points = [found for one in counted if one.patient == patient and (found := _affect(one))]
        if not points:
            continue
        before, after = (
            tuple(float(np.mean([p[phase][k].mean for p in points])) for k in range(2))
            for phase in range(2)
        )
        intervals = [_spans(phase) for phase in points[0]] if len(points) == 1 else [None, None]
        moves.append(
            PatientMove(
                patient, (before[0], before[1]), (after[0], after[1]), intervals[0], intervals[1]
            )
        )
    return moves


def before_after_figure(table: pd.DataFrame, measures: Sequence[str], simulated: bool) -> Figure:
    """A panel for each measure: every patient's mean before and after, and the mean over them.

    ``table`` is ``rows.long_table``.
    """
    figure, panels = _panels(len(measures), simulated)
    with style():
        for axes, measure in zip(panels, measures, strict=True):
            part = table[table["measure"] == measure].dropna(subset=["before", "after"])
            means = part.groupby("patient", sort=False)[["before", "after"]].mean().to_numpy()
            axes.plot((0, 1), means.T, color=SOFT, lw=0.7, alpha=0.7)
            for place, colour, marker in ((0, BEFORE, "o"), (1, AFTER, "s")):
                points = np.full(len(means), place)
                axes.plot(
                    points, means[:, place], marker, color=colour, ms=3.5, mec="white", mew=0.4
                )
                axes.plot(
                    place, means[:, place].mean(), marker, color=colour, ms=8, mec=TRUTH, mew=1.3
                )
            axes.plot((0, 1), means.mean(axis=0), color=TRUTH, lw=2.2)
            _titled(axes, measure, part["unit"].iloc[0])
            axes.set(xticks=(0, 1), xticklabels=("before", "after"), xlim=(-0.25, 1.25))
        return figure


def sessions_figure(table: pd.DataFrame, measures: Sequence[str], simulated: bool) -> Figure:
    """A panel for each measure: every patient's change over the number of the session, and the
    mean over the patients who have a session of that number."""
    figure, panels = _panels(len(measures), simulated)
    with style():
        for axes, measure in zip(panels, measures, strict=True):
            part = table[table["measure"] == measure].dropna(subset=["before", "after"])
            part = part.assign(change=part["after"] - part["before"])
            axes.axhline(0, color=SOFT, lw=0.8)
            for _, own in part.groupby("patient", sort=False):
                axes.plot(own["number"], own["change"], "-o", color=SOFT, lw=0.7, ms=2.5, alpha=0.7)
            mean = part.groupby("number")["change"].mean()
            axes.plot(mean.index, mean, "-D", color=TRUTH, lw=2.2, ms=5)
            _titled(axes, f"change of {measure}", part["unit"].iloc[0])
            axes.set(xlabel="session", xticks=sorted(part["number"].unique())[:12])
        return figure


def agreement_figure(found: Agreement, pairs: FloatArray, simulated: bool) -> Figure:
    """Bland and Altman's figure: difference over mean of two measures on one scale.

    ``pairs`` (P, 2): each patient's two values.
    """
    from matplotlib.figure import Figure

    assert found.bland_altman is not None
    with style():
        figure = Figure(figsize=(4.3, 2.9), layout="constrained")
        axes = figure.subplots()
        axes.plot(
            pairs.mean(axis=1), pairs[:, 0] - pairs[:, 1], "o", color=TRUTH, ms=5, mec="white"
        )
        for line, limit in (
            ("-", found.bland_altman.bias),
            ("--", found.bland_altman.low),
            ("--", found.bland_altman.high),
        ):
            _line(axes, limit, line)
        axes.set(
            xlabel=f"mean of the two ({found.bland_altman.on_scale})",
            ylabel=f"{found.first}\nminus {found.second}",
        )
        if simulated:
            mark_simulated(figure)
        return figure


def _line(axes: Axes, limit: Estimate, line: str) -> None:
    axes.axhline(limit.mean, color=BEFORE if line == "--" else TRUTH, ls=line, lw=1.3)
    if limit.low is not None and limit.high is not None:
        axes.axhspan(limit.low, limit.high, color=SOFT, alpha=0.18, lw=0)
    axes.annotate(
        f"{limit.mean:+.2f}", (1.0, limit.mean), xycoords=("axes fraction", "data"),
        xytext=(3, 0), textcoords="offset points", va="center", fontsize=8, color=TEXT,
    )  # fmt: skip


def _panels(count: int, simulated: bool) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    with style():
        figure = Figure(
            figsize=(_WIDTH * columns + 0.2, _HEIGHT * rows + 0.3), layout="constrained"
        )
        panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axes in panels[count:]:
            axes.set_visible(False)
        if simulated:
            mark_simulated(figure)
        return figure, panels[:count]


def _titled(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(f"{title} ({unit})", fontsize=8.5)
    axes.tick_params(labelsize=8)
    axes.grid(visible=False, axis="x")


Point = tuple[Estimate, Estimate]


def _affect(session: StudySession) -> tuple[Point, Point] | None:
    """A session's (valence, arousal) before and after; None where they do not count."""
    found = []
    for phase in PHASES:
        for target in AFFECT:
            part = session.measure(target)
            value = None if part is None or part.left_out else getattr(part, phase)
            if value is None:
                return None
            found.append(value)
    return (found[0], found[1]), (found[2], found[3])


def _spans(point: Point) -> tuple[Span, Span] | None:
    valence, arousal = point
    if valence.low is None or valence.high is None or arousal.low is None or arousal.high is None:
        return None
    return (valence.low, valence.high), (arousal.low, arousal.high)
