"""A count that is wrong, or of the wrong unit, is caught where the control plane's own report is at hand."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest

from monitor.core.catalogue import Catalogue
from monitor.core.units import UnitSlip, unit_slips
from monitor.reference.catalogue import load_catalogue
from monitor.reference.root import config_root
from tests.core.table import BASE_MS, Taken

HOUR_MS = 3_600_000


@cache
def catalogue() -> Catalogue:
    return load_catalogue(config_root())


def slips(table: str) -> list[UnitSlip]:
    return unit_slips(Taken(table).book, catalogue(), BASE_MS + HOUR_MS)


class Case(NamedTuple):
    says: str
    start: str
    report: str
    conservation: str


WRONG_COUNTS = [
    Case("a count halved", "accelerator=H100 count=4", "x=8", "4 + 4 + 8 = 16, surplus 0, holds x"),
    Case("a count doubled", "accelerator=H100 count=16", "x=8", "16 + 0 + 8 = 16, surplus 8, fails x"),
    Case("instances sent as accelerators", "accelerator=H100 count=1", "x=8", "1 + 7 + 8 = 16, surplus 0, holds x"),
    Case(
        "accelerators sent as instances",
        "instance_type=p5.48xlarge instances=8",
        "x=1 hardware=p5.48xlarge capacity=2",
        "8 + 0 + 1 = 2, surplus 7, fails x",
    ),
]


@pytest.mark.parametrize("case", WRONG_COUNTS, ids=lambda case: case.says)
def test_a_wrong_count_is_reconciled(case: Case) -> None:
    """Conservation names the allocation, and from the report on the books hold what the control plane counts."""
    hardware = "p5.48xlarge" if "p5" in case.report else "H100"

    taken = Taken(f"0 start x {case.start} region=east \n 3600 report east {case.report}")

    assert [f"3600 east {hardware}: {case.conservation}"] == taken.conservation
    expected = 1 if "x=1" in case.report else 8
    assert taken.held(7200)[-1].split()[3:4] == [str(expected)]


def test_equal_numbers_of_unequal_units_are_seen() -> None:
    """Eight instances against eight accelerators balance as numbers; the catalogue knows that they are 64 against 8."""
    table = "0 start x instance_type=p5.48xlarge instances=8 region=east \n 3600 report east x=8"

    assert ["3600 east H100: 8 + 0 + 8 = 16, surplus 0, holds"] == Taken(table).conservation
    expected = UnitSlip("t", "x", "east", BASE_MS + HOUR_MS, "p5.48xlarge", 8_000, "H100", 1_000)
    assert [expected] == slips(table)


@pytest.mark.parametrize(
    "table",
    [
        "0 start x accelerator=H100 count=8 region=east",
        "0 start x accelerator=H100 count=8 region=east \n 3600 report east x=8 hardware=NVIDIA-H100-80GB-HBM3",
        "0 start x instance_type=p5.48xlarge instances=1 region=east \n 3600 report east x=1 hardware=p5.48xlarge",
        "0 start x accelerator=Quux9000 count=8 region=east \n 3600 report east x=8 hardware=p5.48xlarge",
        "0 start x accelerator=H100 count=8 region=east \n 3600 report east x=8 hardware=Quux9000",
        "0 start x accelerator=H100 count=8 region=east \n 1800 report east x=8 hardware=p5.48xlarge"
        "\n 3600 report east x=8",
        "0 report east complete=no \n 1800 start y accelerator=H100 count=8 region=west",
    ],
    ids=[
        "no report",
        "another name of it",
        "instances on both sides",
        "unknown here",
        "unknown there",
        "mended",
        "empty",
    ],
)
def test_equal_units_are_no_slip(table: str) -> None:
    """One unit under two names, hardware that nobody knows, and a later report that is right are left alone."""
    assert [] == slips(table)


def test_an_allocation_that_the_books_do_not_hold_in_memory_is_left_alone() -> None:
    """Only what is in memory can be compared: of tenants elsewhere and allocations long closed nothing is said."""
    taken = Taken("0 start x instance_type=p5.48xlarge instances=8 region=east \n 3600 report east x=8")

    taken.book.tenants["t"].timelines.clear()
    assert [] == unit_slips(taken.book, catalogue(), BASE_MS + HOUR_MS)
    taken.book.tenants.clear()
    assert [] == unit_slips(taken.book, catalogue(), BASE_MS + HOUR_MS)
