"""What a process that reads outside files sets for itself before it begins."""

from __future__ import annotations

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


def end_with(parent: int) -> None:
    """End this process within a second after the process ``parent`` has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
