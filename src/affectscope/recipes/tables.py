"""An experiment's report as Markdown and as one HTML page."""

from __future__ import annotations

import re

from affectscope.pages import INTENDED_USE, environment
from affectscope.recipes.experiment_report import ExperimentReport, Ranks, RunExtent
from affectscope.recipes.report_blocks import Cell, Page, Section, Table
from affectscope.recipes.report_sections import experiment_page

__all__ = [
    "ExperimentReport", "Ranks", "RunExtent", "html", "markdown", "page_html", "page_markdown",
]  # fmt: skip

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_MARKS = {"": "", "above": " ▲", "below": " ▼"}


def html(report: ExperimentReport) -> str:
    """One self-contained page; everything that came from outside is escaped."""
    return page_html(experiment_page(report))


def markdown(report: ExperimentReport) -> str:
    """The same content; ``▲`` and ``▼`` stand for what the page prints bold."""
    return page_markdown(experiment_page(report))


def page_html(page: Page) -> str:
    """As ``html``."""
    template = environment().get_template("recipes/table.html.jinja")
    return template.render(page=page, use=INTENDED_USE)


def page_markdown(page: Page) -> str:
    """As ``markdown``; a figure is a picture beside the file."""
    lines = [f"# {_text(page.title)}", ""]
    if page.simulated:
        lines += ["**Simulated people: no number here is about a human being.**", ""]
    if page.warning:
        lines += [f"**{_text(page.warning)}**", ""]
    if page.quick:
        lines += ["**Quick look.**", ""]
    for sentence in (f"{page.about} {INTENDED_USE}", *page.status):
        lines += [_text(sentence), ""]
    for section in page.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {_text(section.title)}", ""]
    for sentence in section.sentences:
        lines += [_text(sentence), ""]
    if section.drawing is not None:
        lines += [f"![{_text(section.drawing.description)}]({section.drawing.file})", ""]
    for table in section.tables:
        lines += _table(table)
    lines += [f"- {_text(point)}" for point in section.points]
    if section.points:
        lines.append("")
    if section.code:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", section.code)), default=0))
        lines += [f"{fence}json", section.code, fence, ""]
    return lines


def _table(table: Table) -> list[str]:
    lines = [f"### {_text(table.caption)}", ""] if table.caption else []
    header = list(table.header)
    if table.groups:  # Markdown has one row of headings
        over = [title for title, columns in table.groups for _ in range(columns)]
        header = [f"{a} {b}".strip() for a, b in zip(over, header, strict=True)]
    lines += [_row(header), "|" + " --- |" * len(header)]
    lines += [_row([row.name, *(_cell(cell) for cell in row.cells)]) for row in table.rows]
    lines.append("")
    if table.note:
        lines += [_text(table.note), ""]
    return lines


def _cell(cell: Cell) -> str:
    detail = f" ({cell.detail})" if cell.detail else ""
    return f"{cell.text}{_MARKS[cell.mark]}{detail}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(text: str) -> str:
    """On one line, with nothing in it that Markdown or HTML would act on."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")
