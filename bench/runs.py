"""How long the runs of one tenant take to compute, by its number of allocations.

    python -m bench.runs [--repeat 3]

Three kinds of tenants: jobs of 64 nodes one after the other; allocations of 16 to 256 accelerators that start at any
time of a year, each a segment by itself, of twenty programs; and the same with small ones among them and nothing
stated. What counts is growth: the time for ten times as many, against ten times n log n. The rest is noise.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from math import log
from random import Random

from monitor import app
from monitor.core.model import ACCELERATOR, CERTAIN, DAY_MS, HOUR_MS, NO_TRAITS, Traits
from monitor.core.runs import Held, Holding, runs
from monitor.core.timeline import shape_of
from monitor.reference.root import config_root
from monitor.simulate.scenarios import START

SIZES = (1_000, 10_000, 100_000)
SHAPE = shape_of("eu-north", "fjord", "H100 SXM5 80GB", ACCELERATOR)
NODES = 64


def jobs(count: int) -> Iterator[Holding]:
    """Jobs of 64 nodes, two hours each, one after the other."""
    rng = Random("jobs")
    for number in range(count):
        start = START + number // NODES * 2 * HOUR_MS + rng.randrange(60_000)
        traits = Traits(job=f"j{number // NODES}", image=f"i{number // NODES % 3}")
        yield _holding(number, start, start + 2 * HOUR_MS - 200_000, 8, traits)


def programs(count: int) -> Iterator[Holding]:
    """Single allocations of twenty programs, at any time."""
    rng = Random("programs")
    for number in range(count):
        start = START + rng.randrange(365 * DAY_MS)
        length = 60_000 + rng.randrange(20 * HOUR_MS)
        yield _holding(
            number, start, start + length, rng.choice((16, 32, 64, 128, 256)), Traits(image=f"i{rng.randrange(20)}")
        )


def anything(count: int) -> Iterator[Holding]:
    """Allocations of any size at any time, of which nothing is stated."""
    rng = Random("anything")
    for number in range(count):
        start = START + rng.randrange(365 * DAY_MS)
        yield _holding(number, start, start + 60_000 + rng.randrange(20 * HOUR_MS), rng.choice((1, 2, 4, 8, 16, 32)))


def _holding(number: int, start: int, end: int, count: int, traits: Traits = NO_TRAITS) -> Holding:
    return Holding(f"a{number}", (Held(SHAPE, start, end, count * 1_000, CERTAIN, traits),), ())


KINDS: tuple[Callable[[int], Iterator[Holding]], ...] = (jobs, programs, anything)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    estimator = app.load_reference(config_root()).estimator
    print("| tenant | allocations | runs | CPU seconds | against ten times fewer, of n log n |\n|---|---|---|---|---|")
    for kind in KINDS:
        before = 0.0
        for size in SIZES:
            held = list(kind(size))
            seconds, found = [], 0
            for _ in range(repeat):
                began = time.process_time()
                found = len(runs("t", held, estimator, START + 800 * DAY_MS))
                seconds.append(time.process_time() - began)
            median = statistics.median(seconds)
            expected = 10 * log(size) / log(size / 10)
            growth = f"{median / before / expected:.2f}" if before else ""
            print(f"| {kind.__name__} | {size:,} | {found:,} | {median:.3f} | {growth} |", flush=True)
            before = median


if __name__ == "__main__":
    main()
