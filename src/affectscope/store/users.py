"""Users and their logins. Passwords are kept as Argon2id hashes, tokens as sha256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.store.database import Change
from affectscope.store.tables import Login, User

IDLE = timedelta(minutes=30)
"""A login ends after so long without a request ..."""
ABSOLUTE = timedelta(hours=12)
"""... and after so long in any case."""
SHORTEST_PASSWORD = 12


@dataclass(frozen=True)
class KnownLogin:
    user_id: str
    name: str
    administrator: bool
    csrf_token: str


def has_users(session: Session) -> bool:
    return session.scalars(select(User.id).limit(1)).first() is not None


def add_user(change: Change, name: str, password: str, *, administrator: bool) -> User:
    """Raises StoreError: E_VALUE for a name or password that is not allowed, E_CONFLICT for a name
    that is taken."""
    from argon2 import PasswordHasher

    name = name.strip().casefold()
    check_password(name, password)
    if not name or len(name) > 100 or not name.isprintable():
        raise StoreError("E_VALUE", "A user's name has 1 to 100 printable characters.")
    if change.session.scalars(select(User.id).where(User.name == name)).first() is not None:
        raise StoreError("E_CONFLICT", "A user has this name already.", "Choose another name.")
    user = User(
        name=name,
        password_hash=PasswordHasher().hash(password),
        administrator=administrator,
        created_at=change.at,
    )
    change.session.add(user)
    change.session.flush()
    change.audit("user.added", "user", user.id, {"administrator": administrator})
    return user


def check_password(name: str, password: str) -> None:
    """Raises StoreError E_VALUE."""
    if not SHORTEST_PASSWORD <= len(password) <= 1000 or password.casefold() == name:
        raise StoreError(
            "E_VALUE",
            f"A password has at least {SHORTEST_PASSWORD} characters and is not the name.",
            "A few words that belong to nobody make a good one.",
        )


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def begin_login(change: Change, user_id: str) -> str:
    """A new login; gives back its token, which is kept nowhere. Old ones that ended are removed."""
    token = secrets.token_urlsafe(32)
    change.session.execute(delete(Login).where(Login.seen_at < change.at - IDLE))
    change.session.add(
        Login(
            token_hash=token_hash(token),
            user_id=user_id,
            csrf_token=secrets.token_urlsafe(32),
            created_at=change.at,
            seen_at=change.at,
        )
    )
    change.audit("login", "user", user_id)
    return token


def known_login(session: Session, token: str, at: datetime) -> KnownLogin | None:
    """Whose token this is; None for one that is unknown or ended, or whose user is disabled."""
    found = session.execute(
        select(Login, User)
        .join(User, User.id == Login.user_id)
        .where(Login.token_hash == token_hash(token), User.disabled.is_(False))
    ).first()
    if found is None:
        return None
    login, user = found
    if at - login.seen_at > IDLE or at - login.created_at > ABSOLUTE or at < login.created_at:
        return None
    return KnownLogin(user.id, user.name, user.administrator, login.csrf_token)


def end_logins(change: Change, user_id: str, *, token: str | None = None) -> None:
    """End one login of a user, or all of them."""
    question = delete(Login).where(Login.user_id == user_id)
    if token is not None:
        question = question.where(Login.token_hash == token_hash(token))
    change.session.execute(question)
    change.audit("logout", "user", user_id)
