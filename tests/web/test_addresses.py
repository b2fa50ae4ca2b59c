"""Where a request comes from."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from monitor.web.addresses import is_among, origin_of

PROXIES = (ip_network("10.0.0.0/24"), ip_network("fd00::5/128"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "origin"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "203.0.113.9, 10.0.0.6", "203.0.113.9"),
        ("10.0.0.5", "10.0.0.6", "10.0.0.6"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "<script>", "unknown"),
        ("10.0.0.5", "203.0.113.9:1234", "unknown"),
        ("fd00::5", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("::ffff:198.51.100.7", "", "198.51.100.7"),
        ("", "203.0.113.9", "unknown"),
    ],
)
def test_who_is_to_blame(peer: str, forwarded: str, origin: str) -> None:
    """The peer, or whom our own proxies name last; of IPv6 the network that one customer has."""
    assert origin == origin_of(peer, forwarded, PROXIES)


@pytest.mark.parametrize(("peer", "among"), [("10.0.0.5", True), ("10.0.1.5", False), ("fd00::5", True), ("", False)])
def test_proxies_are_known_by_their_address(peer: str, among: bool) -> None:
    """What has none is no proxy."""
    assert among == is_among(peer, PROXIES)
