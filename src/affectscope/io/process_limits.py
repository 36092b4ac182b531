"""What a process that works on outside files sets for itself before it begins."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path


def limit_memory(size: int) -> None:
    """At most ``size`` bytes of address space, and no core dump; nothing on Windows."""
    _limit("RLIMIT_AS", size)
    _limit("RLIMIT_CORE", 0)


def limit_time(seconds: float) -> None:
    """At most so many seconds of processor time; nothing on Windows.

    Also where a library never comes back to Python, and where whoever waited is gone.
    """
    _limit("RLIMIT_CPU", math.ceil(seconds))


def end_with(parent: int) -> None:
    """End this process within a second after the process ``parent`` has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def limit_data(size: int) -> None:
    """At most ``size`` bytes of data of its own (heap, stacks, private mappings), no core dump.

    Libraries that map files or reserve address space, as torch does, are not hindered. On Linux;
    elsewhere it may limit less.
    """
    _limit("RLIMIT_DATA", size)
    _limit("RLIMIT_CORE", 0)


def _limit(kind: str, size: int) -> None:
    """Set one of the system's limits; nothing on Windows."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(getattr(resource, kind), (size, size))


def preferred_by_oom_killer() -> None:
    """Where memory runs out, Linux ends this process before others of the user."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def memory_of_machine() -> int:
    """Bytes of memory that this process and its children may use together."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # in a container; "max" is no number
        size = min(size, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return size
