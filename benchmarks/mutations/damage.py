"""Seeded damage to a file's bytes: cuts, flipped bits, insertions, deletions, and numbers that lie.

The same content, fields and seed give the same bytes on every machine. Only NumPy is needed, so
that other readers' environments can make the same files.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

KINDS = ("cut", "flip", "insert", "delete", "lie")
"""The kind of a mutation is ``KINDS[seed % 5]``."""

FieldKind = Literal["text", "number", "integer", "real"]

_TEXT_LIES = (b"-1", b"0", b"2", b"99999999", b"1e999", b"nan", b"", b"-99999999", b"0.001", b"x")
_REAL_LIES = (0.0, -1.0, float("nan"), float("inf"), 1e300, -1e9)


@dataclass(frozen=True)
class Field:
    """Where a number of a header lies.

    ``kind``: "text" is padded to its width, "number" is text of any length, "integer" and "real"
    are binary; ``order`` is "<" or ">".
    """

    at: int
    width: int
    kind: FieldKind
    order: str = "<"


def mutated(content: bytes, fields: Sequence[Field], seed: int) -> bytes:
    """The content after the seed's damage. Without fields a lie overwrites any four bytes."""
    random = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    at = int(random.integers(len(content)))
    if kind == "cut":
        return content[:at]
    if kind == "flip":
        changed = bytearray(content)
        for place in random.integers(len(content), size=int(random.choice([1, 1, 4, 20]))):
            changed[place] ^= 1 << int(random.integers(8))
        return bytes(changed)
    length = int(random.integers(1, max(2, len(content) // 8)))
    if kind == "insert":
        block = bytes(length) if random.integers(2) else random.bytes(length)
        return content[:at] + block + content[at:]
    if kind == "delete":
        return content[:at] + content[at + length :]
    chosen = fields[int(random.integers(len(fields)))] if fields else Field(at, 4, "integer")
    return _lied(content, chosen, random)


def _lied(content: bytes, field: Field, random: np.random.Generator) -> bytes:
    old = content[field.at : field.at + field.width]
    if field.kind in ("text", "number"):
        told = _TEXT_LIES[int(random.integers(len(_TEXT_LIES)))]
        new = told.ljust(field.width)[: field.width] if field.kind == "text" else told
    elif field.kind == "real":
        new = struct.pack(field.order + "d", _REAL_LIES[int(random.integers(len(_REAL_LIES)))])
    else:
        ends: Literal["little", "big"] = "little" if field.order == "<" else "big"
        value, top = int.from_bytes(old, ends), 256 ** len(old) - 1
        lies = (0, 1, top, top // 2, top // 2 + 1, value * 2, value // 2, value + 1, value - 1)
        new = (lies[int(random.integers(len(lies)))] % (top + 1)).to_bytes(len(old), ends)
    return content[: field.at] + new + content[field.at + field.width :]
