"""One command in a process of its own: its time, the processor's, and memory with all children.

Memory is the proportional set size (PSS; Linux): pages that processes share are counted once. The
decoder of ``io.video_process`` is told apart from the program. Reading it costs about one
hundredth of a core for each GB and second.
"""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
INTERVAL = 0.2
"""Seconds between two looks at the memory."""
SHARES = (0.25, 0.5, 0.75, 1.0)
_DECODER = "affectscope.io.video_worker"
_MB = 1 << 20


@dataclass(frozen=True)
class Look:
    """MB at one moment: of the program, of its decoder, of whatever else it started."""

    time: float
    program: float
    decoder: float
    others: float

    @property
    def all(self) -> float:
        return self.program + self.decoder + self.others


@dataclass(frozen=True)
class Measured:
    """What one run took.

    Attributes:
        seconds: from start to end.
        cpu_seconds: of the processor, all processes.
        output: what it printed.
        looks: at its memory, in time order.
    """

    seconds: float
    cpu_seconds: float
    output: str
    looks: tuple[Look, ...] = field(repr=False)

    def memory(self) -> dict[str, float | list[float]]:
        """Peaks in MB, and the sum of all processes at ``SHARES`` of the run."""
        return {
            "program": round(max(look.program for look in self.looks)),
            "decoder": round(max(look.decoder for look in self.looks)),
            "all": round(max(look.all for look in self.looks)),
            "all_at_25_50_75_100_percent": [round(self._nearest(share).all) for share in SHARES],
        }

    def _nearest(self, share: float) -> Look:
        wanted = share * self.looks[-1].time
        return min(self.looks, key=lambda look: abs(look.time - wanted))


def measured(command: Sequence[str], interval: float = INTERVAL) -> Measured:
    """Run a command from the project's root and look at its memory meanwhile.

    Raises:
        RuntimeError: it ended with another status than 0; with what it printed.
    """
    before = children_seconds()
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    looks: list[Look] = []
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, interval, looks, ended))
    watcher.start()
    try:
        output, _ = process.communicate()
    finally:
        ended.set()
        watcher.join()
    seconds = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Measured(seconds, children_seconds() - before, output, tuple(looks))


def children_seconds() -> float:
    """Of the processor, of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(pid: int, interval: float, looks: list[Look], ended: threading.Event) -> None:
    began = time.monotonic()
    while True:
        look = _look(pid, time.monotonic() - began)
        if look is not None:
            looks.append(look)
        if ended.wait(interval):
            return


def _look(pid: int, at: float) -> Look | None:
    """None where the process has just ended."""
    program = decoder = others = 0.0
    try:
        top = psutil.Process(pid)
        program = top.memory_full_info().pss / _MB
        for child in top.children(recursive=True):
            try:
                held = child.memory_full_info().pss / _MB
                if _DECODER in child.cmdline():
                    decoder += held
                else:
                    others += held
            except psutil.Error:
                continue  # a child that has just ended holds nothing
    except psutil.Error:
        return None
    return Look(at, program, decoder, others)
