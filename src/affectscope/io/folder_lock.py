"""One process at a time in a folder: a lock file with the name of who holds it."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from affectscope.errors import ModelError
from affectscope.io.files import shown

_LONGEST_PAUSE = 1.0
"""Seconds between two tries at most; each is drawn, so that those who wait do not meet again."""


@contextmanager
def locked(path: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock; the system frees it when its process ends, however it ends (T14).

    Args:
        patience: seconds to wait for another holder.

    Raises:
        ModelError: E_RUN_LOCKED, with the process and the machine of the holder.
        OSError: the file cannot be opened.
    """
    with path.open("a+", encoding="utf-8") as stream:
        _take(stream, path, time.monotonic() + patience)
        stream.seek(0)
        stream.truncate()
        with suppress(OSError):  # on a full disk the lock holds without a name
            stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            stream.flush()
        yield


def shared(path: Path) -> TextIO:
    """Hold a lock with others, until the file is closed or the process ends; ``locked`` waits for
    them all.

    Raises:
        OSError: the file cannot be opened.
    """
    stream = path.open("a", encoding="utf-8")
    fcntl.flock(stream, fcntl.LOCK_SH)
    return stream


def _take(stream: TextIO, path: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = until - time.monotonic()
            if left <= 0:
                raise _held(stream, path) from None
            time.sleep(min(left, random.uniform(0.2, 1.0) * _LONGEST_PAUSE))
        else:
            return


def _held(stream: TextIO, path: Path) -> ModelError:
    stream.seek(0)
    return ModelError(
        "E_RUN_LOCKED",
        f"{shown(path.parent)} is in use by {stream.read(200).strip() or 'a process'}.",
        "Wait until it has ended, or choose another folder.",
    )
