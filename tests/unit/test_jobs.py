"""Independent tasks in several processes."""

from __future__ import annotations

import copy
import importlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from affectscope.errors import AffectScopeError, ModelError
from affectscope.jobs import Failure, Told, Watch, run_tasks, run_watched


def write_name(path: Path) -> None:
    path.write_text(path.name)


def refuse(path: Path) -> None:
    raise ModelError("E_CONFIG", f"{path.name} is refused.", "Do not ask.")


@pytest.mark.parametrize("processes", [1, 2])
def test_every_task_is_done_once_and_told(tmp_path: Path, processes: int) -> None:
    told: list[tuple[int, int]] = []
    tasks = [tmp_path / str(number) for number in range(4)]
    if processes == 2:  # what a new process runs must be importable there
        run_tasks(Path.touch, tasks, processes=2, progress=lambda *share: told.append(share))
        assert all(task.exists() for task in tasks)
    else:
        run_tasks(write_name, tasks, processes=1, progress=lambda *share: told.append(share))
        assert [task.read_text() for task in tasks] == ["0", "1", "2", "3"]
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)


def test_a_refusal_reaches_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="E_CONFIG"):
        run_tasks(refuse, [tmp_path / "a"], processes=1)


def test_an_error_keeps_its_code_on_the_way_between_processes() -> None:
    error = copy.copy(ModelError("E_CONFIG", "This cannot be.", "Choose that."))
    assert (error.code, error.sentence, error.remedy) == (
        "E_CONFIG",
        "This cannot be.",
        "Choose that.",
    )


# Watched processes ---------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``poison_tasks``, where the new processes find it too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("poison_tasks")


@dataclass
class Heard:
    """What ``run_watched`` tells."""

    done: list[str] = field(default_factory=list)
    failed: list[tuple[str, tuple[Failure, ...]]] = field(default_factory=list)
    aside: dict[str, tuple[Failure, ...]] = field(default_factory=dict)

    def told(self, then: Callable[[str], None] = lambda _task: None) -> Told[str]:
        def done(task: str) -> None:
            self.done.append(task)
            then(task)

        def failed(task: str, failures: Sequence[Failure]) -> None:
            self.failed.append((task, tuple(failures)))

        def aside(task: str, failures: Sequence[Failure]) -> None:
            assert task not in self.aside
            self.aside[task] = tuple(failures)

        return Told(done, failed, aside)


@pytest.fixture
def watched(poison: ModuleType, tmp_path: Path) -> Callable[..., Heard]:
    """Run tasks of ``poison_tasks``; every process has ended afterwards."""

    def run(tasks: Sequence[str], *, watch: Watch, **more: Any) -> Heard:
        heard, before = Heard(), psutil.Process().children()
        make = getattr(poison, more.pop("make", "make"))
        told = heard.told(more.pop("then", lambda _task: None))
        try:
            run_watched(partial(make, tmp_path), tasks, told=told, watch=watch, **more)
        finally:
            left = [child.cmdline() for child in psutil.Process().children() if child not in before]
            assert not [line for line in left if "resource_tracker" not in str(line)]
        return heard

    return run


def test_B02_tasks_that_crash_hang_or_swell_are_tried_twice_and_set_aside(
    watched: Callable[..., Heard], tmp_path: Path
) -> None:
    good = [f"good-{number}" for number in range(6)]
    bad = ["segfault-1", "leave-1", "hang-1", "swell-1", "break-1"]
    tasks = [*good[:2], *bad, *good[2:]]
    heard = watched(tasks, watch=Watch(processes=2, silence=4.0, memory=1 << 30))
    assert sorted(heard.done) == good
    assert sorted(heard.aside) == sorted(bad)
    for task in good:
        assert len((tmp_path / task).read_text().splitlines()) == 1
    for task in bad:
        assert len((tmp_path / task).read_text().splitlines()) == 2
        assert [tries for name, tries in heard.failed if name == task] == [
            heard.aside[task][:1],
            heard.aside[task],
        ]
    how = {task: failures[-1] for task, failures in heard.aside.items()}
    assert how["segfault-1"] == Failure("E_TASK_CRASH", "was ended by signal SIGSEGV")
    assert how["leave-1"] == Failure("E_TASK_CRASH", "ended with status 3")
    assert how["hang-1"].code == "E_TASK_TIMEOUT"
    assert how["swell-1"] == Failure("E_TASK_CRASH", "had too little memory")
    assert how["break-1"] == Failure("E_TASK_CRASH", "failed with KeyError")


def test_B09_a_process_is_replaced_after_so_many_tasks(
    watched: Callable[..., Heard], tmp_path: Path
) -> None:
    tasks = [f"good-{number}" for number in range(7)]
    watched(tasks, watch=Watch(processes=1, tasks_per_process=3))
    processes = [(tmp_path / task).read_text() for task in tasks]
    assert [processes.count(own) for own in dict.fromkeys(processes)] == [3, 3, 1]


def test_a_task_that_gives_signs_of_life_may_take_longer_than_the_silence(
    watched: Callable[..., Heard],
) -> None:
    heard = watched(["slow-1"], watch=Watch(processes=1, silence=3.0))
    assert (heard.done, heard.failed) == (["slow-1"], [])


def test_a_process_has_one_thread_and_is_the_first_that_the_kernel_ends(
    watched: Callable[..., Heard], tmp_path: Path
) -> None:
    watched(["tell-1"], watch=Watch(processes=1))
    assert (tmp_path / "told").read_text() == "1000 1"


@pytest.mark.parametrize(
    ("make", "task", "code"),
    [
        ("make", "refuse-1", "E_MODEL_MISSING"),
        ("refuse_to_start", "good-1", "E_RUN_CHANGED"),
        ("end_at_once", "good-1", "E_TASK_CRASH"),
    ],
)
def test_what_concerns_all_tasks_ends_the_run(
    watched: Callable[..., Heard], make: str, task: str, code: str
) -> None:
    with pytest.raises(AffectScopeError) as caught:
        watched([task], watch=Watch(processes=1), make=make)
    assert caught.value.code == code


def test_B02_tries_of_an_earlier_run_count(watched: Callable[..., Heard], tmp_path: Path) -> None:
    once = Failure("E_TASK_CRASH", "was ended by signal SIGSEGV")
    before = {"segfault-1": [once], "good-1": [once, once]}
    heard = watched(["segfault-1", "good-1"], watch=Watch(processes=1), failures=before)
    assert heard.aside == {"good-1": (once, once), "segfault-1": (once, once)}
    assert len((tmp_path / "segfault-1").read_text().splitlines()) == 1
    assert not (tmp_path / "good-1").exists()


def test_W01_sigterm_ends_all_processes_and_leaves_nothing_half_written(
    watched: Callable[..., Heard], tmp_path: Path
) -> None:
    def interrupt(_task: str) -> None:
        while not (tmp_path / "writing").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        watched(["half-1", "good-1"], watch=Watch(processes=2), then=interrupt)
    assert {path.name for path in tmp_path.iterdir()} == {"half-1", "good-1", "writing"}
