"""Exports: of one person or of a project, for a stated purpose, as far as consents allow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.consents import SCOPES, check_consent, why_not
from affectscope.store.database import Change, Store
from affectscope.store.products import ask_product, held_product
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

EXPORT_LIFE = timedelta(days=7)
"""Exports then go by themselves: each is a second copy of people's data, and can be made again."""


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


def narrow_to_allowed(change: Change, product_id: str) -> None:
    """Before it is packed: from now on the export is of those only who allow it still.

    Raises:
        StoreError: E_NOT_FOUND.
    """
    product = held_product(change.session, product_id)
    reasons = _reasons(change.session, product, change.at)
    allowed = [subject_id for subject_id, reason in reasons.items() if not reason]
    product.detail = {**product.detail, "subjects": allowed}


def check_still_allowed(session: Session, product: Product, at: datetime) -> None:
    """Before it is handed out. Raises StoreError E_CONSENT where a consent has ended since."""
    ended = [reason for reason in _reasons(session, product, at).values() if reason]
    if ended:
        raise StoreError(
            "E_CONSENT",
            f"This export holds people who do not allow it any more ({ended[0]}).",
            "Ask for a new one: it leaves them out.",
        )


def _reasons(session: Session, product: Product, at: datetime) -> dict[str, str]:
    """For each person of an export why its purpose is not allowed now; "" where it is."""
    scope, people = EXPORT_SCOPES[product.detail["purpose"]], product.detail["subjects"]
    return dict.fromkeys(people, "") if scope is None else why_not(session, people, scope, at)


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
    detail = {"purpose": purpose, "subjects": people.allowed, "asked_by": change.actor_id}
    job = ask_product(change, "export", about=about, detail=detail)
    product_id = job.detail["product_id"]
    change.audit(
        "export.asked", "product", product_id,
        {"purpose": purpose, "people": len(people.allowed), "left_out": len(people.left_out)},
    )  # fmt: skip
    return AskedExport(product_id, job.id, len(people.allowed), people.left_out)


def remove_old_exports(store: Store) -> None:
    """The rows first, then the files: a file that stays goes with the next sweep."""
    old = select(Product).where(
        Product.kind == "export", Product.created_at < store.clock() - EXPORT_LIFE
    )
    with store.reading() as session:
        some = session.scalars(old.limit(1)).first() is not None
    if some:
        with store.writing(None) as change:
            for product in change.session.scalars(old).all():
                change.session.delete(product)
                change.audit("export.outdated", "product", product.id)
    with store.reading() as session:
        known = set(session.scalars(select(Product.id)))
    for path in store.places.exports.glob("[!.]*"):  # zips, and parts of those that failed
        if path.stem not in known:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
