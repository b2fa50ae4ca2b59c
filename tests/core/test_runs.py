"""Runs: gangs, segments, chains and links from holdings by hand, and what holds of them under random facts."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.bounds import Bounds, total
from monitor.core.chains import Strength
from monitor.core.engine import answer, tenant_answers
from monitor.core.model import ACCELERATOR, CERTAIN, DAY_MS, HOUR_MS, INSTANCE, NO_TRAITS, OPEN, PRESUMED, Traits
from monitor.core.runs import Holding, Run, TenantRuns, is_segment_id, runs
from monitor.core.segments import ID_LETTERS, Stay
from monitor.core.timeline import Measurement, shape_of
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference

H100, A100 = "H100 SXM5 80GB", "A100 SXM4 80GB"
P5 = "p5.48xlarge"  # an instance type with eight accelerators
NOW = BASE_MS + 900 * DAY_MS
ESTIMATOR = reference().estimator


def held(
    start: float,
    end: float,
    count: float = 16,
    traits: Traits = NO_TRAITS,
    fabric: str | None = "f",
    hardware: str = H100,
    usage_class: str = CERTAIN,
    region: str | None = "eu",
) -> Stay:
    """So many accelerators over these hours."""
    shape = shape_of(region, fabric, hardware, ACCELERATOR)
    return Stay(
        shape,
        BASE_MS + round(start * HOUR_MS),
        BASE_MS + round(end * HOUR_MS),
        round(count * 1_000),
        usage_class,
        traits,
    )


def one(name: str, *stays: Stay, measured: Sequence[Measurement] = ()) -> Holding:
    return Holding(name, stays, measured)


def found(*holdings: Holding) -> tuple[Run, ...]:
    return runs("t", holdings, ESTIMATOR, NOW)


def members(*holdings: Holding) -> list[tuple[str, ...]]:
    """The allocations of each run, by start."""
    return [run.allocations for run in found(*holdings)]


JOB, IMAGE = Traits(job="j"), Traits(image="i")


# -- gangs and segments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "holdings", "expected"),
    [
        ("fifteen are none", [one("a", held(0, 9, 15.999))], []),
        ("one allocation of sixteen", [one("a", held(0, 9))], [("a",)]),
        ("two of eight with one job", [one(n, held(0, 9, 8, JOB)) for n in "ab"], [("a", "b")]),
        (
            "a job is one wherever it is",
            [one("a", held(0, 9, 8, JOB)), one("b", held(3, 9, 8, JOB, fabric="g"))],
            [("a", "b")],
        ),
        ("two jobs are two gangs", [one(n, held(0, 9, 8, Traits(job=n))) for n in "ab"], []),
        (
            "a reservation on one fabric",
            [one(n, held(hour, 9, 8, Traits(reservation="r"))) for n, hour in (("a", 0), ("b", 3))],
            [("a", "b")],
        ),
        (
            "a reservation on two",
            [one(n, held(0, 9, 8, Traits(reservation="r"), fabric=n)) for n in "ab"],
            [],
        ),
        ("a launch within ten minutes", [one("a", held(0, 9, 8)), one("b", held(1 / 6, 9, 8))], [("a", "b")]),
        ("and one too late", [one("a", held(0, 9, 8)), one("b", held(1 / 6 + 0.01, 9, 8))], []),
        ("of equal shapes only", [one("a", held(0, 9, 8)), one("b", held(0, 9, 9))], []),
        ("in one zone, where no fabric is known", [
            one(n, held(0, 9, 8, Traits(zone="z"), fabric=None)) for n in "ab"], [("a", "b")]),
        ("in two zones", [one(n, held(0, 9, 8, Traits(zone=n), fabric=None)) for n in "ab"], []),
        ("in one region, where no zone is known", [one(n, held(0, 9, 8, fabric=None)) for n in "ab"], [("a", "b")]),
        ("in two regions", [one(n, held(0, 9, 8, fabric=None, region=n)) for n in "ab"], []),
        (
            "small ones on any fabric that name one image",
            [one(n, held(hour, 9, 8, IMAGE, fabric=n)) for n, hour in (("a", 0), ("b", 5))],
            [("a", "b")],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_a_gang_is(says: str, holdings: list[Holding], expected: list[tuple[str, ...]]) -> None:
    """Allocations are one program by job, by reservation on a fabric, by launch, or by image where they are small."""
    assert expected == members(*holdings)


def test_a_segment_is_while_enough_is_held() -> None:
    """It begins with the sixteenth accelerator, ends when one leaves, and holds the parts of that time only."""
    (run,) = found(one("a", held(0, 10, 12, JOB)), one("b", held(2, 7, 12, JOB)), one("c", held(4, 5, 8, JOB)))
    (segment,) = run.segments
    assert (BASE_MS + 2 * HOUR_MS, BASE_MS + 7 * HOUR_MS, 32_000) == (run.start, run.end, run.peak)
    assert run.accelerator_us == (5 * 12 + 5 * 12 + 8) * HOUR_MS * 1_000
    assert {"a": (2, 7), "b": (2, 7), "c": (4, 5)} == {
        part.allocation: ((part.start - BASE_MS) // HOUR_MS, (part.end - BASE_MS) // HOUR_MS) for part in segment.parts
    }


def test_instances_and_accelerators_in_one_segment() -> None:
    """What is counted in instances is in a segment as accelerators, and so is what was measured of it."""
    whole = held(0, 10, 3, JOB, hardware=P5)
    whole = whole._replace(shape=shape_of("eu", "f", P5, INSTANCE))
    seen = [Measurement(whole.shape, whole.start, whole.end, 3_000, 500_000, None)]
    (run,) = found(one("a", whole, measured=seen), one("b", held(0, 10, 6, JOB)))
    (segment,) = run.segments
    assert {"a": 24_000, "b": 6_000} == {part.allocation: part.accelerators for part in segment.parts}
    assert (30_000, 30_000 * 10 * HOUR_MS) == (run.peak, run.accelerator_us)
    assert (24_000 * 10 * HOUR_MS, 500_000) == (segment.measured_us, segment.active_us_ppm // segment.measured_us)


def test_a_machine_without_accelerators_is_of_no_gang() -> None:
    """One that was none of a program before it had accelerators is in it from then on, under its own family."""
    bare = held(0, 5, 1, JOB)._replace(shape=shape_of("eu", "f", "m5.large", INSTANCE))
    grown = held(5, 10, 1, JOB)._replace(shape=shape_of("eu", "f", P5, INSTANCE))

    (run,) = found(one("a", bare, grown), one("b", held(0, 10, 8, JOB)), one("c", bare))

    assert [("a", "b")] == [segment.allocations for segment in run.segments]
    assert (BASE_MS + 5 * HOUR_MS, 16_000) == (run.start, run.peak)


def test_programs_over_fabrics_by_image() -> None:
    """Segments of one image and scale that start and end together on several fabrics are one; on one fabric they are
    two, and so are such as start or end apart.
    """

    def at(name: str, fabric: str, start: float, end: float, count: float = 16) -> Holding:
        return one(name, held(start, end, count, Traits(job=name, image="i"), fabric=fabric))

    assert [("a", "b", "c")] == members(at("a", "f", 0, 50), at("b", "g", 0.1, 50.1), at("c", "h", 0.1, 49.9))
    assert [("a", "b"), ("c",)] == members(at("a", "f", 0, 50), at("b", "g", 0.1, 50), at("c", "h", 0.2, 50))
    apart = [at("b", "f", 0, 50), at("b", "g", 0.2, 50), at("b", "g", 0, 51), at("b", "g", 0, 50, 17)]
    for other in apart:
        assert [("a",), ("b",)] == sorted(members(at("a", "f", 0, 50), other))


def test_segments_that_begin_with_one_allocation_have_different_ids() -> None:
    """One goes on while others of its job come and go: each time that there are enough is a segment of its own."""
    (run,) = found(one("a", held(0, 9, 8, JOB)), one("b", held(0, 2, 8, JOB)), one("c", held(5, 9, 8, JOB)))

    assert [("a", "b"), ("a", "c")] == [segment.allocations for segment in run.segments]
    assert 2 == len({segment.id for segment in run.segments})


def test_ids_are_of_segments() -> None:
    """A run has the id of its first segment, and the segments of one allocation have different ones."""
    early, late = held(0, 9, traits=JOB), held(10, 19, traits=JOB)
    (both,), (alone,) = found(one("a", early, late)), found(one("a", early))
    assert both.id == alone.id == both.segments[0].id != both.segments[1].id
    assert is_segment_id(both.id)
    assert not is_segment_id("z" * ID_LETTERS)
    assert not is_segment_id(both.id[1:])


# -- links -------------------------------------------------------------------------------------------------------------

DAYS = 24.0


def two(gap: float, length: float = 20, count: float = 16, first: Traits = NO_TRAITS, then: Traits = NO_TRAITS) -> Run:
    """The first run of two segments with a gap of so many hours between them."""
    return found(one("a", held(0, length, 16, first)), one("b", held(length + gap, 2 * length + gap, count, then)))[0]


@pytest.mark.parametrize(
    ("gap", "length", "count", "linked"),
    [
        (6, 20, 16, True), (6.01, 20, 16, False), (20, 80, 16, True), (20.01, 80, 16, False),
        (72, 400, 16, True), (72.01, 400, 16, False), (6, 20, 64, True), (6, 20, 64.1, False),
    ],
)  # fmt: skip
def test_a_short_gap_is_a_strong_link(gap: float, length: float, count: float, linked: bool) -> None:
    """Six hours or a quarter of what came before, three days at most, at a scale within four times."""
    assert (2 if linked else 1) == len(two(gap, length, count).segments)


@pytest.mark.parametrize(
    ("gap", "first", "then", "strength"),
    [
        (72, JOB, JOB, Strength.STRONG),
        (72.01, JOB, JOB, Strength.WEAK),
        (21 * DAYS, JOB, JOB, Strength.WEAK),
        (21 * DAYS + 0.01, JOB, JOB, None),
        (10, IMAGE, IMAGE, Strength.WEAK),
        (10, Traits(image="i", reservation="r"), Traits(image="i", reservation="r"), Strength.STRONG),
        (10, Traits(nodes=("m", "n")), Traits(nodes=("n", "o")), Strength.WEAK),
        (10, Traits(nodes=("m", "n")), Traits(nodes=("n", "o", "p")), None),
        (5, Traits("z", "j", None, "i"), Traits("z", "k", None, "h"), None),
        (5, Traits("z", "j", "r", "i"), Traits("z", "k", "r", "h"), Strength.WEAK),
        (5, Traits("z", "j", None, "i"), Traits("z", "k", None, "i"), Strength.STRONG),
        (10, IMAGE, Traits(image="other"), None),
    ],
)  # fmt: skip
def test_what_both_share_makes_links(gap: float, first: Traits, then: Traits, strength: Strength | None) -> None:
    """A job, or two kinds, hold over three days; one kind is a weak link for three weeks; other programs are none."""
    run = two(gap, first=first, then=then)
    assert (2 if strength is Strength.STRONG else 1) == len(run.segments)
    assert (1 if strength is not Strength.WEAK else 2) == len(run.chain)


def test_another_family_follows_weakly() -> None:
    """A program that goes on with other chips is a weak link, and only with something shared."""
    first = one("a", held(0, 20, traits=IMAGE))
    shared = found(first, one("b", held(21, 40, traits=IMAGE, hardware=A100)))
    other = found(first, one("b", held(21, 40, hardware=A100)))
    assert [2, 2] == [len(run.chain) for run in shared]
    assert [1, 1] == [len(run.chain) for run in other]


def test_the_best_predecessor_is_taken() -> None:
    """Most shared goes before nearest scale, that before the nearest end; one predecessor has one successor."""
    next_one = one("z", held(22, 40, traits=IMAGE))
    shared, alike, near = one("s", held(0, 18, 40, IMAGE)), one("k", held(0, 18)), one("n", held(0, 21, 20))
    assert ("s", "z") in members(shared, alike, near, next_one)
    assert ("k", "z") in members(alike, near, next_one)
    assert ("n", "z") in members(near, one("o", held(1, 19, 20)), next_one)
    assert [("k", "y"), ("z",)] == members(alike, one("y", held(19, 40)), one("z", held(20, 41)))


def rested(gap: float, stay: float, times: int, count: float = 16) -> list[Run]:
    """The runs of something that stays and rests in turns."""
    step = gap + stay
    return list(found(*(one(f"a{n}", held(n * step, n * step + stay, count)) for n in range(times))))


def test_rhythms() -> None:
    """Gaps that recur at one scale make one run, unless they recur with the hours of the day; two are no rhythm."""
    assert [4] == [len(run.segments) for run in rested(6.1, 20, 4)]
    assert [1, 1, 1] == [len(run.segments) for run in rested(6.1, 20, 3)]
    daily = rested(6, 18, 4)
    assert [1, 1, 1, 1] == [len(run.segments) for run in daily]
    assert {4} == {len(run.chain) for run in daily}
    assert [1] * 4 == [len(run.chain) for run in rested(7, 17, 4)]
    uneven = [(0, 20), (26.1, 46), (56, 76), (90, 110), (116.1, 136)]
    assert [1] * 5 == [
        len(run.segments) for run in found(*(one(f"a{n}", held(*stay)) for n, stay in enumerate(uneven)))
    ]


def test_large_scales_are_alike_for_a_reason() -> None:
    """At 128 accelerators or more one scale is a weak link over three days; below it is none."""
    assert [2, 2] == [len(run.chain) for run in rested(30, 20, 2, 128)]
    assert [1, 1] == [len(run.chain) for run in rested(30, 20, 2, 127)]
    assert [1, 1] == [len(run.chain) for run in rested(73, 20, 2, 128)]


def test_why_segments_are_one_run_is_counted() -> None:
    """A run tells its reasons with their numbers."""
    assert {"the gap is short for what came before": 1} == two(1).links_by_reason
    assert {"the same gap recurs at one scale, in no rhythm of days": 3} == rested(6.1, 20, 4)[0].links_by_reason


# -- ranges and FLOP ---------------------------------------------------------------------------------------------------


def test_three_nested_ranges() -> None:
    """A run, its chain over weak links, and all chains of that time."""
    first, second = one("a", held(0, 20, traits=IMAGE)), one("b", held(40, 60, traits=IMAGE))
    beside, later = one("c", held(50, 70, 64)), one("d", held(500, 520, 64))
    run = found(first, second, beside, later)[0]
    assert ("a",) == run.allocations
    assert 2 == len(run.chain)
    assert 2 == run.concurrent
    twenty = run.flop.central
    assert run.flop_chain.central in (2 * twenty, 2 * twenty + 1)
    assert run.flop_concurrent.central // (twenty // 10) in (59, 60)


def test_classes_count_in_their_bounds() -> None:
    """Certain time is in every bound, presumed time not in low, open time in high and ceiling only."""
    certain, presumed, open_time = (
        found(one("a", held(0, 20, usage_class=usage_class)))[0].flop for usage_class in (CERTAIN, PRESUMED, OPEN)
    )
    assert 0 < certain.low < certain.central < certain.high < certain.ceiling
    assert (0, certain.central, certain.high, certain.ceiling) == presumed
    assert (0, 0, certain.high, certain.ceiling) == open_time


def test_unknown_hardware_is_between_nothing_and_the_fastest() -> None:
    """A name that nobody knows makes segments, with low 0; of the usage by the hour."""
    (run,) = found(one("a", held(0.5, 2.25, hardware="Quux 9000")))
    assert run.flop.low == 0 < run.flop.central <= run.flop.high


def test_measured_time_counts_as_measured() -> None:
    """What the provider measured inside a segment replaces the prior there, and is told with its activity."""
    stay = held(0, 20, 16)
    halves = [Measurement(stay.shape, stay.start - HOUR_MS, stay.start + 10 * HOUR_MS, 16_000, 400_000, 1_830_000)]
    plain = [halves[0]._replace(clock_khz=None)]
    (unseen,), (seen,), (clockless,) = (found(one("a", stay, measured=how)) for how in ((), halves, plain))
    (segment,) = seen.segments
    assert (10 * HOUR_MS * 16_000, 400_000) == (segment.measured_us, segment.active_us_ppm // segment.measured_us)
    assert unseen.flop.low < seen.flop.low
    assert abs(clockless.flop.central - seen.flop.central) * 100 < seen.flop.central
    apart = [halves[0]._replace(start=stay.end + 1, end=stay.end + 2)]
    assert unseen.flop == found(one("a", stay, measured=apart))[0].flop


SPANS = st.tuples(st.integers(0, 300), st.integers(1, 60))
TRAITS = st.builds(
    Traits,
    zone=st.none(),
    job=st.sampled_from([None, "j", "k"]),
    reservation=st.sampled_from([None, None, "r"]),
    image=st.sampled_from([None, "i", "h"]),
)


@st.composite
def holdings(draw: st.DrawFn) -> list[Holding]:
    """Some allocations with one or two stays, of few sizes, so that they meet."""
    made = []
    for number in range(draw(st.integers(1, 12))):
        start, length = draw(SPANS)
        traits, count = draw(TRAITS), draw(st.sampled_from([8, 16, 40, 128]))
        hardware, fabric = draw(st.sampled_from([H100, A100, "Quux 9000"])), draw(st.sampled_from(["f", "g"]))
        usage_class = draw(st.sampled_from([CERTAIN, PRESUMED, OPEN]))
        stays = [held(start, start + length, count, traits, fabric, hardware)]
        if draw(st.booleans()):
            begin = start + length + draw(st.integers(0, 30))
            stays.append(held(begin, begin + 9, count, draw(TRAITS), fabric, hardware, usage_class))
        if draw(st.integers(0, 5)) == 5:  # begun as a machine without accelerators
            stays[0] = stays[0]._replace(shape=shape_of("eu", fabric, "m5.large", INSTANCE))
        measured = []
        if draw(st.booleans()):
            measured = [
                Measurement(stays[0].shape, stays[0].start, stays[0].end, stays[0].count, draw(PPM_DRAWN), None)
            ]
        made.append(Holding(f"a{number}", stays, measured))
    return made


PPM_DRAWN = st.integers(0, 1_000_000)


@given(holdings(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_holdings_does_not_matter(made: list[Holding], random: Random) -> None:
    """The same set gives the same runs, however it comes."""
    mixed = list(made)
    random.shuffle(mixed)
    assert runs("t", made, ESTIMATOR, NOW) == runs("t", mixed, ESTIMATOR, NOW)


@given(holdings())
@settings(max_examples=60)
def test_each_range_holds_the_one_before(made: list[Holding]) -> None:
    """A run is no more than its chain, that no more than all chains of its time, and no time is in two runs."""
    found_runs = runs("t", made, ESTIMATOR, NOW)
    for run in found_runs:
        for inner, outer in ((run.flop, run.flop_chain), (run.flop_chain, run.flop_concurrent)):
            assert all(part <= whole for part, whole in zip(inner, outer, strict=True))
        assert len(run.links) == len(run.segments) - 1
        assert all(link.strength is Strength.STRONG for link in run.links)
    parts = [part[:3] for run in found_runs for one in run.segments for part in one.parts]
    assert len(parts) == len(set(parts))


TABLE = """
0 start a accelerator=H100-SXM5-80GB count=16 fabric=f lease=3600
0 start b accelerator=A100-SXM4-80GB count=64 fabric=f
1800 telemetry a window=1800 active=0.9 clock=1830 observer=provider
7200 seen a
9000 telemetry a window=600 active=0 clock=1830 observer=provider
40000 stop b
60000 start b
90000 start c accelerator=Quux count=200
"""


def test_no_run_is_more_than_its_tenant() -> None:
    """The largest chain, and all of them together, are no more than the tenant's total, on every bound."""
    taken = Taken(TABLE)
    (tenant,) = answer(taken.book, reference(), BASE_MS + 200_000_000, taken.archive).tenants
    assert 3 == len(tenant.runs)
    together = total(run.flop for run, _ in tenant.runs)
    assert all(part <= whole for part, whole in zip(together, tenant.flop, strict=True))
    assert Bounds(*tenant.flop) == tenant_answers(taken.book, reference(), BASE_MS + 200_000_000, taken.archive)[0].flop


