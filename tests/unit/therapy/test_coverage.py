"""How much of a session, and of each compared part, could be used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affectscope.evaluation.phases import first_and_last
from affectscope.records import Phase
from affectscope.therapy.coverage import Coverage, coverage_notices, phase_coverage

PHASES = first_and_last(0, 100, 20)


def quality(used: np.ndarray, first: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({"time": first + np.arange(len(used)), "ecg_used": used})


def test_the_share_of_each_phase_that_was_used() -> None:
    used = np.ones(100, dtype=bool)
    used[5:10] = used[80:] = False
    assert phase_coverage(quality(used), ["ecg"], PHASES) == {
        "before": {"ecg": 0.75},
        "after": {"ecg": 0.0},
    }


def test_parts_of_seconds_count_as_parts() -> None:
    phases = (Phase("before", 9.5, 11.5), Phase("after", 20.25, 20.75))
    used = np.zeros(100, dtype=bool)
    used[[10, 20]] = True
    found = phase_coverage(quality(used), ["ecg"], phases)
    assert found["before"]["ecg"] == pytest.approx(0.5)
    assert found["after"]["ecg"] == pytest.approx(1.0)


def test_what_lies_outside_the_session_was_not_used() -> None:
    phases = (Phase("before", -10, 10), Phase("after", 90, 130))
    found = phase_coverage(quality(np.ones(100, dtype=bool)), ["ecg"], phases)
    assert found == {"before": {"ecg": 0.5}, "after": {"ecg": 0.25}}


def test_nothing_of_a_phase_without_length_was_used() -> None:
    phases = (Phase("before", 0, 0), Phase("after", 0, 0))
    found = phase_coverage(quality(np.ones(100, dtype=bool)), ["ecg"], phases)
    assert found == {"before": {"ecg": 0.0}, "after": {"ecg": 0.0}}


def test_less_than_half_of_a_phase_is_told_once_per_modality_and_phase() -> None:
    coverage = {"ecg": Coverage(0.8, 100, 100), "eda": Coverage(1.0, 100, 100)}
    by_phase = {"before": {"ecg": 0.5, "eda": 1.0}, "after": {"ecg": 0.49, "eda": 1.0}}
    (notice,) = coverage_notices(coverage, by_phase, PHASES)
    assert (notice.code, notice.modality) == ("W_PHASE_COVERAGE", "ecg")
    assert (notice.start, notice.end) == (80, 100)
    assert "49 % of the phase after" in notice.sentence


def test_a_modality_of_which_nothing_was_used_has_its_own_notice_already() -> None:
    coverage = {"ecg": Coverage(0.0, 100, 100), "eda": Coverage(0.3, 100, 100)}
    by_phase = {"before": {"ecg": 0.0, "eda": 0.6}, "after": {"ecg": 0.0, "eda": 0.6}}
    (notice,) = coverage_notices(coverage, by_phase, PHASES)
    assert (notice.code, notice.modality) == ("W_LOW_COVERAGE", "eda")
