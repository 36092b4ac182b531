"""One process that works for us, seen from its parent: started, given tasks, listened to, ended.

``jobs.run_watched`` keeps several for a list of tasks, ``standing_worker`` one for as long as a
program runs. The other side is ``worker_process``. Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from affectscope.worker_process import Work, serve

Task = TypeVar("Task")

START_SECONDS = 300.0
"""A new process may take so long until it is ready, or as long as it may be silent."""
GRACE = 5.0
"""Seconds in which a process that is told to end may put away what it has begun to write."""


@dataclass(frozen=True)
class Failure:
    """Why a try failed: E_TASK_CRASH or E_TASK_TIMEOUT, and what the process did, as a predicate
    ("was ended by signal SIGSEGV")."""

    code: str
    how: str


@dataclass(frozen=True)
class Watch:
    """How watched processes are kept.

    Attributes:
        processes: None: one per core.
        silence: seconds without a sign of life after which a process is ended.
        tries: so often a task may fail before it is set aside.
        tasks_per_process: a process is replaced after so many, whatever it leaked (B09).
        memory: bytes of data that a process may take; None: no limit but the machine's.
        threads: of numeric libraries in a process; None: their own choice, one per core.
    """

    processes: int | None = None
    silence: float = 600.0
    tries: int = 2
    tasks_per_process: int = 50
    memory: int | None = None
    threads: int | None = 1


class WatchedProcess(Generic[Task]):
    """One process with at most one task.

    Attributes:
        ready: whether it has made its work.
        task: what it does now; ``given``: how many tasks it got so far.
    """

    def __init__(self, make: Callable[[], Work[Task]], watch: Watch) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, os.getpid(), watch.memory, watch.threads), daemon=True
        )
        with _held_back(signal.SIGINT):  # Ctrl-C reaches the whole group; the parent ends it
            self._process.start()
        theirs.close()
        self.ready = False
        self.task: Task | None = None
        self.given = 0
        self._heard = time.monotonic()
        self._send(make)

    def give(self, task: Task) -> None:
        self.task, self.given, self._heard = task, self.given + 1, time.monotonic()
        self._send(task)

    def _send(self, item: object) -> None:
        with suppress(OSError):  # that it has ended shows when it is listened to
            self.pipe.send((item,))

    def message(self) -> tuple[Any, ...] | None:
        """The next message, None where the process has ended."""
        try:
            message: tuple[Any, ...] = self.pipe.recv()
        except (EOFError, OSError):
            return None
        self._heard = time.monotonic()
        return message

    def silent_beyond(self, silence: float) -> float | None:
        """The seconds without a sign of life that are too many, where so many are over."""
        limit = silence if self.ready else max(silence, START_SECONDS)
        busy = self.task is not None or not self.ready
        over = busy and time.monotonic() - self._heard > limit and not self.pipe.poll()
        return limit if over else None

    def tell_to_end(self) -> None:
        self._process.terminate()

    def crashed(self) -> Failure:
        """What became of a process that has ended on its own."""
        return Failure("E_TASK_CRASH", self.end())

    def end_silent(self, limit: float) -> Failure:
        """End it at once, since it was silent for so many seconds."""
        self.end(0.0)
        return Failure("E_TASK_TIMEOUT", f"gave no sign of life for {limit:g} s and was ended")

    def end(self, grace: float = GRACE) -> str:
        """How it ended; after ``grace`` seconds it is killed."""
        self.pipe.close()
        self._process.join(grace)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        status = self._process.exitcode or 0
        self._process.close()
        if status >= 0:
            return f"ended with status {status}"
        hint = ", as happens when memory runs out" if status == -signal.SIGKILL else ""
        return f"was ended by signal {signal.Signals(-status).name}{hint}"


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """A process that is started here never gets the signal; this one gets it a little later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
