"""Proposals in the store: what one person proposes is decided once another one approves it, in one transaction.

That two people are two is a constraint of the table, whose people are hashes: whoever is erased stays who they were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from monitor.core.audit import NAMED, Person
from monitor.core.cases import APPROVED, REFUSED, WITHDRAWN
from monitor.errors import ProposalProblem
from monitor.store.auditing import append, append_decision, remember, resolve, without_names
from monitor.store.case_rows import Proposal
from monitor.store.commit import DECISION, JournalEntry
from monitor.store.database import Database
from monitor.store.rows import canonical_json
from monitor.store.schema import PROPOSAL_WAITS, PROPOSALS
from monitor.store.texts import original, storable
from monitor.store.writing import Writer

SAME = "Whoever proposed this cannot approve or refuse it: it takes another person, and the store refuses the same."
WAITS = "This is proposed already, and waits for a second person: answer that, or withdraw it first."
ANSWERED = "There is no such proposal that waits for an answer: somebody was first, or it never was."


class Proposals:
    """The proposals of a store."""

    __slots__ = ("_database", "_writer")

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    def propose(
        self, kind: str, subject: str, body: Mapping[str, object], reason: str, person: str, at: int, by: Person
    ) -> int:
        """Write down what a person proposes, and return its number; `by`: who it is to the audit.

        Raises:
            ProposalProblem: the same is proposed already.
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            return self._propose(connection, kind, subject, body, reason, person, at, by)

    def decide(
        self,
        kind: str,
        subject: str,
        body: Mapping[str, object],
        reason: str,
        people: tuple[str, str],
        at: int,
        by: Person,
    ) -> None:
        """Propose and approve at once: two people said so together.

        Raises:
            ProposalProblem: the same is proposed already, or the two are one.
            StoreProblem: the database cannot be written.
        """
        proposer, other = people
        with self._database.writing() as connection:
            for name in sorted(people):  # before the audit, for which others wait
                remember(connection, NAMED, name)
            number = self._propose(connection, kind, subject, body, reason, proposer, at, by)
            self._approve(connection, number, other, at, by)

    def approve(self, number: int, person: str, at: int, by: Person) -> Proposal:
        """Be the second person: it is decided, and the journal has it.

        Raises:
            ProposalProblem: nothing of that number waits, or the same person proposed it.
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            return self._approve(connection, number, person, at, by)

    def drop(self, number: int, person: str, why: str, at: int, by: Person) -> Proposal:
        """Withdraw what one proposed oneself, or refuse what another one did; it stays on record.

        Raises:
            ProposalProblem: nothing of that number waits.
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            found = self._waiting(connection, number)
            own = found.proposed_by.casefold() == person.casefold()
            verdict = WITHDRAWN if own else REFUSED
            self._answer(connection, found, None if own else person, at, verdict, why)
            actor = remember(connection, by.kind, by.value)
            append(connection, at, actor, f"proposal.{verdict}", found.subject, _told(number, found.kind, why))
        return found

    def _propose(
        self,
        connection: Connection,
        kind: str,
        subject: str,
        body: Mapping[str, object],
        reason: str,
        person: str,
        at: int,
        by: Person,
    ) -> int:
        row = {
            "kind": kind,
            "subject": storable(subject),
            "body": storable(canonical_json(body)),
            "reason": storable(reason),
            "proposed_by": remember(connection, NAMED, person),
            "proposed_at": at,
        }
        try:
            number = int(connection.execute(insert(PROPOSALS).values(row).returning(PROPOSALS.c.number)).scalar_one())
        except IntegrityError:
            raise ProposalProblem(WAITS) from None
        told = _told(number, kind, reason) | {"what": dict(body), "proposed_by": row["proposed_by"]}
        append(connection, at, remember(connection, by.kind, by.value), "proposal.made", subject, told)
        return number

    def _approve(self, connection: Connection, number: int, person: str, at: int, by: Person) -> Proposal:
        found = self._waiting(connection, number)
        self._answer(connection, found, person, at, APPROVED, None)
        people = [found.proposed_by, person]
        decision = {found.kind: dict(found.body), "by": people, "reason": found.reason, "proposal": number}
        entry = JournalEntry(DECISION, without_names(connection, decision))
        append_decision(connection, entry.body, at, by)
        self._writer.journal(connection, [entry], at, own=False)
        return found

    def _waiting(self, connection: Connection, number: int) -> Proposal:
        """The first statement of a transaction: until it ends nobody else answers."""
        held = update(PROPOSALS).where(PROPOSALS.c.number == number, PROPOSAL_WAITS).values(number=number)
        found = _read(connection, connection.execute(held.returning(*PROPOSALS.columns)).all())
        if not found:
            raise ProposalProblem(ANSWERED)
        return found[0]

    def _answer(
        self, connection: Connection, found: Proposal, person: str | None, at: int, verdict: str, why: str | None
    ) -> None:
        """Databases know upper case beyond ASCII or not, and hashes do not: one person has one way to be written."""
        same = person is not None and person.casefold() == found.proposed_by.casefold()
        name = found.proposed_by if same else person
        by = None if name is None else remember(connection, NAMED, name)
        values = {"answered_by": by, "answered_at": at, "verdict": verdict, "why": why and storable(why)}
        try:
            connection.execute(update(PROPOSALS).where(PROPOSALS.c.number == found.number).values(values))
        except IntegrityError:
            raise ProposalProblem(SAME) from None

    # -- reading -------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Proposal]:
        """What waits for a second person, the oldest first."""
        return self._all(select(*PROPOSALS.columns).where(PROPOSAL_WAITS).order_by(PROPOSALS.c.number))

    def answered(self, limit: int) -> list[Proposal]:
        """What was answered, the latest first."""
        query = select(*PROPOSALS.columns).where(PROPOSALS.c.verdict.is_not(None))
        return self._all(query.order_by(PROPOSALS.c.answered_at.desc(), PROPOSALS.c.number.desc()).limit(limit))

    def one(self, number: int) -> Proposal | None:
        """A proposal; None: there is none of that number."""
        return next(iter(self._all(select(*PROPOSALS.columns).where(PROPOSALS.c.number == number))), None)

    def _all(self, query: Any) -> list[Proposal]:
        with self._database.reading() as connection:
            return _read(connection, connection.execute(query).all())


def _told(number: int, kind: str, reason: str) -> dict[str, object]:
    return {"proposal": number, "kind": kind, "reason": reason}


def _read(connection: Connection, rows: Sequence[Any]) -> list[Proposal]:
    people = {name for row in rows for name in (row.proposed_by, row.answered_by) if name is not None}
    shown = {hash: personal.shown for hash, personal in resolve(connection, people).items()}
    return [
        Proposal(
            row.number, row.kind, original(row.subject), json.loads(original(row.body)), original(row.reason),
            shown[row.proposed_by], row.proposed_at, row.answered_by and shown[row.answered_by], row.answered_at,
            row.verdict, row.why and original(row.why),
        )
        for row in rows
    ]  # fmt: skip
