"""Pickles as Python 2 wrote them, for the twins of corpora that were published so.

Python 3 writes text and arrays in another way, so a twin made with ``pickle`` would not show that
the reader understands the published files. Protocol 2; opcodes: CPython's ``pickletools``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def python2_pickle(value: object) -> bytes:
    """dict, tuple, str (latin1), int, None and arrays of numbers as one pickle of protocol 2."""
    return b"".join((b"\x80\x02", *_parts(value), b"."))


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, dict):
        yield b"}("
        for key, item in value.items():
            yield from _parts(key)
            yield from _parts(item)
        yield b"u"
    elif isinstance(value, tuple):
        yield b"("
        for item in value:
            yield from _parts(item)
        yield b"t"
    elif isinstance(value, str):
        yield _text(value.encode("latin1"))
    elif isinstance(value, bool):
        yield b"\x88" if value else b"\x89"
    elif isinstance(value, int):
        yield b"J" + struct.pack("<i", value)
    else:
        assert value is None, type(value)
        yield b"N"


def _text(content: bytes) -> bytes:
    """A ``str`` of Python 2."""
    return b"T" + struct.pack("<i", len(content)) + content


def _array(array: NDArray[Any]) -> Iterator[bytes]:
    """numpy.core.multiarray._reconstruct(ndarray, (0,), "b"), then the state."""
    order = "|" if array.dtype.itemsize == 1 else "<"
    kind = array.dtype.newbyteorder("<")
    yield b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
    yield _text(b"b") + b"\x87R(K\x01"
    yield from _parts(tuple(map(int, array.shape)))
    yield b"cnumpy\ndtype\n" + _text(f"{kind.kind}{kind.itemsize}".encode()) + b"K\x00K\x01\x87R"
    yield from _parts((3, order, None, None, None, -1, -1, 0))
    yield b"b\x89"
    yield _text(array.astype(kind).tobytes())
    yield b"tb"
