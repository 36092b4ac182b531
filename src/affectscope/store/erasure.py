"""Erasing a person with all that was derived (G02), also where it is interrupted (G03).

First the person is marked: from then on nothing shows him and no work begins for him. Then each
step removes something and may be done twice, so that an erasure that was interrupted goes on from
its beginning. Files go before the rows that tell where they lie. The person's own row goes last,
when the database file itself holds nothing any more; until then it bears no pseudonym.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from affectscope.errors import AffectScopeError, StoreError
from affectscope.store.backups import make_backup, remove_backups
from affectscope.store.database import Change, Store
from affectscope.store.jobs import OPEN
from affectscope.store.tables import (
    Consent,
    DoneOnce,
    Job,
    Product,
    RecordedSession,
    StoredFile,
    Subject,
    Upload,
)

log = logging.getLogger(__name__)

Step = Callable[[Store, str], None]

PRODUCTS = ("study", "export")
"""Kinds of jobs that make something of many people."""

_ONE_AT_A_TIME = threading.Lock()


def erase_subject(
    store: Store,
    subject_id: str,
    *,
    actor_id: str | None,
    typed: str,
    wait: Callable[[Sequence[str]], None] = lambda _job_ids: None,
) -> None:
    """Erase a person; returns when everything is gone.

    Args:
        typed: the pseudonym, as whoever asks typed it.
        wait: given the person's jobs that ran, returns when the worker has let go of them.

    Raises:
        StoreError: E_VALUE where ``typed`` is not the pseudonym, E_NOT_FOUND; nothing is then
            changed. E_BUSY, E_DISK_FULL: the erasure goes on with ``finish_erasures``.
    """
    with store.writing(actor_id) as change:
        job_ids = _mark(change, subject_id, typed)
    wait(job_ids)
    finish_erasure(store, subject_id)


def finish_erasures(store: Store) -> None:
    """Go on with all that were asked for; at the start and every hour."""
    with store.reading() as session:
        marked = session.scalars(select(Subject.id).where(Subject.erasing)).all()
    for subject_id in marked:
        finish_erasure(store, subject_id)


def finish_erasure(
    store: Store, subject_id: str, *, reached: Callable[[int], None] = lambda _step: None
) -> None:
    """All steps for a marked person.

    Args:
        reached: told how many steps are done, after each.
    """
    with _ONE_AT_A_TIME:
        with store.reading() as session:
            if session.get(Subject, subject_id) is None:
                return
        for done, step in enumerate(STEPS, start=1):
            step(store, subject_id)
            reached(done)
    log.info("a person was erased")


def _mark(change: Change, subject_id: str, typed: str) -> list[str]:
    """Nothing shows the person any more and his jobs are cancelled; gives back those that ran."""
    subject = change.session.get(Subject, subject_id)
    if subject is None or subject.erasing:
        raise StoreError("E_NOT_FOUND", "There is no such person.", "Go back to the projects.")
    if typed.strip() != subject.pseudonym:
        raise StoreError(
            "E_VALUE", "This is not the person's pseudonym. Nothing was erased.",
            "Type the pseudonym exactly as it stands on the page.",
        )  # fmt: skip
    subject.erasing = True
    jobs = [job for job in _jobs_of(change.session, subject) if job.state in OPEN]
    ran = [job.id for job in jobs if job.state == "running"]
    for job in jobs:
        job.state, job.ended_at = "cancelled", change.at
    for product in _products_of(change.session, subject):
        product.ready = False
    change.audit("erasure.asked", "subject", subject_id)
    return ran


def _jobs_of(session: Session, subject: Subject) -> list[Job]:
    """Jobs about the person, and those of studies and exports that contain him, or are gone."""
    in_project = select(Product.id).where(Product.project_id == subject.project_id)
    own = {product.id for product in _products_of(session, subject)}
    others = set(session.scalars(in_project)) - own
    jobs = session.scalars(
        select(Job).where(
            Job.project_id == subject.project_id,
            or_(
                Job.subject_id == subject.id,
                Job.session_id.in_(_session_ids(subject.id)),
                Job.kind.in_(PRODUCTS),
            ),
        )
    )
    return [
        job
        for job in jobs
        if job.kind not in PRODUCTS or job.detail.get("product_id") not in others
    ]


def _products_of(session: Session, subject: Subject) -> list[Product]:
    """Studies and exports that contain the person; one that does not say whom, does."""
    products = session.scalars(select(Product).where(Product.project_id == subject.project_id))
    return [
        product
        for product in products
        if subject.id in (product.subject_id, *product.detail.get("subjects", [subject.id]))
    ]


def _session_ids(subject_id: str) -> Select[str]:
    return select(RecordedSession.id).where(RecordedSession.subject_id == subject_id)


def _remove_products(store: Store, subject_id: str) -> None:
    with store.writing(None) as change:
        subject = change.session.get_one(Subject, subject_id)
        for job in _jobs_of(change.session, subject):
            change.session.delete(job)
        for product in _products_of(change.session, subject):
            for path in store.places.product(product.id):
                _remove(path)
            change.session.delete(product)


def _remove_uploads(store: Store, subject_id: str) -> None:
    with store.reading() as session:
        uploads = session.scalars(
            select(Upload.id).where(Upload.session_id.in_(_session_ids(subject_id)))
        ).all()
    for upload_id in uploads:
        for part in store.places.uploads.glob(f"{upload_id}*"):
            _remove(part)


def _remove_contents(store: Store, subject_id: str) -> None:
    """Originals that nobody else has. Under the write lock: nobody can get one meanwhile."""
    with store.writing(None) as change:
        own = StoredFile.session_id.in_(_session_ids(subject_id))
        contents = set(change.session.scalars(select(StoredFile.sha256).where(own)))
        held = set(change.session.scalars(select(StoredFile.sha256).where(~own)))
        for sha256 in contents - held:
            _remove(store.places.content(sha256))


def _remove_folders(store: Store, subject_id: str) -> None:
    with store.reading() as session:
        session_ids = session.scalars(_session_ids(subject_id)).all()
    for session_id in session_ids:
        _remove(store.places.session(session_id))


def _remove_rows(store: Store, subject_id: str) -> None:
    """All but the person's own, which loses its pseudonym; what hangs on a session goes with it."""
    with store.writing(None) as change:
        session, kept = change.session, Subject.id == subject_id
        session.execute(delete(RecordedSession).where(RecordedSession.subject_id == subject_id))
        session.execute(delete(Consent).where(Consent.subject_id == subject_id))
        session.execute(update(Subject).where(kept).values(pseudonym=subject_id))
        # answers for repeated requests may tell of anybody: those that are kept, or are about to be
        session.execute(update(DoneOnce).values(status=None, answer=None, question_hash=""))


