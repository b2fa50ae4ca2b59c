"""The books, rebuilt from a store when a process starts."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from monitor.core.book import Book, is_source_chain
from monitor.core.ledger import Ledger, Measured, MeasuredKey, UsageKey
from monitor.core.model import HOUR_MS, NO_TRAITS, Key, Observation, Traits
from monitor.core.timeline import Effects, Measurement, Piece, Timeline
from monitor.store.names import AllocationRows, Numbering
from monitor.store.pages import FactPages
from monitor.store.rows import counted_from_of, lags_of, traits_of
from monitor.store.schema import (
    ALLOCATIONS,
    CHAINS,
    CLOSED,
    COUNTED_INNER,
    MEASURED,
    MEASUREMENTS,
    OPEN,
    PIECES,
    SOURCES,
    TRAITS,
    USAGE,
    base_of,
)
from monitor.store.writing import Names

Decode = Callable[[Sequence[bytes]], list[Observation]]  # of stored facts; as many, in the same order

Which = ColumnElement[bool]  # rows

ROWS_AT_ONCE = 10_000
LINES_AT_ONCE = 5_000
SPANS_AT_ONCE = 200  # in one query
SOURCE_FACTS_MAX = 1_024  # of the latest `alive` facts about a source: what a book remembers of it


_TENANT: BindParameter[int] = bindparam("tenant")


def _of_tenant(table: Table) -> Select[Any]:
    """The rows of a tenant, each with the name of its allocation for its number, by allocation and time."""
    number, *rest = table.columns
    found = select(ALLOCATIONS.c.name, *rest).join_from(ALLOCATIONS, table, ALLOCATIONS.c.id == number)
    return found.where(ALLOCATIONS.c.tenant_id == _TENANT).order_by(ALLOCATIONS.c.id, table.c.start_time)


def _traits_in(numbers: Select[Any]) -> Select[Any]:
    """The traits whose numbers a query gives."""
    return select(*TRAITS.columns).where(TRAITS.c.id.in_(numbers))


# Made once: for a small tenant that takes longer than its rows.
_PIECES = _of_tenant(PIECES)
_MEASUREMENTS = _of_tenant(MEASUREMENTS)
_TRAITS = _traits_in(_PIECES.with_only_columns(PIECES.c.traits_id).order_by(None))


def of_partition(column: Any, partition: int) -> ColumnElement[bool]:
    """The rows whose id is of the books of a partition."""
    inside: ColumnElement[bool] = column.between(base_of(partition), base_of(partition + 1) - 1)
    return inside


class Stored(NamedTuple):
    """The books of one partition as a store keeps them: what their rows are numbered by, and their facts."""

    partition: int
    names: Names
    rows: AllocationRows
    pages: FactPages


def load_book(connection: Connection, stored: Stored, decode: Decode, book: Book) -> None:
    """The book of all commits so far, into an empty one that has its clock.

    Every tenant is dirty in it: nobody knows what was evaluated since.
    """
    partition, names, rows, pages = stored
    oldest = 0 if book.resident_hours is None else max(0, book.clock // HOUR_MS - book.resident_hours)
    for name in names.tenants.values().values():
        book.tenant(name).ledger.resident_from = oldest
    _load_timelines(connection, book, names, rows, of_partition(ALLOCATIONS.c.tenant_id, partition))
    _load_inner(connection, book, names, partition)
    _load_settled(connection, book, names)
    _load_usage(connection, book, names, of_partition(USAGE.c.tenant_id, partition))
    _load_measured(connection, book, names, of_partition(MEASURED.c.tenant_id, partition))
    table = SOURCES.c
    heard = select(table.name, table.heard, table.pause, table.came, table.lags).where(
        of_partition(table.id, partition)
    )
    for name, latest, pause, came, lags in _rows(connection, heard):
        book.restore_source(name, latest, pause, came, lags_of(lags))
    _load_chains(connection, book, pages, decode, CHAINS.c.partition == partition)
    book.next_fact = pages.next_number
    book.dirty_tenants = set(book.tenants)


def load_tenants(connection: Connection, stored: Stored, decode: Decode, wanted: Collection[str]) -> Book:
    """What a store has of some tenants, to be evaluated: what they hold, all their usage, their own facts, and all
    that is known of parties.
    """
    partition, names, rows, pages = stored
    tenants = {number: name for number, name in names.tenants.values().items() if name in wanted}
    book = Book()
    for name in tenants.values():
        book.tenant(name)
    chosen = stored._replace(names=names._replace(tenants=Numbering(tenants.items())))
    _load_timelines(connection, book, chosen.names, rows, ALLOCATIONS.c.tenant_id.in_(list(tenants)))
    _load_usage(connection, book, chosen.names, USAGE.c.tenant_id.in_(list(tenants)))
    _load_measured(connection, book, chosen.names, MEASURED.c.tenant_id.in_(list(tenants)))
    facts = or_(CHAINS.c.tenant.in_(list(wanted)), CHAINS.c.subject.startswith("party/"))
    _load_chains(connection, book, pages, decode, and_(CHAINS.c.partition == partition, facts))
    return book


def _rows(connection: Connection, query: Executable, parameters: Mapping[str, object] | None = None) -> Iterator[Any]:
    """The rows of a query, a few thousand in memory at a time."""
    return iter(connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE), parameters))


def _load_timelines(connection: Connection, book: Book, names: Names, rows: AllocationRows, which: Which) -> None:
    tenants, sources, shapes = names.tenants.values(), names.sources.values(), names.shapes.values()
    table = ALLOCATIONS.c
    columns = (
        table.id, table.tenant_id, table.name, table.head, table.last_time, table.shape_id, table.within, table.counted,
        table.counted_from, table.prints, table.since, table.held, table.evidence, table.source_id, table.lease_ms,
        table.measured_until, table.traits_id,
    )  # fmt: skip
    timelines = {number: book.tenant(name).timelines for number, name in tenants.items()}
    said: dict[int, Traits] = {}
    for number, *texts in _rows(connection, _traits_in(select(table.traits_id).where(OPEN, which))):
        said[number] = traits_of(texts)
        names.traits.keep(said[number], number)
    query = select(*columns).where(OPEN, which).order_by(table.tenant_id, table.id)  # as their index has them
    same: dict[object, Any] = {}  # equal values of different rows become one object
    for (
        row, tenant_id, name, head, last_time, shape_id, within, counted, counted_from,
        prints, since, held, evidence, source_id, lease_ms, measured_until, traits_id,
    ) in _rows(connection, query):  # fmt: skip
        timeline = Timeline()
        timeline.head = head
        timeline.last_time = last_time
        timeline.shape = shapes[shape_id]
        timeline.within = within if within is None else same.setdefault(within, within)
        timeline.counted = counted
        timeline.counted_from = counted_from_of(counted_from)
        timeline.prints = prints
        timeline.lasting = len(timeline.prints)  # which of them pass is forgotten: all last
        timeline.since = since
        timeline.count = same.setdefault(held, held)
        timeline.evidence = last_time if evidence == last_time else evidence
        timeline.source = sources[source_id]
        timeline.lease_ms = same.setdefault(lease_ms, lease_ms)
        timeline.measured_until = measured_until
        timeline.traits = NO_TRAITS if traits_id is None else said[traits_id]
        timelines[tenant_id][name] = timeline
        rows.keep((tenants[tenant_id], name), row)


def _load_inner(connection: Connection, book: Book, names: Names, partition: int) -> None:
    """Inner layers that count, since nothing is known of their outer ones, or since those were given up."""
    tenants = names.tenants.values()
    table = ALLOCATIONS.c
    query = select(table.tenant_id, table.name, table.within, table.counted_from)
    query = query.where(COUNTED_INNER, of_partition(table.id, partition))
    for tenant_id, name, within, start in _rows(connection, query):
        if within != name:
            book.tenant(tenants[tenant_id]).inner.setdefault(within, {})[name] = counted_from_of(start)


def _load_settled(connection: Connection, book: Book, names: Names) -> None:
    """Of each region, the latest fact of what is closed and so not in memory."""
    for number, shape in names.shapes.values().items():
        latest = select(func.max(ALLOCATIONS.c.last_time)).where(CLOSED, ALLOCATIONS.c.shape_id == number)
        last_time = connection.execute(latest).scalar()
        if last_time is not None:
            book.restore_settled(shape.region, last_time)


def _load_usage(connection: Connection, book: Book, names: Names, which: Which) -> None:
    ledgers = _ledgers(book, names)
    shapes = names.shapes.values()
    table = USAGE.c
    query = select(table.tenant_id, table.shape_id, table.usage_class, table.hour, table.rate, table.area)
    for tenant_id, shape_id, usage_class, hour, rate, area in _rows(connection, query.where(which)):
        key = UsageKey(shapes[shape_id], sys.intern(usage_class), hour)
        ledgers[tenant_id].restore(key, int(rate), int(area))


def _load_measured(connection: Connection, book: Book, names: Names, which: Which) -> None:
    ledgers = _ledgers(book, names)
    shapes = names.shapes.values()
    table = MEASURED.c
    query = select(table.tenant_id, table.shape_id, table.hour, table.usage, table.work, table.plain)
    for tenant_id, shape_id, hour, usage, work, plain in _rows(connection, query.where(which)):
        measured = Measured(int(usage), int(work), int(plain))
        ledgers[tenant_id].restore_measured(MeasuredKey(shapes[shape_id], hour), measured)


def old_usage(connection: Connection, names: Names, tenant: str, before: int) -> list[tuple[UsageKey, tuple[int, int]]]:
    """The rows of a tenant's usage changes of the hours before one."""
    shapes, table = names.shapes.values(), USAGE.c
    query = select(table.shape_id, table.usage_class, table.hour, table.rate, table.area)
    query = query.where(table.tenant_id == names.tenants.known(tenant), table.hour < before)
    return [
        (UsageKey(shapes[shape_id], sys.intern(usage_class), hour), (int(rate), int(area)))
        for shape_id, usage_class, hour, rate, area in _rows(connection, query)
    ]


