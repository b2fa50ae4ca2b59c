"""What people decided that changes how everything is read: hits on lists that two of them have cleared."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.core.clearances import Clearance, Place, standing
from monitor.store import DECISION, JournalRow


def cleared_in(rows: Iterable[JournalRow]) -> dict[Place, Clearance]:
    """The clearances that a journal leaves."""
    return standing(row.entry.body for row in rows if row.entry.kind == DECISION)
