"""The files of one assessed session. ``assess`` and the workers of a study write the same ones.

result.json goes first and comes last: where it stands, everything beside it belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affectscope.errors import AffectScopeError
from affectscope.io.files import writing_in
from affectscope.pages import why_no_pdf
from affectscope.records import Notice
from affectscope.therapy import report, results
from affectscope.therapy.assessment import Assessment

REPORT = "report.html"


def write_outputs(
    done: Assessment, folder: Path, *, facts: Mapping[str, Any] | None = None, pdf: bool = True
) -> tuple[Notice, ...]:
    """Write the report, the tables and, last, result.json; each file whole or not at all.

    Args:
        facts: what result.json holds beside the assessment.
        pdf: also report.pdf, which takes longer than all the rest of a short session.

    Returns:
        What the writing itself adds to the notices: W_NO_PDF.

    Raises:
        OutputError: E_OUTPUT, also where the disk is full.
    """
    content = results.result(done)
    with writing_in(folder):
        (folder / results.RESULT).unlink(missing_ok=True)
        report.write_report(done, folder / REPORT, pdf=pdf)
        why = why_no_pdf((folder / REPORT).with_suffix("")) if pdf else ""
        added = (Notice("W_NO_PDF", why),) if why else ()
        told = [{"code": notice.code, "sentence": notice.sentence} for notice in added]
        results.write_tables(done, folder)
        notices = [*content["notices"], *told]
        results.write_result({**content, "notices": notices, **(facts or {})}, folder)
    return added


def write_refusal(
    error: AffectScopeError,
    name: str,
    folder: Path,
    *,
    facts: Mapping[str, Any] | None = None,
    pdf: bool = True,
) -> None:
    """Write the same for a session that was refused: a short report and result.json.

    Args:
        name: the session's, for the report.

    Raises:
        OutputError: E_OUTPUT, also where the disk is full.
    """
    name = name.encode(errors="replace").decode()  # a folder's name may hold bytes that are no text
    with writing_in(folder):
        (folder / results.RESULT).unlink(missing_ok=True)
        for table in (*results.TIMELINES, *results.QUALITIES):
            (folder / table).unlink(missing_ok=True)
        report.write_rejection(error, name, folder / REPORT, pdf=pdf)
        results.write_result({**results.rejection(error, name), **(facts or {})}, folder)
