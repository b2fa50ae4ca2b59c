"""Signs of structuring: what raises each, what comes close and does not, and that each can be explained."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.links import Evidence, Launch, LinkedGroup, LinkKind, Tie, Ties
from monitor.core.structuring import (
    INNOCENT,
    Amount,
    Crossing,
    Signal,
    SignalKind,
    Trigger,
    Version,
    bunching,
    changes_before,
    family_switched,
    in_turn,
    many_payers,
    rented_on,
    together,
    undeclared,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SIZE = 64_000


def group(*units: Sequence[str], kinds: Sequence[LinkKind] = (LinkKind.PAYER,)) -> LinkedGroup:
    """Units that are linked, each a string of one-letter tenants."""
    tenants = tuple(sorted(tenant for unit in units for tenant in unit))
    evidence = tuple(Evidence(kind, "x", 800, True, tenants, "They share it.") for kind in kinds)
    return LinkedGroup(tenants, tuple(tuple(unit) for unit in units), evidence)


def launch(
    start: int, end: int, count: int = SIZE, family: str = "hopper", place: str = "fjord", mark: str = ""
) -> Launch:
    return Launch(start, end, count, family, place, frozenset({mark} - {""}))


def only(signal: Signal | None) -> Signal:
    assert signal is not None
    return signal


def number(signal: Signal, name: str) -> int:
    return dict(signal.numbers)[name]


# -- many accounts as one


@pytest.mark.parametrize(("units", "attested", "found"), [
    (("a", "b", "c"), "", True),
    (("a", "b", "c"), "a", True),
    (("a", "b", "c"), "ab", False),  # what is left is one customer of whom too little is known
    (("a", "b"), "", False),  # a parent and its subsidiary
    (("abc",), "", False),  # one organisation that says so
    (("ab", "cd", "e"), "acd", True),
])  # fmt: skip
def test_undeclared_accounts(units: tuple[str, ...], attested: str, found: bool) -> None:
    """Three linked customers that declare nothing in common, two of them not attested, are a sign."""
    assert found == (undeclared(group(*units), set(attested)) is not None)


def test_undeclared_accounts_are_explained_by_what_links_them() -> None:
    """The sentence names what links them, and the innocent explanation is that of the weightiest kind between them."""
    signal = only(undeclared(group("ab", "c", "d", kinds=(LinkKind.PARTY, LinkKind.OWNER, LinkKind.IMAGE)), set()))

    assert ("a", "b", "c", "d") == signal.tenants
    assert "linked by owner, image; 3 of them are not attested" in signal.sentence
    assert "Companies of one owner" in signal.innocent
    assert (3, 4, 3) == tuple(value for _, value in signal.numbers)


@pytest.mark.parametrize(("customers", "found"), [
    (("acme", "bolt"), True),
    (("acme",), False),
    (("acme", "known"), False),  # one of them is attested
    (("acme", "t", "p-own"), False),  # itself
    ((), False),
])  # fmt: skip
def test_capacity_rented_on(customers: tuple[str, ...], found: bool) -> None:
    """A tenant that holds for two end customers whom nobody has attested is a reseller, whatever it says."""
    ties = [Tie(LinkKind.END_CUSTOMER, name, "observed", "/c") for name in customers]
    signal = rented_on(Ties("t", (*ties, Tie(LinkKind.PARTY, "p-own", "claimed", "/kyc"))), {"known"})

    assert found == (signal is not None)


def test_capacity_rented_on_says_for_how_many() -> None:
    """The sentence tells how many end customers there are and how many are unknown."""
    ties = tuple(Tie(LinkKind.END_CUSTOMER, name, "observed", "/c") for name in ("acme", "bolt", "known"))

    assert "on behalf of 3 end customers; 2 of them" in only(rented_on(Ties("t", ties), {"known"})).sentence


# -- one run over accounts


def rounds(*offsets: int, count: int = SIZE, minutes: int = 7, place: str = "fjord") -> tuple[Launch, ...]:
    """A launch for each offset: days apart, each at another minute of the hour."""
    starts = [position * 5 * DAY + position * minutes * MINUTE + offset for position, offset in enumerate(offsets)]
    return tuple(launch(start, start + 4 * DAY, count, place=place) for start in starts)


def test_equal_launches_together() -> None:
    """Equal shapes that linked tenants start within ten minutes of each other, four times, look like one run."""
    launches = {"a": rounds(0, 0, 0, 0), "b": rounds(*[9 * MINUTE] * 4, place="reef"), "c": rounds(*[3 * DAY] * 4)}
    signal = only(together(group("a", "b", "c"), launches))

    assert (SignalKind.TOGETHER, ("a", "b")) == (signal.kind, signal.tenants)
    assert (4, 2, 2 * SIZE) == tuple(value for _, value in signal.numbers)
    assert "started equal shapes together 4 times in 2 places: as one run it has 128 accelerators." in signal.sentence
    assert (0, 15 * DAY + 30 * MINUTE + 4 * DAY) == (signal.since, signal.until)


@pytest.mark.parametrize(("units", "others"), [
    (("a", "b"), rounds(*[11 * MINUTE] * 4)),  # too late
    (("a", "b"), rounds(0, 0, 0, 0, count=SIZE * 2)),  # another shape
    (("a", "b"), tuple(one._replace(family="ampere") for one in rounds(0, 0, 0, 0))),
    (("a", "b"), rounds(0, 0)),  # twice
    (("a", "b"), ()),
    (("ab",), rounds(0, 0, 0, 0)),  # one customer that says so
])  # fmt: skip
def test_launches_that_are_not_one_run(units: tuple[str, ...], others: tuple[Launch, ...]) -> None:
    """Other times, other shapes, other families, too few of them, or one declared customer: no sign."""
    assert together(group(*units), {"a": rounds(0, 0, 0, 0), "b": others}) is None


def test_a_schedule_is_not_one_run() -> None:
    """Two that launch equal shapes at two every night follow the clock."""
    nights = tuple(launch(night * DAY + 2 * HOUR, night * DAY + 6 * HOUR) for night in range(60))

    assert together(group("a", "b"), {"a": nights, "b": nights}) is None


def test_large_groups_meet_by_chance() -> None:
    """Thirty companies of one owner with a hundred equal launches each start some together, and that is chance."""
    rng, names = Random(3), [f"t{number:02d}" for number in range(30)]
    launches = {
        name: [launch(start, start + HOUR) for start in sorted(rng.randrange(90 * DAY) for _ in range(100))]
        for name in names
    }
    owned = LinkedGroup(tuple(names), tuple((name,) for name in names), ())

    assert together(owned, launches) is None
    assert in_turn(owned, launches) is None


def relay(names: str, turns: int, gap: int = HOUR, held: int = 3 * DAY) -> dict[str, list[Launch]]:
    """Tenants that hold one after another, with a gap between two."""
    found: dict[str, list[Launch]] = {name: [] for name in names}
    for turn in range(turns):
        start = turn * (held + gap)
        found[names[turn % len(names)]].append(launch(start, start + held))
    return found


def test_a_run_in_turn() -> None:
    """Linked tenants that take over from each other at one size, within two hours, hold one run over time."""
    signal = only(in_turn(group("a", "b", "c"), relay("abc", 9)))

    assert (SignalKind.IN_TURN, ("a", "b", "c"), 8) == (signal.kind, signal.tenants, number(signal, "handovers"))
    assert "took over from each other 8 times, at the same size and within 60 minutes" in signal.sentence
    assert (0, 9 * 3 * DAY + 8 * HOUR) == (signal.since, signal.until)


@pytest.mark.parametrize(("units", "launches"), [
    (("a", "b"), relay("ab", 9, gap=3 * HOUR)),  # too late
    (("a", "b"), relay("ab", 3)),  # twice
    (("a", "b"), {"a": relay("a", 9)["a"], "b": relay("b", 9)["b"]}),  # each goes on with its own
    (("a", "b"), {"a": relay("ab", 9)["a"], "b": [one._replace(count=2 * SIZE) for one in relay("ab", 9)["b"]]}),
    (("ab",), relay("ab", 9)),
    (("a", "b"), {}),
])  # fmt: skip
def test_launches_that_are_not_in_turn(units: tuple[str, ...], launches: dict[str, list[Launch]]) -> None:
    """Late, seldom, at another size, beside its own predecessor, or in one declared customer: no sign."""
    assert in_turn(group(*units), launches) is None


# -- a family switched


def moved(
    gap: int = DAY, first: int = 9 * DAY, second: int = 9 * DAY, marks: tuple[str, str] = ("x", "x")
) -> list[Launch]:
    old = launch(0, first, family="hopper", mark=marks[0])
    return [old, launch(first + gap, first + gap + second, family="ampere", mark=marks[1])]


def test_a_family_is_switched() -> None:
    """One image that ended on Hopper and went on with on Ampere the next day was moved."""
    (signal,) = family_switched({"a": moved()})

    assert (SignalKind.FAMILY_SWITCHED, ("a",), 10 * DAY, 19 * DAY) == (
        signal.kind,
        signal.tenants,
        signal.since,
        signal.until,
    )
    assert "What ran on hopper went on with on ampere within days: x." == signal.sentence


@pytest.mark.parametrize("launches", [
    moved(gap=8 * DAY),  # the next programme
    moved(gap=-DAY),  # both at once
    moved(first=HOUR),  # a trial
    moved(second=HOUR),
    moved(marks=("x", "y")),
    moved()[:1],
])  # fmt: skip
def test_families_that_were_not_switched(launches: list[Launch]) -> None:
    """Weeks later, side by side, for an hour, or with other images: no sign."""
    assert [] == family_switched({"a": launches})


def test_a_family_is_switched_over_linked_tenants() -> None:
    """A group is looked at as one, and several images that moved together are one sign."""
    old, new = moved()
    marks = frozenset({"x", "y", "z"})
    (signal,) = family_switched({"b": [new._replace(marks=marks)], "a": [old._replace(marks=marks)]})

    assert (("a", "b"), 3) == (signal.tenants, number(signal, "marks"))
    assert signal.sentence.endswith("within days: x and 2 others.")


# -- bunching


def amounts(tenant: str, **counts: int) -> list[Amount]:
    """So many allocations of each amount; the name is the amount in whole units with a letter before it."""
    values = [int(name[1:]) * 1000 for name, count in counts.items() for _ in range(count)]
    return [Amount(tenant, at * HOUR, value) for at, value in enumerate(values)]


QUOTA = Trigger("the quota of 100", 100_000)


def test_bunching_under_a_trigger() -> None:
    """Twenty allocations just under a quota and none above it are more than chance puts there."""
    (signal,) = bunching(amounts("a", n50=30, n95=20, n99=4), [QUOTA, Trigger("another", 1_000_000)])

    assert (SignalKind.BUNCHING, ("a",)) == (signal.kind, signal.tenants)
    assert (24, 0, 12, 100_000) == tuple(value for _, value in signal.numbers)
    assert (30 * HOUR, 53 * HOUR) == (signal.since, signal.until)
    assert "less than a tenth under the quota of 100 and 0 as little above it" in signal.sentence


@pytest.mark.parametrize("counts", [
    {"n95": 20, "n105": 18},  # a smooth distribution
    {"n95": 7},  # no distribution
    {"n95": 12},  # one in thousands, but not by the bound
    {"n100": 40},  # what the quota allows
    {"n89": 40},  # further below
    {"n85": 60, "n95": 24, "n115": 1},  # it falls as steeply further away
    {"n50": 100, "n105": 30},
])  # fmt: skip
def test_what_is_no_bunching(counts: dict[str, int]) -> None:
    """What is smooth, too little, at the trigger or steep on both sides is no sign."""
    assert [] == bunching(amounts("a", **counts), [QUOTA])


def test_what_everybody_does_is_no_bunching() -> None:
    """A size just under a quota that everybody takes comes with the hardware."""
    others = [one for number in range(20) for one in amounts(f"t{number:02d}", n96=20, n101=1)]

    assert [] == bunching([*amounts("a", n96=20), *others], [QUOTA])
    assert ["a"] == [one.tenants[0] for one in bunching([*amounts("a", n96=20), *amounts("b", n105=40)], [QUOTA])]


@settings(max_examples=40)
@given(
    st.lists(st.builds(Amount, st.sampled_from("ab"), st.integers(0, 9), st.integers(80_000, 120_000)), max_size=40),
    st.randoms(),
)
def test_the_order_of_amounts_does_not_matter(some: list[Amount], chance: Random) -> None:
    """In whatever order allocations come, the same is said of them."""
    shuffled = list(some)
    chance.shuffle(shuffled)

    assert bunching(some, [QUOTA]) == bunching(shuffled, [QUOTA])


# -- changes of a profile


def version(day: int, value: str, field: str = "owner") -> Version:
    return Version(day * DAY, field, value, "registry", "/register")


def test_many_payers() -> None:
    """Four payers within ninety days are many, and the days are told."""
    signal = only(many_payers("t", [version(day, f"card-{day}", "payer") for day in (0, 30, 60, 90)]))

    assert ("t was paid for by 4 payers within 90 days.", 4) == (signal.sentence, number(signal, "payers"))
    assert (0, 90 * DAY) == (signal.since, signal.until)


@pytest.mark.parametrize("versions", [
    [version(day, f"card-{day}", "payer") for day in (0, 30, 60)],
    [version(day, f"card-{day}", "payer") for day in (0, 31, 61, 91)],
    [version(day, f"card-{day % 3}", "payer") for day in range(60)],  # the same three in turn
    [version(day, f"card-{day % 3}", "payer") for day in range(0, 400, 20)],
    [version(day, f"owner-{day}") for day in range(9)],
    [version(0, f"card-{number}", "payer") for number in range(9)],  # at one instant: a correction
    [],
])  # fmt: skip
def test_payers_that_are_not_many(versions: list[Version]) -> None:
    """Three payers, four over a longer time, or other fields: no sign."""
    assert many_payers("t", versions) is None


FULL = 128_000 * DAY  # accelerator-microseconds: 128 accelerators for a day
SALE = [version(0, "founder"), version(40, "holding")]


def steady(first: int, last: int, usage: int = FULL) -> dict[int, int]:
    return dict.fromkeys(range(first, last), usage)


def test_a_change_before_a_jump() -> None:
    """A company whose use quadruples three days after it was sold is told of, with both numbers."""
    (signal,) = changes_before("t", SALE, {**steady(0, 43), **steady(43, 60, 4 * FULL)}, [])

    assert (SignalKind.CHANGE_BEFORE_JUMP, 40 * DAY, 43 * DAY) == (signal.kind, signal.since, signal.until)
    assert (3, FULL, 4 * FULL) == tuple(value for _, value in signal.numbers)
    assert signal.sentence == (
        "The owner of t changed from founder to holding (registry, from /register) 3 days before its use jumped: "
        "within 30 days of the change it reached 4 times its largest day before."
    )


@pytest.mark.parametrize(("versions", "daily"), [
    (SALE, steady(0, 60)),  # it goes on as before
    (SALE, {**steady(0, 72), **steady(72, 90, 4 * FULL)}),  # too late
    (SALE, {**steady(0, 40, FULL // 9), **steady(40, 60, FULL // 3)}),  # small
    (SALE, {**steady(0, 30), **steady(30, 60, 4 * FULL)}),  # it had jumped before
    ([version(0, "founder"), version(9, "holding")], steady(20, 60)),  # a new customer begins
    ([version(0, "founder"), version(40, "founder")], {**steady(0, 43), **steady(43, 60, 4 * FULL)}),
    ([version(40, "holding")], {**steady(0, 43), **steady(43, 60, 4 * FULL)}),  # nothing was said before
    ([one._replace(field="declared_use") for one in SALE], {**steady(0, 43), **steady(43, 60, 4 * FULL)}),
])  # fmt: skip
def test_changes_without_a_jump(versions: list[Version], daily: dict[int, int]) -> None:
    """Steady, late or small use, a jump that came first, a new customer, and no change: no sign."""
    assert [] == changes_before("t", versions, daily, [])


def test_an_old_account_that_begins() -> None:
    """An account that was known for a month without any use, changes its payer and begins at once is told of."""
    (signal,) = changes_before("t", [version(0, "card", "payer"), version(40, "agent", "payer")], steady(40, 60), [])

    assert "The payer of t changed from card to agent" in signal.sentence
    assert (
        "0 days before its use jumped: within 30 days of the change it began after a time without any."
        in signal.sentence
    )
    assert (40 * DAY, 40 * DAY) == (signal.since, signal.until)


@pytest.mark.parametrize(("day", "found"), [(40, True), (47, True), (70, True), (71, False), (39, False)])
def test_a_change_before_a_threshold(day: int, found: bool) -> None:
    """A change of headquarters at most thirty days before a threshold is reached is told of."""
    moves = [version(0, "CN", "hq_country"), version(40, "SG", "hq_country")]
    signals = changes_before("t", moves, {}, [Crossing(day * DAY, 10**24)])

    assert found == bool(signals)
    for signal in signals:
        assert (SignalKind.CHANGE_BEFORE_THRESHOLD, day - 40, 10**24) == (
            signal.kind,
            *(one for _, one in signal.numbers),
        )
        assert f"{day - 40} days before its total reached 1e+24 FLOP." in signal.sentence
        assert "The headquarters of t changed from CN to SG" in signal.sentence


@settings(max_examples=40)
@given(
    st.lists(
        st.builds(version, st.integers(0, 90), st.sampled_from("xyz"), st.sampled_from(("payer", "owner"))), max_size=8
    ),
    st.randoms(),
)
def test_the_order_of_versions_does_not_matter(versions: list[Version], chance: Random) -> None:
    """In whatever order the versions of a profile come, the same is said of them."""
    shuffled = list(versions)
    chance.shuffle(shuffled)
    daily, reached = (
        {**steady(0, 50), **steady(50, 90, 3 * FULL)},
        [Crossing(60 * DAY, 10**24), Crossing(70 * DAY, 10**25)],
    )

    assert changes_before("t", versions, daily, reached) == changes_before("t", shuffled, daily, reached[::-1])
    assert many_payers("t", versions) == many_payers("t", shuffled)


def test_every_sign_can_be_explained() -> None:
    """Each kind of sign has an innocent explanation and says what would settle it."""
    assert set(SignalKind) - {SignalKind.UNDECLARED} == set(INNOCENT)
    assert all(one.endswith(".") and other.endswith(".") for one, other in INNOCENT.values())
