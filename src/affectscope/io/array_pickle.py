"""Pickles of NumPy arrays and plain containers, read without ever being run (F15).

DEAP (``s01.dat``) and WESAD (``S2.pkl``) are published as Python pickles. A pickle is a program, so
none is given to ``pickle``. Its opcodes are parsed by ``pickletools``, which only parses, and
carried out by a small machine without imports, calls and attributes. A global is no more than a
name on its stack. These have a meaning, each checked in ``io.pickled_arrays``; others are refused:

    numpy[._core|.core].multiarray._reconstruct   an array whose shape, type and bytes follow
    numpy[._core|.core].multiarray.scalar         one number from its type and bytes
    numpy[._core|.core].numeric._frombuffer       an array from bytes (protocol 5)
    numpy.dtype, numpy.ndarray                    a plain type; "an array"
    _codecs.encode                                text to bytes in latin1: bytes below protocol 3
    builtins.bytes                                empty bytes below protocol 3
"""

from __future__ import annotations

import codecs
import mmap
import pickletools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown
from affectscope.io.pickled_arrays import (
    DamagedError,
    Global,
    PendingArray,
    PendingType,
    Python2Text,
    RefusedError,
    as_text,
    complete,
    find_global,
    make,
)

MAXIMUM_BYTES = 4 << 30
"""Size of a file that is read; WESAD's largest have about 1 GB."""
MAXIMUM_OPCODES = 2_000_000
MAXIMUM_DEPTH = 32
"""Containers inside containers; DEAP's files have 1, WESAD's 3."""

_OPCODES = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
_MARK = object()
_REPR = re.compile(rb"'(?:[^\\']|\\x[0-9a-f]{2}|\\[\\'\"nrt])*'|\"(?:[^\\\"]|\\x[0-9a-f]{2}"
                   rb"|\\[\\'\"nrt])*\"")  # fmt: skip
"""Text as Python 2 writes it in protocol 0."""


def read_array_pickle(path: Path) -> object:
    """What a pickle of arrays and plain containers holds.

    Values are dict, list, tuple, str, bytes, int, float, bool, None, and NumPy arrays and scalars
    of whole or real numbers, truth values or text. Text of Python 2 is decoded as latin1. Arrays
    are read-only.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_FILE_LIMIT; E_SIGNAL_FILE for
            a cut or damaged file; E_PICKLE_CONTENT for one that holds anything else: the sentence
            names it, and nothing of it was run.
    """
    size = check_file(path)
    if size > MAXIMUM_BYTES:
        raise InputError(
            "E_FILE_LIMIT",
            f"{shown(path)} has {size} bytes, more than the {MAXIMUM_BYTES} that are read.",
            "Give the file as the corpus' authors published it.",
        )
    try:
        with (
            path.open("rb") as stream,
            # A map gives no more than what is left, whatever length the file claims for a text.
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return _Finish().value(_carried_out(content), 0)
    except RefusedError as error:
        raise InputError(
            "E_PICKLE_CONTENT",
            f"{shown(path)} is a pickle that holds {error}; nothing of it was run.",
            "Only arrays of numbers and plain containers are read. Do not open the file with other "
            "programs unless you trust where it comes from.",
        ) from error
    except OSError as error:
        raise InputError(
            "E_FILE_UNREADABLE", f"{shown(path)} cannot be read ({error.strerror}).", "Try again."
        ) from error
    except (DamagedError, ValueError, KeyError, IndexError, TypeError) as error:
        # pickletools raises ValueError where an argument ends early or is none.
        reason = str(error) if isinstance(error, DamagedError) else "it is cut or damaged"
        raise InputError(
            "E_SIGNAL_FILE",
            f"{shown(path)} cannot be read as a pickle of arrays: {reason}.",
            "Take the file again as the corpus' authors published it.",
        ) from error


def _carried_out(content: mmap.mmap) -> Any:
    """The one value that the pickle ends with."""
    machine = _Machine()
    for number, (name, argument) in enumerate(_parsed(content)):
        if number >= MAXIMUM_OPCODES:
            raise DamagedError(f"it has more than {MAXIMUM_OPCODES} steps")
        _STEPS[name](machine, argument)
    if len(machine.stack) != 1:
        raise DamagedError("it does not end with one value")
    return machine.pop()


def _parsed(content: mmap.mmap) -> Iterator[tuple[str, Any]]:
    """Opcodes and their arguments up to STOP."""
    reader = cast(IO[bytes], content)  # pickletools reads, and reads lines
    while code := content.read(1):
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise DamagedError("it holds an unknown opcode")
        if opcode.name == "STOP":
            return
        if opcode.name not in _STEPS:
            raise RefusedError(f"the opcode {opcode.name}, which plain arrays do not need")
        # Of these two pickletools reads ASCII only, and undoes escapes that nobody wrote.
        if opcode.name == "STRING":
            yield "STRING", _unquoted(content.readline())
        elif opcode.name == "GLOBAL":
            yield "GLOBAL", (_line(content), _line(content))
        else:
            yield opcode.name, opcode.arg.reader(reader) if opcode.arg else None
    raise DamagedError("it ends early")


def _line(content: mmap.mmap) -> str:
    return content.readline().rstrip(b"\n").decode("latin1")


def _unquoted(line: bytes) -> str:
    quoted = line.rstrip(b"\r\n")
    if not _REPR.fullmatch(quoted):
        raise DamagedError("a text is not quoted")
    return codecs.escape_decode(quoted[1:-1])[0].decode("latin1")


class _Machine:
    """A stack, with marks on it, and a memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise DamagedError("a mark stands where a value is needed")
        return value

    def pop_many(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self.pop() for _ in range(count)]))

    def pop_mark(self) -> list[Any]:
        """What was pushed since the last mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                values = self.stack[place + 1 :]
                del self.stack[place:]
                return values
        raise DamagedError("a mark is missing")

    def put(self, place: int) -> None:
        value = self.pop()
        self.memo[place] = value
        self.push(value)

    def duplicate(self) -> None:
        value = self.pop()
        self.stack += (value, value)

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise DamagedError("a list is missing")
        target.extend(values)

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(pairs) % 2:
            raise DamagedError("a dict, or the value of a key, is missing")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[_key(key)] = value

    def new_dict(self) -> None:
        pairs = self.pop_mark()
        self.push({})
        self.set_items(pairs)

    def complete(self) -> None:
        target, state = self.pop_many(2)
        complete(target, state)
        self.push(target)


def _key(key: Any) -> Any:
    """A dict's key, plain only: hashing tuples of tuples can take forever."""
    key = as_text(key)
    if key is None or type(key) in (str, bytes, int, float, bool):
        return key
    raise RefusedError("a key that is neither text nor a number")


_Step = Callable[[_Machine, Any], object]

_PUSHED = ("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
           "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
           "BINBYTES8")  # fmt: skip
_OLD_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK, "EMPTY_TUPLE": ()}