def old_measured(connection: Connection, names: Names, tenant: str, before: int) -> list[tuple[MeasuredKey, Measured]]:
    """The rows of a tenant's measured usage of the hours before one."""
    shapes, table = names.shapes.values(), MEASURED.c
    query = select(table.shape_id, table.hour, table.usage, table.work, table.plain)
    query = query.where(table.tenant_id == names.tenants.known(tenant), table.hour < before)
    return [
        (MeasuredKey(shapes[shape_id], hour), Measured(int(usage), int(work), int(plain)))
        for shape_id, hour, usage, work, plain in _rows(connection, query)
    ]


def finished(connection: Connection, names: Names, tenant: str) -> Mapping[str, Effects]:
    """What the allocations of a tenant have held and no longer hold, and where they were measured."""
    shapes, of_tenant = names.shapes.values(), {"tenant": names.tenants.known(tenant)}
    said = {number: traits_of(row) for number, *row in _rows(connection, _TRAITS, of_tenant)}
    found: defaultdict[str, Effects] = defaultdict(Effects.none)
    for name, start, end, shape_id, count, certain, traits_id in _rows(connection, _PIECES, of_tenant):
        traits = NO_TRAITS if traits_id is None else said[traits_id]
        found[name].pieces.append(Piece(shapes[shape_id], start, end, count, certain, traits))
    for name, start, end, shape_id, count, active, clock in _rows(connection, _MEASUREMENTS, of_tenant):
        found[name].measurements.append(Measurement(shapes[shape_id], start, end, count, active, clock))
    return dict(found)


