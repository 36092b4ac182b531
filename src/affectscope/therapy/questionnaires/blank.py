"""An empty table of answers to fill in: item numbers and what is allowed, no item's text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affectscope.errors import InputError, OutputError
from affectscope.io.files import shown
from affectscope.io.spreadsheet_text import write_table
from affectscope.therapy.questionnaires.answers import TIMES
from affectscope.therapy.questionnaires.keys import FORMS, Sheet, find_sheet

HEADER = ("questionnaire", "time", "item", "lowest", "highest", "score")


def write_blank(names: Sequence[str], path: Path) -> int:
    """Write a row per item before and after; returns how many. A table that exists is kept.

    Raises:
        InputError: E_QUESTIONNAIRE for a name that is not known.
        OutputError: E_OUTPUT where the file exists or cannot be written.
    """
    sheets = [_sheet(name) for name in names]
    if path.exists():
        raise OutputError(
            "E_OUTPUT",
            f"{shown(path)} exists and may hold answers; nothing was written.",
            "Name a file that does not exist yet.",
        )
    rows = dict.fromkeys(
        (sheet.form.name, time, item, sheet.form.lowest, sheet.form.highest, None)
        for time in TIMES
        for sheet in sheets
        for item in sheet.items
    )
    write_table(path, HEADER, rows)
    return len(rows)


def _sheet(name: str) -> Sheet:
    sheet = find_sheet(name)
    if sheet is None:
        raise InputError(
            "E_QUESTIONNAIRE",
            f"No questionnaire {name[:40]!a} is known.",
            f"Known are {', '.join(FORMS)}, STAI-S and STAI-T.",
        )
    return sheet
