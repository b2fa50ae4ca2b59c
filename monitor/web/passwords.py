"""Passwords, as argon2 keeps them. Each costs memory and a tenth of a second, so few are looked at at once."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 4  # each takes 64 MiB
NOBODYS = "the password of nobody"


class Passwords:
    """Makes hashes of passwords and compares with them; the same work where there is nothing to compare with."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher` says how much work it is; the default is what RFC 9106 recommends where memory is scarce."""
        self._hasher = hasher or PasswordHasher()
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._nobodys = self.hash(NOBODYS)

    def hash(self, password: str) -> str:
        """The hash of a password, with its salt and how it was made."""
        with self._free:
            return self._hasher.hash(_bytes(password))

    def fits(self, password: str, hash: str | None) -> bool:
        """Whether this is the password of a hash; None: of nobody, which takes as long and is never so."""
        with self._free:
            try:
                self._hasher.verify(self._nobodys if hash is None else hash, _bytes(password))
            except (VerificationError, InvalidHashError):
                return False
        return hash is not None


def _bytes(password: str) -> bytes:
    """One password however its letters were composed; a terminal may have given what is no text."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
