"""Linked tenants are added up: who is in a group, what it is called, what it reaches, and whom that is said of."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Tenant
from monitor.core.bounds import Bounds
from monitor.core.engine import Answer, answer, evaluate_groups, linked_tenants
from monitor.core.estimate import TenantHour
from monitor.core.flags import Act, Flag, State
from monitor.core.groups import Linked, linked, together
from monitor.core.links import Launch, LinkKind, Strength, Tie, Ties
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import Aggregation
from monitor.core.profiles import declared_party
from monitor.core.structuring import SignalKind
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
    taken = Taken(table)
    return answer(taken.book, reference(), now, taken.archive)


def seen(table: str, now: int = NOW) -> Linked:
    """Who is linked with whom in a table."""
    taken = Taken(table)
    return linked_tenants(taken.book, reference(), taken.archive, reference().parties(taken.book, now))


def members(found: Linked) -> list[tuple[str, list[str]]]:
    return [(one.name, list(one.tenants)) for one in found.groups]


def tied(name: str, *ties: tuple[LinkKind, str], attested: bool = False, launches: Iterable[Launch] = ()) -> Ties:
    """What a tenant shares, claimed."""
    made = tuple(Tie(kind, value, "claimed", "kyc") for kind, value in ties)
    return Ties(name, made, attested, tuple(launches))


def grouped(*ties: Ties) -> Linked:
    """The groups of tenants with these ties."""
    return linked({one.tenant: Tenant() for one in ties}, {one.tenant: one for one in ties})


# -- who is in one -----------------------------------------------------------------------------------------------------

TABLES = [
    ("0 profile party=acme tenant=a \n 0 profile party=acme tenant=b", [("acme", ["a", "b"])]),
    ("0 profile payer=pay tenant=a \n 0 profile payer=pay tenant=b", [("tenants linked with a", ["a", "b"])]),
    # A payer of before still ties; a party of before does not.
    (
        "0 profile payer=pay tenant=a \n 5 profile payer=new tenant=a \n 0 profile payer=pay tenant=b",
        [("tenants linked with a", ["a", "b"])],
    ),
    ("0 profile party=acme tenant=a \n 5 profile party=bolt tenant=a \n 0 profile party=acme tenant=b", []),
    ("0 profile organisation=uni tenant=a \n 0 profile organisation=uni tenant=b", [("organisation uni", ["a", "b"])]),
    # One mail domain is weak; with one image it is strong.
    ("0 profile contact_domain=lab.example tenant=a \n 0 profile contact_domain=lab.example tenant=b", []),
    (
        "0 profile contact_domain=lab.example tenant=a \n 0 profile contact_domain=lab.example tenant=b \n"
        "0 start x count=1 image_digest=i tenant=a \n 0 start x count=1 image_digest=i tenant=b",
        [("tenants linked with a", ["a", "b"])],
    ),
    ("0 profile reseller_of=r tenant=a \n 0 profile reseller_of=r tenant=b", [("customers of r", ["a", "b"])]),
    ("0 profile party=acme tenant=a \n 0 start x count=1 tenant=b", []),
]


@pytest.mark.parametrize(("table", "expected"), TABLES)
def test_who_is_in_a_group(table: str, expected: list[tuple[str, list[str]]]) -> None:
    """Tenants of one party, payer or organisation, of strong links, and of one reseller; nobody by weak links alone."""
    assert expected == members(seen(table))


def test_a_party_that_was_retracted_is_none() -> None:
    """A profile that its source takes back makes no group."""
    table = "0 profile party=acme tenant=a id=1 \n 0 profile party=acme tenant=b id=2 \n 9 retract 2 tenant=b"

    assert [] == members(seen(table))
    assert declared_party(Taken(table).book.tenants["b"], NOW) is None


def test_a_group_is_of_an_instant() -> None:
    """The last party that a tenant declared by then counts."""
    table = """
        0  profile party=acme tenant=a id=1
        0  profile party=acme tenant=b id=2
        0  profile party=solo tenant=c id=3
        50 profile party=solo tenant=b id=4
    """

    assert [("acme", ["a", "b"])] == members(seen(table, BASE_MS + 49_999))
    assert [("solo", ["b", "c"])] == members(seen(table, BASE_MS + 50_000))


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        (LinkKind.PARTY, "acme", "acme"),
        (LinkKind.OWNER, "holding", "holding"),
        (LinkKind.ORGANISATION, "uni", "organisation uni"),
        (LinkKind.RESELLER, "r", "customers of r"),
    ],
)
def test_one_more_tenant_does_not_change_a_name(kind: LinkKind, value: str, name: str) -> None:
    """A group is called by what all of it has, whoever is first of it."""
    two, three = ([tied(one, (kind, value)) for one in names] for names in ("bc", "abc"))

    assert [(name, ["b", "c"])] == members(grouped(*two))
    assert [(name, ["a", "b", "c"])] == members(grouped(*three))


def test_a_group_of_two_parties_is_called_by_its_owner() -> None:
    """What only some declare is no name for all; without anything in common the first tenant has to do."""
    of_owner = [tied(one, (LinkKind.PARTY, f"p-{one}"), (LinkKind.OWNER, "holding")) for one in "ab"]
    of_payer = [tied(one, (LinkKind.PARTY, f"p-{one}"), (LinkKind.PAYER, "pay")) for one in "ab"]

    assert ["holding"] == [one.name for one in grouped(*of_owner).groups]
    assert ["tenants linked with a"] == [one.name for one in grouped(*of_payer).groups]


def test_evidence_is_told_with_the_group() -> None:
    """Why they are taken for one, the weightiest first, and the links of a tenant."""
    ties = [tied(one, (LinkKind.PAYER, "pay"), (LinkKind.RESERVATION, "r-1")) for one in "ab"]
    found = grouped(*ties, tied("c", (LinkKind.RESERVATION, "r-1")))

    assert [LinkKind.PAYER, LinkKind.RESERVATION] == [one.kind for one in found.groups[0].evidence]
    assert [["b"], ["c"]] == [list(link.other) for link in found.links_of("a")]
    assert [Strength.STRONG, Strength.WEAK] == [link.strength for link in found.links_of("a")]
    assert () == found.links_of("nobody")
    assert [found.groups, ()] == [tuple(found.of(name)) for name in ("a", "c")]


def test_the_book_of_a_reseller_is_one_unresolved_party() -> None:
    """Its customers that nobody attested; who is, stands for itself."""
    reseller = (LinkKind.RESELLER, "r")
    found = grouped(tied("a", reseller), tied("b", reseller), tied("c", reseller, attested=True))
    (group,) = found.groups

    assert ("customers of r", ["a", "b"]) == (group.name, list(group.tenants))
    assert group.unresolved is not None
    assert "2 customers that buy through r are not attested" in group.unresolved
    assert () == group.signals


# -- signs -------------------------------------------------------------------------------------------------------------


def test_many_undeclared_accounts_are_a_sign() -> None:
    """Of three that one payer pays for none is attested; if two are, there is nothing to say."""
    payer = (LinkKind.PAYER, "pay")

    hidden, known = (
        grouped(*(tied(one, payer, attested=one in attested) for one in "abc")).groups[0] for attested in ("", "ab")
    )

    assert [SignalKind.UNDECLARED] == [one.kind for one in hidden.signals]
    assert () == known.signals


def test_launches_of_a_group_are_looked_at_together() -> None:
    """One image that moves from one family to another over two linked tenants; in one organisation it is its own."""
    old = Launch(0, 2 * DAY_MS, 8_000, "hopper", "x", frozenset({"image-1"}))
    new = Launch(3 * DAY_MS, 5 * DAY_MS, 8_000, "blackwell", "x", frozenset({"image-1"}))

    of_payer, of_party = (
        grouped(tied("a", shared, launches=[old]), tied("b", shared, launches=[new])).groups[0]
        for shared in ((LinkKind.PAYER, "pay"), (LinkKind.PARTY, "acme"))
    )

    assert [(SignalKind.FAMILY_SWITCHED, ("a", "b"))] == [(one.kind, one.tenants) for one in of_payer.signals]
    assert () == of_party.signals


# -- sums --------------------------------------------------------------------------------------------------------------

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


SHARED = (LinkKind.PARTY, LinkKind.OWNER, LinkKind.PAYER, LinkKind.RESELLER, LinkKind.DOMAIN, LinkKind.END_CUSTOMER)
shared = st.sampled_from([(kind, value) for kind in SHARED for value in ("x", "t0")])
launches = st.lists(
    st.builds(
        lambda start, days, family: Launch(
            start * HOUR_MS, (start + 24 * days) * HOUR_MS, 8_000, family, "x", frozenset({"image"})
        ),
        st.integers(0, 200),
        st.integers(1, 3),
        st.sampled_from(["hopper", "blackwell"]),
    ),
    max_size=4,
)
tenants = st.lists(
    st.tuples(st.lists(shared, max_size=3, unique=True), st.booleans(), launches), min_size=2, max_size=6
).map(
    lambda many: [
        tied(f"t{number}", *ties, attested=attested, launches=ran) for number, (ties, attested, ran) in enumerate(many)
    ]
)


@given(tenants, st.integers(0, 2**32))
def test_the_order_of_tenants_does_not_matter(ties: list[Ties], seed: int) -> None:
    """Shuffled tenants make the same groups with the same names, evidence and signs; a linked group has two at least,
    and a tenant is in one of them and in one book at most.
    """
    shuffled = list(ties)
    Random(seed).shuffle(shuffled)
    one, other = grouped(*ties), grouped(*shuffled)
    told = [(each.name, list(each.tenants), each.evidence, each.unresolved, each.signals) for each in one.groups]

    assert told == [
        (each.name, list(each.tenants), each.evidence, each.unresolved, each.signals) for each in other.groups
    ]
    assert all(len(each.tenants) > 1 for each in one.groups)
    for name in one.ties:
        of_tenant = one.of(name)
        assert len(of_tenant) <= 2
        assert len({each.unresolved is None for each in of_tenant}) == len(of_tenant)


# -- what they reach ---------------------------------------------------------------------------------------------------


def test_together_they_reach_what_none_reaches() -> None:
    """The group has findings of the ladder, its tenants have none; it names them, and who of them is of concern."""
    found = answered(TOGETHER)
    (group,) = found.groups
    assert [(), (), ()] == [tenant.findings for tenant in found.tenants]
    assert ("acme", ("a", "b")) == (group.group, group.tenants)
    assert [LinkKind.PARTY] == [one.kind for one in group.evidence]
    by_name = {tenant.tenant: tenant.flop for tenant in found.tenants}
    assert by_name["a"].plus(by_name["b"]) == group.flop
    assert all(one <= most for name in "ab" for one, most in zip(by_name[name], group.flop, strict=True))
    finding = next(one for one in group.findings if one.rule == "ladder.1e23.of_concern.group")
    assert ("acme", ("a", "b")) == (finding.tenant, finding.members)
    assert "of the 2 tenants of this group" in finding.reasons[0]
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


def test_small_groups_are_not_looked_at_by_the_hour() -> None:
    """A group below every threshold has no finding."""
    table = "0 profile party=acme tenant=a id=1 \n 0 profile party=acme tenant=b id=2 \n 0 start x tenant=a count=1"
    (group,) = answered(table, BASE_MS + HOUR_S * 1_000).groups
    assert group.flop.high < min(rule.threshold for rule in reference().rules(NOW, Aggregation.GROUP))
    assert () == group.findings


def test_flags_of_groups_are_raised_once_and_withdrawn() -> None:
    """The same findings change nothing; a group that fell apart withdraws its flags and says why."""
    flags: dict[str, Flag] = {}
    taken = Taken(TOGETHER)
    for expected in ({"raised"}, set()):
        changes = evaluate_groups(taken.book, reference(), taken.archive, flags, NOW)
        assert expected == {change.entry.act for change in changes}
        flags |= {change.flag.id: change.flag for change in changes}
    assert all(flag.of_group and flag.tenants == ("a", "b") for flag in flags.values())
    apart = Taken(TOGETHER.replace("party=acme tenant=b", "party=bolt tenant=b"))
    changes = evaluate_groups(apart.book, reference(), apart.archive, flags, NOW)
    assert {(State.WITHDRAWN, Act.WITHDRAWN)} == {(change.flag.state, change.entry.act) for change in changes}
    assert "no longer taken for one customer" in changes[0].entry.reason
