"""What a reader of signal files is, and the readers that other installed packages offer.

A package offers a reader under the entry point group "affectscope.readers": the entry's name is the
kind of file, its object a ``Reader`` with ``recognises``. docs/recorders.md has an example.

Where the group is silent, and what we do:
1. Formats that affectscope knows are read by its own readers; others' are asked only about what no
   built-in reader knows, and about text, before it is taken for a plain table.
2. A package's code is loaded only then, never on import.
3. What it raises becomes E_PLUGIN with the names of the reader and its package; a reader that
   cannot be loaded or asked is left out, and a notice says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeVar

from affectscope.errors import AffectScopeError, InputError
from affectscope.io.channels import ChannelData, SignalFile, SignalSource
from affectscope.io.files import shown
from affectscope.records import Notice

GROUP = "affectscope.readers"
"""The entry point group in which a package offers readers."""

T = TypeVar("T")


@dataclass(frozen=True)
class Reader:
    """How one kind of file is inspected and read, and the file names that it goes by.

    Attributes:
        inspect: what a file holds.
        read: one channel of it.
        suffixes: endings of names in lower case, such as ".abc"; a file that is named so and is of
            another kind is refused.
        called: the kind in words, with its article: "an EDF recording".
        recognises: whether a file, whose first 4096 bytes are given, is of this kind. Readers of
            other packages must have it; built-in ones are told apart in ``signal_kinds``.
    """

    inspect: Callable[[Path], SignalFile]
    read: Callable[[Path, SignalSource], ChannelData]
    suffixes: tuple[str, ...]
    called: str
    recognises: Callable[[Path, bytes], bool] | None = None


@dataclass(frozen=True)
class Offered:
    """The readers of other packages by kind, and why some cannot be used."""

    readers: dict[str, Reader]
    problems: tuple[InputError, ...]

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(Notice(each.code, f"{each.sentence} {each.remedy}") for each in self.problems)


def offered_readers() -> Offered:
    """What other installed packages offer; the packages are loaded on the first call."""
    return _loaded(tuple(sys.path))


@lru_cache(maxsize=1)
def _loaded(_where: tuple[str, ...]) -> Offered:
    readers: dict[str, Reader] = {}
    problems: list[InputError] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            if entry.name in readers:
                raise _broken(entry, "has the same name as another one")
            readers[entry.name] = _guarded(entry, _load(entry))
        except InputError as error:
            problems.append(error)
    return Offered(readers, tuple(problems))


def _load(entry: EntryPoint) -> Reader:
    try:
        reader = entry.load()
    except Exception as error:
        raise _broken(entry, f"cannot be loaded ({_in_words(error)})") from error
    if not isinstance(reader, Reader) or not callable(reader.recognises):
        raise _broken(entry, "is no affectscope.io.reader.Reader with recognises")
    return reader


def _guarded(entry: EntryPoint, reader: Reader) -> Reader:
    """The reader; whatever it raises or hands back wrongly becomes E_PLUGIN."""
    recognises = reader.recognises
    assert recognises is not None

    def inspect(path: Path) -> SignalFile:
        return _ask(entry, SignalFile, lambda: reader.inspect(path), path=path)

    def read(path: Path, source: SignalSource) -> ChannelData:
        data = _ask(entry, ChannelData, lambda: reader.read(path, source), path=path)
        if getattr(data.values, "ndim", 0) != 1 or data.values.dtype != "float64":
            raise _broken(entry, f"gave back no row of float64 for {shown(path)}")
        return data

    return Reader(
        inspect,
        read,
        reader.suffixes,
        reader.called,
        lambda path, head: bool(_ask(entry, object, lambda: recognises(path, head), path=path)),
    )


def _ask(entry: EntryPoint, kind: type[T], action: Callable[[], object], *, path: Path) -> T:
    try:
        found = action()
    except AffectScopeError:
        raise
    except Exception as error:
        raise _broken(entry, f"failed on {shown(path)} ({_in_words(error)})") from error
    if not isinstance(found, kind):
        raise _broken(entry, f"gave back no {kind.__name__} for {shown(path)}")
    return found


def _broken(entry: EntryPoint, how: str) -> InputError:
    package = entry.dist.name if entry.dist is not None else entry.value
    return InputError(
        "E_PLUGIN",
        f"The reader {entry.name!a} of the package {package!a} {how}.",
        "Update or uninstall that package, or tell its authors.",
    )


def _in_words(error: Exception) -> str:
    first = str(error).splitlines()[0][:200] if str(error) else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
