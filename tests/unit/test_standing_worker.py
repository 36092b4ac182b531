"""One process that a server keeps."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from affectscope.errors import AffectScopeError, ModelError
from affectscope.standing_worker import Cancelled, StandingWorker
from affectscope.watched_process import Watch

Keep = Callable[..., StandingWorker[str]]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``poison_tasks``, where the new processes find it too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("poison_tasks")


def processes() -> set[int]:
    """Those that this one has started, but what Python itself keeps beside them."""
    children = psutil.Process().children()
    return {child.pid for child in children if "resource_tracker" not in str(child.cmdline())}


@pytest.fixture
def keep(poison: ModuleType, tmp_path: Path) -> Iterator[Keep]:
    """Makes a worker for ``poison_tasks``; every process has ended afterwards."""
    before = processes()
    with ExitStack() as stack:

        def kept(make: str = "make", **watch: float) -> StandingWorker[str]:
            worker = StandingWorker[str](partial(getattr(poison, make), tmp_path), Watch(**watch))
            return stack.enter_context(closing(worker))

        yield kept
    assert processes() <= before


def pid(folder: Path, task: str) -> int:
    """Of the process that did it, or tried to."""
    return int((folder / task).read_text())


def test_tasks_are_done_in_one_process_that_starts_with_the_first(
    keep: Keep, tmp_path: Path
) -> None:
    before = processes()
    worker = keep()
    assert processes() == before
    for task in ("good-1", "good-2", "good-3"):
        worker.do(task)
    assert {pid(tmp_path, f"good-{number}") for number in (1, 2, 3)} == processes() - before


def test_a_refused_task_is_that_tasks_error_and_the_process_lives_on(
    keep: Keep, tmp_path: Path
) -> None:
    worker = keep()
    with pytest.raises(ModelError) as caught:
        worker.do("refuse-1")
    assert (caught.value.code, caught.value.remedy) == ("E_MODEL_MISSING", "Fetch it.")
    worker.do("good-1")
    assert pid(tmp_path, "good-1") == pid(tmp_path, "refuse-1")


def test_B02_a_task_that_crashes_hangs_or_swells_costs_its_process_and_nothing_else(
    keep: Keep, tmp_path: Path
) -> None:
    worker = keep(silence=2.0, memory=1 << 30)
    told = {}
    for task in ("segfault-1", "leave-1", "swell-1", "break-1", "hang-1", "good-1"):
        try:
            worker.do(task)
        except AffectScopeError as error:
            told[task] = error.code, error.sentence
    start = "The process that worked on this"
    assert told == {
        "segfault-1": ("E_TASK_CRASH", f"{start} was ended by signal SIGSEGV."),
        "leave-1": ("E_TASK_CRASH", f"{start} ended with status 3."),
        "swell-1": ("E_TASK_CRASH", f"{start} had too little memory."),
        "break-1": ("E_TASK_CRASH", f"{start} failed with KeyError."),
        "hang-1": ("E_TASK_TIMEOUT", f"{start} gave no sign of life for 2 s and was ended."),
    }
    assert len({pid(tmp_path, task) for task in [*told, "good-1"]}) == 6


def test_B09_the_process_is_replaced_after_so_many_tasks(keep: Keep, tmp_path: Path) -> None:
    before, worker = processes(), keep(tasks_per_process=2)
    for number in range(3):
        worker.do(f"good-{number}")
        assert len(processes() - before) == (number != 1)
    found = [pid(tmp_path, f"good-{number}") for number in range(3)]
    assert found[0] == found[1] != found[2]


def test_the_share_done_is_told_at_most_twice_a_second(keep: Keep) -> None:
    told: list[float] = []
    keep().do("shares-1", progress=told.append)
    assert told == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("task", ["half-1", "stubborn-1"])
def test_a_cancelled_task_ends_with_its_process_and_leaves_nothing_half_written(
    keep: Keep, tmp_path: Path, task: str
) -> None:
    before, worker = processes(), keep()
    with pytest.raises(Cancelled):
        worker.do(task, cancelled=(tmp_path / "writing").exists)
    assert processes() == before
    assert {path.name for path in tmp_path.iterdir()} == {task, "writing"}
    worker.do("good-1")
    assert (tmp_path / "good-1").exists()


def test_a_task_that_is_cancelled_before_it_begins_never_begins(keep: Keep, tmp_path: Path) -> None:
    before = processes()
    with pytest.raises(Cancelled):
        keep().do("good-1", cancelled=lambda: True)
    assert processes() == before
    assert not (tmp_path / "good-1").exists()


def test_whoever_cannot_be_told_of_progress_leaves_no_process_behind(keep: Keep) -> None:
    def broken(_share: float) -> None:
        raise OSError("the database is gone")

    before, worker = processes(), keep()
    with pytest.raises(OSError, match="database"):
        worker.do("shares-1", progress=broken)
    assert processes() == before


def test_a_process_that_ended_while_it_waited_is_replaced_and_costs_no_task(
    keep: Keep, tmp_path: Path
) -> None:
    worker = keep()
    worker.do("good-1")
    waiting = pid(tmp_path, "good-1")
    os.kill(waiting, signal.SIGKILL)
    os.waitid(os.P_PID, waiting, os.WEXITED | os.WNOWAIT)
    worker.do("good-2")
    assert pid(tmp_path, "good-2") != waiting


@pytest.mark.parametrize(
    ("make", "code", "sentence"),
    [
        ("refuse_to_start", "E_RUN_CHANGED", "The model was replaced."),
        ("end_at_once", "E_TASK_CRASH", "The process that worked on this ended with status 4."),
    ],
)
def test_a_process_that_cannot_be_made_ready_is_an_error_of_the_task(
    keep: Keep, make: str, code: str, sentence: str
) -> None:
    before, worker = processes(), keep(make)
    for task in ("good-1", "good-2"):
        with pytest.raises(AffectScopeError) as caught:
            worker.do(task)
        assert (caught.value.code, caught.value.sentence) == (code, sentence)
    assert processes() == before


def test_closing_cancels_what_is_done_now_and_all_that_comes(keep: Keep, tmp_path: Path) -> None:
    before, worker = processes(), keep()
    ended: list[type[BaseException]] = []

    def do() -> None:
        try:
            worker.do("half-1")
        except BaseException as error:
            ended.append(type(error))

    thread = threading.Thread(target=do)
    thread.start()
    while not (tmp_path / "writing").exists() and thread.is_alive():
        thread.join(0.05)
    worker.close()
    assert processes() == before
    thread.join()
    assert ended == [Cancelled]
    with pytest.raises(Cancelled):
        worker.do("good-1")
