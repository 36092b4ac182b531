"""The one thread that carries out jobs, one after the other, in the worker process; a second one
tidies up every hour, however long a job takes.

Whether a job is still wanted is asked of its row, so that cancelling, erasing and restarting need
no other way to reach it. What a try that did not succeed left behind is removed.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from fastapi.requests import HTTPConnection

from affectscope.errors import AffectScopeError, StoreError
from affectscope.io.files import prepare_folder
from affectscope.io.process_limits import memory_of_machine
from affectscope.standing_worker import Cancelled, StandingWorker
from affectscope.store.database import Change, Store
from affectscope.store.running_jobs import (
    begin_job,
    end_job,
    is_wanted,
    lose_try,
    next_job_id,
    recover_jobs,
    take_back,
    tell_share,
)
from affectscope.store.tables import Job
from affectscope.watched_process import Watch
from affectscope.web.housekeeping import SWEEPS, sweep_results
from affectscope.web.job_kinds import KINDS
from affectscope.web.settings import Settings
from affectscope.web.work import PageTask, make_work

log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.5
"""So often it is looked whether a job waits."""
_TELL_SECONDS = 2.0
"""So often at most a running job's share is written down."""
_SWEEP_SECONDS = 3600.0
_LET_GO_SECONDS = 15.0
"""A cancelled task ends within about two."""
_LOOK_SECONDS = 0.05
_SILENCE_SECONDS = 1800.0
"""Without a sign of life for so long the worker is ended; reading several GB gives none."""
_SHARE_OF_MEMORY = 0.8
"""What the worker may take of the machine's, so that a swollen file costs a job, not the server."""
_ENDED_PROCESS = ("E_TASK_CRASH", "E_TASK_TIMEOUT")
_LATER = ("E_BUSY", "E_DISK_FULL")
"""Why a change cannot be made now, and can be once there is room for it."""


@dataclass(frozen=True)
class Progress:
    """Of the job that runs. ``seconds_left`` is None as long as nothing can be said."""

    job_id: str
    share: float
    seconds_left: float | None


