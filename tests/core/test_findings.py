"""What a policy sees in the books: levels, windows, scope, and since when a finding has held."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Tenant
from monitor.core.bounds import ZERO, Bounds
from monitor.core.countries import Countries, GroupChange, history
from monitor.core.estimate import SCALE, TenantHour
from monitor.core.findings import Amount, Finding, find_of_group, level_of, may_be_in_scope
from monitor.core.lists import NO_LISTS, Band, Lists
from monitor.core.measures import Series
from monitor.core.model import DAY_MS, HOUR_MS, Kind, Observation, Profile
from monitor.core.parties import Parties, Who
from monitor.core.policy import MODEL_FLOP, Aggregation, Level, Policy, Scope
from monitor.core.profiles import HEADQUARTERS, of_tenant
from monitor.core.structuring import Signal, SignalKind
from tests.core.asked import GROUP, Given, find_by_hours, policy, rule, up_to
from tests.core.listed import hit, lists
from tests.core.world import world

THRESHOLD = 1_000
DAYS = 2

# KH left the group at day 10, VN joined it at day 20. HK counts as CN.
LEFT, JOINED = 10 * DAY_MS, 20 * DAY_MS
CHANGES = (
    GroupChange(LEFT, GROUP, frozenset(), frozenset({"KH"})),
    GroupChange(JOINED, GROUP, frozenset({"VN"}), frozenset()),
)
COUNTRIES = Countries(
    version="1",
    digest="sha256:0",
    source="made for these tests",
    histories={GROUP: history(frozenset({"CN", "VN"}), JOINED, CHANGES)},
    aliases={"HK": "CN"},
    uncertain={},
    change_times=(LEFT, JOINED),
)


def tenant(
    *versions: tuple[int, str | None, str | None], retracted: frozenset[tuple[str, str]] = frozenset()
) -> Tenant:
    """A tenant whose profile said (day, country, basis); no country: the profile was about something else."""
    made = Tenant()
    made.retracted = retracted
    for number, (day, country, basis) in enumerate(versions):
        identity = ("kyc", f"profile-{number}")
        fields: dict[str, object] = {"name": "A tenant"} if country is None else {"hq_country": country}
        profile = Profile(fields, {} if basis is None else {"hq_country": basis})
        raw = json.dumps([day, country, basis]).encode()
        fact = Observation(Kind.TENANT_PROFILED, "tenant-1", "", day * DAY_MS, *identity, profile, raw)
        made.facts[identity] = [fact]
    return made


def point(flop: int) -> Bounds:
    return Bounds(flop, flop, flop, flop)


def used(*amounts: tuple[int, int]) -> list[TenantHour]:
    """Hours of known hardware: (hour, FLOP), with every bound the same."""
    return [TenantHour(hour, point(flop * SCALE), point(flop * SCALE)) for hour, flop in amounts]


def found(
    made: Tenant, hours: list[TenantHour], made_policy: Policy, now: int, countries: Countries = COUNTRIES
) -> list[Finding]:
    return find_by_hours("tenant-1", made, hours, [made_policy], countries, Parties({}, now))


# -- levels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("everything", "known", "level_max", "level"),
    [
        ((100, 500, 999), (100, 500, 999), "critical", None),
        ((100, 500, 1_000), (100, 500, 1_000), "critical", "watch"),
        ((500, 999, 2_000), (500, 999, 2_000), "critical", "watch"),
        ((500, 1_000, 2_000), (500, 1_000, 2_000), "critical", "warning"),
        ((500, 3_999, 8_000), (500, 3_999, 8_000), "critical", "warning"),
        ((500, 4_000, 8_000), (500, 4_000, 8_000), "critical", "critical"),
        ((1_000, 1_000, 1_000), (1_000, 1_000, 1_000), "critical", "critical"),
        # Hardware that the catalogue does not know never raises more than watch.
        ((9_000, 9_000, 9_000), (0, 0, 0), "critical", "watch"),
        ((9_000, 9_000, 9_000), (500, 999, 2_000), "critical", "watch"),
        ((9_000, 9_000, 9_000), (500, 1_000, 2_000), "critical", "warning"),
        # A rule's own ceiling.
        ((9_000, 9_000, 9_000), (9_000, 9_000, 9_000), "watch", "watch"),
        ((9_000, 9_000, 9_000), (9_000, 9_000, 9_000), "warning", "warning"),
        ((500, 1_000, 2_000), (500, 1_000, 2_000), "watch", "watch"),
        ((100, 500, 1_000), (100, 500, 1_000), "watch", "watch"),
        ((100, 500, 999), (100, 500, 999), "watch", None),
    ],
)
def test_levels(
    everything: tuple[int, int, int], known: tuple[int, int, int], level_max: str, level: str | None
) -> None:
    """Watch by the high bound, warning by the central one, critical by the probability; a rule may say no more."""
    capped = rule(most=Level(level_max))

    assert level == level_of(capped, Amount(Bounds(*everything, everything[2]), Bounds(*known, known[2])))


@given(st.lists(st.integers(0, 2_000), min_size=4, max_size=4), st.lists(st.integers(0, 2_000), min_size=4, max_size=4))
def test_a_level_is_reached_exactly_when_the_high_bound_reaches_the_threshold(one: list[int], other: list[int]) -> None:
    """Of known and unknown hardware together, the high bound alone decides whether there is a finding."""
    known = Bounds(*sorted(one))
    everything = known.plus(Bounds(*sorted(other)))

    assert (everything.high >= THRESHOLD) == (level_of(rule(), Amount(everything, known)) is not None)


def test_the_ceiling_raises_nothing() -> None:
    """What a chip could do at its very best is no reason to flag anybody."""
    bounds = Bounds(100, 500, 999, 10**9)

    assert level_of(rule(), Amount(bounds, bounds)) is None


# -- windows -------------------------------------------------------------------------------------------------------

FLOP_OF_AN_HOUR = st.lists(st.integers(0, 5 * SCALE), min_size=4, max_size=4).map(lambda four: Bounds(*sorted(four)))
HOURS = st.dictionaries(st.integers(0, 200), st.tuples(FLOP_OF_AN_HOUR, FLOP_OF_AN_HOUR), max_size=12).map(
    lambda by_hour: [TenantHour(hour, known.plus(other), known) for hour, (known, other) in sorted(by_hour.items())]
)


def recount(hours: list[TenantHour], days: int, hour: int) -> tuple[Bounds, Bounds]:
    """The window that ends with an hour, straight from its definition: of everything, and of known hardware."""
    everything, known = ZERO, ZERO
    for one in hours:
        if hour - 24 * days < one.hour <= hour:
            everything, known = everything.plus(one.everything), known.plus(one.known)
    return everything.divided(SCALE), known.divided(SCALE)


def first_of_row(hours: list[TenantHour], days: int, threshold: int, hour: int) -> int | None:
    """The first of the unbroken row of hours, up to this one, whose recounted high bound reaches a threshold."""
    first = None
    while hour >= 0 and recount(hours, days, hour)[0].high >= threshold:
        first = hour
        hour -= 1
    return first


@given(HOURS, st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 300), st.integers(0, HOUR_MS - 1))
def test_totals_are_what_a_recount_gives(
    hours: list[TenantHour], windows: list[int], hour: int, millisecond: int
) -> None:
    """The total up to now is the one of the window that ends with the hour of now, whatever was asked before."""
    series = Series(hours, hour * HOUR_MS + millisecond, MODEL_FLOP)

    assert [recount(hours, days, hour) for days in windows] == [series.total(days) for days in windows]


@given(
    HOURS,
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 25)), min_size=1, max_size=6),
    st.integers(0, 300),
    st.integers(0, HOUR_MS - 1),
)
def test_since_when_a_threshold_is_reached_is_what_a_recount_gives(
    hours: list[TenantHour], questions: list[tuple[int, int]], hour: int, millisecond: int
) -> None:
    """It is the first of the unbroken row of hours up to now, by window and threshold, whatever was asked before."""
    series = Series(hours, hour * HOUR_MS + millisecond, MODEL_FLOP)

    assert [first_of_row(hours, days, threshold, hour) for days, threshold in questions] == [
        series.reached_since(days, threshold) for days, threshold in questions
    ]


@given(HOURS, st.integers(1, 4), st.integers(1, 25), st.integers(0, 300))
def test_what_is_reached_is_the_total_that_is_shown(
    hours: list[TenantHour], days: int, threshold: int, hour: int
) -> None:
    """A threshold counts as reached exactly when the high bound that people read, in whole FLOP, is at it."""
    series = Series(hours, hour * HOUR_MS, MODEL_FLOP)

    assert (series.total(days)[0].high >= threshold) == (series.reached_since(days, threshold) is not None)


def test_a_window_is_divided_once() -> None:
    """Parts below one FLOP add up before they are rounded down."""
    half = TenantHour(0, point(SCALE // 2), ZERO)
    series = Series([half, half._replace(hour=1)], HOUR_MS, MODEL_FLOP)

    assert (point(1), ZERO) == series.total(DAYS)
    assert 1 == series.reached_since(DAYS, 1)


def test_a_series_without_hours_reaches_nothing() -> None:
    """A tenant that used nothing has a total of nothing."""
    series = Series([], DAY_MS, MODEL_FLOP)

    assert (ZERO, ZERO) == series.total(DAYS)
    assert None is series.reached_since(DAYS, 1)


# -- findings ------------------------------------------------------------------------------------------------------


def test_a_finding_carries_its_numbers_and_its_reasons() -> None:
    """A finding names policy, version and rule, its numbers, and why: what was measured, and why this rule looks."""
    bounds = Bounds(500, 1_000, 2_000, 3_000)
    flop = Bounds(*(part * SCALE for part in bounds))
    (finding,) = found(tenant(), [TenantHour(5, flop, flop)], policy(rule()), 6 * HOUR_MS)
    measured, why = finding.reasons

    assert ("policy", 3, "internal", "rule", "tenant-1") == finding[:5]
    assert (Level.WARNING, "model_flop", bounds, THRESHOLD, 5 * HOUR_MS) == finding[5:10]
    assert ("End use.",) == finding.not_established
    assert [] == [part for part in ("2 days", "is 1,000 FLOP", "500 to 2,000", "of 1,000 FLOP") if part not in measured]
    assert "every tenant" in why


SENTENCES = [
    (
        "watch",
        (5 * 10**22, 9 * 10**22, 2_419 * 10**20),
        (10**23, 365, 800),
        "Training compute over 365 days is 9e22 FLOP (90 per cent range 5e22 to 2.42e23); "
        "the high bound reaches the threshold of 1e23 FLOP.",
    ),
    (
        "warning",
        (10**24, 31_249 * 10**21, 10**26),
        (25 * 10**24, 90, 800),
        "Training compute over 90 days is 3.12e25 FLOP (90 per cent range 1e24 to 1e26); "
        "the central estimate reaches the threshold of 2.5e25 FLOP.",
    ),
    (
        "critical",
        (20 * 10**23, 242 * 10**22, 400 * 10**22),
        (10**24, 1, 949),
        "Training compute over a day is 2.42e24 FLOP (90 per cent range 2e24 to 4e24); "
        "it reaches the threshold of 1e24 FLOP with a probability of at least 94.9 per cent.",
    ),
    (
        "watch",
        (0, 0, 1_234_567_891 * 10**14),
        (1_234_567_891 * 10**14, 2, 800),
        "Training compute over 2 days is 0 FLOP (90 per cent range 0 to 1.23e23); "
        "the high bound reaches the threshold of 1.234567891e23 FLOP.",
    ),
    (
        "watch",
        (1, 10, 100),
        (100, 2, 800),
        "Training compute over 2 days is 10 FLOP (90 per cent range 1 to 100); "
        "the high bound reaches the threshold of 100 FLOP.",
    ),
]


@pytest.mark.parametrize(("level", "flop", "stated", "sentence"), SENTENCES)
def test_the_sentence_of_a_level(
    level: str, flop: tuple[int, int, int], stated: tuple[int, int, int], sentence: str
) -> None:
    """The sentence says which bound reached the threshold, which it shows as the policy states it."""
    threshold, days, per_mille = stated
    asked = replace(rule(window_days=days, threshold=threshold), levels=up_to(Level.CRITICAL, per_mille))
    bounds = Bounds(*(part * SCALE for part in (*flop, flop[2])))
    (finding,) = found(tenant(), [TenantHour(0, bounds, bounds)], policy(asked), HOUR_MS)

    assert (level, sentence) == (finding.level, finding.reasons[0])


@given(st.integers(0, 9), st.integers(1, 10**10 - 1), st.integers(9, 99))
def test_a_threshold_reads_as_the_policy_states_it(decimals: int, digits: int, exponent: int) -> None:
    """Whatever threshold a policy file can hold, the sentence names that very number."""
    threshold = digits * 10 ** (exponent - decimals)
    bounds = point(threshold * SCALE)
    (finding,) = found(tenant(), [TenantHour(0, bounds, bounds)], policy(rule(threshold=threshold)), HOUR_MS)
    named = finding.reasons[0].partition("the threshold of ")[2].partition(" FLOP")[0]

    assert threshold == int(Decimal(named.replace(",", "")))
    assert "+" not in finding.reasons[0]


def test_findings_come_in_the_order_of_the_policies_and_only_from_those_in_force() -> None:
    """Every rule of every policy in force is asked, in order; a policy's last instant is just before its end."""
    rules = (rule(), rule(most=Level.WATCH))
    policies = [
        policy(*rules, end=DAY_MS),
        policy(*rules, start=DAY_MS, end=2 * DAY_MS),
        policy(*rules, start=2 * DAY_MS),
    ]
    hours = used((0, 9_000))

    def levels(now: int) -> list[tuple[Level, int]]:
        return [
            (finding.level, finding.raised_at)
            for finding in find_by_hours("tenant-1", tenant(), hours, policies, COUNTRIES, Parties({}, now))
        ]

    assert [(Level.CRITICAL, 0), (Level.WATCH, 0)] == levels(DAY_MS - 1)
    assert [Level.CRITICAL, Level.WATCH] == [level for level, _raised_at in levels(DAY_MS)]
    assert [] == levels(3 * DAY_MS)  # the only hour has left the window of two days