# -- kept up with events -----------------------------------------------------------------------------------------------


def nested(found_runs: Sequence[Run]) -> None:
    """The three ranges of each run lie in each other, on every bound."""
    whole = total(run.flop for run in found_runs)
    for run in found_runs:
        for inner, outer in ((run.flop, run.flop_chain), (run.flop_chain, run.flop_concurrent), (run.flop, whole)):
            assert all(part <= all_of_it for part, all_of_it in zip(inner, outer, strict=True))


@st.composite
def steps(draw: st.DrawFn) -> list[list[Holding]]:
    """Holdings of a few allocations, and what becomes of them step by step: longer, more, others, or nothing at all."""
    first = draw(holdings())
    known, made = {one.allocation: one for one in first}, [first]
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.integers(0, 3)) == 0:
            step = draw(holdings())
        else:
            step = [_moved(draw, known[name]) for name in draw(st.sets(st.sampled_from(sorted(known)), min_size=1))]
        known.update({one.allocation: one for one in step})
        made.append(step)
    return made


def _moved(draw: st.DrawFn, holding: Holding) -> Holding:
    """The same holding with an end that is later or earlier, with another count from some time on, or gone."""
    if not holding.held or draw(st.integers(0, 7)) == 0:
        return holding._replace(held=(), measurements=())
    *earlier, last = holding.held
    end = max(last.start + HOUR_MS, last.end + draw(st.integers(-20, 40)) * HOUR_MS)
    stays = [*earlier, last._replace(end=end)]
    if draw(st.booleans()):
        count = draw(st.sampled_from([8_000, 16_000, 40_000]))
        stays.append(last._replace(start=end, end=end + draw(st.integers(1, 30)) * HOUR_MS, count=count))
    return Holding(holding.allocation, stays, ())


