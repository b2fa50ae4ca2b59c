"""The signs of structuring that a tenant's own hours and profile show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from monitor.core.book import Tenant
from monitor.core.catalogue import Catalogue
from monitor.core.estimate import SCALE, TenantHour, by_the_hour, usage_changes
from monitor.core.ledger import hourly
from monitor.core.links import LinkKind, Ties
from monitor.core.model import DAY_MS, HOUR_MS, OPEN
from monitor.core.parties import Parties
from monitor.core.structuring import Crossing, Signal, changes_before, family_switched, many_payers, rented_on
from monitor.core.ties import versions_of

Heard = Callable[[str], int]


def has_changed(tenant: Tenant, parties: Parties) -> bool:
    """Whether the payer, the owner or the headquarters of a tenant ever changed; else `signs_of` finds nothing."""
    versions = versions_of(tenant, parties)
    return len({(one.field, one.value) for one in versions}) > len({one.field for one in versions})


def signs_of(
    name: str,
    tenant: Tenant,
    hours: Sequence[TenantHour],
    daily: dict[int, int],
    parties: Parties,
    thresholds: Iterable[int],
) -> list[Signal]:
    """Many payers, and changes of payer, owner or headquarters before a jump or before a total reached a threshold.

    `daily`: accelerator-microseconds by day (days since 1970); `thresholds`: FLOP.
    """
    versions = versions_of(tenant, parties)
    payers = many_payers(name, versions)
    changes = changes_before(name, versions, daily, _crossings(hours, sorted(thresholds)))
    return changes + ([] if payers is None else [payers])


def signs_of_holdings(ties: Ties, parties: Parties) -> list[Signal]:
    """What a tenant's launches and end customers show."""
    customers = {tie.value for tie in ties.ties if tie.kind is LinkKind.END_CUSTOMER}
    rented = rented_on(ties, {one for one in customers if parties.documented(one)})
    return family_switched({ties.tenant: ties.launches}) + ([] if rented is None else [rented])


def daily_usage(tenant: Tenant, catalogue: Catalogue, now: int, heard: Heard) -> dict[int, int]:
    """Accelerator-microseconds by day (days since 1970), without open time."""
    found: dict[int, int] = {}
    for (shape, usage_class), rows in usage_changes(tenant, now, heard).items():
        if usage_class != OPEN:
            per_unit = catalogue.resolve(shape.hardware, shape.unit, now).per_unit
            for hour, amount in hourly(rows, now // HOUR_MS + 1):
                day = hour * HOUR_MS // DAY_MS
                found[day] = found.get(day, 0) + amount * per_unit // 1_000
    return found


def _crossings(hours: Iterable[TenantHour], thresholds: Sequence[int]) -> Iterator[Crossing]:
    """When the central total since onboarding reached each threshold."""
    total, left = 0, list(thresholds)
    for one in by_the_hour(hours):
        total += one.known.central
        while left and total >= left[0] * SCALE:
            yield Crossing(one.hour * HOUR_MS, left.pop(0))
