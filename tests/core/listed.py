"""A small screener and lists for tests of the rules: who is meant is said, not compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from monitor.core.lists import Band, Effect, Hit, ListedName, ListedParty, ListEffects, Lists, NameKind, Query
from monitor.core.model import DAY_MS

RULE_FROM, RULE_UNTIL = 10 * DAY_MS, 20 * DAY_MS  # when the entity list reaches what its parties own


def _effect(source: str, direct: str, owner: str, since: int | None = None, until: int | None = None) -> Effect:
    return Effect(source, f"the list {source}", direct, owner, since, until, f"office of {source}", "citation")


EFFECTS = ListEffects(
    "1",
    "sha256:e",
    {
        "sdn": (_effect("sdn", "blocked", "blocked"),),
        "el": (
            _effect("el", "end_use_review", "attention", None, RULE_FROM),
            _effect("el", "end_use_review", "end_use_review", RULE_FROM, RULE_UNTIL),
        ),
        "meu": (_effect("meu", "end_use_review", "end_use_review", RULE_FROM, RULE_UNTIL),),
        "own": (_effect("own", "attention", "none"),),
    },
)


class Saying(NamedTuple):
    """A screener that finds what it was told of each name."""

    of_name: Mapping[str, tuple[Hit, ...]]

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """Those of all names that are asked for, in the order of the names."""
        return tuple(hit for name in query.names for hit in self.of_name.get(name, ()))


def entry(source: str, id: str) -> ListedParty:
    """One entry of a list."""
    names = (ListedName(f"{id} Ltd", NameKind.PRIMARY),)
    return ListedParty(source, id, names, "entity", frozenset({"CN"}), (), (), ())


def hit(name: str, source: str, band: Band = Band.LIKELY, score: int = 950, kind: str = "name", id: str = "") -> Hit:
    """What screening says of a name: that it is like that of an entry."""
    party = entry(source, id or f"{source}-{name}")
    return Hit(party, kind, name, party.names[0].text, score, band, (), "sha256:l")


def lists(*hits: Hit) -> Lists:
    """Lists on which these names are found."""
    of_name: dict[str, tuple[Hit, ...]] = {}
    for one in hits:
        of_name[one.asked] = (*of_name.get(one.asked, ()), one)
    return Lists(Saying(of_name), EFFECTS, ())
