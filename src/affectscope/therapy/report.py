"""report.html: one self-contained page that opens offline and prints well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affectscope.errors import AffectScopeError
from affectscope.figures import AFTER, BEFORE, clock, svg
from affectscope.io.files import write_text
from affectscope.pages import INTENDED_USE, environment
from affectscope.records import MODALITIES, Notice
from affectscope.therapy import figures
from affectscope.therapy.alignment import alignment_content
from affectscope.therapy.assessment import Assessment
from affectscope.therapy.measures import Measure, estimate_text
from affectscope.therapy.quality_report import quality_content
from affectscope.therapy.results import model_identity, versions

_NAMES = {"face": "Face", "ecg": "ECG", "eda": "EDA"}


def write_report(assessment: Assessment, path: Path) -> None:
    """Write the page, whole or not at all (W01).

    Raises:
        OutputError: E_OUTPUT.
    """
    write_text(path, render(assessment))


def render(assessment: Assessment) -> str:
    """The page as HTML text; everything that came from outside is escaped."""
    template = environment().get_template("therapy/report.html.jinja")
    return template.render(_content(assessment))


def write_rejection(error: AffectScopeError, session_name: str, path: Path) -> None:
    """A short page in place of a report: the code, what is wrong, what to do.

    Raises:
        OutputError: E_OUTPUT.
    """
    template = environment().get_template("therapy/rejected.html.jinja")
    write_text(path, template.render(error=error, session=session_name, use=INTENDED_USE))


def summary_lines(assessment: Assessment) -> list[str]:
    """What the command line says after an assessment."""
    lines = [f"{assessment.status}: {assessment.session.recording.subject_id}"]
    if assessment.session.recording.simulated:
        lines[0] += " (simulated person)"
    lines += [f"  {row['name']}: {row['text']}" for row in _coverage(assessment)]
    for measure in (*assessment.affect, *assessment.body):
        row = _row(measure)
        what = row["reason"] or f"{row['before']} before, {row['after']} after"
        lines.append(f"  {row['name']} ({row['unit']}): {what}")
    lines += [f"  {notice.code}: {notice_text(notice)}" for notice in assessment.notices]
    return lines


def _content(assessment: Assessment) -> dict[str, Any]:
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
        "coverage": _coverage(assessment),
        "quality": quality_content(assessment.quality),
        "notices": [{"code": n.code, "text": notice_text(n)} for n in assessment.notices],
        "phases": [f"{clock(p.start)} to {clock(p.end)}" for p in assessment.phases],
        "phase_rule": assessment.phase_rule,
        "before_colour": BEFORE,
        "after_colour": AFTER,
        "body": [_row(measure) for measure in assessment.body],
        "body_over_time": _drawn(
            figures.body_over_time(assessment.body_course, assessment.phases),
            "Heart rate, RMSSD, EDA level and skin responses over time",
        ),
        "alignment": alignment_content(assessment.certificate),
        "limits": limits(assessment),
        "identity": _identity(assessment),
        **_affect(assessment),
        **_truth(assessment),
    }


def _affect(assessment: Assessment) -> dict[str, Any]:
    if assessment.prediction is None:
        return {"affect": []}
    points = assessment.points
    return {
        "affect": [_row(measure) for measure in assessment.affect],
        "quadrants": assessment.quadrants or ("not known", "not known"),
        "headline": headline(assessment),
        "circumplex": _drawn(
            None
            if points is None
            else figures.circumplex(points[0], points[1], assessment.prediction),
            "Mean valence and arousal before and after, on the circumplex",
        ),
        "affect_over_time": _drawn(
            figures.affect_over_time(
                assessment.prediction, assessment.phases, assessment.session.recording.labels
            ),
            "Valence and arousal over time",
        ),
    }


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


def headline(assessment: Assessment) -> str:
    """One sentence per target: which way it went, and whether the interval leaves doubt."""
    return " ".join(_change_sentence(measure) for measure in assessment.affect)


def _change_sentence(measure: Measure) -> str:
    name, change = measure.name.capitalize(), measure.change
    if change is None:
        return f"{name} cannot be compared: {measure.reason}"
    way = "rose" if change.mean > 0 else "fell"
    amount = f"{name} {way} by {abs(change.mean):.2f}"
    if change.low is None or change.high is None:
        return f"{amount}; the phases are too short for an interval."
    if change.low <= 0 <= change.high:
        return f"{amount}, but its interval includes no change."
    return f"{amount} (95 % interval {change.low:+.2f} to {change.high:+.2f})."


def limits(assessment: Assessment) -> list[str]:
    """What the reader must keep in mind, in plain words."""
    sentences = [
        f"{INTENDED_USE} It is not a diagnosis and must not decide about a person's care.",
        "An estimate of affect describes what face and body show. It is not what the person "
        "feels, and heart and skin also answer to movement, speech, caffeine, medicines and "
        "room temperature.",
        "A difference between before and after does not say what caused it: time alone changes "
        "heart rate and skin conductance.",
        "Intervals are 95 % moving-block bootstrap intervals within this one session. They "
        "do not cover the error of the model for a new person.",
    ]
    if assessment.prediction is None:
        return [sentences[0], sentences[2], sentences[3]]
    return sentences


def _coverage(assessment: Assessment) -> list[dict[str, Any]]:
    rows = []
    for name in MODALITIES:
        part = assessment.coverage.get(name)
        if part is None:
            rows.append(
                {"name": _NAMES[name], "percent": 0, "text": "not recorded or not readable"}
            )
            continue
        share = part.usable * part.recorded / part.session_duration
        rows.append(
            {
                "name": _NAMES[name],
                "percent": round(100 * min(1.0, share), 1),
                "text": f"{100 * part.usable:.1f} % of {clock(part.recorded)} recorded",
            }
        )
    return rows


def _row(measure: Measure) -> dict[str, str]:
    return {
        "name": measure.name,
        "unit": measure.unit,
        "before": estimate_text(measure.before, measure.digits),
        "after": estimate_text(measure.after, measure.digits),
        "change": estimate_text(measure.change, measure.digits, sign="+"),
        "reason": measure.reason,
    }


def notice_text(notice: Notice) -> str:
    """ "ECG, 1:05 to 2:10: sentence"."""
    where = _NAMES[notice.modality] if notice.modality else ""
    if notice.start is not None and notice.end is not None:
        where += f"{', ' if where else ''}{clock(notice.start)} to {clock(notice.end)}"
    return f"{where}: {notice.sentence}" if where else notice.sentence


def _identity(assessment: Assessment) -> list[tuple[str, str]]:
    model = model_identity(assessment)
    rows = (
        [("model", "none: no affect score")]
        if model is None
        else [(f"model: {name.replace('_', ' ')}", str(value)) for name, value in model.items()]
    )
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in versions().items())))
    rows += [
        (f"sha256 of {name}", digest) for name, digest in assessment.session.input_hashes.items()
    ]
    return rows


def _drawn(figure: Any, description: str) -> Any:
    from markupsafe import Markup

    return None if figure is None else Markup(svg(figure, description))
