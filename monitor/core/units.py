"""Where a report and the books count one allocation in different units: accelerators here, instances there.

Conservation compares the numbers as they were sent. Eight of the one may be eight of the other, so this asks the
catalogue how many accelerators each side means.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.core.book import Book
from monitor.core.catalogue import Catalogue


class UnitSlip(NamedTuple):
    """One allocation whose hardware means other numbers of accelerators in the books and in a report."""

    tenant: str
    allocation: str
    region: str
    time: int  # of the report
    books_hardware: str  # as events named it
    books_thousandths: int  # accelerators for each counted unit
    report_hardware: str
    report_thousandths: int


def unit_slips(book: Book, catalogue: Catalogue, now: int) -> list[UnitSlip]:
    """The slips between what is held and the latest report of each region, where the catalogue knows both names."""
    slips = []
    for name, region in sorted(book.regions.items()):
        for report in region.ordered[-1:]:
            for (tenant, allocation), claim in sorted(report.held.items()):
                timeline = book.tenants[tenant].timelines.get(allocation) if tenant in book.tenants else None
                if timeline is None or timeline.shape.hardware is None or claim.hardware is None:
                    continue
                ours = catalogue.resolve(timeline.shape.hardware, timeline.shape.unit, now)
                theirs = catalogue.resolve(claim.hardware, claim.unit, now)
                if ours.known and theirs.known and ours.per_unit != theirs.per_unit:
                    named = (timeline.shape.hardware, ours.per_unit, claim.hardware, theirs.per_unit)
                    slips.append(UnitSlip(tenant, allocation, name, report.time, *named))
    return slips
