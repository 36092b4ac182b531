"""What a person allowed, checked before anything is done with his data (G01, G09)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.tables import Consent

SCOPES: dict[str, str] = {
    "ingest": "keeping recordings",
    "scoring": "estimating emotions",
    "training": "training models",
    "export": "handing data out",
}
"""Scope -> what it allows."""


def check_consent(session: Session, subject_id: str, scope: str, at: datetime) -> None:
    """One consent that is given, not withdrawn, not expired and covers the scope must be there.

    Raises:
        StoreError: E_CONSENT with the reason.
    """
    consents = session.scalars(
        select(Consent).where(Consent.subject_id == subject_id).order_by(Consent.given_at)
    ).all()
    reason = _reason(list(consents), scope, at)
    if reason:
        raise StoreError(
            "E_CONSENT",
            f"{SCOPES[scope].capitalize()} is not allowed: {reason}.",
            "Record the person's consent first; nothing was changed.",
        )


def _reason(consents: list[Consent], scope: str, at: datetime) -> str:
    """Why not, of the consent that comes nearest; empty where it is allowed."""
    if not consents:
        return "no consent of this person is on record"
    fitting = [consent for consent in consents if scope in consent.scopes]
    if not fitting:
        return "the person's consent does not cover it"
    reasons = [_fault(consent, scope, at) for consent in fitting]
    return "" if "" in reasons else reasons[-1]


def _fault(consent: Consent, scope: str, at: datetime) -> str:
    if consent.withdrawn_at is not None:
        return f"the consent was withdrawn on {consent.withdrawn_at:%Y-%m-%d}"
    if consent.expires_at is not None and consent.expires_at <= at:
        return f"the consent expired on {consent.expires_at:%Y-%m-%d}"
    if consent.given_at > at:
        return f"the consent begins on {consent.given_at:%Y-%m-%d}"
    if scope == "scoring" and consent.notice_shown_at is None:
        return (
            "the person was not told that emotions are estimated"
            " (Regulation (EU) 2024/1689, Article 50(3))"
        )
    return ""
