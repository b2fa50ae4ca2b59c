"""The audit in the store: rows that are only added, and the one table of what is personal.

`append` and `remember` work in the transaction of whoever does what is audited, so that both are there or neither is.
From `append` on until its end others wait with theirs, so it comes late in a transaction: before the journal, which is
the last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, cast, false, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from monitor.core.audit import (
    GENESIS,
    NAMED,
    OPERATOR,
    Checkpoint,
    Entry,
    Person,
    Personal,
    Row,
    act_of,
    canonical,
    chained,
    people_of,
    personal_hash,
    with_people,
)
from monitor.core.people import USER
from monitor.errors import StoreProblem
from monitor.store import postgres
from monitor.store.commit import AuditWanted
from monitor.store.database import Database
from monitor.store.schema import AUDIT, PERSONAL, PERSONAL_SALT
from monitor.store.texts import original, storable

ROWS_AT_ONCE = 1_000
HASHES_AT_ONCE = 500
PROGRAM = "flopwatch"  # the actor where no person is named
KINDS = (OPERATOR, NAMED, USER)  # of people
NO_TIME = -1  # of a row whose time is no number any more

_LATEST = select(AUDIT.c.number, AUDIT.c.hash).order_by(AUDIT.c.number.desc()).limit(1)


# -- in somebody's transaction ---------------------------------------------------------------------------------------


def append(connection: Connection, at: int, actor: str, act: str, subject: str, body: Mapping[str, object]) -> Entry:
    """Add a row at the end; `actor` is what `remember` gave for a person, or a part of the program.

    Raises:
        StoreProblem: the transaction sees the store as it was before somebody else's row: it must be tried again.
    """
    _hold(connection)
    number, head = connection.execute(_LATEST).first() or (0, GENESIS)
    entry = Entry(number + 1, at, actor, act, subject, canonical(body))
    row = chained(head, entry)
    try:
        connection.execute(insert(AUDIT).values(_columns(row)))
    except IntegrityError as error:
        raise StoreProblem(
            "Somebody else has added to the audit since this began to read the store: try again; nothing was written."
        ) from error
    return entry


def _hold(connection: Connection) -> None:
    """Nobody else adds a row until this transaction ends."""
    if _shared(connection):
        postgres.lock(connection, postgres.AUDIT_LOCK)
    else:  # the lock on writing, which a transaction that has read first may not get any more
        connection.execute(update(AUDIT).where(false()).values(at=0))


def _shared(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _columns(row: Row) -> dict[str, object]:
    fields = {**row.entry._asdict(), "previous": row.previous, "hash": row.hash}
    return {name: storable(value) if isinstance(value, str) else value for name, value in fields.items()}


def append_decision(connection: Connection, decision: Mapping[str, object], at: int, by: Person | None) -> Entry:
    """Add a row for a decision that the journal gets, as it gets it; `by`: who gave it to the program."""
    actor = PROGRAM if by is None else remember(connection, by.kind, by.value)
    return append(connection, at, actor, *act_of(decision), decision)


def without_names(connection: Connection, decision: Mapping[str, object]) -> dict[str, object]:
    """A decision with what stands for them in the place of the people whom it names."""
    return with_people(decision, {name: remember(connection, NAMED, name) for name in people_of(decision)})


def with_names(connection: Connection, decisions: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Decisions as they were, but for the names of those who were erased."""
    people = {who for decision in decisions for who in people_of(decision)}
    if not people:
        return list(decisions)
    shown = {hash: personal.shown for hash, personal in resolve(connection, people).items()}
    return [with_people(decision, shown) for decision in decisions]


def remember(connection: Connection, kind: str, value: str) -> str:
    """Keep something personal, and return what stands for it elsewhere. What was erased is known again by this."""
    if not _shared(connection):
        _hold(connection)
    hash = personal_hash(salt_of(connection), kind, value)
    new = (
        (postgresql if _shared(connection) else sqlite)
        .insert(PERSONAL)
        .values(hash=hash, kind=kind, value=storable(value))
    )
    again = {"value": new.excluded.value, "erased_at": None}
    connection.execute(
        new.on_conflict_do_update(index_elements=[PERSONAL.c.hash], set_=again, where=PERSONAL.c.value.is_(None))
    )
    return hash


def salt_of(connection: Connection) -> str:
    """What the hashes of this store are salted with."""
    return str(connection.execute(select(PERSONAL_SALT.c.salt)).scalar_one())


def resolve(connection: Connection, hashes: Collection[str]) -> dict[str, Personal]:
    """By hash what is kept of something personal, of those of these that were ever known."""
    wanted, found = sorted(hashes), dict[str, Personal]()
    query = select(PERSONAL.c.hash, PERSONAL.c.kind, PERSONAL.c.value)
    for start in range(0, len(wanted), HASHES_AT_ONCE):
        part = wanted[start : start + HASHES_AT_ONCE]
        for hash, kind, value in connection.execute(query.where(PERSONAL.c.hash.in_(part))):
            found[hash] = Personal(hash, kind, None if value is None else original(value))
    return found