def _empty_database(store: Store, subject_id: str) -> None:
    """Free pages and the write-ahead log hold what was deleted."""
    store.compact()


def _renew_backups(store: Store, subject_id: str) -> None:
    """Old backups hold the person. A new one that cannot be made now is made with the next."""
    remove_backups(store.places)
    try:
        make_backup(store)
    except (AffectScopeError, OSError) as error:
        log.warning("no backup was made after an erasure: %s", type(error).__name__)


def _leave_tombstone(store: Store, subject_id: str) -> None:
    with store.writing(None) as change:
        change.session.execute(delete(Subject).where(Subject.id == subject_id))
        change.audit("erasure.done", "subject", subject_id)


STEPS: tuple[Step, ...] = (
    _remove_products,
    _remove_uploads,
    _remove_contents,
    _remove_folders,
    _remove_rows,
    _empty_database,
    _renew_backups,
    _leave_tombstone,
)


def _remove(path: Path) -> None:
    """A file or a folder, if it is there.

    Raises:
        StoreError: E_BUSY where something of it stays; the erasure is not over then.
    """
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)  # the runner may be removing the same
    else:
        path.unlink(missing_ok=True)
    if path.exists():
        raise StoreError("E_BUSY", "A file is still in use.", "The erasure goes on by itself.")
