"""The paper's numbers, against sums worked out by hand from its tables."""

from __future__ import annotations

import pytest

from affectscope.recipes.paper_numbers import COMPARED, LEFT_OPEN, PAPER, half_width
from affectscope.records import TARGETS

AVERAGES = {"bio only": 46.72, "faces only": 44.46, "BMMN": 67.53, "BMMN-BAE-1": 67.62}


def test_averages() -> None:
    assert list(PAPER) == [*AVERAGES, "BMMN-BAE-2"]
    for name, average in AVERAGES.items():
        assert PAPER[name].average == pytest.approx(average, abs=0.006), name
    assert PAPER["BMMN-BAE-2"].average == pytest.approx(71.57, abs=0.006)
    printed = {name: column.printed_average for name, column in PAPER.items()}
    assert printed == {**AVERAGES, "bio only": 46.92, "BMMN-BAE-2": 71.57}


def test_every_column_has_all_targets_and_the_right_ones() -> None:
    for column in PAPER.values():
        assert tuple(column.values) == TARGETS
    assert PAPER["BMMN-BAE-2"].values["disgust"] == 92.62
    assert PAPER["faces only"].values["sadness"] == 26.24
    assert PAPER["BMMN"].values["liking"] == 77.82


def test_compared_systems() -> None:
    values = {system.name: (system.valence, system.arousal) for system in COMPARED}
    assert values["Gjoreski"] == (None, 56.0)
    assert values["Yang & Lee"] == (67.0, 68.8)
    assert values["Siddharth"] == (83.94, 82.76)
    (yang,) = (system for system in COMPARED if system.name == "Yang & Lee")
    assert "recall" in yang.note


def test_the_report_says_that_a_tenth_of_a_point_is_noise() -> None:
    assert half_width(0.6, 640) == pytest.approx(0.038, abs=0.0005)
    assert half_width(0.5, 100) == pytest.approx(0.098, abs=0.0005)
    (sentence,) = (line for line in LEFT_OPEN if "noise" in line)
    assert "3.8 points" in sentence
    assert "67.62" in sentence
