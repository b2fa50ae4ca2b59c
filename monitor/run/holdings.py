"""What the allocations of a tenant have held, from the facts that a store keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from monitor.core.book import Book
from monitor.core.facts import effective
from monitor.core.inventory import statements
from monitor.core.model import Key
from monitor.core.timeline import Effects, fold
from monitor.intake.decode import decode_facts

ALLOCATIONS_AT_ONCE = 2_000


class Facts(Protocol):
    """The facts of the books of one partition."""

    def heads_of(self, tenant: str) -> dict[Key, int]:
        """All allocations of a tenant -> number of the latest fact."""
        ...

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first."""
        ...


def finished(book: Book, facts: Facts, name: str) -> dict[str, Effects]:
    """What the allocations of a tenant have held and no longer hold, and where they were measured.

    Inner layers whose outer one is known are left out, as in the books. A store has no traits of what is held still:
    they are put into the book, where they belong to what its timelines hold.
    """
    heads = facts.heads_of(name)
    keys = sorted(heads)
    found: dict[str, Effects] = {}
    for start in range(0, len(keys), ALLOCATIONS_AT_ONCE):
        part = {key: heads[key] for key in keys[start : start + ALLOCATIONS_AT_ONCE]}
        for key, lines in facts.histories(part).items():
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