SCOPES = """
rule         day  profile                                          in scope
any          30   -                                                yes
any          30   1:US:registry                                    yes
of_concern   30   -                                                no
of_concern   30   1:US:registry                                    no
of_concern   30   1:CN:registry                                    yes
of_concern   30   1:CN:claimed                                     yes
of_concern   30   1:CN:                                            yes
of_concern   30   1:HK:registry                                    yes
of_concern   30   1:CN:registry,29:US:registry                     yes
of_concern   30   1:CN:registry,20:US:registry                     no
of_concern   30   1:CN:registry,28:US:registry                     no
of_concern   30   1:US:registry,20:CN:registry,28:US:registry      no
of_concern   30   1:US:registry,29:CN:registry,29:US:registry      no
of_concern   30   1:US:registry,29:US:registry,29:CN:registry      yes
of_concern   30   29:CN:registry,29:US:registry                    no
of_concern   30   29:US:registry,29:CN:registry                    yes
of_concern   30   29:CN:registry                                   yes
of_concern   30   29:CN:registry,30:US:registry                    yes
of_concern   30   1:US:registry,29:CN:registry                     yes
of_concern   30   1:US:registry,31:CN:registry                     no
of_concern   30   1:US:registry,29:CN:registry,30:US:registry      yes
of_concern   30   1:CN:registry,2:-:                               yes
of_concern   30   40:CN:registry                                   no
of_concern   9    1:KH:registry                                    yes
of_concern   11   1:KH:registry                                    yes
of_concern   13   1:KH:registry                                    no
of_concern   19   1:VN:registry                                    no
of_concern   20   1:VN:registry                                    yes
of_concern   25   1:VN:registry                                    yes
of_concern   22   1:VN:registry,21:US:registry                     yes
of_concern   22   1:VN:registry,20:US:registry                     no
of_concern   12   1:KH:registry                                    no
of_concern   10   1:US:registry,10:KH:registry                     no
unresolved   30   -                                                yes
unresolved   30   1:-:                                             yes
unresolved   30   1:US:                                            yes
unresolved   30   1:US:claimed                                     yes
unresolved   30   1:US:documented                                  no
unresolved   30   1:US:registry                                    no
unresolved   30   1:US:reviewer                                    no
unresolved   30   1:US:registry,2:US:claimed                       yes
unresolved   30   1:US:claimed,2:US:registry                       no
unresolved   30   1:US:claimed,1:US:registry                       no
unresolved   30   1:US:registry,1:US:claimed                       yes
unresolved   30   1:US:registry,31:US:claimed                      no
unresolved   30   1:CN:claimed                                     yes
"""


