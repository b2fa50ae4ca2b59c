"""Whose compute it is: headquarters of tenants, their parties and ultimate parents, over time and in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.clearances import Clearance, digest_of_entry, digest_of_query
from monitor.core.findings import Finding
from monitor.core.lists import NO_LISTS, Band, Hit, Query
from monitor.core.model import DAY_MS, HOUR_MS, Observation
from monitor.core.ownership import ALWAYS, Edge, Stake, Verdict, cascade, edges_at, parent
from monitor.core.parties import (
    Match,
    Parties,
    affiliation_sentence,
    foreign_sentence,
    match_sentence,
    query_of,
    rank_of,
)
from monitor.core.policy import Scope
from monitor.core.profiles import Profiled, of_tenant
from tests.core.asked import find_by_hours, policy, rule
from tests.core.listed import EFFECTS, RULE_FROM, RULE_UNTIL, hit, lists
from tests.core.test_findings import COUNTRIES, THRESHOLD, used
from tests.core.world import fact, facts, kept, world

# CN is of concern; the window is two days.
OF_CONCERN = [
    ("0 t party=P \n 0 P hq_country=CN", 30, "P is CN"),
    ("0 t hq_country=US:registry party=P \n 0 P hq_country=CN", 30, "P is CN"),
    ("0 t party=P", 30, "-"),
    ("0 t party=P \n 0 Q hq_country=CN", 30, "-"),
    # The parent, whatever the chain is made of, and whatever its basis.
    ("0 t party=P \n 0 P owners=A-51 \n 0 A hq_country=CN", 30, "A is CN"),
    ("0 t party=P \n 0 P owners=A-50+B-50 \n 0 A hq_country=CN", 30, "-"),
    ("0 t party=P \n 0 P owners=A-?c \n 0 A owners=B-60 \n 0 B hq_country=CN", 30, "B is CN"),
    # What lies between is a path, not a test of its own.
    ("0 t party=P \n 0 P owners=A-60 \n 0 A hq_country=CN owners=B-60 \n 0 B hq_country=US", 30, "-"),
    # A circle is the parent as a whole.
    ("0 t party=P \n 0 P owners=A-60 \n 0 A owners=P-60 hq_country=CN", 30, "A is CN"),
    # Joint control, and control that is disputed: any of them.
    ("0 t party=P \n 0 P owners=A-50c+B-50c \n 0 A hq_country=US \n 0 B hq_country=CN", 30, "B is CN"),
    ("0 t party=P \n 0 P owners=B-10c \n 0 P owners=B-10n source=x \n 0 B hq_country=CN", 30, "B is CN"),
    # A window keeps what held in it: of owners, of the party, of the parent.
    ("0 t party=P \n 0 P owners=A-60 \n 29 P owners=B-60 \n 0 A hq_country=CN", 30, "A is CN"),
    ("0 t party=P \n 0 P owners=A-60 \n 27 P owners=B-60 \n 0 A hq_country=CN", 30, "-"),
    ("0 t party=P \n 0 P owners=A-60@..29 \n 0 A hq_country=CN", 30, "A is CN"),
    ("0 t party=P \n 0 P owners=A-60@..27 \n 0 A hq_country=CN", 30, "-"),
    ("0 t party=P \n 0 P owners=A-60@31.. \n 0 A hq_country=CN", 30, "-"),
    ("0 t party=P \n 29 t party=Q \n 0 P hq_country=CN", 30, "P is CN"),
    ("0 t party=P \n 27 t party=Q \n 0 P hq_country=CN", 30, "-"),
    ("0 t party=P \n 0 P owners=A-60 \n 0 A hq_country=CN \n 29 A hq_country=US", 30, "A is CN"),
    ("0 t party=P \n 0 P owners=A-60 \n 0 A hq_country=CN \n 27 A hq_country=US", 30, "-"),
    # What held before the first list of owners is what that says; a list ends what the one before it says.
    ("0 t party=P \n 30 P owners=A-60 \n 0 A hq_country=CN \n 29 A hq_country=US", 30, "A is CN"),
    ("0 t party=P \n 0 P owners=A-60@..50 \n 27 P owners=B-60 \n 0 A hq_country=CN", 30, "-"),
    ("0 t party=P \n 0 P owners=A-60 \n 28 P owners=B-60 \n 0 A hq_country=CN", 30, "-"),  # over as the window begins
    # An owner higher up may come and go too.
    ("0 t party=P \n 0 P owners=A-60 \n 0 A owners=B-60@..29 \n 0 B hq_country=CN", 30, "B is CN"),
    ("0 t party=P \n 0 P owners=A-60 \n 0 A owners=B-60@..27 \n 0 B hq_country=CN", 30, "-"),
    # It was never of concern while it was the parent.
    ("0 t party=P \n 0 P owners=A-60@29.. \n 0 A hq_country=CN \n 29 A hq_country=US", 30, "-"),
    # An owner may be stated late, for a time before.
    ("0 t party=P \n 0 P owners=B-60 \n 30 P owners=A-60@28..29 \n 0 A hq_country=CN", 30, "A is CN"),
]


def found(table: str, day: int, scope: Scope) -> list[Finding]:
    """The findings of one rule about a tenant that used enough in every hour."""
    tenant, parties = world(table)
    hours = used((day * 24 - 1, 9_000))
    return find_by_hours("t", tenant, hours, [policy(rule(scope))], COUNTRIES, Parties(parties, day * DAY_MS))


@pytest.mark.parametrize(("table", "day", "expected"), OF_CONCERN)
def test_the_headquarters_test(table: str, day: int, expected: str) -> None:
    """The tenant, its party, or the ultimate parent of that, by the versions that held in the window."""
    reasons = [finding.reasons[1] for finding in found(table, day, Scope.OF_CONCERN)]
    who, _, country = expected.partition(" is ")

    assert (expected != "-") == bool(reasons)
    assert all(f", {who}, is headquartered in {country} " in reason for reason in reasons)


SINCE = [
    ("0 t party=P \n 0 P owners=A-60@7.. \n 0 A hq_country=CN", 7),
    ("0 t party=P \n 0 P owners=A-60 \n 0 A owners=B-60@8.. \n 0 B hq_country=CN", 8),
    ("0 t party=P \n 0 P owners=A-60 \n 0 A hq_country=US \n 6 A hq_country=CN", 6),
    ("0 t party=Q \n 5 t party=P \n 0 P hq_country=CN", 5),
    ("0 t party=P \n 0 P hq_country=CN", 0),
]


@pytest.mark.parametrize(("table", "day"), SINCE)
def test_a_finding_dates_from_when_it_came_into_scope(table: str, day: int) -> None:
    """The day on which an owner, the owner's owner, the party or its headquarters became what is of concern."""
    tenant, parties = world(table)
    hours = used(*((hour, THRESHOLD) for hour in range(9 * 24)))
    asked = [policy(rule(Scope.OF_CONCERN))]

    assert [day * DAY_MS] == [
        one.raised_at for one in find_by_hours("t", tenant, hours, asked, COUNTRIES, Parties(parties, 9 * DAY_MS))
    ]


