"""Lists and queries for tests."""

from __future__ import annotations

from monitor.core.lists import ListedName, ListedParty, ListVersion, NameKind, Query
from monitor.screening.screen import Screen

VERSION = ListVersion("test", "d1", None, 0)


def party(key: str, *names: str, country: str = "", kind: NameKind = NameKind.PRIMARY, **more: object) -> ListedParty:
    base = ListedParty(
        "test", key, tuple(ListedName(name, kind) for name in names), "entity", countries(country), (), (), ()
    )
    return base._replace(**more)  # type: ignore[arg-type]


def countries(country: str) -> frozenset[str]:
    return frozenset(country.split())


def query(*names: str, country: str = "", **more: object) -> Query:
    return Query(names, countries(country), (), ())._replace(**more)  # type: ignore[arg-type]


def screen(*parties: ListedParty, threshold: int = 700) -> Screen:
    return Screen([(VERSION, parties)], threshold)
