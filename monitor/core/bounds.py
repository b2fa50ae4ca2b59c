"""A quantity that is known to a range: low, central and high are 5, 50 and 95 per cent quantiles.

The ceiling assumes full speed in the chip's fastest training format; it never raises a flag. All are integers, in the
unit of the quantity (FLOP).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd
from typing import NamedTuple


class Bounds(NamedTuple):
    """low <= central <= high <= ceiling."""

    low: int
    central: int
    high: int
    ceiling: int

    def plus(self, other: Bounds) -> Bounds:
        """The sum under full dependence: quantiles add."""
        return Bounds(
            self.low + other.low,
            self.central + other.central,
            self.high + other.high,
            self.ceiling + other.ceiling,
        )

    def minus(self, other: Bounds) -> Bounds:
        """What is left of a sum without one of its terms."""
        return Bounds(
            self.low - other.low,
            self.central - other.central,
            self.high - other.high,
            self.ceiling - other.ceiling,
        )

    def divided(self, divisor: int) -> Bounds:
        """Each bound divided, rounded down."""
        return Bounds(self.low // divisor, self.central // divisor, self.high // divisor, self.ceiling // divisor)


ZERO = Bounds(0, 0, 0, 0)


def total(many: Iterable[Bounds]) -> Bounds:
    """The sum of many under full dependence."""
    low = central = high = ceiling = 0
    for one in many:
        low += one[0]
        central += one[1]
        high += one[2]
        ceiling += one[3]
    return Bounds(low, central, high, ceiling)


def greatest(many: Iterable[Bounds]) -> Bounds:
    """The greatest of many on each bound by itself, which need not be those of one of them; zero of none."""
    return Bounds(*map(max, zip(ZERO, *many, strict=True)))


# The exceedance of each quantile, in per mille: P(quantity >= low) = 0.95.
_LOW, _CENTRAL, _HIGH = 950, 500, 50


def probably_reaches(bounds: Bounds, threshold: int, per_mille: int) -> bool:
    """Whether P(quantity >= threshold) is at least `per_mille` (51 to 949), exactly.

    The probability falls log-linearly from 0.95 at low to 0.50 at central to 0.05 at high; so it is at least p where
    the threshold is at most the weighted geometric mean of the two neighbours, which integers can compare.
    """
    upper, lower = (bounds.low, bounds.central) if per_mille >= _CENTRAL else (bounds.central, bounds.high)
    above, below = (_LOW, _CENTRAL) if per_mille >= _CENTRAL else (_CENTRAL, _HIGH)
    share, whole = above - per_mille, above - below
    common = gcd(share, whole)
    share, whole = share // common, whole // common
    return bool(threshold**whole <= upper ** (whole - share) * lower**share)


# What stands for a probability of which no more is known than that it is under 5, or over 95 per cent: the middles.
UNDER, OVER = 25, 975


def probability(bounds: Bounds, threshold: int, step: int = 1) -> int:
    """P(quantity >= threshold) in per mille, exactly, rounded down to a multiple of `step` (a divisor of 50).

    The same as `probably_reaches` for every probability from 50 to 950; beyond the quantiles it is UNDER or OVER.
    """
    if threshold > bounds.high:
        return UNDER
    if threshold < bounds.low:
        return OVER
    least, most = _HIGH // step, _LOW // step
    while least < most:
        middle = (least + most + 1) // 2
        if probably_reaches(bounds, threshold, middle * step):
            least = middle
        else:
            most = middle - 1
    return least * step


def in_per_cent(per_mille: int) -> str:
    """A probability as people read it; beyond the quantiles no more than that it is."""
    if per_mille <= 0:
        return "none"
    if per_mille < _HIGH:
        return "under 5 per cent"
    if per_mille > _LOW:
        return "over 95 per cent"
    return f"{per_mille // 10} per cent"