def test_the_reason_of_a_parent_names_the_chain() -> None:
    """Whose headquarters they are, and who holds how much of whom, by what basis."""
    (finding,) = found(
        """
        0 t party=P
        0 P owners=A-60:registry
        0 A owners=B-?c:documented
        0 B hq_country=CN:registry source=register
        """,
        30,
        Scope.OF_CONCERN,
    )

    assert (
        "The ultimate parent of the tenant, B, is headquartered in CN (registry, from register), a country of concern "
        "(CONCERN): A holds 60 per cent of P (registry, from kyc); B holds an unknown share of A and controls it "
        "(documented, from kyc)." == finding.reasons[1]
    )


def test_the_reason_of_a_party_names_it() -> None:
    """A party's own headquarters are told as such."""
    (finding,) = found("0 t party=P \n 0 P hq_country=CN:registry", 30, Scope.OF_CONCERN)

    assert (
        "The party of the tenant, P, is headquartered in CN (registry, from kyc), a country of concern (CONCERN)."
        == finding.reasons[1]
    )


SURE = "0 t hq_country=US:registry party=P:registry"
UNRESOLVED = [
    (SURE, None),
    (f"{SURE} \n 0 P hq_country=US", None),
    (f"{SURE} \n 0 P owners=A-30+B-30", None),  # nobody controls it
    (f"{SURE} \n 0 P owners=A-60:registry \n 0 A hq_country=US:registry", None),
    # What is documented of the party counts for a tenant that is documented to be of it.
    ("0 t party=P:registry \n 0 P hq_country=US:registry", None),
    ("0 t hq_country=US party=P:documented \n 0 P hq_country=US:registry", None),
    ("0 t party=P \n 0 P hq_country=US:registry", "The headquarters of the tenant are not known."),
    (
        "0 t hq_country=US party=P \n 0 P hq_country=US:registry",
        "The headquarters of the tenant (US) are only claimed, not documented.",
    ),
    ("0 t party=P:registry \n 0 P hq_country=US", "The headquarters of the tenant are not known."),
    # The parent.
    (f"{SURE} \n 0 P owners=A-60:registry", "The headquarters of the ultimate parent A are not known."),
    (
        f"{SURE} \n 0 P owners=A-60:registry \n 0 A hq_country=US",
        "The headquarters of the ultimate parent A (US) are only claimed, not documented.",
    ),
    (
        f"{SURE} \n 0 P owners=A-60 \n 0 A hq_country=US:registry",
        "Who controls P is only claimed, not documented: A holds 60 per cent of P (claimed, from kyc).",
    ),
    (
        f"{SURE} \n 0 P owners=A-?:registry",
        "Who controls P is not known: A holds an unknown share of P (registry, from kyc).",
    ),
    (
        f"{SURE} \n 0 P owners=A-40:registry \n 0 P owners=A-60:registry source=x",
        "Who controls P is disputed: A holds 40 per cent of P (registry, from kyc); "
        "A holds 60 per cent of P (registry, from x).",
    ),
    (
        f"{SURE} \n 0 P owners=A-60:registry \n 0 A owners=P-60:registry",
        "The headquarters of the ultimate parent A are not known.",
    ),
    # What is known now counts.
    (f"{SURE} \n 0 P owners=A-60:registry \n 9 P owners=A-30:registry", None),
    (f"{SURE} \n 0 P owners=A-60@..20:registry", None),
]


