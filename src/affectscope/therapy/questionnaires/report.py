"""The report's section on questionnaires: a table of totals, and where they lie on their ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from affectscope.figures import AFTER, BEFORE, SOFT, TEXT, new_figure, style
from affectscope.pages import inline_figure
from affectscope.therapy.questionnaires.keys import FORMS
from affectscope.therapy.questionnaires.scores import QuestionnaireScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from affectscope.therapy.assessment import Assessment

_WIDTH, _ROW, _FRAME = 7.6, 0.34, 0.55
"""Inches: of the figure, of a scale in it, and of legend and margins together."""


def questionnaires_content(assessment: Assessment) -> dict[str, Any]:
    """What ``therapy/questionnaires/questionnaires.html.jinja`` fills in."""
    scores = assessment.questionnaires
    return {
        "rows": [_row(score) for score in scores],
        "figure": inline_figure(questionnaire_ranges(scores), "Totals before and after"),
        "banded": [score.measure for score in scores if _band_limits(score.measure)],
        "reliability": any(score.reliable_change is not None for score in scores),
    }


def questionnaire_ranges(scores: Sequence[QuestionnaireScore]) -> Figure | None:
    """Each scale as a line from its lowest to its highest total, with before and after on it.

    Small marks on a line are the limits of published bands. None where there is no total.
    """
    shown = [score for score in scores if score.before is not None or score.after is not None]
    if not shown:
        return None
    with style():
        figure, (axes,) = new_figure(_WIDTH, _FRAME + _ROW * len(shown))
        for place, score in enumerate(shown):
            _draw(axes, place, score)
        axes.set(xlim=(-0.08, 1.08), ylim=(len(shown) - 0.5, -0.5), xticks=())
        axes.set_yticks(range(len(shown)), [score.measure for score in shown])
        axes.tick_params(axis="y", length=0, labelsize=9)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        for label, colour, marker in (("before", BEFORE, "o"), ("after", AFTER, "s")):
            axes.plot([], [], marker, color=colour, label=label)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=8)
    return figure


def total_text(total: float | None, sign: str = "") -> str:
    """A total without a needless decimal place, or a dash."""
    if total is None:
        return "–"
    sign = sign if total else ""
    return f"{total:{sign}.0f}" if total == round(total) else f"{total:{sign}.1f}"


def _draw(axes: Axes, place: int, score: QuestionnaireScore) -> None:
    def along(total: float) -> float:
        return (total - score.lowest) / (score.highest - score.lowest)

    axes.plot([0, 1], [place, place], color="#cfd8df", lw=5, solid_capstyle="round", zorder=1)
    for limit in _band_limits(score.measure):
        axes.plot([along(limit)] * 2, [place - 0.2, place + 0.2], color=SOFT, lw=1, zorder=2)
    for x, end, side in ((-0.015, score.lowest, "right"), (1.015, score.highest, "left")):
        axes.text(x, place, f"{end:g}", ha=side, va="center", color=TEXT, fontsize=7.5)
    if score.before is not None and score.after is not None:
        axes.plot([along(score.before), along(score.after)], [place] * 2, color=TEXT, lw=1.2)
    # Where both are the same the circle still shows around the square.
    for total, colour, marker, size in (
        (score.before, BEFORE, "o", 10), (score.after, AFTER, "s", 6),
    ):  # fmt: skip
        if total is not None:
            axes.plot(along(total), place, marker, color=colour, mec="white", ms=size, zorder=3)


def _band_limits(measure: str) -> list[int]:
    scales = [scale for form in FORMS.values() for scale in form.scales]
    bands = next((scale.bands for scale in scales if scale.measure == measure), ())
    return [least for least, _ in bands[1:]]


def _row(score: QuestionnaireScore) -> dict[str, str]:
    return {
        "measure": score.measure,
        "range": f"{score.lowest:g} to {score.highest:g}",
        "higher": score.higher_means,
        "before": total_text(score.before),
        "after": total_text(score.after),
        "band_before": score.band_before,
        "band_after": score.band_after,
        "change": total_text(score.change, "+"),
        "reliable": _reliable_text(score),
        "reason": score.reason,
    }


def _reliable_text(score: QuestionnaireScore) -> str:
    change = score.reliable_change
    if change is None:
        return "–"
    verdict = "more than error explains" if change.reliable else "error alone may explain it"
    return f"{verdict} (index {change.index:+.2f})"