@pytest.mark.parametrize("line", SCOPES.strip().split("\n")[1:])
def test_scope(line: str) -> None:
    """Concern is what held at some time in the window; whether headquarters are resolved is what is known now."""
    scope, day, profile, inside = line.split()
    versions = [part.split(":") for part in profile.split(",")] if profile != "-" else []
    made = tenant(
        *((int(since), None if country == "-" else country, basis or None) for since, country, basis in versions)
    )
    hours = used((int(day) * 24 - 1, 9_000))

    assert (inside == "yes") == bool(found(made, hours, policy(rule(Scope(scope))), int(day) * DAY_MS))


def test_the_reason_names_the_headquarters() -> None:
    """A finding about a party of concern says which country, by what basis and from whom."""
    made = tenant((1, "HK", "documented"))
    (finding,) = found(made, used((30 * 24, 9_000)), policy(rule(Scope.OF_CONCERN)), 31 * DAY_MS)

    assert [] == [part for part in ("HK", "documented", "kyc", GROUP) if part not in finding.reasons[1]]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [((), "not known"), (((1, "US", "claimed"),), "(US) are only claimed, not documented")],
)
def test_the_reason_says_why_a_tenant_is_unresolved(versions: tuple[tuple[int, str, str], ...], expected: str) -> None:
    """A finding about an unresolved tenant says what is missing."""
    (finding,) = found(tenant(*versions), used((30 * 24, 9_000)), policy(rule(Scope.UNRESOLVED)), 31 * DAY_MS)

    assert expected in finding.reasons[1]


