"""Studies and exports that were asked for or made, with how far each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.database import Change
from affectscope.store.jobs import add_job, open_jobs_of_project
from affectscope.store.tables import Job, Product, Subject

_SHOWN = 50
"""The newest are listed."""


@dataclass(frozen=True)
class ListedProduct:
    """``state``: ready, or of its job: waiting, running, failed, cancelled. ``share``: done, 0 to
    1. ``sentence``, ``remedy``: why it failed. ``pseudonym``: of an export of one person."""

    id: str
    kind: str
    created_at: datetime
    subject_id: str | None
    pseudonym: str | None
    detail: dict[str, Any]
    state: str
    share: float
    job_id: str | None
    sentence: str
    remedy: str


def products_of(session: Session, project_id: str, kind: str) -> list[ListedProduct]:
    """The newest first."""
    jobs = {
        job.detail.get("product_id"): job
        for job in session.scalars(
            select(Job)
            .where(Job.project_id == project_id, Job.kind == kind)
            .order_by(Job.created_at.desc())
            .limit(2 * _SHOWN)
        )
    }
    rows = session.execute(
        select(Product, Subject.pseudonym)
        .outerjoin(Subject, Subject.id == Product.subject_id)
        .where(Product.project_id == project_id, Product.kind == kind)
        .where(or_(Product.subject_id.is_(None), Subject.erasing.is_(False)))
        .order_by(Product.created_at.desc(), Product.id)
        .limit(_SHOWN)
    )
    return [_listed(product, pseudonym, jobs.get(product.id)) for product, pseudonym in rows]


def ask_product(
    change: Change, kind: str, *, about: Mapping[str, str], detail: Mapping[str, Any]
) -> Job:
    """A product that is not ready yet, and the job that makes it.

    Args:
        kind: "study" or "export".
        about: "project_id" and, for an export of one person, "subject_id".
        detail: "subjects", the ids of the people whom it holds, and what else its kind needs.

    Returns:
        The job; its detail names the product.

    Raises:
        StoreError: E_CONFLICT while another of the kind is being made in the project.
    """
    open_jobs = open_jobs_of_project(change.session, about["project_id"])
    if any(job.kind == kind for job in open_jobs):
        raise StoreError("E_CONFLICT", "This is being made already.", "Wait until it is done.")
    product = Product(kind=kind, created_at=change.at, detail=dict(detail), **about)
    change.session.add(product)
    change.session.flush()
    return add_job(change, kind, about, {"product_id": product.id})


def held_product(session: Session, product_id: str) -> Product:
    """Raises StoreError E_NOT_FOUND."""
    product = session.get(Product, product_id)
    if product is None:
        raise StoreError("E_NOT_FOUND", "It is not wanted any more.", "Ask for it anew.")
    return product


def older_studies(session: Session, product: Product) -> list[Product]:
    """Studies of the same project that were made, or failed, before."""
    question = select(Product).where(
        Product.kind == "study",
        Product.project_id == product.project_id,
        Product.created_at <= product.created_at,
        Product.id != product.id,
    )
    return list(session.scalars(question))


def newest_study(session: Session, project_id: str) -> Product | None:
    """The newest that is ready."""
    question = select(Product).where(
        Product.kind == "study", Product.project_id == project_id, Product.ready
    )
    return session.scalars(question.order_by(Product.created_at.desc()).limit(1)).first()


def ready_product(session: Session, product_id: str, kind: str) -> Product:
    """Raises StoreError E_NOT_FOUND where there is none, or not yet."""
    product = session.get(Product, product_id)
    if product is None or product.kind != kind or not product.ready:
        raise StoreError("E_NOT_FOUND", f"This {kind} is not there (any more).", "Ask for it anew.")
    return product


def _listed(product: Product, pseudonym: str | None, job: Job | None) -> ListedProduct:
    state = "failed" if job is None else job.state
    return ListedProduct(
        id=product.id,
        kind=product.kind,
        created_at=product.created_at,
        subject_id=product.subject_id,
        pseudonym=pseudonym,
        detail=product.detail,
        state="ready" if product.ready else state,
        share=0.0 if job is None else job.share,
        job_id=None if job is None else job.id,
        sentence=(job.sentence or "") if job is not None else "",
        remedy=(job.remedy or "") if job is not None else "",
    )
