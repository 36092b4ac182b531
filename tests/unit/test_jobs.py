"""Independent tasks in several processes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from affectscope.errors import ModelError
from affectscope.jobs import run_tasks


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
