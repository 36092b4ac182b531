"""``S2_quest.csv`` of WESAD: the order of the conditions and how each was felt.

Fields are parted by ";". The line "# ORDER" names the conditions in the order in which the person
had them (Base, TSST, Medi 1, Fun, Medi 2; readings follow and are not rated). One line "# DIM" per
condition, in the same order, has valence and arousal of the self-assessment manikins, 1-9.
"""

from __future__ import annotations

from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown

LARGEST = 1 << 20
"""Bytes; a questionnaire has about 2,000."""

CONDITIONS = {"base": "baseline", "tsst": "stress", "fun": "amusement", "medi1": "meditation-1",
              "medi2": "meditation-2"}  # fmt: skip
"""The file's names, without blanks and case, and ours."""


def read_questionnaire(path: Path) -> dict[str, tuple[float, float]]:
    """Condition -> valence and arousal as rated, 1-9; NaN where there is no number.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_CORPUS where orders and
            ratings do not fit together.
    """
    if check_file(path) > LARGEST:
        raise _unfit(path, f"it has more than {LARGEST} bytes")
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            "E_FILE_UNREADABLE", f"{shown(path)} cannot be read ({error.strerror}).", "Try again."
        ) from error
    rows = [[field.strip() for field in line.split(";")] for line in lines]
    orders = [row[1:] for row in rows if _named(row, "ORDER")]
    rated = [row[1:3] for row in rows if _named(row, "DIM")]
    if len(orders) != 1:
        raise _unfit(path, f'it has {len(orders)} lines "# ORDER"')
    names = ["".join(name.split()).casefold() for name in orders[0]]
    order = [CONDITIONS[name] for name in names if name in CONDITIONS]
    if len(set(order)) != len(order) or len(order) != len(rated):
        raise _unfit(path, f"it orders {len(order)} conditions and rates {len(rated)}")
    return {
        condition: (_number(row, 0), _number(row, 1))
        for condition, row in zip(order, rated, strict=True)
    }


def _named(row: list[str], name: str) -> bool:
    return row[0].replace(" ", "").upper() == f"#{name}"


def _number(row: list[str], place: int) -> float:
    try:
        return float(row[place].replace(",", "."))
    except (ValueError, IndexError):
        return float("nan")


def _unfit(path: Path, what: str) -> InputError:
    return InputError(
        "E_CORPUS", f"{shown(path)} cannot be used: {what}.", "Use the file as it was published."
    )
