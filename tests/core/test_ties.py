"""What links a tenant, read from the books: profiles, owners, and what was seen of its allocations."""

from __future__ import annotations

import pytest
from hypothesis import given

from monitor.core.book import Tenant
from monitor.core.engine import tenant_holdings, tenant_ties
from monitor.core.groups import linked
from monitor.core.links import LinkKind, Tie, Ties
from monitor.core.model import DAY_MS
from monitor.core.parties import Parties
from monitor.core.runs import runs
from monitor.core.ties import (
    Observed,
    attested,
    keys_of,
    linking_traits,
    observed,
    profile_ties,
    sharing,
    tenant_keys,
    ties_of,
    versions_of,
)
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference
from tests.core.test_groups import tenants as some_ties
from tests.core.world import world

NOW = 30 * DAY_MS


def ties(table: str, day: int = 30) -> list[str]:
    """What a tenant's profiles tie it to: kind, value, basis and source."""
    tenant, parties = world(table)
    return [
        f"{tie.kind} {tie.value} {tie.basis} {tie.source}"
        for tie in profile_ties(tenant, Parties(parties, day * DAY_MS))
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("0 t hq_country=US", []),
        ("0 t organisation=uni:registry", ["organisation uni registry kyc"]),
        ("0 t reseller_of=r", ["reseller r claimed kyc"]),
        # Of parties, organisations and resellers only those of now.
        ("0 t reseller_of=r \n 1 t reseller_of=s", ["reseller s claimed kyc"]),
        # Every payer and domain that it ever had.
        (
            "0 t payer=p \n 1 t payer=q contact_domain=x.example",
            ["contact domain x.example claimed kyc", "payer p claimed kyc", "payer q claimed kyc"],
        ),
        (
            "0 t identifiers=lei-12345+duns-67890:registry",
            ["identifier duns:67890 registry kyc", "identifier lei:12345 registry kyc"],
        ),
        # Without an owner a party is its own.
        ("0 t party=P:registry", ["owner P registry kyc", "party P registry kyc"]),
        (
            "0 t party=P \n 0 P owners=A-60:registry source=register",
            ["owner A registry register", "party P claimed kyc"],
        ),
        # Owners of before, and both where it is not sure.
        (
            "0 t party=P \n 0 P owners=A-60 \n 9 P owners=B-60",
            ["owner A claimed kyc", "owner B claimed kyc", "party P claimed kyc"],
        ),
        (
            "0 t party=P \n 0 P owners=A-50c+B-50c",
            ["owner A claimed kyc", "owner B claimed kyc", "party P claimed kyc"],
        ),
        ("0 t party=P \n 0 P owners=A-60 \n 0 A owners=P-60", ["owner A, P claimed kyc", "party P claimed kyc"]),
        # Not those that come later.
        ("0 t party=P \n 0 P owners=A-60@40..", ["owner P claimed kyc", "party P claimed kyc"]),
    ],
)
def test_what_profiles_tie_to(table: str, expected: list[str]) -> None:
    """Each field with its basis and source; of owners those of the last step."""
    assert expected == ties(table)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("0 t hq_country=US:registry verified_at=1", True),
        ("0 t hq_country=US:registry", False),
        ("0 t hq_country=US verified_at=1", False),
        ("0 t hq_country=US:registry party=P:registry verified_at=1 \n 0 P owners=A-60", False),
    ],
)
def test_who_is_attested(table: str, expected: bool) -> None:
    """Whose headquarters, and those above, are documented, and who was verified."""
    tenant, parties = world(table)
    known = Parties(parties, NOW)

    assert expected == attested(tenant, known)
    assert Ties("t", profile_ties(tenant, known), expected) == ties_of("t", tenant, known, Observed((), ()))


SEEN = """
    0     start x accelerator=H100 count=640 image_digest=i reservation=r zone=z tenant=a
    86400 stop x tenant=a
    90000 start y accelerator=H100 count=320 on_behalf_of=c job=j tenant=a
    190000 seen y tenant=a
    0     start z count=1 tenant=b
"""


def test_what_is_seen_of_a_tenant() -> None:
    """Images, reservations and end customers of all that it held, and its launches with their images and jobs."""
    taken, now = Taken(SEEN), BASE_MS + 190_000_000
    holdings = tenant_holdings(taken.book, "a", taken.archive.finished("a"), now)
    found = observed(holdings, runs("a", holdings, reference().estimator, now))

    assert [
        (LinkKind.END_CUSTOMER, "c"), (LinkKind.IMAGE, "i"), (LinkKind.RESERVATION, "r")
    ] == sorted((tie.kind, tie.value) for tie in found.ties)  # fmt: skip
    assert {("observed", "the control plane")} == {(tie.basis, tie.source) for tie in found.ties}
    assert [(BASE_MS, 640_000, frozenset({"i"})), (BASE_MS + 90_000_000, 320_000, frozenset({"j"}))] == [
        (one.start, one.count, one.marks) for one in found.launches
    ]
    assert Ties("a", found.ties, False, found.launches) == tenant_ties(
        taken.book, reference(), "a", taken.archive, Parties(taken.book.parties, now)
    )