@given(steps())
@settings(max_examples=60, deadline=None)
def test_kept_up_is_as_from_scratch(made: list[list[Holding]]) -> None:
    """After any updates in any order the runs are those of all holdings as they are now."""
    kept, known = TenantRuns("t", ESTIMATOR, NOW), dict[str, Holding]()
    for step in made:
        before = {run.id: run for run in kept.runs()}
        kept.update(step)
        known.update({holding.allocation: holding for holding in step})

        now_found = runs("t", known.values(), ESTIMATOR, NOW)
        assert now_found == kept.runs()
        changed = {run.id for run in kept.changed()}
        for run in now_found:
            was = before.get(run.id)
            if was is None or (was.segments, was.links, was.flop) != (run.segments, run.links, run.flop):
                assert run.id in changed
        nested(now_found)


def test_a_segment_that_grows_may_follow_another_one() -> None:
    """What is still held may come to a scale at which another predecessor was nearer when it began."""
    small, large = one("s", held(0, 10, 16)), one("l", held(0, 10, 60))
    kept = TenantRuns("t", ESTIMATOR, NOW)
    kept.update([small, large, one("z", held(12, 20, 16))])
    assert [("l",), ("s", "z")] == sorted(run.allocations for run in kept.runs())

    kept.update([one("z", held(12, 20, 16), held(20, 60, 70))])

    assert [("l", "z"), ("s",)] == sorted(run.allocations for run in kept.runs())


