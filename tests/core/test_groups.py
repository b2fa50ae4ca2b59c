"""Tenants of one party are added up: who is in a group, what it reaches, and whom that is said of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.bounds import Bounds
from monitor.core.engine import Answer, answer, evaluate_groups, group_of
from monitor.core.estimate import TenantHour
from monitor.core.flags import Act, Flag, State
from monitor.core.groups import groups, together
from monitor.core.profiles import declared_party
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference

HOUR_S = 3_600
# Two tenants of acme, each below 1e23 FLOP at the high bound and together above it.
EACH = "accelerator=H100-SXM5-80GB count=120"
TOGETHER = f"""
    0      profile party=acme tenant=a id=pa hq_country=CN
    0      profile party=acme tenant=b id=pb
    0      profile party=other tenant=c id=pc
    1      start x tenant=a {EACH}
    1      start x tenant=b {EACH}
    1      start x tenant=c {EACH}
    864000 stop x tenant=a
    864000 stop x tenant=b
    864000 stop x tenant=c
"""
NOW = BASE_MS + 864_000_000


def answered(table: str, now: int = NOW) -> Answer:
    """The answer for a table."""
    return answer(Taken(table).book, reference(), now)


bounds = st.integers(0, 10**6).map(lambda low: Bounds(low, 2 * low, 3 * low, 4 * low))
hours = st.lists(
    st.builds(lambda hour, everything: TenantHour(hour, everything, everything), st.integers(0, 5), bounds),
    unique_by=lambda one: one.hour,
    max_size=6,
)


@given(st.lists(hours, min_size=1, max_size=4))
def test_no_tenant_has_more_than_its_group(each: list[list[TenantHour]]) -> None:
    """In every hour and on every bound a group has what its tenants have together."""
    summed = {one.hour: one for one in together(each)}
    assert sorted(summed) == list(summed)
    for number in range(6):
        parts = [one.everything for of_tenant in each for one in of_tenant if one.hour == number]
        whole = summed[number].everything if number in summed else Bounds(0, 0, 0, 0)
        assert tuple(map(sum, zip(*parts, strict=True))) == tuple(whole) if parts else whole == (0, 0, 0, 0)
        assert all(one <= most for part in parts for one, most in zip(part, whole, strict=True))


def test_a_group_is_two_tenants_of_one_party() -> None:
    """The last party that a tenant declared counts; one tenant is no group, and who declares nothing is in none."""
    table = """
        0  profile party=acme tenant=a id=1
        0  profile party=acme tenant=b id=2
        0  profile party=solo tenant=c id=3
        0  start x tenant=d accelerator=H100 count=1
        50 profile party=solo tenant=b id=4
    """
    tenants = Taken(table).book.tenants
    assert [("acme", ["a", "b"])] == [(one.party, list(one.tenants)) for one in groups(tenants, BASE_MS + 49_999)]
    assert [("solo", ["b", "c"])] == [(one.party, list(one.tenants)) for one in groups(tenants, BASE_MS + 50_000)]
    assert declared_party(tenants["d"], NOW) is None


def test_a_party_that_was_retracted_is_none() -> None:
    """A profile that its source takes back makes no group."""
    table = "0 profile party=acme tenant=a id=1 \n 0 profile party=acme tenant=b id=2 \n 9 retract 2 tenant=b"
    assert [] == groups(Taken(table).book.tenants, NOW)


def test_together_they_reach_what_none_reaches() -> None:
    """The group has a finding, its tenants have none; it names them, and who of them is of concern."""
    found = answered(TOGETHER)
    (group,) = found.groups
    assert [(), (), ()] == [tenant.findings for tenant in found.tenants]
    assert ("acme", ("a", "b")) == (group.party, group.tenants)
    by_name = {tenant.tenant: tenant.flop for tenant in found.tenants}
    assert by_name["a"].plus(by_name["b"]) == group.flop
    finding = next(one for one in group.findings if one.rule == "ladder.1e23.of_concern.group")
    assert ("acme", ("a", "b")) == (finding.tenant, finding.members)
    assert "of the 2 tenants of this party" in finding.reasons[0]
    assert finding.reasons[1].startswith("In the group is a. The tenant is headquartered in CN")
    unresolved = next(one for one in group.findings if one.rule == "ladder.1e23.unresolved.group")
    claimed = "The headquarters of the tenant (CN) are only claimed, not documented."
    assert unresolved.reasons[1] == f"In the group is a. {claimed}"


def test_findings_of_groups_are_in_the_digest() -> None:
    """Other parties, another digest; the same books, the same digest of books."""
    apart = TOGETHER.replace("party=acme tenant=b", "party=bolt tenant=b")
    one, other = answered(TOGETHER), answered(apart)
    assert one.books_digest == other.books_digest
    assert one.digest != other.digest
    assert () == other.groups


@pytest.mark.parametrize("name", ["a", "c"])
def test_the_group_of_a_tenant(name: str) -> None:
    """A tenant's group is the one of the answer; who is in none has none."""
    book = Taken(TOGETHER).book
    expected = {"a": answered(TOGETHER).groups[0], "c": None}
    assert expected[name] == group_of(book, reference(), name, NOW)


def test_small_groups_are_not_looked_at_by_the_hour() -> None:
    """A group below every threshold has no finding."""
    table = "0 profile party=acme tenant=a id=1 \n 0 profile party=acme tenant=b id=2 \n 0 start x tenant=a count=1"
    (group,) = answered(table, BASE_MS + HOUR_S * 1_000).groups
    assert () == group.findings


def test_flags_of_groups_are_raised_once_and_withdrawn() -> None:
    """The same findings change nothing; a party that fell apart withdraws its flags and says why."""
    flags: dict[str, Flag] = {}
    book = Taken(TOGETHER).book
    for expected in ({"raised"}, set()):
        changes = evaluate_groups(book, reference(), flags, NOW)
        assert expected == {change.entry.act for change in changes}
        flags |= {change.flag.id: change.flag for change in changes}
    assert all(flag.of_group and flag.tenants == ("a", "b") for flag in flags.values())
    apart = Taken(TOGETHER.replace("party=acme tenant=b", "party=bolt tenant=b")).book
    changes = evaluate_groups(apart, reference(), flags, NOW)
    assert {(State.WITHDRAWN, Act.WITHDRAWN)} == {(change.flag.state, change.entry.act) for change in changes}
    assert "no longer of one party" in changes[0].entry.reason
