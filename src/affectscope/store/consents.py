"""What a person allowed, checked before anything is done with his data (G01, G09)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.database import Change
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
    reason = why_not(session, [subject_id], scope, at)[subject_id]
    if reason:
        raise StoreError(
            "E_CONSENT",
            f"{SCOPES[scope].capitalize()} is not allowed: {reason}.",
            "Record the person's consent first; nothing was changed.",
        )


def why_not(
    session: Session, subject_ids: Sequence[str], scope: str, at: datetime
) -> dict[str, str]:
    """For each person why something is not allowed now; "" where it is."""
    held: dict[str, list[Consent]] = {subject_id: [] for subject_id in subject_ids}
    question = select(Consent).where(Consent.subject_id.in_(subject_ids)).order_by(Consent.given_at)
    for consent in session.scalars(question):
        held[consent.subject_id].append(consent)
    return {subject_id: _reason(consents, scope, at) for subject_id, consents in held.items()}


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


@dataclass(frozen=True)
class Given:
    """A consent as it was given. ``notice_shown_at``: when the person was told that emotions are
    estimated; None: never."""

    scopes: frozenset[str]
    given_at: datetime
    expires_at: datetime | None = None
    notice_shown_at: datetime | None = None


def add_consent(change: Change, subject_id: str, given: Given) -> Consent:
    """Raises StoreError E_VALUE for no scope, an unknown one, or an end before the beginning."""
    _check(given)
    consent = Consent(
        subject_id=subject_id,
        scopes=[scope for scope in SCOPES if scope in given.scopes],
        given_at=given.given_at,
        expires_at=given.expires_at,
        notice_shown_at=given.notice_shown_at,
    )
    change.session.add(consent)
    change.session.flush()
    change.audit("consent.added", "subject", subject_id, _told(consent.id, consent.scopes))
    return consent


def withdraw_consent(change: Change, subject_id: str, consent_id: str) -> Consent:
    """From now on it allows nothing; what was done before stays. Twice is the same as once.

    Raises:
        StoreError: E_NOT_FOUND where the person has no such consent.
    """
    consent = change.session.get(Consent, consent_id)
    if consent is None or consent.subject_id != subject_id:
        raise StoreError("E_NOT_FOUND", "There is no such consent.", "Load the page again.")
    if consent.withdrawn_at is None:
        consent.withdrawn_at = change.at
        change.audit("consent.withdrawn", "subject", subject_id, _told(consent_id, consent.scopes))
    return consent


def consents_of(session: Session, subject_id: str) -> list[Consent]:
    """All that the person gave, newest first."""
    question = select(Consent).where(Consent.subject_id == subject_id)
    return list(session.scalars(question.order_by(Consent.given_at.desc(), Consent.id)))


def _check(given: Given) -> None:
    unknown = sorted(given.scopes - SCOPES.keys())
    if unknown or not given.scopes:
        raise StoreError(
            "E_VALUE", "A consent names what it allows.", f"Choose from {', '.join(SCOPES)}."
        )
    if given.expires_at is not None and given.expires_at <= given.given_at:
        raise StoreError("E_VALUE", "The consent would end before it begins.", "Correct the dates.")


def _told(consent_id: str, scopes: Iterable[str]) -> dict[str, object]:
    return {"consent": consent_id, "scopes": sorted(scopes)}
