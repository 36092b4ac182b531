"""The question that a folder's run was started with, against the one that is asked now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def source_digest(paths: Iterable[Path]) -> str:
    """sha256 over source files, names and content, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def differences(before: Mapping[Any, Any], now: Mapping[Any, Any], where: str = "") -> list[str]:
    """Each leaf that differs, as "settings.learning_rate: 0.001 -> 0.0001"."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            old, new = dict(enumerate(old)), dict(enumerate(new))
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{where}{name}.")
        elif old != new:
            found.append(f"{where}{name}: {str(old)[:60]} -> {str(new)[:60]}")
    return found
