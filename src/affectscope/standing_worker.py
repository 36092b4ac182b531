"""One process that a server keeps for tasks that come one by one, with progress and cancelling.

It is started at the first task, does one after the other, and is replaced where it ended, hung, was
cancelled, or has done enough. A task that the work refuses leaves it as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from affectscope.errors import AffectScopeError
from affectscope.watched_process import Failure, Watch, WatchedProcess
from affectscope.worker_process import Work

Task = TypeVar("Task")

_LOOK_SECONDS = 0.2
"""So often it is asked whether the task is still wanted."""
_GRACE = 1.0
"""Seconds in which a process that is told to end may put away what it has begun to write; whoever
cancels waits for it."""


class Cancelled(Exception):  # noqa: N818 - nothing went wrong
    """The task was not wanted any more; what it had written so far may be there in part."""


class StandingWorker(Generic[Task]):
    """Does tasks in a process of its own. ``do`` and ``close`` may be called from any thread; two
    calls of ``do`` wait for each other."""

    def __init__(self, make: Callable[[], Work[Task]], watch: Watch | None = None) -> None:
        """
        Args:
            make: called once in each process, makes what does a task. It and the tasks are
                importable, plain things. The process loads nothing heavy before.
            watch: its silence, tasks_per_process and memory count; each task has one try.
        """
        self._make = make
        self._watch = watch or Watch()
        self._process: WatchedProcess[Task] | None = None
        self._one_task = threading.Lock()
        self._closed = threading.Event()

    def do(
        self,
        task: Task,
        *,
        progress: Callable[[float], None] = lambda _share: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Do a task; it takes as long as the task does.

        Args:
            progress: told the share done, in [0, 1], at most twice a second.
            cancelled: asked about five times a second whether the task is not wanted any more.

        Raises:
            Cancelled: ``cancelled`` said so, or the worker is closed; its process has ended.
            AffectScopeError: what the work raised about this task, or ``make``; E_TASK_CRASH where
                the process ended, E_TASK_TIMEOUT where it was silent for too long.
        """

        def unwanted() -> bool:
            return self._closed.is_set() or cancelled()

        with self._one_task:
            try:
                refusal = self._answer(task, progress, unwanted)
            except BaseException:  # nobody listens to this process any more
                self._end()
                raise
            if self._process and self._process.given >= self._watch.tasks_per_process:
                self._end()
        if refusal is not None:
            raise refusal

    def close(self) -> None:
        """End the process; a task that it does is cancelled, and so is every later one."""
        self._closed.set()
        with self._one_task:
            self._end()

    def _answer(
        self, task: Task, progress: Callable[[float], None], unwanted: Callable[[], bool]
    ) -> AffectScopeError | None:
        """What the work refused the task with, None where it is done."""
        if unwanted():
            raise Cancelled
        process = self._waiting(unwanted)
        process.give(task)
        while True:
            kind, *rest = self._message(process, unwanted)
            if kind == "failed":
                raise _lost(Failure("E_TASK_CRASH", rest[0]))
            if kind != "alive":
                process.task = None
                return rest[0] if kind == "refused" else None
            if rest[0] is not None:
                progress(rest[0])

    def _waiting(self, unwanted: Callable[[], bool]) -> WatchedProcess[Task]:
        """The process, ready for a task; a new one where there is none or it has ended."""
        if self._process is not None and self._process.pipe.poll():  # it can only tell its end
            self._end()
        if self._process is None:
            self._process = WatchedProcess(self._make, self._watch)
            kind, *rest = self._message(self._process, unwanted)
            if kind == "refused":
                raise rest[0]
            self._process.ready = True
        return self._process

    def _message(
        self, process: WatchedProcess[Task], unwanted: Callable[[], bool]
    ) -> tuple[Any, ...]:
        """What the process says next, while the task is wanted."""
        while not unwanted():
            if process.pipe.poll(min(_LOOK_SECONDS, self._watch.silence)):
                message = process.message()
                if message is not None:
                    return message
                self._process = None
                raise _lost(process.crashed())
            limit = process.silent_beyond(self._watch.silence)
            if limit is not None:
                self._process = None
                raise _lost(process.end_silent(limit))
        raise Cancelled

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.tell_to_end()
            process.end(_GRACE)


def _lost(failure: Failure) -> AffectScopeError:
    return AffectScopeError(
        failure.code,
        f"The process that worked on this {failure.how}.",
        "Nothing else was lost. Try it again; where it fails again, the recordings may be damaged.",
    )
