"""How a pickle states a NumPy array, and what of it is accepted, see ``io.array_pickle``.

A pickle makes an array in two steps: an empty one (``_reconstruct``), then its state (shape, type,
bytes). Here nothing is allocated before the declared size is that of the bytes at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_MEANINGS: dict[tuple[str, str], str] = {
    **{(module, "_reconstruct"): "reconstruct" for module in _MULTIARRAY},
    **{(module, "scalar"): "scalar" for module in _MULTIARRAY},
    **{(module, "_frombuffer"): "frombuffer" for module in _NUMERIC},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
}
_PLAIN_TYPE = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|[SU][1-9][0-9]{0,5})")
_DIMENSIONS = 32
_LONGEST_SIDE = 1 << 40
_HIGHEST_CHARACTER = 0x10FFFF


class DamagedError(Exception):
    """The file is no whole pickle of what is read; the message says why."""


class RefusedError(Exception):
    """The file holds something that is not admitted; the message names it."""


class Python2Text(bytes):
    """A ``str`` of Python 2: text, or the bytes of an array; its use tells."""


@dataclass(frozen=True)
class Global:
    """A name with a meaning. It is never looked up or called."""

    meaning: str


@dataclass
class PendingType:
    """A ``numpy.dtype`` between its name and its byte order ("<", ">" or "")."""

    name: str
    order: str


@dataclass
class PendingArray:
    """An array between its making and its content."""

    values: NDArray[Any] | None = None


def as_text(value: Any) -> Any:
    """A ``str`` of Python 2 as text (latin1), anything else as it is."""
    return value.decode("latin1") if isinstance(value, Python2Text) else value


def find_global(module: Any, name: Any) -> Global:
    """The meaning of a global's name. Raises RefusedError for any other, and names it."""
    module, name = as_text(module), as_text(name)
    meaning = None
    if isinstance(module, str) and isinstance(name, str):
        meaning = _MEANINGS.get((module, name))
    if meaning is None:
        full = f"{module}.{name}"[:120]
        raise RefusedError(f"the global {full!a}")
    return Global(meaning)


def make(function: Any, arguments: Any) -> Any:
    """What a pickle's call of a global stands for. Raises RefusedError or DamagedError."""
    if not isinstance(function, Global) or not isinstance(arguments, tuple):
        raise RefusedError("a call of something that is no global")
    if function.meaning not in _MAKERS:
        raise RefusedError(f"a call of numpy.{function.meaning}")
    maker, fewest, most = _MAKERS[function.meaning]
    if not fewest <= len(arguments) <= most:
        raise RefusedError(f"a call of {function.meaning} with {len(arguments)} arguments")
    return maker(*arguments)


def complete(target: Any, state: Any) -> None:
    """Give a type its byte order, or an array its content. Raises RefusedError or DamagedError."""
    if isinstance(target, PendingType) and isinstance(state, tuple):
        _complete_type(target, state)
    elif isinstance(target, PendingArray) and isinstance(state, tuple):
        if len(state) != 5:
            raise DamagedError("an array's state is incomplete")
        _, shape, kind, is_fortran, content = state
        target.values = _array(shape, kind, content, "F" if is_fortran is True else "C")
    else:
        raise RefusedError("a state for something that is neither an array nor its type")


def _reconstruct(kind: Any, _shape: Any, _code: Any) -> PendingArray:
    if kind != Global("ndarray"):
        raise RefusedError("an array of a kind of its own")
    return PendingArray()


def _dtype(name: Any, *_flags: Any) -> PendingType:
    name = as_text(name)
    if not isinstance(name, str):
        raise RefusedError("a type of array that is not named by text")
    if not _PLAIN_TYPE.fullmatch(name):
        kind = "Python objects" if name.lstrip("<>=|").startswith("O") else f"{name[:40]!a}"
        raise RefusedError(f"an array of {kind}, not of plain numbers or text")
    return PendingType(name.lstrip("<>=|"), name[0] if name[0] in "<>" else "")


def _complete_type(target: PendingType, state: tuple[Any, ...]) -> None:
    """State: version, byte order, then None three times for a plain type (no fields, no parts)."""
    if len(state) < 5 or any(part is not None for part in state[2:5]):
        raise RefusedError("an array with fields, not of plain numbers or text")
    order = as_text(state[1])
    if order not in ("<", ">", "|", "="):
        raise DamagedError("an array's byte order is unknown")
    target.order = order if order in "<>" else ""


def _frombuffer(content: Any, kind: Any, shape: Any, order: Any) -> PendingArray:
    return PendingArray(_array(shape, kind, content, "F" if order == "F" else "C"))


def _scalar(kind: Any, content: Any) -> Any:
    return _array((), kind, content, "C")[()]


def _array(shape: Any, kind: Any, content: Any, order: str) -> NDArray[Any]:
    """A read-only view of the file's bytes, once their number is what shape and type say."""
    if not isinstance(kind, PendingType) or not isinstance(shape, tuple):
        raise DamagedError("an array has no type or no shape")
    if not isinstance(content, bytes):
        raise RefusedError("an array of Python objects, not of plain numbers or text")
    if len(shape) > _DIMENSIONS or not all(
        type(side) is int and 0 <= side < _LONGEST_SIDE for side in shape
    ):
        raise DamagedError("an array's shape is impossible")
    dtype = np.dtype(kind.order + kind.name)
    if prod(shape) * dtype.itemsize != len(content):
        raise DamagedError(f"an array of the shape {shape} cannot have {len(content)} bytes")
    flat = np.frombuffer(content, dtype) if content else np.empty(0, dtype)
    flat.flags.writeable = False
    if dtype.kind == "U" and content:
        codes = np.frombuffer(content, f"{kind.order}u4")
        if codes.max() > _HIGHEST_CHARACTER:
            raise DamagedError("an array of text holds what is no character")
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or as_text(encoding) not in ("latin1", "latin-1"):
        raise RefusedError("a call of _codecs.encode for something else than an array's bytes")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


_MAKERS: dict[str, tuple[Callable[..., Any], int, int]] = {
    # meaning: (what makes it, fewest and most arguments)
    "reconstruct": (_reconstruct, 3, 3),
    "scalar": (_scalar, 2, 2),
    "frombuffer": (_frombuffer, 4, 4),
    "dtype": (_dtype, 1, 3),
    "encode": (_encode, 2, 2),
    "bytes": (_empty_bytes, 0, 0),
}
