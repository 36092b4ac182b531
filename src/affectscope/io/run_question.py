"""The question that a folder's run was started with, against the one that is asked now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
