"""OpenSanctions' simplified table (targets.simple.csv): several values of one field separated by `;`."""

from __future__ import annotations

import csv

from monitor.core.lists import NameKind
from monitor.reference.lists.entries import Content, Entry, Reading
from monitor.reference.lists.ftm import SCHEMAS, day_ms
from monitor.reference.lists.tables import rows

NEEDED = ("id", "schema", "name", "aliases", "countries", "addresses", "identifiers", "dataset")


def read(text: str, reading: Reading) -> Content:
    """The entries of the file; dated by the latest day on which any was seen.

    Raises:
        ListProblem: a column is missing, or a row is cut off.
    """
    found, seen = [], list[int]()
    for line, row in rows(text, NEEDED, reading):
        found.append(_entry(line, row, reading))
        reading.limit(found)
        last = day_ms(row.get("lastseen", ""))
        seen += [] if last is None else [last]
    return Content(found, max(seen, default=None))


def _entry(line: int, row: dict[str, str], reading: Reading) -> Entry:
    named = [(row["name"], NameKind.PRIMARY), *((alias, NameKind.ALIAS) for alias in _values(row["aliases"]))]
    programs = _values(row.get("programids", ""))
    return Entry(
        line=line,
        labels=reading.cleaned([*_values(row["dataset"]), *programs], line),
        number=reading.clean(row["id"], line),
        names=reading.names(named, line),
        schema=SCHEMAS.get(row["schema"].strip(), "unknown"),
        countries=reading.countries(_values(row["countries"]), line),
        addresses=reading.cleaned(_values(row["addresses"]), line),
        # The table does not say of what kind its numbers are.
        identifiers=reading.identifiers((("", value) for value in _values(row["identifiers"])), line),
        programs=reading.cleaned(programs or _values(row.get("sanctions", "")), line),
    )


def _values(field: str) -> list[str]:
    """The values of a field, itself a line of CSV with `;` between them."""
    return [value for line in csv.reader(field.splitlines(), delimiter=";") for value in line]
