"""What was said of a tenant's reservations, as of an instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.facts import effective
from monitor.core.model import Reservation

GRANTED = "granted"


class Statement(NamedTuple):
    """What holds of a reservation from an instant on, until the next statement about it."""

    at: int
    said: Reservation


def statements(tenant: Tenant, now: int) -> dict[str, Sequence[Statement]]:
    """By reservation, each in order, up to `now`; at least one of each."""
    known = (fact for facts in tenant.facts.values() for fact in facts if fact.time <= now)
    found: dict[str, list[Statement]] = {}
    for fact in sorted(effective(known, tenant.retracted), key=lambda one: (one.time, one.source, one.id)):
        if isinstance(fact.body, Reservation):
            found.setdefault(fact.body.reservation, []).append(Statement(fact.time, fact.body))
    return dict(found)
