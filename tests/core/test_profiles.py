"""What is known of tenants and parties over time, field by field, and where sources contradict each other."""

from __future__ import annotations

import pytest

from monitor.core.model import DAY_MS
from monitor.core.profiles import (
    Version,
    contradicted,
    contradiction_sentence,
    declared_party,
    of_party,
    of_tenant,
    unresolved,
)
from tests.core.world import facts, kept, world

NOW = 50 * DAY_MS


def test_every_version_of_a_field_is_kept() -> None:
    """A fact updates only the fields that it names; each version has value, date, basis and source."""
    tenant, _ = world(
        """
        1 t hq_country=US legal_name=Acme
        5 t hq_country=CN:registry source=register
        7 t legal_name=Acme2:documented
        """
    )
    profiled = of_tenant(tenant, NOW)

    assert ["hq_country", "legal_name"] == profiled.fields()
    assert [
        Version(1 * DAY_MS, "US", "claimed", "kyc"),
        Version(5 * DAY_MS, "CN", "registry", "register"),
    ] == profiled.history("hq_country")
    assert [False, True] == [one.documented for one in profiled.history("hq_country")]
    assert Version(7 * DAY_MS, "Acme2", "documented", "kyc") == profiled.current("legal_name")
    assert None is profiled.current("payer")


def test_of_several_versions_of_one_instant_the_last_holds() -> None:
    """By source, then id; the others stay among the statements."""
    tenant, _ = world("1 t hq_country=US source=b \n 1 t hq_country=CN source=a \n 1 t hq_country=DE source=a")
    profiled = of_tenant(tenant, NOW)

    assert ["CN", "DE", "US"] == [one.value for one in profiled.statements("hq_country")]
    assert ["US"] == [one.value for one in profiled.history("hq_country")]


def test_what_is_later_is_not_known_yet() -> None:
    """Facts later than the instant that is asked about do not count."""
    tenant, parties = world("3 t party=P \n 3 P hq_country=US")

    assert [None, "P"] == [declared_party(tenant, day * DAY_MS) for day in (2, 3)]
    assert [0, 1] == [len(of_party("P", parties["P"], day * DAY_MS).history("hq_country")) for day in (2, 3)]


def test_a_party_keeps_its_own_name_with_what_is_said_of_it() -> None:
    """So that the two profiles of a tenant stay apart; a party that is not known has none."""
    _, parties = world("1 P hq_country=US")

    assert [Version(DAY_MS, "US", "claimed", "kyc", "P")] == of_party("P", parties["P"], NOW).history("hq_country")
    assert [] == of_party("Q", None, NOW).fields()


def test_a_retracted_profile_says_nothing() -> None:
    """A tenant's facts that their source took back do not count."""
    tenant, _ = world("1 t hq_country=US \n 2 t hq_country=CN")
    tenant.retracted = frozenset({("kyc", "001")})

    assert ["US"] == [one.value for one in of_tenant(tenant, NOW).history("hq_country")]


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (None, "The headquarters of Acme are not known."),
        (
            Version(0, "US", "claimed", "kyc"),
            "The headquarters of Acme (US) are only claimed, not documented.",
        ),
        *((Version(0, "US", basis, "kyc"), None) for basis in ("documented", "registry", "reviewer")),
    ],
)
def test_unresolved_says_why(version: Version | None, sentence: str | None) -> None:
    """Headquarters that nobody knows, or that are only claimed, do not say who somebody is."""
    assert sentence == unresolved(version, "Acme")


CONTRADICTIONS = [
    ("1 t hq_country=US \n 2 t hq_country=CN", []),  # one source may change its mind
    ("1 t hq_country=US source=a \n 2 t hq_country=US source=b", []),
    ("1 t hq_country=US source=a \n 2 t hq_country=CN source=b", ["hq_country CN b US a"]),
    ("1 t hq_country=US source=a \n 2 t hq_country=CN source=b \n 3 t hq_country=CN source=a", []),
    ("1 t hq_country=US \n 1 P hq_country=CN", ["hq_country CN P US kyc"]),  # of one instant the party's is the latest
    ("2 t hq_country=US \n 1 P hq_country=CN", ["hq_country US kyc CN P"]),
    ("1 t incorporation_country=US \n 2 P incorporation_country=KY", ["incorporation_country KY P US kyc"]),
    ("1 t party=P source=a \n 2 t party=Q source=b", ["party Q b P a"]),
    ("1 t party=P \n 1 P party=P names=x", []),
    ("1 t legal_name=Acme \n 1 P legal_name=Bolt", []),
    ("1 t identifiers=lei-1+vat-2 \n 2 P identifiers=lei-1+vat-3+duns-4", ["identifiers.vat 3 P 2 kyc"]),
    (
        "1 t hq_country=US source=a \n 2 t hq_country=CN source=b \n 3 P hq_country=DE",
        ["hq_country DE P US a", "hq_country DE P CN b"],
    ),
]


@pytest.mark.parametrize(("table", "expected"), CONTRADICTIONS)
def test_contradictions(table: str, expected: list[str]) -> None:
    """The latest statements of sources, and of tenant and party, that differ, each against the latest of all."""
    tenant, parties = world(table)
    told = contradicted(of_tenant(tenant, NOW), of_party("P", parties.get("P"), NOW))

    assert expected == [
        " ".join(
            str(part)
            for part in (
                one.field,
                one.latest.value,
                one.latest.party or one.latest.source,
                one.other.value,
                one.other.party or one.other.source,
            )
        )
        for one in told
    ]


def test_a_contradiction_names_both_sides() -> None:
    """Who says what, by what basis and from whom."""
    tenant, parties = world("1 t hq_country=US:documented \n 2 P hq_country=CN:registry source=register")
    (one,) = contradicted(of_tenant(tenant, NOW), of_party("P", parties["P"], NOW))

    assert (
        "hq_country: the profile of P says CN (registry, from register), but the tenant's profile says US (documented, "
        "from kyc)." == contradiction_sentence(one)
    )


def test_the_order_in_which_facts_came_does_not_matter() -> None:
    """The same facts, the same profiles and contradictions."""
    made = facts("1 t hq_country=US source=a \n 1 t hq_country=CN source=b \n 2 t hq_country=DE source=a")
    one, other = (of_tenant(kept(order)[0], NOW) for order in (made, reversed(made)))

    assert one.statements("hq_country") == other.statements("hq_country")
    assert contradicted(one) == contradicted(other) != []
