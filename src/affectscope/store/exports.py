"""Exports: of one person or of a project, for a stated purpose, as far as consents allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.consents import SCOPES, check_consent, why_not
from affectscope.store.database import Change
from affectscope.store.jobs import add_job
from affectscope.store.studies import check_none_open
from affectscope.store.tables import Product, Subject

OWN_COPY = "own copy"
EXPORT_SCOPES: dict[str, str | None] = {
    "handing out": "export",
    "training": "training",
    OWN_COPY: None,
}
"""Purpose of an export -> the consent that it needs. A person's own copy needs none: everybody may
have his data (Regulation (EU) 2016/679, Articles 15 and 20)."""

EXPORT_PURPOSES: dict[str, str] = {
    OWN_COPY: "a copy for the person, who has a right to it",
    "handing out": "handing out to others",
    "training": "training models",
}
"""Purpose of an export -> how it is called."""


@dataclass(frozen=True)
class PeopleByConsent:
    """``allowed``: ids; ``left_out``: pseudonym -> why it is not allowed."""

    allowed: list[str]
    left_out: dict[str, str]


@dataclass(frozen=True)
class AskedExport:
    """``left_out``: pseudonym -> why that person's data is not in it."""

    product_id: str
    job_id: str
    people: int
    left_out: dict[str, str]


def ask_subject_export(change: Change, subject_id: str, purpose: str) -> AskedExport:
    """An export of one person.

    Raises:
        StoreError: E_CONSENT (G01), E_CONFLICT while another is being made, E_NOT_FOUND.
    """
    subject = change.session.get(Subject, subject_id)
    if subject is None or subject.erasing:
        raise StoreError("E_NOT_FOUND", "There is no such person.", "Go back to the projects.")
    scope = EXPORT_SCOPES[purpose]
    if scope is not None:
        check_consent(change.session, subject_id, scope, change.at)
    about = {"project_id": subject.project_id, "subject_id": subject_id}
    return _ask(change, about, purpose, PeopleByConsent([subject_id], {}))


def ask_project_export(change: Change, project_id: str, purpose: str) -> AskedExport:
    """An export of all people of a project who allow it; the others are left out and named.

    Raises:
        StoreError: E_CONSENT where nobody allows it (G01), E_VALUE where there is nobody, or for
            an own copy, E_CONFLICT while another is being made.
    """
    scope = EXPORT_SCOPES[purpose]
    if scope is None:
        raise StoreError("E_VALUE", "A person's own copy is made on the person's page.")
    people = people_by_consent(change.session, project_id, scope, change.at)
    if not people.allowed:
        raise _nobody(people, scope)
    about = {"project_id": project_id}
    return _ask(change, about, purpose, people)


def people_by_consent(
    session: Session, project_id: str, scope: str, at: datetime
) -> PeopleByConsent:
    """All people of a project, by whether they allow something now."""
    rows = session.execute(
        select(Subject.id, Subject.pseudonym)
        .where(Subject.project_id == project_id, Subject.erasing.is_(False))
        .order_by(Subject.pseudonym)
    )
    pseudonyms = {subject_id: pseudonym for subject_id, pseudonym in rows}  # noqa: C416 - of Rows
    reasons = why_not(session, list(pseudonyms), scope, at)
    return PeopleByConsent(
        [subject_id for subject_id in pseudonyms if not reasons[subject_id]],
        {pseudonyms[held]: reason for held, reason in reasons.items() if reason},
    )


def _nobody(people: PeopleByConsent, scope: str) -> StoreError:
    if not people.left_out:
        return StoreError("E_VALUE", "The project has no people yet.", "Add a person first.")
    first = list(people.left_out.items())[:3]
    named = "; ".join(f"{pseudonym}: {reason}" for pseudonym, reason in first)
    return StoreError(
        "E_CONSENT",
        f"{SCOPES[scope].capitalize()} is not allowed by anybody here ({named}).",
        "Record the people's consent first; nothing was exported.",
    )


def _ask(
    change: Change, about: Mapping[str, str], purpose: str, people: PeopleByConsent
) -> AskedExport:
    check_none_open(change.session, about["project_id"], "export")
    product = Product(
        kind="export",
        created_at=change.at,
        detail={"purpose": purpose, "subjects": people.allowed, "asked_by": change.actor_id},
        **about,
    )
    change.session.add(product)
    change.session.flush()
    change.audit(
        "export.asked", "product", product.id,
        {"purpose": purpose, "people": len(people.allowed), "left_out": len(people.left_out)},
    )  # fmt: skip
    job = add_job(change, "export", about, {"product_id": product.id})
    return AskedExport(product.id, job.id, len(people.allowed), people.left_out)