@pytest.mark.parametrize(("table", "sentence"), UNRESOLVED)
def test_unresolved(table: str, sentence: str | None) -> None:
    """A tenant is unresolved while its headquarters, or who is above it and where, are not at least documented."""
    tenant, parties = world(table)

    assert sentence == Parties(parties, 30 * DAY_MS).who("t", tenant).unresolved
    assert [sentence] * (sentence is not None) == [one.reasons[1] for one in found(table, 30, Scope.UNRESOLVED)]


# -- over time, against a recount by cells -----------------------------------------------------------------------------

CELL = 90 * 60_000  # what moves below, moves at whole multiples of this
CELLS_A_DAY = DAY_MS // CELL
LAST_CELL = 6 * CELLS_A_DAY
cells = st.integers(0, LAST_CELL)
countries = st.sampled_from(["CN", "US"])
owners = st.lists(
    st.fixed_dictionaries(
        {
            "party": st.sampled_from("PQR"),
            "share_ppm": st.sampled_from([None, 400_000, 600_000, 600_000]),
            "control": st.sampled_from([None, None, None, True, False]),
            "from": st.one_of(st.none(), cells.map(lambda cell: cell * CELL)),
            "to": st.one_of(st.none(), cells.map(lambda cell: cell * CELL)),
            "source": st.none(),
        }
    ),
    max_size=2,
)
statements = st.one_of(
    st.tuples(st.just("t"), st.fixed_dictionaries({"party": st.sampled_from("PQ")})),
    st.tuples(st.just("P"), st.fixed_dictionaries({"owners": owners})),
    st.tuples(st.sampled_from("PQR"), st.fixed_dictionaries({"owners": owners})),
    st.tuples(st.sampled_from("tPQR"), st.fixed_dictionaries({"hq_country": countries})),
)
of_party = (0, "a", ("t", {"party": "P"}))  # so that in most worlds owners matter
worlds = st.lists(st.tuples(cells, st.sampled_from("aab"), statements), min_size=2, max_size=8).map(
    lambda many: [
        fact(who, cell * CELL, source, str(number), dict(fields))
        for number, (cell, source, (who, fields)) in enumerate([of_party, *many])
    ]
)


