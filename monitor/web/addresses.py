"""Where a request comes from: the other end of the connection, or whom a proxy that we trust names."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from pydantic import IPvAnyNetwork

# Of IPv6, everybody has at least this much of an address; to count each one would be to count nothing.
IPV6_PREFIX = 64
UNKNOWN = "unknown"  # what is behind a socket without an address

Networks = Sequence[IPvAnyNetwork]


def is_among(peer: str, networks: Networks) -> bool:
    """Whether an address is in one of these networks."""
    address = _address(peer)
    return address is not None and any(address in network for network in networks)


def origin_of(peer: str, forwarded: str, proxies: Networks) -> str:
    """Who is to blame for a request: the last address of X-Forwarded-For that is no proxy of ours.

    What stands before that one is what somebody says of himself. Without a proxy of ours it is the peer.
    """
    named = [part.strip() for part in forwarded.split(",")] if forwarded else []
    found = peer
    while named and is_among(found, proxies):
        found = named.pop()
    return _shared(found)


def _shared(text: str) -> str:
    address = _address(text)
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_PREFIX), strict=False))
    return str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
