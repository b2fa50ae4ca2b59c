"""Accounts, sessions and tokens of people and their programs, and who has failed to sign in.

Whatever changes an account, a session or a token adds a row to the audit in the same transaction: by whom, what, and of
whom. Sessions, tokens, and where tries to sign in came from are here as hashes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from monitor.core.audit import Person
from monitor.core.people import (
    FORGOTTEN_MS,
    TOKEN_ID_DIGITS,
    USER,
    Failures,
    Limits,
    Session,
    Token,
    User,
    remembered,
    token_id,
    wait_ms,
)
from monitor.core.roles import Permission, Role
from monitor.errors import PeopleProblem
from monitor.store.auditing import append, remember
from monitor.store.database import Database, connect, insert_new
from monitor.store.forgetting import forget_person
from monitor.store.schema import FAILED_SIGN_INS, SESSIONS, TOKENS, USERS

SESSIONS_MAX = 20  # of one person; the one not used for longest makes room

_OF_USER = (USERS.c.name, USERS.c.role, USERS.c.created_at, USERS.c.disabled_at, USERS.c.password)


class People:
    """The people of a store, for as many threads as ask."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        """Over a database that is this object's own."""
        self._database = database

    @staticmethod
    def open(url: str, create: bool = True) -> People:
        """The people of the store at a URL.

        Raises:
            StoreProblem: it cannot be opened.
        """
        return People(connect(url, create))

    def close(self) -> None:
        """Let go of the database."""
        self._database.engine.dispose()

    # -- accounts ----------------------------------------------------------------------------------------------------

    def users(self, after: str = "", limit: int | None = None) -> list[User]:
        """Everybody by name, or so many of those whose names come after this one."""
        query = select(*_OF_USER).where(USERS.c.name > after).order_by(USERS.c.name).limit(limit)
        with self._database.reading() as connection:
            return [_user(row) for row in connection.execute(query)]

    def user(self, name: str) -> tuple[User, str | None] | None:
        """Somebody, and the hash of their password; None: there is no such account."""
        with self._database.reading() as connection:
            row = connection.execute(select(*_OF_USER).where(USERS.c.name == name)).first()
        return None if row is None else (_user(row), row.password)

    def add_user(self, name: str, role: Role, password: str | None, by: Person, at: int) -> None:
        """Make an account, with the hash of a password or without one.

        Raises:
            PeopleProblem: there is one of this name.
        """
        row = {"name": name, "role": role.value, "password": password, "created_at": at, "disabled_at": None}
        with self._database.writing() as connection:
            made = insert_new(self._database, USERS).values(row).returning(USERS.c.name)
            if connection.execute(made).first() is None:
                raise PeopleProblem(f"There is a user {name} already: choose another name, or change that account.")
            _audit(connection, at, by, "user.added", name, {"role": role.value, "password": password is not None})

    def set_role(self, name: str, role: Role, by: Person, at: int) -> None:
        """Give somebody another role; it holds from their next request on.

        Raises:
            PeopleProblem: there is no such account.
        """
        with self._database.writing() as connection:
            _must_be(connection, update(USERS).where(USERS.c.name == name).values(role=role.value), name)
            _audit(connection, at, by, "user.role_changed", name, {"role": role.value})

    def disable(self, name: str, by: Person, at: int) -> None:
        """Let somebody in no longer; who is in is out at once.

        Raises:
            PeopleProblem: there is no such account.
        """
        with self._database.writing() as connection:
            _must_be(connection, update(USERS).where(USERS.c.name == name).values(disabled_at=at), name)
            connection.execute(delete(SESSIONS).where(SESSIONS.c.user == name))
            _audit(connection, at, by, "user.disabled", name, {})

    def enable(self, name: str, by: Person, at: int) -> None:
        """Let somebody in again.

        Raises:
            PeopleProblem: there is no such account.
        """
        with self._database.writing() as connection:
            _must_be(connection, update(USERS).where(USERS.c.name == name).values(disabled_at=None), name)
            _audit(connection, at, by, "user.enabled", name, {})

    def erase(self, name: str, reason: str, by: Person, at: int) -> int:
        """Forget somebody: see `forget_person`."""
        return forget_person(self._database, name, reason, by, at)

    def set_password(self, name: str, password: str, by: Person, at: int) -> None:
        """Give somebody another password, by its hash; all their sessions end.

        Raises:
            PeopleProblem: there is no such account.
        """
        with self._database.writing() as connection:
            _must_be(connection, update(USERS).where(USERS.c.name == name).values(password=password), name)
            connection.execute(delete(SESSIONS).where(SESSIONS.c.user == name))
            _audit(connection, at, by, "user.password_changed", name, {})

    # -- sessions ----------------------------------------------------------------------------------------------------

    def begin_session(self, hash: str, user: str, at: int, limits: Limits) -> None:
        """Let somebody in; sessions that no longer stand go, and of one person the oldest beyond the maximum."""
        table = SESSIONS.c
        over = or_(table.seen_at <= at - limits.idle_ms, table.created_at <= at - limits.whole_ms)
        with self._database.writing() as connection:
            connection.execute(delete(SESSIONS).where(over))
            row = {"hash": hash, "user": user, "created_at": at, "seen_at": at}
            connection.execute(SESSIONS.insert(), row)
            latest = select(table.hash).where(table.user == user, table.hash != hash)
            latest = latest.order_by(table.seen_at.desc()).limit(SESSIONS_MAX - 1)
            kept = [*connection.execute(latest).scalars(), hash]
            connection.execute(delete(SESSIONS).where(table.user == user, table.hash.not_in(kept)))
            _audit(connection, at, Person(USER, user), "user.signed_in", user, {})

    def session(self, hash: str) -> Session | None:
        """The session of a hash, with its person as of now; None: there is none. It may no longer stand."""
        query = select(*_OF_USER, SESSIONS.c.created_at.label("began_at"), SESSIONS.c.seen_at)
        query = query.join_from(SESSIONS, USERS, SESSIONS.c.user == USERS.c.name).where(SESSIONS.c.hash == hash)
        row = self._first(query)
        return None if row is None else Session(_user(row), row.began_at, row.seen_at)

    def see_session(self, hash: str, at: int) -> None:
        """Note that a session was used."""
        with self._database.writing() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.hash == hash).values(seen_at=at))

    def end_session(self, hash: str, user: str, at: int) -> None:
        """Let somebody out."""
        with self._database.writing() as connection:
            if connection.execute(delete(SESSIONS).where(SESSIONS.c.hash == hash)).rowcount:
                _audit(connection, at, Person(USER, user), "user.signed_out", user, {})

    # -- tokens ------------------------------------------------------------------------------------------------------

    def add_token(self, hash: str, token: Token, by: Person) -> None:
        """Let a program in for somebody.

        Raises:
            PeopleProblem: there is no such person.
        """
        row = {
            "hash": hash,
            "user": token.user.name,
            "label": token.label,
            "scopes": " ".join(sorted(token.scopes)),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "used_at": None,
        }
        with self._database.writing() as connection:
            connection.execute(TOKENS.insert(), row)
            body = {"token": token.id, "scopes": sorted(token.scopes), "expires_at": token.expires_at}
            _audit(connection, token.created_at, by, "token.added", token.user.name, body)

    def token(self, hash: str) -> Token | None:
        """The token of a hash, with its person as of now; None: there is none. It may no longer stand."""
        row = self._first(_of_tokens().where(TOKENS.c.hash == hash))
        return None if row is None else _token(row)

    def tokens(self, user: str | None = None) -> list[Token]:
        """The tokens of somebody, or of everybody, those that run out first at the beginning."""
        query = _of_tokens().order_by(TOKENS.c.expires_at, TOKENS.c.hash)
        with self._database.reading() as connection:
            found = connection.execute(query if user is None else query.where(TOKENS.c.user == user))
            return [_token(row) for row in found]

    def use_token(self, hash: str, at: int) -> None:
        """Note that a token was used."""
        with self._database.writing() as connection:
            connection.execute(update(TOKENS).where(TOKENS.c.hash == hash).values(used_at=at))

    def revoke_token(self, id: str, user: str | None, by: Person, at: int) -> None:
        """Let a program in no longer, by the token's id; with `user`, only if it is theirs.

        Raises:
            PeopleProblem: there is no such token, or not of this person.
        """
        named = func.substr(TOKENS.c.hash, 1, TOKEN_ID_DIGITS) == id
        if user is not None:
            named &= TOKENS.c.user == user
        with self._database.writing() as connection:
            owners = list(connection.execute(delete(TOKENS).where(named).returning(TOKENS.c.user)).scalars())
            if not owners:
                raise PeopleProblem("There is no such token: the list of tokens has the ids of those that there are.")
            _audit(connection, at, by, "token.revoked", owners[0], {"token": id})

    # -- tries to sign in --------------------------------------------------------------------------------------------

    def try_to_sign_in(self, free: Mapping[str, int], at: int) -> int:
        """How many milliseconds somebody must wait; if none, a try is counted as failed until it is forgiven.

        So tries that are made at once are all counted. `free`: where this one comes from, and how many may fail there.
        """
        table = FAILED_SIGN_INS.c
        query = select(*FAILED_SIGN_INS.columns).where(table.origin.in_(free)).order_by(table.origin)
        with self._database.writing() as connection:
            connection.execute(delete(FAILED_SIGN_INS).where(table.latest_at <= at - FORGOTTEN_MS))
            if self._database.shared:
                query = query.with_for_update()
            found = {row.origin: Failures(row.tries, row.latest_at) for row in connection.execute(query)}
            wait = max((wait_ms(failures, free[origin], at) for origin, failures in found.items()), default=0)
            if wait == 0:
                for origin in sorted(free):
                    connection.execute(self._one_more(origin, found.get(origin), at))
        return wait

    def forgive(self, account: str, address: str) -> None:
        """Somebody has signed in: their account has no failures, and the address one less.

        Not none: who has an account of their own would try others from there for ever.
        """
        table = FAILED_SIGN_INS.c
        with self._database.writing() as connection:
            connection.execute(delete(FAILED_SIGN_INS).where(table.origin == account))
            connection.execute(update(FAILED_SIGN_INS).where(table.origin == address).values(tries=table.tries - 1))

    def _one_more(self, origin: str, before: Failures | None, at: int) -> postgresql.Insert | sqlite.Insert:
        """Count a failure; of an origin that was new when we looked, somebody else may have counted one meanwhile."""
        insert = postgresql.insert if self._database.shared else sqlite.insert
        statement = insert(FAILED_SIGN_INS).values(origin=origin, tries=1, latest_at=at)
        tries = FAILED_SIGN_INS.c.tries + 1 if before is None else remembered(before, at) + 1
        return statement.on_conflict_do_update(index_elements=["origin"], set_={"tries": tries, "latest_at": at})

    # -- what these share --------------------------------------------------------------------------------------------

    def _first(self, query: Select[Any]) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(query).first()


def _audit(connection: Connection, at: int, by: Person, act: str, whom: str, body: Mapping[str, object]) -> None:
    """Add what was done of whom to the audit, as the last of what a transaction writes."""
    append(connection, at, remember(connection, by.kind, by.value), act, remember(connection, USER, whom), body)


def _user(row: Any) -> User:
    return User(row.name, Role(row.role), row.created_at, row.disabled_at, row.password is not None)


def _of_tokens() -> Select[Any]:
    columns = (TOKENS.c.hash, TOKENS.c.label, TOKENS.c.scopes, TOKENS.c.expires_at, TOKENS.c.used_at)
    query = select(*_OF_USER, *columns, TOKENS.c.created_at.label("made_at"))
    return query.join_from(TOKENS, USERS, TOKENS.c.user == USERS.c.name)


def _token(row: Any) -> Token:
    scopes = frozenset(Permission(one) for one in row.scopes.split())
    return Token(token_id(row.hash), _user(row), row.label, scopes, row.made_at, row.expires_at, row.used_at)


def _must_be(connection: Connection, change: Update, name: str) -> None:
    if connection.execute(change).rowcount == 0:
        raise PeopleProblem(f"There is no user {name}: `flopwatch users list` has the names of those that there are.")
