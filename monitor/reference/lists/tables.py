"""Rows of a CSV file by the names in its header, whatever the order of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence

from monitor.reference.lists.entries import Reading

_NO_LETTER = re.compile("[^a-z0-9]")


def column(name: str) -> str:
    """A column's name without regard to case and signs: `EntityNumber` and `entity_number` are one."""
    return _NO_LETTER.sub("", name.lower())


def rows(text: str, needed: Collection[str], reading: Reading) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the line that it ends in: its fields by `column` name, those nobody knows included.

    Raises:
        ListProblem: a needed column is missing, a row has other columns than the header, or it is no CSV.
    """
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column(name) for name in next(lines, [])]
        _check_header(header, needed, reading)
        for fields in lines:
            if not fields:
                continue
            if len(fields) != len(header):
                raise reading.refusal(
                    lines.line_num,
                    f"has {len(fields)} fields where the header names {len(header)}: the file is cut off or damaged; "
                    "fetch it again.",
                )
            yield lines.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as wrong:
        raise reading.refusal(lines.line_num, f"is no valid CSV ({wrong}); fetch the file again.") from None


def header_of(text: str) -> Sequence[str]:
    """The `column` names in the first line of a text, if it is one of a CSV file."""
    first = text.partition("\n")[0]
    try:
        return [column(name) for name in next(csv.reader([first]), [])]
    except csv.Error:
        return []


def _check_header(header: Sequence[str], needed: Collection[str], reading: Reading) -> None:
    missing = [name for name in needed if column(name) not in header]
    if missing:
        raise reading.refusal(
            1, f"lacks the column {', '.join(missing)}: the layout is another one; look at what was fetched."
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise reading.refusal(1, f"names the column {', '.join(twice)} twice; look at what was fetched.")
