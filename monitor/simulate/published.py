"""Training runs as their authors describe them: restarts, queues, counts that halve and triple.

What a source states is kept; what it leaves open (how long a restart takes, say) is drawn by chance, and said. Realised
utilisation is the published one, or 0.265, the median of the published record.
"""

from __future__ import annotations

from random import Random

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS
from monitor.simulate.companies import LARGE
from monitor.simulate.fleet import EU_NORTH, EU_WEST, MINUTE_MS, US_EAST, WHOLE, Fleet, Member, Place, Run
from monitor.simulate.hardware import A100, H100, TPU_V4, Hardware
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
)
from monitor.simulate.profiles import profile

MEDIAN_PPM = 265_000
NODE = 8 * WHOLE


def trainer(fleet: Fleet, name: str, place: Place) -> Member:
    """A tenant that says who it is."""
    member = fleet.member("training", place, name)
    profile(fleet, member, LARGE[0], "documented")
    return member


def job_of(fleet: Fleet, member: Member, hardware: Hardware, utilisation_ppm: int, by_node: bool) -> Job:
    """The job of a tenant that has one run, under the tenant's name and on a reservation."""
    rng = chance(fleet, member.name)
    run = Run(member.name, hardware, utilisation_ppm)
    stated = evidence(fleet, rng, f"r-{member.name}")
    return Job(member, member.name, hardware, member.place, rng, stated, by_node, run)


def _swapped(rng: Random, launches: list[Launch], spares: int) -> list[Launch]:
    """The same launches with one or two nodes of each replaced by spares; those that left are repaired."""
    nodes = list(launches[0].nodes)
    waiting = list(range(len(nodes), len(nodes) + spares))
    found = []
    for one in launches:
        found.append(one._replace(nodes=tuple(nodes)))
        for _ in range(rng.randrange(1, 3)):
            place = rng.randrange(len(nodes))
            waiting.append(nodes[place])
            nodes[place] = waiting.pop(0)
    return found


