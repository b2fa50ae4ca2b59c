"""Exports in the store: who proposed what for whom, and what counsel said.

Each step adds a row to the audit in the same transaction. That whoever releases is not who proposed, and that nothing
goes to a government without counsel, are constraints of the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from monitor.core.audit import Person
from monitor.core.exports import Export, Handover, RecipientKind, Template, Verdict, not_ready
from monitor.core.roles import PERMISSIONS, Permission, Role
from monitor.errors import ExportProblem
from monitor.store.auditing import append, remember, resolve
from monitor.store.database import Database
from monitor.store.schema import EXPORT_WAITS, EXPORTS, USERS
from monitor.store.texts import original, storable

EXPORTED = {"case": "evidence.exported", "table": "table.exported"}  # what the audit calls it, by what it is
# What the table refuses, by the name of the constraint -> as a sentence.
REFUSED = (
    (
        "exports_other_person",
        "Whoever proposed an export cannot release or refuse it: it takes another person, and the store refuses the "
        "same.",
    ),
    ("exports_counsel", "What goes to a government is released by counsel, as a second person."),
)


class Exports:
    """The exports of a store."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(self, handover: Handover, by: Person, at: int) -> Export:
        """Write down what somebody wants to export; what takes no second person is released with it.

        Raises:
            StoreProblem: the database cannot be written.
        """
        released = None if handover.waits else Verdict.RELEASED
        with self._database.writing() as connection:
            person = remember(connection, by.kind, by.value)
            row = {
                **{name: storable(str(value)) for name, value in handover._asdict().items()},
                "proposed_by": person,
                "proposed_at": at,
                "verdict": released,
                "why": "",
            }
            number = connection.execute(insert(EXPORTS).values(row).returning(EXPORTS.c.number)).scalar_one()
            append(connection, at, person, "export.proposed", handover.what, _body(number, handover))
        return Export(number, handover, by.value, at, None, None, released, "")

    def answer(self, number: int, by: Person, at: int, verdict: Verdict, why: str = "") -> Export:
        """Release or refuse an export, as counsel.

        Raises:
            ExportProblem: there is none that waits, whoever answers proposed it or is not counsel, or a refusal has
                no reason.
            StoreProblem: the database cannot be written.
        """
        if verdict is Verdict.REFUSED and not why.strip():
            raise ExportProblem("Whoever refuses an export says why.")
        with self._database.writing() as connection, _refusals():
            person = remember(connection, by.kind, by.value)
            found = _one(connection, number)
            if found.verdict is not None:
                raise ExportProblem(f"Export {number} does not wait for counsel: it is {found.verdict}.")
            _must_be_counsel(connection, by)
            if found.proposed_by.casefold() == by.value.casefold():  # a person has another hash by each kind of name
                proposed_by = select(EXPORTS.c.proposed_by).where(EXPORTS.c.number == number)
                answerer = connection.execute(proposed_by).scalar_one()
            else:
                answerer = person
            row = {"answered_by": answerer, "answered_at": at, "verdict": verdict, "why": storable(why.strip())}
            waiting = update(EXPORTS).where(EXPORTS.c.number == number, EXPORT_WAITS)
            if connection.execute(waiting.values(row)).rowcount == 0:
                raise ExportProblem(f"Somebody else has answered export {number}: look at it again.")
            body = {**_body(number, found.handover), "why": why.strip()}
            append(connection, at, person, f"export.{verdict}", found.handover.what, body)
        return found._replace(answered_by=by.value, answered_at=at, verdict=verdict, why=why.strip())

    def hand_over(self, number: int, by: Person, at: int, digest: str) -> None:
        """Write down that an export is made and given to somebody; `digest`: the SHA-256 of what was given.

        Raises:
            ExportProblem: there is none, or it is not released.
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            person = remember(connection, by.kind, by.value)
            found = _one(connection, number)
            wrong = not_ready(found, at)
            if wrong is not None:
                raise ExportProblem(wrong)
            body = {**_body(number, found.handover), "digest": digest}
            append(connection, at, person, EXPORTED[found.handover.kind], found.handover.what, body)

    def export(self, number: int) -> Export:
        """One export.

        Raises:
            ExportProblem: there is none of that number.
        """
        with self._database.reading() as connection:
            return _one(connection, number)

    def latest(self, limit: int) -> list[Export]:
        """Exports, those that wait for counsel first, then the latest."""
        table = EXPORTS.c
        query = select(*EXPORTS.columns).order_by(table.verdict.is_not(None), table.number.desc()).limit(limit)
        with self._database.reading() as connection:
            return _exports(connection, connection.execute(query).all())


def _must_be_counsel(connection: Connection, by: Person) -> None:
    """Whoever releases has an account that says so, at whatever place they do it."""
    found = select(USERS.c.role).where(USERS.c.name == storable(by.value), USERS.c.disabled_at.is_(None))
    role = connection.execute(found).scalar()
    if role is None or Permission.RELEASE not in PERMISSIONS[Role(role)]:
        raise ExportProblem(
            f"{by.value} is not counsel: an export to a government is released or refused by somebody whose account "
            "has the role counsel."
        )


def _one(connection: Connection, number: int) -> Export:
    query = select(*EXPORTS.columns).where(EXPORTS.c.number == number)
    found = _exports(connection, connection.execute(query).all()) if 0 < number < 2**31 else []
    if not found:
        raise ExportProblem(f"There is no export {number}; `flopwatch exports` lists them.")
    return found[0]


def _exports(connection: Connection, rows: Sequence[Any]) -> list[Export]:
    hashes = {hash for row in rows for hash in (row.proposed_by, row.answered_by) if hash is not None}
    names = {hash: personal.value or personal.shown for hash, personal in resolve(connection, hashes).items()}
    return [
        Export(
            row.number,
            Handover(
                row.kind, original(row.what), row.format, Template(row.template), RecipientKind(row.recipient_kind),
                original(row.recipient), original(row.legal_basis),
            ),
            names[row.proposed_by],
            row.proposed_at,
            None if row.answered_by is None else names[row.answered_by],
            row.answered_at,
            None if row.verdict is None else Verdict(row.verdict),
            original(row.why),
        )
        for row in rows
    ]  # fmt: skip


def _body(number: int, handover: Handover) -> Mapping[str, object]:
    return {"export": number, **{name: str(value) for name, value in handover._asdict().items()}}


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except IntegrityError as refused:
        said = str(refused.orig)
        for name, text in REFUSED:
            if name in said:
                raise ExportProblem(text) from None
        raise
