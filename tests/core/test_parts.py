"""Rules on runs, chains and clusters; what levels ask for beside an amount; pages and projections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from monitor.core.book import Tenant
from monitor.core.bounds import Bounds
from monitor.core.engine import OfGroup, OfTenant, answer, hourly_look
from monitor.core.estimate import SCALE, TenantHour
from monitor.core.findings import Amount, Finding, find, level_of, number
from monitor.core.groups import Group
from monitor.core.likelihood import Band, Training
from monitor.core.measures import UNIT_SCALE, Cluster, Series
from monitor.core.model import DAY_MS, HOUR_MS, Traits
from monitor.core.parties import Who
from monitor.core.policy import (
    MODEL_FLOP,
    Aggregation,
    Bound,
    Condition,
    Level,
    Measure,
    Need,
    Precision,
    Projected,
    Quantity,
    Rule,
)
from monitor.core.runs import Run
from monitor.core.timeline import Measurement
from tests.core.asked import Given, policy, rule, up_to
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference
from tests.core.test_findings import COUNTRIES
from tests.core.test_runs import H100, NOW, found, held, one

TRAINS = Training(Band.LIKELY, 300, ("It looks like it.",))
SERVES = Training(Band.UNLIKELY, -300, ("It does not.",))
IMAGE = Traits(image="i", job="j")
NOBODY, UNKNOWN = Who([], None), Who([], "The headquarters are not known.")


def usage(run: Run) -> list[TenantHour]:
    """All that a tenant computed: twice what one of its runs did, in its first hour."""
    bounds = Bounds(*(2 * bound * SCALE for bound in run.flop))
    return [TenantHour(run.start // HOUR_MS, bounds, bounds)]


def asked(of: Rule, given: Given, who: Who = NOBODY) -> list[Finding]:
    """What a rule finds in a tenant without a profile."""
    return find("t", Tenant(), given, who, [policy(of)], COUNTRIES, given.now)


def on_runs(threshold: int, **more: object) -> Rule:
    """A rule on runs."""
    made = rule(window_days=None, threshold=threshold, aggregation=Aggregation.RUN)
    return replace(made, **more)  # type: ignore[arg-type]


LONG = found(one("a", held(0, 240)))


def test_a_run_has_a_finding_of_its_own() -> None:
    """With its name, its segments, and the hour in which it came to the threshold: it grows evenly."""
    (run,) = LONG
    (finding,) = asked(on_runs(run.flop.high // 2), Given(usage(run), NOW, [(run, SERVES)]))

    assert (run.id, run.id, tuple(segment.id for segment in run.segments)) == (
        finding.part,
        finding.anchor,
        finding.segments,
    )
    assert run.flop == finding.amount
    assert 119 <= (finding.raised_at - BASE_MS) // HOUR_MS <= 120
    assert finding.reasons[0].startswith(f"Training compute of the run {run.id}, on 16 accelerators at most, is ")


def test_a_run_below_the_threshold_has_none() -> None:
    """Though its tenant reaches it; and nobody asks for runs of a tenant that does not."""
    (run,) = LONG
    above = run.flop.high + 1

    assert [] == asked(on_runs(above), Given(usage(run), NOW, [(run, TRAINS)]))
    assert [] == asked(on_runs(2 * above), Given(usage(run), NOW, []))


def test_a_chain_is_what_weak_links_join() -> None:
    """Together its runs reach what none of them does; it is told once, by its first run."""
    runs = found(one("a", held(0, 240, traits=IMAGE)), one("b", held(640, 880, traits=Traits(image="i", job="k"))))
    assert (2, 1) == (len(runs), len({run.chain for run in runs}))
    most = max(run.flop.high for run in runs)
    of_runs, of_chains = on_runs(most + 1), on_runs(most + 1, aggregation=Aggregation.CHAIN)
    given = Given(usage(runs[0]), NOW, [(runs[0], SERVES), (runs[1], TRAINS)])
    (finding,) = asked(of_chains, given)

    assert [] == asked(of_runs, given)
    assert (runs[0].id, runs[0].flop_chain) == (finding.part, finding.amount)
    assert 640 * HOUR_MS <= finding.raised_at - BASE_MS
    assert "Training compute of the chain of runs from" in finding.reasons[0]


def test_executed_flop_of_a_run_has_recomputation_on_top() -> None:
    """A rule that counts what the hardware did is reached earlier."""
    (run,) = LONG
    given = Given(usage(run), NOW, [(run, SERVES)])
    of_executed = on_runs(run.flop.high + 1, quantity=Quantity(Measure.EXECUTED_FLOP))

    assert [] == asked(on_runs(run.flop.high + 1), given)
    (finding,) = asked(of_executed, given)
    assert run.flop.high < finding.amount.high
    assert finding.reasons[0].startswith("Executed compute of the run")


def test_unknown_hardware_in_a_run_raises_no_more_than_watch() -> None:
    """Only its low bound is known."""
    (run,) = found(one("a", held(0, 240, hardware="no such chip"), held(240, 480)))
    given = Given(usage(run), NOW, [(run, TRAINS)])

    assert [Level.WATCH] == [finding.level for finding in asked(on_runs(run.flop.low + 1), given)]
    assert [Level.CRITICAL] == [finding.level for finding in asked(on_runs(run.flop.low), given)]


def needing(**needs: Sequence[Need]) -> Mapping[Level, Condition]:
    """The ordinary levels, of which some need something."""
    levels = up_to(Level.CRITICAL)
    return levels | {Level(name): levels[Level(name)]._replace(needs=frozenset(some)) for name, some in needs.items()}


MEASURED = [Measurement(held(0, 1).shape, BASE_MS, BASE_MS + 200 * HOUR_MS, 16_000, 500_000, None)]


@pytest.mark.parametrize(
    ("training", "measured", "who", "level"),
    [
        (SERVES, False, NOBODY, Level.WATCH),
        (TRAINS, False, NOBODY, Level.WARNING),
        (SERVES, True, NOBODY, Level.WARNING),
        (TRAINS, False, UNKNOWN, Level.CRITICAL),
        (SERVES, False, UNKNOWN, Level.CRITICAL),
    ],
)
def test_what_levels_need_of_a_run(training: Training, measured: bool, who: Who, level: Level) -> None:
    """Warning needs that it looks like training or was measured, critical a reason in the party."""
    (run,) = found(one("a", held(0, 240), measured=MEASURED if measured else []))
    levels = needing(warning=[Need.GEOMETRY, Need.MEASURED], critical=[Need.PARTY])
    given = Given(usage(run), NOW, [(run, training)])

    assert [level] == [one.level for one in asked(on_runs(run.flop.low // 2, levels=levels), given, who)]


@pytest.mark.parametrize(("found_training", "measured", "level"), [
    (SERVES, False, Level.WATCH), (TRAINS, False, Level.WARNING), (SERVES, True, Level.WARNING)])  # fmt: skip
def test_what_levels_need_of_a_tenant(found_training: Training, measured: bool, level: Level) -> None:
    """Any of its runs that looks like training, or most of its time measured."""
    (run,) = LONG
    levels = needing(warning=[Need.GEOMETRY, Need.MEASURED], critical=[Need.PARTY])
    given = Given(usage(run), run.end, [(run, found_training)], measured=measured)
    of = rule(window_days=30, threshold=run.flop.low, levels=levels)

    assert [level] == [one.level for one in asked(of, given)]


# -- levels --------------------------------------------------------------------------------------------------------

EACH = Bounds(100, 200, 300, 300)


@pytest.mark.parametrize(
    ("condition", "threshold", "given"),
    [
        (Condition(Bound.LOW), 100, True),
        (Condition(Bound.LOW), 101, False),
        (Condition(Bound.CENTRAL), 200, True),
        (Condition(Bound.CENTRAL), 201, False),
        (Condition(800), 110, True),
        (Condition(800), 190, False),
        (Condition(Bound.CENTRAL, frozenset({Need.PARTY})), 100, False),
        (Condition(Bound.CENTRAL, projected=Projected(90, 500)), 1_000, True),
        (Condition(Bound.CENTRAL, projected=Projected(90, 501)), 1_000, False),
        (Condition(Bound.CENTRAL, projected=Projected(30, 500)), 1_000, False),
        (Condition(Bound.CENTRAL, frozenset({Need.PARTY}), Projected(90, 500)), 1_000, False),
    ],
)
def test_what_gives_a_level(condition: Condition, threshold: int, given: bool) -> None:
    """A bound or a probability; what is projected gives it too; what it needs it needs for either."""
    of = rule(threshold=threshold, levels={Level.WARNING: condition})

    assert (Level.WARNING if given else None) == level_of(of, Amount(EACH, EACH, chances={90: 500}))


def test_a_projected_crossing_is_told_with_its_chance() -> None:
    """Long before the amount is there: the finding holds from the hour of the question on."""
    levels = {Level.WARNING: Condition(Bound.CENTRAL, projected=Projected(90, 500))}
    hours = [TenantHour(0, *[Bounds(*[SCALE] * 4)] * 2)]
    of = rule(threshold=10**6, levels=levels)
    (finding,) = asked(of, Given(hours, 5 * HOUR_MS, chances={90: 620}))

    assert (Level.WARNING, 5 * HOUR_MS) == (finding.level, finding.raised_at)
    crossing = "it reaches the threshold of 1e6 FLOP within 90 days with a probability of 62 per cent."
    assert finding.reasons[0].endswith(crossing)
    assert [] == asked(of, Given(hours, 5 * HOUR_MS, chances={90: 499}))


def test_the_runs_of_whoever_may_come_to_a_threshold_are_looked_at() -> None:
    """A run on its way is told, though its tenant has not computed that much yet."""
    (run,) = LONG
    levels = {Level.WARNING: Condition(Bound.CENTRAL, projected=Projected(30, 500))}
    of = on_runs(10 * run.flop.high, levels=levels)

    assert [run.id] == [one.part for one in asked(of, Given(usage(run), NOW, [(run, TRAINS)], chances={30: 500}))]
    assert [] == asked(of, Given(usage(run), NOW, [(run, TRAINS)]))


# -- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "tomorrow", "levels", "paged"),
    [
        ((900, 990, 1_100), 500, up_to(Level.CRITICAL), True),
        ((900, 990, 1_100), 499, up_to(Level.CRITICAL), False),
        ((900, 1_000, 1_100), 900, up_to(Level.CRITICAL), False),  # it is crossed
        ((900, 990, 1_100), 900, up_to(Level.WARNING), False),
        ((900, 990, 1_100), 900, needing(critical=[Need.PARTY]), False),
        ((1_000, 1_100, 1_200), 900, up_to(Level.CRITICAL), False),
    ],
)
def test_who_is_called_at_night(
    amount: tuple[int, int, int], tomorrow: int, levels: Mapping[Level, Condition], paged: bool
) -> None:
    """Somebody is for what is likely to cross within a day and would be critical, not for what has crossed."""
    bounds = Bounds(*(part * SCALE for part in (*amount, amount[2])))
    given = Given([TenantHour(0, bounds, bounds)], HOUR_MS, chances={1: tomorrow})
    (finding,) = asked(rule(levels=levels), given)

    assert ("The threshold is likely crossed within 24 hours." if paged else "") == finding.page


# -- clusters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unstated", "part"), [(False, "at eu,"), (True, "at eu, where some network's speed is not stated,")]
)
def test_a_cluster_has_a_finding_of_its_own(unstated: bool, part: str) -> None:
    """By its place, as far as it reaches the threshold by itself."""
    quantity = Quantity(Measure.OP_PER_S, precision=Precision.DENSE_16BIT)
    of = rule(window_days=2, threshold=10, quantity=quantity, aggregation=Aggregation.CLUSTER)

    def series(amount: int) -> Series:
        bounds = Bounds(*[amount * UNIT_SCALE] * 4)
        return Series([TenantHour(3, bounds, bounds)], 5 * HOUR_MS, quantity)

    places = [Cluster("eu", series(10), unstated), Cluster("us", series(9), False)]
    given = Given(series(19)._hours, 5 * HOUR_MS, places=places)
    (finding,) = asked(of, given)

    assert ("eu", "eu", Level.CRITICAL, 3 * HOUR_MS) == (finding.part, finding.anchor, finding.level, finding.raised_at)
    assert part in finding.reasons[0]
    assert "" == finding.page
    assert [] == asked(replace(of, threshold=20), given)


def test_a_cluster_that_may_reach_a_threshold_calls_nobody() -> None:
    """Only its high bound does: nothing is projected of clusters."""
    of = rule(window_days=2, threshold=10, quantity=Quantity(Measure.TPP), aggregation=Aggregation.CLUSTER)
    bounds = Bounds(*(part * UNIT_SCALE for part in (0, 5, 10, 10)))
    series = Series([TenantHour(3, bounds, bounds)], 5 * HOUR_MS, of.quantity)
    (finding,) = asked(of, Given(series.hours, 5 * HOUR_MS, places=[Cluster("eu", series, True)]))

    assert (Level.WATCH, "") == (finding.level, finding.page)


def test_what_only_unknown_hardware_reaches_gives_no_warning() -> None:
    """A rule without watch says nothing of it."""
    hours = [TenantHour(0, Bounds(*[2_000 * SCALE] * 4), Bounds(0, 0, 0, 0))]
    levels = {Level.WARNING: Condition(Bound.CENTRAL)}

    assert [] == asked(rule(levels=levels), Given(hours, HOUR_MS))
    assert [Level.WATCH] == [one.level for one in asked(rule(), Given(hours, HOUR_MS))]


def test_chains_of_whoever_is_far_below_are_not_looked_at() -> None:
    """No chain is more than its tenant."""
    (run,) = LONG
    of_chains = on_runs(10 * run.flop.high, aggregation=Aggregation.CHAIN)

    assert [] == asked(of_chains, Given(usage(run), NOW, [(run, TRAINS)]))


# -- sentences -----------------------------------------------------------------------------------------------------


def test_chips_and_measures_are_named() -> None:
    """What is counted, on which chips, in which unit."""
    quantity = Quantity(Measure.ACCELERATOR_HOURS, frozenset({"3A090.b", "3A090.a"}))
    bounds = Bounds(*[UNIT_SCALE * 1_234] * 4)
    hours = [TenantHour(0, bounds, bounds)]
    levels = {Level.WATCH: Condition(Bound.LOW)}
    (finding,) = asked(rule(threshold=1_000, quantity=quantity, levels=levels), Given(hours, HOUR_MS))

    assert finding.reasons[0] == (
        "Use on chips of 3A090.a or 3A090.b over 2 days is 1,234 accelerator-hours (90 per cent range 1,234 to 1,234); "
        "the low bound reaches the threshold of 1,000 accelerator-hours."
    )


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (999_999, "999,999"), (1_000_000, "1e6"), (2_419 * 10**20, "2.42e23")]
)
def test_numbers_as_people_write_them(amount: int, text: str) -> None:
    """Small ones written out, large ones by their exponent."""
    assert text == number(amount, 2)


# -- in the books --------------------------------------------------------------------------------------------------

RUNNING = f"0 start x accelerator={H100.replace(' ', '-')} count=20000 job=j region=eu fabric=f"


@pytest.mark.parametrize("days", [2, 10])
def test_what_is_asked_of_a_tenant_of_the_books(days: int) -> None:
    """A run on 20,000 accelerators: the run, its cluster, its projected crossing; by itself or with all others."""
    levels = {Level.WARNING: Condition(Bound.CENTRAL, projected=Projected(90, 500))}
    at_once = Quantity(Measure.OP_PER_S, precision=Precision.DENSE_16BIT)
    rules = [
        replace(on_runs(10**25, levels=levels), id="run"),
        replace(rule(window_days=365, threshold=10**25, levels=levels), id="total"),
        replace(
            rule(window_days=60, threshold=10**25, quantity=Quantity(Measure.EXECUTED_FLOP), levels=levels),
            id="executed",
        ),
        replace(rule(threshold=10**19, quantity=at_once, aggregation=Aggregation.CLUSTER), id="cluster"),
        replace(rule(threshold=1, quantity=Quantity(Measure.RESERVED_ACCELERATORS)), id="reserved"),
        replace(rule(window_days=30, threshold=10**23, quantity=Quantity(Measure.GROWTH)), id="growth"),
        replace(rule(levels=needing(warning=[Need.MEASURED]), threshold=10**23), id="measured"),
    ]
    taken, now = Taken(f"{RUNNING} \n {days * 86_400} seen x"), BASE_MS + days * DAY_MS
    asked = replace(reference(), policies=(replace(policy(*rules), concern_group="HQ_OF_CONCERN"),))
    together = answer(taken.book, asked, now, taken.archive).tenants[0].findings
    alone = hourly_look(taken.book, asked, "t", asked.parties(taken.book, now), taken.archive).findings

    assert list(together) == alone
    assert {"run", "total", "executed", "cluster", "measured", "growth"} == {one.rule for one in alone}
    assert [Level.CRITICAL] == [one.level for one in alone if one.rule == "measured"]


@pytest.mark.parametrize("reachable", [True, False])
def test_what_nobody_can_reach_is_not_looked_at(reachable: bool) -> None:
    """A rule that a tenant's totals rule out is not asked for its hours, which here would be enough."""
    amount = Bounds(*[10**26 * SCALE] * 4)
    given = Given([TenantHour(0, amount, amount)], HOUR_MS, reachable=reachable)

    assert reachable == bool(asked(rule(threshold=10**25), given))


