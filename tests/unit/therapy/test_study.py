"""What a study leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectscope.errors import SessionError
from affectscope.therapy.study.rows import StudyFacts
from affectscope.therapy.study.summary import write_study

Results = dict[str, dict[str, Any]]
Made = Callable[..., Results]

TABLES = {"patients.csv", "sessions.csv", "statistics.csv", "agreement.csv", "exclusions.csv"}
FIGURES = {"figure5.svg", "figure5.png"}


def facts(count: int) -> StudyFacts:
    return StudyFacts("Anxiety", "therapy", count, 0.5, {}, {"affectscope": "0.1.0"}, "today")


def test_a_study_leaves_a_page_the_papers_figure_and_five_tables(
    simulated_study: Made, tmp_path: Path
) -> None:
    results = simulated_study(2, answers=False)
    results["patient-02"]["status"] = "DEGRADED"
    summary = write_study(tmp_path, results, facts(2))
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {path.name for path in summary.files}
    assert written - {"study.pdf"} == {*TABLES, *FIGURES, "study.html"}
    assert ("study.pdf" in written) != bool(summary.notices)
    assert (summary.ok, summary.degraded, summary.rejected) == (1, 1, 0)
    assert (summary.counted, summary.patients) == (2, 2)
    assert summary.headlines[0].startswith("Valence rose by")


def test_a_figure_of_an_earlier_run_does_not_stay_beside_results_without_affect(
    simulated_study: Made, tmp_path: Path
) -> None:
    for name in FIGURES:
        (tmp_path / name).write_text("earlier")
    summary = write_study(tmp_path, simulated_study(1, affect=False, answers=False), facts(1))
    assert not FIGURES & {path.name for path in tmp_path.iterdir()}
    assert summary.headlines[0].startswith("Heart rate")


def test_a_refused_study_writes_nothing(simulated_study: Made, tmp_path: Path) -> None:
    results = simulated_study(2)
    results["patient-02"]["format"] = 1
    with pytest.raises(SessionError, match="E_STUDY"):
        write_study(tmp_path, results, facts(2))
    assert list(tmp_path.iterdir()) == []
