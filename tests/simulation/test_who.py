"""Tests of the scenarios of who is who: what they say should be found is found from their events, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations
from typing import Any

import pytest

from monitor.core.engine import answer
from monitor.core.links import LinkedGroup, Links
from monitor.core.model import DAY_MS, Record
from monitor.core.structuring import Crossing, Signal, changes_before, in_turn, many_payers, together, undeclared
from monitor.intake.decode import Rules, decode
from monitor.simulate.scenarios import WHO, simulate
from tests.core.table import Taken
from tests.core.test_estimate import reference
from tests.simulation.ties import Read, read

TOLD = [*WHO, "run-six", "run-six-bare"]
EVENTS_MAX = 20_000
THRESHOLD = 10**24
# Dense 16-bit FLOP/s of an H100, times what is centrally realised: FLOP for each accelerator-second.
FLOP_A_SECOND = 989_400 * 10**9 * 24 // 100


@cache
def played(scenario: str) -> tuple[tuple[bytes, ...], list[dict[str, Any]]]:
    simulation = simulate(scenario)
    lines = tuple(simulation.events())
    told: Any = simulation.truth["who"]
    return lines, told


@cache
def seen(scenario: str) -> tuple[Read, Links]:
    tenants = read(played(scenario)[0])
    return tenants, Links(tenants.ties.values())


def expected(scenario: str, kind: str) -> list[tuple[set[str], tuple[str, ...]]]:
    return [(set(one["tenants"]), tuple(one["by"])) for one in played(scenario)[1] if one["kind"] == kind]


def by_whom(found: Iterable[tuple[set[str], tuple[str, ...]]]) -> list[tuple[list[str], tuple[str, ...]]]:
    return sorted((sorted(tenants), by) for tenants, by in found)


def kinds(group: LinkedGroup) -> tuple[str, ...]:
    return tuple(sorted({str(one.kind) for one in group.evidence}))


def crossings(daily: dict[int, int]) -> Iterator[Crossing]:
    used = 0
    for day in sorted(daily):
        before, used = used, used + daily[day]
        if before * FLOP_A_SECOND < THRESHOLD * 10**6 <= used * FLOP_A_SECOND:
            yield Crossing((day + 1) * DAY_MS, THRESHOLD)


def signals(scenario: str) -> Iterator[Signal]:
    tenants, links = seen(scenario)
    for group in links.groups:
        found = (
            undeclared(group, tenants.attested),
            together(group, tenants.launches),
            in_turn(group, tenants.launches),
        )
        yield from (one for one in found if one is not None)
    for name, versions in tenants.versions.items():
        paid = many_payers(name, versions)
        yield from [] if paid is None else [paid]
        daily = tenants.daily.get(name, {})
        yield from changes_before(name, versions, daily, crossings(daily))


@pytest.mark.parametrize("scenario", WHO)
def test_events_pass_intake(scenario: str) -> None:
    """Every line is accepted, nothing in it is unknown, and a scenario is small."""
    lines = played(scenario)[0]
    records = [Record("events", 0, offset, offset + 1, line.rstrip(b"\n"), None) for offset, line in enumerate(lines)]
    decoded = decode(records, Rules())

    assert ([], {}, {}) == (decoded.rejected, decoded.ignored, decoded.unknown_fields)
    assert len(lines) < EVENTS_MAX


@pytest.mark.parametrize("scenario", TOLD)
def test_groups_are_those_of_the_truth(scenario: str) -> None:
    """Who is to be found as one is found, by the evidence that there is, and nobody else is."""
    found = [(set(one.tenants), kinds(one)) for one in seen(scenario)[1].groups if len(one.units) > 1]

    assert by_whom(expected(scenario, "group")) == by_whom(found)


@pytest.mark.parametrize("scenario", TOLD)
def test_declared_organisations_are_one_unit(scenario: str) -> None:
    """An organisation with many accounts is one customer because it says so."""
    found = [set(one.tenants) for one in seen(scenario)[1].groups if len(one.units) == 1]

    assert [tenants for tenants, _ in expected(scenario, "organisation")] == found


@pytest.mark.parametrize("scenario", TOLD)
def test_weak_links_are_shown(scenario: str) -> None:
    """What is too little for a group is shown as a weak link, and is no more than the truth says."""
    found = {(*link.one, *link.other): {str(one.kind) for one in link.evidence} for link in seen(scenario)[1].weak}
    pairs = {
        pair: set(by) for tenants, by in expected(scenario, "weak link") for pair in combinations(sorted(tenants), 2)
    }

    assert pairs == found


@pytest.mark.parametrize("scenario", TOLD)
def test_books_of_resellers(scenario: str) -> None:
    """The customers of a reseller that are not attested are one unresolved party, the attested ones are not."""
    found = [set(book.tenants) for book in seen(scenario)[1].books]

    assert [tenants for tenants, _ in expected(scenario, "reseller book")] == found


@pytest.mark.parametrize("scenario", TOLD)
def test_the_unresolved_are_known(scenario: str) -> None:
    """Nobody counts as resolved by leaving a field blank or by claiming it."""
    unknown = set(seen(scenario)[0].ties) - seen(scenario)[0].attested

    assert set().union(*(tenants for tenants, _ in expected(scenario, "unresolved"))) == unknown


@pytest.mark.parametrize("scenario", TOLD)
def test_signals_are_those_of_the_truth(scenario: str) -> None:
    """Every sign of structuring that is in a scenario is raised, with what would explain it, and no other."""
    found = list(signals(scenario))

    assert by_whom(expected(scenario, "signal")) == by_whom((set(one.tenants), (str(one.kind),)) for one in found)
    assert all(one.sentence and one.innocent and one.settles for one in found)


def test_a_blank_profile_is_flagged() -> None:
    """A tenant of whom nothing is known is found by the rules for unresolved tenants when it passes 1e24 FLOP."""
    taken = Taken()
    lines = played("who-blank")[0]
    taken.take(lines)
    now = max(fact.time for fact in decode(_records(lines), Rules()).observations)
    told = answer(taken.book, reference(), now, taken.archive)
    (blank,) = (one for one in told.tenants if one.tenant == "blank")

    assert blank.flop.central > THRESHOLD
    assert {"ladder.1e23.unresolved", "ladder.1e24.unresolved"} <= {finding.rule for finding in blank.findings}


def _records(lines: Iterable[bytes]) -> list[Record]:
    return [Record("events", 0, number, number + 1, line.rstrip(b"\n"), None) for number, line in enumerate(lines)]