def held(made: Sequence[Observation], who: str, field: str, at: int) -> object | None:
    """What a field was at an instant; before the first statement what that says."""
    said = sorted(
        (one.time, one.source, one.id, one.body.fields[field])  # type: ignore[union-attr]
        for one in made
        if (one.subject or one.tenant) == who and field in one.body.fields  # type: ignore[union-attr]
    )
    past = [one for one in said if one[0] <= at] or [one for one in said if one[0] == said[0][0]]
    return past[-1][3] if past else None


def owners_at(made: Sequence[Observation], who: str, at: int) -> Sequence[Edge]:
    """Who owned a party at an instant, straight from the rule about lists."""
    found = []
    for source in ("a", "b"):
        lists: dict[int, list[dict[str, object]]] = {}
        for one in sorted((one for one in made if one.subject == who and one.source == source), key=lambda one: one.id):
            if "owners" in one.body.fields:  # type: ignore[union-attr]
                lists[one.time] = one.body.fields["owners"]  # type: ignore[union-attr, assignment]
        of_source: dict[str, list[Stake]] = {}
        for time in sorted(lists):
            later = min((other for other in lists if other > time), default=None)
            begins = time if time > min(lists) else None
            for entry in lists[time]:
                start = begins if entry["from"] is None else entry["from"]
                ends = [end for end in (entry["to"], later) if end is not None]
                if (start is None or start <= at) and all(at < end for end in ends):  # type: ignore[operator]
                    stake = Stake(
                        str(entry["party"]), who, entry["share_ppm"], entry["control"],  # type: ignore[arg-type]
                        "claimed", source, 0, ALWAYS, time, source,
                    )  # fmt: skip
                    earlier = [one for one in of_source.get(stake.owner, []) if one.said == time]
                    of_source[stake.owner] = [*earlier, stake]
        found += [stake for stakes in of_source.values() for stake in stakes]
    return edges_at(found, at)


def concerned(made: Sequence[Observation], at: int) -> bool:
    """Whether the tenant, its party or an ultimate parent of that was headquartered in CN at an instant."""
    party = held(made, "t", "party", at)
    places = [held(made, "t", "hq_country", at)]
    if party is not None:
        tops = parent(str(party), lambda name: owners_at(made, name, at)).tops
        places += [held(made, who, "hq_country", at) for who in {str(party), *(one for part in tops for one in part)}]
    return "CN" in places


