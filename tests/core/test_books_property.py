"""The books are a function of the set of facts: any order, repetition, batching and forgetting gives the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from monitor.core.book import Book, joined
from monitor.core.engine import books_digest, hearing
from monitor.core.estimate import totals, usage_changes
from monitor.core.ledger import hourly
from monitor.core.model import HOUR_MS, Observation
from monitor.core.partitions import adopter, partition_of
from monitor.core.timeline import Shape
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.store.memory import MemoryArchive
from tests.core import reference
from tests.core.facts_strategy import LATEST_MS, event_sets, in_batches

LATENESS_MS = 3_600_000
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # not `explain`: it takes minutes here


def books_of(batches: Iterable[Sequence[Observation]], closed_resident_max: int = 1_000) -> Book:
    """A book that took in these batches, with a commit after each."""
    book, archive = Book(LATENESS_MS, closed_resident_max), MemoryArchive()
    for batch in batches:
        take_in(book, archive, batch, [None] * len(batch))
        archive.commit(book.drain())
    return book


def named(tenant: str, shape: Shape) -> reference.UsageKey:
    return tenant, shape.region or "", shape.fabric or "", shape.hardware or "", shape.unit or ""


def usage_of(book: Book) -> dict[reference.UsageKey, dict[str, int]]:
    """The book's usage as the reference writes it."""
    heard = hearing(book, LATEST_MS)
    return {
        named(name, shape): by_class
        for name, tenant in book.tenants.items()
        for shape, by_class in totals(tenant, LATEST_MS, heard).items()
    }


def hourly_usage_of(book: Book) -> dict[tuple[reference.UsageKey, str, int], int]:
    """The book's usage by hour as the reference writes it."""
    heard = hearing(book, LATEST_MS)
    return {
        (named(name, shape), usage_class, hour): amount
        for name, tenant in book.tenants.items()
        for (shape, usage_class), rows in usage_changes(tenant, LATEST_MS, heard).items()
        for hour, amount in hourly(rows, LATEST_MS // HOUR_MS + 1)
        if amount
    }


def measured_of(book: Book) -> dict[tuple[reference.UsageKey, int], tuple[int, int, int]]:
    """The book's measured rows as the reference writes them."""
    return {
        (named(name, key.shape), key.hour): tuple(row)
        for name, tenant in book.tenants.items()
        for key, row in tenant.ledger.measured.items()
        if any(row)
    }


def a_few_late(in_time: Sequence[Observation], chance: random.Random) -> list[Observation]:
    """The facts in time order, but for some that come after all others."""
    late = [chance.random() < 0.25 for _ in in_time]
    return [fact for wanted in (False, True) for fact, is_late in zip(in_time, late, strict=True) if is_late == wanted]


def check(lines: list[bytes], seed: int) -> None:
    """Every way of taking these events in agrees with the reference, to the last unit."""
    facts = decode_facts(lines)
    assert len(lines) == len(facts)
    chance = random.Random(seed)
    in_time = sorted(facts, key=lambda fact: fact.time)
    ways = {
        "as they came": books_of([facts]),
        "as they came, one at a time": books_of([[fact] for fact in facts]),
        "in time order, one at a time": books_of([[fact] for fact in in_time]),
        "a few of them late": books_of([[fact] for fact in a_few_late(in_time, chance)]),
        "a few of them late, forgetting": books_of([[fact] for fact in a_few_late(in_time, chance)], 0),
        "backwards, forgetting": books_of([[fact] for fact in reversed(in_time)], 0),
        "shuffled": books_of(in_batches(facts, chance)),
        "shuffled, forgetting some": books_of(in_batches(facts, chance), 1),
    }
    expected = reference.usage(facts, LATEST_MS)
    by_hour = reference.hourly_usage(facts, LATEST_MS)
    measured = reference.measured_usage(facts, LATEST_MS)
    digest = books_digest(ways["as they came"], LATEST_MS)
    for way, book in ways.items():
        assert (way, expected) == (way, usage_of(book))
        assert (way, by_hour) == (way, hourly_usage_of(book))
        assert (way, measured) == (way, measured_of(book))
        assert (way, digest) == (way, books_digest(book, LATEST_MS))
    coherent(ways["as they came"])


def coherent(book: Book) -> None:
    """No usage is negative, and the hours of each shape and class add up to its total."""
    heard = hearing(book, LATEST_MS)
    for tenant in book.tenants.values():
        sums = totals(tenant, LATEST_MS, heard)
        for (shape, usage_class), rows in usage_changes(tenant, LATEST_MS, heard).items():
            amounts = [amount for _, amount in hourly(rows, LATEST_MS // HOUR_MS + 1)]
            assert min(amounts, default=0) >= 0
            assert sums.get(shape, {}).get(usage_class, 0) == sum(amounts)


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(event_sets(), seeds)
def test_the_books_are_a_function_of_the_set_of_facts(lines: list[bytes], seed: int) -> None:
    """Order, repetition, batches and forgetting change nothing, and the reference says the same."""
    check(lines, seed)


def partitioned(facts: Sequence[Observation], partitions: int, chance: random.Random) -> Book:
    """The same facts in the books of several partitions: each tenant's in one, and control facts in all.

    Some tenants' records come to another partition than the hash of their name says; the one that it says has heard so.
    """
    names = {fact.tenant for fact in facts} - {""}
    written = {name: partition_of(name, partitions) for name in sorted(names)}
    for name in sorted(names):
        if chance.random() < 0.3:
            written[name] = (written[name] + 1) % partitions
    books = []
    for number in range(partitions):
        book, archive = Book(LATENESS_MS, 1, adopter(number, partitions, "murmur2")), MemoryArchive()
        book.elsewhere = {name for name, partition in written.items() if partition != number}
        mine = [fact for fact in facts if not fact.tenant or written[fact.tenant] == number]
        for batch in in_batches(mine, chance):
            take_in(book, archive, batch, [None] * len(batch))
            archive.commit(book.drain())
        books.append(book)
    assert sum(len(book.tenants) for book in books) == len({name for book in books for name in book.tenants})
    return joined(books)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(event_sets(), seeds, st.integers(1, 4))
def test_the_books_of_all_partitions_are_the_books(lines: list[bytes], seed: int, partitions: int) -> None:
    """However tenants are spread over partitions, each is counted once, to the same digest."""
    facts = decode_facts(lines)

    assert books_digest(books_of([facts]), LATEST_MS) == books_digest(
        partitioned(facts, partitions, random.Random(seed)), LATEST_MS
    )


@pytest.mark.torture
@settings(max_examples=20_000, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(event_sets(40), seeds)
def test_many_more_sets_of_facts(lines: list[bytes], seed: int) -> None:
    """The same over many more and larger sets."""
    check(lines, seed)
