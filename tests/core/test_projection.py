"""Chances of reaching a threshold: by a stated end, by published durations, and never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Tenant
from monitor.core.bounds import OVER, UNDER, ZERO, Bounds, in_per_cent, probability, probably_reaches
from monitor.core.engine import hearing
from monitor.core.estimate import Estimator
from monitor.core.model import (
    CERTAIN,
    DAY_MS,
    OPEN,
    PRESUMED,
    Kind,
    Observation,
    Profile,
    Reservation,
)
from monitor.core.projection import (
    HORIZONS_DAYS,
    LONGER,
    NEVER,
    WHOLE,
    Durations,
    Projection,
    Scale,
    chance_within,
    held_now,
    project,
    run_a_day,
    stated_end,
)
from monitor.core.projection import rate_a_day as a_day_of
from monitor.reference.catalogue import load_catalogue
from monitor.reference.durations import load_durations
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference
from tests.core.test_runs import found as runs_found
from tests.core.test_runs import held, one

DURATIONS = load_durations(config_root())
ESTIMATOR = Estimator(load_catalogue(config_root()), load_priors(config_root()))
NOW = BASE_MS
T = 10**24

AMOUNTS = st.integers(min_value=0, max_value=10**26)
BOUNDS = st.lists(AMOUNTS, min_size=4, max_size=4).map(lambda amounts: Bounds(*sorted(amounts)))
ENDS = st.none() | st.integers(min_value=NOW - DAY_MS, max_value=NOW + 120 * DAY_MS)
AGES = st.integers(min_value=0, max_value=400 * DAY_MS)


def ahead(
    so_far: Bounds = ZERO,
    a_day: Bounds = ZERO,
    threshold: int = T,
    age: int = 0,
    end: int | None = None,
) -> Projection:
    return project(so_far, a_day, threshold, NOW, NOW - age, end, DURATIONS)


def chances(projection: Projection) -> list[int]:
    """The chances by each horizon, in their order."""
    return [projection.by_days[days] for days in HORIZONS_DAYS]


def of(low: int, central: int, high: int) -> Bounds:
    return Bounds(low, central, high, 2 * high)


# -- the probability of one range ------------------------------------------------------------------------------------


@given(BOUNDS, AMOUNTS, st.sampled_from([1, 2, 5, 10, 50]))
def test_a_probability_is_the_most_that_is_reached(bounds: Bounds, threshold: int, step: int) -> None:
    """The range reaches the threshold with that probability, and with no multiple of the step above it."""
    chance = probability(bounds, threshold, step)

    if chance == UNDER:
        assert bounds.high < threshold
    elif chance == OVER:
        assert threshold < bounds.low
    else:
        assert 0 == chance % step
        assert probably_reaches(bounds, threshold, chance)
        assert chance == 950 or not probably_reaches(bounds, threshold, chance + step)


@pytest.mark.parametrize(
    ("threshold", "chance", "words"),
    [
        (99, OVER, "over 95 per cent"),
        (100, 950, "95 per cent"),
        (200, 800, "80 per cent"),  # a third of the way from 100 to 800
        (800, 500, "50 per cent"),
        (3_200, 50, "5 per cent"),
        (3_201, UNDER, "under 5 per cent"),
    ],
)
def test_probabilities_at_the_quantiles(threshold: int, chance: int, words: str) -> None:
    """At the quantiles the probability is theirs; beyond them it is only known to be small or large."""
    assert chance == probability(of(100, 800, 3_200), threshold)
    assert words == in_per_cent(chance)
    assert "none" == in_per_cent(NEVER)


# -- durations -------------------------------------------------------------------------------------------------------


def test_the_quantiles_of_durations_are_kept() -> None:
    """At each published quantile the share that lasts longer is the published one; half way it is half way."""
    scale = Scale(10**22, 106, (2, 14, 30, 60, 130))

    assert list(LONGER[1:]) == [scale.longer_than(days * DAY_MS) for days in scale.days]
    assert (WHOLE, WHOLE // 20) == (scale.longer_than(0), scale.longer_than(9_999 * DAY_MS))
    assert WHOLE * 375 // 1_000 == scale.longer_than(45 * DAY_MS)


@given(st.sampled_from(DURATIONS.scales), AGES, AGES)
def test_fewer_runs_last_longer(scale: Scale, one: int, other: int) -> None:
    """The share of runs that last longer never grows with the duration."""
    shorter, longer = sorted((one, other))

    assert scale.longer_than(shorter) >= scale.longer_than(longer) >= LONGER[-1]


@pytest.mark.parametrize(
    ("flop", "over"), [(0, 22), (10**22, 22), (10**23 - 1, 22), (10**23, 23), (10**24, 24), (10**27, 24)]
)
def test_the_scale_is_that_of_what_was_computed(flop: int, over: int) -> None:
    """The largest scale that was reached; below the smallest the smallest."""
    assert 10**over == DURATIONS.of(flop).over_flop


# -- projections -----------------------------------------------------------------------------------------------------


def test_nothing_held_below_the_threshold_never_crosses() -> None:
    """Without a rate a total below the threshold stays there, whatever the horizon; one that may be above stays so."""
    below, across = of(10**22, 10**23, 5 * 10**23), of(10**23, T, 5 * T)

    assert [NEVER, NEVER] == chances(ahead(below)) == chances(ahead(below, end=NOW + DAY_MS))
    assert [500, 500] == chances(ahead(across))
    assert UNDER == ahead(below).now
    assert "Nothing is held now." == ahead(below).basis


def test_beyond_the_ceiling_is_never() -> None:
    """A threshold that full speed in the fastest format does not reach in time is not reached."""
    rate = of(10**20, 10**21, 2 * 10**21)

    assert [NEVER, NEVER] == chances(ahead(a_day=rate)) == chances(ahead(a_day=rate, end=NOW + 200 * DAY_MS))
    assert NEVER == ahead(a_day=rate).now
    assert [NEVER, UNDER] == chances(ahead(a_day=rate, threshold=2 * 10**23, end=NOW + 200 * DAY_MS))


def test_a_stated_end_stops_the_rate() -> None:
    """At a central 5e22 a day 1e24 takes 20 days: an end after 20 makes it one half, an earlier one makes it less."""
    rate = of(10**22, 5 * 10**22, 10**23)
    by_twenty, by_ten = ahead(a_day=rate, end=NOW + 20 * DAY_MS), ahead(a_day=rate, end=NOW + 10 * DAY_MS)

    assert [500, 500] == chances(by_twenty)
    assert [50, 50] == chances(by_ten)
    assert "until its reservation ends, 20 days from now" in by_twenty.basis
    assert "less than a day from now" in ahead(a_day=rate, end=NOW + 1).basis
    assert "ends, 1 day from now" in ahead(a_day=rate, end=NOW + DAY_MS).basis


def test_an_end_beyond_a_horizon_leaves_the_horizon() -> None:
    """By the horizon no more was computed than until the horizon."""
    rate = of(10**22, 10**24 // 30 + 1, 10**23)

    assert [500, OVER] == [
        ahead(a_day=rate, end=NOW + 365 * DAY_MS).by_days[30],
        ahead(a_day=Bounds(10**24 // 90 + 1, *rate[1:]), end=NOW + 365 * DAY_MS).by_days[90],
    ]


def test_an_end_that_has_passed_is_none() -> None:
    """What is held beyond its stated end goes on as if none were stated."""
    rate = of(10**22, 5 * 10**22, 10**23)

    assert ahead(a_day=rate) == ahead(a_day=rate, end=NOW) == ahead(a_day=rate, end=NOW - DAY_MS)
    assert "No end is stated" in ahead(a_day=rate, end=NOW).basis


def test_without_an_end_published_durations_decide() -> None:
    """A rate that is known exactly crosses after 20 days: as likely as published runs of that scale last 20 days."""
    exact = Bounds(*[T // 20] * 4)
    projection = ahead(a_day=exact)
    lasting = DURATIONS.of(0).longer_than(20 * DAY_MS) * 1_000 // WHOLE

    assert [lasting * OVER // 1_000, lasting * OVER // 1_000] == pytest.approx(chances(projection), abs=25)
    assert "above 1e22 FLOP did that had lasted less than a day; half of 106 took 30 days or less" in projection.basis
    assert DURATIONS.version in projection.basis


def test_a_run_that_has_outlasted_the_published_ones_goes_on() -> None:
    """Of runs older than the longest published ones nothing says that they end: the rate goes on to the horizon."""
    rate = of(10**22, T // 30, 10**23)

    assert 500 == ahead(a_day=rate.plus(Bounds(0, 1, 1, 1)), age=400 * DAY_MS).by_days[30]
    assert OVER == ahead(a_day=rate, age=400 * DAY_MS, threshold=10**23).by_days[90]


def test_a_run_in_the_middle_of_its_life_is_likelier_to_go_on_than_a_new_one_to_get_there() -> None:
    """Given that it has lasted, the chance of another month is that among runs that lasted as long."""
    rate = Bounds(*[T // 25] * 4)
    scale = DURATIONS.of(0)
    expected = OVER * scale.longer_than(85 * DAY_MS) // scale.longer_than(60 * DAY_MS)

    assert expected == pytest.approx(ahead(a_day=rate, age=60 * DAY_MS).by_days[30], abs=25)


@given(BOUNDS, BOUNDS, AMOUNTS, AMOUNTS, AGES, ENDS)
def test_a_higher_threshold_is_never_likelier(
    so_far: Bounds, a_day: Bounds, one: int, other: int, age: int, end: int | None
) -> None:
    """The chances fall, or stay, as the threshold rises."""
    lower, higher = sorted((one, other))
    easy, hard = ahead(so_far, a_day, lower, age, end), ahead(so_far, a_day, higher, age, end)

    assert all(more >= less for more, less in zip(chances(easy), chances(hard), strict=True))
    assert easy.now >= hard.now


@given(BOUNDS, BOUNDS, AMOUNTS, AGES, ENDS)
def test_a_later_horizon_is_never_less_likely(
    so_far: Bounds, a_day: Bounds, threshold: int, age: int, end: int | None
) -> None:
    """What is reached by a day is reached by a later one."""
    by_days = chances(ahead(so_far, a_day, threshold, age, end))

    assert sorted(by_days) == by_days


@given(BOUNDS, BOUNDS, BOUNDS, AMOUNTS, AGES, ENDS)
def test_a_higher_rate_is_never_less_likely(
    so_far: Bounds, a_day: Bounds, more: Bounds, threshold: int, age: int, end: int | None
) -> None:
    """Holding more raises no threshold's distance, whether anything was held before or not."""
    slow, fast = ahead(so_far, a_day, threshold, age, end), ahead(so_far, a_day.plus(more), threshold, age, end)

    assert all(less <= faster for less, faster in zip(chances(slow), chances(fast), strict=True))