def test_a_retracted_profile_says_nothing() -> None:
    """Headquarters that were retracted leave the tenant as if they had never been stated."""
    made = tenant((1, "CN", "registry"), retracted=frozenset({("kyc", "profile-0")}))

    assert [] == found(made, used((30 * 24, 9_000)), policy(rule(Scope.OF_CONCERN)), 31 * DAY_MS)
    assert 1 == len(found(made, used((30 * 24, 9_000)), policy(rule(Scope.UNRESOLVED)), 31 * DAY_MS))


def test_other_facts_about_a_tenant_are_no_headquarters() -> None:
    """Only profiles say where a tenant is headquartered."""
    made = tenant((1, "CN", "registry"))
    made.facts = {
        identity: [fact._replace(kind=Kind.RESERVATION) for fact in facts] for identity, facts in made.facts.items()
    }

    assert [] == found(made, used((30 * 24, 9_000)), policy(rule(Scope.OF_CONCERN)), 31 * DAY_MS)


# -- since when ----------------------------------------------------------------------------------------------------

SINCE = """
scope       start  now   profile                                used                                      raised
any         0      10    -                                      3:1000                                    3
any         0      40    -                                      3:1000                                    3
any         0      10    -                                      1:400,3:400,5:400                         5
any         0      10    -                                      1:600,2:600,3:600                         2
any         0      60    -                                      1:1000,55:1000                            55
any         0      60    -                                      1:1000,48:1000                            1
any         0      60    -                                      1:1000,49:1000                            1
any         0      60    -                                      1:1000,50:1000                            50
any         0      65    -                                      1:600,20:600,60:600                       60
any         0      150   -                                      1:1000,55:1000,110:600,111:400            111
any         0      30    -                                      1:600,2:600,50:1000                       2
any         5      10    -                                      3:600,5:600                               5
any         5      10    -                                      3:600,7:600                               7
any         5      10    -                                      3:1000                                    5
any         5      10    -                                      3:600,4:400,6:1                           5
any         5      40    -                                      1:1000,3:1000,30:1                        5
unresolved  0      40    -                                      3:1000                                    3
unresolved  0      40    1:US:claimed                           3:1000                                    3
unresolved  30     40    -                                      3:1000                                    30
of_concern  0      40    1:CN:registry                          30:1000                                   30
of_concern  0      40    0:CN:registry                          3:1000,30:1                               3
of_concern  0      40    1:CN:registry                          3:1000                                    3
of_concern  0      40    0:US:registry,1:CN:registry            3:1000                                    24
of_concern  0      40    0:US:registry,1:CN:registry            3:1000,30:1                               24
of_concern  0      40    0:US:registry,1:CN:claimed             26:1000                                   26
of_concern  30     40    0:US:registry,1:CN:registry            3:1000                                    30
of_concern  0      70    0:CN:registry,1:US:registry            3:1000,30:1000                            3
of_concern  0      510   1:VN:registry                          470:1000                                  480
of_concern  0      510   1:VN:registry                          470:1000,490:1                            480
of_concern  0      510   20:VN:registry                         470:1000                                  480
of_concern  0      510   1:VN:registry                          490:1000                                  490
of_concern  500    510   1:VN:registry                          470:1000                                  500
of_concern  0      280   1:KH:registry                          200:1000,240:1000                         200
of_concern  0      510   1:KH:registry,20:VN:registry           470:1000                                  480
of_concern  0      90    0:CN:registry,1:US:registry,3:CN:registry  40:1000,70:1000                       40
of_concern  0      110   0:CN:registry,1:US:registry,4:CN:registry  40:1000,70:1000                       96
of_concern  0      160   0:CN:registry,1:US:registry,6:CN:registry  40:1000,70:1000,100:1000,140:1000     144
"""


