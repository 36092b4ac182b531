"""Quadrants, other windows, marked parts, and the path on the circumplex."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affectscope.evaluation.phases import first_and_last
from affectscope.evaluation.quadrants import quadrant_probability, quadrant_time
from affectscope.evaluation.statistics import Estimate
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES, TARGETS, Phase, Prediction, Recording, Signal
from affectscope.therapy.change import (
    Sensitivity,
    in_phases,
    marked_phases,
    sensitivity,
    sensitivity_result,
)
from affectscope.therapy.change_figures import (
    path_of,
    quarter_rows,
    sensitivity_figure,
    spread,
    trajectory,
)
from affectscope.therapy.measures import Quantity, averaged

SECONDS = 600
TIMES = np.arange(float(SECONDS))


def prediction(valence: np.ndarray, arousal: np.ndarray) -> Prediction:
    values = np.zeros((len(valence), len(TARGETS)))
    values[:, 0], values[:, 1] = valence, arousal
    preprocessing = Preprocessing()
    return Prediction(
        keys=tuple(preprocessing.key("s", "t", float(second)) for second in range(len(valence))),
        values=values,
        present=np.ones((len(valence), len(MODALITIES)), dtype=bool),
        population="people",
        checkpoint_id="0" * 12,
        simulated_person=False,
    )


def course(values: np.ndarray, name: str = "level") -> Quantity:
    return averaged(name, "points", (TIMES[: len(values)], values))


# --- other windows --------------------------------------------------------------------------------


def test_every_length_compares_the_first_and_the_last_part() -> None:
    found = sensitivity([course(TIMES)], (0.0, SECONDS))
    assert found.lengths == (100.0, 150.0, 200.0, 300.0)
    changes = [change.mean for change in found.changes["level"]]
    assert changes == pytest.approx([500.0, 450.0, 400.0, 300.0])
    assert found.direction("level") == 1


def test_a_direction_that_turns_with_the_length_is_told() -> None:
    """High in the middle of the second half: a short last part lies below, a long one above."""
    values = np.where((TIMES > 300) & (TIMES < 480), 2.0, np.where(TIMES >= 480, -0.1, 0.0))
    found = sensitivity([course(values), course(-TIMES, "falling")], (0.0, SECONDS))
    assert found.changes["level"][0].mean < 0 < found.changes["level"][-1].mean
    assert found.direction("level") == 0
    assert found.direction("falling") == -1
    told = sensitivity_result(found)
    assert told["same_direction"] == {"level": False, "falling": True}
    assert told["minutes"] == pytest.approx([100 / 60, 2.5, 200 / 60, 5.0])


def test_no_direction_is_claimed_from_one_length_or_none() -> None:
    values = np.where(TIMES < 250, np.nan, TIMES)  # only the longest first part holds anything
    found = sensitivity([course(values), course(np.full(SECONDS, np.nan), "nothing")], (0, SECONDS))
    assert [change is None for change in found.changes["level"]] == [True, True, True, False]
    assert found.direction("level") is None
    assert found.direction("nothing") is None
    assert sensitivity_result(found)["same_direction"] == {"level": None, "nothing": None}


def test_no_change_at_all_is_no_direction() -> None:
    found = sensitivity([course(np.ones(SECONDS))], (0.0, SECONDS))
    assert found.direction("level") == 0


def test_a_session_shorter_than_a_minute_is_compared_without_intervals() -> None:
    found = sensitivity([course(TIMES[:30])], (0.0, 30.0))
    assert found.lengths == (5.0, 7.5, 10.0, 15.0)
    assert all(change is not None for change in found.changes["level"])
    assert found.changes["level"][0].low is None


# --- marked parts ---------------------------------------------------------------------------------


def recording() -> Recording:
    eda = Signal(np.ones(4 * SECONDS), 4.0, "uS", 0.0)
    return Recording("P01", "one", False, eda=eda)


def quality(used: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"time": TIMES, "eda_used": used, "eda_recorded": np.ones(SECONDS, bool)})


def marked(*phases: Phase, used: np.ndarray | None = None) -> tuple[object, ...]:
    return marked_phases(
        phases,
        [course(TIMES)],
        recording=recording(),
        quality=quality(np.ones(SECONDS, bool) if used is None else used),
    )


def test_a_marked_part_has_the_mean_of_its_own_seconds() -> None:
    (part,) = marked(Phase("talk", 100, 200))
    (mean,) = part.means
    assert (mean.name, mean.unit, mean.estimate.mean) == ("level", "points", 149.5)
    assert (part.start, part.end, part.stated) == (100, 200, (100, 200))
    assert part.usable == {"eda": 1.0}


def test_of_a_marked_part_partly_outside_the_session_what_is_inside_counts() -> None:
    (part,) = marked(Phase("late", 500, 700), used=TIMES < 550)
    assert (part.start, part.end, part.stated) == (500, 600, (500, 700))
    assert part.means[0].estimate.mean == 549.5
    assert part.usable == {"eda": 0.5}


def test_a_marked_part_without_anything_usable_says_so() -> None:
    (part,) = marked_phases(
        [Phase("dark", 10, 20)],
        [course(np.full(SECONDS, np.nan))],
        recording=recording(),
        quality=quality(np.zeros(SECONDS, bool)),
    )
    assert (part.means[0].estimate, part.means[0].reason) == (None, "nothing usable")
    assert part.usable == {"eda": 0.0}


def test_a_marked_part_outside_a_session_of_unknown_end_has_no_numbers() -> None:
    """``session_phases`` refuses such parts, but not where a video states no duration."""
    (part,) = marked(Phase("beyond", 700, 800))
    assert (part.start, part.end) == (700, 800)
    assert part.means[0].estimate is None
    assert part.usable == {"eda": 0.0}


# --- quadrants and the path -----------------------------------------------------------------------


def test_quadrants_are_told_of_each_phase_that_was_scored() -> None:
    random = np.random.default_rng(0)
    valence = np.where(TIMES < 300, -0.5, 0.5) + 0.1 * random.normal(size=SECONDS)
    arousal = np.where(TIMES < 300, 0.5, -0.5) + 0.1 * random.normal(size=SECONDS)
    phases = first_and_last(0, SECONDS, 200)
    probability = in_phases(prediction(valence, arousal), phases, quadrant_probability)
    assert probability["before"]["II"] > 0.99
    assert probability["after"]["IV"] > 0.99
    assert in_phases(prediction(valence, arousal), phases, quadrant_time)["after"]["IV"].mean > 0.95
    valence[400:] = np.nan
    assert set(in_phases(prediction(valence, arousal), phases, quadrant_time)) == {"before"}
    valence[:] = np.nan
    assert in_phases(prediction(valence, arousal), phases, quadrant_time) is None
    assert in_phases(None, phases, quadrant_time) is None


def test_the_path_is_made_of_minutes_or_of_a_twentieth_of_a_short_session() -> None:
    _, path, step = path_of(prediction(TIMES / 1000, -TIMES / 1000))
    assert step == pytest.approx(599 / 20)
    assert len(path) == 20
    assert (np.diff(path[:, 0]) > 0).all()
    long = np.arange(1800.0) / 2000
    middles, path, step = path_of(prediction(long, long))
    assert (step, len(path)) == (60.0, 30)
    assert middles[0] == 30.0
    np.testing.assert_allclose(path[0], long[:60].mean())


def test_numbers_stand_at_the_quarters_that_hold_something() -> None:
    path = np.zeros((41, 2))
    assert quarter_rows(path) == [0, 10, 20, 30, 40]
    path[8:13] = np.nan
    assert quarter_rows(path) == [0, 7, 20, 30, 40]
    path[1:] = np.nan
    assert quarter_rows(path) == [0]


def test_numbers_on_the_path_do_not_hide_each_other() -> None:
    places = spread(np.array([[0.1, 0.1], [0.1, 0.1], [0.11, 0.1], [0.1, 0.12], [0.5, 0.5]]))
    between = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(between, 1.0)
    assert between.min() > 0.12
    assert np.isfinite(spread(np.array([[0.3, 0.3]]))).all()


def test_the_path_is_drawn_with_its_numbers_and_means() -> None:
    figure = trajectory(prediction(TIMES / 1000, -TIMES / 1000), ((-0.1, 0.1), (0.5, -0.5)))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"1", "2", "3", "4", "5"} <= set(texts)
    markers = {line.get_marker() for line in figure.axes[0].lines}
    assert {"o", "s"} <= markers
    nothing = np.full(SECONDS, np.nan)
    assert trajectory(prediction(nothing, nothing), None) is None


def test_the_sensitivity_is_drawn_for_what_changed() -> None:
    known, bare = Estimate(1.0, 0.5, 1.5, 9), Estimate(-1.0, None, None, 9)
    found = Sensitivity((60.0, 90.0), {"valence": (known, bare), "RMSSD": (known, known)})
    figure = sensitivity_figure(found, {"valence": "-1 to 1", "RMSSD": "ms"})
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["valence (-1 to 1)"]
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [point.get_markerfacecolor() == "white" for point in points] == [False, True]
    assert sensitivity_figure(Sensitivity((60.0,), {"valence": (None,)}), {}) is None
