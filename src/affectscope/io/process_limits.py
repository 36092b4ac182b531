"""What a process that reads outside files sets for itself before it begins."""

from __future__ import annotations

import math
import os
import sys
import threading
import time


def limit_memory(size: int) -> None:
    """At most ``size`` bytes of address space, and no core dump; nothing on Windows."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_time(seconds: float) -> None:
    """At most so many seconds of processor time; nothing on Windows.

    Also where a library never comes back to Python, and where whoever waited is gone.
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds)))


def end_with(parent: int) -> None:
    """End this process within a second after the process ``parent`` has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