def since_when(line: str, now: int) -> list[int]:
    """When the findings of a line of the table above were raised, seen from another instant, in milliseconds."""
    scope, start, _now, profile, amounts, _raised = line.split()
    versions = [part.split(":") for part in profile.split(",")] if profile != "-" else []
    made = tenant(*((int(day), country, basis) for day, country, basis in versions))
    hours = used(*((int(hour), int(flop)) for hour, flop in (part.split(":") for part in amounts.split(","))))
    past = [hour for hour in hours if hour.hour * HOUR_MS <= now]
    findings = found(made, past, policy(rule(Scope(scope)), start=int(start) * HOUR_MS), now)
    return [finding.raised_at for finding in findings]


@pytest.mark.parametrize("line", SINCE.strip().split("\n")[1:])
def test_since_when_a_finding_has_held(line: str) -> None:
    """A finding dates from the first hour since which it has held without a break, by the usage (hour:FLOP).

    A policy's start and now are in hours, a profile's time in days.
    """
    now, raised = int(line.split()[2]), int(line.split()[5])

    assert [raised * HOUR_MS] == since_when(line, now * HOUR_MS)


@pytest.mark.parametrize("line", SINCE.strip().split("\n")[1:])
def test_since_when_a_finding_has_held_does_not_depend_on_the_tick(line: str) -> None:
    """Every tick from the hour of the finding on gives that hour, and the millisecond before there is no finding.

    What a later profile says of the time before it cannot be known earlier: ticks begin with the first profile.
    """
    _scope, _start, now, profile, _used, raised = line.split()
    known = 0 if profile == "-" else int(profile.split(":")[0]) * DAY_MS
    first = max(int(raised) * HOUR_MS, known)
    ticks = [tick for tick in range(first, int(now) * HOUR_MS, 20 * 60_000) if tick > first]

    assert {int(raised) * HOUR_MS} == {at for tick in [first, *ticks] for at in since_when(line, tick)}
    assert all(since_when(line, tick) for tick in ticks)
    assert [] == since_when(line, int(raised) * HOUR_MS - 1)


@given(HOURS, st.integers(1, 4), st.integers(0, 250))
def test_a_finding_dates_from_usage_and_not_from_the_tick(hours: list[TenantHour], days: int, now: int) -> None:
    """The hour from which a finding has held is the first of an unbroken row of hours whose recount reaches a level."""
    small = rule(window_days=days, threshold=8)
    first = first_of_row(hours, days, small.threshold, now)
    findings = found(tenant(), hours, policy(small), now * HOUR_MS)

    assert ([] if first is None else [first * HOUR_MS]) == [finding.raised_at for finding in findings]