def erase(connection: Connection, hash: str, at: int) -> bool:
    """Forget something personal; its hash stays. Returns whether it was known.

    What the database keeps of old pages (SQLite's write-ahead log until its next checkpoint, PostgreSQL's dead rows
    until a vacuum, and every backup) is not reached from here.
    """
    if not _shared(connection):
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # else the bytes stay in the page
    known = update(PERSONAL).where(PERSONAL.c.hash == hash, PERSONAL.c.value.is_not(None))
    return connection.execute(known.values(value=None, erased_at=at)).rowcount == 1


# -- reading ---------------------------------------------------------------------------------------------------------


ALL = AuditWanted()


def entries(connection: Connection, wanted: AuditWanted = ALL, limit: int | None = None) -> Iterator[Row]:
    """Rows as they stand, the latest first, a few in memory at a time."""
    query = _rows(connection).order_by(AUDIT.c.number.desc()).limit(limit)
    if wanted.since is not None:
        query = query.where(AUDIT.c.at >= wanted.since)
    if wanted.actors is not None:
        query = query.where(AUDIT.c.actor.in_(sorted(wanted.actors)))
    if wanted.before is not None:
        query = query.where(AUDIT.c.number < wanted.before)
    for column, value in ((AUDIT.c.act, wanted.act), (AUDIT.c.subject, wanted.subject)):
        if value is not None:
            query = query.where(column == storable(value))
    return _stream(connection, query)


def chain(connection: Connection) -> Iterator[Row]:
    """All rows as they stand, in order, a few in memory at a time."""
    return _stream(connection, _rows(connection).order_by(AUDIT.c.number))


def _rows(connection: Connection) -> Select[Any]:
    """SQLite gives texts as bytes: one that was changed may be no text any more, and is to be named, not refused."""
    texts = (AUDIT.c.actor, AUDIT.c.act, AUDIT.c.subject, AUDIT.c.body, AUDIT.c.previous, AUDIT.c.hash)
    read = texts if _shared(connection) else [cast(text, LargeBinary) for text in texts]
    return select(AUDIT.c.number, AUDIT.c.at, *read)


def _stream(connection: Connection, query: Select[Any]) -> Iterator[Row]:
    with connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)) as found:
        for number, at, *texts in found:
            actor, act, subject, body, previous, hash = map(_text, texts)
            time = at if isinstance(at, int) else NO_TIME
            yield Row(Entry(number, time, actor, act, subject, body), previous, hash)


def _text(stored: str | bytes) -> str:
    return original(stored if isinstance(stored, str) else stored.decode("utf-8", "surrogateescape"))


class Auditing:
    """The audit of a store, for whoever has no transaction of their own."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, at: int, by: Person, act: str, subject: str, body: Mapping[str, object]) -> Entry:
        """Add a row for something that changes nothing else, such as that somebody has read something.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            return append(connection, at, remember(connection, by.kind, by.value), act, subject, body)

    def head(self, at: int) -> Checkpoint:
        """How long the chain is, and the hash of its last row; `at`: the time that it is.

        No power cut takes these rows away any more: a checkpoint must not count rows that a store forgets.
        """
        with self._database.reading() as connection:
            number, hash = connection.execute(_LATEST).first() or (0, GENESIS)
        self._database.settle()
        return Checkpoint(at, number, hash)

    def agrees(self, checkpoint: Checkpoint) -> bool:
        """Whether the row that a checkpoint names still has the hash that it says."""
        if checkpoint.rows == 0:
            return checkpoint.head == GENESIS
        query = select(AUDIT.c.hash).where(AUDIT.c.number == checkpoint.rows)
        with self._database.reading() as connection:
            return bool(connection.execute(query).scalar_one_or_none() == checkpoint.head)

    def chain(self) -> Iterator[Row]:
        """All rows in order, of one state of the store."""
        with self._database.reading() as connection:
            self._database.wait_patiently(connection)
            yield from chain(connection)

    def latest(self, wanted: AuditWanted, limit: int) -> list[tuple[Row, str]]:
        """The latest rows that are wanted, each with its actor for people to read; an actor may be wanted by name."""
        with self._database.reading() as connection:
            if wanted.actors is not None:
                wanted = wanted._replace(actors=_with_hashes(connection, wanted.actors))
            rows = list(entries(connection, wanted, limit))
            known = resolve(connection, {row.entry.actor for row in rows})
        actors = [known[row.entry.actor].shown if row.entry.actor in known else row.entry.actor for row in rows]
        return list(zip(rows, actors, strict=True))

    def erase(self, hash: str, at: int) -> bool:
        """Forget something personal: see `erase`.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            return erase(connection, hash, at)


def _with_hashes(connection: Connection, names: Collection[str]) -> set[str]:
    """These names, and what stands for them."""
    salt = salt_of(connection)
    return {*names, *(personal_hash(salt, kind, name) for kind in KINDS for name in names)}
