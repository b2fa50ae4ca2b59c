"""What the allocations of a tenant have held: as a store keeps it, or made from the facts of one that lacks it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import Protocol

from monitor.core.book import Book, Finished, Moved
from monitor.core.coincidence import SYNCHRONOUS_MIN, SYNCHRONOUS_MS
from monitor.core.facts import effective
from monitor.core.inventory import statements
from monitor.core.links import Launch
from monitor.core.model import Key, Traits
from monitor.core.ties import linking_traits
from monitor.core.timeline import Effects, count_from, fold
from monitor.intake.decode import decode_facts
from monitor.store import Commit

ALLOCATIONS_AT_ONCE = 2_000

Span = tuple[int, int]  # both ends are inside; milliseconds


class Beginnings(Protocol):
    """When tenants began to hold something."""

    def began(self, spans: Sequence[Span]) -> Mapping[str, AbstractSet[int]]:
        """Of each tenant when pieces that it no longer holds began, inside these spans of time alone."""
        ...


class Held(Protocol):
    """What allocations have held and no longer hold, and who began when."""

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """Of each allocation of a tenant, with where it was measured."""
        ...

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of it, as far as it may link tenants."""
        ...

    def began(self, spans: Sequence[Span]) -> Mapping[str, AbstractSet[int]]:
        """Of each tenant when pieces that it no longer holds began, inside these spans of time alone."""
        ...


class Books(Protocol):
    """The books of one partition, which may lack the pieces of facts that came before there were any."""

    def heads_of(self, tenant: str) -> dict[Key, int]:
        """All allocations of a tenant -> number of the latest fact."""
        ...

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first."""
        ...

    def has_pieces(self) -> bool:
        """Whether they have the pieces of all their facts."""
        ...

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """What the allocations of a tenant have held and no longer hold, if they have all pieces."""
        ...

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of what it has held, if they have all pieces."""
        ...

    def began(self, spans: Sequence[Span]) -> Mapping[str, AbstractSet[int]]:
        """Of each tenant when pieces began inside these spans of time, if they have all pieces."""
        ...

    def making_pieces(self) -> AbstractContextManager[None]:
        """One transaction for commits that together give them the pieces of all their facts."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write everything or nothing."""
        ...


def past_of(book: Book, store: Books) -> Held:
    """What allocations have held; where pieces are missing, only the owner of the books may write them."""
    return store if store.has_pieces() else _Folded(book, store)


class _Folded:
    """The past of books that lack pieces, made anew whenever it is asked for."""

    def __init__(self, book: Book, store: Books) -> None:
        self._book = book
        self._store = store

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """Of each allocation of a tenant, with where it was measured."""
        return folded(self._book, self._store, tenant)

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of it, as far as it may link tenants."""
        return {name: linking_traits(self.finished(name).values()) for name in self._book.tenants}

    def began(self, spans: Sequence[Span]) -> Mapping[str, AbstractSet[int]]:
        """Of each tenant when pieces that it no longer holds began, inside these spans of time alone."""
        return {
            name: {
                piece.start
                for effects in self.finished(name).values()
                for piece in effects.pieces
                if any(first <= piece.start <= last for first, last in spans)
            }
            for name in self._book.tenants
        }


def launched_with(launches: Sequence[Launch], book: Book, past: Beginnings) -> set[str]:
    """The tenants that may have launched together with these launches: whoever has, is among them.

    Nobody needs the runs of all tenants for that: a launch begins where something begins to be held.
    """
    spans = [(launch.start - SYNCHRONOUS_MS, launch.start + SYNCHRONOUS_MS) for launch in launches]
    if len(spans) < SYNCHRONOUS_MIN:
        return set()
    began, found = past.began(spans), set()
    for name, tenant in book.tenants.items():
        since = {timeline.counted_since for _, timeline in tenant.held()}
        starts = sorted(since | began.get(name, set()))
        if sum(_any_inside(starts, span) for span in spans) >= SYNCHRONOUS_MIN:
            found.add(name)
    return found


def _any_inside(starts: Sequence[int], span: Span) -> bool:
    position = bisect_left(starts, span[0])
    return position < len(starts) and starts[position] <= span[1]


def make_pieces(book: Book, store: Books, at: int) -> None:
    """Give books that were just loaded the pieces that are missing; `at` is the wall clock in milliseconds.

    Raises:
        Overtaken: another process has committed since; nothing has changed.
        StoreProblem: the database cannot be read or written; nothing has changed.
    """
    if store.has_pieces():
        return
    with store.making_pieces():
        for name in sorted(book.tenants):
            finished = {(name, key): Finished(effects, False) for key, effects in folded(book, store, name).items()}
            timelines = {(name, key): timeline for key, timeline in book.tenants[name].timelines.items()}
            store.commit(Commit(Moved(timelines, finished, [], [], {}, {}, [], []), book, [], [], [], [], at))


def folded(book: Book, store: Books, name: str) -> dict[str, Effects]:
    """What the allocations of a tenant have held and no longer hold, and where they were measured, from its facts.

    Inner layers count as they do in the books. A store that has no pieces has no traits of
    what is held still either: they are put into the book, where they belong to what its timelines hold.
    """
    heads = store.heads_of(name)
    keys = sorted(heads)
    found: dict[str, Effects] = {}
    for start in range(0, len(keys), ALLOCATIONS_AT_ONCE):
        part = {key: heads[key] for key in keys[start : start + ALLOCATIONS_AT_ONCE]}
        for key, lines in store.histories(part).items():
            effects = _counted(book, key, lines)
            if effects is not None:
                found[key[1]] = effects
    return found


def _counted(book: Book, key: Key, lines: Sequence[bytes]) -> Effects | None:
    tenant = book.tenants[key[0]]
    counting = effective(decode_facts(lines), tenant.retracted)
    timeline, effects = fold([*counting, *statements(book.regions, key, counting)])
    resident = tenant.timelines.get(key[1])
    if resident is not None:
        resident.traits = timeline.traits
    start = tenant.placed(key[1], timeline)
    if start is None:
        return None
    count_from(timeline, effects, start)
    return effects
