"""FollowTheMoney entities, one a line: listed parties, with the addresses and sanctions that other lines hold.

Ownership is left out: what a provider may rely on are owners in profiles, which have a basis, a date and a source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from monitor.core.lists import NameKind
from monitor.reference.lists.entries import Content, Entry, Reading
from monitor.reference.lists.ftm import SCHEMAS, day_ms
from monitor.reference.lists.parsed import parsed, text_in, texts_in

NAMES = {
    "name": NameKind.PRIMARY,
    "alias": NameKind.ALIAS,
    "abbreviation": NameKind.ALIAS,
    "previousName": NameKind.FORMER,
    "weakAlias": NameKind.WEAK,
}
COUNTRIES = ("country", "jurisdiction", "mainCountry", "nationality", "citizenship")
IDENTIFIERS = (
    "registrationNumber",
    "taxNumber",
    "vatCode",
    "leiCode",
    "innCode",
    "ogrnCode",
    "okpoCode",
    "uscCode",
    "dunsCode",
    "idNumber",
    "swiftBic",
    "imoNumber",
    "mmsi",
    "callSign",
)
# Topics of those who are on a list; others are politically exposed, wanted or merely of interest.
LISTED = ("sanction", "export", "debarment")
LINKED = ".linked"  # beside a listed party, and on no list itself


class _Sanction(NamedTuple):
    """What one line says of the sanction on an entity."""

    labels: list[str]
    programs: list[str]


class _Beside(NamedTuple):
    """What the parties of a file refer to."""

    addresses: dict[str, list[str]]  # of an address, its text
    countries: dict[str, list[str]]  # of an address
    sanctions: dict[str, list[_Sanction]]  # of a party


def read(text: str, reading: Reading) -> Content:
    """The entries of the file; dated by the latest day on which any was seen.

    Raises:
        ListProblem: a line is no entity.
    """
    parties: list[tuple[int, dict[str, Any]]] = []
    beside = _Beside({}, {}, defaultdict(list))
    seen: list[int] = []
    for line, entity in _entities(text, reading):
        _put_beside(entity, beside)
        last = day_ms(text_in(entity, "last_seen"))
        seen += [] if last is None else [last]
        if entity["schema"] in SCHEMAS and _is_listed(entity, line, reading):
            parties.append((line, entity))
    found = []
    for line, entity in parties:
        found.append(_entry(line, entity, beside, reading))
        reading.limit(found)
    return Content(found, max(seen, default=None))


def _entities(text: str, reading: Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        entity = parsed(line, reading, number)
        if not (text_in(entity, "id") and text_in(entity, "schema") and isinstance(entity.get("properties"), dict)):
            raise reading.refusal(
                number, "is no entity with id, schema and properties: give a file of entities, one a line."
            )
        yield number, entity


def _put_beside(entity: dict[str, Any], beside: _Beside) -> None:
    properties = entity["properties"]
    if entity["schema"] == "Address":
        full = texts_in(properties, "full")
        parts = [text for name in ("street", "city", "postalCode", "region") for text in texts_in(properties, name)]
        beside.addresses[text_in(entity, "id")] = full or ([", ".join(parts)] if parts else [])
        beside.countries[text_in(entity, "id")] = texts_in(properties, "country")
    elif entity["schema"] == "Sanction":
        programs = texts_in(properties, "programId") or texts_in(properties, "program")
        sanction = _Sanction([*texts_in(properties, "authority"), *programs], programs)
        for party in texts_in(properties, "entity"):
            beside.sanctions[party].append(sanction)


def _is_listed(entity: dict[str, Any], line: int, reading: Reading) -> bool:
    topics = texts_in(entity["properties"], "topics")
    if any(topic.startswith(LISTED) for topic in topics) or (not topics and entity.get("target") is not False):
        return True
    reading.tolerate("entities left out that are on no list", line)
    return False


def _entry(line: int, entity: dict[str, Any], beside: _Beside, reading: Reading) -> Entry:
    properties, id = entity["properties"], text_in(entity, "id")
    places = texts_in(properties, "addressEntity")
    addresses = [*texts_in(properties, "address"), *(text for one in places for text in beside.addresses.get(one, ()))]
    countries = [code for name in COUNTRIES for code in texts_in(properties, name)]
    countries += [code for one in places for code in beside.countries.get(one, ())]
    sanctions = beside.sanctions.get(id, [])
    return Entry(
        line=line,
        labels=_labels(entity, sanctions),
        number=reading.clean(id, line),
        names=reading.names(
            ((text, kind) for name, kind in NAMES.items() for text in texts_in(properties, name)), line
        ),
        schema=SCHEMAS[entity["schema"]],
        countries=reading.countries(countries, line),
        addresses=reading.cleaned(addresses, line),
        identifiers=reading.identifiers(
            ((scheme, value) for scheme in IDENTIFIERS for value in texts_in(properties, scheme)), line
        ),
        programs=reading.cleaned((program for one in sanctions for program in one.programs), line),
    )


def _labels(entity: dict[str, Any], sanctions: list[_Sanction]) -> tuple[str, ...]:
    """The lists that an entity is on; one that is merely linked to a listed party is on none of them."""
    topics = [topic for topic in texts_in(entity["properties"], "topics") if topic.startswith(LISTED)]
    if topics and all(topic.endswith(LINKED) for topic in topics):
        return (LINKED,)
    return (*texts_in(entity, "datasets"), *(label for one in sanctions for label in one.labels))