@given(worlds, st.integers(1, 2), cells, st.integers(0, CELL - 1))
def test_since_when_a_tenant_is_in_scope_is_what_a_recount_gives(
    made: list[Observation], days: int, cell: int, millisecond: int
) -> None:
    """With enough usage, a finding dates from when headquarters, owners or parties last brought it about."""
    window, offset = days * CELLS_A_DAY, 3 * CELLS_A_DAY
    known = [one for one in made if one.time <= cell * CELL]
    by_cell = [concerned(known, one * CELL) for one in range(-offset, cell + 1)]
    first, one = None, cell
    while one >= 0 and any(by_cell[offset + one - window : offset + one + 1]):
        first, one = one, one - 1
    tenant, parties = kept(made)
    hours = used(*((hour, THRESHOLD) for hour in range(LAST_CELL * 2)))
    asked = [policy(rule(Scope.OF_CONCERN, window_days=days))]
    findings = find_by_hours("t", tenant, hours, asked, COUNTRIES, Parties(parties, cell * CELL + millisecond))

    assert ([] if first is None else [first * CELL // HOUR_MS * HOUR_MS]) == [found.raised_at for found in findings]


@given(worlds, st.integers(0, 2**32))
def test_the_order_in_which_facts_came_does_not_matter(made: list[Observation], seed: int) -> None:
    """Shuffled facts give the same headquarters, parents, graph and caught parties."""
    shuffled = list(made)
    Random(seed).shuffle(shuffled)
    now = LAST_CELL * CELL

    def everything(order: list[Observation]) -> object:
        tenant, parties = kept(order)
        asked = Parties(parties, now)
        drawn = asked.graph(now)
        return asked.who("t", tenant), [asked.parents(name) for name in "PQR"], drawn, cascade(drawn, {"P"})

    assert everything(made) == everything(shuffled)


def test_the_graph_is_of_an_instant() -> None:
    """All parties of the books, with the owners that they had then."""
    _, parties = world("0 P owners=A-60@..5 \n 0 Q hq_country=US")
    asked = Parties(parties, 30 * DAY_MS)

    assert [["A"], []] == [[edge.owner for edge in asked.graph(day * DAY_MS)["P"]] for day in (4, 5)]
    assert () == asked.graph(0)["Q"]
    assert 2 == len(facts("0 P owners=A-60@..5 \n 0 Q hq_country=US"))


# -- lists -------------------------------------------------------------------------------------------------------------


def known(table: str, *hits: Hit, day: int = 15, cleared: Sequence[Clearance] = ()) -> Parties:
    """What is known of the parties of a table, with these hits on lists."""
    return Parties(world(table)[1], day * DAY_MS, lists(*hits), {one.place: one for one in cleared})


def matched(table: str, *hits: Hit) -> list[tuple[str, str]]:
    """Whose hits a tenant has, and on which lists."""
    tenant, _ = world(table)
    return [(one.subject, one.hit.listed.source) for one in known(table, *hits).who("t", tenant).matches]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("0 t legal_name=Acme", [("tenant t", "sdn")]),
        ("0 t names=Acme \n 1 t names=Zeta", [("tenant t", "sdn")]),  # a name that it had
        ("0 t party=P \n 0 P aliases=Acme", [("party P", "sdn")]),
        ("0 t legal_name=Acme party=P \n 0 P aliases=Acme", [("party P", "sdn"), ("tenant t", "sdn")]),
        ("0 t party=P \n 0 P owners=A-60 \n 0 A legal_name=Acme", []),  # of owners: see affiliations
        ("0 t party=P \n 1 t party=Q \n 0 P legal_name=Acme", []),  # it is no longer of that party
        ("0 t legal_name=Zeta", []),
        ("", []),
    ],
)
def test_hits_are_those_of_the_tenant_and_its_party(table: str, expected: list[tuple[str, str]]) -> None:
    """By every name that they ever had; of no party but the one of now."""
    tenant, _ = world(table)
    asked = known(table, hit("Acme", "sdn"))

    assert expected == sorted(matched(table, hit("Acme", "sdn")))
    assert asked.who("t", tenant).matches == asked.matches_of_tenant("t", tenant)
    assert () == Parties(world(table)[1], 15 * DAY_MS, NO_LISTS).who("t", tenant).matches