class Runner:
    """Begins with ``start`` and ends with ``stop``; tests call ``step`` instead.

    Attributes:
        progress: of the job that runs now, None while none does.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.progress: Progress | None = None
        self._store = store
        self._settings = settings
        memory = int(_SHARE_OF_MEMORY * memory_of_machine())
        self._worker: StandingWorker[PageTask] = StandingWorker(
            make_work, Watch(silence=_SILENCE_SECONDS, memory=memory, threads=None)
        )
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for name, act in (("jobs", self._run), ("sweeps", self._sweep_hourly)):
            self._threads.append(threading.Thread(target=act, name=name, daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """The job that runs waits again."""
        self._stopped.set()
        self._worker.close()
        for thread in self._threads:
            thread.join()

    def recover(self) -> bool:
        """Take up what ran and is done by nobody; before the first ``step``, and after one whose
        job's end could not be written down."""
        self._change(recover_jobs)
        sweep_results(self._store)
        return True

    def step(self) -> bool:
        """Do the job that waits longest, to its end; False where none waits."""
        with self._store.reading() as session:
            job_id = next_job_id(session)
        if job_id is None:
            return False
        with self._store.writing(None) as change:
            job = begin_job(change, job_id)
        if job is not None:
            log.info("job %s (%s) begins, try %d", job.id, job.kind, job.tries)
            self._do(job)
        return True

    def wait_for(self, job_ids: Collection[str]) -> None:
        """Return when none of these jobs, which were cancelled, runs any more.

        Raises:
            StoreError: E_BUSY where one does not end.
        """
        until = time.monotonic() + _LET_GO_SECONDS
        while (progress := self.progress) is not None and progress.job_id in job_ids:
            if time.monotonic() > until:
                raise StoreError(
                    "E_BUSY", "A job does not end.", "The erasure goes on by itself within an hour."
                )
            time.sleep(_LOOK_SECONDS)

    def sweep(self) -> None:
        """Tidy up; first, a job that nobody wants any more ends, so that it leaves nothing."""
        progress = self.progress
        if progress is not None and not self._wanted(progress.job_id):
            self.wait_for([progress.job_id])
        for sweep in SWEEPS:
            self._guarded(partial(sweep, self._store))

    def _sweep_hourly(self) -> None:
        while True:
            self._guarded(self.sweep)
            if self._stopped.wait(_SWEEP_SECONDS):
                return

    def _run(self) -> None:
        recovered = False
        while not self._stopped.is_set():
            recovered = recovered or self._guarded(self.recover) is not None
            found = self._guarded(self.step) if recovered else None
            recovered = found is not None
            if not found:
                self._stopped.wait(_IDLE_SECONDS)

    def _guarded(self, act: Callable[[], bool | None]) -> bool | None:
        """A thread outlives whatever fails; no message is logged, which may hold a name (W25)."""
        try:
            return act()
        except AffectScopeError as error:
            log.warning("the runner was refused: %s", error.code)
        except Exception as error:
            log.error("the runner failed: %s", type(error).__name__)
        return None

    def _do(self, job: Job) -> None:
        course = _Course(self, job.id)
        task: PageTask | None = None
        done = False
        try:
            task = KINDS[job.kind].task(self._store, self._settings, job)
            self._worker.do(task, progress=course.reached, cancelled=course.unwanted)
            done = self._change(lambda change: self._finish(change, job.id))
        except Cancelled:
            self._change(lambda change: take_back(change, job.id))  # where the server ends
        except AffectScopeError as error:
            self._fail(job, error)
        except Exception as error:
            log.error("job %s failed: %s", job.id, type(error).__name__)
            self._fail(job, _fault(job))
        finally:
            if task is not None and not done:
                _remove(task)
            self.progress = None  # only now: who erases the person waits for it
            log.info("job %s has ended", job.id)

    def _finish(self, change: Change, job_id: str) -> bool:
        """Whether the job was still wanted."""
        job = end_job(change, job_id)
        if job is not None:
            KINDS[job.kind].finish(change, self._store, job)
        return job is not None

    def _fail(self, job: Job, error: AffectScopeError) -> None:
        log.info("job %s: %s", job.id, error.code)
        if error.code in _ENDED_PROCESS:
            self._change(lambda change: lose_try(change, job.id, error))
        else:
            self._change(lambda change: end_job(change, job.id, error))

    def _change(self, act: Callable[[Change], object]) -> bool:
        """Make a change, as soon as the database has time and room; False where it ended before,
        or where the change itself says so."""
        while True:
            try:
                with self._store.writing(None) as change:
                    return act(change) is not False
            except StoreError as error:
                if error.code not in _LATER or self._stopped.wait(_TELL_SECONDS):
                    raise

    def _tell(self, job_id: str, share: float) -> None:
        try:
            with self._store.writing(None) as change:
                tell_share(change, job_id, share)
        except StoreError as error:
            log.warning("a share was not kept: %s", error.code)  # the next one will be

    def _wanted(self, job_id: str) -> bool:
        """Also where the database does not answer: hours of work do not end for that."""
        try:
            with self._store.reading() as session:
                return is_wanted(session, job_id)
        except StoreError as error:
            log.warning("whether a job is wanted is not known: %s", error.code)
            return True


def runner_of(connection: HTTPConnection) -> Runner:
    runner: Runner = connection.app.state.runner
    return runner


class _Course:
    """How far a job has come."""

    def __init__(self, runner: Runner, job_id: str) -> None:
        self._runner, self._job_id = runner, job_id
        self._started = self._told = time.monotonic()
        runner.progress = Progress(job_id, 0.0, None)

    def reached(self, share: float) -> None:
        now = time.monotonic()
        self._runner.progress = Progress(
            self._job_id, share, seconds_left(share, now - self._started)
        )
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            self._runner._tell(self._job_id, share)

    def unwanted(self) -> bool:
        return not self._runner._wanted(self._job_id)


def seconds_left(share: float, passed: float) -> float | None:
    """By the rule of three; None in the first moments, which tell nothing."""
    return passed * (1 - share) / share if share >= 0.02 and passed >= 2.0 else None


def _remove(task: PageTask) -> None:
    """What a try left; a file is whole or not there."""
    if task.output.is_dir():
        shutil.rmtree(task.output, ignore_errors=True)
    elif task.output.parent.is_dir():
        prepare_folder(task.output.parent)  # a killed writer's half file, which may name the person


def _fault(job: Job) -> AffectScopeError:
    return AffectScopeError(
        "E_INTERNAL",
        f"Something failed inside the program (job {job.id}). Nothing that was saved is lost.",
        "Try it again; if it stays, report the job's number.",
    )
