"""From how far apart tries count as from one address."""

from __future__ import annotations

import pytest

from affectscope.web.login_limits import FREE_OF_ADDRESS, LoginLimits, TooManyTriesError


@pytest.mark.parametrize(
    ("addresses", "refused"),
    [
        ("2001:db8:0:1::{:x}", True),
        ("2001:db8:0:1:{0:x}:{0:x}:{0:x}:{0:x}", True),
        ("::ffff:10.0.0.1", True),
        ("2001:db8:{:x}::1", False),
        ("::ffff:10.0.0.{:d}", False),
        ("10.0.0.{:d}", False),
    ],
)
def test_W12_one_network_of_ipv6_counts_as_one_address(addresses: str, refused: bool) -> None:
    """Everybody has 2**64 of those: a password could be tried for all names."""
    limits = LoginLimits(lambda: 0.0)
    for number in range(FREE_OF_ADDRESS):
        limits.begin(f"name {number}", addresses.format(number + 1))
    if refused:
        with pytest.raises(TooManyTriesError):
            limits.begin("another", addresses.format(200))
    else:
        limits.begin("another", addresses.format(200))


def test_W12_the_two_spellings_of_an_ipv4_address_are_one() -> None:
    limits = LoginLimits(lambda: 0.0)
    for number in range(FREE_OF_ADDRESS):
        limits.begin(f"name {number}", "10.0.0.1")
    with pytest.raises(TooManyTriesError):
        limits.begin("another", "::ffff:10.0.0.1")
    limits.begin("another", "")  # a socket without an address
