"""Tables that leave the monitor: which columns they have, and as CSV that no spreadsheet takes for a formula.

CSV is that of RFC 4180. A text that a spreadsheet may read as a formula begins with an apostrophe, and so does one that
began with an apostrophe itself, so that the text comes back when the first one is taken away. Numbers of ours are as
they are.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

APOSTROPHE = "'"
SIGNS = frozenset("=+-@")
CONTROLS = frozenset("\t\r\n")  # at the beginning of a cell


class Table(StrEnum):
    """What can be exported as a table."""

    TENANTS = "tenants"
    RUNS = "runs"
    FLAGS = "flags"
    CASES = "cases"
    AUDIT = "audit"


_BOUNDS = ("low", "central", "high", "ceiling")


def _bounds(name: str) -> tuple[str, ...]:
    return tuple(f"{name}.{bound}" for bound in _BOUNDS)


# Where each column stands in the document of a row.
COLUMNS: Mapping[Table, tuple[str, ...]] = {
    Table.TENANTS: ("tenant", *_bounds("flop"), "accelerator_us", "open_allocations", "flags"),
    Table.RUNS: (
        "tenant", "run", "start", "end", "accelerators_peak", "allocations", "accelerator_us", *_bounds("flop"),
        "training", "score", "reasons", "segments", "links", *_bounds("flop_with_weak_links"),
        *_bounds("flop_with_concurrent"),
    ),
    Table.FLAGS: (
        "flag", "tenant", "party", "rule", "state", "level", "raised_at", "told_at", "clocks.evidence_at",
        "clocks.alert_at", "clocks.first_viewed_at", "clocks.knowledge_at", "clocks.due_at", "finding.policy",
        "finding.legal_force", "finding.measure", "finding.part", "finding.threshold", *_bounds("finding.amount"),
        "finding.reasons", "finding.not_established", "finding.tenants",
    ),
    Table.CASES: (
        "case", "subject", "state", "level", "event", "opened_at", "due_at", "flop", "two_people", "assigned", "holder",
        "claimed_until", "senior", "snoozed_until", "suppressed_until", "proposed_by", "outcome", "decided_at",
        "decided_by", "seconded_by", "expires_at", "review",
    ),
    Table.AUDIT: ("row", "at", "actor", "who", "act", "subject", "body", "previous", "hash"),
}  # fmt: skip


def as_csv(table: Table, rows: Iterable[Mapping[str, object]]) -> str:
    """Rows of documents as CSV: a header, then a line each; a list, or what has parts of its own, is JSON in a cell."""
    columns = COLUMNS[table]
    head = [column.replace(".", "_") for column in columns]
    return csv_text([head, *([cell(_at(row, column)) for column in columns] for row in rows)])


def _at(document: object, path: str) -> object:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def cell(value: object) -> str:
    """A value as it stands in a cell; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return harmless(value if isinstance(value, str) else json.dumps(value))


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"{APOSTROPHE}{text}" if text.startswith(APOSTROPHE) or begins_formula(text) else text


def begins_formula(text: str) -> bool:
    """Whether a spreadsheet may take a text for a formula, whatever cannot be seen stands before the sign."""
    if text[:1] in CONTROLS:
        return True
    first = next((letter for letter in text if not (letter.isspace() or not letter.isprintable())), "")
    return unicodedata.normalize("NFKC", first)[:1] in SIGNS


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Cells as CSV, each in quotation marks where it needs them."""
    return "".join(",".join(map(_quoted, cells)) + "\r\n" for cells in lines)


def _quoted(text: str) -> str:
    if not any(letter in text for letter in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
