"""A table as a file: whom it is for, on which legal basis and as of when is in it, or beside it in the same archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from monitor.core.exports import Export
from monitor.core.tables import Table, as_csv
from monitor.run.casework import Cases
from monitor.run.documents import Document, instant
from monitor.run.evidence_pack import zipped
from monitor.store import CaseRow, Wanted

FORMATS = ("csv", "json")
ROWS_AT_MOST = 2**31
ABOUT = "about.json"


class Known(NamedTuple):
    """The rows of a table, and the instant that they are of, in milliseconds."""

    as_of: int
    rows: Sequence[Document]


class TableFile(NamedTuple):
    """A file with a table."""

    content: bytes
    media_type: str
    ending: str


def table_file(export: Export, known: Known, by: str, now: int) -> TableFile:
    """A table for whoever an export is for: JSON that says so, or an archive of CSV and a file that says so.

    A CSV file has no place for it: a line above the head would be a row to every program.
    """
    handed, table = export.handover, Table(export.handover.what)
    about: Document = {
        "table": table.value,
        "as_of": instant(known.as_of),
        "export": export.number,
        "recipient_kind": handed.recipient_kind.value,
        "recipient": handed.recipient,
        "legal_basis": handed.legal_basis,
        "made_by": by,
        "made_at": instant(now),
        "row_count": len(known.rows),
    }
    if handed.format == "json":
        return TableFile(_json({**about, "rows": known.rows}), "application/json", "json")
    # What is no UTF-8, a lone surrogate, is written as it is escaped.
    text = as_csv(table, known.rows).encode("utf-8", "backslashreplace")
    name = f"{table}.csv"
    files = {name: text, ABOUT: _json({**about, "file": name, "sha256": hashlib.sha256(text).hexdigest()})}
    return TableFile(zipped(files, now), "application/zip", "zip")


def every_case(cases: Cases, now: int, limit: int | None = None) -> list[CaseRow]:
    """All cases, those that are open first; `limit`: no more than so many of those, and of the decided ones."""
    at_most = ROWS_AT_MOST if limit is None else limit
    wanted = (Wanted(hidden=True, limit=at_most), Wanted(decided=True, limit=at_most))
    return [row for one in wanted for row in cases.queue(one, now).rows]


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode("ascii")
