"""Whom a change of a list touches: those who are screened, indexed the same way as lists are."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.core.lists import ListedParty, Query
from monitor.screening.exact import identifiers
from monitor.screening.index import Index
from monitor.screening.places import Places
from monitor.screening.screen import named

TOGETHER_MIN = 1.1  # of the two names; weights differ here, where others are rare, so more is taken than can be a hit


class Known:
    """Queries that were screened, by id."""

    def __init__(self, queries: Iterable[tuple[str, Query]]) -> None:
        held = sorted(queries)
        self._ids = [key for key, _ in held]
        # What is common among those who are screened may be rare on a list: nothing is too common to be found by.
        self._names = Index([named(sorted(set(query.names))) for _, query in held], common=None)
        self._places = Places([query.addresses for _, query in held])
        self._identifiers: dict[str, list[int]] = {}
        for at, (_, query) in enumerate(held):
            for _, value in identifiers(query.identifiers):
                self._identifiers.setdefault(value, []).append(at)

    def touched(self, changed: Iterable[ListedParty]) -> tuple[str, ...]:
        """Ids of those whose hits may differ for these entries, as they were and as they are; in order.

        Give both records of an entry that changed. Weights of words move a little with a list: what that does to
        the hits of others waits for their next screening.
        """
        found: set[int] = set()
        for party in changed:
            for _, form in named([name.text for name in party.names]):
                found |= self._names.owners(form, TOGETHER_MIN)
            found |= {near.owner for near in self._places.near(party.addresses)}
            for _, value in identifiers(party.identifiers):
                found |= set(self._identifiers.get(value, ()))
        return tuple(self._ids[at] for at in sorted(found))
