"""A card as lines for a terminal, as Markdown, and both cards of a model as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affectscope.io.files import prepare_folder, write_text, writing_in
from affectscope.models.card import Card, CardSection, CardTable, result_table
from affectscope.models.shipped import ResultTable
from affectscope.pages import INTENDED_USE, environment, write_page
from affectscope.recipes.model_cards import Cards
from affectscope.recipes.report_blocks import Cell, Page, Row, Section, Table
from affectscope.recipes.tables import page_markdown

_WIDEST = 60
"""Letters of a table's cell on a terminal; longer ones are cut unless they stand last in a row."""


def card_lines(card: Card) -> list[str]:
    """The card for a terminal, without the lists of files, which the card's files hold."""
    lines = [card.title, card.about, INTENDED_USE]
    if card.population == "simulated people":
        lines.append("Simulated people: no number here is about a human being.")
    for section in card.sections:
        lines += ["", section.title.upper(), *section.sentences]
        lines += [f"  - {point}" for point in section.points]
        for table in section.tables:
            lines += _table_lines(table)
    return lines


def result_lines(table: ResultTable) -> list[str]:
    """A table of figures for a terminal."""
    return _table_lines(result_table(table))


def write_cards(cards: Cards, out: Path) -> tuple[Path, ...]:
    """Write NAME.model-card.md, NAME.data-card.md and NAME.card.html, each whole or not at all.

    Raises:
        OutputError: E_OUTPUT.
    """
    prepare_folder(out)
    written = (out / f"{cards.name}.model-card.md", out / f"{cards.name}.data-card.md")
    with writing_in(out):
        for card, path in zip((cards.model, cards.data), written, strict=True):
            write_text(path, card_markdown(card))
        page = write_page(
            cards_html((cards.model, cards.data)), out / f"{cards.name}.card", pdf=False
        )
    return (*written, *page)


def card_markdown(card: Card) -> str:
    """The card as Markdown; nothing in it that came from outside acts as markup."""
    return page_markdown(
        Page(
            title=card.title,
            about=card.about,
            simulated=card.population == "simulated people",
            quick=False,
            status=(),
            sections=tuple(_section(section) for section in card.sections),
        )
    )


def cards_html(cards: Sequence[Card]) -> str:
    """One self-contained page with cards; everything that came from outside is escaped."""
    template = environment().get_template("recipes/card.html.jinja")
    simulated = any(card.population == "simulated people" for card in cards)
    return template.render(cards=cards, use=INTENDED_USE, simulated=simulated)


def _section(section: CardSection) -> Section:
    return Section(
        title=section.title,
        sentences=section.sentences,
        points=section.points,
        tables=tuple(_table(table) for table in section.tables),
        folded=section.folded,
    )


def _table(table: CardTable) -> Table:
    rows = tuple(Row(first, tuple(map(Cell, rest))) for first, *rest in table.rows)
    note = f"Printed by: {table.command}" if table.command else ""
    return Table(table.title, table.columns, rows, note=note)


def _table_lines(table: CardTable) -> list[str]:
    rows = [(*map(_cut, row[:-1]), row[-1]) for row in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["", *([f"  {table.title}"] if table.title else [])]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"    {'  '.join(cells)}".rstrip())
    return [*lines, *([f"    printed by: {table.command}"] if table.command else [])]


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
