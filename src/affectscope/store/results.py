"""Results of sessions: kept with the job that made them, rejected and restored by people (G11)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from affectscope.errors import ConflictError, StoreError
from affectscope.store.database import Change
from affectscope.store.tables import Job, Result

STATUSES = ("OK", "DEGRADED", "REJECTED")


def add_result(change: Change, job: Job, told: Mapping[str, Any]) -> Result:
    """What scoring gave, as the job's last try; in the change that ends the job.

    Args:
        told: "status" and, of a session that was refused, "code", "sentence" and "remedy".
    """
    assert job.session_id is not None, "only sessions are scored"
    assert told["status"] in STATUSES
    result = Result(
        id=job.detail["try_id"],
        session_id=job.session_id,
        settings=job.detail["settings"],
        settings_version=job.detail["settings_version"],
        status=told["status"],
        code=told.get("code"),
        sentence=told.get("sentence"),
        remedy=told.get("remedy"),
        created_at=change.at,
    )
    change.session.add(result)
    change.session.flush()
    change.audit(
        "result.added", "result", result.id,
        {"session_id": job.session_id, "status": result.status, "code": result.code},
    )  # fmt: skip
    return result


def told_by(folder: Path) -> dict[str, Any]:
    """What result.json says, an object with a known status.

    Raises:
        StoreError: E_OUTPUT where it is missing or damaged.
    """
    try:
        told = json.loads((folder / "result.json").read_text())
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict) or told.get("status") not in STATUSES:
        raise StoreError(
            "E_OUTPUT", "The result's files are missing or damaged.", "Compute the session again."
        )
    return told


def held_result(session: Session, result_id: str) -> Result:
    """Raises StoreError E_NOT_FOUND."""
    result = session.get(Result, result_id)
    if result is None:
        raise StoreError("E_NOT_FOUND", "There is no such result.", "Load the page again.")
    return result


def results_of(session: Session, session_id: str) -> list[Result]:
    """Of a recorded session, the newest first."""
    question = select(Result).where(Result.session_id == session_id)
    return list(session.scalars(question.order_by(Result.created_at.desc(), Result.id)))


def usable_result(session: Session, session_id: str) -> Result | None:
    """The newest one that may be used: neither the program nor a person has rejected it."""
    question = select(Result).where(
        Result.session_id == session_id,
        Result.status != "REJECTED",
        Result.rejected_at.is_(None),
    )
    return session.scalars(question.order_by(Result.created_at.desc(), Result.id)).first()


def reject_result(change: Change, result_id: str, *, seen_version: int, reason: str) -> int:
    """A person decided that it must not be used. The audit trail gets the reason's sha256 only, the
    reason itself goes with the person when he is erased.

    Returns:
        The new version.

    Raises:
        ConflictError: E_CONFLICT where ``seen_version`` is not the newest.
        StoreError: E_CONFLICT where it is rejected already; E_VALUE for a reason that says nothing.
    """
    result = _seen(change, result_id, seen_version, reason)
    if result.rejected_at is not None:
        raise StoreError("E_CONFLICT", "The result is rejected already.", "Load the page again.")
    result.rejected_at, result.rejected_by = change.at, change.actor_id
    result.rejection_reason = reason.strip()
    return _changed(change, result, "result.rejected", reason)


def restore_result(change: Change, result_id: str, *, seen_version: int, reason: str) -> int:
    """Take a rejection back; its reason stays on the audit trail as its sha256.

    Raises:
        ConflictError, StoreError: as ``reject_result``.
    """
    result = _seen(change, result_id, seen_version, reason)
    if result.rejected_at is None:
        raise StoreError("E_CONFLICT", "The result is not rejected.", "Load the page again.")
    result.rejected_at = result.rejected_by = result.rejection_reason = None
    return _changed(change, result, "result.restored", reason)


def _seen(change: Change, result_id: str, seen_version: int, reason: str) -> Result:
    result = held_result(change.session, result_id)
    if not reason.strip():
        raise StoreError("E_VALUE", "The reason is empty.", "State the reason in a few words.")
    if result.version != seen_version:
        theirs = {"rejected": result.rejected_at is not None, "reason": result.rejection_reason}
        raise ConflictError({"reason": reason}, theirs, result.version)
    return result


def _changed(change: Change, result: Result, action: str, reason: str) -> int:
    result.version += 1
    digest = hashlib.sha256(reason.strip().encode()).hexdigest()
    detail = {"session_id": result.session_id, "reason_sha256": digest}
    change.audit(action, "result", result.id, detail)
    return result.version


def known_results(session: Session) -> set[tuple[str, str]]:
    """(session, result) of every row."""
    question = select(Result.session_id, Result.id)
    return {(session_id, result_id) for session_id, result_id in session.execute(question)}


def is_stale(result: Result, held: Mapping[str, Any]) -> bool:
    """Whether a session's settings are others than those that its result was made with."""
    return dict(result.settings) != dict(held)
