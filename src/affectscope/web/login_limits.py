"""How often names and passwords may be tried (W12).

After ``FREE`` failures for a name, or ``FREE_OF_ADDRESS`` from one address, each further one makes
the next try wait: 1 s, 2 s, 4 s ... at most ``LONGEST``. No lock is permanent: after the wait one
more try is always let through, and a right password clears the name. Tries that are refused for
waiting do not count, so that nobody can be kept out by them alone. Names that nobody has are
treated alike. All is in memory and bounded; a restart of the server forgets it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from affectscope.errors import WebError

FREE = 5
FREE_OF_ADDRESS = 20
"""A practice's computers may share one address."""
LONGEST = 300.0
"""Seconds to wait at most."""
FORGOTTEN_AFTER = 3600.0
"""Seconds without a failure."""
MOST_KEPT = 10_000
_NETWORK_BITS = 64
"""Of an IPv6 address: what a provider gives one customer at least."""


class TooManyTriesError(WebError):
    """E_TOO_MANY; ``wait``: whole seconds until the next try."""

    def __init__(self, wait: int) -> None:
        super().__init__(
            "E_TOO_MANY", "There were too many tries.", f"Try again in {wait} seconds."
        )
        self.wait = wait


@dataclass
class _Failures:
    count: int
    last: float


class LoginLimits:
    """Args: clock: seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Failures] = OrderedDict()
        self._turn = threading.Lock()

    def begin(self, name: str, address: str) -> None:
        """Count a try as failed until ``succeeded`` says otherwise: many at a time get no further
        than one after the other.

        Raises:
            TooManyTriesError: E_TOO_MANY; the password must not be looked at.
        """
        with self._turn:
            now = self._clock()
            keys = ((_name(name), FREE), (_address(address), FREE_OF_ADDRESS))
            wait = max(self._wait(key, free, now) for key, free in keys)
            if wait > 0:
                raise TooManyTriesError(math.ceil(wait))
            for key, _ in keys:
                self._count(key, now)

    def succeeded(self, name: str, address: str) -> None:
        """The try was right: the name is clear, and the address has one failure less, no more; who
        knows one password must not clear what he tries for others."""
        with self._turn:
            self._kept.pop(_name(name), None)
            failures = self._kept.get(_address(address))
            if failures is not None:
                failures.count -= 1

    def _wait(self, key: str, free: int, now: float) -> float:
        failures = self._kept.get(key)
        if failures is None or failures.count < free:
            return 0.0
        pause = min(LONGEST, 2.0 ** min(failures.count - free, 20))
        return failures.last + pause - now

    def _count(self, key: str, now: float) -> None:
        failures = self._kept.pop(key, None)
        if failures is None or now - failures.last > FORGOTTEN_AFTER:
            failures = _Failures(0, now)
        failures.count, failures.last = failures.count + 1, now
        self._kept[key] = failures
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _name(name: str) -> str:
    return "name " + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()


def _address(address: str) -> str:
    """Of IPv6 the network: everybody has 2**64 addresses in his own."""
    with suppress(ValueError):
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address):
            network = ipaddress.IPv6Network((found, _NETWORK_BITS), strict=False)
            address = str(found.ipv4_mapped or network)
    return "address " + address
