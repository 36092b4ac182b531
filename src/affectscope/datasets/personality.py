"""Five personality traits per person, as a user writes them down from a corpus' own sheet.

AMIGOS has a table of personality that its .mat files do not hold, and its layout is not read here.
The user makes a table of six columns from it, in any order, with a header::

    subject,extraversion,agreeableness,conscientiousness,emotional_stability,openness
    P01,4.3,5.1,3.8,4.0,5.6

Subjects are P01, P1 or 1. The traits may be on any scale, the same for everybody: who uses them
compares people with each other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from affectscope.datasets.amigos_layout import subject_name
from affectscope.errors import InputError
from affectscope.io.csv_blocks import data_blocks
from affectscope.io.csv_layout import TableLayout, bad_shape, split_fields, table_layout
from affectscope.io.csv_table import read_columns
from affectscope.io.files import check_file, shown
from affectscope.records import FloatArray

PERSONALITY_FILE = "personality.csv"
TRAITS = ("extraversion", "agreeableness", "conscientiousness", "emotional_stability", "openness")

_SUBJECT = re.compile(r"p?0*([1-9][0-9]?)", re.IGNORECASE)
_LOG = logging.getLogger(__name__)


def read_personality(path: Path) -> dict[str, FloatArray]:
    """Subject ("P01") -> (5,) traits in the order of ``TRAITS``; who lacks one is left out.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_CSV_SHAPE where a column is
            missing, a row names no participant, or one is named twice; any code of
            ``table_layout`` and ``read_columns``.
    """
    check_file(path)
    layout = table_layout(path)
    names = [re.sub(r"[\s_-]+", "_", name.strip().casefold()) for name in layout.names]
    missing = [name for name in ("subject", *TRAITS) if names.count(name) != 1]
    if missing:
        raise InputError(
            "E_CSV_SHAPE",
            f"{shown(path)} has not exactly one column named {missing[0]!r}.",
            f"Give the columns subject, {', '.join(TRAITS)} in a header.",
        )
    subjects = _subjects(path, layout, names.index("subject"))
    columns = [names.index(name) for name in TRAITS]
    traits = np.column_stack(read_columns(path, layout, columns=columns, decimal=None, notices=[]))
    whole = np.asarray(np.isfinite(traits).all(axis=1)).tolist()
    left_out = [subject for subject, kept in zip(subjects, whole, strict=True) if not kept]
    if left_out:
        _LOG.warning("%s: without all five traits: %s", shown(path), ", ".join(left_out))
    return {
        subject: values
        for subject, values, kept in zip(subjects, traits, whole, strict=True)
        if kept
    }


def personality_table(traits: Mapping[str, FloatArray]) -> str:
    """The text of a table that ``read_personality`` reads."""
    rows = [",".join((subject, *map(str, values.tolist()))) for subject, values in traits.items()]
    return "\n".join((",".join(("subject", *TRAITS)), *rows, ""))


def _subjects(path: Path, layout: TableLayout, column: int) -> list[str]:
    """Of each row of data."""
    found: list[str] = []
    encoding = "latin-1" if layout.encoding == "latin-1" else "utf-8"
    for block in data_blocks(path, layout, notices=[]):
        lines = block.text.decode(encoding, errors="replace").split("\n")[:-1]
        for number, line in zip(block.lines.tolist(), lines, strict=True):
            stated = split_fields(line, layout.delimiter)[column]
            match = _SUBJECT.fullmatch(stated)
            if match is None:
                raise bad_shape(
                    path, number, what=f"names {stated[:40]!a}, no participant such as P01"
                )
            subject = subject_name(int(match[1]))
            if subject in found:
                raise bad_shape(path, number, what=f"names {subject}, as a row before it does")
            found.append(subject)
    return found
