"""How numbers are written in a table: decimal mark and thousands separators.

A column has one decimal mark, "." or ",". The other mark, a space or an apostrophe may group digits
by thousands. A token such as "1,234" can be read both ways: it is evidence for neither, and a
column that holds nothing else is not read at all (P24).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from affectscope.io.channels import Decimal

OTHER: dict[Decimal, Decimal] = {".": ",", ",": "."}

MISSING = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "-NaN", "-nan", "NULL", "null",
           "Null", "None", "none", "-", "--", "?", "#N/A", "<NA>", "missing")  # fmt: skip
"""Spellings of "no value here"."""

_BLANKS = " \u00a0\u202f'\u2019"  # space, no-break spaces, apostrophes


def _pattern(decimal: Decimal) -> str:
    """A number under one decimal mark; groups of three need equal separators and no exponent."""
    mark, other = re.escape(decimal), re.escape(OTHER[decimal])
    grouped = rf"[1-9][0-9]{{0,2}}(?:{other}[0-9]{{3}})+"
    for blank in _BLANKS:
        grouped += rf"|[1-9][0-9]{{0,2}}(?:{re.escape(blank)}[0-9]{{3}})+"
    bare_end = rf"|[0-9]+{mark}" if decimal == "." else ""  # "1." is a number, "1," is a list
    plain = rf"(?:[0-9]+(?:{mark}[0-9]+)?|{mark}[0-9]+{bare_end})(?:[eE][+-]?[0-9]+)?"
    return rf"[+-]?(?:(?:{grouped})(?:{mark}[0-9]+)?|{plain})"


_NUMBER: dict[Decimal, re.Pattern[str]] = {d: re.compile(_pattern(d)) for d in OTHER}
_ONLY: dict[Decimal, re.Pattern[str]] = {
    d: re.compile(rf"(?m)^(?!{_pattern(OTHER[d])}$){_pattern(d)}$") for d in OTHER
}
_BOTH = re.compile(rf"(?m)^(?=.*[.,])(?={_pattern('.')}$){_pattern(',')}$")
_GROUPING = {d: str.maketrans("", "", _BLANKS + OTHER[d]) for d in OTHER}


@dataclass(frozen=True)
class Evidence:
    """The first token of a column that only "." explains, that only "," explains, that both do."""

    point: str | None = None
    comma: str | None = None
    ambiguous: str | None = None

    def __add__(self, later: Evidence) -> Evidence:
        return Evidence(
            self.point or later.point,
            self.comma or later.comma,
            self.ambiguous or later.ambiguous,
        )

    @property
    def decimal(self) -> Decimal | None:
        """The decimal mark that the tokens prove; None where they prove none, or both."""
        if bool(self.point) == bool(self.comma):
            return None
        return "." if self.point else ","


def gather(tokens: Iterable[str]) -> Evidence:
    """The evidence in a column's tokens."""
    column = "\n".join(token.strip() for token in tokens)
    if "." not in column and "," not in column:
        return Evidence()  # whole numbers read the same either way
    found = [pattern.search(column) for pattern in (_ONLY["."], _ONLY[","], _BOTH)]
    return Evidence(*(match.group() if match else None for match in found))


def parse_number(token: str, decimal: Decimal) -> float | None:
    """The number that a token spells under one decimal mark, None where it spells none."""
    token = token.strip()
    if not _NUMBER[decimal].fullmatch(token):
        return None
    return float(token.translate(_GROUPING[decimal]).replace(decimal, "."))


def is_number(token: str) -> bool:
    """Whether a token is a number under either decimal mark."""
    token = token.strip()
    return any(pattern.fullmatch(token) for pattern in _NUMBER.values())


def is_missing(token: str) -> bool:
    """Whether a token says that there is no value."""
    return token.strip() in MISSING
