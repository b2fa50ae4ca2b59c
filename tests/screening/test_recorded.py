"""Answers of a screen that were written down: they come back as they were, and nobody else is on a list."""

from __future__ import annotations

import json

from monitor.core.lists import Band, Hit, ListedName, ListedParty, NameKind, Query
from monitor.screening.recorded import Recorded, Recording, answers_document, answers_from

LISTED = ListedParty(
    "us.sdn", "s-1", (ListedName("Lanxiu \udc80", NameKind.PRIMARY), ListedName("LX", NameKind.WEAK)), "entity",
    frozenset({"CN", "HK"}), ("1 Road",), (("lei", "5299"),), ("SDGT",),
)  # fmt: skip
HIT = Hit(LISTED, "name", "Lanxiu", "Lanxiu", 990, Band.LIKELY, (("name", 990), ("country", 0)), "sha256:0")
ASKED = Query(("Lanxiu",), frozenset({"CN"}), (("lei", "5299"),), ("1 Road",))
OTHER = Query(("Nobody",), frozenset(), (), ())


class Lists:
    """A screen that knows one party."""

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """The one."""
        return (HIT,) if query == ASKED else ()


def test_answers_come_back_as_they_were() -> None:
    """Through JSON, whatever was asked first."""
    one, other = Recording(Lists()), Recording(Lists())
    for query in (ASKED, OTHER):
        one.hits(query)
    for query in (OTHER, ASKED, OTHER):
        other.hits(query)

    document = json.loads(json.dumps(answers_document(one.answers)))

    assert answers_document(one.answers) == answers_document(other.answers)
    assert {ASKED: (HIT,), OTHER: ()} == answers_from(document)


def test_whoever_was_not_asked_about_is_on_no_list() -> None:
    """A name that is changed in a pack is found by that."""
    recorded = Recorded({ASKED: (HIT,)})

    assert ((HIT,), ()) == (recorded.hits(ASKED), recorded.hits(OTHER))
