"""People who use the console: their accounts, how long sessions and tokens stand, and who must wait to sign in.

Everything here follows from rows and the time that is given; what is secret is known by its SHA-256 only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS
from monitor.core.roles import Permission, Role

USER = "user"  # the kind of name that an account has in the audit
MINUTE_MS = 60 * SECOND_MS
NAME = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,63}")
LABEL_CHARACTERS_MAX = 100
PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MAX = 12, 200
PASSWORD_KINDS_MIN = 5  # different characters
TOKEN_DAYS_MAX = 366
TOKENS_MAX = 50  # of one person
TOKEN_ID_DIGITS = 12  # of its hash

# Tries that may fail before anybody waits: of one account, and from one address, which many people may share.
ACCOUNT_TRIES, ADDRESS_TRIES = 5, 20
WAIT_MS_MAX = 15 * MINUTE_MS
LEAK_MS = 10 * MINUTE_MS  # in which one failure is forgotten: an office behind one address fails now and then
FORGOTTEN_MS = DAY_MS  # without another failure, however many there were


class User(NamedTuple):
    """Somebody's account. `local`: it has a password; without one, only a trusted proxy lets them in."""

    name: str
    role: Role
    created_at: int
    disabled_at: int | None
    local: bool


class Limits(NamedTuple):
    """How long a session stands, in milliseconds: without a request, and altogether."""

    idle_ms: int = 30 * MINUTE_MS
    whole_ms: int = 12 * HOUR_MS


class Session(NamedTuple):
    """Somebody who has signed in, as of when they did and of their latest request."""

    user: User
    created_at: int
    seen_at: int


class Token(NamedTuple):
    """What a program signs in with. `id` is a part of the hash, for people to name it by."""

    id: str
    user: User
    label: str
    scopes: frozenset[Permission]
    created_at: int
    expires_at: int
    used_at: int | None


class Failures(NamedTuple):
    """Tries to sign in that failed, of one account or from one address: how many, and when the latest was."""

    tries: int
    latest_at: int


def name_problem(name: str) -> str | None:
    """Why nobody can be called this; None: somebody can."""
    if NAME.fullmatch(name):
        return None
    return (
        "A name has 1 to 64 small letters, digits and the signs . _ + @ -, and begins with a letter or a digit: "
        "choose another one."
    )


def password_problem(password: str, name: str) -> str | None:
    """Why this is no password for that person; None: it is one."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        return f"A password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters: choose another one."
    if len(set(password)) < PASSWORD_KINDS_MIN:
        return f"A password has at least {PASSWORD_KINDS_MIN} different characters: choose another one."
    if name in password.lower():
        return "A password does not have the person's name in it: choose another one."
    return None


def label_problem(label: str) -> str | None:
    """Why a token cannot be called this; None: it can."""
    if 1 <= len(label) <= LABEL_CHARACTERS_MAX and label.isprintable() and label.strip() == label:
        return None
    return f"Say in 1 to {LABEL_CHARACTERS_MAX} characters, without line breaks, what the token is for."


def token_id(hash: str) -> str:
    """What people call the token of a hash."""
    return hash[:TOKEN_ID_DIGITS]


def session_stands(session: Session, now: int, limits: Limits) -> bool:
    """Whether somebody is still signed in. A clock that was set back ends no session."""
    fresh = now - session.seen_at < limits.idle_ms and now - session.created_at < limits.whole_ms
    return fresh and session.user.disabled_at is None


def token_stands(token: Token, now: int) -> bool:
    """Whether a token still lets a program in."""
    return now < token.expires_at and token.user.disabled_at is None


def remembered(failures: Failures, now: int) -> int:
    """How many failures still count."""
    return max(0, failures.tries - max(0, now - failures.latest_at) // LEAK_MS)


def wait_ms(failures: Failures, free: int, now: int) -> int:
    """How long nobody may try again, in milliseconds: nothing for the `free` tries, then twice as long after each."""
    if remembered(failures, now) < free:
        return 0
    doubled = SECOND_MS << min(failures.tries - free, 20)
    return max(0, failures.latest_at + min(doubled, WAIT_MS_MAX) - now)
