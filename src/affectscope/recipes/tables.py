"""An experiment's report as Markdown and as one HTML page."""

from __future__ import annotations

import re

from affectscope.pages import INTENDED_USE, environment
from affectscope.recipes.experiment_report import ExperimentReport, Ranks, RunExtent
from affectscope.recipes.report_blocks import Cell, Section, Table
from affectscope.recipes.report_sections import sections, status_sentences

__all__ = ["ExperimentReport", "Ranks", "RunExtent", "html", "markdown"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_MARKS = {"": "", "above": " ▲", "below": " ▼"}


def html(report: ExperimentReport) -> str:
    """One self-contained page; everything that came from outside is escaped."""
    template = environment().get_template("recipes/table.html.jinja")
    return template.render(
        report=report,
        quick=report.extent.quick,
        status=status_sentences(report),
        sections=sections(report),
        use=INTENDED_USE,
    )


def markdown(report: ExperimentReport) -> str:
    """The same content; ``▲`` and ``▼`` stand for what the page prints bold."""
    lines = [f"# {_text(report.title)}", ""]
    if report.simulated:
        lines += ["**Simulated people: no number here is about a human being.**", ""]
    if report.extent.quick:
        lines += ["**Quick look.**", ""]
    about = f"The paper's {report.table}, on {report.corpus}. {INTENDED_USE}"
    for sentence in (about, *status_sentences(report)):
        lines += [_text(sentence), ""]
    for section in sections(report):
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {_text(section.title)}", ""]
    for sentence in section.sentences:
        lines += [_text(sentence), ""]
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
