"""What the page's worker process does, one task after the other: on folders only, no database.

A task is a plain thing that travels between processes. What is heavy is imported when it is needed,
in the worker's process: the server imports the tasks alone.
"""

from __future__ import annotations

from typing import TypeAlias

from affectscope.web.export_task import ExportTask, write_archive
from affectscope.web.inspect_task import InspectTask, inspect_files
from affectscope.web.score_task import ScoreTask, Scoring
from affectscope.web.study_task import StudyTask, write_study_pages
from affectscope.worker_process import Alive, Work

__all__ = ["ExportTask", "InspectTask", "PageTask", "ScoreTask", "StudyTask", "make_work"]

PageTask: TypeAlias = ScoreTask | InspectTask | StudyTask | ExportTask


def make_work() -> Work[PageTask]:
    """What a process does a task with; it keeps the model that it loaded last."""
    scoring = Scoring()

    def work(task: PageTask, alive: Alive) -> None:
        match task:
            case ScoreTask():
                scoring(task, alive)
            case InspectTask():
                inspect_files(task, alive)
            case StudyTask():
                write_study_pages(task, alive)
            case ExportTask():
                write_archive(task, alive)

    return work
