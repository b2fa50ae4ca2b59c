"""Stores: opened, loaded into books, and what commands that only look may hold of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.clock import SystemClock
from monitor.core.model import HOUR_MS, Observation
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.run.holdings import make_pieces, past_of
from monitor.run.replay import Working
from monitor.run.task import blind_of
from monitor.run.verify import Kept
from monitor.settings import Settings
from monitor.store import ACTIVATION, Commit, Loaded
from monitor.store.memory import MemoryArchive

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore

RESIDENT_HOURS = 48  # of usage that a worker keeps in memory; older ones are read from the store where they matter
COLLECT_AFTER = 200_000  # new objects between two looks of the garbage collector
Progress = Callable[[int, int | None], None]  # done, and in all if known: bytes, facts, or what is removed


@contextmanager
def opened_store(url: str, create: bool = True, read_only: bool = False) -> Iterator[SqlStore]:
    """The store at a URL, closed at the end."""
    # Only here, as the client of Kafka below: reading it takes longer than most commands that need no store.
    from monitor.store.sql import SqlStore

    store = SqlStore.open(url, create=create, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def store_url(settings: Settings, state: Path | None) -> str:
    """Where the books live: the file that the command names, else the store of the settings."""
    return settings.store_url if state is None else f"sqlite:///{state}"


def working_archive() -> Working:
    """An archive for the length of one computation."""
    archive = MemoryArchive()
    return Working(archive, archive.commit, archive)


def load(store: SqlStore, lateness_ms: int = HOUR_MS, resident_hours: int | None = None) -> Loaded:
    """The books of one partition as the latest commit left them."""
    return store.load(decode_facts, lateness_ms, resident_hours)


def load_own(store: SqlStore, lateness_ms: int = HOUR_MS, resident_hours: int | None = None) -> Loaded:
    """The same for whoever will commit to them: they get the pieces that they lack.

    Raises:
        Overtaken: another process has committed to them meanwhile.
    """
    loaded = load(store, lateness_ms, resident_hours)
    make_pieces(loaded.book, store, SystemClock().now_ms())
    return loaded


def load_all(store: SqlStore) -> list[Kept]:
    """The books of all partitions."""
    kept = []
    for partition in store.partitions():
        bound = store.beside(partition)
        loaded = load(bound)
        past = past_of(loaded.book, bound)
        blind = [blind_of(row) for row in store.blind(partition)]
        kept.append(Kept(loaded.book, loaded.flags, bound.last_tick(), bound.lines, past, blind))
    books = [one.book for one in kept]
    for book in books:
        book.heard_elsewhere = store.heard()
    return kept


@contextmanager
def existing(settings: Settings, state: Path | None) -> Iterator[SqlStore]:
    """The store of settings, or of `state`, which must be there.

    Raises:
        StoreProblem: there is none, or it cannot be opened.
    """
    with opened_store(store_url(settings, state), create=False) as store:
        yield store


@contextmanager
def still(settings: Settings, state: Path | None) -> Iterator[SqlStore]:
    """A store that stays as it is for us, whatever a worker commits meanwhile."""
    with existing(settings, state) as store, store.still():
        yield store


def hold(store: SqlStore, batches: Iterable[Sequence[Observation]]) -> int:
    """Take facts into a store, committing after each batch; the number of open allocations that the book then holds."""
    book = load(store).book
    for facts in batches:
        take_in(book, store, facts, [None] * len(facts))
        store.commit(Commit(book.drain(), book, [], [], [], [], 0))
    return sum(tenant.open_allocations for tenant in book.tenants.values())


def tune_collector() -> None:
    """Keep the garbage collector from walking live books: they have no cycles, and most of its time went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 50, 1_000)


def known_partitions(store: SqlStore) -> int | None:
    """For how many partitions of the tenant topic the books of a store are kept; None before the first."""
    for row in reversed(store.journal(0, (ACTIVATION,))):
        if "partitions" in row.entry.body:
            return int(str(row.entry.body["partitions"]))
    return None
