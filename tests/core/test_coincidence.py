"""Launches that coincide: again and again is seen, chance and schedules are not."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.coincidence import CHANCE, CROWD_MAX, beyond_chance, coincidences, minute_of_hour, together

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
# Eight launches in forty days, each at another minute of the hour.
OWN = [day * DAY + day * 7 * MINUTE for day in (0, 4, 9, 15, 22, 28, 33, 39)]


def later(starts: list[int], by: int) -> list[int]:
    return [start + by for start in starts]


@pytest.mark.parametrize(("by", "times"), [(0, 8), (59 * SECOND, 8), (-60 * SECOND, 8), (61 * SECOND, None)])
def test_together_is_within_a_minute(by: int, times: int | None) -> None:
    """Two tenants launch together where one starts at most a minute before or after the other."""
    assert times == coincidences(OWN, later(OWN, by))


@pytest.mark.parametrize(("count", "times"), [(3, None), (4, 4)])
def test_three_times_are_an_anecdote(count: int, times: int | None) -> None:
    """Four coincidences are needed, however improbable three are."""
    assert times == coincidences(OWN, OWN[:count])


def test_a_schedule_is_no_coincidence() -> None:
    """Two batches at two every night meet ninety times, at one minute of the hour: that counts once."""
    nights = [night * DAY + 2 * HOUR for night in range(90)]

    assert coincidences(nights, later(nights, 5 * SECOND)) is None


def test_the_busy_meet_by_chance() -> None:
    """A tenant that launches every two minutes meets everybody, which says nothing."""
    busy = list(range(0, 40 * DAY, 2 * MINUTE))

    assert coincidences(busy, OWN) is None
    assert coincidences(OWN, busy) is None


def test_one_launch_is_met_once() -> None:
    """Four launches about one launch, in two minutes of the hour, are one coincidence."""
    burst = sorted(start + by * 15 * SECOND for start in OWN[:3] for by in (-2, -1, 0, 1))

    assert coincidences(burst, OWN) is None


def test_nobody_launches() -> None:
    """Who never launches is together with nobody."""
    assert coincidences([], OWN) is None
    assert coincidences(OWN, []) is None
    assert [] == list(together([]))


def test_pairs_are_found_among_many() -> None:
    """Of 200 tenants with 20 launches each the two that launch together are found, and no others."""
    rng = Random(11)
    starts = [sorted(rng.randrange(60 * DAY) for _ in range(20)) for _ in range(200)]
    starts[140] = sorted(start + rng.randrange(20 * SECOND) for start in starts[31])

    ((pair, times),) = together(starts)

    assert (31, 140) == pair
    assert times >= 12


def test_a_crowd_is_not_looked_at() -> None:
    """Where more launch within a minute than anybody can tell apart, no pair is made of them; of so many it is."""
    assert [] == list(together([OWN] * (CROWD_MAX + 1)))
    assert CROWD_MAX * (CROWD_MAX - 1) // 2 == len(list(together([OWN] * CROWD_MAX)))


@given(
    st.lists(st.lists(st.integers(0, 60).map(lambda n: n * 7 * MINUTE), max_size=8), max_size=5),
    st.permutations(range(5)),
)
@example([[n * 7 * MINUTE for n in (*twice, 0, 1, 2, 3, 4, 5, 44)] for twice in ((0,), ())], [1, 0, 2, 3, 4])
def test_positions_do_not_matter(starts: list[list[int]], order: list[int]) -> None:
    """Whoever stands first, the same tenants are together as often."""
    each = [sorted(one) for one in starts]
    order = [number for number in order if number < len(each)]
    moved = {frozenset((order[one], order[other])) for (one, other), _ in together([each[number] for number in order])}

    assert {frozenset(pair) for pair, _ in together(each)} == moved


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 60), st.integers(1, 10**6))
def test_the_bound_is_never_too_small(times: int, tried: int, covered: int, one_in: int) -> None:
    """Where the bound says that chance is excluded, the exact binomial tail says so too."""
    share = Fraction(covered, 60)
    tail = sum(comb(tried, n) * share**n * (1 - share) ** (tried - n) for n in range(times, tried + 1))

    if beyond_chance(times, tried, covered, 60, one_in):
        assert tail * one_in <= 1


def test_the_bound_excludes_something() -> None:
    """Eight of eight launches in windows of a hundredth of the time are no chance; one of eight is."""
    assert beyond_chance(8, 8, 1, 100, CHANCE)
    assert not beyond_chance(1, 8, 1, 100, CHANCE)


def test_minute_of_hour() -> None:
    """The minute is that of the hour."""
    assert [0, 59, 0] == [minute_of_hour(at) for at in (0, HOUR - 1, HOUR)]