def test_hits_of_owners_are_told_apart() -> None:
    """Of everybody who owns anything of a party now, directly or not, and of owners that own each other once."""
    table = """
        0 P legal_name=Pe owners=A-10+B-1@..5
        0 A legal_name=Acme owners=C-5
        0 B legal_name=Before
        0 C legal_name=Cee owners=A-5+P-5
    """
    hits = (hit("Acme", "sdn"), hit("Before", "sdn"), hit("Cee", "el"), hit("Pe", "own"))

    assert [("party A", "sdn"), ("party C", "el")] == [
        (one.subject, one.hit.listed.source) for one in known(table, *hits).matches_above("P")
    ]


def test_what_is_asked_is_all_that_is_known() -> None:
    """Names and addresses of all times, identifiers, and the countries of now."""
    tenant, _ = kept(
        [
            fact("t", 0, "kyc", "0", {"legal_name": "A", "hq_country": "US", "addresses": ["x"]}),
            fact("t", 1, "kyc", "1", {"names": ["B", "A"], "hq_country": "CN", "addresses": ["y", "x"]}),
            fact("t", 2, "kyc", "2", {"aliases": [], "incorporation_country": "KY", "identifiers": {"lei": "1"}}),
        ]
    )

    assert Query(("A", "B"), frozenset({"CN", "KY"}), (("lei", "1"),), ("x", "y")) == query_of(of_tenant(tenant, 5))
    assert Query((), frozenset(), (), ()) == query_of(Profiled({}, 5))


def cleared(subject: str, one: Hit, query: Query) -> Clearance:
    return Clearance(
        subject, one.listed.source, one.listed.id, digest_of_query(query), digest_of_entry(one.listed), 90 * DAY_MS,
        ("ann", "bo"), "Somebody else", 0,
    )  # fmt: skip


def test_a_cleared_hit_is_told_as_such_until_the_record_changes() -> None:
    """It covers one subject, one entry, and what was known of both."""
    one = hit("Acme", "sdn")
    decided = cleared("tenant t", one, Query(("Acme",), frozenset({"US"}), (), ()))
    before, after = "0 t legal_name=Acme hq_country=US party=P \n 0 P legal_name=Acme", "1 t hq_country=CN"

    for table, expected in ((before, [None, decided]), (f"{before} \n {after}", [None, None])):
        tenant, _ = world(table)
        found = known(table, one, cleared=[decided]).who("t", tenant).matches
        assert expected == [match.clearance for match in found]
        assert {"party P", "tenant t"} == {match.subject for match in found}


def match(one: Hit, clearance: Clearance | None = None) -> Match:
    return Match(
        "tenant t-7 Ltd", Query((one.asked,), frozenset(), (), ()), one, EFFECTS.of(one.listed.source), clearance
    )


def test_the_order_of_hits() -> None:
    """Open before cleared, likely before possible, strict before mild, high before low, then by entry."""
    of_one = [
        match(hit("a", "sdn", score=900)),
        match(hit("b", "el", score=990)),
        match(hit("c", "el", score=980, id="1")),
        match(hit("d", "el", score=980, id="2")),
        match(hit("e", "own", score=999)),
        match(hit("f", "sdn", Band.POSSIBLE, 800)),
        match(hit("g", "own", Band.POSSIBLE, 820)),
    ]
    decided = cleared("tenant t", hit("h", "sdn"), Query((), frozenset(), (), ()))
    ordered = [*of_one, match(hit("h", "sdn"), decided), match(hit("i", "sdn", Band.POSSIBLE), decided)]
    shuffled = ordered[::-1]

    assert ordered == sorted(shuffled, key=rank_of)


def test_a_hit_has_a_stable_name() -> None:
    """The same over versions of list and profile; another for another subject or entry."""
    one = match(hit("a", "sdn"))

    assert one.id == match(hit("a", "sdn", Band.POSSIBLE, 800))._replace(query=Query((), frozenset(), (), ())).id
    assert 4 == len({one.id, one._replace(subject="party t").id, match(hit("a", "el")).id, match(hit("b", "sdn")).id})


