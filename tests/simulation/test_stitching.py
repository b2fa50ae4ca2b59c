"""Tests of the scenarios that try the stitching of runs: they keep the contract and the figures that they cite."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import islice, pairwise
from typing import Any, NamedTuple

import pytest

from bench.holdings import HeldStretch, held_by_tenant, used_by_allocation
from monitor.core.model import Record
from monitor.intake.decode import Rules, decode
from monitor.simulate.launches import BARE
from monitor.simulate.scenarios import STITCHING, simulate

HOUR, DAY = 3_600_000, 86_400_000
JITTER = 4 * 60_000  # of the starts of one launch
STATED = {"job", "image_digest", "reservation", "nodes"}
NAMES = [name + suffix for name in sorted(STITCHING) for suffix in ("", BARE)]
RUNS = sorted(name for name in STITCHING if name.startswith("run-"))
OTHERS = sorted(set(STITCHING) - set(RUNS))


class Played(NamedTuple):
    """One scenario as its lines, its truth and what was held."""

    lines: tuple[bytes, ...]
    truth: dict[str, Any]
    held: dict[str, list[HeldStretch]]

    def tenant(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = self.truth["tenants"][name]
        return told

    def starts(self) -> list[dict[str, Any]]:
        events = (json.loads(line) for line in self.lines if b".started." in line)
        return [event["data"] for event in events]


@cache
def played(scenario: str) -> Played:
    simulation = simulate(scenario)
    lines = tuple(simulation.events())
    truth: Any = simulation.truth
    return Played(lines, truth, held_by_tenant(lines))


class Stretch(NamedTuple):
    """One launch of a run as the events tell it: from the first start to the last end, whole accelerators."""

    start: int
    end: int
    accelerators: int


def launches(scenario: str, tenant: str, name: str = "") -> list[Stretch]:
    """The launches of one run, told apart by their starts."""
    one = played(scenario)
    runs = {run["name"]: set(run["allocations"]) for run in one.tenant(tenant)["runs"]}
    own = runs[name or tenant]
    mine = sorted((held for held in one.held[tenant] if held.allocation in own), key=lambda held: held.start)
    groups: list[list[HeldStretch]] = []
    for held in mine:
        if groups and held.start - groups[-1][0].start < JITTER:
            groups[-1].append(held)
        else:
            groups.append([held])
    return [
        Stretch(group[0].start, max(held.end for held in group), sum(held.thousandths for held in group) // 1000)
        for group in groups
    ]


def gaps(some: Sequence[Stretch]) -> list[int]:
    return [later.start - earlier.end for earlier, later in pairwise(some)]


def lengths(some: Sequence[Stretch]) -> list[int]:
    return [one.end - one.start for one in some]


def hours(scenario: str, tenant: str, run: int = 0) -> float:
    """Accelerator-hours of a run."""
    accelerator_us: int = played(scenario).tenant(tenant)["runs"][run]["accelerator_us"]
    return accelerator_us / 3_600_000_000


@pytest.mark.parametrize("scenario", NAMES)
def test_events_pass_intake(scenario: str) -> None:
    """Every line is accepted, nothing in it is unknown, and no identity and no order is broken."""
    lines = played(scenario).lines
    records = [Record("events", 0, offset, offset + 1, line.rstrip(b"\n"), None) for offset, line in enumerate(lines)]
    decoded = decode(records, Rules())
    times = [observation.time for observation in decoded.observations]
    identities = {(observation.source, observation.id) for observation in decoded.observations}

    assert ([], {}, {}) == (decoded.rejected, decoded.ignored, decoded.unknown_fields)
    assert len(lines) == len(identities)
    assert times == sorted(times)


@pytest.mark.parametrize("scenario", sorted(STITCHING))
def test_a_seed_decides_everything(scenario: str) -> None:
    """A seed gives the same bytes again, and another seed gives others."""
    first = list(played(scenario).lines[:1_000])

    assert first == list(islice(simulate(scenario, seed=1).events(), 1_000))
    assert first != list(islice(simulate(scenario, seed=2).events(), 1_000))


@pytest.mark.parametrize("scenario", sorted(STITCHING))
def test_truth_is_what_was_held(scenario: str) -> None:
    """The truth of tenants and runs is a plain sum over their allocations, and no allocation is of two runs."""
    one = played(scenario)
    for tenant, told in one.truth["tenants"].items():
        used = used_by_allocation(one.held[tenant])
        assert sum(used.values()) == sum(told["accelerator_us"].values())
        for run in told["runs"]:
            assert run["accelerator_us"] == sum(used[allocation] for allocation in run["allocations"])
        owners = Counter(allocation for run in told["runs"] for allocation in run["allocations"])
        assert {1} >= set(owners.values())


@pytest.mark.parametrize("scenario", sorted(STITCHING))
def test_only_the_evidence_differs(scenario: str) -> None:
    """With and without evidence the same is held for the same time; only the one says job, image or reservation."""
    stated, bare = played(scenario), played(scenario + BARE)

    assert {tenant: sorted(held) for tenant, held in stated.held.items()} == {
        tenant: sorted(held) for tenant, held in bare.held.items()
    }
    assert all(STATED & set(start) for start in stated.starts())
    assert not any(STATED & set(start) for start in bare.starts())


@pytest.mark.parametrize("scenario", sorted(STITCHING))
def test_who_has_a_run(scenario: str) -> None:
    """In a scenario of runs every tenant has one, in the others nobody has."""
    has = {bool(told["runs"]) for told in played(scenario).truth["tenants"].values()}

    assert {scenario in RUNS} == has


def test_opt175b_is_as_in_its_chronicles() -> None:
    """90 restarts in 56 days on 124 nodes of 8, up 59 per cent of the time, the holes and the records included."""
    found = launches("run-opt175b", "opt175b")
    span = found[-1].end - found[0].start
    nodes = {node for start in played("run-opt175b").starts() for node in start["nodes"]}
    records, holes = sorted(lengths(found))[-3:], sorted(gaps(found))[-2:]

    assert (91, {992}) == (len(found), {one.accelerators for one in found})
    assert 56.0 == pytest.approx(span / DAY, abs=0.3)
    assert 0.59 == pytest.approx(sum(lengths(found)) / span, abs=0.01)
    assert pytest.approx([1.5, 2.0, 2.8], abs=0.01) == [length / DAY for length in records]
    assert pytest.approx([1.5, 2.0], abs=0.01) == [gap / DAY for gap in holes]
    assert len(nodes) == 124 + 18


def test_lucie7b_is_jobs_of_twenty_hours() -> None:
    """54 jobs on 512 accelerators of 20 hours at most, 550,000 accelerator-hours, never six hours apart."""
    found = launches("run-lucie7b", "lucie7b")

    assert (54, {512}) == (len(found), {one.accelerators for one in found})
    assert max(lengths(found)) < 20 * HOUR + 60_000
    assert max(gaps(found)) < 6 * HOUR
    assert pytest.approx(550_000, rel=0.001) == hours("run-lucie7b", "lucie7b")


def test_palm540b_halves() -> None:
    """6,144 accelerators for 1,200 hours and then 3,072 for 336."""
    found = launches("run-palm540b", "palm540b")
    held: Counter[int] = Counter()
    for one in found:
        held[one.accelerators] += one.end - one.start

    assert [6_144] * 10 + [3_072] * 3 == [one.accelerators for one in found]
    assert pytest.approx({6_144: 1_200.0, 3_072: 336.0}, rel=0.001) == {key: ms / HOUR for key, ms in held.items()}
    assert pytest.approx(8_404_990, rel=0.001) == hours("run-palm540b", "palm540b")


def test_nemotron15b_triples() -> None:
    """768 accelerators for 0.8 day, 1,536 for 0.4 and 2,304 for 11.9."""
    found = launches("run-nemotron15b", "nemotron15b")
    held: Counter[int] = Counter()
    for one in found:
        held[one.accelerators] += one.end - one.start

    assert sorted(one.accelerators for one in found) == [one.accelerators for one in found]
    assert pytest.approx({768: 0.8, 1_536: 0.4, 2_304: 11.9}, rel=0.01) == {key: ms / DAY for key, ms in held.items()}


def test_bloom176b_crashes() -> None:
    """384 accelerators for 2,820 hours, a crash after ten days, a maintenance the day after, and some each week."""
    found = launches("run-bloom176b", "bloom176b")
    nodes = {node for start in played("run-bloom176b").starts() for node in start["nodes"]}

    assert {384} == {one.accelerators for one in found}
    assert pytest.approx([10.0, 1.0], abs=0.01) == [length / DAY for length in lengths(found)[:2]]
    assert pytest.approx(8.0, abs=0.1) == gaps(found)[1] / HOUR
    assert 14 <= len(found) <= 20
    assert 52 == len(nodes)
    assert pytest.approx(384 * 2_820, rel=0.001) == hours("run-bloom176b", "bloom176b")


def test_kalos_is_mostly_short_jobs() -> None:
    """About half of the jobs of the run last under six minutes, none over 7.2 days, and small ones are beside them."""
    one = played("run-kalos")
    own = set(one.tenant("kalos")["runs"][0]["allocations"])
    run = [held for held in one.held["kalos"] if held.allocation in own]
    small = [held for held in one.held["kalos"] if held.allocation not in own]

    assert 0.4 < sum(held.end - held.start < 360_000 for held in run) / len(run) < 0.6
    assert max(held.end - held.start for held in run) < 625_742_000
    assert len(small) > 5 * len(run)
    assert max(held.thousandths for held in small) <= 64_000


def test_intellect1_is_single_nodes() -> None:
    """At most 14 nodes of 8, each on a network of its own, in five countries, for 42 days."""
    starts = played("run-intellect1").starts()
    held = played("run-intellect1").held["intellect1"]
    countries = {"us" if start["region"].startswith("us-") else start["region"] for start in starts}

    assert {8} == {start["count"] for start in starts}
    assert 14 == len({start["fabric"] for start in starts})
    assert 5 == len(countries)
    assert pytest.approx(42.0, abs=0.01) == (max(one.end for one in held) - min(one.start for one in held)) / DAY
    assert 112 == played("run-intellect1").tenant("intellect1")["runs"][0]["accelerators"]


def test_parallel_runs_are_of_one_size() -> None:
    """Two runs of 512 accelerators overlap for thirty days in one fabric."""
    starts = played("run-parallel").starts()
    found = [launches("run-parallel", "parallel", name) for name in ("model-1", "model-2")]

    assert [{512}, {512}] == [{one.accelerators for one in each} for each in found]
    assert found[1][-1].end - found[1][0].start > 30 * DAY
    assert found[0][0].start < found[1][0].start < found[1][-1].end < found[0][-1].end
    assert 1 == len({start["fabric"] for start in starts})


def test_fabrics_are_launched_together() -> None:
    """A third of each launch is in each of three fabrics."""
    found = launches("run-fabrics", "fabrics")
    by_fabric = Counter(start["fabric"] for start in played("run-fabrics").starts())

    assert {768} == {one.accelerators for one in found}
    assert (3, {32 * len(found)}) == (len(by_fabric), set(by_fabric.values()))


def test_six_tenants_hold_one_run() -> None:
    """Six tenants start 128 accelerators each at the same times, with one image, as parts of one run."""
    truth = played("run-six").truth["tenants"]
    images = {start["image_digest"] for start in played("run-six").starts()}
    found = [launches("run-six", tenant, "six") for tenant in truth]

    assert (6, 1) == (len(truth), len(images))
    assert {128} == {one.accelerators for each in found for one in each}
    for parts in zip(*found, strict=True):
        assert max(part.start for part in parts) - min(part.start for part in parts) < JITTER


def test_the_evader_rests() -> None:
    """After every 20 hours it rests for 6.1."""
    found = launches("run-evader", "evader")

    assert pytest.approx([20.0] * len(found), abs=0.01) == [length / HOUR for length in lengths(found)]
    assert pytest.approx([6.1] * (len(found) - 1), abs=0.01) == [gap / HOUR for gap in gaps(found)]


def test_experiments_are_runs_of_their_own() -> None:
    """73 runs in a year, each with an image of its own, the longest of two and a half days."""
    starts = played("run-experiments").starts()
    held = played("run-experiments").held["experiments"]
    runs = played("run-experiments").tenant("experiments")["runs"]

    assert (73, 73) == (len(runs), len({start["image_digest"] for start in starts}))
    assert max(one.end - one.start for one in held) <= 2.5 * DAY + 1_000
    assert max(one.start for one in held) - min(one.start for one in held) > 350 * DAY


def most_at_once(held: Sequence[HeldStretch], after: int) -> tuple[int, int]:
    """The most allocations, and the accelerators, held at one instant, looked at every hour from `after` on."""
    last = max(one.end for one in held)
    instants = range(after, last, HOUR)
    counts = [[one.thousandths for one in held if one.start <= now < one.end] for now in instants]
    return max(len(some) for some in counts), max(sum(some) for some in counts) // 1000


def test_serving_follows_the_day() -> None:
    """256 accelerators for 18 hours a day."""
    held = played("other-serving").held["serving"]

    assert ({256_000}, 60) == ({one.thousandths for one in held}, len(held))
    assert pytest.approx([18.0] * 60, abs=0.1) == [(one.end - one.start) / HOUR for one in held]


def test_equal_instances_begin_together() -> None:
    """660 instances of one accelerator begin within ten minutes, and as many are held at the end."""
    held = played("other-equal").held["equal"]
    first = min(one.start for one in held)

    assert {1_000} == {one.thousandths for one in held}
    assert 660 == sum(one.start - first < 10 * 60_000 for one in held)
    assert 640 <= len(played("other-equal").tenant("equal")["open"]) <= 660


def test_small_jobs_hold_two_thousand() -> None:
    """Some 460 jobs of eight accelerators at most hold nearly 2,000 at once."""
    held = played("other-small-jobs").held["small-jobs"]
    jobs, accelerators = most_at_once(held, min(one.start for one in held) + 3 * DAY)

    assert max(one.thousandths for one in held) <= 8_000
    assert 450 <= jobs <= 460
    assert 1_900 <= accelerators <= 2_000


def test_render_is_at_night() -> None:
    """Shots of four accelerators, none between eight in the morning and six in the evening."""
    one = played("other-render")
    hours_of_day = {held.start % DAY // HOUR for held in one.held["render"]}

    assert {4_000} == {held.thousandths for held in one.held["render"]}
    assert not hours_of_day & set(range(8, 18))


def test_nightly_is_every_night() -> None:
    """128 accelerators for about four hours, from two o'clock, on 90 nights."""
    held = played("other-nightly").held["nightly"]

    assert (90, {128_000}) == (len(held), {one.thousandths for one in held})
    assert {2} == {one.start % DAY // HOUR for one in held}
    assert all(3.7 < (one.end - one.start) / HOUR < 4.3 for one in held)


def test_the_pool_is_nodes_for_months() -> None:
    """128 nodes of eight, of which the provider sees nothing but nodes, held for 120 days; failed ones are replaced."""
    held = played("other-pool").held["pool"]
    starts = played("other-pool").starts()
    first = min(one.start for one in held)

    assert ({8_000}, {"node"}) == ({one.thousandths for one in held}, {start["layer"] for start in starts})
    assert not any({"job", "image_digest"} & set(start) for start in starts)
    assert 128 == sum(one.start - first < HOUR for one in held) < len(held) < 160
    assert pytest.approx(120.0, abs=0.1) == (max(one.end for one in held) - first) / DAY
