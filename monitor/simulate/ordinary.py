"""Tenants that nobody need look at, and two of whom too little is known: each function adds one to a fleet.

A process is a generator of events in the order of their times. It never ends by itself where the tenant goes on: the
fleet stops listening at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import cos, pi
from random import Random

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS
from monitor.simulate.companies import ORDINARY, UNRESOLVED
from monitor.simulate.fleet import (
    AP_SOUTH,
    MINUTE_MS,
    PLACES,
    US_EAST,
    WHOLE,
    Allocation,
    Event,
    Fleet,
    Member,
    odd,
    resized,
    seen,
    started,
    stopped,
)
from monitor.simulate.hardware import (
    A2_ULTRA,
    A100,
    A100_LABEL,
    G6,
    H100,
    H100_LABEL,
    L4,
    L40S,
    P5,
    T4,
    TPU_V5E,
    Hardware,
)
from monitor.simulate.profiles import blank_profile, profile


def quiet(fleet: Fleet, number: int) -> None:
    """A handful of small allocations that last for weeks; some report every hour, some of those with a lease."""
    place = PLACES[number % len(PLACES)]
    member = fleet.member("quiet", place)
    profile(fleet, member, ORDINARY[number % len(ORDINARY)], "documented")
    hardware = (L4, A100, T4, L40S)[number % 4]
    for serial in range(1, member.rng.randrange(2, 5)):
        units = member.rng.choice((250, 500, 1000, 2000, 4000, 8000)) if hardware is not A100 else 8000
        fleet.provide(place, hardware, units)
        heartbeat = serial == 1 and number % 3 == 0
        lease_seconds = 5400 if number % 2 == 0 else None
        fleet.add(_long(fleet, member, f"workstation-{serial}", hardware, units, heartbeat, lease_seconds))


def _long(
    fleet: Fleet,
    member: Member,
    name: str,
    hardware: Hardware,
    units: int,
    heartbeat: bool,
    lease_seconds: int | None,
) -> Iterator[Event]:
    """One allocation after another, each for weeks, with a day or so between them."""
    rng = member.rng
    time = odd(rng, fleet.start + rng.randrange(DAY_MS))
    stated: dict[str, object] = {"lease_seconds": lease_seconds} if heartbeat and lease_seconds else {}
    for generation in count(1):
        end = odd(rng, time + rng.randrange(10 * DAY_MS, 40 * DAY_MS))
        allocation = Allocation(member, f"{name}-{generation}", hardware, member.place, stated=stated)
        yield started(time, allocation, units)
        if heartbeat:
            for beat in range(time + HOUR_MS, end - SECOND_MS, HOUR_MS):
                yield seen(beat, allocation, lease_seconds)
        yield stopped(end, allocation, "deleted")
        time = odd(rng, end + rng.randrange(6 * HOUR_MS, 2 * DAY_MS))


def inference(fleet: Fleet, number: int) -> None:
    """Two services whose size follows the hour of the day, one of them in quarters of an accelerator."""
    place = PLACES[(number + 1) % len(PLACES)]
    member = fleet.member("inference", place)
    profile(fleet, member, ORDINARY[(number + 5) % len(ORDINARY)], "documented")
    for service, hardware, least, most, step in (
        ("chat", (H100_LABEL, L40S, G6, TPU_V5E)[number % 4], 24_000, 160_000, WHOLE),
        ("search", L4, 4_000, 24_000, 250),
    ):
        fleet.provide(place, hardware, most)
        noon = 12 - number % 4 * 3
        allocation = Allocation(member, f"{service}-serving", hardware, place, stated={"purpose": "inference"})
        fleet.add(_daily(fleet.start, member.rng, allocation, least, most, step, noon))


def _daily(
    start: int, rng: Random, allocation: Allocation, least: int, most: int, step: int, noon: int
) -> Iterator[Event]:
    """A service resized every hour or so between its least and its most, fullest at `noon` o'clock UTC."""
    held = -1
    for hour in count():
        angle = 2 * pi * ((start // HOUR_MS + hour) % 24 - noon) / 24
        load = (1 + cos(angle)) / 2 * rng.uniform(0.9, 1.0)
        units = least + int((most - least) * load) // step * step
        time = odd(rng, start + hour * HOUR_MS + rng.randrange(20, 40) * MINUTE_MS)
        if held < 0:
            yield started(time, allocation, units)
        elif units != held:
            yield resized(time, allocation, units)
        held = units


@dataclass(frozen=True, slots=True)
class Pace:
    """How a queue of small jobs behaves: chances of what happens next to a running job, and times in milliseconds."""

    step_ms: int  # mean time to the next thing that happens to a job
    gap_ms: int  # mean time between two jobs of one slot
    seen: float  # share of steps that are a sign of life
    resized: float  # share of steps that are a resize; the rest is the stop


BATCH = Pace(4 * HOUR_MS, 3 * HOUR_MS, 0.0, 0.05)
BUSY = Pace(HOUR_MS // 2, HOUR_MS // 4, 0.35, 0.10)


def batch(fleet: Fleet, number: int) -> None:
    """Many small jobs, a few at a time; some take a share of an accelerator."""
    place = PLACES[(number + 2) % len(PLACES)]
    member = fleet.member("batch", place)
    profile(fleet, member, ORDINARY[(number + 9) % len(ORDINARY)], "documented")
    hardware = (A100_LABEL, T4)[number % 2]
    sizes = (1000, 1000, 2000, 4000, 8000) if hardware is A100_LABEL else (250, 500, 1000, 1000)
    _slots(fleet, member, (hardware,), sizes, 6, BATCH)


def busy(fleet: Fleet, number: int) -> None:
    """A busy tenant of an ordinary cloud: 25 slots of jobs that start, grow, shrink and stop within hours."""
    place = PLACES[number % len(PLACES)]
    member = fleet.member("batch", place)
    profile(fleet, member, ORDINARY[number % len(ORDINARY)], "documented")
    _slots(fleet, member, (A100, H100, L4, A2_ULTRA, P5), (1000, 1000, 2000, 4000, 8000), 25, BUSY)


def _slots(
    fleet: Fleet, member: Member, hardware: tuple[Hardware, ...], sizes: tuple[int, ...], slots: int, pace: Pace
) -> None:
    for slot in range(slots):
        one = hardware[slot % len(hardware)]
        fleet.provide(member.place, one, max(sizes))
        fleet.add(_jobs(fleet.start, member, slot, one, sizes, pace))


def _jobs(
    start: int, member: Member, slot: int, hardware: Hardware, sizes: tuple[int, ...], pace: Pace
) -> Iterator[Event]:
    """One job after another in one slot of a queue."""
    rng = member.rng
    account = f"project-{slot % 4}"
    time = odd(rng, start + rng.randrange(2 * pace.gap_ms))
    for serial in count(1):
        name = f"job-{slot:02d}-{serial:06d}"
        allocation = Allocation(member, name, hardware, member.place, stated={"account": account, "job": name})
        yield started(time, allocation, rng.choice(sizes))
        while True:
            time = odd(rng, time + SECOND_MS + int(rng.expovariate(1 / pace.step_ms)))
            chance = rng.random()
            if chance < pace.seen:
                yield seen(time, allocation)
            elif chance < pace.seen + pace.resized:
                yield resized(time, allocation, rng.choice(sizes))
            else:
                break
        yield stopped(time, allocation, "completed" if rng.random() < 0.6 else "cancelled")
        time = odd(rng, time + SECOND_MS + int(rng.expovariate(1 / pace.gap_ms)))


def beating(fleet: Fleet, number: int, allocations: int, rounds: int) -> None:
    """One tenant with many open allocations that do nothing but give a sign of life every hour, and never stop."""
    member = fleet.member("quiet", PLACES[number % len(PLACES)])
    profile(fleet, member, ORDINARY[number % len(ORDINARY)], "documented")
    fleet.provide(member.place, A100, allocations * WHOLE)
    fleet.add(_rounds(fleet.start, member, allocations, rounds))


def _rounds(start: int, member: Member, allocations: int, rounds: int) -> Iterator[Event]:
    held = [Allocation(member, f"node-{serial:07d}", A100, member.place) for serial in range(allocations)]
    for turn in range(rounds + 1):
        for serial, allocation in enumerate(held):
            # Spread over the hour, and never on a whole second.
            time = (start + turn * HOUR_MS + serial * HOUR_MS // allocations) // SECOND_MS * SECOND_MS + 500
            yield seen(time, allocation) if turn else started(time, allocation, WHOLE)


def unresolved(fleet: Fleet) -> None:
    """A tenant that claims where it is headquartered, without a document, and rents 256 A100 for months."""
    member = fleet.member("unresolved", AP_SOUTH)
    profile(fleet, member, UNRESOLVED, "claimed")
    _steadily(fleet, member, A2_ULTRA, 32 * WHOLE)


def blank(fleet: Fleet) -> None:
    """A tenant that left its profile blank."""
    member = fleet.member("blank", US_EAST)
    blank_profile(fleet, member)
    _steadily(fleet, member, H100_LABEL, 32 * WHOLE)


def _steadily(fleet: Fleet, member: Member, hardware: Hardware, units: int) -> None:
    """One allocation from the third day on, for good."""
    fleet.provide(member.place, hardware, units)
    time = odd(member.rng, fleet.start + 2 * DAY_MS + member.rng.randrange(HOUR_MS))
    fleet.add(iter([started(time, Allocation(member, "cluster-1", hardware, member.place), units)]))
