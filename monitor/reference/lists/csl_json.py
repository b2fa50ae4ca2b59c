"""The US consolidated screening list as JSON: the bulk file, or a whole answer of the search interface."""

from __future__ import annotations

from typing import Any

from monitor.reference.lists.csl import Place, Record, entry
from monitor.reference.lists.entries import Content, Reading
from monitor.reference.lists.parsed import objects_in, parsed, text_in, texts_in

RESULTS = "results"


def read(text: str, reading: Reading) -> Content:
    """The entries of the file; it does not say when it was made.

    Raises:
        ListProblem: it is no JSON, has no results, or is one page of several.
    """
    document = parsed(text, reading)
    records = document.get(RESULTS) if isinstance(document, dict) else None
    if not isinstance(records, list):
        raise reading.refusal(None, "is JSON without a list of results; look at what was fetched.")
    total = document.get("total")
    if isinstance(total, int) and total > len(records):
        raise reading.refusal(
            None, f"holds {len(records):,} of {total:,} entries: one page of an answer; fetch the whole file."
        )
    reading.place = "entry"
    found = []
    for number, one in enumerate(records, 1):
        if not isinstance(one, dict) or not text_in(one, "source"):
            raise reading.refusal(number, "names no source; fetch the file again.")
        found.append(entry(_record(number, one), reading))
        reading.limit(found)
    return Content(found, None)


def _record(number: int, one: dict[str, Any]) -> Record:
    return Record(
        line=number,
        source=text_in(one, "source"),
        number=text_in(one, "entity_number"),
        id=text_in(one, "id"),
        type=text_in(one, "type"),
        name=text_in(one, "name"),
        alt_names=texts_in(one, "alt_names"),
        places=[_place(address) for address in objects_in(one, "addresses")],
        countries=(*texts_in(one, "nationalities"), *texts_in(one, "citizenships")),
        identifiers=[(text_in(one, "type"), text_in(one, "number")) for one in objects_in(one, "ids")],
        programs=texts_in(one, "programs"),
    )


def _place(address: dict[str, Any]) -> Place:
    """The same text as in the CSV file: from the street to the country's code."""
    state = text_in(address, "state") or text_in(address, "state_or_province")
    country = text_in(address, "country").strip()
    parts = (text_in(address, "address"), text_in(address, "city"), state, text_in(address, "postal_code"), country)
    return Place(", ".join(part.strip() for part in parts if part.strip()), country)
