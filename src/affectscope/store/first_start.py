"""The one-time link of the first start: who has it makes the first user. There is no default
password (W31). The token itself is kept nowhere, its sha256 in the folder of the keys."""

from __future__ import annotations

import secrets
from pathlib import Path

from affectscope.io.files import write_text
from affectscope.store.places import Places
from affectscope.store.users import token_hash


def new_first_token(places: Places) -> str:
    """A token that replaces the one before. Raises OutputError E_OUTPUT."""
    token = secrets.token_urlsafe(32)
    write_text(_file(places), token_hash(token) + "\n")
    return token


def is_first_token(places: Places, token: str) -> bool:
    try:
        kept = _file(places).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return secrets.compare_digest(kept, token_hash(token))


def forget_first_token(places: Places) -> None:
    _file(places).unlink(missing_ok=True)


def _file(places: Places) -> Path:
    return places.keys / "first-start"
