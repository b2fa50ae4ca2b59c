"""What the allocations of a tenant have held: as a store keeps it, or made from the facts of one that lacks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import Protocol

from monitor.core.book import Book, Finished, Moved
from monitor.core.engine import Past
from monitor.core.facts import effective
from monitor.core.inventory import statements
from monitor.core.model import Key, Traits
from monitor.core.ties import linking_traits
from monitor.core.timeline import Effects, fold
from monitor.intake.decode import decode_facts
from monitor.store import Commit

ALLOCATIONS_AT_ONCE = 2_000


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

    def making_pieces(self) -> AbstractContextManager[None]:
        """One transaction for commits that together give them the pieces of all their facts."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write everything or nothing."""
        ...


def past_of(book: Book, store: Books) -> Past:
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

    Inner layers whose outer one is known are left out, as in the books. A store that has no pieces has no traits of
    what is held still either: they are put into the book, where they belong to what its timelines hold.
    """
    heads = store.heads_of(name)
    keys = sorted(heads)
    found: dict[str, Effects] = {}
    for start in range(0, len(keys), ALLOCATIONS_AT_ONCE):
        part = {key: heads[key] for key in keys[start : start + ALLOCATIONS_AT_ONCE]}
        for key, lines in store.histories(part).items():
            effects = _counted(book, key, lines, heads)
            if effects is not None:
                found[key[1]] = effects
    return found


def _counted(book: Book, key: Key, lines: Sequence[bytes], known: Mapping[Key, int]) -> Effects | None:
    counting = effective(decode_facts(lines), book.tenants[key[0]].retracted)
    timeline, effects = fold([*counting, *statements(book.regions, key, counting)])
    resident = book.tenants[key[0]].timelines.get(key[1])
    if resident is not None:
        resident.traits = timeline.traits
    outer = timeline.within
    return effects if outer is None or outer == key[1] or (key[0], outer) not in known else None
