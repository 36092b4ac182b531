"""Where a corpus' files lie below a folder, whatever the folder above them is called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.files import shown


def matching_files(folder: Path, pattern: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """Files whose path below the folder ends as the pattern says, in order of their paths.

    The pattern is matched against whole names, case aside: "a/b[.]csv" finds "x/A/b.csv". Links to
    other folders are not followed.
    """
    compiled = re.compile(f"(?:.*/)?{pattern}", re.IGNORECASE)
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if match := compiled.fullmatch(path.relative_to(folder).as_posix()):
                yield path, match


def only_file(name: str, paths: Sequence[Path]) -> Path:
    """The one file of a person or trial.

    Raises:
        InputError: E_CORPUS where there are several: nobody can tell which counts.
    """
    if len(paths) != 1:
        places = " and in ".join(ascii(str(path.parent))[1:-1] for path in paths[:2])
        raise InputError(
            "E_CORPUS",
            f"{name} has {len(paths)} files called {shown(paths[0])}, in {places}.",
            "Keep one of them below the folder.",
        )
    return paths[0]


def not_there(folder: Path, corpus: str, wanted: str) -> InputError:
    """E_CORPUS: nothing of the corpus is there."""
    return InputError(
        "E_CORPUS",
        f"{shown(folder)} holds no file {wanted} of {corpus}.",
        f"Name the folder into which {corpus} was unpacked.",
    )
