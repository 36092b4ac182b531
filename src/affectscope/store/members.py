"""Who belongs to a project, with which role. A project always has an owner."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.database import Change
from affectscope.store.tables import Membership, Role, User
from affectscope.store.typed_text import checked_name


@dataclass(frozen=True)
class Member:
    user_id: str
    name: str
    role: Role
    disabled: bool


def members_of(session: Session, project_id: str) -> list[Member]:
    """Owners first, then by name."""
    rows = session.execute(
        select(User.id, User.name, Membership.role, User.disabled)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.project_id == project_id)
        .order_by(Membership.role.desc(), User.name)
    )
    return [Member(user_id, name, Role(role), disabled) for user_id, name, role, disabled in rows]


def put_member(change: Change, project_id: str, name: str, role: Role) -> str | None:
    """Make a user a member, or give a member another role.

    Returns:
        The user's id; None where no user has this name, which is put on the audit trail: finding
        out who has an account takes as long and leaves as much of a trace as adding somebody.

    Raises:
        StoreError: E_VALUE where the project would be left without an owner, or for a name that
            no user can have.
    """
    user_id = change.session.scalars(
        select(User.id).where(User.name == checked_name(name).casefold())
    ).first()
    if user_id is None:
        change.audit("member.unknown", "project", project_id)
        return None
    held = change.session.get(Membership, (project_id, user_id))
    if held is None:
        held = Membership(project_id=project_id, user_id=user_id, role=role)
        change.session.add(held)
    elif role < Role.OWNER:
        _check_owner_stays(change, held)
    held.role = role
    change.audit("member.put", "project", project_id, {"user": user_id, "role": role.name})
    return user_id


def remove_member(change: Change, project_id: str, user_id: str) -> None:
    """Raises StoreError: E_NOT_FOUND for somebody who is no member, E_VALUE for the last owner."""
    held = change.session.get(Membership, (project_id, user_id))
    if held is None:
        raise StoreError("E_NOT_FOUND", "There is no such member.", "Load the page again.")
    _check_owner_stays(change, held)
    change.session.delete(held)
    change.audit("member.removed", "project", project_id, {"user": user_id})


def _check_owner_stays(change: Change, member: Membership) -> None:
    if member.role < Role.OWNER:
        return
    others = select(func.count()).where(
        Membership.project_id == member.project_id,
        Membership.user_id != member.user_id,
        Membership.role == Role.OWNER,
        User.id == Membership.user_id,
        User.disabled.is_(False),
    )
    if not change.session.scalars(others).one():
        raise StoreError(
            "E_VALUE", "A project needs an owner, and this is the last one.",
            "Make somebody else an owner first.",
        )  # fmt: skip
