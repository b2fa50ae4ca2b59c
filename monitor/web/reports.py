"""Reports of backtests that the operator put into a folder: read as data, never shown as they are.

A report is what `flopwatch backtest --json` prints. Whatever else lies there is named and not read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

REPORTS_MAX = 100  # that are listed, the latest first
BYTES_MAX = 5_000_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
ENDING = ".json"

_READ = ConfigDict(frozen=True, extra="ignore")


class Amount(BaseModel):
    """An estimate, in the unit of the measure."""

    model_config = _READ
    low: int
    central: int
    high: int


class Difference(BaseModel):
    """One flag that is otherwise under the other policies."""

    model_config = _READ
    first_told: str
    who: str
    rule: str
    legal_force: str
    level: str
    reasons: tuple[str, ...]
    measure: str
    amount: Amount
    before: dict[str, str]  # level -> when it was told first
    after: dict[str, str]


class Under(BaseModel):
    """Somebody in the scope of a rule who comes near to its threshold."""

    model_config = _READ
    rule: str
    who: str
    per_mille: int
    threshold: int
    amount: Amount


class Report(BaseModel):
    """What a backtest found."""

    model_config = _READ
    title: str
    first: str = Field(alias="from")
    last: str = Field(alias="to")
    facts: int
    late: int
    flags: dict[str, int]
    newly_flagged: tuple[Difference, ...]
    no_longer_flagged: tuple[Difference, ...]
    changed_level: tuple[Difference, ...]
    under: tuple[Under, ...]


class Filed(NamedTuple):
    """A file of the folder that may be a report."""

    name: str  # without its ending
    at: int  # when it was written, in milliseconds
    size: int  # bytes


def listed(folder: Path) -> list[Filed]:
    """The files of the folder whose names reports may have, the latest first; none: it cannot be read."""
    found = []
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ENDING and NAME.fullmatch(path.stem)]
        for path in paths:
            status = path.stat()
            found.append(Filed(path.stem, status.st_mtime_ns // 1_000_000, status.st_size))
    except OSError:
        return []
    return sorted(found, key=lambda one: (-one.at, one.name))[:REPORTS_MAX]


def report(folder: Path, name: str) -> Report | None:
    """The report of a name; None: there is none, or it is none."""
    if not NAME.fullmatch(name):
        return None
    path = folder / f"{name}{ENDING}"
    try:
        if path.stat().st_size > BYTES_MAX:
            return None
        return Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
