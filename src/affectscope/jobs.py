"""Independent tasks in several processes, each on one core, finished in any order.

``run_tasks`` is for work that is trusted: what a task raises, the caller gets. ``run_watched`` is
for work on outside data, which may crash, hang, or swell: there a task that ends its process costs
one try, and after a few tries it is set aside; the other tasks go on.

This module imports nothing heavy: a new process is ready before it knows its work.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import wait as wait_for
from typing import Any, Generic, TypeVar

from affectscope.errors import AffectScopeError
from affectscope.watched_process import Failure, Watch, WatchedProcess
from affectscope.worker_process import Work, settle

__all__ = ["Failure", "Told", "Watch", "cores", "run_tasks", "run_watched"]

Task = TypeVar("Task")

_START_TRIES = 3


def run_tasks(
    work: Callable[[Task], None],
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _count: None,
) -> None:
    """Do ``work`` for every task; what it makes, it keeps itself (in files).

    Processes are spawned, so ``work`` and the tasks are importable, plain things. One task, or one
    process, is done right here. Networks this small gain nothing from a second thread (two threads
    on two busy cores took 2 to 8 times as long), so each process has one.

    Args:
        processes: None: one per core.
        progress: told how many tasks are done, and of how many.

    Raises:
        Whatever a task raises first; tasks that have not begun are then left out.
    """
    count = min(processes or cores(), len(tasks))
    progress(0, len(tasks))
    if count <= 1:
        for done, task in enumerate(tasks, start=1):
            work(task)
            progress(done, len(tasks))
        return
    with ProcessPoolExecutor(
        count, get_context("spawn"), initializer=settle, initargs=(os.getpid(),)
    ) as pool:
        running = {pool.submit(work, task) for task in tasks}
        done = 0
        try:
            while running:
                finished, running = wait(running, timeout=1.0, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                    done += 1
                    progress(done, len(tasks))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Told(Generic[Task]):
    """Whom ``run_watched`` tells, in the parent: a task that is done; one that failed, with all
    its failures so far; one that failed for the last time and is set aside."""

    done: Callable[[Task], None]
    failed: Callable[[Task, Sequence[Failure]], None]
    set_aside: Callable[[Task, Sequence[Failure]], None]


def run_watched(
    make: Callable[[], Work[Task]],
    tasks: Sequence[Task],
    *,
    told: Told[Task],
    watch: Watch | None = None,
    failures: Mapping[Task, Sequence[Failure]] | None = None,
) -> None:
    """Do every task in processes that live long and are watched.

    Args:
        make: called once in each process, makes what does a task. It and the tasks are importable,
            plain things. A process loads nothing heavy before.
        failures: those of earlier runs, by task.

    Raises:
        AffectScopeError: the first that ``make`` or the work raises: it concerns all tasks, not
            one; E_TASK_CRASH where processes end before they are ready. All processes have then
            ended, as they have after KeyboardInterrupt, which SIGTERM raises too.
    """
    earlier = {task: list(found) for task, found in (failures or {}).items()}
    with _sigterm_interrupts():
        _Run(make, watch or Watch(), told, earlier).do(tasks)


@dataclass
class _Run(Generic[Task]):
    """The state of ``run_watched``."""

    make: Callable[[], Work[Task]]
    watch: Watch
    told: Told[Task]
    failures: dict[Task, list[Failure]]
    waiting: deque[Task] = field(default_factory=deque)
    workers: list[WatchedProcess[Task]] = field(default_factory=list)
    bad_starts: int = 0

    def do(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._again(task)
        try:
            while self.waiting or any(worker.task is not None for worker in self.workers):
                self._fill()
                self._listen()
        finally:
            for worker in self.workers:
                worker.tell_to_end()
            for worker in self.workers:
                worker.end()

    def _again(self, task: Task) -> None:
        """Queue a task that has tries left; set aside one that has none."""
        failures = self.failures.get(task, [])
        if len(failures) < self.watch.tries:
            self.waiting.append(task)
        else:
            self.told.set_aside(task, failures)

    def _fill(self) -> None:
        """A task for everybody who is free; new processes for the tasks that are left."""
        for worker in self.workers:
            if worker.ready and worker.task is None and self.waiting:
                worker.give(self.waiting.popleft())
        starting = sum(not worker.ready for worker in self.workers)
        most = self.watch.processes or cores()
        while len(self.workers) < most and starting < len(self.waiting):
            self.workers.append(WatchedProcess(self.make, self.watch))
            starting += 1

    def _listen(self) -> None:
        """Take what came in within a second, then end who has been silent for too long."""
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait_for(list(by_pipe), min(1.0, self.watch.silence)):
            worker = by_pipe[pipe]  # type: ignore[index]
            message = worker.message()
            if message is None:
                self._ended(worker, worker.crashed())
            else:
                self._heard(worker, *message)
        for worker in self.workers[:]:
            limit = worker.silent_beyond(self.watch.silence)
            if limit is not None:
                self._ended(worker, worker.end_silent(limit))

    def _heard(self, worker: WatchedProcess[Task], kind: str, *rest: Any) -> None:
        task = worker.task
        if kind == "ready":
            worker.ready, self.bad_starts = True, 0
        elif kind == "refused":
            error: AffectScopeError = rest[0]
            raise error
        elif kind in ("done", "failed") and task is not None:
            worker.task = None
            if kind == "done":
                self.told.done(task)
            else:
                self._failed(task, Failure("E_TASK_CRASH", rest[0]))
            if kind == "failed" or worker.given >= self.watch.tasks_per_process:
                self.workers.remove(worker)
                worker.tell_to_end()
                worker.end()

    def _ended(self, worker: WatchedProcess[Task], failure: Failure) -> None:
        """A process is gone: its task has failed, or it never was ready for one."""
        self.workers.remove(worker)
        if worker.task is not None:
            self._failed(worker.task, failure)
            return
        self.bad_starts += not worker.ready
        if self.bad_starts >= _START_TRIES:
            raise AffectScopeError(
                failure.code,
                f"No process can be made ready for the work: {_START_TRIES} in a row failed, and"
                f" the last one {failure.how}.",
                "Free some memory, or ask for fewer processes.",
            )

    def _failed(self, task: Task, failure: Failure) -> None:
        self.failures.setdefault(task, []).append(failure)
        self.told.failed(task, self.failures[task])
        self._again(task)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does; only the main thread can arrange that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
