"""A study's page over results that are there, of simulated people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectscope.errors import AffectScopeError
from affectscope.web.study_task import StudyTask, write_study_pages


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def chosen(folder: Path) -> tuple[tuple[str, Path], ...]:
    return tuple((f"P{number} session 1", folder / f"r{number}") for number in range(3))


@pytest.mark.usefixtures("without_pdf")
def test_a_study_is_written_over_results_that_are_there(assessed: Path, tmp_path: Path) -> None:
    output = tmp_path / "study"
    shares: list[float | None] = []
    task = StudyTask(chosen(assessed), output, "Three simulated people")
    write_study_pages(task, lambda share=None: shares.append(share))
    assert shares == [0.2, 0.9]
    page = (output / "study.html").read_text()
    assert "Three simulated people" in page
    assert "the results chosen on the page" in page
    assert len((output / "sessions.csv").read_text().splitlines()) == 1 + 3
    question = read(output / "study.json")
    assert question["model"] is None
    assert question["compared phases"] == [read(assessed / "r0" / "result.json")["phase_rule"]]
    for name, place in chosen(assessed):
        kept = output / "sessions" / name / "result.json"
        assert read(kept) == read(place / "result.json")


def with_model(results: Path, folder: Path, models: tuple[str, ...]) -> StudyTask:
    for number, model in enumerate(models):
        found = read(results / f"r{number}" / "result.json")
        found["model"] = {"checkpoint_id": model}
        (folder / f"r{number}").mkdir()
        (folder / f"r{number}" / "result.json").write_text(json.dumps(found))
    return StudyTask(chosen(folder)[: len(models)], folder / "study", "Two models")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda found, own: with_model(found, own, ("a" * 12, "b" * 12)), "2 different models"),
        (lambda _, own: StudyTask((), own / "study", ""), "No result was chosen"),
        (lambda _, own: StudyTask((("P1", own),), own / "study", ""), "'P1' is missing or damaged"),
        (
            lambda found, own: StudyTask((("P1", found / "r0"),) * 2, own / "study", ""),
            "'P1' names two sessions",
        ),
        (
            lambda found, own: StudyTask((("P1/x", found / "r0"),), own / "study", ""),
            "'P1/x' names two sessions, or none",
        ),
    ],
)
def test_a_study_that_cannot_be_made_is_refused_before_anything_is_written(
    assessed: Path, tmp_path: Path, spoil: Callable[[Path, Path], StudyTask], said: str
) -> None:
    with pytest.raises(AffectScopeError) as caught:
        write_study_pages(spoil(assessed, tmp_path), lambda share=None: None)
    assert caught.value.code == "E_STUDY"
    assert said in caught.value.sentence
    assert not (tmp_path / "study").exists()
