"""Runs that are hard to put together, invented: in parallel, over fabrics and tenants, and with rests on purpose."""

from __future__ import annotations

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.simulate.companies import SHELLS
from monitor.simulate.fleet import AP_SOUTH, EU_NORTH, EU_WEST, MINUTE_MS, US_EAST, WHOLE, Expected, Fleet, Run
from monitor.simulate.hardware import H100, H100_LABEL
from monitor.simulate.launches import (
    Job,
    Launch,
    chance,
    errands,
    evidence,
    launch,
    one_after_another,
    shares,
    short_gap,
    shown,
)
from monitor.simulate.profiles import profile
from monitor.simulate.published import MEDIAN_PPM, NODE, job_of, trainer

EXPERIMENTS = 73
REST_MS = 61 * HOUR_MS // 10


def parallel(fleet: Fleet) -> None:
    """Two runs of one tenant at once, both on 64 nodes of one fabric, each restarted on its own every few days."""
    member = trainer(fleet, "parallel", EU_WEST)
    for number, (first_day, days) in enumerate(((1, 40), (6, 30))):
        rng = chance(fleet, f"parallel/{number}")
        run = Run(f"model-{number + 1}", H100, 300_000)
        job = Job(member, run.name, H100, EU_WEST, rng, evidence(fleet, rng, "r-parallel"), True, run)
        nodes = tuple(range(64 * number, 64 * number + 64))
        lengths = shares(rng, days * DAY_MS, days // 4)
        launch(
            fleet,
            job,
            one_after_another(fleet.start + first_day * DAY_MS, lengths, short_gap(rng), 64 * NODE, nodes),
        )
    errands(fleet, member, H100, 3, (8, 16, 32, 64), 6 * HOUR_MS)


def fabrics(fleet: Fleet) -> None:
    """One run on 32 nodes in each of three fabrics, launched and restarted together for 30 days."""
    member = trainer(fleet, "fabrics", EU_NORTH)
    job = job_of(fleet, member, H100, 300_000, by_node=True)
    lengths = shares(job.rng, 30 * DAY_MS, 7)
    launches = one_after_another(fleet.start + DAY_MS, lengths, short_gap(job.rng), 32 * NODE)
    for number, place in enumerate((EU_NORTH, EU_WEST, US_EAST)):
        nodes = tuple(range(32 * number, 32 * number + 32))
        here = job._replace(name=f"fabrics-{place.fabric}", place=place, rng=chance(fleet, place.fabric))
        launch(fleet, here, [one._replace(nodes=nodes) for one in launches])


def six(fleet: Fleet) -> None:
    """One run over six tenants that nobody has verified: 16 nodes each, one image, launched together for 40 days."""
    rng = chance(fleet, "six")
    stated = evidence(fleet, rng)
    lengths = shares(rng, 40 * DAY_MS, 6)
    launches = one_after_another(fleet.start + DAY_MS, lengths, short_gap(rng), 16 * NODE, tuple(range(16)))
    for number, company in enumerate(SHELLS):
        place = (US_EAST, AP_SOUTH)[number % 2]
        member = fleet.member("training", place, f"shell-{number + 1}", of_concern=True)
        profile(fleet, member, company, "claimed")
        own = chance(fleet, member.name)
        job = Job(member, member.name, H100_LABEL, place, own, stated, True, Run("six", H100_LABEL, 310_000))
        launch(fleet, job, launches)
    shells = tuple(sorted(fleet.members))
    fleet.expected.append(Expected("unresolved", shells))
    if shown(fleet):
        fleet.expected.append(Expected("group", shells, ("image", "synchronous launches")))
        fleet.expected.append(Expected("signal", shells, ("many undeclared accounts as one",)))
        fleet.expected.append(Expected("signal", shells, ("one run over accounts",)))
    else:
        fleet.expected.append(Expected("weak link", shells, ("synchronous launches",)))


def evader(fleet: Fleet) -> None:
    """A run on 512 H100 for 60 days that rests for 6.1 hours after every 20, just longer than a restart may take."""
    job = job_of(fleet, trainer(fleet, "evader", US_EAST), H100, 300_000, by_node=False)
    rounds = 60 * DAY_MS // (20 * HOUR_MS + REST_MS)
    nodes = tuple(range(64))
    lengths = [20 * HOUR_MS] * rounds
    launch(fleet, job, one_after_another(fleet.start + HOUR_MS, lengths, lambda: REST_MS, 64 * NODE, nodes))


def experiments(fleet: Fleet) -> None:
    """73 experiments in a year that have nothing in common but the tenant and its reservation: 73 runs.

    One begins at some time in each five days, on 16 to 256 accelerators, and lasts for a day in the median and two and
    a half at most. Some overlap, and some follow one another at once.
    """
    member = trainer(fleet, "experiments", EU_NORTH)
    rng = chance(fleet, "experiments")
    for number in range(EXPERIMENTS):
        run = Run(f"experiment-{number + 1:02d}", H100, MEDIAN_PPM)
        job = Job(member, run.name, H100, EU_NORTH, rng, evidence(fleet, rng, "r-experiments"), False, run)
        start = fleet.start + (5 * number * 24 * 60 + rng.randrange(5 * 24 * 60)) * MINUTE_MS
        length = min(5 * DAY_MS // 2, HOUR_MS + int(DAY_MS * rng.lognormvariate(0.0, 0.8)))
        launch(fleet, job, [Launch(start, start + length, rng.choice((16, 32, 64, 128, 256)) * WHOLE)])
