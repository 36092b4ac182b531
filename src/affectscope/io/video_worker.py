"""The process that decodes videos: orders on its standard input, messages on its standard output.

An order is one line of JSON. The answer is a run of messages: lengths (``HEADER``), a JSON head, a
body of bytes. Heads: {"alive"} at most once a second; {"frame", "shape"} with RGB as the body, or
{"frame", "shape", "matrix", "color_range"} with the planes y, u, v; and as the last one {"result"},
{"error"} (code, sentence, remedy) or {"failed"}. Nothing is pickled.

Run as ``python -m affectscope.io.video_worker MODULE:DECODER MEMORY``; the decoder is a callable as
``io.video_decoding.decode``. The process ends with its standard input, or with its parent.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from affectscope.errors import AffectScopeError
from affectscope.io.process_limits import end_with, limit_memory
from affectscope.picture import ImageArray
from affectscope.records import Frame, JsonObject

HEADER = struct.Struct("<II")
"""Bytes of a message's head, and of its body."""
_ALIVE_SECONDS = 1.0

Decoder = Callable[[Mapping[str, Any], Callable[[], None]], Iterator[Frame | JsonObject]]


class _Messages:
    """Writes messages; the reader's pace is the pace of decoding, for a pipe holds little."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._written = time.monotonic()

    def write(self, head: JsonObject, *body: ImageArray) -> None:
        """``body``: what follows the head, one behind the other."""
        text = json.dumps(head).encode()
        size = sum(part.nbytes for part in body)
        rest = [memoryview(HEADER.pack(len(text), size) + text)]
        rest += [np.ascontiguousarray(part).data.cast("B") for part in body]
        while rest:
            written = os.writev(self._pipe, rest)
            while rest and written >= len(rest[0]):
                written -= len(rest.pop(0))
            if rest:
                rest[0] = rest[0][written:]
        self._written = time.monotonic()

    def frame(self, frame: Frame) -> None:
        head: JsonObject = {"frame": [frame.index, frame.time]}
        planes = frame.picture.planes
        if planes is None:
            self.write({**head, "shape": frame.rgb.shape}, frame.rgb)
            return
        colours = {"matrix": planes.matrix, "color_range": planes.color_range}
        self.write({**head, "shape": planes.y.shape, **colours}, planes.y, planes.u, planes.v)

    def alive(self) -> None:
        if time.monotonic() - self._written >= _ALIVE_SECONDS:
            self.write({"alive": True})


def _serve(decoder: Decoder, order: Mapping[str, Any], messages: _Messages) -> None:
    try:
        for item in decoder(order, messages.alive):
            if isinstance(item, Frame):
                messages.frame(item)
            else:
                messages.write({"result": item})
    except AffectScopeError as error:
        messages.write({"error": [error.code, error.sentence, error.remedy]})
    except BrokenPipeError:  # the reader has gone
        raise SystemExit(1) from None
    except Exception as error:
        messages.write({"failed": type(error).__name__})


def main() -> None:
    """Serve orders until the standard input ends."""
    named, memory = sys.argv[1:]
    limit_memory(int(memory))
    end_with(os.getppid())
    module, name = named.split(":")
    decoder: Decoder = getattr(importlib.import_module(module), name)
    # Whatever a library prints must not come between the messages.
    messages = _Messages(os.dup(1))
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        _serve(decoder, json.loads(line), messages)


if __name__ == "__main__":
    main()
