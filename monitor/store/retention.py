"""What has a period in the store: how much of it may go, and its removal, a part in each transaction.

Each part is whole cases, notices or values, and has its row of the audit in the same transaction: whoever is stopped in
the middle has removed less, and goes on where they were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, and_, delete, exists, func, or_, select

from monitor.core.audit import Person
from monitor.core.cases import State
from monitor.core.flags import State as FlagState
from monitor.core.retention import Kind, Stock
from monitor.store.auditing import append, erase, remember
from monitor.store.commit import WAITING
from monitor.store.database import Database
from monitor.store.rows import canonical_json
from monitor.store.schema import (
    ALLOCATIONS,
    APPROVALS,
    CASE_EVENTS,
    CASE_FLAGS,
    CASE_LIVES,
    CASE_SIGHTS,
    CASES,
    DEAD_LETTERS,
    DELIVERIES,
    FAILED_SIGN_INS,
    FLAG_HISTORY,
    FLAGS,
    HOLDS,
    MESSAGES,
    NOTICES,
    PERSONAL,
    SESSIONS,
    SUPPRESSIONS,
    TENANTS,
    TOKENS,
    UNFREED,
)
from monitor.store.texts import original, storable

ROWS_AT_ONCE = 500
QUOTED_LETTERS = 5
APPLIED, ERASED = "retention.applied", "personal.erased"  # acts in the audit
OF_CASES = (CASE_EVENTS, CASE_FLAGS, CASE_SIGHTS, APPROVALS, SUPPRESSIONS, HOLDS)  # by `case_id`


class Rows(NamedTuple):
    """Rows of one table that may go, among those that are old enough."""

    table: Table
    old: Any  # a condition
    may_go: Any  # a condition beside it


class Value(NamedTuple):
    """Something personal that is not erased: what stands for it, whom it is of, and what it is."""

    hash: str
    whom: str
    text: str


class Retaining:
    """What has a period in a store."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- by age --------------------------------------------------------------------------------------------------

    def stock(self, kind: Kind, until: int) -> Stock:
        """What there is of a kind from before an instant; of personal values see `values`."""
        may_go = old = 0
        with self._database.reading() as connection:
            for rows in _rows(kind, until):
                counted = select(func.count(), func.count().filter(rows.may_go)).select_from(rows.table)
                of_table = connection.execute(counted.where(rows.old)).one()
                old, may_go = old + of_table[0], may_go + of_table[1]
        return Stock(may_go, old - may_go)

    def remove(self, kind: Kind, until: int, at: int, by: Person) -> Iterator[int]:
        """Remove what may go of a kind, in parts; how many of each are gone for good.

        Raises:
            StoreProblem: the database cannot be written; the parts before this one are gone.
        """
        for rows in _rows(kind, until):
            keys = [one for one in rows.table.primary_key if rows.table is not CASES] or [CASES.c.id, CASES.c.number]
            query = select(*keys).where(rows.old, rows.may_go).limit(ROWS_AT_ONCE)
            while found := self._found(query):
                with self._database.writing() as connection:
                    removed = _remove(connection, rows.table, keys, found)
                    body = {"kind": kind.value, "table": rows.table.name, "before": until, "removed": removed}
                    append(connection, at, remember(connection, by.kind, by.value), APPLIED, kind.value, body)
                yield removed
        if kind is Kind.NOTICES:
            self._remove_empty_messages(until)

    def _remove_empty_messages(self, until: int) -> None:
        """Messages are what their notices were sent in: without notices they say nothing."""
        used = exists().where(DELIVERIES.c.message == MESSAGES.c.id)
        gone = delete(MESSAGES).where(MESSAGES.c.made_at < until, MESSAGES.c.arrived_at.is_not(None), ~used)
        with self._database.writing() as connection:
            connection.execute(gone)

    def _found(self, query: Any) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query).all()

    # -- personal values -----------------------------------------------------------------------------------------

    def values(self, text: str | None = None, whom: str | None = None) -> list[Value]:
        """Personal values that are not erased: all, those that are this text, or those of somebody."""
        table = PERSONAL.c
        query = (
            select(table.hash, table.kind, table.value).where(table.value.is_not(None)).order_by(table.kind, table.hash)
        )
        if text is not None:
            query = query.where(table.value == storable(text))
        if whom is not None:
            query = query.where(table.kind == storable(whom))
        return [Value(hash, original(kind), original(value)) for hash, kind, value in self._found(query)]

    def quoting(self, texts: Collection[str]) -> int:
        """How many findings, lines of histories, notices, and events and sights of cases quote one of these texts.

        Of texts of a few letters nobody can say what is a quotation.
        """
        within = func.strpos if self._database.shared else func.instr
        written = [storable(canonical_json(text)[1:-1]) for text in texts if len(text) >= QUOTED_LETTERS]
        if not written:
            return 0
        return sum(
            self._found(select(func.count()).where(or_(*(within(column, text) > 0 for text in written))))[0][0]
            for column in (
                FLAGS.c.finding,
                FLAG_HISTORY.c.reason,
                NOTICES.c.body,
                CASE_EVENTS.c.body,
                CASE_SIGHTS.c.body,
            )
        )

    def forget(self, values: Sequence[Value], at: int, by: Person, subject: str, body: Mapping[str, object]) -> int:
        """Erase personal values, all or none, with a row of the audit; how many were known.

        Raises:
            StoreProblem: the database cannot be written; nothing has changed.
        """
        with self._database.writing() as connection:
            known = sum(erase(connection, one.hash, at) for one in sorted(values))
            what = {**body, "values": sorted(one.hash for one in values)}
            append(connection, at, remember(connection, by.kind, by.value), ERASED, subject, what)
        return known

    def latest(self) -> dict[str, int]:
        """The latest fact about any allocation of each tenant."""
        query = select(TENANTS.c.name, func.max(ALLOCATIONS.c.last_time))
        query = query.join_from(ALLOCATIONS, TENANTS, TENANTS.c.id == ALLOCATIONS.c.tenant_id)
        return {original(name): latest for name, latest in self._found(query.group_by(TENANTS.c.name))}


