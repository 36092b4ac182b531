"""Reading a file in a process of its own, with a limit on time and memory: both sides of it.

A C library may crash, hang or swell on a damaged or hostile file (F13). The child gets its order as
JSON on its standard input, and leaves ``answer.json`` and plain ``.npy`` arrays in a folder: no
pickle. Whatever happens to it, the program goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectscope.errors import AffectScopeError, InputError, MissingExtraError
from affectscope.io.files import check_file, shown
from affectscope.io.process_limits import limit_memory, limit_time

SECONDS, BYTES_PER_SECOND = 60.0, 2 << 20
"""A file may take so long, and longer by its size."""
MEMORY = 5 << 30
"""Bytes of address space that the process is given."""

_ANSWER = "answer.json"


@contextmanager
def answered(
    module: str, path: Path, order: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], Path]]:
    """What a module that calls ``serve`` makes of a file, in a process of its own, and the folder
    with the arrays that it left.

    Raises:
        InputError: E_FILE_MISSING and the like; E_FILE_LIMIT where it took too long; E_READER_CRASH
            where it ended on its own; whatever the module raises.
    """
    check_file(path)
    seconds = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    with tempfile.TemporaryDirectory(prefix="affectscope-read-") as place:
        folder = Path(place)
        asked = {**order, "path": str(path.absolute()), "folder": place}
        asked |= {"memory": MEMORY, "seconds": seconds}
        _run(module, path, asked)
        try:
            facts: dict[str, Any] = json.loads((folder / _ANSWER).read_text())
        except (OSError, ValueError) as error:
            raise _crashed(path, "left no answer") from error
        if "error" in facts:
            code, sentence, remedy = facts["error"]
            kind = MissingExtraError if code == "E_EXTRA" else InputError
            raise kind(code, sentence, remedy)
        yield facts, folder


def serve(answer: Callable[[dict[str, Any], Path], dict[str, Any]]) -> None:
    """The child: one order on standard input, the answer and its arrays in the order's folder."""
    # HDF5 loads no plug-ins of its own accord: a file may name a filter to be looked for.
    os.environ["HDF5_PLUGIN_PRELOAD"] = "::"
    order = json.load(sys.stdin)
    limit_memory(order["memory"])
    limit_time(order["seconds"])
    folder = Path(order["folder"])
    try:
        facts = answer(order, folder)
    except AffectScopeError as error:
        facts = {"error": [error.code, error.sentence, error.remedy]}
    (folder / _ANSWER).write_text(json.dumps(facts))


def _run(module: str, path: Path, order: Mapping[str, Any]) -> None:
    """The child, from start to end; its own output says nothing to the user."""
    # One thread: each thread of a numeric library would take address space.
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module],
            input=json.dumps(order).encode(),
            env=os.environ | single,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=order["seconds"],
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            "E_FILE_LIMIT",
            f"{shown(path)} could not be read within {order['seconds']:.0f} s.",
            "Check where the file comes from; it may be damaged or hostile.",
        ) from error
    if done.returncode:
        raise _crashed(path, f"ended with status {done.returncode}")


def _crashed(path: Path, how: str) -> InputError:
    return InputError(
        "E_READER_CRASH",
        f"The process that reads {shown(path)} {how}; the file may be damaged or hostile.",
        "Check where the file comes from, or export it again.",
    )
