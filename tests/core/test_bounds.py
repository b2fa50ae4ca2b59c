"""Ranges: sums, divisions, and the probability of reaching a threshold."""

from __future__ import annotations

from functools import reduce
from math import log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.core.bounds import ZERO, Bounds, greatest, probably_reaches, total

AMOUNTS = st.integers(min_value=1, max_value=10**30)


def ordered(amounts: list[int]) -> Bounds:
    return Bounds(*sorted(amounts))


BOUNDS = st.lists(AMOUNTS, min_size=4, max_size=4).map(ordered)


def probability(bounds: Bounds, threshold: int) -> float:
    """P(quantity >= threshold), log-linear between the quantiles, in floating point."""
    if threshold <= bounds.low:
        return 0.95
    if threshold <= bounds.central:
        return 0.95 - 0.45 * log(threshold / bounds.low) / log(bounds.central / bounds.low)
    if threshold <= bounds.high:
        return 0.50 - 0.45 * log(threshold / bounds.central) / log(bounds.high / bounds.central)
    return 0.0


@given(BOUNDS, AMOUNTS, st.integers(min_value=51, max_value=949))
def test_probably_reaches_agrees_with_floating_interpolation(bounds: Bounds, threshold: int, per_mille: int) -> None:
    """The exact comparison gives what the floating one gives, wherever the latter is not a matter of rounding."""
    expected = probability(bounds, threshold)
    assume(abs(expected - per_mille / 1000) > 1e-6)

    assert (expected >= per_mille / 1000) == probably_reaches(bounds, threshold, per_mille)


@pytest.mark.parametrize(
    ("low", "central", "high", "threshold", "per_mille", "reaches"),
    [
        (100, 200, 400, 100, 949, True),  # the low bound is reached with 0.95
        (100, 200, 400, 101, 949, False),
        (100, 200, 400, 200, 500, True),  # the central one with exactly one half
        (100, 200, 400, 201, 500, False),
        (100, 200, 400, 400, 51, False),  # the high one with 0.05
        (100, 200, 400, 399, 51, True),
        (50, 400, 800, 100, 800, True),  # 50^(2/3) x 400^(1/3) is exactly 100
        (50, 399, 800, 100, 800, False),
        (49, 400, 800, 100, 800, False),
        (50, 400, 800, 101, 800, False),
        (100, 800, 6_400, 400, 650, True),  # 0.65 is two thirds of the way down to the central bound
        (100, 800, 6_400, 401, 650, False),
        (100, 800, 6_400, 400, 651, False),
        (100, 800, 6_400, 1_600, 350, True),  # and 0.35 a third of the way on to the high one
        (100, 800, 6_400, 1_601, 350, False),
        (7, 7, 7, 7, 800, True),  # a range of one point is reached or not
        (7, 7, 7, 8, 51, False),
        (0, 100, 200, 1, 501, False),  # with nothing certain, nothing above one half is reached
        (0, 100, 200, 100, 500, True),
        (0, 0, 0, 1, 51, False),
    ],
)
def test_probably_reaches_at_the_edges(
    low: int, central: int, high: int, threshold: int, per_mille: int, reaches: bool
) -> None:
    """The comparison is exact where the probability is exactly the one asked for, and one unit beside it."""
    assert reaches == probably_reaches(Bounds(low, central, high, high), threshold, per_mille)


@given(BOUNDS, AMOUNTS, st.integers(min_value=51, max_value=949), st.integers(min_value=51, max_value=949))
def test_a_lower_probability_is_reached_more_easily(bounds: Bounds, threshold: int, one: int, other: int) -> None:
    """Who reaches a threshold with some probability reaches it with every lower one."""
    lower, upper = min(one, other), max(one, other)

    assert probably_reaches(bounds, threshold, lower) or not probably_reaches(bounds, threshold, upper)


@given(BOUNDS, BOUNDS, st.integers(min_value=1, max_value=10**15))
def test_sums_and_quotients_stay_in_order(one: Bounds, other: Bounds, divisor: int) -> None:
    """Adding and dividing keep low <= central <= high <= ceiling."""
    quotient = one.plus(other).divided(divisor)

    assert sorted(quotient) == list(quotient)


@given(BOUNDS, BOUNDS)
def test_a_sum_adds_each_bound(one: Bounds, other: Bounds) -> None:
    """A sum adds quantile to quantile, in either order, and nothing changes nothing."""
    assert tuple(left + right for left, right in zip(one, other, strict=True)) == one.plus(other)
    assert one.plus(other) == other.plus(one)
    assert one == one.plus(ZERO)


@given(st.lists(BOUNDS, max_size=5))
def test_a_total_is_the_sum_of_sums(many: list[Bounds]) -> None:
    """The total of many is what adding them one by one gives; of none it is nothing."""
    assert reduce(Bounds.plus, many, ZERO) == total(iter(many))


def test_a_quotient_is_rounded_down() -> None:
    """Each bound is divided on its own and rounded down."""
    assert Bounds(0, 1, 3, 3) == Bounds(9, 19, 30, 39).divided(10)


@given(st.lists(BOUNDS, max_size=5))
def test_the_greatest_is_so_on_each_bound_by_itself(many: list[Bounds]) -> None:
    """No bound of any is above it, each of its bounds is one of theirs, and it is in order; of none it is zero."""
    found = greatest(many)

    assert sorted(found) == list(found)
    for bound, theirs in zip(found, zip(*many, strict=True), strict=bool(many)):
        assert max(theirs) == bound
    assert many or found == ZERO