@given(BOUNDS, BOUNDS, AMOUNTS, AGES, ENDS)
def test_chances_are_chances(so_far: Bounds, a_day: Bounds, threshold: int, age: int, end: int | None) -> None:
    """Each is between never and over 95 per cent, the same each time, and has a reason."""
    projection = ahead(so_far, a_day, threshold, age, end)

    assert all(NEVER <= chance <= OVER for chance in [projection.now, *chances(projection)])
    assert projection == ahead(so_far, a_day, threshold, age, end)
    assert projection.basis.endswith(".")


# -- what is held now ------------------------------------------------------------------------------------------------


def test_what_is_held_is_projected_by_its_evidence() -> None:
    """A day counts in every bound if certain, in central and high if presumed, in high alone if open."""
    table = (
        "0 start x accelerator=H100-SXM5-80GB count=8 lease=3600 \n 0 start y accelerator=H100-SXM5-80GB count=8"
        "\n 0 start z accelerator=H100-SXM5-80GB count=8 lease=999999 \n 7200 seen y"
        "\n 9 start gone accelerator=H100 count=1 \n 10 stop gone"
    )
    book = Taken(table).book
    now = BASE_MS + 7_200_000
    held = held_now(book.tenants["t"], now, hearing(book, now))
    weights = ESTIMATOR.weights(ESTIMATOR.catalogue.resolve("H100-SXM5-80GB", "accelerator", now))
    day = 8_000 * DAY_MS

    assert [(8_000, OPEN), (8_000, CERTAIN), (8_000, PRESUMED)] == [(one.units, one.usage_class) for one in held]
    assert Bounds(
        day * weights.low // 10**15,
        2 * day * weights.central // 10**15,
        3 * day * weights.high // 10**15,
        3 * day * weights.ceiling // 10**15,
    ) == a_day_of(held, ESTIMATOR, now)
    assert ZERO == a_day_of([], ESTIMATOR, now)