def finished_traits(connection: Connection, names: Names, partition: int) -> Mapping[str, AbstractSet[Traits]]:
    """Of each tenant of a partition what was said of what it holds or has held, as far as it may link tenants."""
    tenants, columns = names.tenants.values(), (TRAITS.c.image, TRAITS.c.reservation, TRAITS.c.end_customer)
    said = and_(
        of_partition(ALLOCATIONS.c.id, partition),
        or_(*(column.is_not(None) for column in columns)),
    )
    of_tenant = select(ALLOCATIONS.c.tenant_id, *columns)
    held = of_tenant.join_from(PIECES, ALLOCATIONS, ALLOCATIONS.c.id == PIECES.c.allocation_id)
    queries = (
        held.join(TRAITS, TRAITS.c.id == PIECES.c.traits_id).where(said).distinct(),
        of_tenant.join_from(ALLOCATIONS, TRAITS, TRAITS.c.id == ALLOCATIONS.c.traits_id).where(OPEN, said).distinct(),
    )
    found: defaultdict[str, set[Traits]] = defaultdict(set)
    for query in queries:
        for tenant_id, image, reservation, end_customer in _rows(connection, query):
            traits = Traits(image=image, reservation=reservation, end_customer=end_customer)
            found[tenants[tenant_id]].add(traits)
    return dict(found)


