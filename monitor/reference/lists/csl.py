"""The US consolidated screening list: what a record of its CSV and of its JSON file says, in one form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.lists import NameKind
from monitor.reference.lists.entries import Entry, Reading

_SCHEMAS = {"entity": "entity", "individual": "person", "vessel": "vessel", "aircraft": "aircraft"}
_BRACKETED = re.compile(r"\(([^()]+)\)")
# Entries of the Entity List that are an address and nobody by name.
_ONLY_ADDRESS = re.compile(r"address \d+", re.IGNORECASE)


class Place(NamedTuple):
    """One address of a record."""

    text: str  # with the country's code at its end where there is one
    country: str


class Record(NamedTuple):
    """One record, whichever file it was in."""

    line: int
    source: str
    number: str  # not unique over sources, and missing where the source gives none
    id: str  # of the collection, "" where it gives none
    type: str
    name: str
    alt_names: Iterable[str]
    places: Iterable[Place]
    countries: Iterable[str]
    identifiers: Iterable[tuple[str, str]]  # scheme, value
    programs: Iterable[str]


def entry(record: Record, reading: Reading) -> Entry:
    """What a record says of a listed party."""
    line, places = record.line, list(record.places)
    named = [] if _ONLY_ADDRESS.fullmatch(record.name.strip()) else [(record.name, NameKind.PRIMARY)]
    named += [(name, NameKind.ALIAS) for name in record.alt_names]
    source = reading.clean(record.source, line)
    countries = (*(place.country for place in places), *record.countries)
    return Entry(
        line=line,
        labels=(source, *(inside.strip() for inside in _BRACKETED.findall(source))),
        number=reading.clean(record.number, line) or reading.clean(record.id, line),
        names=reading.names(named, line),
        schema=_SCHEMAS.get(record.type.strip().lower(), "unknown"),
        countries=reading.countries(countries, line),
        # A country alone is no address.
        addresses=reading.cleaned((place.text for place in places if place.text != place.country), line),
        identifiers=reading.identifiers(record.identifiers, line),
        programs=reading.cleaned(record.programs, line),
    )
