"""Training runs: of large customers that say who they are, of a company of concern, and one split over six tenants.

A run is many allocations: nodes fail and are swapped, everything stops and is launched again days later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from operator import itemgetter
from random import Random
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS, Kind
from monitor.simulate.companies import CONCERN, CONCERN_PARENT, LARGE, SHELLS
from monitor.simulate.fleet import (
    AP_SOUTH,
    EU_NORTH,
    EU_WEST,
    MINUTE_MS,
    PPM,
    US_EAST,
    WHOLE,
    Allocation,
    Event,
    Fleet,
    Member,
    Run,
    odd,
    resized,
    started,
    stopped,
)
from monitor.simulate.hardware import A2_ULTRA, H100, H100_LABEL, ND_H100, ND_MI300X, P5
from monitor.simulate.profiles import Order, majority, profile, reservation


class Training(NamedTuple):
    """One training run of a tenant, or its part of one.

    Each node is an allocation of `units` thousandths. `launches` fixes when each attempt begins and ends, so that parts
    of one run move together. `paused`: it once stands still for a quarter of a day, held at a count of 0.
    """

    run: Run
    member: Member
    nodes: int
    units: int
    launches: list[tuple[int, int]]  # (start, end) of each attempt
    paused: bool
    stated: dict[str, object]
    measured: int  # nodes that the provider measures


SM_CLOCK_MHZ = 1755
STATED_CLOCK_MHZ = 1830  # at which an H100 reaches the dense rate of the catalogue
RECOMPUTED = 1.15  # executed FLOP for each FLOP of the model
WINDOW_SECONDS = 3600


def attempts(rng: Random, start: int, end: int, mean_days: float) -> list[tuple[int, int]]:
    """When each attempt of a run begins and ends: days long, with a failure and up to two hours between two."""
    found = []
    time = start
    while time < end - DAY_MS:
        length = max(DAY_MS, min(12 * DAY_MS, int(rng.expovariate(1 / (mean_days * DAY_MS)))))
        stop = min(time + length, end)
        found.append((time, stop))
        time = stop + rng.randrange(10, 120) * MINUTE_MS
    return found


def train(fleet: Fleet, training: Training) -> None:
    """Let a run take place."""
    member, run = training.member, training.run
    member.runs.append(run)
    # A node that is swapped out is gone before its successor starts, so nodes times units is the most ever held.
    fleet.provide(member.place, run.hardware, training.nodes * training.units)
    fleet.add(_attempts(training))


def _attempts(training: Training) -> Iterator[Event]:
    """All attempts, one after another; which nodes take part changes a little from one to the next."""
    rng = training.member.rng
    nodes = list(range(training.nodes))
    fresh = count(training.nodes)
    for attempt, (start, end) in enumerate(training.launches):
        for _ in range(min(attempt, 2)):
            nodes[rng.randrange(len(nodes))] = next(fresh)
        paused = training.paused and attempt == 1
        yield from sorted(_attempt(training, attempt, nodes, fresh, start, end, paused), key=itemgetter(0))


def _attempt(
    training: Training, attempt: int, nodes: list[int], fresh: Iterator[int], start: int, end: int, paused: bool
) -> Iterator[Event]:
    """One attempt, in no order: launch, telemetry, swaps of failed nodes or a pause, and the end within a minute."""
    rng = training.member.rng
    held = [_node(training, attempt, node) for node in nodes]
    for allocation in held:
        yield started(odd(rng, start + rng.randrange(3 * MINUTE_MS)), allocation, training.units)
    if paused:
        yield from _pause(training, held, (start + end) // 2)
    else:
        for allocation in held[: training.measured]:
            yield from _measured(training, allocation, start + HOUR_MS, end)
        for index in range(training.measured, len(held), 1 + len(held) // 2):
            failed = rng.randrange(start + 2 * HOUR_MS, end - 2 * HOUR_MS)
            yield stopped(odd(rng, failed), held[index], "node failed")
            nodes[index] = next(fresh)
            held[index] = _node(training, attempt, nodes[index])
            later = failed + rng.randrange(5, 20) * MINUTE_MS
            yield started(odd(rng, later), held[index], training.units)
    for allocation in held:
        yield stopped(odd(rng, end + rng.randrange(MINUTE_MS)), allocation, "job ended")


def _node(training: Training, attempt: int, node: int) -> Allocation:
    member, run = training.member, training.run
    name = f"{run.name}-{attempt}-n{node:04d}"
    stated = {**training.stated, "job": f"{run.name}-{attempt}", "nodes": [f"n{node:04d}"]}
    return Allocation(member, name, run.hardware, member.place, run, stated)


def _pause(training: Training, held: Iterable[Allocation], middle: int) -> Iterator[Event]:
    """Everything stands still for a quarter of a day, held at a count of 0."""
    rng = training.member.rng
    for allocation in held:
        yield resized(odd(rng, middle - 3 * HOUR_MS + rng.randrange(MINUTE_MS)), allocation, 0)
        yield resized(odd(rng, middle + 3 * HOUR_MS + rng.randrange(MINUTE_MS)), allocation, training.units)


def _measured(training: Training, allocation: Allocation, start: int, end: int) -> Iterator[Event]:
    """What the provider measures of a node: one hour in six."""
    rng, run, place = training.member.rng, training.run, training.member.place
    executed = run.utilisation_ppm / PPM * RECOMPUTED * STATED_CLOCK_MHZ / SM_CLOCK_MHZ
    for time in range(start + HOUR_MS, end, 6 * HOUR_MS):
        active = round(min(0.99, executed * rng.uniform(0.97, 1.03)), 4)
        data: dict[str, object] = {
            "tenant": training.member.name,
            "allocation": allocation.name,
            "window_seconds": WINDOW_SECONDS,
            "observer": "provider",
            "accelerators_covered": training.units * run.hardware.per_unit // (WHOLE * WHOLE),
            "tensor_active": active,
            "sm_active": round(rng.uniform(0.85, 0.95), 3),
            "gpu_util": round(rng.uniform(0.97, 1.0), 3),
            "dram_active": round(rng.uniform(0.25, 0.35), 3),
            "sm_clock_mhz": SM_CLOCK_MHZ + rng.randrange(-15, 16),
            "power_watts": rng.randrange(590, 680),
        }
        yield Event(odd(rng, time), Kind.TELEMETRY, place.telemetry_source, allocation.name, data)


def large_honest(fleet: Fleet, number: int) -> None:
    """A large customer that says who it is: a pool of blocks for the whole time and a training run of its own."""
    place = (EU_WEST, US_EAST, EU_NORTH)[number % 3]
    member = fleet.member("large_honest", place)
    profile(fleet, member, LARGE[number % len(LARGE)], "documented")
    pool, trained = ((ND_H100, H100), (P5, P5), (ND_MI300X, A2_ULTRA))[number % 3]
    for block in range(8):
        fleet.provide(place, pool, 16 * WHOLE)
        fleet.add(_block(fleet.start, member, Allocation(member, f"pool-block-{block}", pool, place)))
    start = fleet.start + (5 + 3 * (number % 3)) * DAY_MS
    launches = attempts(member.rng, start, start + 35 * DAY_MS, 8.0)
    units = 8 * WHOLE
    stated: dict[str, object] = {"reservation": f"r-{member.name}", "purpose": "training"}
    run = Run(f"foundation-{number + 1}", trained, member.rng.randrange(280_000, 400_000))
    nodes = 8 if trained.instance else 64
    measured = 1 if trained.accelerator == H100.accelerator else 0
    train(fleet, Training(run, member, nodes, units, launches, False, stated, measured))
    order = Order(f"r-{member.name}", trained, nodes * units, start, start + 35 * DAY_MS)
    fleet.add(reservation(member, order, start - 2 * DAY_MS, "granted"))
    unwanted = Order(f"r-{member.name}-b", trained, nodes * units, start + 40 * DAY_MS, start + 80 * DAY_MS)
    fleet.add(reservation(member, unwanted, start + 20 * DAY_MS, "cancelled"))


def _block(start: int, member: Member, allocation: Allocation) -> Iterator[Event]:
    """A block of 16 machines, held for good, resized once a week."""
    time = odd(member.rng, start + member.rng.randrange(HOUR_MS))
    yield started(time, allocation, 16 * WHOLE)
    for week in count(1):
        units = member.rng.randrange(12, 17) * WHOLE
        yield resized(odd(member.rng, time + week * 7 * DAY_MS), allocation, units)


def frontier(fleet: Fleet, nodes: int = 256) -> None:
    """A company headquartered in China trains a large model on 8 H100 a node, and says who it is."""
    member = fleet.member("frontier", EU_NORTH, "orchid-compute", of_concern=True)
    profile(fleet, member, CONCERN, "documented")
    majority(fleet, member.rng, CONCERN, CONCERN_PARENT)
    start = fleet.start + DAY_MS
    end = max(fleet.end, start + 50 * DAY_MS)
    stated: dict[str, object] = {
        "reservation": "r-orchid-1",
        "network_gbit_s": 3200,
        "layer": "node",
        "image_digest": f"sha256:{member.rng.getrandbits(256):064x}",
        "purpose": "training",
    }
    run = Run("orchid-large", H100, 330_000)
    launches = attempts(member.rng, start, end, 5.0)
    train(fleet, Training(run, member, nodes, 8 * WHOLE, launches, True, stated, 2))
    order = Order("r-orchid-1", H100, nodes * 8 * WHOLE, start, end)
    fleet.add(reservation(member, order, fleet.start + HOUR_MS, "granted"))


def split(fleet: Fleet, nodes: int = 16) -> None:
    """One run over six tenants that nobody has verified: the same image, launched within minutes of each other."""
    rng = Random(f"{fleet.seed}/split")
    image = f"sha256:{rng.getrandbits(256):064x}"
    start = fleet.start + 12 * DAY_MS
    launches = attempts(rng, start, start + 40 * DAY_MS, 7.0)
    for number, company in enumerate(SHELLS):
        member = fleet.member("split", (US_EAST, AP_SOUTH)[number % 2], of_concern=True)
        profile(fleet, member, company, "claimed")
        run = Run("split-run", H100_LABEL, 310_000)
        stated: dict[str, object] = {"image_digest": image, "layer": "node"}
        train(fleet, Training(run, member, nodes, 8 * WHOLE, launches, False, stated, 0))
