"""The process that works for a ``watched_process.WatchedProcess``: orders and messages over a pipe.

It gets what makes its work, then task after task, and answers ("ready",), ("alive", share or None),
("done",), ("failed", how) or ("refused", error). Both ends are our own. Nothing heavy is imported
before the process has settled, since numeric libraries look at its limits only once.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

from affectscope.errors import AffectScopeError
from affectscope.io.process_limits import end_with, limit_data, preferred_by_oom_killer

log = logging.getLogger(__name__)

Task = TypeVar("Task")


class Alive(Protocol):
    """Called by the work whenever it has come a step further; it costs next to nothing."""

    def __call__(self, share: float | None = None) -> None:
        """``share`` of the task that is done, in [0, 1]; None where the work does not know."""


Work = Callable[[Task, Alive], None]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ALIVE_SECONDS = 0.5


def settle(parent: int, threads: int | None = 1) -> None:
    """So many threads of numeric libraries, None for their own choice, and an end with the parent:
    for a new process, before it imports its work."""
    if threads is not None:
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    end_with(parent)


def serve(pipe: Connection, parent: int, memory: int | None, threads: int | None) -> None:
    """A process' life: settle, make ready, then task after task until the pipe ends."""
    signal.signal(signal.SIGTERM, _leave)
    settle(parent, threads)
    preferred_by_oom_killer()
    if memory is not None:
        limit_data(memory)
    with suppress(EOFError, OSError):  # the parent has gone
        try:
            (make,) = pipe.recv()  # only now heavy modules are imported
            work = make()
        except AffectScopeError as error:
            pipe.send(("refused", error))
            return
        except (EOFError, ConnectionError):
            return
        except Exception:
            log.exception("a process cannot be made ready")
            raise SystemExit(1) from None
        pipe.send(("ready",))
        while True:
            (task,) = pipe.recv()
            pipe.send(_tried(work, task, _Pulse(pipe)))


def _tried(work: Work[Task], task: Task, alive: Alive) -> tuple[Any, ...]:
    try:
        work(task, alive)
    except AffectScopeError as error:
        return "refused", error
    except MemoryError:
        return "failed", "had too little memory"
    except Exception as error:  # a bug, or a library that fails in its own way: the log tells where
        log.exception("%r failed", task)
        return "failed", f"failed with {type(error).__name__}"
    return ("done",)


class _Pulse:
    """A sign of life to the parent, at most twice a second."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sent = time.monotonic()

    def __call__(self, share: float | None = None) -> None:
        now = time.monotonic()
        if now - self._sent >= _ALIVE_SECONDS:
            self._sent = now
            try:
                self._pipe.send(("alive", share))
            except OSError:  # the parent has gone
                raise SystemExit(1) from None


def _leave(_number: int, _frame: object) -> None:
    """Told to end: what is being written is put away on the way out."""
    raise SystemExit(1)
