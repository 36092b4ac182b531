"""MATLAB files of every version -> plain values: v4, v5 (also v6, v7) and v7.3.

A file's content decides how it is read, never its name. Nothing of a file is run, and nothing
outside it is opened. v7.3 is HDF5 and is read in a process of its own, see ``io.mat_hdf5``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown
from affectscope.io.mat_hdf5 import rebuilt
from affectscope.io.mat_level4 import is_level4, read_level4
from affectscope.io.mat_level5 import ORDERS, read_level5
from affectscope.io.mat_values import damaged
from affectscope.io.reader_process import answered

_CHILD = "affectscope.io.mat_hdf5"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_STARTS = (0, 512, 1024, 2048)  # MATLAB puts a text of 512 bytes before it

HEAD_BYTES = _HDF5_STARTS[-1] + len(_HDF5)
"""How much of a file tells its level."""


def mat_level(head: bytes) -> Literal[4, 5, 7] | None:
    """The level of a MATLAB file by its first bytes, 7 for v7.3; None for any other file."""
    if head[124:128] in ORDERS:
        return 5
    if any(head[start:].startswith(_HDF5) for start in _HDF5_STARTS):
        return 7
    return 4 if is_level4(head) else None


def read_mat(path: Path, names: Sequence[str] | None = None) -> dict[str, object]:
    """The variables of a MATLAB file, in the file's order.

    Numbers come as ndarray (bool for logical) of their own type, text of one row as str, cells and
    text of several rows as object ndarray, a 1 x 1 struct as dict, any other struct array as object
    ndarray of dicts. Arrays have MATLAB's shape; they may share one block of memory, so copy what
    is kept for long.

    Args:
        names: the variables to read; None reads all. Others are not looked into.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_TYPE_MISMATCH for a file that
            is no MATLAB file; E_SIGNAL_FILE for a damaged one, or one that lacks a name; E_MAT_TYPE
            where a wanted variable holds a function, an object or a sparse matrix; E_FILE_LIMIT;
            E_READER_CRASH.
        MissingExtraError: v7.3 without h5py.
    """
    check_file(path)
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    level = mat_level(head)
    if level == 5:
        found = read_level5(path, names, ORDERS[head[124:128]])
    elif level == 7:
        found = _read_in_child(path, names)
    elif level == 4:
        found = read_level4(path, names)
    else:
        raise InputError(
            "E_TYPE_MISMATCH",
            f"{shown(path)} is no MATLAB file.",
            "Give a .mat file as MATLAB or the corpus' authors wrote it.",
        )
    missing = [name for name in names or () if name not in found]
    if missing:
        raise damaged(path, f"it lacks the variable {missing[0]!a}")
    return found


def _read_in_child(path: Path, names: Sequence[str] | None) -> dict[str, object]:
    order = {"names": None if names is None else list(names)}
    with answered(_CHILD, path, order) as (facts, folder):
        return {key: rebuilt(node, folder) for key, node in facts["variables"].items()}
