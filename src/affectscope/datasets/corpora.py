"""Every corpus that is read, by name, and which one lies in a folder.

A corpus is one file here: add it to ``CORPORA`` with the files that it is known by.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

from affectscope.datasets.corpus import Corpus
from affectscope.datasets.corpus_files import matching_files
from affectscope.errors import InputError
from affectscope.io.files import shown


def _lazily(name: str) -> Callable[[Path], Corpus]:
    """``open_<name>`` of ``affectscope.datasets.<name>``, imported when it is called."""

    def opened(folder: Path) -> Corpus:
        module = importlib.import_module(f"affectscope.datasets.{name}")
        corpus: Corpus = getattr(module, f"open_{name}")(folder)
        return corpus

    return opened


_KNOWN_BY: dict[str, tuple[str, str]] = {
    # name: (how a file's path below the folder ends, as told to people)
    "amigos": (r"data_preprocessed_p[0-9]+\.mat", "Data_Preprocessed_P01.mat"),
    "deap": (r"s[0-9]{2}\.dat", "s01.dat"),
    "dreamer": (r"dreamer\.mat", "DREAMER.mat"),
    "mahnob": (r"[^/]+/session\.xml", "Sessions/10/session.xml"),
    "wesad": (r"(s[0-9]+)/\1\.pkl", "S2/S2.pkl"),
    "case": (r"interpolated/physiological/sub_[0-9]+\.csv", "interpolated/physiological/sub_1.csv"),
}

_PATTERNS = {
    name: re.compile(f"(?:.*/)?{pattern}", re.IGNORECASE)
    for name, (pattern, _) in _KNOWN_BY.items()
}

CORPORA: dict[str, Callable[[Path], Corpus]] = {name: _lazily(name) for name in _KNOWN_BY}
"""Every corpus that is read: name -> what opens it in a folder."""


def open_corpus(name: str, folder: Path) -> Corpus:
    """A corpus by its name.

    Raises:
        InputError: E_CORPUS for an unknown name, with the choices, or where the folder does not
            hold that corpus.
    """
    if name not in CORPORA:
        raise InputError(
            "E_CORPUS",
            f"There is no corpus called {name[:80]!a}.",
            f"Choose one of {', '.join(CORPORA)}.",
        )
    return CORPORA[name](folder)


def detect_corpus(folder: Path) -> str:
    """The name of the one corpus that lies in a folder, by the names of its files.

    Raises:
        InputError: E_CORPUS where none or more than one does.
    """
    found: dict[str, None] = {}
    for path, _ in matching_files(folder, "[^/]+"):
        relative = path.relative_to(folder).as_posix()
        found |= dict.fromkeys(n for n, p in _PATTERNS.items() if p.fullmatch(relative))
    if len(found) == 1:
        return next(iter(found))
    if found:
        raise InputError(
            "E_CORPUS",
            f"{shown(folder)} holds files of several corpora: {', '.join(sorted(found))}.",
            "Name the folder of one of them, or say which corpus is meant.",
        )
    known = ", ".join(f"{name} by {told}" for name, (_, told) in _KNOWN_BY.items())
    raise InputError(
        "E_CORPUS",
        f"{shown(folder)} holds no corpus that is known.",
        f"Corpora are known by their files: {known}.",
    )