# -- since when in scope -------------------------------------------------------------------------------------------

CELL = 90 * 60_000  # what moves below, moves at whole multiples of this
CELLS_A_DAY = DAY_MS // CELL
LAST_CELL = 12 * CELLS_A_DAY
MOVES = st.lists(st.tuples(st.integers(0, LAST_CELL), st.sampled_from(["CN", "US", "VN"])), min_size=1, max_size=5)
JOINS = st.lists(st.integers(0, LAST_CELL), max_size=3, unique=True).map(sorted)


def moving(moves: list[tuple[int, str]]) -> Tenant:
    """A tenant whose headquarters moved (cell, country)."""
    made = Tenant()
    for number, (cell, country) in enumerate(moves):
        identity = ("kyc", f"profile-{number}")
        body = Profile({"hq_country": country}, {"hq_country": "registry"})
        raw = json.dumps([cell, country, number]).encode()
        made.facts[identity] = [Observation(Kind.TENANT_PROFILED, "tenant-1", "", cell * CELL, *identity, body, raw)]
    return made


def joining(cells: list[int]) -> Countries:
    """CN is always in the group; VN joins, leaves, and joins again at these cells."""
    vietnam = frozenset({"VN"})
    changes = tuple(
        GroupChange(
            cell * CELL, GROUP, frozenset() if position % 2 else vietnam, vietnam if position % 2 else frozenset()
        )
        for position, cell in enumerate(cells)
    )
    times = tuple(change.at for change in changes)
    return replace(COUNTRIES, histories={GROUP: history(frozenset({"CN"}), -1, changes)}, change_times=times)


def concerned_by_cell(moves: list[tuple[int, str]], cells: list[int]) -> list[bool]:
    """Whether the headquarters were in a country of concern in each cell, from the ten days before cell 0 on."""
    ordered = sorted(enumerate(moves), key=lambda one: (one[1][0], one[0]))
    concerned = []
    for cell in range(-10 * CELLS_A_DAY, LAST_CELL + 1):
        past = [country for _number, (since, country) in ordered if since <= cell]
        # Before the first profile it is what that profile says; of several at one instant the last counts.
        first = max(number for number, (since, _country) in ordered if since == ordered[0][1][0])
        country = past[-1] if past else moves[first][1]
        joined = sum(join <= cell for join in cells) % 2 == 1
        concerned.append(country == "CN" or (country == "VN" and joined))
    return concerned


