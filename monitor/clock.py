"""The only place that reads the wall clock, and that asks for chance.

Everything else is given a `Clock`, or a `Secrets`, so that tests can turn the one by hand and know the other.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Protocol

SECRET_BYTES = 32

Secrets = Callable[[], str]  # -> one that nobody can guess


class Clock(Protocol):
    """What time it is."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z, as the wall clock has it; it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant; never goes back. For waiting and measuring, never for the books."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant."""
        return time.monotonic()


def new_secret() -> str:
    """A text that nobody can guess and that was never given before: 43 letters, digits, - and _."""
    return secrets.token_urlsafe(SECRET_BYTES)


def random_hex(count: int) -> str:
    """So many random bytes in hexadecimal digits, from the operating system: nobody can guess them."""
    return secrets.token_hex(count)
