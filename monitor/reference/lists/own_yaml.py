"""Our own format, `flopwatch.list/1`: YAML for parties that the operator wants to see."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.core.lists import NameKind
from monitor.errors import ListProblem, ReferenceProblem
from monitor.reference.lists.entries import Content, Entry, Reading
from monitor.reference.reading import milliseconds, parse_document

SCHEMA = "flopwatch.list/1"
BYTES_MAX = 10_000_000  # YAML is slow, and written by hand
STRICT = ConfigDict(frozen=True, extra="forbid")
Text = Annotated[str, Field(min_length=1)]
Texts = tuple[Text, ...]


class _Party(BaseModel):
    """One party."""

    model_config = STRICT
    id: Text
    source: Text  # of effects.yaml
    kind: Literal["entity", "person", "vessel", "aircraft", "unknown"] = "entity"
    names: Texts = ()
    aliases: Texts = ()
    former_names: Texts = ()
    weak_aliases: Texts = ()
    countries: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ()
    addresses: Texts = ()
    identifiers: dict[Text, Text] = {}
    programs: Texts = ()


class _Document(BaseModel):
    """The whole file."""

    model_config = STRICT
    schema_: Literal["flopwatch.list/1"] = Field(alias="schema")
    title: Text
    dated: date
    parties: tuple[_Party, ...]


def read(text: str, reading: Reading) -> Content:
    """The entries of the file.

    Raises:
        ListProblem: with the first thing in it that is not as it must be.
    """
    if len(text) > BYTES_MAX:
        raise reading.refusal(None, f"is longer than {BYTES_MAX:,} characters; give a CSV or JSON file instead.")
    try:
        document = parse_document(text, reading.file, _Document)
    except ReferenceProblem as problem:
        raise ListProblem(str(problem)) from None
    reading.place = "entry"
    found = [_entry(number, party, reading) for number, party in enumerate(document.parties, 1)]
    return Content(found, milliseconds(document.dated))


def _entry(number: int, party: _Party, reading: Reading) -> Entry:
    kinds = (
        (party.names, NameKind.PRIMARY),
        (party.aliases, NameKind.ALIAS),
        (party.former_names, NameKind.FORMER),
        (party.weak_aliases, NameKind.WEAK),
    )
    return Entry(
        line=number,
        labels=(party.source,),
        number=reading.clean(party.id, number),
        names=reading.names(((name, kind) for names, kind in kinds for name in names), number),
        schema=party.kind,
        countries=frozenset(party.countries),
        addresses=reading.cleaned(party.addresses, number),
        identifiers=reading.identifiers(party.identifiers.items(), number),
        programs=reading.cleaned(party.programs, number),
    )
