"""Which classes of export control a chip is in, by the figures of the catalogue.

ECCN 3A090 (88 FR 73458, in force since 2023-11-17) goes by total processing performance (TPP) and performance density:
TPP over the area of the logic dies in square millimetres. A computer that holds such a chip is 4A090, with the same
letter. What classifies is the chip as it is designed, not a share of it that somebody rents.

A class is certain where the row's figures decide it, and possible where a die area that nobody stated would. A chip
without any rate is possibly in every class that its maker's country allows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

A, B = "3A090.a", "3A090.b"
PRC_MADE = "prc_made"
PRC = frozenset(("CN", "HK", "MO"))
OTHER_MARKETS = frozenset(("consumer GPU", "workstation GPU"))  # not designed or marketed for data centres: Note 2

# TPP in whole numbers, performance density in thousandths.
A_TPP, B_TPP, LEAST_TPP = 4_800, 2_400, 1_600
A_DENSITY, B_DENSITY, LEAST_DENSITY = 5_920, 3_200, 1_600
DENSITIES = (0, LEAST_DENSITY, B_DENSITY, A_DENSITY)  # one of each range in which the class is the same


class Classes(NamedTuple):
    """The classes that a chip is in; `possible` has the certain ones, too."""

    certain: frozenset[str]
    possible: frozenset[str]


def classes_of(tpp: Decimal, die_area_mm2: Decimal | None, kind: str, country: str) -> Classes:
    """The classes of a chip of some TPP (0: not known), market and country of its maker."""
    found = _controlled(tpp, die_area_mm2, kind)
    classes = {letter for letter in found if letter is not None}
    certain = frozenset(classes) if len(found) == 1 else frozenset()
    possible = frozenset(classes)
    if country in PRC:  # General Prohibition 10 is about those of its chips that 3A090 describes
        certain |= {PRC_MADE} if None not in found else set()
        possible |= {PRC_MADE} if classes else set()
    return Classes(certain, possible)


def _controlled(tpp: Decimal, die_area_mm2: Decimal | None, kind: str) -> set[str | None]:
    """The paragraphs of 3A090 that may describe a chip; None: that none does."""
    if not tpp:
        return {A, B, None}
    whole = int(tpp)
    if kind in OTHER_MARKETS and whole < A_TPP:
        return {None}
    if die_area_mm2 is not None:
        return {paragraph(whole, int(tpp * 1_000 / die_area_mm2))}
    return {paragraph(whole, density) for density in DENSITIES}


def paragraph(tpp: int, density: int) -> str | None:
    """The paragraph of 3A090 that describes a chip for data centres, by whole TPP and thousandths of density.

    Both are rounded down, which moves no comparison: the limits are whole numbers and whole thousandths. What paragraph
    a describes is not in b, whose wording would have some of it, too.

    >>> paragraph(4992, 6043), paragraph(2368, 2909), paragraph(2000, 3200)
    ('3A090.a', None, '3A090.b')
    """
    if tpp >= A_TPP or (tpp >= LEAST_TPP and density >= A_DENSITY):
        return A
    if (tpp >= B_TPP and density >= LEAST_DENSITY) or (tpp >= LEAST_TPP and density >= B_DENSITY):
        return B
    return None
