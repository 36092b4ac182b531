"""The decoder's process, seen from the program: started, asked, listened to, and ended.

A process that answered an order to its end waits for the next one, since starting takes about as
long as decoding a short clip. One at most waits; it ends with the program, or on its own when the
program was killed. A process that failed, hung, or whose frames nobody wants any more is ended.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import cast

import numpy as np

from affectscope.errors import InputError
from affectscope.io.files import shown
from affectscope.io.video_container import MAXIMUM_SIDE
from affectscope.io.video_worker import HEADER
from affectscope.picture import SPARE_BYTES, ImageArray, Picture, Planes
from affectscope.records import Frame, JsonObject

DECODER = "affectscope.io.video_decoding:decode"
"""MODULE:CALLABLE that the process runs."""
PATIENCE = 60.0
"""Seconds without a sign of life after which the process is ended; it gives one each second."""
MEMORY = 4 << 30
"""Bytes of address space: 17 pictures of the largest size that is read, as H.264 may keep, and one
of them in RGB, take 2 GiB."""


_PIPE = 1 << 20
"""Bytes that a pipe holds; the decoder is at most one frame ahead of its reader."""
_GRACE = 1.0
"""Seconds that a process which closed its output may take to end."""
_REMEDY = "Convert the video to H.264, for example with ffmpeg or HandBrake, and try again."
_LONGEST_HEAD, _LONGEST_BODY = 64 << 20, 3 * MAXIMUM_SIDE**2
"""Bytes; a message that claims more comes from a process that went astray."""


class _HungError(Exception):
    """No sign of life for too long."""


class _EndedError(Exception):
    """The process ended, or went astray, in the middle of an answer."""


class _Process:
    """One running decoder."""

    def __init__(self, decoder: str) -> None:
        self.decoder = decoder
        # One thread: each thread of a numeric library would take address space.
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "affectscope.io.video_worker", decoder, str(MEMORY)],
            env=os.environ | single,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pipesize=_PIPE,
        )
        self._orders = cast("FileIO", self._child.stdin)
        self._answers = cast("FileIO", self._child.stdout)
        self._ready = select.poll()
        self._ready.register(self._answers, select.POLLIN)

    @property
    def runs(self) -> bool:
        return self._child.poll() is None

    def order(self, order: JsonObject) -> None:
        """Hand over an order; that the process has ended shows when its answer is read."""
        with suppress(BrokenPipeError):
            self._orders.write(json.dumps(order).encode() + b"\n")

    def message(self, patience: float) -> tuple[JsonObject, ImageArray]:
        """The next message's head and body. Raises _HungError or _EndedError."""
        length, size = HEADER.unpack(self._read(HEADER.size, patience).data)
        if length > _LONGEST_HEAD or size > _LONGEST_BODY:
            raise _EndedError
        try:
            head: JsonObject = json.loads(bytes(self._read(length, patience)))
        except ValueError:
            raise _EndedError from None
        return head, self._read(size, patience)

    def _read(self, size: int, patience: float) -> ImageArray:
        content = np.empty(size + SPARE_BYTES, np.uint8)[:size]  # not zeroed first
        rest = content.data
        while rest:
            if not self._ready.poll(1000 * patience):
                raise _HungError
            count = self._answers.readinto(rest)
            if not count:
                raise _EndedError
            rest = rest[count:]
        return content

    def end(self, grace: float = 0.0) -> int:
        """The exit status; negative: the signal. After ``grace`` seconds it is killed."""
        try:
            self._child.wait(grace)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._close()
        return self._child.wait()

    def disown(self) -> None:
        """In a forked copy of the program: the process belongs to the original."""
        self._close()
        self._child.returncode = 0

    def _close(self) -> None:
        self._orders.close()
        self._answers.close()


class _Waiting:
    """The process that waits for the next order, if there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        atexit.register(self.end)
        os.register_at_fork(after_in_child=self._forked)

    def take(self) -> _Process:
        """The waiting process, or a new one."""
        process = self._exchange(None)
        if process is not None and process.decoder == DECODER and process.runs:
            return process
        if process is not None:
            process.end()
        return _Process(DECODER)

    def give(self, process: _Process) -> None:
        """A process that answered its order."""
        before = self._exchange(process)
        if before is not None:
            before.end()

    def end(self) -> None:
        """At the end of the program."""
        process = self._exchange(None)
        if process is not None:
            process.end()

    def _exchange(self, process: _Process | None) -> _Process | None:
        with self._lock:
            before, self._process = self._process, process
        return before

    def _forked(self) -> None:
        self._lock = threading.Lock()  # another thread may have held it
        process = self._exchange(None)
        if process is not None:
            process.disown()


_waiting = _Waiting()


def answer(order: JsonObject, path: Path) -> Generator[Frame, None, JsonObject]:
    """The frames that the decoder makes of an order; what it returns is the decoder's result.

    ``path``: of the video, for messages. Closing the generator early ends the decoder's process.

    Raises:
        InputError: E_DECODER_CRASH where the process ended on its own, E_DECODER_TIMEOUT where it
            gave no sign of life; whatever the decoder raises.
    """
    process = _waiting.take()
    answered, reached = False, ""
    try:
        process.order(order)
        while True:
            head, body = process.message(PATIENCE)
            if "frame" in head:
                index, time = head["frame"]
                yield Frame(index, time, _picture(head, body))
                reached = f" behind {time:.2f} s"
            elif "failed" in head:
                raise _crashed(path, f"failed ({head['failed']}){reached}")
            elif "alive" not in head:
                answered = True
                break
    except _EndedError:
        raise _crashed(path, f"{_how(process.end(_GRACE))}{reached}") from None
    except _HungError:
        raise InputError(
            "E_DECODER_TIMEOUT",
            f"Decoding {shown(path)} did not go on{reached} for {PATIENCE:g} s and was ended.",
            _REMEDY,
        ) from None
    finally:
        if answered:
            _waiting.give(process)
        else:
            process.end()
    if "error" in head:
        raise InputError(*head["error"])
    result: JsonObject = head["result"]
    return result


def _picture(head: JsonObject, body: ImageArray) -> Picture:
    if "matrix" not in head:
        return Picture(body.reshape(head["shape"]))
    colours = {name: head[name] for name in ("matrix", "color_range")}
    return Picture(Planes.of_bytes(body, head["shape"], **colours))


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was ended by signal {signal.Signals(-status).name}"


def _crashed(path: Path, how: str) -> InputError:
    sentence = f"The process that decodes {shown(path)} {how}; what came before was used."
    return InputError("E_DECODER_CRASH", sentence, _REMEDY)
