"""The statements of one commit, after its fence.

Everything here runs inside one transaction and changes nothing in memory that a failure would have to undo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Table, bindparam, update
from sqlalchemy.exc import IntegrityError

from monitor.core.book import Book, Finished, Moved, Restatement
from monitor.core.flags import Change, State
from monitor.core.inventory import Conservation
from monitor.core.model import NO_TRAITS, Key, Rejected
from monitor.core.timeline import Shape, Timeline
from monitor.errors import Overtaken
from monitor.store import postgres
from monitor.store.bulk import Statements
from monitor.store.commit import BlindRow, JournalEntry
from monitor.store.names import AllocationRows, NewRows, Numbering, TraitsNumbering, key64
from monitor.store.pages import StoredPage
from monitor.store.rows import (
    Row,
    canonical_json,
    conservation_row,
    dead_letter_row,
    flag_row,
    restatement_row,
    source_row,
    timeline_row,
    traits_row,
)
from monitor.store.schema import (
    ALLOCATIONS,
    BLIND,
    CHAINS,
    CONSERVATION,
    DEAD_LETTERS,
    FACT_PAGES,
    FLAG_HISTORY,
    FLAGS,
    JOURNAL,
    MEASURED,
    MEASUREMENTS,
    PIECES,
    RESTATEMENTS,
    SHAPES,
    SOURCES,
    TENANTS,
    TRAITS,
    USAGE,
    base_of,
)
from monitor.store.texts import storable

FIXED_COLUMNS = 4  # of `allocations`: those before `head` never change


class Names(NamedTuple):
    """The numberings of a store."""

    tenants: Numbering[str]
    sources: Numbering[str]
    shapes: Numbering[Shape]
    traits: TraitsNumbering


class Amounts(NamedTuple):
    """What a commit does to a row of `usage` or `measured`."""

    place: Row  # its primary key
    values: tuple[int, ...]
    added: bool  # to those that are there


class AllocationChanges(NamedTuple):
    """What a commit does to `allocations`."""

    inserted: list[Row]
    updated: list[Row]
    opened: list[tuple[Key, int]]
    closed: list[Key]
    new: NewRows
    given: dict[Key, int]  # rows of those that had none


def allocation_changes(timelines: Mapping[Key, Timeline], rows: AllocationRows, names: Names) -> AllocationChanges:
    """Rows to insert and to update for the allocations that moved, all of which `rows` knows or knows to be new."""
    changes = AllocationChanges([], [], [], [], rows.new_rows(), {})
    tenants, sources, shapes, traits = names
    for key, timeline in timelines.items():
        shape = shapes.number(timeline.shape)
        if timeline.since is None:
            columns = timeline_row(timeline, shape, None, None)
        else:
            said = None if timeline.traits is NO_TRAITS else traits.number(timeline.traits)
            columns = timeline_row(timeline, shape, sources.number(timeline.source), said)
        row = rows.of(key)
        if row:
            changes.updated.append((*columns, row))
        else:
            row = changes.given[key] = changes.new.take()
            changes.inserted.append((row, key64(key), tenants.number(key[0]), key[1], *columns))
        if timeline.since is None:
            changes.closed.append(key)
        else:
            changes.opened.append((key, row))
    return changes


class HeldChanges(NamedTuple):
    """What a commit does to `pieces` and `measurements`."""

    replaced: list[Row]  # allocations whose rows of before go
    pieces: list[Row]
    measurements: list[Row]


def held_changes(
    finished: Mapping[Key, Finished], given: Mapping[Key, int], rows: AllocationRows, names: Names
) -> HeldChanges:
    """Rows to insert for what allocations no longer hold; `given` are the rows of those that are new."""
    changes = HeldChanges([], [], [])
    replaced, pieces, measurements = changes
    shape_id, traits_id = names.shapes.number, names.traits.number
    for key, (effects, anew) in finished.items():
        row = given.get(key)
        if row is None:
            row = rows.of(key)
            assert row
            if anew:
                replaced.append((row,))
        for shape, start, end, count, certain, said in effects.pieces:
            number = None if said is NO_TRAITS else traits_id(said)
            pieces.append((row, start, end, shape_id(shape), count, certain, number))
        for shape, start, end, count, active, clock in effects.measurements:
            measurements.append((row, start, end, shape_id(shape), count, active, clock))
    return changes


class Writer:
    """The statements, for one kind of database and the books of one partition."""

    __slots__ = ("_base", "_delete", "_insert", "_look_up", "_partition", "_shared", "_update_allocation", "_upsert")

    def __init__(self, engine: Engine, partition: int) -> None:
        self._partition = partition
        self._base = base_of(partition)
        self._shared = engine.dialect.name == "postgresql"
        statements = Statements(engine)
        numbered = (RESTATEMENTS, CONSERVATION, DEAD_LETTERS, FLAG_HISTORY, JOURNAL)  # the database counts these
        left_out = {DEAD_LETTERS.c.state, DEAD_LETTERS.c.published}  # have their first values
        self._insert = {
            table.name: statements.insert(
                table,
                [one for one in table.columns if not ((table in numbered and one.primary_key) or one in left_out)],
            )
            for table in (TENANTS, SHAPES, TRAITS, ALLOCATIONS, PIECES, MEASUREMENTS, *numbered)
        }
        self._upsert = {
            table.name: statements.upsert(table, [one for one in table.columns if one not in left_out])
            for table in (FACT_PAGES, SOURCES, CHAINS, USAGE, MEASURED, FLAGS, BLIND)
        }
        self._delete = {
            table.name: statements.delete(table, list(table.primary_key)) for table in (USAGE, MEASURED)
        } | {table.name: statements.delete(table, [table.c.allocation_id]) for table in (PIECES, MEASUREMENTS)}
        self._look_up = {table.name: statements.look_up(table) for table in (USAGE, MEASURED)}
        changing = list(ALLOCATIONS.columns)[FIXED_COLUMNS:]
        self._update_allocation = statements.update(ALLOCATIONS, changing, ALLOCATIONS.c.id)

    def pages(self, connection: Connection, pages: Iterable[StoredPage]) -> None:
        """New pages of facts, and the last one again."""
        self._put(connection, FACT_PAGES, [(self._base + page, facts, body) for page, facts, body in pages])

    def names(self, connection: Connection, names: Names, book: Book, heard: Mapping[str, int], at: int) -> None:
        """New tenants, shapes, traits and sources, and when sources were heard of.

        Raises:
            Overtaken: another partition has the books of one of the tenants.
        """
        # In the order of their names: two that write the same ones wait for each other, and not in a circle.
        tenants = sorted((name, number) for number, name in names.tenants.unwritten)
        try:
            self._add(connection, TENANTS, [(number, name, at) for name, number in tenants])
        except IntegrityError as error:
            raise Overtaken(
                "Another partition has the books of a tenant that came new to this one: reading goes on once these "
                "books are loaded anew; nothing is lost, and nothing was counted twice."
            ) from error
        self._add(connection, SHAPES, [(number, *shape) for number, shape in names.shapes.unwritten])
        self._add(connection, TRAITS, [(number, *traits_row(traits)) for number, traits in names.traits.unwritten])
        moved = {*heard, *(name for _, name in names.sources.unwritten)}
        self._put(
            connection,
            SOURCES,
            [(names.sources.number(name), name, *source_row(book.sources.get(name))) for name in sorted(moved)],
        )

    def allocations(self, connection: Connection, changes: AllocationChanges) -> None:
        """Allocations that are new or moved."""
        self._add(connection, ALLOCATIONS, changes.inserted)
        self._update_allocation.run(connection, changes.updated)

    def held(self, connection: Connection, changes: HeldChanges) -> None:
        """What allocations no longer hold, and where it was measured."""
        for table, rows in ((PIECES, changes.pieces), (MEASUREMENTS, changes.measurements)):
            self._delete[table.name].run(connection, changes.replaced)
            self._add(connection, table, rows)

    def chains(self, connection: Connection, heads: Mapping[Key, int]) -> None:
        """The latest facts of chains that are no allocation."""
        self._put(connection, CHAINS, [(*key, head, self._partition) for key, head in heads.items()])

    def usage(self, connection: Connection, rows: Sequence[Amounts]) -> None:
        """Changes of rate and area."""
        self._move(connection, USAGE, rows)

    def measured(self, connection: Connection, rows: Sequence[Amounts]) -> None:
        """Measured usage."""
        self._move(connection, MEASURED, rows)

    def _move(self, connection: Connection, table: Table, rows: Sequence[Amounts]) -> None:
        """Write amounts, those that are to be added with what is there; rows that became nothing are deleted."""
        added = [row.place for row in rows if row.added]
        stored: dict[Row, tuple[int, ...]] = {}
        for found in self._look_up[table.name].run(connection, added):
            width = len(found) - len(rows[0].values)
            stored[found[:width]] = tuple(map(int, found[width:]))
        kept: list[Row] = []
        gone: list[Row] = []
        for place, values, is_added in rows:
            before = stored.get(place) if is_added else None
            now = values if before is None else tuple(one + more for one, more in zip(before, values, strict=True))
            if any(now):
                kept.append((*place, *map(str, now)))
            else:
                gone.append(place)
        self._put(connection, table, kept)
        self._delete[table.name].run(connection, gone)

    def restatements(self, connection: Connection, told: Sequence[Restatement]) -> None:
        """What late facts changed."""
        self._add(connection, RESTATEMENTS, [restatement_row(one) for one in told])

    def conservation(self, connection: Connection, checked: Sequence[Conservation]) -> None:
        """The books against inventory reports."""
        self._add(connection, CONSERVATION, [conservation_row(one) for one in checked])

    def dead_letters(self, connection: Connection, rejected: Sequence[Rejected], at: int) -> None:
        """Records that are no facts."""
        rows = [dead_letter_row(*one, at) for one in rejected]
        self._add(connection, DEAD_LETTERS, rows)

    def settled_letters(self, connection: Connection, states: Mapping[int, str]) -> None:
        """What became of dead letters."""
        if states:
            statement = update(DEAD_LETTERS).where(DEAD_LETTERS.c.id == bindparam("number"))
            rows = [{"number": number, "becomes": state} for number, state in states.items()]
            connection.execute(statement.values(state=bindparam("becomes")), rows)

    def blind(self, connection: Connection, intervals: Sequence[BlindRow]) -> None:
        """Intervals in which these books could not see; a name that is there already is replaced."""
        latest = {one.name: one for one in intervals}
        self._put(connection, BLIND, [(self._partition, *one[:-1]) for one in latest.values()])

    def flags(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Flags as they are now, and the lines of their histories that somebody is told.

        Mere new numbers go only where the flag still is in the state that they were computed for: a person may have
        closed it meanwhile, beside the process that owns the store.
        """
        told = [change.entry for change in changes if change.entry.act]
        moved = {entry.flag for entry in told}
        flags = {change.flag.id: change.flag for change in changes}
        self._put(connection, FLAGS, [flag_row(flag) for flag in flags.values() if flag.id in moved])
        for flag in flags.values():
            if flag.id not in moved:
                row = dict(zip(FLAGS.columns.keys(), flag_row(flag), strict=True))
                unmoved = [] if flag.state is State.CLOSED else [FLAGS.c.state == flag.state.value]
                connection.execute(update(FLAGS).where(FLAGS.c.id == flag.id, *unmoved).values(row))
        rows = [(entry.flag, entry.at, str(entry.act), str(entry.level), entry.reason) for entry in told]
        self._add(connection, FLAG_HISTORY, rows)

    def journal(self, connection: Connection, entries: Sequence[JournalEntry], at: int, own: bool) -> None:
        """Ticks, decisions and activations: those of these books, or such as concern all.

        The last statement of a transaction: until it ends, nobody else's numbers can come between, so that whoever
        reads the journal up to a number has seen all before it.
        """
        if entries and self._shared:
            postgres.lock(connection, postgres.JOURNAL_LOCK)
        partition = self._partition if own else None
        rows = [(at, entry.kind, storable(canonical_json(entry.body)), partition) for entry in entries]
        self._add(connection, JOURNAL, rows)

    def _add(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        self._insert[table.name].run(connection, rows)

    def _put(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        self._upsert[table.name].run(connection, rows)


def usage_amounts(moved: Moved, names: Names) -> list[Amounts]:
    """What a commit does to `usage`; gives out the numbers that it needs."""
    tenants, shapes = names.tenants, names.shapes
    return [
        Amounts(
            (tenants.number(name), shapes.number(row.key.shape), row.key.usage_class, row.key.hour),
            (row.rate, row.area),
            row.added,
        )
        for name, row in moved.usage
    ]


def measured_amounts(moved: Moved, names: Names) -> list[Amounts]:
    """What a commit does to `measured`; gives out the numbers that it needs."""
    tenants, shapes = names.tenants, names.shapes
    return [
        Amounts((tenants.number(name), shapes.number(row.key.shape), row.key.hour), row.value, row.added)
        for name, row in moved.measured
    ]
