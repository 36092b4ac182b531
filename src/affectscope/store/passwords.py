"""Passwords: Argon2id hashes, and a check that takes as long for a name that nobody has (W12)."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from affectscope.errors import StoreError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1000
"""Characters."""
_AT_ONCE = 2
"""Hashes made at a time; each takes 64 MiB for the while."""


class Passwords:
    """Makes and checks hashes; one for the whole program.

    Args:
        hasher: None: argon2-cffi's own parameters (RFC 9106, low-memory profile).
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        from argon2 import PasswordHasher

        self.hasher = hasher or PasswordHasher()
        self._nobodys = self.hasher.hash(secrets.token_urlsafe(32))
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, name: str, password: str) -> str:
        """Raises StoreError E_VALUE for a password that is not allowed."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or (
            password.strip().casefold() == name.strip().casefold()
        ):
            raise StoreError(
                "E_VALUE",
                f"A password has at least {SHORTEST_PASSWORD} characters and is not the name.",
                "A few words that belong to nobody make a good one.",
            )
        with self._turns:
            return self.hasher.hash(_as_sent(password))

    def fits(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one of the hash; None: of nobody, which costs the same."""
        from argon2.exceptions import InvalidHashError, VerificationError

        with self._turns:
            try:
                return self.hasher.verify(kept or self._nobodys, _as_sent(password)) and bool(kept)
            except (InvalidHashError, VerificationError):
                return False

    def renewed(self, kept: str, password: str) -> str | None:
        """A new hash of the password that fits; None where the old one has today's parameters."""
        if not self.hasher.check_needs_rehash(kept):
            return None
        with self._turns:
            return self.hasher.hash(_as_sent(password))


def _as_sent(password: str) -> bytes:
    return password.encode(errors="surrogatepass")  # JSON may hold halves of characters
