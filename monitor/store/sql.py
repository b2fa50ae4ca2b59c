"""The embedded store: the books, every fact, and how far each partition was read, in one database.

One commit is one transaction. It begins with the fence: the sequence of each position, and of the store as a whole,
must be what this process left there, else another process has taken over and nothing is written. A commit that fails
for any reason leaves database and memory as they were, so that the same commit can be tried again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from monitor.core.book import NewFact, Restatement
from monitor.core.flags import Change, Entry, Flag
from monitor.core.inventory import Conservation
from monitor.core.model import Key
from monitor.core.policy import Level
from monitor.core.timeline import Shape, may_hold
from monitor.errors import Overtaken
from monitor.store import rows
from monitor.store.commit import (
    TICK,
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
from monitor.store.loading import Decode, load_book
from monitor.store.names import AllocationRows, Numbering, key64
from monitor.store.pages import FactPages, StoredPage
from monitor.store.schema import (
    ALLOCATIONS,
    CLOSED,
    CONSERVATION,
    DEAD_LETTERS,
    FACT_PAGES,
    FLAG_HISTORY,
    FLAGS,
    JOURNAL,
    PROGRESS,
    RESTATEMENTS,
    SHAPES,
    SOURCES,
    TENANTS,
)
from monitor.store.writing import Names, Writer, allocation_changes, measured_rows, usage_rows

__all__ = ["Commit", "JournalEntry", "SqlStore"]

# The embedded store has one writer, even where two processes read different files: their tenants may be the same.
WHOLE_STORE = ("", 0)
KEYS_AT_ONCE = (1, 16, 128, 512)  # in one query: few lengths, so that the database can keep the statements
LETTERS_AT_ONCE = 100

_BY_KEY = select(ALLOCATIONS.c.tenant_id, ALLOCATIONS.c.name, ALLOCATIONS.c.id, ALLOCATIONS.c.head).where(
    ALLOCATIONS.c.key64.in_(bindparam("keys", expanding=True))
)
_PAGES = select(*FACT_PAGES.columns).where(FACT_PAGES.c.page.in_(bindparam("pages", expanding=True)))


class SqlStore:
    """The store of one process: an archive of facts for `take_in`, and the commits of its book."""

    __slots__ = ("_database", "_names", "_pages", "_rows", "_sequences", "_writer")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database.engine)
        self._sequences: dict[tuple[str, int], int] = {}
        with database.reading() as connection:
            self._names = Names(
                Numbering((number, name) for number, name in connection.execute(select(TENANTS.c.id, TENANTS.c.name))),
                Numbering((number, name) for number, name in connection.execute(select(SOURCES.c.id, SOURCES.c.name))),
                Numbering((row[0], Shape(*row[1:])) for row in connection.execute(select(*SHAPES.columns))),
            )
            greatest = connection.execute(select(func.max(ALLOCATIONS.c.id))).scalar()
            self._rows = AllocationRows(1 if greatest is None else greatest + 1)
            last = connection.execute(select(*FACT_PAGES.columns).order_by(FACT_PAGES.c.page.desc()).limit(1)).first()
            self._pages = FactPages(self._fetch_pages, None if last is None else StoredPage(*last))
            for topic, partition, sequence in connection.execute(
                select(PROGRESS.c.topic, PROGRESS.c.partition, PROGRESS.c.sequence)
            ):
                self._sequences[topic, partition] = sequence

    @staticmethod
    def open(url: str, create: bool = True) -> SqlStore:
        """The store at a URL like `sqlite:///path`, made or brought up to date where needed.

        Raises:
            StoreProblem: it cannot be opened, with a sentence that says why and what to do.
        """
        return SqlStore(connect(url, create))

    def close(self) -> None:
        """Let go of the database."""
        self._database.engine.dispose()

    # -- the archive of facts ------------------------------------------------------------------------------------

    def heads(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Of these allocations those that are known -> number of the latest fact as of the last commit."""
        with self._database.reading() as connection:
            return self._look_up(connection, keys)

    def _look_up(self, connection: Connection, keys: Iterable[Key]) -> dict[Key, int]:
        """The heads of those allocations that have rows; remembers which rows, and which have none."""
        found: dict[Key, tuple[int, int]] = dict.fromkeys(keys, (0, 0))
        tenants = self._names.tenants
        wanted = {(tenants.known(key[0]), key[1]): key for key in found}
        hashes = [key64(key) for (tenant, _), key in wanted.items() if tenant is not None]
        for part in _parts(hashes):
            for tenant, name, row, head in connection.execute(_BY_KEY, {"keys": part}):
                key = wanted.get((tenant, name))
                if key is not None:
                    found[key] = (row, head)
        for key, (row, _) in found.items():
            self._rows.found(key, row)
        return {key: head for key, (row, head) in found.items() if row}

    def append(self, facts: Sequence[NewFact]) -> None:
        """Keep facts; the next commit writes them."""
        self._pages.append(facts)

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first; facts that await a commit included."""
        return self._pages.chains(heads)

    def _fetch_pages(self, numbers: Sequence[int]) -> list[StoredPage]:
        with self._database.reading() as connection:
            return [StoredPage(*row) for row in connection.execute(_PAGES, {"pages": list(numbers)})]

    def marked(self, tenant: str, marks: Sequence[bytes]) -> dict[Key, int]:
        """Allocations of a tenant that may hold a fact with one of these fingerprints -> head as of the last commit."""
        number = self._names.tenants.known(tenant)
        if number is None:
            return {}
        table = ALLOCATIONS.c
        query = select(table.id, table.name, table.head, table.prints).where(table.tenant_id == number)
        heads: dict[Key, int] = {}
        with self._database.reading() as connection:
            for row, name, head, prints in connection.execution_options(yield_per=10_000).execute(query):
                if may_hold(prints, marks):
                    self._rows.found((tenant, name), row)
                    heads[tenant, name] = head
        return heads

    def settled(self, region: str, since: int) -> dict[Key, int]:
        """Closed allocations of a region whose latest fact is at or after `since` -> head as of the last commit."""
        shapes = [number for number, shape in self._names.shapes.values().items() if shape.region == region]
        tenants = self._names.tenants.values()
        table = ALLOCATIONS.c
        heads: dict[Key, int] = {}
        with self._database.reading() as connection:
            for shape in shapes:
                query = select(table.id, table.tenant_id, table.name, table.head)
                for row, tenant, name, head in connection.execute(
                    query.where(CLOSED, table.shape_id == shape, table.last_time >= since)
                ):
                    key = (tenants[tenant], name)
                    self._rows.found(key, row)
                    heads[key] = head
        return heads

    # -- commits -------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """Write everything or nothing.

        Raises:
            Overtaken: another process has committed since; this one must stop and load anew.
            StoreProblem: the database cannot be written; the same commit may be tried again.
        """
        moved, book, names, writer = commit.moved, commit.book, self._names, self._writer
        with self._database.writing() as connection:
            sequences = self._pass_fence(connection, commit)
            self._look_up(connection, [key for key in moved.timelines if self._rows.of(key) is None])
            allocations = allocation_changes(moved.timelines, self._rows, names)
            usage, measured = usage_rows(moved, book, names), measured_rows(moved, book, names)
            writer.pages(connection, self._pages.unwritten())
            writer.names(connection, names, book, moved.sources)
            writer.allocations(connection, allocations)
            writer.chains(connection, moved.chains)
            writer.usage(connection, *usage)
            writer.measured(connection, *measured)
            writer.restatements(connection, moved.restatements)
            writer.conservation(connection, moved.conservation)
            writer.dead_letters(connection, commit.rejected, commit.at)
            writer.flags(connection, commit.flag_changes)
            writer.journal(connection, commit.journal, commit.at)
        self._sequences.update(sequences)
        self._pages.written()
        self._rows.committed(allocations.new, allocations.opened, allocations.closed)
        for numbering in names:
            numbering.unwritten.clear()

    def _pass_fence(self, connection: Connection, commit: Commit) -> dict[tuple[str, int], int]:
        """Move the positions, if nobody else has; returns their new sequences."""
        whole = Position(*WHOLE_STORE, 0, commit.book.clock, "")
        sequences: dict[tuple[str, int], int] = {}
        for position in (whole, *commit.positions):
            key = (position.topic, position.partition)
            expected = self._sequences.get(key)
            if expected is None:
                expected = 0
                start = {"topic": key[0], "partition": key[1], "sequence": 0, "next_offset": 0, "clock": -1}
                connection.execute(insert_new(PROGRESS), {**start, "check_hash": ""})
            moved = connection.execute(
                update(PROGRESS)
                .where(
                    PROGRESS.c.topic == position.topic,
                    PROGRESS.c.partition == position.partition,
                    PROGRESS.c.sequence == expected,
                )
                .values(
                    sequence=expected + 1,
                    next_offset=position.next_offset,
                    clock=position.clock,
                    check_hash=position.check,
                )
            )
            if moved.rowcount != 1:
                raise Overtaken(
                    f"Another process has written to the store {self._database.path} since this one read it: stop one "
                    "of them, then start again; nothing is lost, and nothing was counted twice."
                )
            sequences[key] = expected + 1
        return sequences

    def record(self, entries: Sequence[JournalEntry], at: int) -> None:
        """Write journal entries beside a process that owns the store: decisions for it to apply.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            self._writer.journal(connection, entries, at)

    def decide(self, entry: JournalEntry, changes: Sequence[Change], at: int) -> None:
        """Write a person's decision, and what it changes about flags, beside a process that owns the store.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            self._writer.journal(connection, [entry], at)
            self._writer.flags(connection, changes)

    # -- reading -------------------------------------------------------------------------------------------------

    def load(self, decode: Decode, lateness_ms: int = 3_600_000) -> Loaded:
        """The books as the latest commit left them. Call it before anything is taken in.

        Raises:
            StoreProblem: the database cannot be read, or is damaged.
        """
        with self._database.reading() as connection:
            positions = _positions(connection)
            flags: dict[str, dict[str, Flag]] = {}
            for row in connection.execute(select(*FLAGS.columns)):
                flag = rows.flag_of(row)
                flags.setdefault(flag.tenant, {})[flag.id] = flag
            book = load_book(connection, self._names, self._rows, self._pages, decode, lateness_ms)
        book.clock = max((position.clock for position in positions.values()), default=-1)
        positions.pop(WHOLE_STORE, None)
        return Loaded(book, flags, positions)

    def positions(self) -> dict[tuple[str, int], StoredPosition]:
        """How far each partition has been read."""
        with self._database.reading() as connection:
            positions = _positions(connection)
        positions.pop(WHOLE_STORE, None)
        return positions

    def facts(self) -> Iterator[StoredFact]:
        """Every fact in order of acceptance, a few pages in memory at a time."""
        return self._pages.facts()

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

    def dead_letters(self, after: int = 0) -> Iterator[DeadLetter]:
        """Records that are no facts, with numbers above `after`, a few in memory at a time."""
        query = select(*DEAD_LETTERS.columns).order_by(DEAD_LETTERS.c.id).limit(LETTERS_AT_ONCE)
        while letters := self._all(query.where(DEAD_LETTERS.c.id > after)):
            yield from (DeadLetter(*letter) for letter in letters)
            after = letters[-1][0]

    def restatements(self, tenant: str | None = None) -> list[Restatement]:
        """What late facts changed, of all tenants or of one, oldest first."""
        query = select(*list(RESTATEMENTS.columns)[1:]).order_by(RESTATEMENTS.c.id)
        if tenant is not None:
            query = query.where(RESTATEMENTS.c.tenant == tenant)
        return [rows.restatement_of(row) for row in self._all(query)]

    def conservation(self, region: str | None = None) -> list[Conservation]:
        """The books against inventory reports, of all regions or of one, in the order of the checks."""
        query = select(*list(CONSERVATION.columns)[1:]).order_by(CONSERVATION.c.id)
        if region is not None:
            query = query.where(CONSERVATION.c.region == region)
        return [rows.conservation_of(row) for row in self._all(query)]

    def journal(self, after: int = 0) -> list[JournalRow]:
        """Journal entries with numbers above `after`, in order."""
        table = JOURNAL.c
        query = select(table.number, table.at, table.kind, table.body).where(table.number > after)
        return [
            JournalRow(number, at, JournalEntry(kind, json.loads(body)))
            for number, at, kind, body in self._all(query.order_by(table.number))
        ]

    def last_tick(self) -> int | None:
        """The instant of the latest evaluation that was committed."""
        query = select(JOURNAL.c.body).where(JOURNAL.c.kind == TICK).order_by(JOURNAL.c.number.desc()).limit(1)
        found = self._all(query)
        return int(json.loads(found[0][0])["as_of"]) if found else None

    def _all(self, query: Any) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query).all()


def _positions(connection: Connection) -> dict[tuple[str, int], StoredPosition]:
    return {(row[0], row[1]): StoredPosition(*row[2:]) for row in connection.execute(select(*PROGRESS.columns))}


def _parts(values: Sequence[int]) -> Iterator[list[int]]:
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
    event = json.loads(raw)
    return bool(event.get("source") == source and event.get("id") == id)