def test_a_group_has_neither_runs_nor_clusters() -> None:
    """It is asked for nothing that only a tenant has."""
    taken = Taken(RUNNING)
    group = OfGroup(taken.book, reference(), Group("g", dict(taken.book.tenants), ()), BASE_MS + DAY_MS)

    assert ((), (), False, 0) == (
        group.runs(),
        group.clusters(rule()),
        group.is_measured(),
        group.chance(rule(), 1, None),
    )
    assert group.series(MODEL_FLOP) is group.series(MODEL_FLOP)


def test_what_a_run_may_come_to_is_its_own() -> None:
    """A weak link adds an earlier run to the chain, and to what the chain may come to; not to the run."""
    start = RUNNING.removeprefix("0 start x")
    table = f"""
        0 start x {start} image_digest=i
        {30 * 86_400} stop x
        {45 * 86_400} start y {start.replace("job=j", "job=k")} image_digest=i
        {46 * 86_400} seen y
    """
    taken, now = Taken(table), BASE_MS + 46 * DAY_MS
    measured = OfTenant(taken.book, reference(), "t", taken.archive, now, None)
    last, _ = measured.runs()[-1]
    assert last.flop.central < last.flop_chain.central
    of_run = on_runs(last.flop_chain.central)

    assert measured.chance(of_run, 1, last) < 500
    assert measured.chance(replace(of_run, aggregation=Aggregation.CHAIN), 1, last) >= 500