def _constant(value: Any) -> _Step:
    return lambda machine, _: machine.push(value)


_STEPS: dict[str, _Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys(_PUSHED, _Machine.push),
    **dict.fromkeys(_OLD_TEXTS, lambda m, text: m.push(Python2Text(text.encode("latin1")))),
    **{name: _constant(value) for name, value in _CONSTANTS.items()},
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, place: m.push(m.memo[place])),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "BYTEARRAY8": lambda m, content: m.push(bytes(content)),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.pop_mark(),
    "DUP": lambda m, _: m.duplicate(),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "TUPLE1": lambda m, _: m.push(m.pop_many(1)),
    "TUPLE2": lambda m, _: m.push(m.pop_many(2)),
    "TUPLE3": lambda m, _: m.push(m.pop_many(3)),
    "TUPLE": lambda m, _: m.push(tuple(m.pop_mark())),
    "LIST": lambda m, _: m.push(m.pop_mark()),
    "DICT": lambda m, _: m.new_dict(),
    "APPEND": lambda m, _: m.extend([m.pop()]),
    "APPENDS": lambda m, _: m.extend(m.pop_mark()),
    "SETITEM": lambda m, _: m.set_items(list(m.pop_many(2))),
    "SETITEMS": lambda m, _: m.set_items(m.pop_mark()),
    "GLOBAL": lambda m, names: m.push(find_global(*names)),
    "STACK_GLOBAL": lambda m, _: m.push(find_global(*m.pop_many(2))),
    "REDUCE": lambda m, _: m.push(make(*m.pop_many(2))),
    "BUILD": lambda m, _: m.complete(),
}
"""What each admitted opcode does; any other is refused."""


class _Finish:
    """The machine's values as plain ones; what occurs twice stays one object."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}
        self._open: set[int] = set()

    def value(self, raw: Any, depth: int) -> Any:
        if isinstance(raw, PendingArray):
            if raw.values is None:
                raise DamagedError("an array has no content")
            return raw.values
        if isinstance(raw, dict | list | tuple):
            return self._container(raw, depth)
        if isinstance(raw, Global | PendingType):
            raise RefusedError("a name of NumPy where a value should be")
        return as_text(raw)

    def _container(self, raw: Any, depth: int) -> Any:
        key = id(raw)
        if key in self._known:
            return self._known[key]
        if key in self._open:
            raise RefusedError("a container that holds itself")
        if depth >= MAXIMUM_DEPTH:
            raise RefusedError(f"containers more than {MAXIMUM_DEPTH} deep in each other")
        self._open.add(key)
        made: Any
        if isinstance(raw, dict):
            made = {name: self.value(item, depth + 1) for name, item in raw.items()}
        else:
            made = type(raw)(self.value(item, depth + 1) for item in raw)
        self._open.discard(key)
        self._known[key] = made
        return made