@pytest.mark.parametrize(
    ("kind", "says"),
    [("name", "is named like"), ("identifier", "has the identifier of"), ("address", "has the address of")],
)
def test_the_sentence_of_a_hit(kind: str, says: str) -> None:
    """Who is like whom on which list, how far, what that means and who decides; names keep their capitals."""
    assert (
        f"Tenant t-7 Ltd (Acme) {says} el-Acme Ltd, entry el-Acme of the list el: possible, score 0.81. If they are "
        "the same: end use review (who decides: office of el)."
    ) == match_sentence(match(hit("Acme", "el", Band.POSSIBLE, 810, kind)))


# -- the 50 per cent test ----------------------------------------------------------------------------------------------

NAMED = "\n 0 A legal_name=A \n 0 B legal_name=B \n 0 C legal_name=C"
A_SDN, B_SDN, A_EL, B_EL, B_MEU = (
    hit(*one) for one in (("A", "sdn"), ("B", "sdn"), ("A", "el"), ("B", "el"), ("B", "meu"))
)
AFFILIATED = [
    ("0 P owners=A-50", [A_SDN], 15, ["blocked caught A"]),
    ("0 P owners=A-49", [A_SDN], 15, []),
    ("0 P owners=A-25+B-25", [A_SDN, B_SDN], 15, ["blocked caught AB"]),
    ("0 P owners=A-25+B-25", [A_SDN], 15, []),
    ("0 P owners=A-?", [A_SDN], 15, ["blocked undecided A"]),
    ("0 P owners=A-40+B-?", [A_SDN, B_SDN], 15, ["blocked undecided AB"]),
    ("0 P owners=C-50 \n 0 C owners=A-50", [A_SDN], 15, ["blocked caught A"]),
    # Two instruments do not add up, two lists of one instrument do.
    ("0 P owners=A-25+B-25", [A_SDN, B_EL], 15, []),
    ("0 P owners=A-25+B-25", [A_EL, B_MEU], 15, ["end_use_review caught AB"]),
    # The strictest first; who is on two lists counts in both.
    ("0 P owners=A-50+B-50", [A_EL, B_SDN], 15, ["blocked caught B", "end_use_review caught A"]),
    ("0 P owners=A-50", [A_EL, A_SDN], 15, ["blocked caught A", "end_use_review caught A"]),
    # What reaches what they own is dated.
    ("0 P owners=A-50", [A_EL], RULE_FROM // DAY_MS - 1, ["attention caught A"]),
    ("0 P owners=A-50", [A_EL], RULE_FROM // DAY_MS, ["end_use_review caught A"]),
    ("0 P owners=A-50", [A_EL], RULE_UNTIL // DAY_MS, []),
    ("0 P owners=A-50", [hit("A", "own")], 15, []),
    # Owners of now, who are likely listed.
    ("0 P owners=A-50@..9", [A_SDN], 15, []),
    ("0 P owners=A-50", [hit("A", "sdn", Band.POSSIBLE)], 15, []),
    # A party that is listed itself inherits nothing from itself.
    ("0 P legal_name=P owners=C-100", [hit("P", "sdn")], 15, []),
    ("0 P legal_name=P owners=C-100 \n 0 C owners=P-100", [hit("P", "sdn")], 15, []),
    # Who is listed and not on the way is not told.
    ("0 P owners=A-60+B-1 \n 0 A owners=C-1", [A_SDN, hit("C", "sdn")], 15, ["blocked caught A"]),
]


@pytest.mark.parametrize(("table", "hits", "day", "expected"), AFFILIATED)
def test_what_a_party_inherits(table: str, hits: list[Hit], day: int, expected: list[str]) -> None:
    """The effect of each instrument by which it is caught or may be, and the listed owners that it is by."""
    found = known(table + NAMED, *hits, day=day).affiliations("P")

    assert expected == [
        f"{one.effect} {one.verdict} {''.join(match.hit.asked for match in one.matches)}" for one in found
    ]


def test_cleared_owners_do_not_count() -> None:
    """Half of it is held by two; one of them is somebody else."""
    table = f"0 P owners=A-25+B-25 {NAMED}"
    decided = cleared("party B", B_SDN, Query(("B",), frozenset(), (), ()))

    assert [Verdict.CAUGHT] == [one.verdict for one in known(table, A_SDN, B_SDN).affiliations("P")]
    assert () == known(table, A_SDN, B_SDN, cleared=[decided]).affiliations("P")


def test_a_tenant_has_the_affiliations_of_its_party() -> None:
    """And without a party none."""
    table = f"0 t party=P \n 0 P owners=A-50 {NAMED}"
    tenant, _ = world(table)
    asked = known(table, A_SDN)

    assert asked.affiliations("P") == asked.who("t", tenant).affiliations != ()
    assert () == asked.who("t", world("0 t legal_name=A")[0]).affiliations


@pytest.mark.parametrize(
    ("share", "sure"), [("25", "hold half of the party or more"), ("?", "may hold half of the party")]
)
def test_the_sentence_of_an_affiliation(share: str, sure: str) -> None:
    """All lists, who holds how much, what it would mean, who decides, and the hits."""
    (one,) = known(f"0 P owners=A-25:registry \n 0 P owners=B-{share} source=x {NAMED}", A_EL, B_MEU).affiliations("P")
    held = "an unknown share" if share == "?" else "25 per cent"

    assert (
        f"Owners that are likely on the list el or the list meu {sure}: A holds 25 per cent of P (registry, from kyc); "
        f"B holds {held} of P (claimed, from x). If they are the same: end use review (who decides: office of el; "
        "office of meu). Party A (A) is named like el-A Ltd, entry el-A of the list el: likely, score 0.95. If they "
        "are the same: end use review (who decides: office of el). Party B (B) is named like meu-B Ltd, entry meu-B of "
        "the list meu: likely, score 0.95. If they are the same: end use review (who decides: office of meu)."
    ) == affiliation_sentence(one)


def test_contradictions_of_tenant_and_party_are_asked_together() -> None:
    """What the tenant says is held against what is said of its party."""
    table = "0 t hq_country=US party=P \n 1 P hq_country=CN source=x"
    tenant, parties = world(table)
    found = Parties(parties, DAY_MS * 5).who("t", tenant).contradictions

    assert [("hq_country", "CN", "US")] == [(one.field, one.latest.value, one.other.value) for one in found]
    assert () == Parties({}, DAY_MS * 5).who("t", tenant).contradictions


# -- foreign -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "day", "sentence"),
    [
        ("0 t payer=p", 9, "Nobody says where the tenant is headquartered."),
        ("0 t hq_country=CN:registry", 9, None),
        (
            "0 t hq_country=US:registry",
            9,
            "The tenant is headquartered in US (registry, from kyc), outside of CONCERN.",
        ),
        ("0 t hq_country=US \n 5 t hq_country=CN", 9, None),
        ("0 t hq_country=CN \n 5 t hq_country=US", 9, "The tenant is headquartered in US (claimed, from kyc), outside"),
        (
            "0 t hq_country=CN party=P \n 0 P hq_country=DE:registry",
            9,
            "The party P is headquartered in DE (registry, from kyc), outside of CONCERN.",
        ),
    ],
)
def test_who_is_foreign(table: str, day: int, sentence: str | None) -> None:
    """Whoever is headquartered outside of a group, itself or through whoever is above it, and whoever does not say."""
    tenant, parties = world(table)
    now = day * DAY_MS
    headquarters = Parties(parties, now).who("t", tenant).headquarters
    said = foreign_sentence(headquarters, COUNTRIES, "CONCERN", now)

    assert (sentence is None) == (said is None)
    assert said is None or said.startswith(str(sentence))
    asked = replace(policy(rule(Scope.FOREIGN)), home_group="CONCERN")
    found = find_by_hours("t", tenant, used((day * 24 - 1, THRESHOLD)), [asked], COUNTRIES, Parties(parties, now))
    assert [said] * bool(said) == [one.reasons[1] for one in found]