def began(
    connection: Connection, names: Names, partition: int, spans: Sequence[tuple[int, int]]
) -> Mapping[str, AbstractSet[int]]:
    """Of each tenant of a partition when pieces that it no longer holds began, inside these spans of time alone."""
    tenants, found = names.tenants.values(), defaultdict[str, set[int]](set)
    start = PIECES.c.start_time
    held = select(ALLOCATIONS.c.tenant_id, start)
    held = held.join_from(PIECES, ALLOCATIONS, ALLOCATIONS.c.id == PIECES.c.allocation_id)
    for first in range(0, len(spans), SPANS_AT_ONCE):
        inside = or_(*(start.between(*span) for span in spans[first : first + SPANS_AT_ONCE]))
        query = select(ALLOCATIONS.c.tenant_id, start)
        query = query.join_from(PIECES, ALLOCATIONS, ALLOCATIONS.c.id == PIECES.c.allocation_id)
        for tenant_id, at in _rows(
            connection, query.where(of_partition(ALLOCATIONS.c.id, partition), inside).distinct()
        ):
            found[tenants[tenant_id]].add(at)
    return dict(found)


def _ledgers(book: Book, names: Names) -> dict[int, Ledger]:
    return {number: book.tenant(name).ledger for number, name in names.tenants.values().items()}


def _load_chains(connection: Connection, book: Book, pages: FactPages, decode: Decode, which: Which) -> None:
    """The facts that are about no allocation, which the book keeps in memory."""
    table = CHAINS.c
    query = select(table.tenant, table.subject, table.head).where(which)
    heads: dict[Key, int] = {(tenant, subject): head for tenant, subject, head in _rows(connection, query)}
    of_sources = {key: head for key, head in heads.items() if is_source_chain(key)}
    others = {key: head for key, head in heads.items() if key not in of_sources}
    for chosen, most in ((others, None), (of_sources, SOURCE_FACTS_MAX)):
        for key, facts in _decoded(pages.chains(chosen, most), decode):
            book.restore_chain(key, heads[key], facts)


def _decoded(chains: dict[Key, list[bytes]], decode: Decode) -> Iterator[tuple[Key, list[Observation]]]:
    """The facts of each chain in the order in which they came; many chains are decoded at once."""
    keys: list[Key] = []
    lines: list[bytes] = []
    for key in sorted(chains):
        keys.append(key)
        lines.extend(reversed(chains[key]))
        if len(lines) >= LINES_AT_ONCE:
            yield from _shared_out(keys, chains, decode(lines))
            keys, lines = [], []
    yield from _shared_out(keys, chains, decode(lines))


def _shared_out(
    keys: list[Key], chains: dict[Key, list[bytes]], facts: list[Observation]
) -> Iterator[tuple[Key, list[Observation]]]:
    start = 0
    for key in keys:
        end = start + len(chains[key])
        yield key, facts[start:end]
        start = end
