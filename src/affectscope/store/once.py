"""Answers to changes that were asked for with an idempotency key (W21)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.database import Change, OnceKey
from affectscope.store.tables import DoneOnce

KEPT_FOR = timedelta(hours=24)
"""How long a key is remembered."""


@dataclass(frozen=True)
class KeptAnswer:
    status: int
    text: str


def kept_answer(session: Session, asked: OnceKey) -> KeptAnswer | None:
    """The answer that the same request got before; None where it was not carried out.

    Raises:
        StoreError: E_DONE_ALREADY where it was, and the answer was not kept; E_VALUE where the key
            came with another request.
    """
    row = session.get(DoneOnce, (asked.user_id, asked.key))
    if row is None:
        return None
    if row.status is None:
        raise StoreError(
            "E_DONE_ALREADY", "This was done already.", "Load the page again to see it."
        )
    if row.question_hash != asked.question_hash:
        raise StoreError("E_VALUE", "The idempotency key came with another request before.")
    return KeptAnswer(row.status, row.answer or "")


def keep_answer(change: Change, asked: OnceKey, answer: KeptAnswer) -> None:
    """Beside the key, where the request's change took it up; old keys are forgotten."""
    change.session.execute(delete(DoneOnce).where(DoneOnce.created_at < change.at - KEPT_FOR))
    row = change.session.get(DoneOnce, (asked.user_id, asked.key))
    if row is not None and row.question_hash == asked.question_hash and row.status is None:
        row.status, row.answer = answer.status, answer.text