def test_what_was_held_is_kept_as_far_as_it_links() -> None:
    """Zones and jobs link nobody; what says nothing is left out."""
    taken = Taken(SEEN.replace("seen y", "stop y"))
    kept = linking_traits(taken.archive.finished("a").values())

    assert {("i", "r", None), (None, None, "c")} == {(one.image, one.reservation, one.end_customer) for one in kept}
    assert all((one.zone, one.job) == (None, None) for one in kept)
    assert set() == linking_traits(Taken(SEEN + "9 stop z tenant=b").archive.finished("b").values())


KEYS = [
    ("0 profile payer=p tenant=a \n 0 profile payer=p tenant=b \n 0 profile payer=q tenant=c", ["a", "b"]),
    # A mailbox that anybody has is nothing in common.
    ("0 profile contact_domain=gmail.com tenant=a \n 0 profile contact_domain=gmail.com tenant=b", []),
    ("0 start x count=1 image_digest=i tenant=a \n 0 start x count=1 image_digest=i tenant=b", ["a", "b"]),
    # What is held no longer counts too.
    (
        "0 start x count=1 image_digest=i tenant=a \n 9 stop x tenant=a \n 0 start x count=1 image_digest=i tenant=b",
        ["a", "b"],
    ),
    # Whoever buys from a payer makes a reseller of it.
    ("0 profile payer=p tenant=a \n 0 profile reseller_of=p tenant=b", ["a", "b"]),
    # The end customer is a tenant, or what one declares.
    ("0 start x count=1 on_behalf_of=b tenant=a \n 0 start x count=1 tenant=b", ["a", "b"]),
    ("0 start x count=1 on_behalf_of=acme tenant=a \n 0 profile party=acme tenant=b", ["a", "b"]),
]


@pytest.mark.parametrize(("table", "expected"), KEYS)
def test_who_has_something_in_common(table: str, expected: list[str]) -> None:
    """Only of those more is asked."""
    taken = Taken(table)
    keys = tenant_keys(
        taken.book.tenants, taken.archive.finished_traits(), Parties(taken.book.parties, BASE_MS + 10**6)
    )

    assert expected == sharing(keys)


@given(some_ties)
def test_nobody_else_is_in_a_group(ties: list[Ties]) -> None:
    """Tenants that share nothing with another one change no group."""
    known = {one.tenant: one._replace(launches=()) for one in ties}
    common = sharing({name: keys_of(name, one.ties) for name, one in known.items()})
    tenants = {name: Tenant() for name in known}

    everybody, some = (linked(tenants, one).groups for one in (known, {name: known[name] for name in common}))

    assert [(one.name, list(one.tenants), one.evidence) for one in everybody] == [
        (one.name, list(one.tenants), one.evidence) for one in some
    ]


VERSIONS = [
    ("0 t payer=p \n 5 t payer=q:registry", ["0 payer p claimed", "5 payer q registry"]),
    ("0 t hq_country=US \n 40 t hq_country=CN", ["0 hq_country US claimed"]),
    # An owner from the beginning is known since the tenant declared the party.
    ("3 t party=P \n 0 P owners=A-60:registry", ["3 owner A registry"]),
    ("0 t party=P \n 0 P owners=A-60 \n 7 P owners=B-60:registry", ["0 owner A claimed", "7 owner B registry"]),
    ("0 t party=P:documented \n 0 P owners=A-60@9..", ["0 owner P documented", "9 owner A claimed"]),
    ("0 t party=P \n 0 P owners=A-50c+B-50c", ["0 owner A; B claimed"]),
    ("0 t party=P \n 0 P owners=A-60 \n 0 A owners=P-60", ["0 owner A, P claimed"]),
    # Another party has other owners.
    (
        "0 t party=P \n 6 t party=Q \n 0 P owners=A-60 \n 0 Q owners=B-60 \n 9 P owners=C-60",
        ["0 owner A claimed", "6 owner B claimed"],
    ),
    (
        "0 t party=P \n 6 t party=Q \n 0 P owners=A-60@..4",
        ["0 owner A claimed", "4 owner P claimed", "6 owner Q claimed"],
    ),
]


@pytest.mark.parametrize(("table", "expected"), VERSIONS)
def test_versions_of_payer_owner_and_headquarters(table: str, expected: list[str]) -> None:
    """What was said over time up to now, and of owners who was above the party of that time."""
    tenant, parties = world(table)
    found = versions_of(tenant, Parties(parties, NOW))

    assert expected == [f"{one.at // DAY_MS} {one.field} {one.value} {one.basis}" for one in found]
    assert sorted(found) == found


def test_a_tie_is_claimed_where_nothing_else_is_said() -> None:
    """A basis is never left out."""
    tenant, parties = world("0 t payer=p")

    assert (Tie(LinkKind.PAYER, "p", "claimed", "kyc"),) == profile_ties(tenant, Parties(parties, NOW))
