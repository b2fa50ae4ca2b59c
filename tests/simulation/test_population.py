"""A year of two thousand simulated customers: who is there, and that its truth is what its events say."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any

from monitor.core.book import Book
from monitor.core.engine import hearing
from monitor.core.estimate import totals
from monitor.core.model import DAY_MS
from monitor.intake.canonical import instant_ms
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.simulate.evaders import KINDS
from monitor.simulate.fleet import Fleet
from monitor.simulate.plan import TINY, YEAR, Plan
from monitor.simulate.population import population
from monitor.simulate.scenarios import START
from monitor.store.memory import MemoryArchive


@cache
def played(seed: int, plan: Plan = TINY, days: int = 365) -> tuple[tuple[bytes, ...], Any, Fleet]:
    fleet = Fleet(f"population/{seed}", START, START + days * DAY_MS, False)
    population(fleet, plan)
    lines = tuple(fleet.lines())
    return lines, fleet.truth(), fleet


def test_same_seed_same_year() -> None:
    """A seed gives one year, another seed another."""
    digests = [hashlib.sha256(b"".join(played.__wrapped__(seed)[0])).hexdigest() for seed in (5, 5, 6)]

    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_everybody_is_there() -> None:
    """The year has two thousand customers, of every kind what the plan says, and each kind of evader."""
    fleet = Fleet("population/5", START, START, False)
    population(fleet, YEAR)
    kinds = Counter(member.kind for member in fleet.members.values())

    assert YEAR.tenants == len(fleet.members)
    assert (44, 40, 60, 72, 4, 30, 30) == tuple(
        kinds[kind]
        for kind in ("large", "of_concern", "service", "university", "reseller", "resold", "resold_attested")
    )
    assert sorted(KINDS) == sorted(one.kind for one in fleet.programmes)
    assert 12 <= sum(bool(one.evidence) for one in KINDS.values())
    assert {"evader"} == {member.kind for member in fleet.members.values() if member.of_concern}


def test_forty_are_large() -> None:
    """At least forty honest customers hold more than a thousand accelerators at once, whatever the seed."""
    for seed in range(5, 8):
        lines, truth, _ = played(seed, Plan(80, 44, 0, 0, 0, 0, 0, 0, 0), 120)
        most: Counter[str] = Counter()
        held: Counter[str] = Counter()
        before: dict[tuple[str, str], float] = {}
        for event in map(json.loads, lines):
            tenant, key = event["data"].get("tenant"), (event["data"].get("tenant"), event["data"].get("allocation"))
            if ".allocation." in event["type"]:
                count = event["data"].get("count", 0)  # a stop has none
                held[tenant] += count - before.get(key, 0)
                before[key] = count
                most[tenant] = max(most[tenant], held[tenant])
        assert 40 <= sum(most[name] > 1_000 for name, said in truth.items() if said["kind"] == "large")


def test_truth_is_what_the_books_say() -> None:
    """The exact books of a small population have of each tenant what its truth says, to the last unit."""
    lines, truth, fleet = played(5)
    book, archive = Book(), MemoryArchive()
    facts = decode_facts(lines)
    take_in(book, archive, facts, [None] * len(facts))
    heard = hearing(book, fleet.last_time)
    found = {
        name: sum(sum(of.values()) for of in totals(tenant, fleet.last_time, heard).values())
        for name, tenant in book.tenants.items()
    }

    assert {name: sum(said["accelerator_us"].values()) for name, said in truth.items()} == found


def test_programmes_cross_their_thresholds() -> None:
    """Each programme trains more than its threshold within the year, and its growth ends at what it trained."""
    _, truth, fleet = played(5)
    for programme in fleet.programmes:
        runs = [run for name in programme.tenants for run in truth[name]["runs"]]
        assert programme.threshold < sum(run["flop"] for run in runs)
        assert {programme.name} == {run["name"] for run in runs}
        for run in runs:
            grown = [(instant_ms(at), flop) for at, flop in run["grown"]]
            assert run["flop"] == grown[-1][1]
            assert all(one <= other for one, other in pairwise(grown))
