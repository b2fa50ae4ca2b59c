"""A screen that remembers its answers: those who are screened seldom change, and are asked for again and again."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.lists import Hit, Query
from monitor.screening.known import Known
from monitor.screening.screen import Screen

REMEMBERED_MAX = 200_000  # answers; the oldest half is forgotten beyond it


class Remembering:
    """The hits of a screen, each computed once."""

    def __init__(self, screen: Screen, answers: Mapping[Query, tuple[Hit, ...]] | None = None) -> None:
        self._screen = screen
        self._answers = dict(answers or {})

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """The hits that are at least possible, the best first."""
        found = self._answers.get(query)
        if found is None:
            if len(self._answers) >= REMEMBERED_MAX:
                for oldest in list(self._answers)[: REMEMBERED_MAX // 2]:
                    self._answers.pop(oldest, None)  # a roll-up aside may be forgetting at the same time
            found = self._answers[query] = self._screen.hits(query)
        return found

    def renewed(self, screen: Screen) -> Remembering:
        """The same over other lists: only those whom an entry that changed may be are asked again.

        The hits of the others stand, under the version of the list that they were found in.
        """
        changed = {one.party for one in self._screen.entries} ^ {one.party for one in screen.entries}
        queries = list(self._answers)
        touched = set(Known((str(number), query) for number, query in enumerate(queries)).touched(changed))
        kept = {query: self._answers[query] for number, query in enumerate(queries) if str(number) not in touched}
        return Remembering(screen, kept)
