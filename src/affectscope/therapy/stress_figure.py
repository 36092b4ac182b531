"""The figure of the stress likelihood over a session.

Legend: N spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from affectscope.figures import new_figure, style, time_axis
from affectscope.inference.stress import StressCourse
from affectscope.records import BoolArray, Phase
from affectscope.therapy.figures import shade

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIKELIHOOD = "#5E548E"


def stress_over_time(
    course: StressCourse, phases: Sequence[Phase], span: tuple[float, float]
) -> Figure | None:
    """The likelihood with the model's interval over a session's ``span`` in seconds, the compared
    phases shaded, gaps where the model abstains; None where it does so everywhere."""
    known = np.isfinite(course.probability)
    if not known.any():
        return None
    times, alone = course.times, _alone(known)
    with style():
        figure, (axes,) = new_figure(8.6, 2.3)
        shade([axes], phases)
        band = axes.fill_between(
            times, course.low, course.high, where=known, color=LIKELIHOOD, alpha=0.18, lw=0,
            label="the model's interval",
        )  # fmt: skip
        (line,) = axes.plot(times, course.probability, color=LIKELIHOOD, lw=1.5, label="likelihood")
        axes.vlines(
            times[alone], course.low[alone], course.high[alone], color=LIKELIHOOD, alpha=0.35, lw=3
        )
        axes.plot(times[alone], course.probability[alone], "o", color=LIKELIHOOD, ms=4)
        axes.set(ylim=(-0.02, 1.02), yticks=(0, 0.25, 0.5, 0.75, 1), ylabel="stress likelihood")
        figure.legend(handles=[line, band], loc="outside upper right", frameon=False, ncols=2)
        time_axis(axes, span)
        return figure


def _alone(known: BoolArray) -> BoolArray:
    """(N,) spans without a neighbour that has a likelihood, of which a line would show nothing."""
    padded = np.concatenate([[False], known, [False]])
    return np.asarray(known & ~padded[:-2] & ~padded[2:])
