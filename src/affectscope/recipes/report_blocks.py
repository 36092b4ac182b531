"""What reports are made of: sections of sentences, points and tables; how they look is not here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mark = Literal["", "above", "below"]

NOTHING = "–"
"""Stands for a number that there is none of."""


@dataclass(frozen=True)
class Cell:
    """``text``, a smaller ``detail`` such as an interval, and whether and how it stands out."""

    text: str
    detail: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Row:
    """A row: a name, a kind that the look follows ("model", "baseline", "oracle", ""), cells."""

    name: str
    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """``header`` names the column of names too; ``groups`` (title, columns) stand above it."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    groups: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Drawing:
    """A figure: ``svg`` of our own making, what it shows, and the file beside the page."""

    svg: str
    description: str
    file: str


@dataclass(frozen=True)
class Section:
    """A heading with sentences, tables and points; ``folded`` ones may be closed at first."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    points: tuple[str, ...] = ()
    code: str = ""
    folded: bool = False
    drawing: Drawing | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing under the heading."""
        return not (self.sentences or self.tables or self.points or self.code or self.drawing)


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        about: one line below the title.
        simulated: marks the page; ``quick``: marks it as a quick look.
        warning: what nobody may overlook; "" for nothing.
        status: what must be read before any number.
    """

    title: str
    about: str
    simulated: bool
    quick: bool
    status: tuple[str, ...]
    sections: tuple[Section, ...]
    warning: str = ""


def hundredths(value: float) -> str:
    """0.567 -> ".57", as the field writes shares and correlations; 1 -> "1.00"."""
    if value != value:
        return NOTHING
    text = f"{abs(value):.2f}"
    sign = "−" if value < 0 and text != "0.00" else ""
    return sign + (text.replace("0.", ".", 1) if abs(value) < 0.995 else text)


def percents(value: float) -> str:
    """A share as per cent with one decimal."""
    return NOTHING if value != value else f"{100 * value:.1f}"


def probability(value: float) -> str:
    """A p value."""
    if value != value:
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


def signed(value: float) -> str:
    """A difference of shares, with its sign."""
    text = hundredths(abs(value))
    return text if value != value else f"{'−' if value < 0 else '+'}{text}"
