"""What a study's results become: one page, Figure 5, and five tables.

OUT/study.html, study.pdf, figure5.svg, figure5.png (where somebody has an affect score),
patients.csv, sessions.csv, statistics.csv, agreement.csv, exclusions.csv.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectscope.figures import save_figure
from affectscope.pages import why_no_pdf, write_page
from affectscope.patient_moves import moves_figure
from affectscope.records import Notice
from affectscope.therapy.study.figures import patient_moves
from affectscope.therapy.study.page import headlines, render
from affectscope.therapy.study.rows import StudyFacts, StudyRows, long_table, study_rows
from affectscope.therapy.study.statistics import agreements, group_changes
from affectscope.therapy.study.tables import write_tables

FIGURE = "figure5"


@dataclass(frozen=True)
class StudySummary:
    """What a command line says of a study.

    Attributes:
        ok, degraded, rejected: sessions by status; ``counted``: sessions in the statistics.
        patients: those with a session that counts.
        headlines: a sentence for each main measure.
        files: what was written.
        notices: W_NO_PDF where the page is HTML only.
    """

    ok: int
    degraded: int
    rejected: int
    counted: int
    patients: int
    headlines: tuple[str, ...]
    files: tuple[Path, ...]
    notices: tuple[Notice, ...]


def write_study(
    out: Path, results: Mapping[str, Mapping[str, Any]], facts: StudyFacts
) -> StudySummary:
    """Write a study's page, figure and tables into ``out``, each whole or not at all.

    Args:
        results: session's name -> its parsed result.json, in order.

    Raises:
        SessionError: E_STUDY, see ``study_rows``.
        OutputError: E_OUTPUT.
    """
    rows = study_rows(results, facts.least_usable)
    table = long_table(rows)
    changes, found = group_changes(table), agreements(table)
    files = [
        *write_tables(rows, table, changes=changes, agreements=found, folder=out),
        *_figure(rows, out),
    ]
    page = render(rows, facts, table=table, changes=changes, agreements=found)
    files += write_page(page, out / "study")
    why = why_no_pdf(out / "study")
    return StudySummary(
        ok=rows.status_count("OK"),
        degraded=rows.status_count("DEGRADED"),
        rejected=rows.status_count("REJECTED"),
        counted=len(rows.counted),
        patients=len({session.patient for session in rows.counted}),
        headlines=tuple(headlines(rows, changes)),
        files=tuple(files),
        notices=(Notice("W_NO_PDF", why),) if why else (),
    )


def _figure(rows: StudyRows, out: Path) -> tuple[Path, ...]:
    """Figure 5; one of an earlier run does not stay where nobody has an affect score any more."""
    moves = patient_moves(rows)
    if moves:
        return save_figure(moves_figure(moves, rows.simulated), out / FIGURE)
    for suffix in ("svg", "png"):
        (out / f"{FIGURE}.{suffix}").unlink(missing_ok=True)
    return ()
