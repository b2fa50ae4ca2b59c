"""One POST to a URL of the settings: no proxy, no redirect, no address inside unless it is allowed, a time limit."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from monitor.alert import Receipt
from monitor.alert.reach import at_most, connected, reason_of, tls
from monitor.errors import NoticeProblem

ANSWER_BYTES_MAX = 65_536  # more is not read
RETRY_SECONDS_MAX = 3_600.0
REDIRECTS = range(300, 400)
ASKS_FOR_A_PAUSE = (429, 503)


class Target(NamedTuple):
    """Where to, and how."""

    url: str
    ca_file: Path | None
    allow_private: bool
    timeout_seconds: float

    @property
    def shown(self) -> str:
        """The address for people: what follows the host may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> Receipt:
    """Send a body; it has arrived if the answer is 200 to 299.

    Raises:
        NoticeProblem: nobody answers, or not in time.
        SettingsProblem: the file of authorities cannot be used.
    """
    parts = urlsplit(target.url)
    host, encrypted = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if encrypted else 80)
    context = tls(target.ca_file) if encrypted else None
    plain = connected(host, port, target.allow_private, target.timeout_seconds)
    connection = http.client.HTTPConnection(host, port)
    try:
        with at_most(target.timeout_seconds, plain):
            connection.sock = plain if context is None else context.wrap_socket(plain, server_hostname=host)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            answer.read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException) as problem:
        raise NoticeProblem(f"{target.shown} did not confirm what was sent: {reason_of(problem)}.") from None
    finally:
        connection.close()
        plain.close()
    return _receipt(target, answer)


def _receipt(target: Target, answer: http.client.HTTPResponse) -> Receipt:
    if 200 <= answer.status < 300:
        return Receipt()
    if answer.status in REDIRECTS:
        return Receipt(f"{target.shown} answers {answer.status} and points elsewhere: redirects are never followed.")
    pause = _pause(answer.headers.get("Retry-After", "")) if answer.status in ASKS_FOR_A_PAUSE else 0.0
    asks = f" and asks for a pause of {pause:.0f} seconds" if pause else ""
    return Receipt(f"{target.shown} answers {answer.status}{asks}: it has not taken what was sent.", pause)


def _pause(text: str) -> float:
    """The pause that a receiver asks for, in seconds; 0: none that could be read. A date is not."""
    return min(float(text), RETRY_SECONDS_MAX) if text.isascii() and text.isdigit() else 0.0
