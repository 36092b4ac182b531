"""The report: one page first, then the details; report.html opens offline, report.pdf prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affectscope.errors import AffectScopeError
from affectscope.figures import AFTER, BEFORE, clock
from affectscope.pages import INTENDED_USE, environment, inline_figure, write_page
from affectscope.therapy import figures
from affectscope.therapy.alignment import alignment_content
from affectscope.therapy.assessment import Assessment
from affectscope.therapy.calibrated import calibration_sentences
from affectscope.therapy.change_report import change_content
from affectscope.therapy.first_page import coverage_rows, first_page, limits, notice_text
from affectscope.therapy.influence_report import influence_content
from affectscope.therapy.measures import estimate_text
from affectscope.therapy.quality_report import quality_content
from affectscope.therapy.questionnaires.report import questionnaires_content
from affectscope.therapy.results import model_identity, versions
from affectscope.therapy.stress_report import stress_content, stress_lines


def write_report(assessment: Assessment, path: Path, *, pdf: bool = True) -> tuple[Path, ...]:
    """Write ``path`` (report.html) and the same as PDF beside it, each whole or not at all (W01).

    Args:
        pdf: False: only the HTML.

    Returns:
        What was written; ``pages.why_no_pdf(path.with_suffix(""))`` tells why a PDF is missing.

    Raises:
        OutputError: E_OUTPUT.
    """
    return write_page(render(assessment), path.with_suffix(""), pdf=pdf)


def render(assessment: Assessment) -> str:
    """The page as HTML text; everything that came from outside is escaped."""
    template = environment().get_template("therapy/report.html.jinja")
    return template.render(content(assessment))


def write_rejection(
    error: AffectScopeError, session_name: str, path: Path, *, pdf: bool = True
) -> tuple[Path, ...]:
    """A short page in place of a report: the code, what is wrong, what to do.

    Raises:
        OutputError: E_OUTPUT.
    """
    template = environment().get_template("therapy/rejected.html.jinja")
    page = template.render(error=error, session=session_name, use=INTENDED_USE)
    return write_page(page, path.with_suffix(""), pdf=pdf)


def summary_lines(assessment: Assessment) -> list[str]:
    """What the command line says after an assessment."""
    lines = [f"{assessment.status}: {assessment.session.recording.subject_id}"]
    if assessment.session.recording.simulated:
        lines[0] += " (simulated person)"
    lines += [f"  {row['name']}: {row['text']}" for row in coverage_rows(assessment)]
    for measure in (*assessment.affect, *assessment.body):
        before, after = (
            estimate_text(part, measure.digits) for part in (measure.before, measure.after)
        )
        what = measure.reason or f"{before} before, {after} after"
        lines.append(f"  {measure.name} ({measure.unit}): {what}")
    lines += stress_lines(assessment)
    lines += [f"  {notice.code}: {notice_text(notice)}" for notice in assessment.notices]
    choice = None if assessment.predictor is None else assessment.predictor.choice
    return [*lines, *(choice.lines if choice is not None else ())]


def content(assessment: Assessment) -> dict[str, Any]:
    """What ``therapy/report.html.jinja`` fills in; figures are drawn here."""
    recording = assessment.session.recording
    start, end = recording.span
    codes = {notice.code: notice.sentence for notice in assessment.notices}
    return {
        "subject_id": recording.subject_id,
        "session_id": recording.trial_id,
        "status": assessment.status,
        "simulated": recording.simulated,
        "forced": codes.get("W_FORCED_SCORE"),
        "duration": clock(end - start),
        "phases": [f"{clock(p.start)} to {clock(p.end)}" for p in assessment.phases],
        "phase_rule": assessment.phase_rule,
        "before_colour": BEFORE,
        "after_colour": AFTER,
        **first_page(assessment),
        "circumplex": _circumplex(assessment),
        "affect_over_time": _affect_over_time(assessment),
        "moment_intervals": calibration_sentences(assessment),
        "body_over_time": inline_figure(
            figures.body_over_time(assessment.body_course, assessment.phases),
            "Heart rate, RMSSD, EDA level and skin responses over time",
        ),
        "stress": stress_content(assessment),
        "change": change_content(assessment),
        "influence": influence_content(assessment),
        "questionnaires": questionnaires_content(assessment),
        "quality": quality_content(assessment.quality),
        "alignment": alignment_content(assessment.certificate),
        "notices": [{"code": n.code, "text": notice_text(n)} for n in assessment.notices],
        **_truth(assessment),
        "limits": limits(assessment),
        "identity": _identity(assessment),
    }


def _circumplex(assessment: Assessment) -> Any:
    if assessment.prediction is None:
        return None
    valence, arousal = assessment.affect
    return inline_figure(
        figures.circumplex(valence, arousal, assessment.prediction),
        "Mean valence and arousal before and after, with intervals, on the circumplex",
    )


def _affect_over_time(assessment: Assessment) -> Any:
    if assessment.prediction is None:
        return None
    return inline_figure(
        figures.affect_over_time(
            assessment.prediction, assessment.phases, assessment.session.recording.labels
        ),
        "Valence and arousal over time",
    )


def _truth(assessment: Assessment) -> dict[str, Any]:
    rows = [
        {
            "name": row.target,
            "correlation": estimate_text(row.correlation),
            "of_time": f"{row.correlation_of_time:.2f}",
            "error": f"{row.error:.2f}",
            "baseline": f"{row.error_of_zero:.2f}",
        }
        for row in assessment.against_truth
    ]
    return {"truth": rows, "truth_protocol": _truth_protocol(assessment) if rows else ""}


def _truth_protocol(assessment: Assessment) -> str:
    assert assessment.predictor is not None
    checkpoint = assessment.predictor.checkpoint
    fitted = f"{len(checkpoint.training_subjects)} {checkpoint.population}"
    if assessment.session.recording.subject_id in checkpoint.training_subjects:
        who = f"a person among the {fitted} that the weights were fitted on: not a fair test"
    else:
        who = f"a person that is not among the {fitted} that the weights were fitted on"
    return (
        f"Protocol: one session of {who}. Interval: moving-block bootstrap. Baselines: elapsed "
        "time alone, and a constant 0."
    )


def _identity(assessment: Assessment) -> list[tuple[str, str]]:
    model = model_identity(assessment)
    rows = (
        [("model", "none: no affect score")]
        if model is None
        else [(f"model: {name.replace('_', ' ')}", str(value)) for name, value in model.items()]
    )
    if assessment.predictor is not None and assessment.predictor.choice is not None:
        rows.append(("engine", assessment.predictor.choice.text))
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in versions().items())))
    rows += [
        (f"sha256 of {name}", digest) for name, digest in assessment.session.input_hashes.items()
    ]
    return rows
