"""Write a study's page over results that are there: no session is assessed again.

OUTPUT/study.html, study.pdf, figure5.svg, ... and five tables: see ``therapy.study.summary``
OUTPUT/study.json                  what the page rests on
OUTPUT/sessions/NAME/result.json   a copy of each result, as the page says
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from affectscope.errors import SessionError
from affectscope.io.files import prepare_folder, write_text, writing_in
from affectscope.io.study_file import LEAST_USABLE
from affectscope.web.export_task import checked_entry_name
from affectscope.worker_process import Alive

_CHOSEN = "the results chosen on the page"

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StudyTask:
    """Write a study over ``results`` into ``output``, a folder of its own. What may name a person
    is not in its repr, which logs show (W25).

    Attributes:
        results: (session's name, the folder of its result), in the order of the sessions; names
            differ.
        title: of the page.
        least_usable: share of a compared phase in [0, 1] that must be usable.
    """

    results: tuple[tuple[str, Path], ...] = field(repr=False)
    output: Path
    title: str = field(repr=False)
    least_usable: float = LEAST_USABLE


def write_study_pages(task: StudyTask, alive: Alive) -> None:
    """Write the page, its tables, and what it rests on.

    Raises:
        SessionError: E_STUDY where there are no results, one cannot be read, several models scored
            them, or simulated people are among real ones.
        OutputError: E_OUTPUT.
    """
    from affectscope.therapy.results import RESULT, versions
    from affectscope.therapy.study.question import QUESTION
    from affectscope.therapy.study.rows import StudyFacts
    from affectscope.therapy.study.summary import write_study

    results = _read(task)
    question = _question(results)
    alive(0.2)
    facts = StudyFacts(
        title=task.title,
        data_folder=_CHOSEN,
        sessions_found=len(results),
        least_usable=task.least_usable,
        question=question,
        versions={**versions(), "statsmodels": version("statsmodels")},
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    prepare_folder(task.output)
    with writing_in(task.output):
        write_study(task.output, results, facts)
        alive(0.9)
        for name, result in results.items():
            place = task.output / "sessions" / name / RESULT
            write_text(place, json.dumps(result, indent=2) + "\n")
        write_text(task.output / QUESTION, json.dumps(question, indent=1) + "\n")


def _read(task: StudyTask) -> dict[str, dict[str, Any]]:
    """Name -> result.json."""
    from affectscope.therapy.results import RESULT
    from affectscope.therapy.study.session_rows import read_object

    if not task.results:
        raise SessionError(
            "E_STUDY", "No result was chosen for the study.", "Choose sessions with a result."
        )
    found: dict[str, dict[str, Any]] = {}
    for name, folder in task.results:
        if "/" in checked_entry_name(name) or name in found:
            raise SessionError(
                "E_STUDY", f"{name!a} names two sessions, or none.", "Give each a name of its own."
            )
        result = read_object(folder / RESULT)
        if result is None:
            raise SessionError(
                "E_STUDY",
                f"The result of {name!a} is missing or damaged.",
                "Compute that session again.",
            )
        found[name] = result
    return found


def _question(results: Results) -> dict[str, Any]:
    """What the results answer together. Raises SessionError E_STUDY for more than one model."""
    models: dict[str, str] = {}
    for name, result in results.items():
        model = result.get("model")
        if isinstance(model, Mapping):
            models.setdefault(str(model.get("checkpoint_id")), name)
    if len(models) > 1:
        named = " and ".join(f"{name!a} by {model[:12]}" for model, name in models.items())
        raise SessionError(
            "E_STUDY",
            f"The results stem from {len(models)} different models, and their scores cannot be"
            f" compared: {named}.",
            "Compute the sessions again with one model, or choose results of one.",
        )
    rules = {str(result["phase_rule"]) for result in results.values() if "phase_rule" in result}
    return {
        "asked": "a page over results that were there; no session was assessed for it",
        "program": version("affectscope"),
        "model": next(iter(models), None),
        "compared phases": sorted(rules),
    }
