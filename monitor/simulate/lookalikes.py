"""What looks like a training run and is none: size, uniformity and length alone are not training."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.simulate.companies import ORDINARY
from monitor.simulate.fleet import (
    EU_NORTH,
    EU_WEST,
    MINUTE_MS,
    US_EAST,
    WHOLE,
    Allocation,
    Event,
    Fleet,
    Member,
    Place,
    odd,
    started,
    stopped,
)
from monitor.simulate.hardware import A100, H100_LABEL, L40S, Hardware
from monitor.simulate.launches import Job, Launch, chance, evidence, launch
from monitor.simulate.profiles import profile

SMALL_JOBS = 460
SMALL_SIZES = (1, 2, 3, 4, 4, 5, 6, 8, 8, 2)  # of 460 jobs in turn: 1,978 accelerators
EQUAL = 660
NIGHTS = 90


def _ordinary(fleet: Fleet, name: str, place: Place, company: int) -> Member:
    member = fleet.member("other", place, name)
    profile(fleet, member, ORDINARY[company], "documented")
    return member


def serving(fleet: Fleet) -> None:
    """Inference on 256 accelerators from six in the morning to midnight, every day for 60 days."""
    member = _ordinary(fleet, "serving", EU_WEST, 1)
    rng = chance(fleet, "serving")
    job = Job(member, "chat", H100_LABEL, EU_WEST, rng, evidence(fleet, rng, "r-serving"))
    days = [fleet.start + day * DAY_MS for day in range(60)]
    launches = [Launch(day + 6 * HOUR_MS, day + 24 * HOUR_MS - MINUTE_MS, 256 * WHOLE) for day in days]
    launch(fleet, job, launches)


def equal(fleet: Fleet) -> None:
    """660 equal inference instances of one accelerator each, begun within minutes, now and then replaced."""
    member = _ordinary(fleet, "equal", US_EAST, 3)
    rng = chance(fleet, "equal")
    stated = evidence(fleet, rng)
    fleet.provide(US_EAST, H100_LABEL, EQUAL * WHOLE)
    for number in range(EQUAL):
        fleet.add(_instance(fleet, member, number, Random(rng.getrandbits(64)), stated))


def _instance(
    fleet: Fleet, member: Member, number: int, rng: Random, stated: dict[str, object] | None
) -> Iterator[Event]:
    time = fleet.start + HOUR_MS + rng.randrange(8 * MINUTE_MS)
    for serial in count():
        name = f"replica-{number:03d}-{serial}"
        fields: dict[str, object] = {} if stated is None else {**stated, "job": "replicas"}
        allocation = Allocation(member, name, H100_LABEL, US_EAST, stated=fields)
        end = time + HOUR_MS + int(rng.expovariate(1 / (25 * DAY_MS)))
        yield started(odd(rng, time), allocation, WHOLE)
        yield stopped(odd(rng, end), allocation, "replaced")
        time = end + MINUTE_MS + rng.randrange(5 * MINUTE_MS)


def small_jobs(fleet: Fleet) -> None:
    """460 small jobs of many people that hold 2,000 accelerators at once, each for some days, for 30 days."""
    member = _ordinary(fleet, "small-jobs", EU_NORTH, 4)
    rng = chance(fleet, "small-jobs")
    fleet.provide(EU_NORTH, A100, SMALL_JOBS * 8 * WHOLE)
    for slot in range(SMALL_JOBS):
        units = SMALL_SIZES[slot % len(SMALL_SIZES)] * WHOLE
        begin = fleet.start + rng.randrange(2 * DAY_MS)
        fleet.add(_queue(fleet, member, A100, f"job-{slot:03d}", Random(rng.getrandbits(64)), begin, 6 * DAY_MS, units))


def _queue(
    fleet: Fleet, member: Member, hardware: Hardware, name: str, rng: Random, time: int, mean_ms: int, units: int
) -> Iterator[Event]:
    """One job after another in one slot, each with an image of its own."""
    for serial in count():
        stated = evidence(fleet, rng)
        own = f"{name}-{serial}"
        fields: dict[str, object] = {} if stated is None else {**stated, "job": own}
        allocation = Allocation(member, own, hardware, member.place, stated=fields)
        end = time + HOUR_MS // 2 + int(rng.expovariate(1 / mean_ms))
        yield started(odd(rng, time), allocation, units)
        yield stopped(odd(rng, end), allocation, "completed")
        time = end + MINUTE_MS + int(rng.expovariate(1 / HOUR_MS))


def render(fleet: Fleet) -> None:
    """A render farm: 48 machines of four L40S, shots of an hour or so from six in the evening to eight, on weekdays."""
    member = _ordinary(fleet, "render", EU_WEST, 5)
    rng = chance(fleet, "render")
    stated = evidence(fleet, rng)
    fleet.provide(EU_WEST, L40S, 48 * 4 * WHOLE)
    for machine in range(48):
        fleet.add(_shots(fleet, member, machine, Random(rng.getrandbits(64)), stated))


def _shots(
    fleet: Fleet, member: Member, machine: int, rng: Random, stated: dict[str, object] | None
) -> Iterator[Event]:
    for day in (day for day in count() if day % 7 < 5):
        morning = fleet.start + day * DAY_MS + 32 * HOUR_MS
        time = morning - 14 * HOUR_MS + rng.randrange(20 * MINUTE_MS)
        for serial in count():
            length = HOUR_MS // 2 + int(rng.expovariate(1 / (1.5 * HOUR_MS)))
            if time + length > morning:
                break
            name = f"shot-{day:03d}-{machine:02d}-{serial}"
            fields: dict[str, object] = {} if stated is None else {**stated, "job": name}
            allocation = Allocation(member, name, L40S, EU_WEST, stated=fields)
            yield started(odd(rng, time), allocation, 4 * WHOLE)
            yield stopped(odd(rng, time + length), allocation, "completed")
            time += length + rng.randrange(1, 10) * MINUTE_MS


def nightly(fleet: Fleet) -> None:
    """A batch on 128 accelerators from two in the morning for four hours, every night for 90 nights."""
    member = _ordinary(fleet, "nightly", US_EAST, 12)
    rng = chance(fleet, "nightly")
    job = Job(member, "nightly", A100, US_EAST, rng, evidence(fleet, rng, "r-nightly"))
    launches = []
    for night in range(NIGHTS):
        start = fleet.start + night * DAY_MS + 2 * HOUR_MS
        launches.append(Launch(start, start + 4 * HOUR_MS + rng.randrange(-15, 16) * MINUTE_MS, 128 * WHOLE))
    launch(fleet, job, launches)


def pool(fleet: Fleet) -> None:
    """A reserved pool of 128 nodes of eight H100, held for 120 days: what runs on them is not to be seen.

    Its nodes are all that the provider sees (an occupancy). Three in a hundred fail in a month and are replaced.
    """
    member = _ordinary(fleet, "pool", EU_NORTH, 10)
    rng = chance(fleet, "pool")
    fleet.provide(EU_NORTH, H100_LABEL, 128 * 8 * WHOLE)
    stated: dict[str, object] = {"layer": "node", **(evidence(fleet, rng, "r-pool") or {})}
    stated.pop("image_digest", None)  # a node says what is booked, not what runs on it
    for node in range(128):
        fleet.add(_node(fleet, member, node, Random(rng.getrandbits(64)), stated))


def _node(fleet: Fleet, member: Member, node: int, rng: Random, stated: dict[str, object]) -> Iterator[Event]:
    time, stop = fleet.start + HOUR_MS + rng.randrange(30 * MINUTE_MS), fleet.start + 120 * DAY_MS + HOUR_MS
    for serial in count():
        name = f"node-{node:03d}-{serial}"
        fields = {**stated, "nodes": [name]} if "reservation" in stated else stated
        allocation = Allocation(member, name, H100_LABEL, EU_NORTH, stated=fields)
        end = min(stop, time + DAY_MS + int(rng.expovariate(1 / (1_000 * DAY_MS))))
        yield started(odd(rng, time), allocation, 8 * WHOLE)
        yield stopped(odd(rng, end), allocation, "node failed" if end < stop else "released")
        time = end + rng.randrange(10, 60) * MINUTE_MS
        if end == stop:
            return
