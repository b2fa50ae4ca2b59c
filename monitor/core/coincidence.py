"""Launches that coincide too often for chance, among many tenants.

Instants are milliseconds. Nothing here is random: a probability is bounded from above in integers, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb

from monitor.core.model import SECOND_MS

MINUTE_MS, MINUTES = 60 * SECOND_MS, 60
SYNCHRONOUS_MS = 60 * SECOND_MS  # the nodes of one launch come up over about a minute
SYNCHRONOUS_MIN = 4  # coincidences: fewer are an anecdote
CHANCE = 10**9  # one in so many by chance: among 10,000 tenants there are 5e7 pairs
CROWD_MAX = 64  # launches within a minute: of more than that nobody can tell which belong together


def together(starts: Sequence[Sequence[int]]) -> Iterator[tuple[tuple[int, int], int]]:
    """The pairs of tenants, by their positions, that launch together too often for chance, and how often.

    `starts` has the instants of each tenant in order. Time and memory go by how many launches are within a minute of
    each other, not by the number of pairs.
    """
    in_order = sorted(
        (start, number) for number, each in enumerate(starts) if len(each) >= SYNCHRONOUS_MIN for start in each
    )
    met: dict[tuple[int, int], int] = {}
    ahead, crowded = 0, 0
    for position, (start, number) in enumerate(in_order):
        while ahead < len(in_order) and in_order[ahead][0] <= start + SYNCHRONOUS_MS:
            ahead += 1
        if ahead - position > CROWD_MAX:
            crowded = ahead
        if position >= crowded:
            for _, other in in_order[position + 1 : ahead]:
                if number != other:
                    pair = (number, other) if number < other else (other, number)
                    met[pair] = met.get(pair, 0) + 1
    for pair in sorted(pair for pair, times in met.items() if times >= SYNCHRONOUS_MIN):
        times = coincidences(starts[pair[0]], starts[pair[1]])
        if times is not None:
            yield pair, times


def coincidences(ones: Sequence[int], others: Sequence[int]) -> int | None:
    """How often two tenants launched together, at different minutes of the hour; None: chance may have done it.

    Both are instants in order. Two that follow the clock meet at the same minute of every hour or day, and that counts
    once. By chance each launch of one meets a launch of the other at the rate of the other while both are there.
    """
    # The rate of one is not that of the other: which is which goes by the launches, never by who is asked of first.
    ones, others = sorted((ones, others), key=list)
    minutes, position = set(), 0
    for start in ones:
        while position < len(others) and others[position] < start - SYNCHRONOUS_MS:
            position += 1
        if position < len(others) and others[position] <= start + SYNCHRONOUS_MS:
            minutes.add(minute_of_hour(start))
            position += 1
    times = len(minutes)
    if times < SYNCHRONOUS_MIN:
        return None
    begin = max(ones[0], others[0]) - SYNCHRONOUS_MS
    end = min(ones[-1], others[-1]) + SYNCHRONOUS_MS
    tried = sum(begin <= start <= end for start in ones)
    covered = sum(begin <= start <= end for start in others) * 2 * SYNCHRONOUS_MS
    return times if beyond_chance(times, tried, covered, end - begin, CHANCE) else None


def minute_of_hour(at: int) -> int:
    """0 to 59: what a schedule repeats."""
    return at // MINUTE_MS % MINUTES


def beyond_chance(times: int, tried: int, covered: int, span: int, one_in: int) -> bool:
    """Whether of the instants tried so many fall into windows that cover so much of a span less than once in `one_in`.

    The probability of so many is at most their binomial coefficient times the covered share to the power of their
    number.
    """
    return bool(comb(tried, times) * covered**times * one_in <= span**times)
