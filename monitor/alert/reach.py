"""Connections to addresses of the settings that must not lead inside: each resolved address is looked at before it is
connected to, so that a name cannot mean one address when it is checked and another one when it is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import NoticeProblem, SettingsProblem

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public addresses at which clouds answer questions about the machine that asks.
METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_inside(text: str) -> bool:
    """Whether an address is private, of this machine or link, of a cloud's metadata, or no address of one machine."""
    address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
    return not address.is_global or address.is_multicast or address in METADATA


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def connected(host: str, port: int, allow_private: bool, seconds: float) -> socket.socket:
    """A connection to a host, at an address that may be used.

    Raises:
        NoticeProblem: there is none, or nobody answers.
    """
    found = _addresses(host, port)
    usable = [one for one in found if allow_private or not is_inside(str(one[1][0]))]
    if not usable:
        raise NoticeProblem(
            f"{host} is at {found[0][1][0]}, which is inside (private, loopback, link-local or metadata): give another "
            "address, or set `allow_private` for this sink."
        )
    for family, place in usable:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(place)
        except OSError as refused:
            connection.close()
            problem = refused
        else:
            return connection
    raise NoticeProblem(f"{host} port {port} does not answer: {reason_of(problem)}.")


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise NoticeProblem(f"The host {host} is not known: {reason_of(unknown)}.") from None
    return [(family, place) for family, _, _, _, place in found]  # type: ignore[misc]


def reason_of(problem: Exception) -> str:
    """What a failed connection says, in a few words."""
    if isinstance(problem, TimeoutError | http.client.HTTPException | smtplib.SMTPServerDisconnected):
        return "it gave no whole answer in time"
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({problem.verify_message})"
    if isinstance(problem, ssl.SSLError):
        return f"no encryption could be agreed on ({problem.reason or 'no reason given'})"
    return str(getattr(problem, "strerror", None) or problem or type(problem).__name__).lower().rstrip(".")


def tls(ca_file: Path | None) -> ssl.SSLContext:
    """Encryption that checks the receiver's name.

    Raises:
        SettingsProblem: the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as problem:
        raise SettingsProblem(f"The authorities in {ca_file} cannot be used: {reason_of(problem)}.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def secret(file: Path) -> str:
    """The content of a file without the newline at its end, as it is now.

    Raises:
        SettingsProblem: it cannot be read, or is empty.
    """
    try:
        found = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as problem:
        why = (getattr(problem, "strerror", None) or "it is not text").lower()
        raise SettingsProblem(f"The secret in {file} cannot be read: {why}.") from None
    if not found:
        raise SettingsProblem(f"The secret in {file} is empty.")
    return found


@contextmanager
def at_most(seconds: float, connection: socket.socket) -> Iterator[None]:
    """Cut a connection off after so long, encrypted meanwhile or not, whatever trickles in over it."""
    same = connection.dup()
    cut = threading.Timer(seconds, _cut, (same,))
    cut.daemon = True
    cut.start()
    try:
        yield
    finally:
        cut.cancel()
        same.close()


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