def test_of_a_chain_only_the_later_runs_have_changed() -> None:
    """What was before a change, and at another scale, stays as it was told."""
    kept, counts = TenantRuns("t", ESTIMATOR, NOW), (16, 16, 24, 16)
    kept.update([one(f"a{n}", held(30 * n, 30 * n + 20, count, IMAGE)) for n, count in enumerate(counts)])
    kept.update([one("a3", held(90, 120, 16, IMAGE))])

    assert [4] * 4 == [len(run.chain) for run in kept.runs()]
    assert ("a0",) not in [run.allocations for run in kept.changed()]
    assert ("a3",) in [run.allocations for run in kept.changed()]


@pytest.mark.parametrize("seed", range(6))
def test_kept_up_through_many_changes(seed: int) -> None:
    """A long life of one tenant, drawn once for all: whatever grows, moves or goes, runs are as from scratch."""
    chance, known = Random(seed), dict[str, Holding]()
    kept = TenantRuns("t", ESTIMATOR, NOW)
    traits = (NO_TRAITS, JOB, IMAGE, Traits(image="i", reservation="r"), Traits(nodes=("m", "n")))
    for _ in range(60):
        changed = []
        for name in chance.sample("abcdefghij", chance.randint(1, 3)):
            start = 6 * chance.randint(0, 60)
            stays = held(
                start, start + chance.choice((4, 18, 24, 90)), chance.choice((8, 16, 40, 64)), chance.choice(traits)
            )
            gone = name in known and chance.random() < 0.2
            changed.append(one(name) if gone else one(name, stays))
        kept.update(changed)
        known.update({holding.allocation: holding for holding in changed})

        assert runs("t", known.values(), ESTIMATOR, NOW) == kept.runs()
