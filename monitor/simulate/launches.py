"""Jobs that are launched again and again: what the scenarios of runs and of what looks like runs are made of.

The names of such scenarios begin with `run-` (somebody trains) or `other-` (nobody does); those that end in `-bare`
play the same jobs with nothing stated about them: no job, image, reservation or nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from operator import itemgetter
from random import Random
from typing import NamedTuple

from monitor.core.model import HOUR_MS, SECOND_MS
from monitor.simulate.fleet import MINUTE_MS, WHOLE, Allocation, Event, Fleet, Member, Place, Run, odd, started, stopped
from monitor.simulate.hardware import Hardware

BARE = "-bare"


class Launch(NamedTuple):
    """One attempt of a job: `units` thousandths in all, on these nodes if they have names."""

    start: int
    end: int
    units: int
    nodes: tuple[int, ...] = ()


class Job(NamedTuple):
    """Something launched again and again at one place, one allocation for each launch or for each node of it."""

    member: Member
    name: str
    hardware: Hardware
    place: Place
    rng: Random
    stated: dict[str, object] | None  # fields of every start; None: nothing is stated, the job and its nodes neither
    by_node: bool = False
    run: Run | None = None


def shown(fleet: Fleet) -> bool:
    """Whether the scenario states evidence."""
    return f"{BARE}/" not in fleet.seed


def chance(fleet: Fleet, of: str) -> Random:
    """Randomness that is the same with and without evidence."""
    return Random(f"{fleet.seed.replace(f'{BARE}/', '/')}/{of}")


def evidence(fleet: Fleet, rng: Random, reservation: str = "") -> dict[str, object] | None:
    """An image of its own, and a reservation if it has one; None in a scenario without evidence."""
    image = f"sha256:{rng.getrandbits(256):064x}"
    if not shown(fleet):
        return None
    return {"image_digest": image, **({"reservation": reservation} if reservation else {})}


def launch(fleet: Fleet, job: Job, launches: Sequence[Launch]) -> None:
    """Let a job take place. Its launches do not overlap; those by node last and are apart by five minutes or more."""
    if job.run is not None and job.run not in job.member.runs:
        job.member.runs.append(job.run)
    fleet.provide(job.place, job.hardware, max(one.units for one in launches))
    fleet.add(_events(job, launches))


def _events(job: Job, launches: Sequence[Launch]) -> Iterator[Event]:
    for number, one in enumerate(launches):
        yield from sorted(_launched(job, number, one), key=itemgetter(0))


def _launched(job: Job, number: int, one: Launch) -> Iterator[Event]:
    """Starts within three minutes and ends within one; of a single allocation, on the second."""
    rng = job.rng
    parts = [(node,) for node in one.nodes] if job.by_node else [one.nodes]
    start_ms, end_ms = (3 * MINUTE_MS, MINUTE_MS) if job.by_node else (1, 1)
    for nodes in parts:
        name = f"{job.name}-{number}"
        stated = {} if job.stated is None else {**job.stated, "job": name}
        if stated and nodes:
            stated["nodes"] = [f"n{node:04d}" for node in nodes]
        own = f"{name}-n{nodes[0]:04d}" if job.by_node else name
        allocation = Allocation(job.member, own, job.hardware, job.place, job.run, stated)
        yield started(odd(rng, one.start + rng.randrange(start_ms)), allocation, one.units // len(parts))
        yield stopped(odd(rng, one.end + rng.randrange(end_ms)), allocation, "job ended")


def shares(rng: Random, total: int, parts: int, most: float = 4.0) -> list[int]:
    """A total cut into so many parts by chance, none above `most` times its exponential mean, none tiny."""
    weights = [0.05 + min(most, rng.expovariate(1.0)) for _ in range(parts)]
    lengths = [int(total * weight / sum(weights)) for weight in weights]
    lengths[-1] += total - sum(lengths)
    return lengths


def short_gap(rng: Random) -> Callable[[], int]:
    """What a restart takes: ten minutes to two hours."""
    return lambda: rng.randrange(10, 120) * MINUTE_MS


def one_after_another(
    start: int, lengths: Sequence[int], gap: Callable[[], int], units: int, nodes: tuple[int, ...] = ()
) -> list[Launch]:
    """Launches of these lengths with a gap between two; the last one ends without."""
    found, time = [], start
    for length in lengths:
        found.append(Launch(time, time + length, units, nodes))
        time += length + gap()
    return found


def errands(fleet: Fleet, member: Member, hardware: Hardware, slots: int, sizes: Sequence[int], mean_ms: int) -> None:
    """Small jobs of a tenant that has a run as well: evaluations, trials. `sizes` in whole units."""
    rng = chance(fleet, f"{member.name}/errands")
    for slot in range(slots):
        fleet.provide(member.place, hardware, max(sizes) * WHOLE)
        fleet.add(_errands(fleet, member, hardware, Random(rng.getrandbits(64)), slot, sizes, mean_ms))


def _errands(
    fleet: Fleet, member: Member, hardware: Hardware, rng: Random, slot: int, sizes: Sequence[int], mean_ms: int
) -> Iterator[Event]:
    time = fleet.start + rng.randrange(12 * HOUR_MS)
    for serial in count():
        job = Job(member, f"errand-{slot}-{serial}", hardware, member.place, rng, evidence(fleet, rng))
        end = time + 30 * SECOND_MS + int(rng.expovariate(1 / mean_ms))
        yield from _events(job, [Launch(time, end, rng.choice(sizes) * WHOLE)])
        time = end + MINUTE_MS + int(rng.expovariate(1 / mean_ms))
