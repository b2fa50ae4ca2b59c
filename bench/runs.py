"""How long the runs of one tenant take to compute, by its number of allocations: all of them, and after one more event.

    python -m bench.runs [--repeat 3]

Three kinds of tenants: jobs of 64 nodes one after the other; allocations of 16 to 256 accelerators that start at any
time of a year, each a segment by itself, of twenty programs; and the same with small ones among them and nothing
stated. What counts is growth: the time for ten times as many, against ten times n log n. The rest is noise.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import log
from random import Random
from typing import NamedTuple

from monitor.app import references, stores
from monitor.core.estimate import Estimator
from monitor.core.model import ACCELERATOR, CERTAIN, DAY_MS, HOUR_MS, NO_TRAITS, Traits
from monitor.core.runs import Holding, TenantRuns
from monitor.core.segments import Stay
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
    return Holding(f"a{number}", (Stay(SHAPE, start, end, count * 1_000, CERTAIN, traits),), ())


KINDS: tuple[Callable[[int], Iterator[Holding]], ...] = (jobs, programs, anything)


def ended(one: Holding, end: int) -> Holding:
    """The same holding as if it had ended at another instant."""
    return one._replace(held=[*one.held[:-1], one.held[-1]._replace(end=end)])


class Event(NamedTuple):
    """One more event: what it is, and the holding of its allocation before and after it."""

    name: str
    before: Holding
    after: Holding


def events(held: Sequence[Holding], gang: Sequence[Holding]) -> Iterator[Event]:
    """The events that are measured, of a tenant that holds this; `gang` is one job of it."""
    now = max(one.held[-1].end for one in gang)
    new = _holding(10**7, now - 60_000, now, 64, held[-1].held[-1].traits)
    yield Event("an allocation starts", new._replace(held=()), new)
    yield Event("and stops an hour later", new, ended(new, now + HOUR_MS))
    by_end = sorted(held, key=lambda one: one.held[-1].end)
    for when, days in (("a day", 1), ("half a year", 180)):
        late = next(one for one in by_end if one.held[-1].end > by_end[-1].held[-1].end - days * DAY_MS)
        yield Event(f"a late stop, {when} back", late, ended(late, late.held[-1].end - 60_000))
    yield Event("of 10,000 allocations of one job one stops", gang[-1], ended(gang[-1], now - 60_000))


def long_gang(after: Sequence[Holding]) -> list[Holding]:
    """A job that has held 10,000 allocations in the ten days until now, 1,000 at a time."""
    now = max(one.held[-1].end for one in after) + HOUR_MS
    first = now - 10 * DAY_MS
    return [
        _holding(10**6 + n, first + n // 1_000 * DAY_MS, first + (n // 1_000 + 1) * DAY_MS, 8, Traits(job="long"))
        for n in range(10_000)
    ]


def table(repeat: int, estimator: Estimator) -> Iterator[str]:
    """What all of it costs, and growth."""
    yield "| tenant | allocations | runs | CPU seconds | against ten times fewer, of n log n |"
    yield "|---|---|---|---|---|"
    for kind in KINDS:
        before = 0.0
        for size in SIZES:
            held = list(kind(size))
            seconds, found = [], 0
            for _ in range(repeat):
                began = time.process_time()
                found = len(computed(held, estimator).runs())
                seconds.append(time.process_time() - began)
            median = statistics.median(seconds)
            expected = 10 * log(size) / log(size / 10)
            growth = f"{median / before / expected:.2f}" if before else ""
            yield f"| {kind.__name__} | {size:,} | {found:,} | {median:.3f} | {growth} |"
            before = median


def table_of_events(repeat: int, estimator: Estimator) -> Iterator[str]:
    """What one more event costs a tenant of the largest size, with the runs that it changes told."""
    yield "| one more event, CPU milliseconds | " + " | ".join(kind.__name__ for kind in KINDS) + " |"
    yield "|---" * (len(KINDS) + 1) + "|"
    rows: dict[str, list[str]] = {}
    for kind in KINDS:
        held = list(kind(SIZES[-1]))
        gang = long_gang(held)
        kept = computed([*held, *gang], estimator)
        for name, before, after in events(held, gang):
            milliseconds = []
            for _ in range(repeat):
                kept.update([before])
                began = time.process_time()
                kept.update([after])
                kept.changed()
                milliseconds.append((time.process_time() - began) * 1_000)
            rows.setdefault(name, []).append(f"{statistics.median(milliseconds):.1f}")
    for name, cells in rows.items():
        yield f"| {name} | {' | '.join(cells)} |"


def computed(held: Iterable[Holding], estimator: Estimator) -> TenantRuns:
    """The runs of a tenant that holds all this."""
    kept = TenantRuns("t", estimator, START + 800 * DAY_MS)
    kept.update(held)
    return kept


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    estimator = references.load_reference(config_root()).estimator
    stores.tune_collector()  # as the program does
    for line in (*table(repeat, estimator), "", *table_of_events(repeat, estimator)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
