"""What the readers of MATLAB files share: limits, the values that they give, and their refusals.

A value is an ndarray (numbers, bool), a str (one row of text), an object ndarray (a cell, several
rows of text, a struct array) or a dict (a 1 x 1 struct).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import InputError
from affectscope.io.files import shown

MAXIMUM_BYTES = 2 << 30
"""Numbers that one file may hold, as they lie in memory. AMIGOS has about 0.1 GB per file."""

MAXIMUM_VALUES = 1_000_000
"""Arrays, texts, cells and structs that one file may hold."""

MAXIMUM_DEPTH = 32
"""Cells within structs within cells ..."""

_LARGEST_SHAPE = 1 << 48  # elements; NumPy's own limit on empty arrays lies far above

ObjectArray = NDArray[np.object_]


@dataclass
class Budget:
    """What is left of the limits while one file is read."""

    path: Path
    bytes_left: int = MAXIMUM_BYTES
    values_left: int = MAXIMUM_VALUES

    def spend(self, size: int) -> None:
        """One more value of ``size`` bytes.

        Raises:
            InputError: E_FILE_LIMIT.
        """
        self.bytes_left -= size
        self.values_left -= 1
        if self.bytes_left < 0:
            raise limit(self.path, f"holds more than {MAXIMUM_BYTES >> 20} MiB of numbers")
        if self.values_left < 0:
            raise limit(self.path, f"holds more than {MAXIMUM_VALUES} arrays")


def checked_count(shape: Sequence[int], path: Path) -> int:
    """Elements of an array of this shape.

    Raises:
        InputError: E_SIGNAL_FILE for a shape that no file can have.
    """
    possible = len(shape) <= MAXIMUM_DEPTH and all(axis >= 0 for axis in shape)
    if not possible or math.prod(axis for axis in shape if axis) > _LARGEST_SHAPE:
        raise damaged(path, f"it states the impossible array size {_times(shape)}")
    return math.prod(shape)


def object_array(items: Sequence[object], shape: Sequence[int]) -> ObjectArray:
    """Items in MATLAB's order (first axis fastest) as an object array of ``shape``."""
    flat = np.empty(len(items), dtype=np.object_)
    for index, item in enumerate(items):  # np.array would try to merge arrays of equal shape
        flat[index] = item
    return flat.reshape(tuple(shape), order="F")


def text_value(codes: NDArray[Any]) -> str | ObjectArray:
    """Characters (rows, columns) by code -> one row as str, several as an object array (rows,)."""
    rows = codes.reshape(codes.shape[0], -1) if codes.size else np.zeros((1, 0), np.uint16)
    lines = ["".join(map(chr, row)) for row in rows.tolist()]
    return lines[0] if len(lines) == 1 else object_array(lines, (len(lines),))


def is_wanted(name: str, names: Iterable[str] | None) -> bool:
    """Whether a variable was asked for; None asks for all."""
    return names is None or name in names


def damaged(path: Path, what: str) -> InputError:
    """E_SIGNAL_FILE: the file does not follow MATLAB's format."""
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as a MATLAB file: {what}.",
        "Copy or export it again; nothing was changed.",
    )


def limit(path: Path, what: str) -> InputError:
    """E_FILE_LIMIT: the file asks for more than it is given."""
    return InputError(
        "E_FILE_LIMIT",
        f"{shown(path)} {what}.",
        "Check where the file comes from; save only the needed variables.",
    )


def wrong_type(path: Path, variable: str, what: str) -> InputError:
    """E_MAT_TYPE: a variable, or a part of it, is no number, text, cell or struct."""
    return InputError(
        "E_MAT_TYPE",
        f"The variable {variable!a} of {shown(path)} holds {what}, which is not read.",
        "Save it as numbers, text, cells or structs of them, or leave it out.",
    )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape[:8]))
