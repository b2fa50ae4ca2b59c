"""A file of a screening list to listed parties: its format found, each entry given its sources and an id that stays."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from monitor.core.lists import ListedParty, ListVersion
from monitor.reference.lists import csl_csv, csl_json, ftm_json, own_yaml, simple_csv
from monitor.reference.lists.effects import OTHER, Sources, plain_label
from monitor.reference.lists.entries import Content, Entry, Reading
from monitor.reference.lists.tables import column, header_of

US_CSV, US_JSON = "us-csl-csv", "us-csl-json"
OPENSANCTIONS_CSV, FTM_JSON, OWN_YAML = "opensanctions-csv", "ftm-jsonl", "flopwatch-yaml"
READERS: Mapping[str, Callable[[str, Reading], Content]] = {
    US_CSV: csl_csv.read,
    US_JSON: csl_json.read,
    OPENSANCTIONS_CSV: simple_csv.read,
    FTM_JSON: ftm_json.read,
    OWN_YAML: own_yaml.read,
}
LABELS_SHOWN_MAX = 20
LABEL_CHARACTERS_MAX = 60
OWN_HEAD_CHARACTERS = 10_000  # of comments before the schema


class ListFile(NamedTuple):
    """One version of a list: what was read, and what was tolerated in it."""

    version: ListVersion
    format: str
    parties: tuple[ListedParty, ...]  # by source and id
    notes: tuple[str, ...]
    published: int | None  # milliseconds: how the file dates itself; None: it does not say

    @property
    def by_source(self) -> dict[str, int]:
        """How many entries each source has."""
        return dict(sorted(Counter(party.source for party in self.parties).items()))


def read_list(name: str, content: bytes, format: str | None, written: int | None, sources: Sources) -> ListFile:
    """A list from the bytes of its file; `written`: when that was changed, for files that do not say of when they are.

    Raises:
        ListProblem: it cannot be read as a whole; with a sentence that names the place and what to do.
    """
    reading = Reading(f"The list {name}")
    text = reading.text(content)
    found_format = format or recognised(text)
    if found_format is None:
        raise reading.refusal(
            None,
            f"is in no format that is known ({', '.join(READERS)}): look at what was fetched, or name its `format` in "
            "the settings.",
        )
    found = READERS[found_format](text, reading)
    parties = _identified(_placed(found.entries, sources, found_format, reading), reading)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    dated = written if found.dated is None else found.dated
    version = ListVersion(name, digest, dated, len(parties))
    return ListFile(version, found_format, parties, reading.notes(), found.dated)


def recognised(text: str) -> str | None:
    """The format that a text looks like, None: none."""
    if text.lstrip().startswith("{"):
        return FTM_JSON if _is_entity(text.lstrip().partition("\n")[0]) else US_JSON
    if any(line.startswith(f"schema: {own_yaml.SCHEMA}") for line in text[:OWN_HEAD_CHARACTERS].splitlines()):
        return OWN_YAML
    header = set(header_of(text))
    for format, needed in ((OPENSANCTIONS_CSV, ("schema", "dataset")), (US_CSV, ("source", "entity_number"))):
        if {column(name) for name in needed} <= header:
            return format
    return None


def _is_entity(line: str) -> bool:
    try:
        entity = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(entity, dict) and "properties" in entity


class _Placed(NamedTuple):
    """An entry on one source list."""

    source: str
    entry: Entry


def _placed(entries: Iterable[Entry], sources: Sources, format: str, reading: Reading) -> list[_Placed]:
    """Each entry once for each source list that it is on."""
    placed, unknown = list[_Placed](), set[str]()
    for entry in entries:
        if not (entry.names or entry.addresses or entry.identifiers):
            reading.tolerate("entries left out that have no name, address or identifier", entry.line)
            continue
        found = {sources.labels[key]: None for one in entry.labels if (key := plain_label(one)) in sources.labels}
        if not found:
            named = ", ".join(entry.labels)[:LABEL_CHARACTERS_MAX] or "none named"
            if format == OWN_YAML:
                raise reading.refusal(entry.line, f"names the source {named}, which effects.yaml lacks; add it there.")
            if len(unknown) < LABELS_SHOWN_MAX or named in unknown:
                unknown.add(named)
                shown = f" ({named})"
            else:
                shown = " (others)"
            reading.tolerate(
                f"entries of lists that effects.yaml does not know{shown}, which count as {OTHER}", entry.line
            )
        placed.extend(_Placed(source, entry) for source in found or (OTHER,))
    return placed


def _identified(placed: Iterable[_Placed], reading: Reading) -> tuple[ListedParty, ...]:
    """Parties with ids that are unique in their source and do not depend on the order of the file.

    The file's own number is the id. Where several have one number, each has what its first name hashes to behind it.
    """
    groups: dict[tuple[str, str], dict[ListedParty, int]] = defaultdict(dict)
    for source, entry in placed:
        number = entry.number or _hashed([name.text for name in entry.names] or [*entry.addresses, *entry.identifiers])
        party = ListedParty(source, number, *entry[3:])
        if party in groups[source, number]:
            reading.tolerate("entries left out that stand twice", entry.line)
        groups[source, number].setdefault(party, entry.line)
    found: dict[tuple[str, str], ListedParty] = {}
    for group in groups.values():
        alone = len(group) == 1
        for party, line in group.items() if alone else sorted(group.items(), key=lambda one: repr(_sorted(one[0]))):
            if not alone:
                party = _apart(party)
                reading.tolerate("entries that share a number, told apart by their names", line)
            while (party.source, party.id) in found:
                party = party._replace(id=f"{party.id}+")
            found[party.source, party.id] = party
    return tuple(found[key] for key in sorted(found))


def _apart(party: ListedParty) -> ListedParty:
    return party._replace(id=f"{party.id}/{_hashed([name.text for name in party.names[:1]] or party.addresses)}")


def _sorted(party: ListedParty) -> ListedParty:
    return party._replace(countries=tuple(sorted(party.countries)))  # type: ignore[arg-type]


def _hashed(content: object) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:12]
