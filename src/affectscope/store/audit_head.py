"""The audit trail's head, signed, and kept where the data are not (W23).

After every change the newest row's number and hash are written beside the keys. Who can change the
database can write the whole chain anew, or cut its end off, but cannot sign another head.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from affectscope.errors import OutputError, StoreError
from affectscope.io.files import write_text
from affectscope.store.audit import FIRST
from affectscope.store.places import Places
from affectscope.store.tables import AuditRow

log = logging.getLogger(__name__)

_KEY_BYTES = 32


@dataclass(frozen=True)
class Head:
    """The newest row that was signed; number 0 before there is one."""

    sequence: int
    hash: str


class AuditHead:
    """Used by who has the turn.

    Attributes:
        signing: False from the moment that the chain did not follow on the head, or the head could
            not be read: the old head then stays, for it is what shows it.
    """

    def __init__(self, places: Places, installation_id: str) -> None:
        self.signing = False
        self._installation_id = installation_id
        self._key = places.keys / f"{installation_id}.key"
        self._file = places.keys / f"{installation_id}.head.json"
        self._last: Head | None = None
        """As signed last; None as long as ``begin`` was not called."""

    def is_new(self) -> bool:
        return not self._file.exists()

    def make(self) -> None:
        """A key, and the head of a trail without rows. Raises OutputError E_OUTPUT, OSError."""
        self._file.parent.chmod(0o700)
        handle = os.open(self._key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        self._write(Head(0, FIRST))  # which keeps the folder too

    def read(self) -> Head:
        """Raises StoreError E_DATABASE with what is wrong with key or head."""
        key = self._read_key()
        try:
            held = json.loads(self._file.read_text())
            head = Head(held["sequence"], held["hash"])
            mac = held["mac"]
            fits = isinstance(mac, str) and hmac.compare_digest(mac, self._mac(key, head))
        except FileNotFoundError as error:
            raise _fault("its signed head is missing from the folder of the keys") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise _fault("its signed head cannot be read") from error
        if not fits:
            raise _fault("its head bears a signature that is not the program's")
        return head

    def begin(self, head: Head) -> None:
        """From now on follow on this head, which was read and held against the chain."""
        self._last, self.signing = head, True

    def keep(self, rows: Sequence[AuditRow]) -> None:
        """Sign the last of new rows, once they are in the database.

        A head that cannot be written (a full disk) stays behind until the next one is: the change
        itself is done by now.
        """
        if not self.signing or not rows:
            return
        first, head = rows[0], Head(rows[-1].sequence, rows[-1].hash)
        if self._last != Head(first.sequence - 1, first.previous):
            self.signing = False
            log.error("the audit trail was changed from outside: its head is not signed any more")
            return
        self._last = head
        try:
            self._write(head)
        except (OSError, OutputError, StoreError) as error:
            log.error("the head of the audit trail was not written: %s", type(error).__name__)

    def _write(self, head: Head) -> None:
        signed = {**asdict(head), "mac": self._mac(self._read_key(), head)}
        write_text(self._file, json.dumps(signed) + "\n")

    def _read_key(self) -> bytes:
        try:
            key = self._key.read_bytes()
        except FileNotFoundError as error:
            raise _fault("its key is missing from the folder of the keys") from error
        except OSError as error:
            raise _fault("its key cannot be read") from error
        if len(key) != _KEY_BYTES:
            raise _fault("its key is damaged")
        return key

    def _mac(self, key: bytes, head: Head) -> str:
        content = json.dumps([self._installation_id, head.sequence, head.hash])
        return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()


def _fault(reason: str) -> StoreError:
    return StoreError(
        "E_DATABASE",
        f"The audit trail cannot be held against what was signed: {reason}.",
        "Put the folder of the keys back from your own copy, and start the server again.",
    )
