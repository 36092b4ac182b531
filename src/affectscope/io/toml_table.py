"""TOML that people write: one table at a time, read strictly, refused with key, value and remedy.

session.toml and study.toml are read with it.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from affectscope.errors import SessionError
from affectscope.io.files import shown

_MAXIMUM_BYTES = 1_000_000

Span = tuple[float, float]
Keys = Mapping[str, tuple[str, ...]]
"""The allowed keys of each table; "" is the top of the file."""


@dataclass(frozen=True)
class StatedFile:
    """A file inside the session's folder, and the sha256 that it must have, if any."""

    name: str
    sha256: str | None


@dataclass(frozen=True)
class TomlTable:
    """One table of a file; its methods give a key's value or say what it must be.

    Attributes:
        document: the file's name, and ``keys`` what it may hold.
        name: the table's; "" for the top of the file.

    Raises:
        SessionError: E_SESSION for a key that the table does not have.
    """

    document: str
    keys: Keys
    name: str
    values: Mapping[str, object]

    def __post_init__(self) -> None:
        check_keys(self.document, self.keys, self.name, self.values)

    def unusable(self, what: str) -> SessionError:
        """The file cannot be used, and why."""
        return unusable(self.document, what)

    def wrong(self, key: str, expected: str) -> SessionError:
        where = f"{key} in [{self.name}]" if self.name else key
        if key not in self.values:
            return self.unusable(f"{where} is missing; it must be {expected}")
        value = ascii(self.values[key])[:80]
        return self.unusable(f"{where} is {value}; it must be {expected}")

    def table(self, key: str) -> TomlTable | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table, [{key}]")
        return TomlTable(self.document, self.keys, key, value)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise self.wrong(key, "a text that is not empty")
        return value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.wrong(key, "a text that is not empty")
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, *, positive: bool = False) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not is_number(value) or (positive and value <= 0):
            raise self.wrong(key, "a number greater than 0" if positive else "a finite number")
        return float(value)

    def span(self, key: str) -> Span | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not (isinstance(value, list) and len(value) == 2 and all(map(is_number, value))):
            raise self.wrong(key, "two numbers in seconds, [start, end]")
        if not value[0] < value[1]:
            raise self.wrong(key, "[start, end] with start before end")
        return float(value[0]), float(value[1])

    def name_or_number(self, key: str) -> str | int | None:
        value = self.values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self.text(key)

    def file(self, key: str = "file") -> StatedFile:
        digest = self.text("sha256")
        if digest is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            raise self.wrong("sha256", "64 hexadecimal digits")
        return StatedFile(self.required(key), None if digest is None else digest.lower())


def is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # TOML allows integers of any length
        return False


def parsed(path: Path, remedy: str) -> dict[str, object]:
    """The TOML document, its size checked first.

    Raises:
        SessionError: E_SESSION; ``remedy`` says what to do where there is no such file.
    """
    folder, document = path.parent, path.name
    if not folder.is_dir():
        raise SessionError("E_SESSION", f"There is no folder {shown(folder)}.", "Check the path.")
    try:
        if not path.is_file():
            raise SessionError(
                "E_SESSION", f"The folder {shown(folder)} has no {document}.", remedy
            )
        with path.open("rb") as stream:
            content = stream.read(_MAXIMUM_BYTES + 1)
    except OSError as error:
        raise unusable(document, f"it cannot be opened ({error.strerror})") from error
    if len(content) > _MAXIMUM_BYTES:
        raise unusable(document, f"it is larger than {_MAXIMUM_BYTES} bytes")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise unusable(document, f"it is no TOML in UTF-8 ({error})") from error


def check_keys(document: str, keys: Keys, name: str, values: Mapping[str, object]) -> None:
    """Raises SessionError E_SESSION where a table or one of its keys is not allowed."""
    allowed = keys.get(name, ())
    unknown = [key for key in values if key not in allowed]
    if name not in keys:
        tables = ", ".join(keys[""])
        table = ascii(name)[1:-1]
        raise unusable(document, f"it has a table [{table}]; allowed are {tables}")
    if unknown:
        where, listed = f"[{name}]" if name else "the top of the file", ", ".join(allowed)
        raise unusable(document, f"{unknown[0]!a} is no key of {where}; allowed are {listed}")


def unusable(document: str, what: str) -> SessionError:
    """A file that cannot be used, and why."""
    return SessionError("E_SESSION", f"{document} cannot be used: {what}.", f"Correct {document}.")
