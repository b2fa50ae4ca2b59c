"""How numbers, times and tables are shown to people, and JSON to programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from monitor.core.bounds import Bounds
from monitor.core.findings import Finding
from monitor.core.model import HOUR_MS
from monitor.run import documents

instant = documents.instant
HOUR_US = HOUR_MS * 1_000
_NO_LETTER = re.compile("[\ud800-\udfff]")


def flop(amount: int) -> str:
    """FLOP with three digits."""
    return f"{amount:.2e}".replace("e+", "e") if amount else "0"


def flop_range(bounds: Bounds) -> str:
    """The central estimate and its 90 per cent range."""
    return f"{flop(bounds.central)} ({flop(bounds.low)} to {flop(bounds.high)})"


UNITS = {
    "model_flop": "FLOP",
    "executed_flop": "FLOP",
    "growth": "FLOP",
    "accelerator_hours": "accelerator-hours",
    "accelerators": "accelerators",
    "reserved_accelerators": "accelerators",
    "tpp": "TPP",
    "op_per_s": "op/s",
}


def numbers(finding: Finding) -> str:
    """What a finding measured, against its threshold."""
    unit = UNITS[finding.measure]
    return f"{flop_range(finding.amount)} {unit} against {flop(finding.threshold)}"


def accelerator_hours(microseconds: int) -> str:
    """Accelerator-hours of accelerator-microseconds."""
    return f"{microseconds / HOUR_US:,.1f}"


def plain(text: str) -> str:
    """Text that came from outside, harmless on a terminal."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first left, numbers right."""
    lines = [list(map(plain, row)) for row in rows]
    widths = [max(len(cells[column]) for cells in [list(head), *lines]) for column in range(len(head))]
    numeric = [all(_is_number(cells[column]) for cells in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ).rstrip()
        for cells in [list(head), *lines]
    )


def rest(count: int, limit: int) -> str:
    """How a heading over a table ends: whether that is all."""
    return f" (the first {limit}; --limit shows more):" if count > limit else ":"


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit()


def document(content: Any) -> None:
    """Print one JSON document; what is no letter by itself, which no terminal takes, as an escape."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    click.echo(_NO_LETTER.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def subject(finding: Finding) -> str:
    """Whom a finding is about."""
    of_group = f"group {finding.tenant} ({len(finding.members)} tenants)"
    of_part = f"{finding.tenant}, {finding.part}" if finding.part else finding.tenant
    return plain(of_group if finding.members else of_part)


def totals_by_days(totals: Mapping[int, Bounds]) -> list[str]:
    """What a tenant held over the latest days; windows with the same total share a line."""
    windows: dict[Bounds, list[int]] = {}
    for days, flop in totals.items():
        windows.setdefault(flop, []).append(days)
    return [
        f"over {days[0]} days" + (f" and {days[-1]}" if len(days) > 1 else "") + f": {flop_range(flop)} FLOP"
        for flop, days in windows.items()
    ]
