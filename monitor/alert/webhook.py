"""Messages to a URL, signed: whoever knows the key can tell that they are ours, whole, and not old.

Headers: `Flopwatch-Message`, the id, the same if a message comes again; `Flopwatch-Signature`, `t=SECONDS,v1=HEX`,
where HEX is the HMAC-SHA-256 of the seconds since 1970, a full stop and the body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

from monitor.alert import Receipt
from monitor.alert.posting import Target, post
from monitor.alert.reach import secret, tls
from monitor.clock import Clock
from monitor.core.model import SECOND_MS
from monitor.core.notices import Message, document
from monitor.settings import WebhookSink
from monitor.store import Standing

MESSAGE, SIGNATURE = "Flopwatch-Message", "Flopwatch-Signature"


class Webhook:
    """A URL that takes messages as JSON."""

    forgets = False

    def __init__(self, settings: WebhookSink, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._target = Target(settings.url, settings.ca_file, settings.allow_private, settings.timeout_seconds)

    def check(self) -> None:
        """Look at the files of the settings; nothing is sent.

        Raises:
            SettingsProblem: one of them cannot be used.
        """
        secret(self._settings.key_file)
        tls(self._settings.ca_file)

    def send(self, message: Message) -> Receipt:
        """Send one, and wait for the answer."""
        body = json.dumps(document(message)).encode()
        seconds = self._clock.now_ms() // SECOND_MS
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "flopwatch",
            MESSAGE: message.id,
            SIGNATURE: signature(secret(self._settings.key_file), seconds, body),
        }
        return post(self._target, body, headers)

    def keep(self, standing: Sequence[Standing], now: int) -> None:
        """A URL forgets nothing: nothing is said again."""

    def close(self) -> None:
        """There is a connection for each message, which ends with it."""


def signature(key: str, seconds: int, body: bytes) -> str:
    """The value of the header."""
    signed = f"{seconds}.".encode() + body
    return f"t={seconds},v1={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}"