def opt175b(fleet: Fleet) -> None:
    """OPT-175B: 124 nodes of 8 A100 for 56 days, 90 restarts, up 59 per cent of the time.

    Source: facebookresearch/metaseq, projects/OPT/chronicles: 11 November to 6 January, 18 spare hosts, some two
    machines down a day, longest stretches of 1.5, 2.8 and 2 days in December, holes at Thanksgiving (day 14), the
    cluster deleted on 21 December (day 40) and whole again on the 23rd. Uptime: Lockwood. Drawn: the other 88 stretches
    and gaps, and that the hole of Thanksgiving lasted a day and a half.
    """
    member = trainer(fleet, "opt175b", US_EAST)
    job = job_of(fleet, member, A100, MEDIAN_PPM, by_node=True)
    start, held = fleet.start + HOUR_MS, 56 * DAY_MS * 59 // 100
    records = [(22 * DAY_MS, 3 * DAY_MS // 2), (26 * DAY_MS, 14 * DAY_MS // 5), (31 * DAY_MS, 2 * DAY_MS)]
    holes = [(14 * DAY_MS, 3 * DAY_MS // 2), (40 * DAY_MS, 2 * DAY_MS)]
    lengths = shares(job.rng, held - sum(length for _, length in records), 88)
    gaps = shares(job.rng, 56 * DAY_MS - held - sum(length for _, length in holes), 88)
    found: list[Launch] = []
    time = start
    while lengths or records:
        due = records and (not lengths or time >= start + records[0][0])
        length = records.pop(0)[1] if due else max(lengths.pop(), 10 * MINUTE_MS)
        found.append(Launch(time, time + length, 124 * NODE, tuple(range(124))))
        time += length
        hole = holes and (not gaps or time >= start + holes[0][0])
        time += holes.pop(0)[1] if hole else max(gaps.pop() if gaps else 0, 10 * MINUTE_MS)
    launch(fleet, job, _swapped(job.rng, found, 18))


def lucie7b(fleet: Fleet) -> None:
    """Lucie-7B: 512 H100 in scheduler jobs of 20 hours, 550,000 accelerator-hours: 54 jobs.

    Source: OpenLLM-France/Lucie-Training (hours of the model card, jobs capped at 20 h). Drawn: the wait in the queue,
    an hour and a half on average and five at most; and smaller trials of the same tenant beside it.
    """
    member = trainer(fleet, "lucie7b", EU_WEST)
    job = job_of(fleet, member, H100, 63_700, by_node=False)
    hours = 550_000 / 512
    lengths = [20 * HOUR_MS] * int(hours // 20) + [int(hours % 20 * HOUR_MS)]

    def wait() -> int:
        return MINUTE_MS + min(5 * HOUR_MS, int(job.rng.expovariate(1 / (1.5 * HOUR_MS))))

    nodes = tuple(range(128))
    launch(fleet, job, one_after_another(fleet.start + HOUR_MS, lengths, wait, 512 * WHOLE, nodes))
    errands(fleet, member, H100, 3, (4, 8, 16, 32, 64), 8 * HOUR_MS)


def palm540b(fleet: Fleet) -> None:
    """PaLM 540B: 6,144 TPU v4 for 1,200 hours, then 3,072 for 336.

    Source: PaLM (arXiv 2204.02311), tables 3 and 20. Drawn: restarts every five days or so.
    """
    job = job_of(fleet, trainer(fleet, "palm540b", US_EAST), TPU_V4, 303_900, by_node=False)
    gap = short_gap(job.rng)
    first = one_after_another(fleet.start + HOUR_MS, shares(job.rng, 1_200 * HOUR_MS, 10), gap, 6_144 * WHOLE)
    second = one_after_another(first[-1].end + gap(), shares(job.rng, 336 * HOUR_MS, 3), gap, 3_072 * WHOLE)
    launch(fleet, job, first + second)


def nemotron15b(fleet: Fleet) -> None:
    """Nemotron-4 15B: 768 H100 for 0.8 day, 1,536 for 0.4, 2,304 for 11.9.

    Source: Nemotron-4 15B (arXiv 2402.16819), table 2. Drawn: three restarts in the last stage.
    """
    job = job_of(fleet, trainer(fleet, "nemotron15b", US_EAST), H100, 294_000, by_node=True)
    gap, time = short_gap(job.rng), fleet.start + HOUR_MS
    found: list[Launch] = []
    for accelerators, tenths, parts in ((768, 8, 1), (1_536, 4, 1), (2_304, 119, 4)):
        lengths = shares(job.rng, tenths * DAY_MS // 10, parts)
        nodes = tuple(range(accelerators // 8))
        found += one_after_another(time, lengths, gap, accelerators * WHOLE, nodes)
        time = found[-1].end + gap()
    launch(fleet, job, found)


def bloom176b(fleet: Fleet) -> None:
    """BLOOM: 48 nodes of 8 A100 and 4 in reserve, 2,820 hours.

    Source: bigscience-workshop/bigscience, train/tr11-176B-ml/chronicles: a crash ten days in (the 7.3 hours of work
    that were lost had been held, and were done again), an emergency maintenance the day after, then hardware that fails
    every week or so. Hours: Luccioni et al. Drawn: eight hours of maintenance, and what a restart takes.
    """
    job = job_of(fleet, trainer(fleet, "bloom176b", EU_NORTH), A100, 318_200, by_node=True)
    nodes, gap = tuple(range(48)), short_gap(job.rng)
    first = one_after_another(fleet.start + HOUR_MS, [10 * DAY_MS, DAY_MS], gap, 48 * NODE, nodes)
    rest = shares(job.rng, 2_820 * HOUR_MS - 11 * DAY_MS, 15)
    later = one_after_another(first[-1].end + 8 * HOUR_MS, rest, gap, 48 * NODE, nodes)
    launch(fleet, job, _swapped(job.rng, first + later, 4))


def kalos(fleet: Fleet) -> None:
    """Pretraining on 1,024 A100 in jobs of seconds to days, as in the Kalos cluster.

    Source: AcmeTrace (NSDI 2024), Kalos: half of the pretraining jobs that completed ran under six minutes, no job over
    625,740 s, many small jobs beside them. Drawn: the gaps, ten minutes in the median and five hours at most.
    """
    member = trainer(fleet, "kalos", EU_NORTH)
    job = job_of(fleet, member, A100, MEDIAN_PPM, by_node=False)
    found: list[Launch] = []
    time = fleet.start + HOUR_MS
    while time < fleet.start + 40 * DAY_MS:
        length = round(min(625_740.0, max(20.0, 351 * job.rng.lognormvariate(0.0, 3.2)))) * SECOND_MS
        found.append(Launch(time, time + length, 1_024 * WHOLE))
        time += length + min(5 * HOUR_MS, MINUTE_MS + int(10 * MINUTE_MS * job.rng.lognormvariate(0.0, 1.2)))
    launch(fleet, job, found)
    errands(fleet, member, A100, 6, (1, 1, 2, 8, 16, 32, 64), 90 * MINUTE_MS)


SITES = (  # the region of each node
    *("us-east", "us-east", "us-west", "us-west", "eu-north", "eu-north", "eu-north"),
    *("eu-west", "eu-west", "eu-west", "eu-central", "eu-central", "ap-south", "ap-south"),
)


def intellect1(fleet: Fleet) -> None:
    """INTELLECT-1: at most 14 nodes of 8 H100 in five countries for 42 days, each on a network of its own.

    Source: INTELLECT-1 technical report (arXiv 2412.01152). Regions stand in for countries, the two of the USA for
    one. Drawn: nodes join in the first ten days, stay for six days or so and are away for hours.
    """
    member = trainer(fleet, "intellect1", US_EAST)
    whole = job_of(fleet, member, H100, 152_200, by_node=True)
    start, end = fleet.start + HOUR_MS, fleet.start + HOUR_MS + 42 * DAY_MS
    for node, region in enumerate(SITES):
        rng = chance(fleet, f"node-{node}")
        time = start if node < 4 else start + rng.randrange(10 * DAY_MS)
        found: list[Launch] = []
        while time < end - DAY_MS:
            until = min(end, time + DAY_MS + int(rng.expovariate(1 / (5 * DAY_MS))))
            found.append(Launch(time, until, NODE, (node,)))
            time = until + 30 * MINUTE_MS + rng.randrange(24 * HOUR_MS)
        if node == 0:
            found[-1] = found[-1]._replace(end=end)
        place = Place(region, f"{region}-a", f"site-{node:02d}")
        launch(fleet, whole._replace(name=f"worker-{node:02d}", place=place, rng=rng), found)