def _rows(kind: Kind, until: int) -> tuple[Rows, ...]:
    """The rows of a kind from before an instant; of personal values none, whose age their facts have."""
    if kind is Kind.CASES:
        case = CASES.c
        old = and_(case.state == State.DECIDED.value, case.decided_at < until)
        unanswered = and_(case.review.is_not(None), case.review == "waiting")
        return (Rows(CASES, old, and_(~_of_the_unfinished(), case.expires_at.is_(None), ~unanswered)),)
    if kind is Kind.NOTICES:
        notice = NOTICES.c
        closed = exists().where(FLAGS.c.id == notice.flag, FLAGS.c.state == FlagState.CLOSED.value)
        looked_at = exists().where(
            CASE_FLAGS.c.flag == notice.flag, CASE_FLAGS.c.case_id == CASES.c.id, or_(CASE_LIVES, _held())
        )
        sent = DELIVERIES.outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message)
        on_its_way = exists().select_from(sent).where(DELIVERIES.c.notice == notice.id, MESSAGES.c.arrived_at.is_(None))
        return (Rows(NOTICES, notice.made_at < until, and_(closed, ~looked_at, ~on_its_way)),)
    if kind is Kind.DEAD_LETTERS:
        return (Rows(DEAD_LETTERS, DEAD_LETTERS.c.at < until, DEAD_LETTERS.c.state != WAITING),)
    if kind is Kind.SIGN_INS:
        ends = (
            (SESSIONS, SESSIONS.c.seen_at),
            (TOKENS, TOKENS.c.expires_at),
            (FAILED_SIGN_INS, FAILED_SIGN_INS.c.latest_at),
        )
        return tuple(Rows(table, column < until, column.is_not(None)) for table, column in ends)
    return ()


def _held() -> Any:
    return exists().where(HOLDS.c.case_id == CASES.c.id, UNFREED)


def _of_the_unfinished() -> Any:
    """Whether a case is of a party that has one which is undecided or under legal hold."""
    other = CASES.alias()
    held = exists().where(HOLDS.c.case_id == other.c.id, UNFREED)
    return exists().where(other.c.subject == CASES.c.subject, or_(other.c.state != State.DECIDED.value, held))


def _remove(connection: Connection, table: Table, keys: Sequence[Column[Any]], found: Collection[Any]) -> int:
    """Remove rows with all that is part of them; what somebody acted on meanwhile has another number, and stays."""
    removed = 0
    for values in found:
        if table is NOTICES:
            connection.execute(delete(DELIVERIES).where(DELIVERIES.c.notice == values[0]))
        mine = [column == value for column, value in zip(keys, values, strict=True)]
        gone = connection.execute(delete(table).where(*mine)).rowcount
        if table is CASES and gone:
            for part in OF_CASES:
                connection.execute(delete(part).where(part.c.case_id == values[0]))
        removed += gone
    return removed
