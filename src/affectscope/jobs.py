"""Independent tasks in several processes, each on one core, finished in any order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import TypeVar

from affectscope.datasets.trial_workers import end_with_parent

Task = TypeVar("Task")


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
    count = min(processes or len(os.sched_getaffinity(0)), len(tasks))
    progress(0, len(tasks))
    if count <= 1:
        for done, task in enumerate(tasks, start=1):
            work(task)
            progress(done, len(tasks))
        return
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin) as pool:
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


def _begin() -> None:
    import torch

    end_with_parent()
    torch.set_num_threads(1)
