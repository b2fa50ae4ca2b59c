"""Answers of a screen are remembered, and a change of a list asks again only for whom it may touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from monitor.core.lists import Hit, Query
from monitor.screening import remembered
from monitor.screening.remembered import Remembering
from monitor.screening.screen import Screen
from tests.screening.listing import party, query, screen

LANXIU, GRANIT = party("1", "Lanxiu Holding Group", country="CN"), party("2", "Vostok-Granit Raschyot", country="RU")
HERON = party("3", "Silver Heron Advisory", country="GB")
HOLDING, COMPUTING, NOBODY = query("Lanxiu Holding"), query("Vostok Granit Raschyot"), query("Tidewrack Analytics")


class Asked:
    """A screen, and what it was asked."""

    def __init__(self, within: Screen) -> None:
        self.within, self.queries = within, list[Query]()

    @property
    def entries(self) -> Sequence[Any]:
        """Those of the lists."""
        return self.within.entries

    def hits(self, asked: Query) -> tuple[Hit, ...]:
        """The hits of the screen."""
        self.queries.append(asked)
        return self.within.hits(asked)


def test_who_was_asked_for_is_not_asked_for_again() -> None:
    """The answer is that of the screen, computed once."""
    asked = Asked(screen(LANXIU, GRANIT))
    remembering = Remembering(asked)  # type: ignore[arg-type]

    answers = [remembering.hits(one) for one in (HOLDING, COMPUTING, HOLDING, NOBODY, HOLDING)]

    assert [HOLDING, COMPUTING, NOBODY] == asked.queries
    assert answers == [asked.within.hits(one) for one in (HOLDING, COMPUTING, HOLDING, NOBODY, HOLDING)]
    assert ["1"] == [hit.listed.id for hit in answers[0]]


def test_a_change_of_a_list_asks_again_only_whom_it_may_touch() -> None:
    """An entry that changed, went or came: whoever it was or is like is asked for again, and nobody else."""
    before = Remembering(screen(LANXIU, GRANIT))
    for one in (HOLDING, COMPUTING, NOBODY):
        before.hits(one)
    moved = LANXIU._replace(addresses=("9 Lanxiu Road, Qingwan",))

    for parties, again in (((moved, GRANIT), [HOLDING]), ((LANXIU,), [COMPUTING]), ((LANXIU, GRANIT, HERON), [])):
        asked = Asked(screen(*parties))
        after = before.renewed(asked)  # type: ignore[arg-type]
        found = {one: after.hits(one) for one in (HOLDING, COMPUTING, NOBODY)}

        assert again == asked.queries
        assert {one: [hit.listed for hit in hits] for one, hits in found.items()} == {
            one: [hit.listed for hit in asked.within.hits(one)] for one in found
        }


class Interrupted(Query):
    """Somebody who is asked for while another thread has its turn."""

    turns: ClassVar[list[Callable[[], object]]] = []

    def __hash__(self) -> int:
        if self.turns:
            self.turns.pop()()
        return super().__hash__()


def test_threads_may_forget_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A roll-up asks aside of the loop that reads: what it forgot meanwhile the loop need not forget."""
    monkeypatch.setattr(remembered, "REMEMBERED_MAX", 2)
    remembering = Remembering(screen(LANXIU, GRANIT))
    for one in (Interrupted(*NOBODY), COMPUTING):
        remembering.hits(one)
    Interrupted.turns.append(lambda: remembering.hits(query("Somebody Else")))

    found = remembering.hits(HOLDING)

    assert (["1"], []) == ([hit.listed.id for hit in found], Interrupted.turns)
