"""Patients' moves: every one where it belongs, and legible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes

from affectscope.patient_moves import PatientMove, moves_figure, panels_figure


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def moves(count: int) -> list[PatientMove]:
    generator = np.random.default_rng(count)
    found = []
    for number in range(count):
        places = generator.uniform(-1, 1, (2, 2))
        before, after = ((float(v), float(a)) for v, a in places)
        interval = ((before[0] - 0.1, before[0] + 0.1), (before[1] - 0.1, before[1] + 0.1))
        found.append(PatientMove(f"patient {number + 1}", before, after, interval))
    return found


def arrows(axes: Axes) -> Sequence[tuple[tuple[float, float], tuple[float, float]]]:
    return [
        (text.get_position(), text.xy)
        for text in axes.texts
        if getattr(text, "arrow_patch", None) is not None
    ]  # type: ignore[misc]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_move_is_shown(count: int) -> None:
    given = moves(count)
    figure = moves_figure(given, False)
    whole, *small = [axes for axes in figure.axes if axes.get_visible()]
    drawn = [(move.before, move.after) for move in given]
    mean = tuple(tuple(np.mean([m[part] for m in drawn], axis=0)) for part in range(2))
    assert arrows(whole) == (drawn if count == 1 else [*drawn, mean])
    assert len(small) == (0 if count == 1 else count)
    for axes, move in zip(small, given, strict=False):
        assert arrows(axes) == [(move.before, move.after)]
        assert axes.get_title() == move.patient
        assert {"I", "II", "III", "IV"} <= set(texts(axes))


def test_panels_do_not_overlap_and_fit_the_page() -> None:
    figure = moves_figure(moves(30), True)
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    inches = boxes[1].width / figure.dpi
    assert inches > 1.0  # a patient's own circumplex is as large as a thumbnail
    assert figure.get_suptitle().startswith("Simulated")


def test_a_patients_name_is_not_mathematics() -> None:
    """Matplotlib takes dollars for formulas; ids come from outside."""
    strange = [PatientMove("$\\frac{1", (0.0, 0.0), (0.1, 0.1)) for _ in range(2)]
    moves_figure(strange, False).draw_without_rendering()


def test_beyond_thirty_patients_the_large_circumplex_stands_alone() -> None:
    assert len(moves_figure(moves(30), False).axes) == 1 + 30
    figure = moves_figure(moves(31), False)
    (whole,) = figure.axes
    assert len(arrows(whole)) == 31 + 1


@pytest.mark.parametrize("count", [2, 6, 30])
def test_no_figure_is_wider_than_a_page_can_show(count: int) -> None:
    assert moves_figure(moves(count), False).get_figwidth() < 9
    assert panels_figure(moves(count), False).get_figwidth() < 9


def test_a_move_that_is_shorter_than_an_arrows_head_is_a_line() -> None:
    figure = panels_figure(
        [PatientMove("a", (0.0, 0.0), (0.05, 0.0)), PatientMove("b", (0.0, 0.0), (0.6, 0.0))], False
    )
    heads = [
        type(text.arrow_patch.get_arrowstyle()).__name__
        for axes in figure.axes
        for text in axes.texts
        if getattr(text, "arrow_patch", None) is not None
    ]  # type: ignore[attr-defined]
    assert heads == ["Curve", "CurveFilledB"]