def test_what_started_this_instant_is_certain() -> None:
    """An allocation without a moment behind it is held, on the evidence of its start."""
    book = Taken("0 start x accelerator=H100 count=8").book

    assert [CERTAIN] == [one.usage_class for one in held_now(book.tenants["t"], BASE_MS, hearing(book, BASE_MS))]


def test_the_end_of_a_reservation() -> None:
    """The latest fact about each reservation counts, if it is granted and ends beyond now; of several the last end."""
    tenant = Tenant()

    def said(id: str, reservation: str, state: str, end: int | None, time: int = 0) -> None:
        body = Reservation(reservation, None, None, None, end, state)
        tenant.facts["s", id] = [Observation(Kind.RESERVATION, "t", "", NOW + time, "s", id, body, id.encode())]

    assert stated_end(tenant, NOW) is None
    said("1", "past", "granted", NOW)
    said("2", "asked", "requested", NOW + 9)
    said("3", "open", "granted", None)
    said("4", "undone", "granted", NOW + 8, -1)
    said("5", "undone", "cancelled", NOW + 8)
    said("6", "later", "granted", NOW + 7, 1)
    tenant.facts["s", "7"] = [Observation(Kind.TENANT_PROFILED, "t", "", NOW, "s", "7", Profile({}, {}), b"7")]
    assert stated_end(tenant, NOW) is None
    said("8", "one", "granted", NOW + 5)
    said("9", "two", "granted", NOW + 6)
    assert NOW + 6 == stated_end(tenant, NOW)
    tenant.retracted = frozenset({("s", "9")})
    assert NOW + 5 == stated_end(tenant, NOW)


def test_durations_have_a_least_scale() -> None:
    """With one scale everything is compared with it."""
    alone = Durations("v", "d", "s", DURATIONS.scales[-1:])

    assert DURATIONS.scales[-1] == alone.of(0) == alone.of(10**30)


def test_what_is_not_held_comes_no_nearer() -> None:
    """Without anything held the chance is that of what was computed; of a run that has ended nothing goes on."""
    so_far = Bounds(100, 200, 400, 800)
    known = reference().durations

    def chance(threshold: int) -> int:
        return chance_within(30, so_far, ZERO, threshold, NOW, NOW - DAY_MS, None, known)

    assert (500, NEVER) == (chance(200), chance(401))
    a_day = Bounds(10, 10, 10, 10)
    until = [
        chance_within(30, so_far, a_day, 400, NOW, NOW - DAY_MS, NOW + days * DAY_MS, known) for days in (1, 20, 90)
    ]
    assert until == sorted(until)
    assert 500 == until[1] < until[2]
    (run,) = runs_found(one("a", held(0, 24)))
    assert ZERO == run_a_day(run, run.end + 1)
    assert run.flop.low <= run_a_day(run, run.end).low <= run.flop.low + 1
