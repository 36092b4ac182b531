"""JSON from outside, read strictly: no duplicate keys, no NaN, no huge numbers, no unknown
fields.

Python's reader takes the last of two equal keys, accepts NaN and Infinity, and ends in its own
errors on deep nesting (F22). Here each of these is one ModelError, and so is a value of another
type than the dataclass that it belongs to declares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from affectscope.errors import ModelError

Kind = TypeVar("Kind")

_LARGEST_INTEGER = 2**53
"""The integers that every JSON reader keeps exactly."""


def parse_object(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object that a file holds.

    Args:
        name: the file's name for the error's sentence.

    Raises:
        ModelError: E_CHECKPOINT where it is no JSON object, or one that readers disagree on.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite_float,
            parse_int=_bounded_integer,
        )
    except RecursionError:
        raise _refusal(name, "it is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise _refusal(name, str(error)) from error
    if not isinstance(value, dict):
        raise _refusal(name, "it holds no object")
    return value


def decode(kind: type[Kind], value: object, name: str) -> Kind:
    """A dataclass from parsed JSON, its fields checked against their declared types, in depth.

    Raises:
        ModelError: E_CHECKPOINT for a missing, unknown or ill-typed field, and for what the
            dataclass itself refuses.
    """
    decoded: Kind = _decoded(kind, value, name)
    return decoded


def _decoded(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if is_dataclass(hint):
        return _dataclass(hint, value, where)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value if value in inner else _misfit(where, value, f"one of {', '.join(inner)}")
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            _misfit(where, value, "an object")
        return {key: _decoded(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    return _scalar(hint, value, where)


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    if not isinstance(value, dict) or set(value) != set(names):
        _misfit(where, value, f"an object with exactly the fields {', '.join(names)}")
    decoded = {name: _decoded(hints[name], value[name], f"{where}.{name}") for name in names}
    try:
        return kind(**decoded)
    except ModelError as error:  # a configuration refuses what it cannot be
        raise ModelError("E_CHECKPOINT", f"{where}: {error.sentence}", error.remedy) from error


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _misfit(where, value, "a list")
    hints = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    if len(hints) != len(value):
        _misfit(where, value, f"a list of {len(hints)}")
    return tuple(_decoded(hint, item, where) for hint, item in zip(hints, value, strict=True))


def _scalar(hint: Any, value: Any, where: str) -> Any:
    assert hint in (str, int, float), f"no JSON form of {hint}"
    if hint is float and type(value) in (int, float):
        return float(value)
    if type(value) is not hint:
        _misfit(where, value, {str: "text", int: "a whole number", float: "a number"}[hint])
    if hint is str and not value.isprintable():
        _misfit(where, value, "printable text on one line")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _bounded_integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _LARGEST_INTEGER:
        raise ValueError("an integer is too large")
    return int(text)


def _misfit(where: str, value: object, allowed: str) -> NoReturn:
    shown = ascii(value)
    raise ModelError(
        "E_CHECKPOINT",
        f"{where} is {shown[:80]}{'...' if len(shown) > 80 else ''}, not {allowed}.",
        "Take an unchanged copy of the checkpoint, or train it again.",
    )


def _refusal(name: str, reason: str) -> ModelError:
    return ModelError(
        "E_CHECKPOINT",
        f"{name} is damaged or not strict JSON ({reason[:200]}).",
        "Take an unchanged copy of the checkpoint, or train it again.",
    )


def format_problem(described: Mapping[str, object], known: int) -> str | None:
    """What is wrong with an object's "format_version"; None where this program reads it."""
    found = described.get("format_version")
    if found == known and not isinstance(found, bool):
        return None
    number = found if isinstance(found, int) else "of no number"
    return f"format version {number}, this program reads {known}"
