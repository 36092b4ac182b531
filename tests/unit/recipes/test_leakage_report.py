"""Protocol A beside D: what the split explains of printed numbers, said and drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest

from affectscope.baselines.compared import COMPARED_TARGETS, Published
from affectscope.evaluation.split_effect import COLUMNS
from affectscope.recipes.compared_sections import Contender
from affectscope.recipes.experiment_report import RunExtent
from affectscope.recipes.leakage_figure import Group, leakage_figure
from affectscope.recipes.leakage_report import (
    WARNING,
    Effect,
    LeakageReport,
    leakage_lines,
    leakage_page,
    printed_shares,
)
from affectscope.recipes.report_blocks import Drawing
from affectscope.recipes.tables import page_html, page_markdown

FOREST = Contender(
    "forest",
    "A paper",
    ("ecg",),
    ("ecg",),
    ("ecg",),
    Published("accuracy", "ten parts", 90.0, 55.0),
)
TREE = Contender("tree", "A paper", ("ecg",), ("ecg",), ("ecg",), None)
A, D = {"forest": 0.60, "tree": 0.55, "majority": 0.40}, {"forest": 0.75, "tree": 0.95}


def effects() -> pd.DataFrame:
    rows = []
    for level in ("trial", "frame"):
        for name, honest in A.items():
            for target in COMPARED_TARGETS:
                for metric in ("macro_f1", "balanced_accuracy", "accuracy"):
                    leaky = D.get(name, honest)
                    change = leaky - honest
                    rows.append(
                        (name, target, level, metric, honest, honest - 0.1, honest + 0.1, leaky,
                         leaky - 0.05, leaky + 0.05, change, change - 0.02, change + 0.02, 8)
                    )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def report(**changes: object) -> LeakageReport:
    made = LeakageReport(
        corpus="twin", simulated=False, effects=effects(), contenders=(FOREST, TREE),
        baselines=("majority",), absent={"brain": "It needs EEG, which no trial has."},
        extents={"A": RunExtent(8, 8, 1, 1), "D": RunExtent(5, 5, 1, 1)},
        drawing=Drawing("<svg></svg>", "A and D", "leakage.png"), intervals="Bootstrap.",
        exclusions=(), notices=(), configuration={"protocol": "A, D"}, versions={},
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_explained_share_is_that_of_the_gap_to_what_was_printed() -> None:
    effect = Effect((0.6, 0.5, 0.7), (0.75, 0.7, 0.8), (0.15, 0.1, 0.2))
    assert effect.explained(0.9) == pytest.approx(0.5)
    assert math.isnan(effect.explained(0.55))  # A is not below it
    assert printed_shares((FOREST, TREE)) == {
        ("forest", "valence"): 0.9, ("forest", "arousal"): 0.55,
    }  # fmt: skip


def test_the_page_warns_before_it_shows() -> None:
    for text in (page_html(leakage_page(report())), page_markdown(leakage_page(report()))):
        assert text.index(WARNING.split(":")[0]) < text.index("How much of the printed numbers")
        assert "8 people tested under both (twin). A: 8 of 8 folds" in text
        assert "It needs EEG" in text
    quick = report(extents={"A": RunExtent(2, 8, 1, 1), "D": RunExtent(5, 5, 1, 1)})
    assert leakage_page(quick).quick
    assert not leakage_page(report()).quick


def test_what_the_split_explains_stands_beside_the_printed_number() -> None:
    section = leakage_page(report()).sections[0]
    (table,) = section.tables
    (row,) = table.rows  # who printed nothing is not in it
    texts = [cell.text for cell in row.cells]
    assert texts == [
        "accuracy", "60.0", "+15.0", "90.00", "50 %", "60.0", "+15.0", "55.00", "A is not below it",
    ]  # fmt: skip
    assert row.cells[2].detail == "+13.0 to +17.0"
    assert "it means nothing" not in section.sentences[0]
    assert "it means nothing" in leakage_page(report(simulated=True)).sections[0].sentences[0]


def test_both_splits_and_their_difference_stand_by_system() -> None:
    trial, frame = leakage_page(report()).sections[1:3]
    assert (trial.title, frame.title) == ("Both splits, per trial", "Both splits, per frame")
    assert (trial.folded, frame.folded) == (False, True)
    macro = trial.tables[0]
    assert [row.name for row in macro.rows] == ["forest", "tree", "majority"]
    cells = macro.rows[1].cells
    assert [cell.text for cell in cells[:3]] == [".55", ".95", "+.40"]
    assert [cell.mark for cell in cells[:3]] == ["", "", "above"]
    assert macro.rows[2].cells[2].mark == ""
    assert len(cells) == 3 * len(COMPARED_TARGETS)


def test_the_summary_is_one_line_for_each_system() -> None:
    lines = leakage_lines(report(simulated=True))
    assert lines[0] == WARNING
    assert "SIMULATED people" in lines[1]
    assert lines[3].startswith("  tree: valence 0.55 -> 0.95, +0.40 [+0.38, +0.42]; arousal")
    assert len(lines) == 2 + 3


def test_the_figure_puts_each_system_where_its_numbers_are() -> None:
    frame = effects()
    frame = frame[(frame["level"] == "trial") & (frame["metric"] == "macro_f1")]
    groups = (
        Group("compared", ("forest", "tree")),
        Group("none", ()),
        Group("bare", ("majority",)),
    )
    shares = {("forest", "valence"): 0.9, ("nobody", "valence"): 0.2}
    figure = leakage_figure(frame, groups, shares, metric="macro F1", simulated=True)
    valence, *others = figure.axes
    assert [axes.get_title() for axes in figure.axes] == list(COMPARED_TARGETS)
    labels = {text.get_text(): text.get_position()[1] for text in valence.get_yticklabels()}
    assert list(labels) == ["compared", "forest", "tree", "bare", "majority"]
    points = {
        (line.get_marker(), round(float(line.get_xdata()[0]), 2), float(line.get_ydata()[0]))
        for line in valence.lines
        if line.get_marker() in ("o", "s") and len(line.get_xdata())
    }
    assert {("o", A[name], labels[name]) for name in A} <= points
    assert {("s", D[name], labels[name]) for name in D} <= points
    (printed,) = [c for c in valence.collections if len(c.get_offsets())]
    assert printed.get_offsets().tolist() == [[0.9, labels["forest"]]]
    assert not any(len(c.get_offsets()) for axes in others for c in axes.collections)
    low, high = valence.get_xlim()
    assert low <= 0.3
    assert high > 0.97  # the interval's end and the marker are inside
    assert figure.get_suptitle().startswith("Simulated people")


def test_with_forty_systems_no_label_lies_on_another() -> None:
    names = tuple(f"a system with quite a long name {number}" for number in range(40))
    one = effects().query("level == 'trial' and metric == 'macro_f1' and model == 'forest'")
    frame = pd.concat([one.assign(model=name) for name in names])
    figure = leakage_figure(frame, (Group("all", names),), {}, metric="F1", simulated=False)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    for above, below in pairwise(boxes):
        assert below.y1 <= above.y0
    width = figure.get_figwidth() * figure.dpi
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)
