"""Which parts of a session are compared."""

from __future__ import annotations

import pytest

from affectscope.evaluation.phases import default_phases, first_and_last, window_lengths


def test_phases_are_fifteen_minutes_or_thirds() -> None:
    (before, after), rule = default_phases(0, 3600)
    assert (before.end, after.start) == (900, 2700)
    assert "15 minutes" in rule
    (before, after), rule = default_phases(10, 610)
    assert (before.end, after.start) == (pytest.approx(210), pytest.approx(410))
    assert "third" in rule
    (before, after), _ = default_phases(0, 1800)
    assert before.end == after.start == 900


def test_the_outer_parts_touch_the_ends_of_the_session() -> None:
    before, after = first_and_last(5, 105, 20)
    assert (before.name, before.start, before.end) == ("before", 5, 25)
    assert (after.name, after.start, after.end) == ("after", 85, 105)


@pytest.mark.parametrize(
    ("duration", "lengths"),
    [
        (3600, (300, 600, 900, 1200)),
        (2400, (300, 600, 900, 1200)),
        (2399, (300, 600, 900)),
        (1200, (300, 600)),
        (1199, (1199 / 6, 1199 / 4, 1199 / 3, 1199 / 2)),
        (30, (5, 7.5, 10, 15)),
    ],
)
def test_other_window_lengths_fit_twice_into_the_session(
    duration: float, lengths: tuple[float, ...]
) -> None:
    found = window_lengths(duration)
    assert found == pytest.approx(lengths)
    assert all(2 * length <= duration for length in found)
