"""The quality of a signal over each window follows the seconds that the window covers."""

from __future__ import annotations

import numpy as np

from affectscope.preprocessing.quality_course import QualityCourse
from affectscope.preprocessing.window_quality import quality_of_seconds, window_quality

COURSE = QualityCourse(
    seconds=np.arange(10.0, 14.0),
    recorded=np.array([True, True, True, True]),
    used=np.array([True, True, False, True]),
    factors={"a": np.array([1.0, 0.75, 0.9, 0.5]), "b": np.array([1.0, 1.0, 0.3, np.nan])},
    excluded=np.zeros(4, dtype=bool),
)


def test_a_second_is_as_good_as_its_lowest_factor_above_the_limit() -> None:
    np.testing.assert_allclose(quality_of_seconds(COURSE), [1.0, 0.5, 0.0, 0.0])


def test_a_window_is_as_good_as_its_seconds_are_on_average() -> None:
    found = window_quality(COURSE, np.array([11.0, 11.5, 10.0, 12.0]), 2.0)
    # whole seconds; halves; one second before the recording; from 11 to 13
    np.testing.assert_allclose(found, [0.75, 0.5, 0.5, 0.25])


def test_far_outside_nothing_is_good_and_an_unjudged_signal_is() -> None:
    assert window_quality(COURSE, np.array([100.0]), 2.0) == [0.0]
    np.testing.assert_array_equal(window_quality(QualityCourse(), np.zeros(3), 2.0), np.ones(3))
