"""The store: the books of each partition, every fact, and how far each topic was read, in one database.

One commit is one transaction. It begins with the fence: the sequence of the books as a whole, and of each of their
positions, must be what this process left there, else another process has taken over and nothing is written. A commit
that fails for any reason leaves database and memory as they were, so that the same commit can be tried again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, func, select, update

from monitor.core.audit import Person
from monitor.core.book import Book, NewFact, Restatement
from monitor.core.clocks import Seen
from monitor.core.facts import event_bytes
from monitor.core.flags import Change, Entry, Flag
from monitor.core.inventory import Conservation
from monitor.core.ledger import Measured, MeasuredKey, UsageKey
from monitor.core.model import Key, Traits
from monitor.core.notices import Telling
from monitor.core.policy import Level
from monitor.core.timeline import Effects, Shape, may_hold
from monitor.errors import Overtaken, StoreProblem
from monitor.store import rows
from monitor.store.auditing import Auditing, append_decision, with_names, without_names
from monitor.store.casework import Casework
from monitor.store.commit import (
    ACTIVATION,
    DECISION,
    NO_LETTERS,
    TICK,
    BlindRow,
    Commit,
    DeadLetter,
    JournalEntry,
    JournalRow,
    Loaded,
    Position,
    StoredFact,
    StoredPosition,
)
from monitor.store.database import Database, connect, insert_new
from monitor.store.exports import Exports
from monitor.store.loading import (
    Decode,
    Stored,
    began,
    finished,
    finished_traits,
    load_book,
    load_tenants,
    of_partition,
    old_measured,
    old_usage,
)
from monitor.store.names import AllocationRows, Numbering, TraitsNumbering, key64
from monitor.store.outgoing import Outgoing, news_of, seen_of, write_news
from monitor.store.pages import FactPages, StoredPage
from monitor.store.personal import Personal
from monitor.store.proposals import Proposals
from monitor.store.retention import Retaining
from monitor.store.schema import (
    ALLOCATIONS,
    BLIND,
    CHAINS,
    CLOSED,
    CONSERVATION,
    DEAD_LETTERS,
    FACT_PAGES,
    FLAG_HISTORY,
    FLAGS,
    INNER,
    JOURNAL,
    LETTER_WAITS,
    MEASURED,
    MEASUREMENTS,
    PARTITION_BITS,
    PIECES,
    PROGRESS,
    RESTATEMENTS,
    SHAPES,
    SOURCES,
    TENANTS,
    TRAITS,
    UNPUBLISHED,
    USAGE,
    base_of,
)
from monitor.store.texts import original, storable
from monitor.store.writing import (
    Names,
    Writer,
    allocation_changes,
    held_changes,
    measured_amounts,
    usage_amounts,
)

__all__ = ["Commit", "JournalEntry", "SqlStore"]

# The books of a partition have one writer, even where two processes read different files, whose tenants may be the
# same.
WHOLE_STORE = ("", 0)
Value = TypeVar("Value")

KEYS_AT_ONCE = (1, 16, 128, 512)  # in one query: few lengths, so that the database can keep the statements
LETTERS_AT_ONCE = 100
FACTS_AT_ONCE = 1_024
NAMES_AT_ONCE = 500

_BY_KEY = select(ALLOCATIONS.c.tenant_id, ALLOCATIONS.c.name, ALLOCATIONS.c.id, ALLOCATIONS.c.head).where(
    ALLOCATIONS.c.key64.in_(bindparam("keys", expanding=True))
)
_PAGES = select(*FACT_PAGES.columns).where(FACT_PAGES.c.page.in_(bindparam("pages", expanding=True)))

# What moves the sequence takes this one along, unless it has fallen behind.
_PIECES_SEQUENCE = case(
    (PROGRESS.c.pieces_sequence == PROGRESS.c.sequence, PROGRESS.c.sequence + 1), else_=PROGRESS.c.pieces_sequence
)

Where = tuple[str, int]  # (topic, partition)


class SqlStore:
    """The books of one partition in a store: an archive of facts for `take_in`, and the commits of the book."""

    __slots__ = ("_claimed", "_database", "_opened", "_personal", "_sequences", "_stored", "_writer", "partition")

    def __init__(self, database: Database, partition: int = 0, opened: bool = True) -> None:
        """Over a database, which is let go of with the store that opened it."""
        self.partition = partition
        self._database = database
        self._opened = opened
        self._writer = Writer(database.engine, partition)
        self._personal = Personal(database)
        self._claimed = False
        with database.reading() as connection:
            self._stored, self._sequences = self._found(connection)

    def _found(self, connection: Connection) -> tuple[Stored, dict[Where, int]]:
        """What the database has of the books of this partition."""
        number, base = self.partition, base_of(self.partition)
        tenants, sources = (
            Numbering(
                (
                    (row, name)
                    for row, name in connection.execute(
                        select(table.c.id, table.c.name).where(of_partition(table.c.id, number))
                    )
                ),
                base,
            )
            for table in (TENANTS, SOURCES)
        )
        shapes = connection.execute(select(*SHAPES.columns).where(of_partition(SHAPES.c.id, number)))
        next_row, next_traits = (
            base + 1 if greatest is None else greatest + 1
            for greatest in (
                connection.execute(select(func.max(column)).where(of_partition(column, number))).scalar()
                for column in (ALLOCATIONS.c.id, TRAITS.c.id)
            )
        )
        numbered = Numbering(((row[0], Shape(*row[1:])) for row in shapes), base)
        names = Names(tenants, sources, numbered, TraitsNumbering(next_traits))
        rows = AllocationRows(next_row)
        page = FACT_PAGES.c.page
        last = select(*FACT_PAGES.columns).where(of_partition(page, number)).order_by(page.desc()).limit(1)
        found = connection.execute(last).first()
        pages = FactPages(self._fetch_pages, None if found is None else StoredPage(found[0] - base, *found[1:]))
        return Stored(number, names, rows, pages), _sequences(connection, number)

    @staticmethod
    def open(url: str, create: bool = True, partition: int = 0, read_only: bool = False) -> SqlStore:
        """The store at a URL like `sqlite:///path` or `postgresql://user@host/name`, made or brought up to date where
        needed, for the books of a partition; `read_only`: it must be up to date, and nothing can be written.

        Raises:
            StoreProblem: it cannot be opened, with a sentence that says why and what to do.
        """
        database = connect(url, create, read_only)
        try:
            return SqlStore(database, partition)
        except StoreProblem:
            database.engine.dispose()
            raise

    def beside(self, partition: int) -> SqlStore:
        """The books of another partition of the same store; they share its connections, and end with it.

        Raises:
            StoreProblem: the database cannot be read.
        """
        return SqlStore(self._database, partition, opened=False)

    def close(self) -> None:
        """Let go of the database, if this store opened it."""
        if self._opened:
            self._database.engine.dispose()

    def claim(self) -> None:
        """Take the books over: whoever loaded them before cannot commit any more. Then load them.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            connection.execute(insert_new(self._database, PROGRESS), self._beginning(WHOLE_STORE))
            connection.execute(
                update(PROGRESS)
                .where(PROGRESS.c.books == self.partition, PROGRESS.c.topic == "", PROGRESS.c.partition == 0)
                .values(sequence=PROGRESS.c.sequence + 1, pieces_sequence=_PIECES_SEQUENCE)
            )
            stored, sequences = self._found(connection)
        self._stored, self._sequences, self._claimed = stored, sequences, True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One transaction for everything that these books and those `beside` them read and write meanwhile.

        Whoever else has books of this store open cannot commit them any more.

        Raises:
            StoreProblem: the database cannot be written; nothing has changed.
        """
        with self._database.whole() as connection:
            self._database.wait_patiently(connection)
            moved_on = {"sequence": PROGRESS.c.sequence + 1, "pieces_sequence": _PIECES_SEQUENCE}
            connection.execute(update(PROGRESS).values(moved_on))
            yield

    @contextmanager
    def still(self) -> Iterator[None]:
        """One state of the books of all partitions for everything that is read meanwhile; nothing may be written.

        Raises:
            StoreProblem: the database cannot be read.
        """
        with self._database.still():
            yield

    @property
    def shared(self) -> bool:
        """Whether many processes, and many threads with stores of their own, can write it at the same time."""
        return self._database.shared

    @contextmanager
    def rolling_up(self) -> Iterator[bool]:
        """One transaction over one state of the books of all partitions; whether it is ours alone to roll them up.

        Raises:
            StoreProblem: the database cannot be read or written; nothing has changed.
        """
        with self._database.whole() as connection:
            yield self._database.alone_at_roll_up(connection)

    def forget_books(self) -> None:
        """Remove the facts and books of all partitions; positions, flags, decisions and what is only told stay.

        Books that were opened before must not be used any more: open new ones `beside` these.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            connection.execute(update(PROGRESS).values(pieces_sequence=PROGRESS.c.sequence))
            books = (USAGE, MEASURED, PIECES, MEASUREMENTS, ALLOCATIONS, CHAINS, FACT_PAGES)
            for table in (*books, SHAPES, TRAITS, SOURCES, TENANTS):
                connection.execute(delete(table))

    # -- the archive of facts ------------------------------------------------------------------------------------

    def heads(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Of these allocations those that are known -> number of the latest fact as of the last commit.

        Raises:
            Overtaken: another process has committed since.
        """
        with self._database.reading() as connection:
            return self._of_ours(self._look_up(connection, keys))

    def _look_up(self, connection: Connection, keys: Iterable[Key]) -> dict[Key, int]:
        """The heads of those allocations that have rows; remembers which rows, and which have none."""
        found: dict[Key, tuple[int, int]] = dict.fromkeys(keys, (0, 0))
        tenants = self._stored.names.tenants
        wanted = {(tenants.known(key[0]), key[1]): key for key in found}
        hashes = [key64(key) for (tenant, _), key in wanted.items() if tenant is not None]
        for part in _parts(hashes):
            for tenant, name, row, head in connection.execute(_BY_KEY, {"keys": part}):
                key = wanted.get((tenant, name))
                if key is not None:
                    found[key] = (row, head)
        for key, (row, _) in found.items():
            self._stored.rows.found(key, row)
        return {key: head for key, (row, head) in found.items() if row}

    def _of_ours(self, heads: dict[Key, int]) -> dict[Key, int]:
        """Heads as of the last commit, which was ours.

        Raises:
            Overtaken: one is of a later commit by another process; our own next facts may have the same numbers.
        """
        if max(heads.values(), default=0) > self._stored.pages.last_written:
            raise self._overtaken()
        return heads

    def append(self, facts: Sequence[NewFact]) -> None:
        """Keep facts; the next commit writes them."""
        self._stored.pages.append(self._personal.concealed(facts))

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first; facts that await a commit included."""
        chains = self._stored.pages.chains(heads)
        return {key: list(self._personal.revealed(lines)) for key, lines in chains.items()}

    def _fetch_pages(self, numbers: Sequence[int]) -> list[StoredPage]:
        base = base_of(self.partition)
        with self._database.reading() as connection:
            found = connection.execute(_PAGES, {"pages": [base + number for number in numbers]})
            return [StoredPage(page - base, facts, body) for page, facts, body in found]

    def marked(self, tenant: str, marks: Sequence[bytes]) -> dict[Key, int]:
        """Allocations of a tenant that may hold a fact with one of these fingerprints -> head as of the last commit.

        Raises:
            Overtaken: another process has committed since.
        """
        number = self._stored.names.tenants.known(tenant)
        if number is None:
            return {}
        table = ALLOCATIONS.c
        query = select(table.id, table.name, table.head, table.prints).where(table.tenant_id == number)
        heads: dict[Key, int] = {}
        with self._database.reading() as connection:
            for row, name, head, prints in connection.execute(query.execution_options(yield_per=10_000)):
                if may_hold(prints, marks):
                    self._stored.rows.found((tenant, name), row)
                    heads[tenant, name] = head
        return self._of_ours(heads)

    def heads_of(self, tenant: str) -> dict[Key, int]:
        """All allocations of a tenant -> head as of the last commit.

        Raises:
            Overtaken: another process has committed since.
        """
        with self._database.reading() as connection:
            return self._heads_where(connection, tenant)

    def _heads_where(self, connection: Connection, tenant: str, *conditions: ColumnElement[bool]) -> dict[Key, int]:
        """The heads of those allocations of a tenant that conditions hold for; remembers which rows they have."""
        table, heads = ALLOCATIONS.c, dict[Key, int]()
        number = self._stored.names.tenants.known(tenant)
        query = select(table.id, table.name, table.head).where(table.tenant_id == number, *conditions)
        for row, name, head in connection.execute(query.execution_options(yield_per=10_000)):
            self._stored.rows.found((tenant, name), row)
            heads[tenant, name] = head
        return self._of_ours(heads)

    def settled(self, region: str, since: int) -> dict[Key, int]:
        """Closed allocations of a region whose latest fact is at or after `since` -> head as of the last commit.

        Raises:
            Overtaken: another process has committed since.
        """
        shapes = [number for number, shape in self._stored.names.shapes.values().items() if shape.region == region]
        tenants = self._stored.names.tenants.values()
        table = ALLOCATIONS.c
        heads: dict[Key, int] = {}
        with self._database.reading() as connection:
            for shape in shapes:
                query = select(table.id, table.tenant_id, table.name, table.head)
                for row, tenant, name, head in connection.execute(
                    query.where(CLOSED, table.shape_id == shape, table.last_time >= since)
                ):
                    key = (tenants[tenant], name)
                    self._stored.rows.found(key, row)
                    heads[key] = head
        return self._of_ours(heads)

    def inside(self, outers: Iterable[Key]) -> dict[Key, int]:
        """Allocations that lie within one of these -> head as of the last commit.

        Raises:
            Overtaken: another process has committed since.
        """
        of_tenants: dict[str, list[str]] = {}
        for tenant, outer in outers:
            of_tenants.setdefault(tenant, []).append(outer)
        heads: dict[Key, int] = {}
        with self._database.reading() as connection:
            for tenant, names in of_tenants.items():
                for part in _parts(names):
                    heads |= self._heads_where(connection, tenant, INNER, ALLOCATIONS.c.within.in_(part))
        return heads

    def old_hours(
        self, tenant: str, before: int
    ) -> tuple[list[tuple[UsageKey, tuple[int, int]]], list[tuple[MeasuredKey, Measured]]]:
        """What was committed of a tenant's usage and measurements of the hours before one (hours since 1970)."""
        names = self._stored.names
        with self._database.reading() as connection:
            return old_usage(connection, names, tenant, before), old_measured(connection, names, tenant, before)

    # -- what was held -------------------------------------------------------------------------------------------

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """What the allocations of a tenant have held and no longer hold, and where they were measured, as of the last
        commit. Only of books that have all pieces.
        """
        with self._database.reading() as connection:
            return finished(connection, self._stored.names, tenant)

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant of these books what was said of what it holds or has held, as far as it may link tenants, as
        of the last commit. Only of books that have all pieces.
        """
        with self._database.reading() as connection:
            return finished_traits(connection, self._stored.names, self.partition)

    def began(self, spans: Sequence[tuple[int, int]]) -> Mapping[str, AbstractSet[int]]:
        """Of each tenant of these books when pieces that it no longer holds began, inside these spans of time alone, as
        of the last commit. Only of books that have all pieces.
        """
        with self._database.reading() as connection:
            return began(connection, self._stored.names, self.partition, spans)

    def has_pieces(self) -> bool:
        """Whether these books have the pieces of all their facts: every commit came from a program that keeps them."""
        table = PROGRESS.c
        behind = select(table.books).where(
            table.books == self.partition, table.topic == "", table.pieces_sequence != table.sequence
        )
        return not self._all(behind)

    @contextmanager
    def making_pieces(self) -> Iterator[None]:
        """One transaction for commits that together give these books the pieces of all their facts.

        Raises:
            Overtaken: another process has committed since these books were loaded; nothing has changed, and they must
                be opened anew.
            StoreProblem: the database cannot be read or written; the same holds.
        """
        mine = PROGRESS.c.books == self.partition
        with self._database.whole() as connection:
            self._database.wait_patiently(connection)
            connection.execute(update(PROGRESS).where(mine).values(pieces_sequence=PROGRESS.c.sequence))
            for table in (PIECES, MEASUREMENTS):
                connection.execute(delete(table).where(of_partition(table.c.allocation_id, self.partition)))
            yield

    # -- commits -------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """Write everything or nothing.

        Raises:
            Overtaken: another process has committed since, or another partition has the books of a tenant that is new
                here; this process must stop, or load anew.
            StoreProblem: the database cannot be written; the same commit may be tried again.
        """
        moved, book, writer = commit.moved, commit.book, self._writer
        _, names, rows_of, pages = self._stored
        with self._database.writing() as connection:
            sequences = self._pass_fence(connection, commit)
            self._look_up(connection, [key for key in moved.timelines if rows_of.of(key) is None])
            allocations = allocation_changes(moved.timelines, rows_of, names)
            held = held_changes(moved.finished, allocations.given, rows_of, names)
            usage, measured = usage_amounts(moved, names), measured_amounts(moved, names)
            for tenant, _ in moved.chains:
                if tenant:  # it may have nothing but a profile
                    names.tenants.number(tenant)
            writer.names(connection, names, book, moved.sources, commit.at)
            self._personal.write(connection)
            writer.pages(connection, pages.unwritten())
            writer.allocations(connection, allocations)
            writer.held(connection, held)
            writer.chains(connection, moved.chains)
            writer.usage(connection, usage)
            writer.measured(connection, measured)
            writer.restatements(connection, moved.restatements)
            writer.conservation(connection, moved.conservation)
            writer.dead_letters(connection, commit.rejected, commit.at)
            writer.settled_letters(connection, commit.settled_letters)
            writer.blind(connection, commit.blind)
            news = news_of(connection, commit.flag_changes, commit.telling, commit.at)
            writer.flags(connection, commit.flag_changes)
            write_news(connection, self._database, news)
            writer.journal(connection, _audited(connection, commit.journal, commit.at, commit.by), commit.at, own=True)
        self._sequences.update(sequences)
        pages.written()
        self._personal.written()
        rows_of.committed(allocations.new, allocations.opened, allocations.closed)
        for numbering in names:
            numbering.unwritten.clear()

    def _pass_fence(self, connection: Connection, commit: Commit) -> dict[Where, int]:
        """Move the positions, if nobody else has; returns their new sequences."""
        whole = Position(*WHOLE_STORE, 0, commit.book.clock, "")
        sequences: dict[Where, int] = {}
        for position in (whole, *commit.positions):
            key = (position.topic, position.partition)
            expected = self._sequences.get(key)
            if expected is None:
                expected = 0
                connection.execute(insert_new(self._database, PROGRESS), self._beginning(key))
            moved = connection.execute(
                update(PROGRESS)
                .where(
                    PROGRESS.c.books == self.partition,
                    PROGRESS.c.topic == storable(position.topic),
                    PROGRESS.c.partition == position.partition,
                    PROGRESS.c.sequence == expected,
                )
                .values(
                    sequence=expected + 1,
                    pieces_sequence=_PIECES_SEQUENCE,
                    next_offset=position.next_offset,
                    clock=position.clock,
                    check_hash=position.check,
                )
            )
            if moved.rowcount != 1:
                raise self._overtaken()
            sequences[key] = expected + 1
        return sequences

    def _beginning(self, where: Where) -> dict[str, Any]:
        """The row of a position before anything was read."""
        place = {"books": self.partition, "topic": storable(where[0]), "partition": where[1]}
        return {**place, "sequence": 0, "pieces_sequence": 0, "next_offset": 0, "clock": -1, "check_hash": ""}

    def _overtaken(self) -> Overtaken:
        return Overtaken(
            f"Another process has written to the store {self._database.path} since this one read it: stop one "
            "of them, then start again; nothing is lost, and nothing was counted twice."
        )

    def record(self, entries: Sequence[JournalEntry], at: int, by: Person | None = None) -> None:
        """Write journal entries beside a process that owns the books: decisions for it to apply; `by`: whose they are.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            self._writer.journal(connection, _audited(connection, entries, at, by), at, own=False)

    def decide(
        self,
        entry: JournalEntry,
        changes: Sequence[Change],
        at: int,
        settled_letters: Mapping[int, str] = NO_LETTERS,
        telling: Telling | None = None,
        by: Person | None = None,
    ) -> None:
        """Write a person's decision, and what it changes about flags and dead letters, beside a process that owns the
        books; `telling`: who is told of the flags; `by`: who has decided, as the audit names them.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            news = news_of(connection, changes, telling, at)
            self._writer.flags(connection, changes)
            write_news(connection, self._database, news)
            self._writer.settled_letters(connection, settled_letters)
            self._writer.journal(connection, _audited(connection, [entry], at, by), at, own=False)

    # -- reading -------------------------------------------------------------------------------------------------

    def load(self, decode: Decode, lateness_ms: int = 3_600_000, resident_hours: int | None = None) -> Loaded:
        """The books as the latest commit left them. Call it before anything is taken in.

        `resident_hours`: see `Book`.

        Raises:
            Overtaken: they were claimed, and another process has claimed them since, or committed.
            StoreProblem: the database cannot be read, or is damaged.
        """
        with self._database.reading() as connection:
            self._database.wait_patiently(connection)  # decoding takes long between two questions, and holds up nobody
            sequences = _sequences(connection, self.partition)
            if sequences != self._sequences:
                if self._claimed:
                    raise self._overtaken()
                self._stored, self._sequences = self._found(connection)
            positions = _positions(connection, self.partition)
            flags: dict[str, dict[str, Flag]] = {}
            ours = select(TENANTS.c.name).where(of_partition(TENANTS.c.id, self.partition))
            for row in connection.execute(select(*FLAGS.columns).where(FLAGS.c.tenant.in_(ours))):
                flag = rows.flag_of(row)
                if not flag.of_group:  # a party may have the name of a tenant
                    flags.setdefault(flag.tenant, {})[flag.id] = flag
            book = Book(lateness_ms, resident_hours=resident_hours)
            book.clock = max((position.clock for position in positions.values()), default=-1)
            load_book(connection, self._stored, self._decode_with(decode), book)
        positions.pop(WHOLE_STORE, None)
        return Loaded(book, flags, positions)

    def _decode_with(self, decode: Decode) -> Decode:
        """How facts of chains are decoded: with their personal values."""
        return lambda lines: decode(self._personal.revealed(lines))

    def load_tenants(self, decode: Decode, names: Collection[str]) -> Book:
        """What these books have of some of their tenants, to be read only: no allocation that is closed, no report."""
        with self._database.reading() as connection:
            return load_tenants(connection, self._stored, self._decode_with(decode), names)

    def profile_heads(self) -> dict[str, tuple[int, int]]:
        """Of each tenant of all books with a profile, its partition and the number of the latest fact of that chain."""
        query = select(CHAINS.c.tenant, CHAINS.c.partition, CHAINS.c.head)
        found = self._all(query.where(CHAINS.c.subject == "", CHAINS.c.tenant != ""))
        return {original(tenant): (partition, head) for tenant, partition, head in found}

    def clocks(self) -> list[int]:
        """The clocks of the books of each partition that has tenants."""
        tenants = select(TENANTS.c.id // base_of(1)).distinct()
        query = select(func.max(PROGRESS.c.clock)).where(PROGRESS.c.books.in_(tenants)).group_by(PROGRESS.c.books)
        return [row[0] for row in self._all(query)]

    def group_flags(self) -> dict[str, Flag]:
        """The flags of groups, by id."""
        return {flag.id: flag for flag in self.flags() if flag.of_group}

    def last_roll_up(self) -> int | None:
        """The instant of the latest roll-up that changed something."""
        table = JOURNAL.c
        query = select(table.body).where(table.kind == TICK, table.partition.is_(None))
        found = self._all(query.order_by(table.number.desc()).limit(1))
        return int(json.loads(found[0][0])["as_of"]) if found else None

    def partitions(self) -> list[int]:
        """The partitions that have books in this store."""
        return [row[0] for row in self._all(select(PROGRESS.c.books).distinct().order_by(PROGRESS.c.books))]

    def positions(self) -> dict[Where, StoredPosition]:
        """How far each partition has been read; where several books read it, by those that are least far."""
        least: dict[Where, StoredPosition] = {}
        for positions in self.book_positions().values():
            for where, position in positions.items():
                if where not in least or position.next_offset < least[where].next_offset:
                    least[where] = position
        return least

    def book_positions(self) -> dict[int, dict[Where, StoredPosition]]:
        """How far the books of each partition have read."""
        with self._database.reading() as connection:
            numbers = connection.execute(select(PROGRESS.c.books).distinct().order_by(PROGRESS.c.books)).scalars()
            found = {number: _positions(connection, number) for number in numbers.all()}
        for positions in found.values():
            positions.pop(WHOLE_STORE, None)
        return found

    def tenant_names(self) -> list[str]:
        """The tenants of these books."""
        return sorted(self._stored.names.tenants.values().values())

    def owners(self, names: Collection[str]) -> dict[str, int]:
        """Of these tenants those that any books know -> the partition of the books."""
        wanted, owners = sorted(names), {}
        for start in range(0, len(wanted), NAMES_AT_ONCE):
            query = select(TENANTS.c.name, TENANTS.c.id).where(
                TENANTS.c.name.in_(wanted[start : start + NAMES_AT_ONCE])
            )
            owners.update({name: number >> PARTITION_BITS for name, number in self._all(query)})
        return owners

    def heard(self) -> dict[str, int]:
        """The latest event time of anything from each source, in whatever partition it came."""
        return dict(map(tuple, self._all(select(SOURCES.c.name, func.max(SOURCES.c.heard)).group_by(SOURCES.c.name))))

    def facts(self) -> Iterator[StoredFact]:
        """Every fact in order of acceptance, a few pages in memory at a time."""
        kept = self._stored.pages.facts()
        while facts := list(islice(kept, FACTS_AT_ONCE)):
            lines = self._personal.revealed([fact.raw for fact in facts])
            yield from (fact._replace(raw=raw) for fact, raw in zip(facts, lines, strict=True))

    def lines(self) -> Iterator[bytes]:
        """Every fact as it came, in order of acceptance."""
        return (fact.raw for fact in self.facts())

    def find_facts(self, source: str, id: str) -> list[StoredFact]:
        """The facts of one identity: several if their content differs. Reads all facts."""
        return [fact for fact in self.facts() if _is(fact.raw, source, id)]

    def flags(self, tenant: str | None = None) -> list[Flag]:
        """All flags, or those of one tenant, by tenant and rule."""
        query = select(*FLAGS.columns).order_by(FLAGS.c.tenant, FLAGS.c.rule)
        if tenant is not None:
            query = query.where(FLAGS.c.tenant == tenant)
        return [rows.flag_of(row) for row in self._all(query)]

    def flag_history(self, flag: str) -> list[Entry]:
        """The history of a flag, oldest line first."""
        table = FLAG_HISTORY.c
        query = select(table.flag, table.at, table.act, table.level, table.reason).order_by(table.id)
        return [
            Entry(name, at, act, Level(level), reason)
            for name, at, act, level, reason in self._all(query.where(table.flag == flag))
        ]

    def seen(self) -> dict[str, Seen]:
        """By flag what people said of who looked at it and who knew."""
        with self._database.reading() as connection:
            return seen_of(connection)

    @property
    def casework(self) -> Casework:
        """The cases of all flags, and what people decide of them."""
        return Casework(self._database, self._writer)

    @property
    def proposals(self) -> Proposals:
        """What takes two people and is about no case."""
        return Proposals(self._database, self._writer)

    @property
    def exports(self) -> Exports:
        """What leaves the monitor as a file."""
        return Exports(self._database)

    @property
    def outgoing(self) -> Outgoing:
        """What people are told, on its way."""
        return Outgoing(self._database)

    @property
    def retaining(self) -> Retaining:
        """What has a period, and what is personal."""
        return Retaining(self._database)

    @property
    def audit(self) -> Auditing:
        """What people did."""
        return Auditing(self._database)

    def dead_letters(self, after: int = 0) -> Iterator[DeadLetter]:
        """Records that are no facts, with numbers above `after`, a few in memory at a time."""
        query = select(*DEAD_LETTERS.columns).order_by(DEAD_LETTERS.c.id).limit(LETTERS_AT_ONCE)
        while letters := self._all(query.where(DEAD_LETTERS.c.id > after)):
            yield from map(rows.dead_letter_of, letters)
            after = letters[-1][0]

    def dead_letter(self, number: int) -> DeadLetter | None:
        """The dead letter with this number, if there is one."""
        found = self._all(select(*DEAD_LETTERS.columns).where(DEAD_LETTERS.c.id == number))
        return rows.dead_letter_of(found[0]) if found else None

    def letters_waiting(self) -> int:
        """How many dead letters of all books wait for a person."""
        return int(self._all(select(func.count()).where(LETTER_WAITS))[0][0])

    def letters_by_reason(self) -> dict[str, int]:
        """How many dead letters of all books wait for a person, by why they were refused."""
        table = DEAD_LETTERS.c
        found = self._all(select(table.reason, func.count()).where(LETTER_WAITS).group_by(table.reason))
        return dict(map(tuple, found))

    def latest_letters(self, limit: int, body_bytes: int) -> list[DeadLetter]:
        """The latest dead letters that wait for a person, the latest first, with so much of their bodies."""
        table = DEAD_LETTERS.c
        part = func.substr(table.body, 1, body_bytes, type_=table.body.type)
        begins = func.coalesce(part, table.body, type_=table.body.type).label("body")  # SQLite: no part of nothing
        columns = [begins if column is table.body else column for column in DEAD_LETTERS.columns]
        query = select(*columns).where(LETTER_WAITS).order_by(table.id.desc()).limit(limit)
        return [rows.dead_letter_of(letter) for letter in self._all(query)]

    def unpublished(self, limit: int, partitions: Collection[int]) -> list[DeadLetter]:
        """The oldest dead letters of the books of these partitions that are not in their topic yet, at most so many."""
        query = select(*DEAD_LETTERS.columns).where(UNPUBLISHED, DEAD_LETTERS.c.partition.in_(sorted(partitions)))
        return [rows.dead_letter_of(letter) for letter in self._all(query.order_by(DEAD_LETTERS.c.id).limit(limit))]

    def mark_published(self, numbers: Collection[int]) -> None:
        """These dead letters are in their topic.

        Raises:
            StoreProblem: the database cannot be written.
        """
        if numbers:
            statement = update(DEAD_LETTERS).where(DEAD_LETTERS.c.id == bindparam("number")).values(published=True)
            with self._database.writing() as connection:
                connection.execute(statement, [{"number": number} for number in sorted(numbers)])

    def blind(self, partition: int | None = None) -> list[BlindRow]:
        """What the books of all partitions, or of one, could not see, the earliest first."""
        columns = [column for column in BLIND.columns if column is not BLIND.c.partition]
        query = select(*columns, BLIND.c.partition).order_by(BLIND.c.start_time, BLIND.c.name, BLIND.c.partition)
        if partition is not None:
            query = query.where(BLIND.c.partition == partition)
        return [BlindRow(*row) for row in self._all(query)]

    def restatements(self, tenant: str | None = None) -> list[Restatement]:
        """What late facts changed, of all tenants or of one, oldest first."""
        query = select(*list(RESTATEMENTS.columns)[1:]).order_by(RESTATEMENTS.c.id)
        if tenant is not None:
            query = query.where(RESTATEMENTS.c.tenant == tenant)
        return [rows.restatement_of(row) for row in self._all(query)]

    def restated(self, after: int | None) -> tuple[int, dict[str, int]]:
        """The number of the latest restatement, and by tenant how many facts restated anything after another number.

        None: of nobody.
        """
        table = RESTATEMENTS.c
        latest = self._all(select(func.coalesce(func.max(table.id), 0)))[0][0]
        if after is None:
            return latest, {}
        facts = func.count(func.distinct(table.fact_id))
        found = self._all(select(table.tenant, facts).where(table.id > after).group_by(table.tenant))
        return latest, {original(tenant): count for tenant, count in found}

    def conservation(self, region: str | None = None) -> list[Conservation]:
        """The books against inventory reports, of all regions or of one, in the order of the checks."""
        query = select(*list(CONSERVATION.columns)[1:]).order_by(CONSERVATION.c.id)
        if region is not None:
            query = query.where(CONSERVATION.c.region == region)
        return [rows.conservation_of(row) for row in self._all(query)]

    def journal(self, after: int = 0, kinds: Collection[str] | None = None) -> list[JournalRow]:
        """Journal entries with numbers above `after`, in order, of all kinds or of these."""
        table = JOURNAL.c
        query = select(table.number, table.at, table.kind, table.body, table.partition).where(table.number > after)
        if kinds is not None:
            query = query.where(table.kind.in_(sorted(kinds)))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(table.number)).all()
            bodies = with_names(connection, [json.loads(original(row.body)) for row in found])
        return [
            JournalRow(row.number, row.at, JournalEntry(row.kind, body), row.partition)
            for row, body in zip(found, bodies, strict=True)
        ]

    def last_tick(self) -> int | None:
        """The instant of the latest evaluation of these books that was committed."""
        table = JOURNAL.c
        query = select(table.body).where(table.kind == TICK, table.partition == self.partition)
        found = self._all(query.order_by(table.number.desc()).limit(1))
        return int(json.loads(found[0][0])["as_of"]) if found else None

    def _all(self, query: Any) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query).all()


def _audited(connection: Connection, entries: Iterable[JournalEntry], at: int, by: Person | None) -> list[JournalEntry]:
    """The entries as the journal keeps them, without names; what people decided, or put into force, is in the audit."""
    kept = []
    for entry in entries:
        if entry.kind == DECISION:
            entry = entry._replace(body=without_names(connection, entry.body))
        if entry.kind == DECISION or (by is not None and entry.kind == ACTIVATION):
            append_decision(connection, entry.body, at, by)
        kept.append(entry)
    return kept


def _positions(connection: Connection, books: int) -> dict[Where, StoredPosition]:
    table = PROGRESS.c
    query = select(table.topic, table.partition, table.sequence, table.next_offset, table.clock, table.check_hash)
    found = connection.execute(query.where(table.books == books))
    return {(original(row[0]), row[1]): StoredPosition(*row[2:]) for row in found}


def _sequences(connection: Connection, books: int) -> dict[Where, int]:
    return {where: position.sequence for where, position in _positions(connection, books).items()}


def _parts(values: Sequence[Value]) -> Iterator[list[Value]]:
    """The values in parts of the lengths of `KEYS_AT_ONCE`, filled up with their last value."""
    start = 0
    while start < len(values):
        rest = len(values) - start
        length = next((one for one in KEYS_AT_ONCE if one >= rest), KEYS_AT_ONCE[-1])
        part = list(values[start : start + length])
        yield part + part[-1:] * (length - len(part))
        start += length


def _is(raw: bytes, source: str, id: str) -> bool:
    """Whether a fact has this identity; most are ruled out without reading them as JSON."""
    if b"\\" not in raw and id.encode("utf-8", "surrogatepass") not in raw:
        return False
    event = json.loads(event_bytes(raw))
    return bool(event.get("source") == source and event.get("id") == id)
