"""One person's questionnaires before and after a session: totals, what was left out, and why.

Keys and rules are those of ``keys``; the table is that of ``io.questionnaire_table``.
Reliable change after Jacobson and Truax (1991), where the user states a reliability.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

from affectscope.errors import AffectScopeError
from affectscope.evaluation.effect_sizes import ReliableChange, reliable_change
from affectscope.io.questionnaire_table import AnswerTable, read_answers
from affectscope.io.reliability import Reliability
from affectscope.records import Notice
from affectscope.therapy.questionnaires.answers import (
    TIMES,
    Answers,
    gather_answers,
    nobodys_rows,
    own_rows,
    unusable_rows,
)
from affectscope.therapy.questionnaires.keys import FORMS, Form, Scale
from affectscope.therapy.questionnaires.totals import contradictions, scale_total

UNIT = "points"


@dataclass(frozen=True)
class QuestionnaireScore:
    """One scale's totals; ``lowest`` to ``highest`` is its range.

    Attributes:
        measure: its unique name; ``higher_means`` what a higher total says.
        band_before, band_after: published bands of severity, "" where there are none.
        reason: why a total is absent, or how it was estimated; "" where neither is so.
    """

    measure: str
    unit: str
    lowest: float
    highest: float
    before: float | None
    after: float | None
    change: float | None
    higher_means: str
    band_before: str
    band_after: str
    reliable_change: ReliableChange | None
    reason: str


def questionnaire_scores(
    path: Path, subject_id: str, session_id: str, reliability: Mapping[str, Reliability]
) -> tuple[tuple[QuestionnaireScore, ...], tuple[Notice, ...]]:
    """The scores of one session, and what must be known about them.

    A table that cannot be read gives no score and one notice with its code.

    Args:
        reliability: by measure; a reliable change is given for those alone.
    """
    try:
        table = _table(path)
    except AffectScopeError as error:
        return (), (Notice(error.code, f"{error.sentence} {error.remedy}".strip()),)
    return person_scores(table, subject_id, session_id, reliability)


def person_scores(
    table: AnswerTable, subject_id: str, session_id: str, reliability: Mapping[str, Reliability]
) -> tuple[tuple[QuestionnaireScore, ...], tuple[Notice, ...]]:
    """``questionnaire_scores`` of a table that was read."""
    answers = gather_answers(own_rows(table, subject_id, session_id))
    answers.faults += nobodys_rows(table, subject_id)
    scores = score_answers(answers, reliability)
    notices = [*unusable_rows(table.file, answers.faults), *contradictions(table.file, answers)]
    if not answers.asked:
        sentence = f"{table.file} holds no answers of {subject_id!a}, session {session_id!a}."
        notices.append(Notice("W_QUESTIONNAIRE", sentence))
    return scores, (*notices, *_incomplete(scores))


def answers_digest(path: Path, subject_id: str, session_id: str) -> str:
    """sha256 over this session's answers alone, so that other people's do not change it.

    The order and place of rows do not count. Of a table that cannot be read it is the digest of
    the reason.
    """
    try:
        rows = own_rows(_table(path), subject_id, session_id)
    except AffectScopeError as error:
        return hashlib.sha256(str(error).encode()).hexdigest()
    cells = sorted(astuple(row)[1:] for row in rows)
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _table(path: Path) -> AnswerTable:
    """The table; a study asks for the same one again and again."""
    with suppress(OSError):  # a file that is not there is told by the reader
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    return read_answers(path)


@lru_cache(maxsize=1)
def _read(path: Path, _size: int, _changed: int) -> AnswerTable:
    return read_answers(path)


def score_answers(
    answers: Answers, reliability: Mapping[str, Reliability]
) -> tuple[QuestionnaireScore, ...]:
    """A score for each scale that was asked, in the order of ``FORMS``."""
    return tuple(
        _score(form, scale, answers, reliability.get(scale.measure))
        for form in FORMS.values()
        for scale in form.scales
        if scale.measure in answers.asked
    )


def _score(
    form: Form, scale: Scale, answers: Answers, known: Reliability | None
) -> QuestionnaireScore:
    (before, why_before), (after, why_after) = (
        scale_total(form, scale, answers.of(form, time)) for time in TIMES
    )
    lowest, highest = form.span(scale)
    reasons = {"before": why_before, "after": why_after}
    return QuestionnaireScore(
        measure=scale.measure,
        unit=UNIT,
        lowest=float(lowest),
        highest=float(highest),
        before=before,
        after=after,
        change=after - before if before is not None and after is not None else None,
        higher_means=scale.higher_means,
        band_before=scale.band(before),
        band_after=scale.band(after),
        reliable_change=None
        if known is None or before is None or after is None
        else reliable_change(
            before,
            after,
            standard_deviation=known.standard_deviation,
            reliability=known.reliability,
        ),
        reason="; ".join(f"{time}: {why}" for time, why in reasons.items() if why),
    )


def _incomplete(scores: Sequence[QuestionnaireScore]) -> list[Notice]:
    """Why totals are absent or estimated; measures with the same reason share a notice."""
    by_reason: dict[str, list[str]] = {}
    for score in scores:
        if score.reason:
            by_reason.setdefault(score.reason, []).append(score.measure)
    return [
        Notice("W_QUESTIONNAIRE", f"{', '.join(measures)}: {reason}.")
        for reason, measures in by_reason.items()
    ]
