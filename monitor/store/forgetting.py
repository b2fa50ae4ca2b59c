"""Forgetting somebody who used the console or the command line: what they did stays, under their hash."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, Connection, delete, func, or_, select, update

from monitor.core.audit import NAMED, Person, erased, personal_hash
from monitor.core.people import USER
from monitor.errors import PeopleProblem
from monitor.store.auditing import KINDS, append, erase, remember, salt_of
from monitor.store.database import Database
from monitor.store.rows import canonical_json
from monitor.store.schema import (
    CASE_LIVES,
    CASES,
    PEOPLE,
    PERSONAL,
    PROPOSAL_WAITS,
    PROPOSALS,
    SAID,
    SESSIONS,
    TOKENS,
    USERS,
)
from monitor.store.texts import original, storable


def forget_person(database: Database, name: str, reason: str, by: Person, at: int) -> int:
    """Erase somebody's account, and their name wherever it stands, however it is written; how many rows named them.

    Raises:
        PeopleProblem: nobody is known by it, their account is not disabled, or a case waits for them.
        StoreProblem: the database cannot be written; nothing has changed.
    """
    with database.writing() as connection:
        connection.execute(delete(SESSIONS).where(func.lower(SESSIONS.c.user) == name.lower()))
        forms = _forms(connection, name)
        _refuse(connection, name, forms, by)
        salt = salt_of(connection)
        instead = erased(personal_hash(salt, NAMED, name))
        named = sum(_rename(connection, column, forms, instead) for column in PEOPLE)
        named += sum(_rename_in(connection, column, forms, instead) for column in SAID)
        connection.execute(delete(TOKENS).where(TOKENS.c.user.in_(forms)))
        connection.execute(delete(USERS).where(USERS.c.name.in_(forms)))
        for kind in KINDS:
            for form in sorted(forms):
                erase(connection, personal_hash(salt, kind, form), at)
        actor, whom = remember(connection, by.kind, by.value), personal_hash(salt, USER, name)
        append(connection, at, actor, "user.erased", whom, {"reason": reason})
    return named


def _forms(connection: Connection, name: str) -> set[str]:
    """How a name is written wherever it stands, in upper or lower case."""
    wanted = name.casefold()
    people = (*PEOPLE, USERS.c.name)
    written = {one for column in people for one in connection.execute(select(column).distinct()).scalars() if one}
    kept = connection.execute(select(PERSONAL.c.value).where(PERSONAL.c.kind.in_(KINDS))).scalars()
    return {one for one in map(original, written | set(filter(None, kept))) if one.casefold() == wanted}


def _refuse(connection: Connection, name: str, forms: Collection[str], by: Person) -> None:
    if by.value.casefold() == name.casefold():
        raise PeopleProblem("Nobody erases themselves: let somebody else do it.")
    if not forms:
        raise PeopleProblem(f"Nobody is known here as {name}, or they were erased before.")
    active = select(USERS.c.name).where(USERS.c.name.in_(forms), USERS.c.disabled_at.is_(None))
    if connection.execute(active).first() is not None:
        raise PeopleProblem(f"{name} still has an account: disable it first, with `flopwatch users disable {name}`.")
    salt = salt_of(connection)
    hashes = [personal_hash(salt, NAMED, form) for form in sorted(forms)]
    proposed = select(PROPOSALS.c.number).where(PROPOSALS.c.proposed_by.in_(hashes), PROPOSAL_WAITS).limit(1)
    number = connection.execute(proposed).scalar()
    if number is not None:
        raise PeopleProblem(f"Proposal {number} of {name} waits for an answer: let somebody answer it first.")
    mine = _written(forms)
    waits = or_(*(column.in_(mine) for column in (CASES.c.assigned, CASES.c.claimed_by, CASES.c.proposed_by)))
    case = connection.execute(select(CASES.c.id).where(waits, CASE_LIVES).order_by(CASES.c.id).limit(1)).scalar()
    if case is not None:
        raise PeopleProblem(f"Case {case} waits for {name}: assign it to somebody else, or decide it, first.")


def _written(forms: Collection[str]) -> list[str]:
    return [storable(form) for form in sorted(forms)]


def _rename(connection: Connection, column: Column[Any], forms: Collection[str], instead: str) -> int:
    changed = update(column.table).where(column.in_(_written(forms))).values({column: instead})
    return connection.execute(changed).rowcount


def _rename_in(connection: Connection, column: Column[Any], forms: Collection[str], instead: str) -> int:
    """Put something else in the place of a name wherever it is a whole value of what was said."""
    keys = list(column.table.primary_key)
    within = func.strpos if connection.dialect.name == "postgresql" else func.instr
    quoting = or_(*(within(column, storable(canonical_json(form))) > 0 for form in sorted(forms)))
    changed = 0
    for *key, body in connection.execute(select(*keys, column).where(quoting)).all():
        said = json.loads(original(body))
        other = _replaced(said, forms, instead)
        if other != said:
            mine = [one == value for one, value in zip(keys, key, strict=True)]
            connection.execute(update(column.table).where(*mine).values({column: storable(canonical_json(other))}))
            changed += 1
    return changed


def _replaced(said: Any, forms: Collection[str], instead: str) -> Any:
    if isinstance(said, dict):
        return {name: _replaced(value, forms, instead) for name, value in said.items()}
    if isinstance(said, list):
        return [_replaced(value, forms, instead) for value in said]
    return instead if isinstance(said, str) and said in forms else said
