"""An archive without a store: replay in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from monitor.core.book import Finished, Moved, NewFact
from monitor.core.model import Key, Traits
from monitor.core.ties import linking_traits
from monitor.core.timeline import Effects, Timeline, may_hold


class MemoryArchive:
    """Facts in lists; what has left the book is found by its key."""

    def __init__(self) -> None:
        self._facts: list[NewFact] = []  # the fact with number n stands at n - 1
        self._known: dict[Key, Timeline] = {}
        self._finished: dict[str, dict[str, Effects]] = {}
        self._traits: dict[str, AbstractSet[Traits]] = {}  # of tenants that have let go of nothing since

    def heads(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Of these allocations those that are known -> number of the latest fact."""
        known = self._known
        return {key: known[key].head for key in keys if key in known}

    def append(self, facts: Sequence[NewFact]) -> None:
        """Keep facts."""
        self._facts.extend(facts)

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first."""
        return {key: self._chain(head) for key, head in heads.items()}

    def _chain(self, head: int) -> list[bytes]:
        lines = []
        while head:
            fact = self._facts[head - 1]
            lines.append(fact.raw)
            head = fact.previous
        return lines

    def marked(self, tenant: str, marks: Sequence[bytes]) -> dict[Key, int]:
        """Allocations of a tenant that may hold a fact with one of these fingerprints -> head."""
        return {
            key: timeline.head
            for key, timeline in self._known.items()
            if key[0] == tenant and may_hold(timeline.prints, marks)
        }

    def settled(self, region: str, since: int) -> dict[Key, int]:
        """Allocations of a region whose latest fact is at or after `since` -> head."""
        return {
            key: timeline.head
            for key, timeline in self._known.items()
            if timeline.shape.region == region and timeline.last_time >= since
        }

    def inside(self, outers: Iterable[Key]) -> dict[Key, int]:
        """Allocations that lie within one of these -> head."""
        wanted = set(outers)
        return {key: timeline.head for key, timeline in self._known.items() if (key[0], timeline.within) in wanted}

    def commit(self, moved: Moved) -> None:
        """Remember what the book may forget."""
        self._known.update(moved.timelines)
        for (tenant, allocation), finished in moved.finished.items():
            self._finish(self._finished.setdefault(tenant, {}), allocation, finished)
            self._traits.pop(tenant, None)

    def _finish(self, of_tenant: dict[str, Effects], allocation: str, finished: Finished) -> None:
        known = None if finished.anew else of_tenant.get(allocation)
        if known is None:
            of_tenant[allocation] = finished.effects
        else:
            known.pieces.extend(finished.effects.pieces)
            known.measurements.extend(finished.effects.measurements)

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """What the allocations of a tenant have held and no longer hold, and where they were measured."""
        return self._finished.get(tenant, {})

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of what it has held, as far as it may link tenants."""
        for tenant, held in self._finished.items():
            if tenant not in self._traits:
                self._traits[tenant] = linking_traits(held.values())
        return self._traits

    def lines(self) -> Iterable[bytes]:
        """Every fact in the order of acceptance."""
        return (fact.raw for fact in self._facts)
