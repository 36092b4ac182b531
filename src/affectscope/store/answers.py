"""Questionnaires that were filled in for a session, before it or after it.

What the answers mean is for ``therapy.questionnaires``; who saves them has checked items and range.
The settings of the session hold the sha256 of the table that they will be written as, so that a
result that was made with other answers is seen to be outdated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import ConflictError, StoreError
from affectscope.io.spreadsheet_text import table_text
from affectscope.store.consents import check_consent
from affectscope.store.database import Change
from affectscope.store.sessions import session_head
from affectscope.store.tables import Answers, RecordedSession

FILE = "questionnaires.csv"
"""Its name in a session's folder, one of ``files.RESERVED``."""
HEADER = ("questionnaire", "time", "item", "score")
"""Nobody's pseudonym: the table lies in the folder of one session."""


@dataclass(frozen=True)
class FilledIn:
    """One questionnaire at one time ("before" or "after").

    Attributes:
        scores: item -> what the person marked; an item that was not answered is not there.
        version: counts from 1; 0: it is not filled in.
    """

    questionnaire: str
    time: str
    scores: Mapping[str, float]
    version: int


def answers_of(session: Session, session_id: str) -> list[FilledIn]:
    """All of a session, "before" ahead of "after"."""
    question = select(Answers).where(Answers.session_id == session_id)
    rows = session.scalars(question.order_by(Answers.questionnaire, Answers.time.desc()))
    return [FilledIn(row.questionnaire, row.time, row.answers, row.version) for row in rows]


def answers_text(answers: Sequence[FilledIn]) -> str:
    """The table of answers, as ``io.questionnaire_table`` reads it; items in rising order."""
    rows = [
        (sheet.questionnaire, sheet.time, item, sheet.scores[item])
        for sheet in answers
        for item in sorted(sheet.scores, key=int)
    ]
    return table_text(HEADER, rows)


def answers_table(answers: Sequence[FilledIn]) -> dict[str, str] | None:
    """The table [questionnaires] of session.toml; None where nothing is filled in."""
    if not answers:
        return None
    return {"file": FILE, "sha256": hashlib.sha256(answers_text(answers).encode()).hexdigest()}


def save_answers(
    change: Change,
    session_id: str,
    *,
    questionnaire: str,
    time: str,
    seen_version: int,
    scores: Mapping[str, float],
) -> int:
    """Replace what was filled in.

    Args:
        seen_version: of what was there; 0 where nothing was.

    Returns:
        The new version.

    Raises:
        ConflictError: E_CONFLICT where ``seen_version`` is not the newest (W20).
        StoreError: E_CONSENT (G01).
    """
    head = session_head(change.session, session_id)
    check_consent(change.session, head.subject_id, "ingest", change.at)
    row = _seen(change, session_id, (questionnaire, time), yours=scores, seen_version=seen_version)
    if row is None:
        row = Answers(session_id=session_id, questionnaire=questionnaire, time=time, version=0)
        change.session.add(row)
    row.answers, row.version = dict(scores), row.version + 1
    detail = {"time": time, "questionnaire": questionnaire, "items": len(scores)}
    change.audit("answers.saved", "session", session_id, {**detail, "version": row.version})
    _note_in_settings(change, session_id)
    return row.version


def remove_answers(
    change: Change, session_id: str, *, questionnaire: str, time: str, seen_version: int
) -> None:
    """Take a questionnaire out of a session.

    Raises:
        ConflictError: E_CONFLICT where ``seen_version`` is not the newest (W20).
        StoreError: E_NOT_FOUND where it is not filled in.
    """
    row = _seen(change, session_id, (questionnaire, time), yours={}, seen_version=seen_version)
    if row is None:
        raise StoreError("E_NOT_FOUND", "This is not filled in.", "Load the page again.")
    change.session.delete(row)
    detail = {"time": time, "questionnaire": questionnaire}
    change.audit("answers.removed", "session", session_id, detail)
    _note_in_settings(change, session_id)


def _seen(
    change: Change,
    session_id: str,
    place: tuple[str, str],
    *,
    yours: Mapping[str, float],
    seen_version: int,
) -> Answers | None:
    """The row, as it was seen. Raises ConflictError."""
    questionnaire, time = place
    question = select(Answers).where(
        Answers.session_id == session_id,
        Answers.questionnaire == questionnaire,
        Answers.time == time,
    )
    row = change.session.scalars(question).first()
    version = 0 if row is None else row.version
    if version != seen_version:
        raise ConflictError(dict(yours), {} if row is None else dict(row.answers), version)
    return row


def _note_in_settings(change: Change, session_id: str) -> None:
    """Not a change that others who edit the settings could clash with: their version stays."""
    change.session.flush()
    held = change.session.get_one(RecordedSession, session_id)
    settings = {name: table for name, table in held.settings.items() if name != "questionnaires"}
    table = answers_table(answers_of(change.session, session_id))
    held.settings = settings if table is None else {**settings, "questionnaires": table}
