"""The US consolidated screening list as CSV: columns by their names, several values of one field separated by `;`."""

from __future__ import annotations

import re

from monitor.reference.lists.csl import Place, Record, entry
from monitor.reference.lists.entries import Content, Reading
from monitor.reference.lists.tables import rows

NEEDED = ("source", "name", "addresses", "alt_names", "ids", "programs", "type")
_CODE = re.compile("[A-Z]{2}")


def read(text: str, reading: Reading) -> Content:
    """The entries of the file; it does not say when it was made.

    Raises:
        ListProblem: a column is missing, or a row is cut off.
    """
    found = []
    for line, row in rows(text, NEEDED, reading):
        found.append(entry(_record(line, row), reading))
        reading.limit(found)
    return Content(found, None)


def _record(line: int, row: dict[str, str]) -> Record:
    return Record(
        line=line,
        source=row["source"],
        number=row.get("entitynumber", ""),
        id=row.get("id", ""),
        type=row["type"],
        name=row["name"],
        alt_names=row["altnames"].split(";"),
        places=[_place(address) for address in row["addresses"].split(";")],
        countries=(*row.get("nationalities", "").split(";"), *row.get("citizenships", "").split(";")),
        identifiers=[_identifier(one) for one in row["ids"].split(";")],
        programs=row["programs"].split(";"),
    )


def _place(address: str) -> Place:
    """An address ends with the code of its country, or is nothing else."""
    last = address.rpartition(",")[2].strip()
    return Place(address.strip(), last if _CODE.fullmatch(last) else "")


def _identifier(text: str) -> tuple[str, str]:
    """`country, number, kind` or `number, kind`; numbers may hold commas."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 and _CODE.fullmatch(parts[0]):
        parts = parts[1:]
    return (parts[-1], ", ".join(parts[:-1])) if len(parts) > 1 else ("", parts[0])
