"""Prepares trials, in several processes where that pays.

Finding faces keeps one core busy at 12 to 16 ms a row, and a worker needs about 4 s to begin: so it
pays from some hundred rows on. Measured on two cores that others used too, 4,800 rows: 59 s in one
process, 45 s in two. An entry does not depend on who made it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

from affectscope.datasets.prepared_trial import TrialTask, make_trial
from affectscope.errors import require

ROWS_THAT_PAY = 300
"""Rows with a video in one person's trials from which on workers are started; others follow."""
MOST_WORKERS = 16

FaceModel = tuple[bytes, bytes]


class TrialWorkers:
    """Use it as a context manager: its processes live as long as it does.

    ``face_model``: called once there is a video.
    """

    def __init__(self, face_model: Callable[[], FaceModel]) -> None:
        self._face_model = face_model
        self._pool: Executor | None = None

    def __enter__(self) -> TrialWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def make(self, tasks: Sequence[TrialTask], progress: Callable[[float, str], None]) -> None:
        """Prepare all tasks; ``progress`` takes the share of them that is done, and what is done.

        Raises:
            OutputError, ModelError, MissingExtraError: as ``make_trial``.
        """
        videos = [task for task in tasks if task.recording.video is not None]
        model = self._model() if videos else None
        count = min(len(tasks), os.cpu_count() or 1, MOST_WORKERS)
        pays = self._pool is not None or sum(task.rows for task in videos) >= ROWS_THAT_PAY
        if count > 1 and pays:
            self._make_together(tasks, model, progress)
        else:
            _make_in_turn(tasks, model, progress)

    def _model(self) -> FaceModel:
        require("mediapipe", "Face detection", "face")
        return self._face_model()

    def _make_together(
        self,
        tasks: Sequence[TrialTask],
        model: FaceModel | None,
        progress: Callable[[float, str], None],
    ) -> None:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                min(os.cpu_count() or 1, MOST_WORKERS),
                multiprocessing.get_context("spawn"),
                initializer=end_with_parent,
            )
        try:
            running = {self._pool.submit(make_trial, task, model): task for task in tasks}
            for number, future in enumerate(as_completed(running), start=1):
                future.result()
                progress(number / len(tasks), _named(running[future]))
        except BrokenProcessPool:  # a worker was killed: here, one needs less memory than several
            self._pool.shutdown()
            self._pool = None
            left = [task for task in tasks if not task.folder.exists()]
            _make_in_turn(left, model, progress)


def _make_in_turn(
    tasks: Sequence[TrialTask],
    model: FaceModel | None,
    progress: Callable[[float, str], None],
) -> None:
    for number, task in enumerate(tasks):
        start, end = task.span

        def on_time(
            time: float,
            number: int = number,
            start: float = start,
            end: float = end,
            text: str = _named(task),
        ) -> None:
            share = min(1.0, (time - start) / (end - start))
            progress((number + share) / len(tasks), text)

        make_trial(task, model, on_time)


def _named(task: TrialTask) -> str:
    return f"Preparing {task.recording.subject_id}, {task.recording.trial_id}"


def end_with_parent() -> None:
    """In a worker: no parent that is killed leaves workers behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
