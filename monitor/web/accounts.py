"""What is done with accounts, sessions and tokens: the same for the command line and the console."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from monitor.clock import Clock, Secrets
from monitor.core.audit import Person
from monitor.core.model import DAY_MS
from monitor.core.people import (
    ACCOUNT_TRIES,
    ADDRESS_TRIES,
    TOKEN_DAYS_MAX,
    TOKENS_MAX,
    USER,
    Limits,
    Session,
    Token,
    User,
    label_problem,
    name_problem,
    password_problem,
    session_stands,
    token_id,
    token_stands,
)
from monitor.core.roles import SCOPES, Permission, Role
from monitor.errors import PeopleProblem, StoreProblem
from monitor.web.passwords import Passwords

SEEN_EVERY_MS = 60_000  # a session or token in use is written this often, not at every request
TOKEN_PREFIX = "flopwatch_"  # by which scanners of code find one that was left there


class PeopleStore(Protocol):
    """The people of a store, as `monitor.store.people` keeps them."""

    def users(self, after: str = "", limit: int | None = None) -> list[User]:
        """Everybody by name, or so many of those whose names come after this one."""
        ...

    def user(self, name: str) -> tuple[User, str | None] | None:
        """Somebody, and the hash of their password."""
        ...

    def add_user(self, name: str, role: Role, password: str | None, by: Person, at: int) -> None:
        """Make an account."""
        ...

    def set_role(self, name: str, role: Role, by: Person, at: int) -> None:
        """Give somebody another role."""
        ...

    def disable(self, name: str, by: Person, at: int) -> None:
        """Let somebody in no longer."""
        ...

    def enable(self, name: str, by: Person, at: int) -> None:
        """Let somebody in again."""
        ...

    def erase(self, name: str, reason: str, by: Person, at: int) -> int:
        """Forget somebody who has no account any more, or a disabled one."""
        ...

    def set_password(self, name: str, password: str, by: Person, at: int) -> None:
        """Give somebody another password; all their sessions end."""
        ...

    def begin_session(self, hash: str, user: str, at: int, limits: Limits) -> None:
        """Let somebody in."""
        ...

    def session(self, hash: str) -> Session | None:
        """The session of a hash."""
        ...

    def see_session(self, hash: str, at: int) -> None:
        """Note that a session was used."""
        ...

    def end_session(self, hash: str, user: str, at: int) -> None:
        """Let somebody out."""
        ...

    def add_token(self, hash: str, token: Token, by: Person) -> None:
        """Let a program in for somebody."""
        ...

    def token(self, hash: str) -> Token | None:
        """The token of a hash."""
        ...

    def tokens(self, user: str | None = None) -> list[Token]:
        """The tokens of somebody, or of everybody."""
        ...

    def use_token(self, hash: str, at: int) -> None:
        """Note that a token was used."""
        ...

    def revoke_token(self, id: str, user: str | None, by: Person, at: int) -> None:
        """Let a program in no longer."""
        ...

    def try_to_sign_in(self, free: Mapping[str, int], at: int) -> int:
        """How many milliseconds somebody must wait; if none, count a failure."""
        ...

    def forgive(self, account: str, address: str) -> None:
        """Take that failure back."""
        ...


class Tried(NamedTuple):
    """What became of a try to sign in: the secret of a new session, or how many milliseconds to wait, or neither."""

    session: str | None
    wait_ms: int = 0


class Made(NamedTuple):
    """A new token, and the secret that is shown once."""

    token: Token
    secret: str


class Accounts:
    """Accounts, sessions and tokens over the people of a store."""

    def __init__(
        self,
        people: PeopleStore,
        passwords: Passwords,
        clock: Clock,
        secrets: Secrets,
        limits: Limits | None = None,
    ) -> None:
        self._people = people
        self._passwords = passwords
        self._clock = clock
        self._secrets = secrets
        self._limits = limits or Limits()

    # -- accounts ----------------------------------------------------------------------------------------------------

    def users(self, after: str = "", limit: int | None = None) -> list[User]:
        """Everybody by name, or so many of those whose names come after this one."""
        return self._people.users(after, limit)

    def user(self, name: str) -> User | None:
        """Somebody; None: there is no such account."""
        found = self._people.user(name)
        return None if found is None else found[0]

    def add(self, name: str, role: Role, password: str | None, by: Person) -> None:
        """Make an account; without a password, for whom a trusted proxy lets in.

        Raises:
            PeopleProblem: there is one of this name, or nobody can have this name or password.
        """
        _refuse(name_problem(name))
        hashed = None if password is None else self._hashed(name, password)
        self._people.add_user(name, role, hashed, by, self._clock.now_ms())

    def add_with_new_password(self, name: str, role: Role, by: Person) -> str:
        """Make an account with a password of chance, which is told this once.

        Raises:
            PeopleProblem: there is one of this name, or nobody can have it.
        """
        password = self._secrets()
        self.add(name, role, password, by)
        return password

    def set_role(self, name: str, role: Role, by: Person) -> None:
        """Give somebody another role; nobody gives themselves one.

        Raises:
            PeopleProblem: there is no such account, or it is their own.
        """
        self._refuse_own(name, by, "Nobody changes their own role")
        self._people.set_role(name, role, by, self._clock.now_ms())

    def disable(self, name: str, by: Person) -> None:
        """Let somebody in no longer.

        Raises:
            PeopleProblem: there is no such account, or it is their own.
        """
        self._refuse_own(name, by, "Nobody locks themselves out")
        self._people.disable(name, by, self._clock.now_ms())

    def enable(self, name: str, by: Person) -> None:
        """Let somebody in again.

        Raises:
            PeopleProblem: there is no such account.
        """
        self._people.enable(name, by, self._clock.now_ms())

    def erase(self, name: str, reason: str, by: Person) -> int:
        """Forget somebody who has left: their account, and their name wherever it stands; how many rows named them.

        Raises:
            PeopleProblem: nobody is known by it, their account is not disabled, or a case waits for them.
        """
        return self._people.erase(name, reason, by, self._clock.now_ms())

    def set_password(self, name: str, password: str, by: Person) -> None:
        """Give somebody another password; all their sessions end.

        Raises:
            PeopleProblem: there is no such account, or it is no password.
        """
        self._people.set_password(name, self._hashed(name, password), by, self._clock.now_ms())

    def set_new_password(self, name: str, by: Person) -> str:
        """Give somebody a password of chance, which is told this once; all their sessions end.

        Raises:
            PeopleProblem: there is no such account.
        """
        password = self._secrets()
        self.set_password(name, password, by)
        return password

    def change_password(self, name: str, current: str, new: str, address: str) -> Tried:
        """Give oneself another password, knowing the present one; all other sessions end.

        Raises:
            PeopleProblem: it is no password.
        """
        user, wait = self._who_knows(name, current, address)
        if user is None:
            return Tried(None, wait)
        self.set_password(name, new, Person(USER, name))
        return Tried(self.begin_session(name))

    def _hashed(self, name: str, password: str) -> str:
        _refuse(password_problem(password, name))
        return self._passwords.hash(password)

    def _refuse_own(self, name: str, by: Person, what: str) -> None:
        if by == Person(USER, name):
            raise PeopleProblem(f"{what}: ask another administrator, or use `flopwatch users`.")

    # -- sessions ----------------------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, address: str) -> Tried:
        """Let somebody in who knows the password, unless too many tries have failed.

        It takes as long for whom there is no account, whose account is disabled, and who has no password.
        """
        user, wait = self._who_knows(name, password, address)
        return Tried(None, wait) if user is None else Tried(self.begin_session(user.name))

    def _who_knows(self, name: str, password: str, address: str) -> tuple[User | None, int]:
        """Whose password it is, or else how many milliseconds to wait before another try counts."""
        account, origin = _digest(f"account {name}"), _digest(f"address {address}")
        free = {account: ACCOUNT_TRIES, origin: ADDRESS_TRIES}
        wait = self._people.try_to_sign_in(free, self._clock.now_ms())
        if wait:
            return None, wait
        found = self._people.user(name)
        fits = self._passwords.fits(password, None if found is None else found[1])
        if not fits or found is None or found[0].disabled_at is not None:
            return None, 0
        self._people.forgive(account, origin)
        return found[0], 0

    def let_in(self, name: str) -> str | None:
        """The secret of a new session for somebody whom a trusted proxy names; None: they have no account."""
        user = self.user(name)
        return None if user is None or user.disabled_at is not None else self.begin_session(name)

    def begin_session(self, name: str) -> str:
        """The secret of a new session of somebody."""
        secret = self._secrets()
        self._people.begin_session(_digest(secret), name, self._clock.now_ms(), self._limits)
        return secret

    def session(self, secret: str) -> Session | None:
        """The session of a secret, if it stands; it counts as used now."""
        now, hash = self._clock.now_ms(), _digest(secret)
        found = self._people.session(hash)
        if found is None or not session_stands(found, now, self._limits):
            return None
        if now - found.seen_at >= min(SEEN_EVERY_MS, self._limits.idle_ms // 2):
            with suppress(StoreProblem):  # a busy store lets people read; the next request writes it
                self._people.see_session(hash, now)
        return found

    def end_session(self, secret: str) -> None:
        """Let somebody out, if they are in."""
        hash = _digest(secret)
        found = self._people.session(hash)
        if found is not None:
            self._people.end_session(hash, found.user.name, self._clock.now_ms())

    # -- tokens ------------------------------------------------------------------------------------------------------

    def tokens(self, user: str | None = None) -> list[Token]:
        """The tokens of somebody, or of everybody."""
        return self._people.tokens(user)

    def add_token(self, name: str, label: str, scopes: Collection[Permission], days: int, by: Person) -> Made:
        """Let a program in for somebody, for so many days.

        Raises:
            PeopleProblem: there is no such person, or a token cannot be so.
        """
        _refuse(label_problem(label))
        if not scopes or not SCOPES.issuperset(scopes):
            raise PeopleProblem(f"A token needs scopes, each of them one of {', '.join(sorted(SCOPES))}.")
        if not 1 <= days <= TOKEN_DAYS_MAX:
            raise PeopleProblem(f"A token stands for 1 to {TOKEN_DAYS_MAX} days.")
        user = self.user(name)
        if user is None:
            raise PeopleProblem(
                f"There is no user {name}: `flopwatch users list` has the names of those that there are."
            )
        if len(self.tokens(name)) >= TOKENS_MAX:
            raise PeopleProblem(f"{name} has {TOKENS_MAX} tokens: revoke those that are over or not in use.")
        secret, now = TOKEN_PREFIX + self._secrets(), self._clock.now_ms()
        hash = _digest(secret)
        token = Token(token_id(hash), user, label, frozenset(scopes), now, now + days * DAY_MS, None)
        self._people.add_token(hash, token, by)
        return Made(token, secret)

    def token(self, secret: str) -> Token | None:
        """The token of a secret, if it stands; it counts as used now."""
        now, hash = self._clock.now_ms(), _digest(secret)
        found = self._people.token(hash)
        if found is None or not token_stands(found, now):
            return None
        if found.used_at is None or now - found.used_at >= SEEN_EVERY_MS:
            with suppress(StoreProblem):
                self._people.use_token(hash, now)
        return found

    def revoke_token(self, id: str, user: str | None, by: Person) -> None:
        """Let a program in no longer; with `user`, only if the token is theirs.

        Raises:
            PeopleProblem: there is no such token.
        """
        self._people.revoke_token(id, user, by, self._clock.now_ms())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise PeopleProblem(problem)
