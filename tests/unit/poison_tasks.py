"""Work for watched processes, good and bad. It is imported by them, so it is no test module."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from affectscope.errors import ModelError
from affectscope.io.files import atomic_write
from affectscope.worker_process import Alive

Do = Callable[[str, Alive], None]


def make(folder: Path) -> Do:
    """What does a task: its name, up to the dash, says how."""
    return partial(do, folder)


def end_at_once(_folder: Path) -> Do:
    """Never becomes ready."""
    os._exit(4)


def refuse_to_start(_folder: Path) -> Do:
    raise ModelError("E_RUN_CHANGED", "The model was replaced.", "Put it back.")


def do(folder: Path, task: str, alive: Alive) -> None:
    with (folder / task).open("a") as tries:
        tries.write(f"{os.getpid()}\n")
    kind = task.split("-")[0]
    if kind in _KINDS:
        _KINDS[kind](folder, alive)


def _segfault(_folder: Path, _alive: Alive) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _leave(_folder: Path, _alive: Alive) -> None:
    os._exit(3)


def _hang(_folder: Path, _alive: Alive) -> None:
    time.sleep(600)


def _swell(_folder: Path, _alive: Alive) -> None:
    bytearray(4 << 30)


def _break(_folder: Path, _alive: Alive) -> None:
    raise KeyError("a bug")


def _refuse(_folder: Path, _alive: Alive) -> None:
    raise ModelError("E_MODEL_MISSING", "There is no model.", "Fetch it.")


def _tell(folder: Path, _alive: Alive) -> None:
    score = Path("/proc/self/oom_score_adj").read_text().strip()
    (folder / "told").write_text(f"{score} {os.environ['OMP_NUM_THREADS']}")


def _slow(_folder: Path, alive: Alive) -> None:
    for _ in range(8):
        time.sleep(0.5)
        alive()


def _half(folder: Path, _alive: Alive) -> None:
    with atomic_write(folder / "whole") as stream:
        stream.write(b"half")
        stream.flush()
        (folder / "writing").touch()
        time.sleep(600)


def _shares(_folder: Path, alive: Alive) -> None:
    for step in range(4):
        time.sleep(0.6)
        alive(step / 4)
        alive(1.0)  # too soon to be told


def _stubborn(folder: Path, alive: Alive) -> None:
    """Does not end when it is told to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / "writing").touch()
    for _ in range(600):
        time.sleep(1.0)
        alive()


_KINDS: dict[str, Callable[[Path, Alive], None]] = {
    "segfault": _segfault,
    "leave": _leave,
    "hang": _hang,
    "swell": _swell,
    "break": _break,
    "refuse": _refuse,
    "tell": _tell,
    "slow": _slow,
    "half": _half,
    "shares": _shares,
    "stubborn": _stubborn,
}
