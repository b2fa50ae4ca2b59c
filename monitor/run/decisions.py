"""What people decided that changes how everything is read: hits that were cleared, and policies that were approved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monitor.core.approval import approved
from monitor.core.clearances import standing
from monitor.core.engine import Reference
from monitor.core.policy import consented
from monitor.store import DECISION, JournalRow


def as_decided(reference: Reference, rows: Iterable[JournalRow]) -> Reference:
    """A reference as the decisions of a whole journal leave it."""
    bodies = [row.entry.body for row in rows if row.entry.kind == DECISION]
    return replace(reference, cleared=standing(bodies), policies=consented(reference.policies, approved(bodies)))
