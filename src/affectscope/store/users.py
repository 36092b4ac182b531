"""Users and their logins. Passwords are kept as Argon2id hashes, tokens as sha256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from affectscope.errors import ConflictError, StoreError
from affectscope.store.database import Change
from affectscope.store.passwords import Passwords
from affectscope.store.tables import Login, User

IDLE = timedelta(minutes=30)
"""A login ends after so long without a request ..."""
ABSOLUTE = timedelta(hours=12)
"""... and after so long in any case."""
CLOCK_BACK = timedelta(minutes=5)
"""A login from further in the future is refused: setting the clock back makes none last (W22)."""


@dataclass(frozen=True)
class KnownLogin:
    user_id: str
    name: str
    administrator: bool
    csrf_token: str
    seen_at: datetime


@dataclass(frozen=True)
class Credentials:
    user_id: str
    password_hash: str
    disabled: bool


@dataclass(frozen=True)
class ListedUser:
    id: str
    name: str
    administrator: bool
    disabled: bool
    created_at: datetime
    version: int


@dataclass(frozen=True)
class UserChange:
    """What is to become of a user; None: as it is."""

    administrator: bool | None = None
    disabled: bool | None = None
    password: str | None = None


def has_users(session: Session) -> bool:
    return session.scalars(select(User.id).limit(1)).first() is not None


def users(session: Session) -> list[ListedUser]:
    """All, by name."""
    return [_listed(user) for user in session.scalars(select(User).order_by(User.name))]


def credentials_of(session: Session, name: str) -> Credentials | None:
    """Of the user with this name, as typed at log-in; None where nobody has it."""
    if not name.isprintable():  # PostgreSQL takes no NUL
        return None
    user = session.scalars(select(User).where(User.name == typed(name))).first()
    return None if user is None else Credentials(user.id, user.password_hash, user.disabled)


def typed(name: str) -> str:
    """How a name is kept and compared."""
    return name.strip().casefold()


def add_user(
    change: Change,
    name: str,
    password: str,
    *,
    administrator: bool,
    passwords: Passwords | None = None,
) -> User:
    """Raises StoreError: E_VALUE for a name or password that is not allowed, E_CONFLICT for a name
    that is taken."""
    name = typed(name)
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise StoreError("E_VALUE", "A user's name has 1 to 100 printable characters.")
    if credentials_of(change.session, name) is not None:
        raise StoreError("E_CONFLICT", "A user has this name already.", "Choose another name.")
    user = User(
        name=name,
        password_hash=(passwords or Passwords()).hash(name, password),
        administrator=administrator,
        created_at=change.at,
    )
    change.session.add(user)
    change.session.flush()
    change.audit("user.added", "user", user.id, {"administrator": administrator})
    return user


def change_user(
    change: Change, user_id: str, asked: UserChange, *, seen_version: int, passwords: Passwords
) -> int:
    """What an administrator may do with a user. A new password, or a user who is disabled, ends all
    of the user's logins.

    Returns:
        The new version.

    Raises:
        StoreError: E_NOT_FOUND; E_VALUE for a password that is not allowed, and where no
            administrator would be left.
        ConflictError: E_CONFLICT where ``seen_version`` is not the newest.
    """
    user = change.session.get(User, user_id)
    if user is None:
        raise StoreError("E_NOT_FOUND", "There is no such user.", "Load the page again.")
    if user.version != seen_version:
        theirs = {"administrator": user.administrator, "disabled": user.disabled}
        yours = {"administrator": asked.administrator, "disabled": asked.disabled}
        raise ConflictError(yours, theirs, user.version)
    if asked.disabled or asked.administrator is False:
        _check_administrator_stays(change, user)
    detail = {}
    for flag in ("administrator", "disabled"):
        value = getattr(asked, flag)
        if value is not None and value != getattr(user, flag):
            setattr(user, flag, value)
            detail[flag] = value
    if asked.password is not None:
        user.password_hash = passwords.hash(user.name, asked.password)
        detail["password"] = True
    user.version += 1
    change.audit("user.changed", "user", user.id, detail)
    if user.disabled or asked.password is not None:
        end_logins(change, user.id)
    return user.version


def set_password(change: Change, user_id: str, password_hash: str) -> None:
    """A new hash of a user's own choice; all of his logins end."""
    question = update(User).where(User.id == user_id)
    change.session.execute(question.values(password_hash=password_hash, version=User.version + 1))
    change.audit("user.password", "user", user_id)
    end_logins(change, user_id)


def still_holds(change: Change, seen: Credentials) -> bool:
    """Whether password and account are as they were when the password was looked at."""
    user = change.session.get(User, seen.user_id)
    return user is not None and not user.disabled and user.password_hash == seen.password_hash


def renew_hash(change: Change, user_id: str, password_hash: str) -> None:
    """The same password under newer parameters; logins stay."""
    question = update(User).where(User.id == user_id)
    change.session.execute(question.values(password_hash=password_hash))


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def begin_login(change: Change, user_id: str) -> str:
    """A new login; gives back its token, which is kept nowhere. Old ones that ended are removed."""
    token = secrets.token_urlsafe(32)
    ended = or_(Login.seen_at < change.at - IDLE, Login.created_at < change.at - ABSOLUTE)
    change.session.execute(delete(Login).where(ended))
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
    if at - login.seen_at > IDLE or at - login.created_at > ABSOLUTE:
        return None
    if login.created_at - at > CLOCK_BACK:
        return None
    return KnownLogin(user.id, user.name, user.administrator, login.csrf_token, login.seen_at)


def note_seen(change: Change, token: str) -> None:
    """The login is in use: its idle time begins anew."""
    question = update(Login).where(Login.token_hash == token_hash(token))
    change.session.execute(question.values(seen_at=change.at))


def end_login(change: Change, token: str) -> None:
    """End the login of one browser, whoever it is; nothing where it ended before."""
    login = change.session.get(Login, token_hash(token))
    if login is not None:
        change.session.delete(login)
        change.audit("logout", "user", login.user_id)


def end_logins(change: Change, user_id: str) -> None:
    """End all logins of a user."""
    change.session.execute(delete(Login).where(Login.user_id == user_id))
    change.audit("logout.all", "user", user_id)


def _listed(user: User) -> ListedUser:
    return ListedUser(
        user.id, user.name, user.administrator, user.disabled, user.created_at, user.version
    )


def _check_administrator_stays(change: Change, user: User) -> None:
    """Raises StoreError E_VALUE."""
    if not user.administrator or user.disabled:
        return
    others = select(func.count()).where(
        User.id != user.id, User.administrator.is_(True), User.disabled.is_(False)
    )
    if change.session.scalars(others).one() == 0:
        raise StoreError(
            "E_VALUE",
            "This is the last administrator.",
            "Make somebody else an administrator first.",
        )
