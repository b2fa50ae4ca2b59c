"""Inventory reports: when one is in effect, what it says, and whether the books agree with it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.facts import content_hash
from monitor.core.inventory import DIFFERENCES_MAX, Inventory, Region, conservation, statements
from monitor.core.model import Claim, Key, Kind
from monitor.intake.decode import decode_facts
from tests.core.table import BASE_MS, Taken, events, rows


def region_of(table: str) -> Region:
    """A region that has the parts of a table, with every report that they make in effect."""
    region = Region()
    for fact in decode_facts(events(table)):
        for group in region.add(fact):
            region.put_in_effect(group, region.assembled(group))
    return region


class Case(NamedTuple):
    says: str
    facts: str
    effect: str


IN_EFFECT = [
    Case("a report of one part", "50 report east x=2 y=0.5", "50 complete x=2000 y=500"),
    Case("one of two parts waits for the other", "50 report east x=2 part=1 parts=2", ""),
    Case(
        "two parts, whatever comes first",
        "50 report east x=2 part=2 parts=2 \n 50 report east y=1 part=1 parts=2",
        "50 complete x=2000 y=1000",
    ),
    Case(
        "it is complete if every part is",
        "50 report east x=2 part=1 parts=2 \n 50 report east y=1 part=2 parts=2 complete=no",
        "50 partial x=2000 y=1000",
    ),
    Case(
        "parts of another source, time or number of parts make another report",
        "50 report east x=2 part=1 parts=2 \n 50 report east y=1 part=2 parts=2 source=other"
        "\n 51 report east y=1 part=2 parts=2 \n 50 report east y=1 part=2 parts=3",
        "",
    ),
    Case("a report of nothing", "50 report east", "50 complete"),
    Case(
        "reports of several instants",
        "50 report east x=2 \n 60 report east x=3",
        "50 complete x=2000 \n 60 complete x=3000",
    ),
]


@pytest.mark.parametrize("case", IN_EFFECT, ids=lambda case: case.says)
def test_reports_in_effect(case: Case) -> None:
    """A report is the set of parts with equal source, region, time and parts, in effect when all are there."""
    region = region_of(case.facts)
    found = [
        " ".join(
            [
                str((report.time - BASE_MS) // 1_000),
                "complete" if report.complete else "partial",
                *(f"{key[1]}={claim.count}" for key, claim in sorted(report.held.items())),
            ]
        )
        for report in sorted(region.in_effect.values(), key=lambda one: one.time)
    ]
    assert rows(case.effect) == found
    assert max((report.time for report in region.in_effect.values()), default=-1) == region.last_time


@pytest.mark.parametrize("ids", [("a", "a"), ("a", "b")], ids=["one identity", "two identities"])
def test_of_two_contents_of_a_part_the_greater_hash_counts(ids: tuple[str, str]) -> None:
    """Parts that conflict, under one identity or two, are settled by hash in either order."""
    lines = events(f"50 report east x=2 id={ids[0]} \n 50 report east y=1 id={ids[1]}")
    facts = decode_facts(lines)
    winner = max(facts, key=lambda fact: content_hash(fact.raw))
    for order in (facts, facts[::-1]):
        region = Region()
        for fact in order:
            for group in region.add(fact):
                region.put_in_effect(group, region.assembled(group))
        (report,) = region.in_effect.values()
        assert winner.body.held == report.held


def test_a_part_that_loses_takes_its_report_out_of_effect() -> None:
    """A part of one instant and one of another with the same identity: only one of the two reports is in effect."""
    lines = events("50 report east x=2 id=a \n 60 report east x=2 id=a")
    winner = max(decode_facts(lines), key=lambda fact: content_hash(fact.raw))
    for table in (
        "50 report east x=2 id=a \n 60 report east x=2 id=a",
        "60 report east x=2 id=a \n 50 report east x=2 id=a",
    ):
        assert [winner.time] == [report.time for report in region_of(table).in_effect.values()]


def test_a_part_seen_again_is_known() -> None:
    """The same part is known, another content of its identity is not."""
    (one, other) = decode_facts(events("50 report east x=2 id=a \n 50 report east x=3 id=a"))
    region = Region()
    assert not region.knows(one)
    region.add(one)
    assert region.knows(one)
    assert not region.knows(other)


def test_what_reports_say_of_an_allocation() -> None:
    """Presence wherever it is named; absence only in its own region and not before anything was known of it."""
    regions = {
        "east": region_of("10 report east \n 50 report east x=2 \n 60 report east \n 70 report east complete=no"),
        "west": region_of("55 report west y=1"),
    }
    facts = decode_facts(events("20 start x region=east"))
    said = [(fact.kind, (fact.time - BASE_MS) // 1_000) for fact in statements(regions, ("t", "x"), facts)]
    assert [(Kind.PRESENT, 50), (Kind.ABSENT, 60)] == sorted(said)
    said = [(fact.kind, (fact.time - BASE_MS) // 1_000) for fact in statements(regions, ("t", "x"), [])]
    assert [(Kind.PRESENT, 50), (Kind.ABSENT, 60)] == sorted(said)
    assert [] == statements(regions, ("t", "z"), [])


CONSERVATION = [
    Case(
        "it holds where the report says what the books hold",
        "0 start x accelerator=H100 count=4 region=east \n 50 report east x=4 capacity=16",
        "50 east H100: 4 + 0 + 12 = 16, surplus 0, holds",
    ),
    Case(
        "what only the report has is unattributed, and named",
        "0 start x accelerator=H100 count=4 region=east \n 50 report east x=4 y=2 capacity=16",
        "50 east H100: 4 + 2 + 10 = 16, surplus 0, holds y",
    ),
    Case(
        "what only the books have is a surplus",
        "0 start x accelerator=H100 count=4 region=east \n 50 report east capacity=16",
        "50 east H100: 4 + 0 + 16 = 16, surplus 4, fails x",
    ),
    Case(
        "more than the capacity is held",
        "0 start x accelerator=H100 count=20 region=east \n 50 report east x=20 capacity=16",
        "50 east H100: 20 + 0 + -4 = 16, surplus 0, fails",
    ),
    Case(
        "what is held elsewhere, by an inner layer or no longer does not count",
        "0 start x accelerator=H100 count=4 region=east \n 0 start y accelerator=H100 count=4 region=west"
        "\n 0 start z accelerator=H100 count=1 region=east within=x \n 0 start w accelerator=H100 count=1 region=east"
        "\n 9 stop w \n 50 report east x=4 capacity=16",
        "50 east H100: 4 + 0 + 12 = 16, surplus 0, holds",
    ),
    Case("an incomplete report checks nothing", "50 report east x=4 capacity=16 complete=no", ""),
]


@pytest.mark.parametrize("case", CONSERVATION, ids=lambda case: case.says)
def test_the_books_against_a_report(case: Case) -> None:
    """At a complete report attributed, unattributed and idle make the capacity, or the allocations are named."""
    assert rows(case.effect) == [line.strip() for line in Taken(case.facts).conservation]


counts = st.integers(0, 20_000)
held = st.dictionaries(st.sampled_from([("t", "a"), ("t", "b"), ("u", "a"), ("u", "c")]), counts)


@given(held, held, counts)
def test_the_equation(said: dict[Key, int], books: dict[Key, int], capacity: int) -> None:
    """Whatever the two say: attributed + unattributed + idle = capacity + surplus, and nothing but idle is negative."""
    claims = {key: Claim(hardware="H100", count=count) for key, count in said.items()}
    report = Inventory("s", 0, "1", True, claims, {"H100": capacity})
    (one,) = conservation("east", report, {key: ("H100", count) for key, count in books.items()})
    assert capacity + one.surplus == one.attributed + one.unattributed + one.idle
    assert min(one.attributed, one.unattributed, one.surplus) >= 0
    assert sum(books.values()) == one.attributed
    assert {key for key in said.keys() | books.keys() if said.get(key, 0) != books.get(key, 0)} == set(one.allocations)


def test_half_a_per_cent_is_allowed() -> None:
    """Slicing may leave a difference of 0.5 per cent of the capacity, in either direction, and no more."""
    report = Inventory("s", 0, "1", True, {("t", "x"): Claim(hardware="H100", count=1_000)}, {"H100": 1_000})
    for held_there, holds in ((1_000, True), (1_005, True), (1_006, False)):
        (one,) = conservation("east", report, {("t", "x"): ("H100", held_there)})
        assert (held_there, holds) == (held_there, one.holds)
    over = report._replace(held={("t", "x"): Claim(hardware="H100", count=1_006)})
    (one,) = conservation("east", over, {("t", "x"): ("H100", 1_006)})
    assert not one.holds


def test_what_a_report_leaves_unsaid() -> None:
    """Hardware that the report does not name is the books' own; a count that it does not state is none."""
    report = Inventory("s", 0, "1", True, {("t", "x"): Claim()}, {"H100": 4_000})
    (one,) = conservation("east", report, {("t", "x"): ("H100", 2_000)})
    assert (2_000, 2_000, (("t", "x"),)) == (one.attributed, one.surplus, one.allocations)


def test_only_the_first_differences_are_named() -> None:
    """A report that disagrees about everything names the first few allocations, in order."""
    keys = [("t", f"{number:03}") for number in range(DIFFERENCES_MAX + 5)]
    report = Inventory("s", 0, "1", True, {}, {"H100": 4_000})
    (one,) = conservation("east", report, dict.fromkeys(reversed(keys), ("H100", 1_000)))
    assert tuple(keys[:DIFFERENCES_MAX]) == one.allocations


def test_a_report_without_capacity_is_no_check() -> None:
    """Where nobody says what there is, there is nothing to compare; hardware that a report leaves out has none."""
    books = {("t", "x"): ("H100", 2_000)}
    bare = Inventory("s", 0, "1", True, {("t", "x"): Claim(hardware="H100", count=2_000)}, {})
    assert [] == conservation("east", bare, books)
    other = conservation("east", bare._replace(capacity={"A100": 16_000}), books)
    assert {"A100": True, "H100": False} == {one.hardware: one.holds for one in other}
