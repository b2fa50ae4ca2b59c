"""Passwords: what fits, what is kept, and how much work it is."""

from __future__ import annotations

import time

import pytest

from monitor.web.passwords import Passwords
from tests.web.browsing import CHEAP


def test_a_password_fits_its_hash_and_no_other() -> None:
    """The hash says how it was made, and differs each time."""
    passwords = Passwords(CHEAP)
    hashes = [passwords.hash("correct horse battery") for _ in range(2)]

    assert hashes[0] != hashes[1]
    assert ["$argon2id$v=19$"] * 2 == [hash[:15] for hash in hashes]
    assert [True, False] == [passwords.fits(text, hashes[0]) for text in ("correct horse battery", "correct horse")]


@pytest.mark.parametrize("hash", [None, "", "no hash", "$argon2id$v=19$m=8,t=1,p=1$AAAA"])
def test_what_is_no_hash_fits_nothing(hash: str | None) -> None:
    """Nobody's, and what was damaged; not even the text that stands in for it."""
    passwords = Passwords(CHEAP)

    assert [False, False] == [passwords.fits(text, hash) for text in ("", "the password of nobody")]


def test_letters_are_the_same_however_they_are_composed() -> None:
    """Keyboards differ in how they write an umlaut; half a character is no failure."""
    passwords = Passwords(CHEAP)

    assert passwords.fits("pa\u0308sswo\u0308rter", passwords.hash("p\u00e4ssw\u00f6rter"))
    assert passwords.fits("\ud800 and more", passwords.hash("\ud800 and more"))


def test_nobody_takes_as_long_as_somebody() -> None:
    """With the parameters that are used: a tenth of a second or so, whether there is an account or not."""
    passwords = Passwords()
    hash = passwords.hash("correct horse battery")
    took = []
    for one in (hash, None):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            passwords.fits("wrong horse battery", one)
            times.append(time.perf_counter() - began)
        took.append(min(times))

    assert "m=65536,t=3,p=4" in hash
    assert took[0] / 3 < took[1] < took[0] * 3