@given(MOVES, JOINS, st.integers(1, 4), st.integers(0, LAST_CELL), st.integers(0, CELL - 1))
def test_since_when_a_tenant_is_in_scope_is_what_a_recount_gives(
    moves: list[tuple[int, str]], joins: list[int], days: int, cell: int, millisecond: int
) -> None:
    """With enough usage at any time, a finding dates from the hour since which the tenant has been in scope."""
    known = [(since, country) for since, country in moves if since <= cell]
    offset, window = 10 * CELLS_A_DAY, days * CELLS_A_DAY
    first = None
    if known:
        concerned = concerned_by_cell(known, joins)
        one = cell
        while one >= 0 and any(concerned[offset + one - window : offset + one + 1]):
            first = one
            one -= 1
    hours = used(*((hour, THRESHOLD) for hour in range(LAST_CELL * 2)))
    now = cell * CELL + millisecond
    findings = found(moving(moves), hours, policy(rule(Scope.OF_CONCERN, window_days=days)), now, joining(joins))

    assert ([] if first is None else [first * CELL // HOUR_MS * HOUR_MS]) == [one.raised_at for one in findings]


@pytest.mark.parametrize(
    ("now", "raised"),
    [
        (4 * DAY_MS - 1, []),
        (4 * DAY_MS, [4 * DAY_MS]),
        (5 * DAY_MS, [4 * DAY_MS]),
        (7 * DAY_MS, [4 * DAY_MS]),
        (8 * DAY_MS - 1, [4 * DAY_MS]),
        (8 * DAY_MS, []),
    ],
)
def test_a_country_that_was_in_the_group_for_a_day_counts_for_the_whole_window(now: int, raised: list[int]) -> None:
    """A country that joins and leaves the group inside the window keeps its tenants in scope for that whole window."""
    hours = used(*((hour, THRESHOLD) for hour in range(9 * 24)))
    for_a_day = joining([4 * CELLS_A_DAY, 5 * CELLS_A_DAY])
    asked = policy(rule(Scope.OF_CONCERN, window_days=3))

    assert raised == [one.raised_at for one in found(moving([(0, "VN")]), hours, asked, now, for_a_day)]


@given(MOVES)
def test_the_loser_of_a_tie_never_held(moves: list[tuple[int, str]]) -> None:
    """Headquarters hold from one instant up to the next; of several profiles of one instant one counts, the last."""
    versions = of_tenant(moving(moves), LAST_CELL * CELL).history(HEADQUARTERS)

    assert all(one.since < other.since for one, other in pairwise(versions))
    assert {cell * CELL: country for cell, country in moves} == {one.since: one.value for one in versions}


# -- lists, owners, contradictions and signs -----------------------------------------------------------------------

LISTED = lists(hit("Likely", "sdn"), hit("Perhaps", "sdn", Band.POSSIBLE), hit("Noted", "own"))
ENOUGH = used((9 * 24, THRESHOLD))
SIGN = Signal(SignalKind.MANY_PAYERS, ("t",), 1 * DAY_MS, 9 * DAY_MS + 5, (), "Many paid.", "Innocent.", "A contract.")


def on(scope: Scope, *effects: str, aggregation: Aggregation = Aggregation.TENANT) -> Policy:
    """A policy of one rule on these effects of lists."""
    return policy(replace(rule(scope), effects=frozenset(effects), aggregation=aggregation))


def of_world(table: str, asked: Policy, *signals: Signal, known: Lists = LISTED, day: int = 9) -> list[Finding]:
    """The findings of a tenant of a table that used just enough on day 9."""
    tenant, parties = world(table)
    made = Parties(parties, day * DAY_MS + HOUR_MS, known)
    return find_by_hours("t", tenant, ENOUGH, [asked], COUNTRIES, made, signals)


OWNED = "0 t party=P \n 0 P owners=A-{} \n 0 A legal_name=Likely"
SCOPES = [
    ("0 t legal_name=Likely", on(Scope.LISTED, "blocked"), "Tenant t (Likely) is named like sdn-Likely Ltd"),
    ("0 t party=P \n 0 P legal_name=Likely", on(Scope.LISTED, "blocked"), "Party P (Likely) is named like"),
    ("0 t legal_name=Likely", on(Scope.LISTED, "licence", "attention"), None),
    ("0 t legal_name=Likely", on(Scope.POSSIBLY_LISTED, "blocked"), None),
    ("0 t legal_name=Perhaps", on(Scope.LISTED, "blocked"), None),
    ("0 t legal_name=Perhaps", on(Scope.POSSIBLY_LISTED, "blocked"), "Tenant t (Perhaps) is named like"),
    ("0 t legal_name=Noted names=Likely", on(Scope.LISTED, "attention"), "Tenant t (Noted) is named like"),
    # The best of several.
    ("0 t legal_name=Noted names=Likely", on(Scope.LISTED, "blocked", "attention"), "Tenant t (Likely) is named like"),
    ("0 t legal_name=Nobody", on(Scope.LISTED, "blocked"), None),
    (OWNED.format(50), on(Scope.AFFILIATE, "blocked"), "Owners that are likely on the list sdn hold half"),
    (OWNED.format(50), on(Scope.AFFILIATE, "licence"), None),
    (OWNED.format(50), on(Scope.POSSIBLY_AFFILIATE, "blocked"), None),
    (OWNED.format(50), on(Scope.LISTED, "blocked"), None),
    (OWNED.format("?"), on(Scope.AFFILIATE, "blocked"), None),
    (
        OWNED.format("?"),
        on(Scope.POSSIBLY_AFFILIATE, "blocked"),
        "Owners that are likely on the list sdn may hold half",
    ),
    (
        "0 t hq_country=US \n 0 t hq_country=CN source=x",
        on(Scope.CONTRADICTED),
        "hq_country: the tenant's profile says CN",
    ),
    ("0 t hq_country=US", on(Scope.CONTRADICTED), None),
    ("0 t hq_country=US", on(Scope.STRUCTURED), None),
]


@pytest.mark.parametrize(("table", "asked", "reason"), SCOPES)
def test_who_is_in_a_scope_on_lists_and_profiles(table: str, asked: Policy, reason: str | None) -> None:
    """By band, by effect, and by how sure a share is; the reason is the sentence of the weightiest."""
    reasons = [finding.reasons[1] for finding in of_world(table, asked)]

    assert (reason is not None) == bool(reasons)
    assert all(reason is not None and one.startswith(reason) for one in reasons)
    assert [9 * DAY_MS] * len(reasons) == [finding.raised_at for finding in of_world(table, asked)]


def test_a_list_that_is_not_read_finds_nobody() -> None:
    """The same tenant without any list."""
    assert [] == of_world("0 t legal_name=Likely", on(Scope.LISTED, "blocked"), known=NO_LISTS)


@pytest.mark.parametrize(
    ("until", "raised"),
    [
        ([9 * DAY_MS + HOUR_MS], 9 * DAY_MS + HOUR_MS),
        ([9 * DAY_MS + HOUR_MS + 5, 9 * DAY_MS + 3 * HOUR_MS], 9 * DAY_MS + HOUR_MS),
        ([3 * DAY_MS], 9 * DAY_MS),  # the use came later
        ([None], 9 * DAY_MS),  # a sign without a date has always been there
    ],
)
def test_a_sign_counts_from_when_it_was_complete(until: list[int | None], raised: int) -> None:
    """From the hour of the first sign on, once the use is there; the reason tells its innocent explanation too."""
    signals = [SIGN._replace(until=one) for one in until]
    (finding,) = of_world("0 t payer=p", on(Scope.STRUCTURED), *signals)

    assert raised == finding.raised_at
    assert finding.reasons[1].startswith("Many paid.")
    assert "Innocent." in finding.reasons[1]


# -- groups --------------------------------------------------------------------------------------------------------


def of_group(asked: Policy, unresolved: str | None = None, *signals: Signal) -> list[Finding]:
    """The findings of a group of `a`, documented, and `b`, of whom one is likely listed."""
    tables = {"a": "0 t hq_country=US:registry", "b": "0 t legal_name=Likely hq_country=CN"}
    tenants = {name: world(table)[0] for name, table in tables.items()}
    return of_members(tenants, asked, ENOUGH, 9 * DAY_MS + HOUR_MS, Who([], unresolved, signals=signals))


def of_members(
    tenants: dict[str, Tenant], asked: Policy, hours: list[TenantHour], now: int, together: Who
) -> list[Finding]:
    """The findings of a group of tenants with these hours in all."""
    parties = Parties({}, now, LISTED)
    members = {name: parties.who(name, one) for name, one in tenants.items()}
    given = Given(hours, now)
    return find_of_group("acme", Aggregation.GROUP, together, members, given, [asked], COUNTRIES, now)


UNSURE = "The headquarters of the tenant (CN) are only claimed, not documented."


@pytest.mark.parametrize(
    ("scope", "unresolved", "signals", "reason"),
    [
        (Scope.ANY, None, (), "The rule looks at every tenant; an amount alone is no more than a reason to look."),
        (Scope.UNRESOLVED, None, (), f"In the group is b. {UNSURE}"),
        # What holds for all of it comes before what holds for one.
        (Scope.UNRESOLVED, "One book.", (), "One book."),
        (Scope.OF_CONCERN, None, (), "In the group is b. The tenant is headquartered in CN"),
        (Scope.LISTED, None, (), "In the group is b. Tenant b (Likely) is named like"),
        (Scope.STRUCTURED, None, (SIGN,), "Many paid."),
        (Scope.STRUCTURED, None, (), None),
        (Scope.CONTRADICTED, "One book.", (), None),
    ],
)
def test_of_whom_a_group_is_told(
    scope: Scope, unresolved: str | None, signals: tuple[Signal, ...], reason: str | None
) -> None:
    """The group itself, or the member that is in the scope; all members are named either way."""
    effects = ["blocked"] if scope is Scope.LISTED else []
    found = of_group(on(scope, *effects, aggregation=Aggregation.GROUP), unresolved, *signals)

    assert (reason is not None) == bool(found)
    for one in found:
        assert reason is not None
        assert one.reasons[1].startswith(reason)
        assert "of the 2 tenants of this group" in one.reasons[0]
        assert ("acme", ("a", "b")) == (one.tenant, one.members)


def test_the_member_that_has_been_of_concern_for_longest_speaks() -> None:
    """A group is of concern since the first of its members was."""
    tables = {"a": "0 t hq_country=US \n 8 t hq_country=CN", "b": "0 t hq_country=US \n 7 t hq_country=CN"}
    tenants = {name: world(table)[0] for name, table in tables.items()}
    hours = used(*((hour, THRESHOLD) for hour in range(9 * 24)))
    asked = on(Scope.OF_CONCERN, aggregation=Aggregation.GROUP)
    (finding,) = of_members(tenants, asked, hours, 9 * DAY_MS, Who([], None))

    assert 7 * DAY_MS == finding.raised_at
    assert finding.reasons[1].startswith("In the group is b.")


# -- whom it is worth to look at by the hour -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("0 t hq_country=US:registry", None),
        ("0 t legal_name=Likely", 1),
        ("0 t legal_name=Noted", None),
        ("0 t hq_country=US:registry payer=p \n 1 t payer=q", 50),
        ("0 t legal_name=Likely payer=p \n 1 t payer=q", 1),
    ],
)
def test_the_rules_that_may_find_something(table: str, expected: int | None) -> None:
    """Those whose scope a tenant is in, and those on signs if anything ever changed: only its hours can tell."""
    listed, structured = replace(on(Scope.LISTED, "blocked").rules[0], threshold=1), rule(Scope.STRUCTURED)
    group = replace(rule(), aggregation=Aggregation.GROUP, threshold=1)
    asked = policy(listed, replace(structured, threshold=50), group)
    tenant, parties = world(table)

    def least(asked: Policy) -> int | None:
        known = Parties(parties, 9 * DAY_MS, LISTED)
        who, rules = known.who("t", tenant), asked.rules_on(Aggregation.TENANT)
        found = (one for one in rules if may_be_in_scope(asked, one, tenant, who, COUNTRIES, known))
        return min((one.threshold for one in found), default=None)

    assert expected == least(asked)
